//! An instance and a completion queue with the kernel's twin at the other end, and chunks at random places.

use zcrx_sys::ring::{CompletionQueue, CqeLayout};
use zcrx_sys::twin::{CompletionTwin, InstanceTwin};
use zcrx_sys::zcrx::Ifq;

use crate::Result;

/// Chunks in one drain.
pub const BATCH: u32 = 512;
const PAGE: u64 = 4096;
const F_MORE: u32 = 2;
/// Bit from which on an offset has the area's id.
const AREA_SHIFT: u32 = 48;

pub struct Rig {
    // The queue goes before what it looks into.
    queue: CompletionQueue,
    posts: Box<CompletionTwin>,
    kernel: InstanceTwin,
    pub ifq: Ifq,
    /// Where chunks lie: one of these after the other.
    offsets: Vec<u64>,
    next: usize,
}

impl Rig {
    /// `areas` areas of `pages` pages each. Chunks lie at `places` random ones of these pages.
    pub fn new(areas: u64, pages: u64, places: usize) -> Result<Self> {
        let failed = |errno| format!("cannot make an instance: {errno}");
        let (mut kernel, ifq) =
            InstanceTwin::new(u32::try_from(pages)?, 2 * BATCH).map_err(failed)?;
        for _ in 1..areas {
            kernel.add_area(&ifq, pages as u32).map_err(failed)?;
        }
        let mut random = Random(0x2545_f491_4f6c_dd1d);
        let offsets = (0..places).map(|_| {
            let (area, page) = (random.below(areas), random.below(pages));
            (area << AREA_SHIFT) | (page * PAGE)
        });
        let mut posts = Box::new(CompletionTwin::new(CqeLayout::Wide, 2 * BATCH, 0));
        Ok(Self {
            offsets: offsets.collect(),
            // SAFETY: posts is dropped after the queue, and keeps to the kernel's side.
            queue: unsafe { posts.queue() },
            posts,
            kernel,
            ifq,
            next: 0,
        })
    }

    /// Posts the completions of a batch.
    pub fn post(&mut self) {
        for _ in 0..BATCH {
            let offset = self.offsets[self.next];
            self.next = (self.next + 1) % self.offsets.len();
            assert!(
                self.posts.post(7, PAGE as i32, F_MORE, Some([offset, 0])),
                "room"
            );
        }
    }

    /// Reads what was posted. With `touch` a byte of each chunk; else it is only found out where they lie.
    #[inline(never)]
    pub fn drain(&mut self, touch: bool) -> usize {
        let mut sum = 0;
        for cqe in self.queue.drain() {
            let Ok(cqe) = cqe else { continue };
            // SAFETY: all completions are those of requests for this instance; each is taken once. Chunks may lie
            // in the same page, which nobody writes to.
            let Ok(chunk) = (unsafe { self.ifq.take(&cqe) }) else {
                continue;
            };
            let bytes = self.ifq.bytes(&chunk);
            sum += if touch {
                usize::from(bytes[0])
            } else {
                bytes.as_ptr() as usize
            };
            if self.ifq.recycle(chunk).is_err() {
                break;
            }
        }
        self.ifq.publish();
        sum
    }

    /// As [`drain`](Self::drain), but hands the chunks over.
    pub fn take(&mut self, mut each: impl FnMut(zcrx_sys::zcrx::Chunk)) {
        for cqe in self.queue.drain().flatten() {
            // SAFETY: as in drain().
            if let Ok(chunk) = unsafe { self.ifq.take(&cqe) } {
                each(chunk);
            }
        }
    }

    /// Has the kernel take back what was returned; how much that was. (The twin, which was not told of the chunks
    /// that were posted here, counts them as excess.)
    pub fn refill(&mut self) -> u32 {
        let refilled = self.kernel.refill();
        assert_eq!(refilled.malformed, 0);
        refilled.returned + refilled.excess
    }
}

/// xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % limit
    }
}
