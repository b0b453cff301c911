//! The refill ring: how consumed buffers go back to the kernel.

use core::ptr::NonNull;

use static_assertions::const_assert_eq;

use super::chunk::{Chunk, PoolId, Unreturned};
use crate::producer::{Producer, Slots};
use crate::sync::AtomicU32;
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
    ring: Producer<[u64; 2]>,
    pool: PoolId,
}

/// An entry as it is stored: its length and the padding at once.
#[inline(always)]
fn words(entry: io_uring_zcrx_rqe) -> [u64; 2] {
    // SAFETY: two words of 32 bits are one of 64, whatever they are.
    let second = unsafe { core::mem::transmute::<[u32; 2], u64>([entry.len, entry.__pad]) };
    [entry.off, second]
}

const_assert_eq!(size_of::<io_uring_zcrx_rqe>(), 16);

/// Free slots of a refill ring, for chunks of its pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct RefillSlots(Slots<[u64; 2]>);

impl RefillSlots {
    pub(super) const NONE: Self = Self(Slots::NONE);

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns a chunk, which has to be one of the ring's pool.
    ///
    /// # Safety
    ///
    /// As [`Slots::put`].
    #[inline(always)]
    pub(super) unsafe fn put(&mut self, chunk: Chunk) {
        // SAFETY: the caller's promise.
        unsafe { self.0.put(words(chunk.into_entry())) };
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
        // SAFETY: the caller's promise. An entry is as large as its two words.
        let ring = unsafe { Producer::from_raw_parts(khead, ktail, entries_at.cast(), entries) };
        Self { ring, pool }
    }

    /// Entries that the ring holds.
    pub fn entries(&self) -> u32 {
        self.ring.entries()
    }

    /// Entries written since the last [`publish`](Self::publish).
    #[inline]
    pub fn unpublished(&self) -> u32 {
        self.ring.unpublished()
    }

    /// Published entries that the kernel has not consumed.
    #[inline]
    pub fn unconsumed(&mut self) -> u32 {
        self.ring.unconsumed()
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
        if !self.ring.has_room() {
            return Err(Unreturned::Full(chunk));
        }
        // SAFETY: there is room, and the ring lives (promise of from_raw_parts).
        unsafe { self.ring.put(words(chunk.into_entry())) };
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
        let (mut slots, pool) = (self.slots(), self.pool);
        let result = loop {
            let Some(chunk) = chunks.next() else {
                break Ok(());
            };
            if !chunk.is_from(pool) {
                break Err(Unreturned::OtherPool(chunk));
            }
            if slots.is_empty() {
                // SAFETY: the ring was not used since it gave them.
                unsafe { self.go_on(slots) };
                if !self.ring.has_room() {
                    break Err(Unreturned::Full(chunk));
                }
                slots = self.slots();
            }
            // SAFETY: they are not empty, the ring lives, and of the two copies this one is gone on with.
            unsafe { slots.put(chunk) };
        };
        // SAFETY: the ring was not used since it gave them.
        unsafe { self.go_on(slots) };
        result
    }

    /// Writes an entry that came from a chunk of this pool; `false` if the ring is full.
    pub(super) fn write(&mut self, entry: io_uring_zcrx_rqe) -> bool {
        let room = self.ring.has_room();
        if room {
            // SAFETY: as in push().
            unsafe { self.ring.put(words(entry)) };
        }
        room
    }

    /// Where the next entries go.
    #[inline]
    pub(super) fn slots(&self) -> RefillSlots {
        RefillSlots(self.ring.slots())
    }

    /// Goes on with what is left of [`slots`](Self::slots).
    ///
    /// # Safety
    ///
    /// As [`Producer::go_on`].
    #[inline]
    pub(super) unsafe fn go_on(&mut self, slots: RefillSlots) {
        // SAFETY: the caller's promise.
        unsafe { self.ring.go_on(slots.0) };
    }

    /// Shows the kernel all entries written so far. Once per batch.
    #[inline]
    pub fn publish(&mut self) {
        self.ring.publish();
    }
}

#[cfg(all(loom, test))]
mod models;

#[cfg(test)]
mod tests;
