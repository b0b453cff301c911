//! [`Cursor`]: where a walk over a completion queue is.

use core::ptr::NonNull;

use crate::index::Index;
use crate::ring::cqe::{Cqe, CqeLayout, Entry, MalformedCqe};
use crate::sync::reads;
use crate::uapi::io_uring_cqe;

/// Where a walk over a queue is. By itself, so that a walk can keep it in registers; and by addresses, so that an
/// entry costs one addition and one comparison to find.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    /// The slots. Those from head up to tail are ours to read; the others are the kernel's.
    slots: NonNull<u8>,
    pub(super) mask: u32,
    pub(super) layout: CqeLayout,
    /// Next slot to read. Ahead of `khead` until published.
    at: NonNull<u8>,
    /// Where the slots from `at` on end that lie in one piece: at the tail, or with the array.
    end: NonNull<u8>,
    /// Slots from the array's start up to the tail, if the piece ends with the array; otherwise 0.
    rest: u32,
    /// The tail as last loaded; may lag behind `ktail`.
    pub(super) tail: Index,
}

impl Cursor {
    /// At `head`, with nothing to read. The array must have `mask + 1` slots, and live as long as this is used.
    #[inline]
    pub(super) fn new(slots: NonNull<u8>, mask: u32, layout: CqeLayout, head: Index) -> Self {
        Self {
            slots,
            mask,
            layout,
            at: slots,
            end: slots,
            rest: 0,
            tail: head,
        }
    }

    /// Bytes left in this piece.
    #[inline(always)]
    fn left(&self) -> usize {
        self.end.as_ptr() as usize - self.at.as_ptr() as usize
    }

    /// The position of the next slot to read.
    #[inline]
    pub(super) fn head(&self, layout: CqeLayout) -> Index {
        let left = self.left() / layout.slot_size();
        self.tail.before(self.rest + left as u32)
    }

    /// Goes to the `ready` slots from `head` on, no more than the queue has.
    #[inline]
    pub(super) fn go(&mut self, head: Index, ready: u32, layout: CqeLayout) {
        let slot = head.slot(self.mask);
        let piece = ready.min(self.mask + 1 - slot);
        // SAFETY: slot <= mask, and slot + piece <= mask + 1: inside the array, or at its end (promise of
        // from_raw_parts).
        unsafe {
            self.at = self.slots.add(slot as usize * layout.slot_size());
            self.end = self.at.add(piece as usize * layout.slot_size());
        }
        self.rest = ready - piece;
        self.tail = head.advanced(ready);
    }

    /// Goes to where a copy has got to.
    #[inline]
    pub(super) fn follow(&mut self, copy: Self) {
        self.at = copy.at;
        self.end = copy.end;
        self.rest = copy.rest;
    }

    /// Goes to the tail.
    #[inline]
    pub(super) fn finish(&mut self) {
        self.at = self.end;
        self.rest = 0;
    }

    /// The next entry before the tail.
    ///
    /// # Safety
    ///
    /// The queue that this is of must live, and the slots from head up to tail must not be written by anybody;
    /// `layout` must be that of the queue. (It is a parameter so that a loop over it can have it as a constant.)
    #[inline(always)]
    pub(super) unsafe fn next_entry(
        &mut self,
        layout: CqeLayout,
    ) -> Option<Result<Cqe, MalformedCqe>> {
        loop {
            if self.at == self.end {
                if self.rest == 0 {
                    return None;
                }
                self.at = self.slots;
                // SAFETY: what is left is less than the array is long (go).
                self.end = unsafe { self.at.add(self.rest as usize * layout.slot_size()) };
                self.rest = 0;
                continue;
            }
            let at = self.at;
            reads(at);
            // SAFETY: at lies before the end of a piece, so this slot lies inside the array (promise of
            // from_raw_parts), aligned to 8, and before the tail: nobody writes it until the head is published
            // past it, so a plain read does not race.
            let (user_data, res, flags) = unsafe {
                let cqe = at.cast::<io_uring_cqe>().as_ptr();
                ((*cqe).user_data, (*cqe).res, (*cqe).flags)
            };
            let next = at.as_ptr().wrapping_add(layout.slot_size());
            // Of both counts that classify() asks for, nothing matters but whether there are two.
            let left = if next == self.end.as_ptr() { 1 } else { 2 };
            // In each arm by itself: there it is a constant.
            let past = |entry: Entry| {
                let bytes = entry.slots(layout) as usize * layout.slot_size();
                // SAFETY: an entry has no more slots than are left (classify), so this is at most the end.
                unsafe { at.add(bytes) }
            };
            return Some(match Entry::classify(layout, flags, left, left) {
                Entry::Narrow => {
                    self.at = past(Entry::Narrow);
                    Ok(Cqe::narrow(user_data, res, flags))
                }
                Entry::Wide => {
                    self.at = past(Entry::Wide);
                    // SAFETY: a wide entry is 32 bytes of this piece: one slot of 32, or two of 16 (classify).
                    let extra = unsafe { at.add(16).cast::<[u64; 2]>() };
                    reads(extra);
                    // SAFETY: as above.
                    let extra = unsafe { extra.read() };
                    Ok(Cqe::wide(user_data, res, flags, extra))
                }
                Entry::Filler => {
                    self.at = past(Entry::Filler);
                    continue;
                }
                Entry::Malformed => {
                    self.at = past(Entry::Malformed);
                    Err(MalformedCqe { user_data, flags })
                }
            });
        }
    }
}
