//! The refill ring: how consumed buffers go back to the kernel.

use core::ptr::NonNull;

use super::chunk::{Chunk, PoolId, Unreturned};
use crate::index::Index;
use crate::sync::{writes, AtomicU32, Ordering};
use crate::uapi::io_uring_zcrx_rqe;

/// The producer's end of a refill ring.
///
/// [`push`](Self::push) writes an entry into a slot that it first made sure of, so a chunk is either
/// taken or handed back; [`publish`](Self::publish) shows the kernel all entries since the last one
/// with a single store. The tail shares its cache line with the kernel's reads, so publish once for a
/// batch of chunks and not once for each.
///
/// | access | ordering | pairs with (kernel 7.3, `io_uring/zcrx.c`) |
/// |---|---|---|
/// | store of `ktail` | Release | `zcrx_rq_entries`: `smp_load_acquire(&rq->ring->tail)` |
/// | load of `khead` | Acquire | `zcrx_parse_rq`: `smp_store_release(&rq->ring->head)` |
///
/// `Send`: another thread may be the one that returns chunks.
#[derive(Debug)]
pub struct RefillRing {
    /// Shared: written by the kernel.
    khead: NonNull<AtomicU32>,
    /// Shared: written here, read by the kernel.
    ktail: NonNull<AtomicU32>,
    entries: NonNull<io_uring_zcrx_rqe>,
    mask: u32,
    /// Where the next entries go. Ahead of `ktail` until published.
    slots: Slots,
    /// The position at the end of these slots.
    end: Index,
    /// The tail as last published.
    published: Index,
    /// The head as last loaded; may lag behind `khead`.
    head: Index,
    pool: PoolId,
}

/// An entry as it is stored: its length and the padding at once.
#[inline(always)]
fn words(entry: io_uring_zcrx_rqe) -> [u64; 2] {
    let (len, pad) = (u64::from(entry.len), u64::from(entry.__pad));
    let second = if cfg!(target_endian = "little") {
        len | pad << 32
    } else {
        len << 32 | pad
    };
    [entry.off, second]
}

/// Free slots of a ring that lie in one piece. By itself, so that whoever returns many chunks can keep it in registers;
/// and by address, so that an entry costs one addition and one comparison to place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slots {
    next: NonNull<io_uring_zcrx_rqe>,
    end: NonNull<io_uring_zcrx_rqe>,
}

impl Slots {
    /// None: all that is put there goes the long way.
    pub(super) const NONE: Self = Self {
        next: NonNull::dangling(),
        end: NonNull::dangling(),
    };

    #[inline]
    fn free(&self) -> u32 {
        let bytes = self.end.as_ptr() as usize - self.next.as_ptr() as usize;
        (bytes / size_of::<io_uring_zcrx_rqe>()) as u32
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.next == self.end
    }

    /// Writes an entry into the next slot.
    ///
    /// # Safety
    ///
    /// They must not be empty; the ring must live; and these must be the slots that it goes on with: of two copies
    /// one is used.
    #[inline(always)]
    pub(super) unsafe fn put(&mut self, entry: io_uring_zcrx_rqe) {
        writes(self.next);
        // SAFETY: there is a slot (caller), inside the array and free (find_room), so the kernel does not read it
        // before the tail is published. The next is inside the array too, or at its end.
        self.next = unsafe {
            self.next.cast().write(words(entry));
            self.next.add(1)
        };
    }
}

// SAFETY: the pointers name memory that the promise of from_raw_parts keeps alive, with this value as
// its only producer; nothing in it is tied to a thread.
unsafe impl Send for RefillRing {}

impl RefillRing {
    /// Lays a producer over a refill ring of `entries` entries, for the chunks of `pool`.
    ///
    /// # Safety
    ///
    /// For as long as the value lives, `khead` and `ktail` must be valid and written by others only
    /// atomically, `ktail` by nobody else; and `entries_at` must be valid for writes of `entries`
    /// entries, of which nobody writes any, nor reads those outside of `khead..ktail`.
    ///
    /// # Panics
    ///
    /// If `entries` is not a power of two.
    pub unsafe fn from_raw_parts(
        khead: NonNull<AtomicU32>,
        ktail: NonNull<AtomicU32>,
        entries_at: NonNull<io_uring_zcrx_rqe>,
        entries: u32,
        pool: PoolId,
    ) -> Self {
        assert!(
            entries.is_power_of_two(),
            "a ring has a power of two of entries, not {entries}"
        );
        // SAFETY: both words are valid (caller). Relaxed: only this producer writes the tail, and a
        // head that lags is only a ring that looks fuller than it is.
        let (head, tail) = unsafe {
            (
                khead.as_ref().load(Ordering::Relaxed),
                ktail.as_ref().load(Ordering::Relaxed),
            )
        };
        let (head, tail) = (Index::new(head), Index::new(tail));
        Self {
            khead,
            ktail,
            entries: entries_at,
            mask: entries - 1,
            slots: Slots::NONE,
            end: tail,
            published: tail,
            head,
            pool,
        }
    }

    /// Entries that the ring holds.
    pub fn entries(&self) -> u32 {
        self.mask + 1
    }

    /// Entries written since the last [`publish`](Self::publish).
    #[inline]
    pub fn unpublished(&self) -> u32 {
        self.tail().distance_from(self.published)
    }

    /// The position of the next slot to write.
    #[inline]
    fn tail(&self) -> Index {
        self.end.before(self.slots.free())
    }

    /// Published entries that the kernel has not consumed.
    #[inline]
    pub fn unconsumed(&mut self) -> u32 {
        self.refresh_head();
        self.published.distance_from(self.head)
    }

    /// Returns a chunk: writes its entry. The kernel sees it with the next [`publish`](Self::publish).
    ///
    /// # Errors
    ///
    /// [`Unreturned`] hands the chunk back: the ring is full, or the chunk is another pool's.
    #[inline]
    pub fn push(&mut self, chunk: Chunk) -> Result<(), Unreturned> {
        if !chunk.is_from(self.pool) {
            return Err(Unreturned::OtherPool(chunk));
        }
        if !self.has_room() {
            return Err(Unreturned::Full(chunk));
        }
        // SAFETY: there is room, the ring lives, and these are its own slots.
        unsafe { self.slots.put(chunk.into_entry()) };
        Ok(())
    }

    /// Returns chunks until there is none left, or one that cannot be returned: [`push`](Self::push) for many, with
    /// fewer instructions for each.
    ///
    /// # Errors
    ///
    /// [`Unreturned`] hands that one back; `chunks` has those after it.
    #[inline]
    pub fn push_all(&mut self, chunks: &mut impl Iterator<Item = Chunk>) -> Result<(), Unreturned> {
        // A copy that no reference is made to, so that it stays in registers. If `chunks` panics, what it gave so far
        // is lost to the area.
        let (mut slots, pool) = (self.slots, self.pool);
        let result = loop {
            let Some(chunk) = chunks.next() else {
                break Ok(());
            };
            if !chunk.is_from(pool) {
                break Err(Unreturned::OtherPool(chunk));
            }
            if slots.is_empty() {
                self.slots = slots;
                if !self.find_room() {
                    break Err(Unreturned::Full(chunk));
                }
                slots = self.slots;
            }
            // SAFETY: they are not empty, the ring lives, and of the two copies this one is gone on with.
            unsafe { slots.put(chunk.into_entry()) };
        };
        self.slots = slots;
        result
    }

    /// Writes an entry that came from a chunk of this pool; `false` if the ring is full.
    pub(super) fn write(&mut self, entry: io_uring_zcrx_rqe) -> bool {
        let room = self.has_room();
        if room {
            // SAFETY: as in push().
            unsafe { self.slots.put(entry) };
        }
        room
    }

    #[inline]
    fn has_room(&mut self) -> bool {
        !self.slots.is_empty() || self.find_room()
    }

    /// Looks for free slots when there are none left; whether there are any.
    #[inline(never)]
    fn find_room(&mut self) -> bool {
        let tail = self.tail();
        if tail.distance_from(self.head) > self.mask {
            self.refresh_head();
        }
        let free = self.entries() - tail.distance_from(self.head);
        let slot = tail.slot(self.mask);
        let piece = free.min(self.entries() - slot);
        // SAFETY: slot <= mask, and slot + piece <= mask + 1: inside the array, or at its end.
        self.slots = unsafe {
            let next = self.entries.add(slot as usize);
            let end = next.add(piece as usize);
            Slots { next, end }
        };
        self.end = tail.advanced(piece);
        piece > 0
    }

    /// Where the next entries go, for [`Slots::put`].
    #[inline]
    pub(super) fn slots(&self) -> Slots {
        self.slots
    }

    /// Goes on with what is left of [`slots`](Self::slots).
    ///
    /// # Safety
    ///
    /// `slots` must be those of this ring, in the state that the last [`Slots::put`] left them in, and the ring must
    /// not have been used since it gave them.
    #[inline]
    pub(super) unsafe fn go_on(&mut self, slots: Slots) {
        self.slots = slots;
    }

    /// Shows the kernel all entries written so far. Once per batch.
    #[inline]
    pub fn publish(&mut self) {
        // SAFETY: ktail is valid (promise of from_raw_parts).
        let ktail = unsafe { self.ktail.as_ref() };
        // Release: pairs with the kernel's acquire in zcrx_rq_entries. It orders the entries before
        // the tail, and also this process's last reads of the chunks' bytes before the kernel's reuse.
        let tail = self.tail();
        ktail.store(tail.get(), Ordering::Release);
        self.published = tail;
    }

    #[inline]
    fn refresh_head(&mut self) {
        // SAFETY: khead is valid (promise of from_raw_parts).
        let khead = unsafe { self.khead.as_ref() };
        // Acquire: pairs with the kernel's release of the head, so that the kernel has read an entry
        // before its slot is written again.
        let head = Index::new(khead.load(Ordering::Acquire));
        // The kernel's head lies between its last value and the published tail. One that does not
        // would make the ring seem to have more room than it has: keep the old one.
        if self.published.distance_from(head) <= self.published.distance_from(self.head) {
            self.head = head;
        }
    }
}

#[cfg(all(loom, test))]
mod models;

#[cfg(test)]
mod tests;
