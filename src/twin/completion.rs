//! The producer of a completion queue.

use alloc::boxed::Box;
use core::cell::UnsafeCell;
use core::ptr::NonNull;

use super::Words;
use crate::index::Index;
use crate::ring::{CompletionQueue, CqeLayout};
use crate::sync::{track, writes, Ordering};
use crate::uapi::{IORING_CQE_F_32, IORING_CQE_F_SKIP};

/// The kernel's end of a completion queue: the producer.
#[derive(Debug)]
pub struct CompletionTwin {
    words: Words,
    slots: Box<[UnsafeCell<[u64; 2]>]>,
    layout: CqeLayout,
    entries: u32,
    tail: Index,
}

impl CompletionTwin {
    /// A queue of `entries` slots (a power of two) whose indices begin at `start`.
    pub fn new(layout: CqeLayout, entries: u32, start: u32) -> Self {
        let halves = entries as usize * layout.slot_size() / 16;
        let slots = (0..halves).map(|_| UnsafeCell::default()).collect();
        Self {
            words: Words::new(start),
            slots,
            layout,
            entries,
            tail: Index::new(start),
        }
    }

    /// The consumer over this queue.
    ///
    /// # Safety
    ///
    /// There may be one consumer at a time, and the twin must outlive it.
    pub unsafe fn queue(&mut self) -> CompletionQueue {
        let (head, tail) = self.words.pointers();
        let slots = NonNull::from(&mut self.slots[0]);
        track(slots, self.slots.len());
        let slots = slots.cast();
        // SAFETY: the words and the array live on the heap until the twin is dropped, which the
        // caller keeps from happening; the twin writes only the tail, and slots that are free.
        unsafe { CompletionQueue::from_raw_parts(head, tail, slots, self.entries, self.layout) }
    }

    fn free(&self) -> u32 {
        // Acquire: pairs with the Release of CompletionQueue::publish.
        let head = Index::new(self.words.head.load(Ordering::Acquire));
        self.entries - self.tail.distance_from(head)
    }

    /// Writes one 16-byte half at the tail, `half` of the way into the slot.
    pub fn put(&mut self, half: usize, words: [u64; 2]) {
        let slot = self.tail.slot(self.entries - 1) as usize;
        let at = slot * self.layout.slot_size() / 16 + half;
        let half = &self.slots[at % self.slots.len()];
        writes(NonNull::from(half));
        // SAFETY: the slot is free or unpublished, so the consumer does not read it.
        unsafe { *half.get() = words };
    }

    /// Publishes `slots` slots (`io_commit_cqring`).
    pub fn commit(&mut self, slots: u32) {
        self.tail = self.tail.advanced(slots);
        // Release: pairs with the Acquire of CompletionQueue::refresh.
        self.words.tail.store(self.tail.get(), Ordering::Release);
    }

    /// Posts an entry, with a filler first where the layout needs one (`io_cqe_cache_refill`).
    /// `false` if there is no room.
    pub fn post(&mut self, user_data: u64, res: i32, flags: u32, extra: Option<[u64; 2]>) -> bool {
        let mixed_wide = self.layout == CqeLayout::Mixed && extra.is_some();
        if mixed_wide && self.tail.slot(self.entries - 1) == self.entries - 1 {
            if self.free() == 0 {
                return false;
            }
            self.put(0, [0, u64::from(IORING_CQE_F_SKIP) << 32]);
            self.commit(1);
        }
        let slots = 1 + u32::from(mixed_wide);
        if self.free() < slots {
            return false;
        }
        let flags = if mixed_wide {
            flags | IORING_CQE_F_32
        } else {
            flags
        };
        self.put(
            0,
            [user_data, u64::from(flags) << 32 | u64::from(res as u32)],
        );
        if let Some(extra) = extra {
            self.put(1, extra);
        }
        self.commit(slots);
        true
    }
}
