//! The completion queue: the cursor that owns the stride.

use core::ptr::NonNull;

use super::cqe::{Cqe, CqeLayout, Entry, MalformedCqe};
use crate::index::Index;
use crate::sync::{reads, AtomicU32, Ordering};
use crate::uapi::io_uring_cqe;

/// The consumer's end of a completion queue.
///
/// Most callers use it through [`Ring::completions`](super::Ring::completions). Embedders and fuzzers
/// can lay one over any memory with [`from_raw_parts`](Self::from_raw_parts).
///
/// | access | ordering | pairs with (kernel 7.3) |
/// |---|---|---|
/// | load of `ktail` | Acquire | `io_commit_cqring`: `smp_store_release(&rings->cq.tail)` |
/// | store of `khead` | Release | `io_cqring_queued`: reads `rings->cq.head` before it reuses a slot |
#[derive(Debug)]
pub struct CompletionQueue {
    /// Shared: written here, read by the kernel.
    khead: NonNull<AtomicU32>,
    /// Shared: written by the kernel.
    ktail: NonNull<AtomicU32>,
    cursor: Cursor,
    /// The tail as last seen makes no sense.
    broken: bool,
}

// SAFETY: the pointers name memory that the promise of from_raw_parts keeps alive, with this value
// as the only consumer; nothing in it is tied to a thread.
unsafe impl Send for CompletionQueue {}

impl CompletionQueue {
    /// Lays a consumer over a queue.
    ///
    /// # Safety
    ///
    /// For as long as the value lives:
    ///
    /// - `khead` and `ktail` must be valid, and written by others only atomically, and `khead` only by
    ///   this consumer;
    /// - `slots` must be valid for reads of `entries` slots of `layout.slot_size()` bytes, aligned to
    ///   8, and the slots from `khead` up to `ktail` must not be written by anybody.
    ///
    /// # Panics
    ///
    /// If `entries` is not a power of two.
    pub unsafe fn from_raw_parts(
        khead: NonNull<AtomicU32>,
        ktail: NonNull<AtomicU32>,
        slots: NonNull<u8>,
        entries: u32,
        layout: CqeLayout,
    ) -> Self {
        assert!(
            entries.is_power_of_two(),
            "a queue has a power of two of entries, not {entries}"
        );
        // SAFETY: khead is valid (caller). Relaxed: only this consumer writes it.
        let head = Index::new(unsafe { khead.as_ref() }.load(Ordering::Relaxed));
        Self {
            khead,
            ktail,
            cursor: Cursor {
                slots,
                mask: entries - 1,
                layout,
                head,
                tail: head,
            },
            broken: false,
        }
    }

    /// How entries lie in this queue.
    pub fn layout(&self) -> CqeLayout {
        self.cursor.layout
    }

    /// Slots in the queue. Under [`CqeLayout::Mixed`] a 32-byte entry takes two.
    pub fn entries(&self) -> u32 {
        self.cursor.mask + 1
    }

    /// Whether the tail, when last looked at, was one that no kernel writes: further from the head than the
    /// queue is long. Nothing is delivered then, because none of it could be told from what was read before.
    #[inline]
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Whether the kernel has moved the tail since the last [`refresh`](Self::refresh).
    #[inline]
    pub fn has_new(&self) -> bool {
        // SAFETY: ktail is valid (promise of from_raw_parts).
        let ktail = unsafe { self.ktail.as_ref() };
        // Relaxed: no entry is read on the strength of this; refresh() loads the tail with Acquire.
        ktail.load(Ordering::Relaxed) != self.cursor.tail.get()
    }

    /// Looks for new entries; answers how many slots are ready to be read.
    #[inline]
    pub fn refresh(&mut self) -> u32 {
        // SAFETY: ktail is valid (promise of from_raw_parts).
        let ktail = unsafe { self.ktail.as_ref() };
        // Acquire: pairs with the kernel's release in io_commit_cqring, so that the entries before
        // the tail are seen whole.
        let tail = Index::new(ktail.load(Ordering::Acquire));
        let ready = tail.distance_from(self.cursor.head);
        self.broken = ready > self.entries();
        if self.broken {
            // Not even what is left of before: one answer for refresh(), next_entry() and is_broken().
            self.cursor.tail = self.cursor.head;
            return 0;
        }
        self.cursor.tail = tail;
        ready
    }

    /// The next entry among those that the last [`refresh`](Self::refresh) found.
    ///
    /// # Errors
    ///
    /// A [`MalformedCqe`] stands in the place of an entry that breaks the kernel's rules.
    #[inline]
    pub fn next_entry(&mut self) -> Option<Result<Cqe, MalformedCqe>> {
        let mut cursor = self.cursor;
        // SAFETY: the slots before the cursor's tail are published, and stay as they are until publish(), which
        // takes self by exclusive reference.
        let entry = unsafe { cursor.next_entry() };
        self.cursor.head = cursor.head;
        entry
    }

    /// Gives the slots of all entries read so far back to the kernel. Once per drain is enough.
    #[inline]
    pub fn publish(&mut self) {
        // SAFETY: khead is valid (promise of from_raw_parts).
        let khead = unsafe { self.khead.as_ref() };
        // Release: pairs with the kernel's read of cq.head in io_cqring_queued, so that our reads of
        // the entries come before the kernel's next writes to their slots.
        khead.store(self.cursor.head.get(), Ordering::Release);
    }

    /// Looks for new entries and walks them; the head is published when the walk is dropped.
    #[inline]
    pub fn drain(&mut self) -> Completions<'_> {
        self.refresh();
        let cursor = self.cursor;
        // A walk that is forgotten instead of dropped takes its entries along: none is ever delivered twice.
        self.cursor.head = cursor.tail;
        Completions {
            cursor,
            queue: self,
        }
    }
}

/// Where a walk over a queue is. By itself, so that a walk can keep it in registers.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    /// The slots. Those from head up to tail are ours to read; the others are the kernel's.
    slots: NonNull<u8>,
    mask: u32,
    layout: CqeLayout,
    /// Next entry to read. Ahead of `khead` until published.
    head: Index,
    /// The tail as last loaded; may lag behind `ktail`.
    tail: Index,
}

impl Cursor {
    /// The next entry before the tail.
    ///
    /// # Safety
    ///
    /// The queue that this is of must live, and the slots from head up to tail must not be written by anybody.
    #[inline]
    unsafe fn next_entry(&mut self) -> Option<Result<Cqe, MalformedCqe>> {
        loop {
            let published = self.tail.distance_from(self.head);
            if published == 0 {
                return None;
            }
            let slot = self.head.slot(self.mask);
            // SAFETY: slot <= mask, so the slot lies inside the array (promise of from_raw_parts) and
            // is aligned to 8. It lies before the tail, hence nobody writes it until the head is
            // published past it, so a plain read does not race.
            let (at, user_data, res, flags) = unsafe {
                let at = self.slots.add(slot as usize * self.layout.slot_size());
                reads(at);
                let cqe = at.cast::<io_uring_cqe>().as_ptr();
                (at, (*cqe).user_data, (*cqe).res, (*cqe).flags)
            };
            let entry = Entry::classify(self.layout, flags, self.mask + 1 - slot, published);
            self.head = self.head.advanced(entry.slots(self.layout));
            return Some(match entry {
                Entry::Filler => continue,
                Entry::Malformed => Err(MalformedCqe { user_data, flags }),
                Entry::Narrow => Ok(Cqe::narrow(user_data, res, flags)),
                Entry::Wide => {
                    // SAFETY: a wide entry is 32 bytes inside the array: one slot of 32, or two of
                    // 16 that classify() found before the array's end and before the tail.
                    let extra = unsafe { at.add(16).cast::<[u64; 2]>() };
                    reads(extra);
                    // SAFETY: as above.
                    let extra = unsafe { extra.read() };
                    Ok(Cqe::wide(user_data, res, flags, extra))
                }
            });
        }
    }
}

/// One walk over the completions that were there when it began.
///
/// Entries handed out are consumed. The head is published once, when this is dropped: the rest, if the
/// walk is left early, stays for the next one.
#[derive(Debug)]
pub struct Completions<'a> {
    cursor: Cursor,
    queue: &'a mut CompletionQueue,
}

impl Iterator for Completions<'_> {
    type Item = Result<Cqe, MalformedCqe>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // SAFETY: the walk borrows the queue, so nobody gives these slots back before it is dropped.
        unsafe { self.cursor.next_entry() }
    }
}

impl Drop for Completions<'_> {
    #[inline]
    fn drop(&mut self) {
        self.queue.cursor.head = self.cursor.head;
        self.queue.publish();
    }
}

#[cfg(all(loom, test))]
mod models;

#[cfg(test)]
mod tests;
