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
    /// Next slot to write. Ahead of `ktail` until published.
    tail: Index,
    /// The tail as last published.
    published: Index,
    /// The head as last loaded; may lag behind `khead`.
    head: Index,
    pool: PoolId,
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
            tail,
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
        self.tail.distance_from(self.published)
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
        self.write_slot(chunk.into_entry());
        Ok(())
    }

    /// Writes an entry that came from a chunk of this pool; `false` if the ring is full.
    pub(super) fn write(&mut self, entry: io_uring_zcrx_rqe) -> bool {
        let room = self.has_room();
        if room {
            self.write_slot(entry);
        }
        room
    }

    #[inline]
    fn has_room(&mut self) -> bool {
        if self.tail.distance_from(self.head) <= self.mask {
            return true;
        }
        self.refresh_head();
        self.tail.distance_from(self.head) <= self.mask
    }

    /// Writes the next slot, for which there has to be room.
    #[inline]
    fn write_slot(&mut self, entry: io_uring_zcrx_rqe) {
        let slot = self.tail.slot(self.mask);
        // SAFETY: slot <= mask lies inside the array; it is free, because fewer than all entries lie
        // between the head and the tail, so the kernel does not read it before the tail is published.
        unsafe {
            let at = self.entries.add(slot as usize);
            writes(at);
            at.write(entry);
        }
        self.tail = self.tail.advanced(1);
    }

    /// Shows the kernel all entries written so far. Once per batch.
    #[inline]
    pub fn publish(&mut self) {
        // SAFETY: ktail is valid (promise of from_raw_parts).
        let ktail = unsafe { self.ktail.as_ref() };
        // Release: pairs with the kernel's acquire in zcrx_rq_entries. It orders the entries before
        // the tail, and also this process's last reads of the chunks' bytes before the kernel's reuse.
        ktail.store(self.tail.get(), Ordering::Release);
        self.published = self.tail;
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
mod tests {
    use super::*;
    use crate::twin::RefillTwin;
    use crate::zcrx::Offset;

    fn at(n: u64) -> u64 {
        (3 << 48) + n * 4096
    }

    fn chunk(n: u64, pool: PoolId) -> Chunk {
        // SAFETY: there is no memory behind this pool, and nothing reads the chunk's bytes.
        unsafe { Chunk::from_raw_parts(Offset::from_raw(at(n)), 100 + n as u32, pool) }
    }

    #[test]
    fn entries_arrive_in_order_over_many_laps_and_the_wrap() {
        let pool = PoolId::unique().unwrap();
        for start in [0, u32::MAX - 9, u32::MAX] {
            let mut twin = RefillTwin::new(8, start);
            // SAFETY: the twin outlives the ring and keeps to the kernel's side.
            let mut ring = unsafe { twin.ring(pool) };
            let (mut sent, mut got) = (0, 0);
            for round in 0..200u64 {
                let before = twin.published();
                for _ in 0..round % 11 {
                    match ring.push(chunk(sent, pool)) {
                        Ok(()) => sent += 1,
                        Err(full) => {
                            assert_eq!(full, Unreturned::Full(chunk(sent, pool)), "handed back");
                            assert_eq!(sent - got, 8, "full means all eight");
                        }
                    }
                }
                assert_eq!(twin.published(), before, "nothing is seen before publish");
                ring.publish();
                assert_eq!(
                    (u64::from(ring.unconsumed()), ring.unpublished()),
                    (sent - got, 0)
                );
                for _ in 0..round % 7 {
                    let Some(entry) = twin.consume() else { break };
                    assert_eq!(entry.off, at(got));
                    assert_eq!((entry.len, entry.__pad), (100 + got as u32, 0));
                    got += 1;
                }
            }
            assert!(got > 400, "{got} entries went round");
        }
    }

    #[test]
    fn entries_that_are_no_power_of_two_are_refused() {
        let pool = PoolId::unique().unwrap();
        let word = AtomicU32::new(0);
        for entries in [0, 3, 32769, u32::MAX] {
            let refused = std::panic::catch_unwind(|| {
                let (at, word) = (NonNull::dangling(), NonNull::from(&word));
                // SAFETY: the words live; of the entries none is used, because there are none.
                unsafe { RefillRing::from_raw_parts(word, word, at, entries, pool) }.entries()
            });
            assert!(refused.is_err(), "{entries}");
        }
    }

    #[test]
    fn a_head_past_what_was_published_gives_no_room() {
        let pool = PoolId::unique().unwrap();
        let mut twin = RefillTwin::new(2, 0);
        // SAFETY: the twin outlives the ring and keeps to the kernel's side.
        let mut ring = unsafe { twin.ring(pool) };
        ring.push(chunk(0, pool)).unwrap();
        ring.push(chunk(1, pool)).unwrap();
        assert_eq!((ring.entries(), ring.unpublished()), (2, 2));
        twin.set_head(1); // nothing is published yet
        assert_eq!(
            ring.push(chunk(2, pool)),
            Err(Unreturned::Full(chunk(2, pool)))
        );
    }

    #[test]
    fn a_chunk_of_another_pool_is_handed_back() {
        let (ours, theirs) = (PoolId::unique().unwrap(), PoolId::unique().unwrap());
        let mut twin = RefillTwin::new(2, 0);
        // SAFETY: the twin outlives the ring and keeps to the kernel's side.
        let mut ring = unsafe { twin.ring(ours) };
        let back = ring.push(chunk(1, theirs)).unwrap_err();
        assert_eq!(back, Unreturned::OtherPool(chunk(1, theirs)));
        assert_eq!(ring.unpublished(), 0);
    }

    #[test]
    fn a_head_that_makes_no_sense_gives_no_room() {
        let pool = PoolId::unique().unwrap();
        let mut twin = RefillTwin::new(2, 0);
        // SAFETY: the twin outlives the ring and keeps to the kernel's side.
        let mut ring = unsafe { twin.ring(pool) };
        ring.push(chunk(0, pool)).unwrap();
        ring.push(chunk(1, pool)).unwrap();
        ring.publish();
        for head in [3, 9, u32::MAX] {
            twin.set_head(head);
            assert!(
                matches!(ring.push(chunk(2, pool)), Err(Unreturned::Full(_))),
                "head {head}"
            );
        }
        twin.set_head(1);
        ring.push(chunk(2, pool)).unwrap();
        assert!(matches!(
            ring.push(chunk(3, pool)),
            Err(Unreturned::Full(_))
        ));
    }
}
