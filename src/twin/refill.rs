//! The consumer of a refill ring.

use alloc::boxed::Box;
use core::cell::UnsafeCell;
use core::ptr::NonNull;

use super::Words;
use crate::index::Index;
use crate::sync::{reads, track, Ordering};
use crate::uapi::io_uring_zcrx_rqe;
use crate::zcrx::{PoolId, RefillRing};

/// The kernel's end of a refill ring: the consumer.
#[derive(Debug)]
pub struct RefillTwin {
    words: Words,
    entries: Box<[UnsafeCell<io_uring_zcrx_rqe>]>,
    head: Index,
}

impl RefillTwin {
    /// A ring of `entries` entries (a power of two) whose indices begin at `start`.
    pub fn new(entries: u32, start: u32) -> Self {
        let entries = (0..entries).map(|_| UnsafeCell::default()).collect();
        Self {
            words: Words::new(start),
            entries,
            head: Index::new(start),
        }
    }

    /// The producer over this ring.
    ///
    /// # Safety
    ///
    /// There may be one producer at a time, and the twin must outlive it.
    pub unsafe fn ring(&mut self, pool: PoolId) -> RefillRing {
        let (head, tail) = self.words.pointers();
        let first = NonNull::from(&mut self.entries[0]).cast();
        track(first, self.entries.len());
        // SAFETY: the words and the array live on the heap until the twin is dropped, which the
        // caller keeps from happening; the twin writes only the head, and reads published entries.
        unsafe { RefillRing::from_raw_parts(head, tail, first, self.entries.len() as u32, pool) }
    }

    /// Entries that are published and not consumed (`zcrx_rq_entries`).
    pub fn published(&self) -> u32 {
        // Acquire: pairs with the Release of RefillRing::publish.
        Index::new(self.words.tail.load(Ordering::Acquire)).distance_from(self.head)
    }

    /// Takes the next published entry (`zcrx_parse_rq`).
    pub fn consume(&mut self) -> Option<io_uring_zcrx_rqe> {
        if self.published() == 0 {
            return None;
        }
        let slot = self.head.slot(self.entries.len() as u32 - 1);
        let entry = &self.entries[slot as usize];
        reads(NonNull::from(entry));
        // SAFETY: slot lies inside the array; the producer published the entry and leaves it alone
        // until the head passes it.
        let entry = unsafe { *entry.get() };
        self.head = self.head.advanced(1);
        self.set_head(self.head.get());
        Some(entry)
    }

    /// Writes any head at all.
    pub fn set_head(&mut self, head: u32) {
        // Release: pairs with the Acquire of RefillRing's head.
        self.words.head.store(head, Ordering::Release);
    }
}
