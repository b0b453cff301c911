//! What the same work takes in the simplest code that one can write by hand, without any check. Run by
//! `bench/callgrind`.

use std::sync::atomic::{AtomicU32, Ordering};

use zcrx_bench::counting::count;
use zcrx_bench::memory_ring::{MemoryRing, BATCH, DRAINS, SLOTS};
use zcrx_sys::ring::CqeLayout;
use zcrx_sys::uapi::{io_uring_zcrx_rqe, IORING_CQE_F_32, IORING_CQE_F_SKIP};

fn main() {
    for (case, layout, mut pattern) in DRAINS {
        let mut posts = MemoryRing::new(layout);
        count("drain", case, "entry", BATCH, || {
            posts.post_batch(&mut pattern);
            let sum = match layout {
                CqeLayout::Narrow => measured_drain_narrow(&posts),
                CqeLayout::Wide => measured_drain_wide(&posts),
                CqeLayout::Mixed => measured_drain_mixed(&posts),
            };
            assert_ne!(sum, 0);
        });
    }
    for batch in [1, 8, 64] {
        let mut refill = Refill::new();
        let offsets: Vec<u64> = (0..u64::from(BATCH)).map(|n| n << 12).collect();
        let case = format!("batch {batch}");
        count("refill", &case, "buffer", BATCH, || {
            if batch == 1 {
                measured_refill_one_by_one(&mut refill, &offsets, 4096);
            } else {
                measured_refill(&mut refill, &offsets, 4096, batch);
            }
        });
    }
    let mut posts = MemoryRing::new(CqeLayout::Wide);
    let mut refill = Refill::new();
    count("drain and refill", "wide", "chunk", BATCH, || {
        posts.post_batch(&mut zcrx_bench::memory_ring::Pattern::Wide);
        measured_drain_and_refill(&posts, &mut refill);
    });
}

/// A refill ring as a program of its own would have it. The kernel's side is that it is always empty.
struct Refill {
    entries: Vec<io_uring_zcrx_rqe>,
    tail: u32,
    ktail: AtomicU32,
}

impl Refill {
    fn new() -> Self {
        Self {
            entries: vec![io_uring_zcrx_rqe::default(); SLOTS as usize],
            tail: 0,
            ktail: AtomicU32::new(0),
        }
    }

    #[inline(always)]
    fn write(&mut self, off: u64, len: u32) {
        let slot = (self.tail & (SLOTS - 1)) as usize;
        let entry = io_uring_zcrx_rqe { off, len, __pad: 0 };
        // SAFETY: the ring has SLOTS entries.
        unsafe { *self.entries.get_unchecked_mut(slot) = entry };
        self.tail = self.tail.wrapping_add(1);
    }

    #[inline(always)]
    fn publish(&self) {
        self.ktail.store(self.tail, Ordering::Release);
    }
}

/// Calls `each` with the two halves of each entry of a queue, and what is told from its flags.
#[inline(always)]
fn walk<const HALVES: usize>(queue: &MemoryRing, mut each: impl FnMut([u64; 2], Option<u64>)) {
    // SAFETY: the words live for ever.
    let (khead, ktail) = unsafe { (queue.head.as_ref(), queue.tail.as_ref()) };
    let slots = queue.slots.as_ptr();
    let mut head = khead.load(Ordering::Relaxed);
    let tail = ktail.load(Ordering::Acquire);
    while head != tail {
        let slot = (head & (SLOTS - 1)) as usize;
        // SAFETY: the slot lies inside, and was published.
        let (entry, second) = unsafe {
            let at = slots.add(slot * HALVES);
            (*at, (HALVES == 2).then(|| (*at.add(1))[0]))
        };
        head = head.wrapping_add(1);
        each(entry, second);
    }
    khead.store(head, Ordering::Release);
}

#[no_mangle]
#[inline(never)]
fn measured_drain_narrow(queue: &MemoryRing) -> u64 {
    let mut sum = 0;
    walk::<1>(queue, |[user_data, _], _| sum += user_data);
    sum
}

#[no_mangle]
#[inline(never)]
fn measured_drain_wide(queue: &MemoryRing) -> u64 {
    let mut sum = 0;
    walk::<2>(queue, |[user_data, _], offset| {
        sum += user_data + offset.unwrap_or(0);
    });
    sum
}

#[no_mangle]
#[inline(never)]
fn measured_drain_mixed(queue: &MemoryRing) -> u64 {
    // SAFETY: the words live for ever.
    let (khead, ktail) = unsafe { (queue.head.as_ref(), queue.tail.as_ref()) };
    let slots = queue.slots.as_ptr();
    let mut head = khead.load(Ordering::Relaxed);
    let tail = ktail.load(Ordering::Acquire);
    let mut sum = 0;
    while head != tail {
        // SAFETY: the slot lies inside, and was published.
        let at = unsafe { slots.add((head & (SLOTS - 1)) as usize) };
        // SAFETY: as above.
        let [user_data, second] = unsafe { *at };
        let flags = (second >> 32) as u32;
        head = head.wrapping_add(1);
        if flags & IORING_CQE_F_SKIP != 0 {
            continue;
        }
        sum += user_data;
        if flags & IORING_CQE_F_32 != 0 {
            // SAFETY: a wide entry has a second slot behind it, which was published with it.
            sum += unsafe { (*at.add(1))[0] };
            head = head.wrapping_add(1);
        }
    }
    khead.store(head, Ordering::Release);
    sum
}

#[no_mangle]
#[inline(never)]
fn measured_refill(refill: &mut Refill, offsets: &[u64], len: u32, batch: usize) {
    for batch in offsets.chunks(batch) {
        for &offset in batch {
            refill.write(offset, len);
        }
        refill.publish();
    }
}

#[no_mangle]
#[inline(never)]
fn measured_refill_one_by_one(refill: &mut Refill, offsets: &[u64], len: u32) {
    for &offset in offsets {
        refill.write(offset, len);
        refill.publish();
    }
}

#[no_mangle]
#[inline(never)]
fn measured_drain_and_refill(queue: &MemoryRing, refill: &mut Refill) {
    walk::<2>(queue, |[_, res], offset| {
        refill.write(offset.unwrap_or(0), res as u32);
    });
    refill.publish();
}
