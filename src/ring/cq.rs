//! The completion queue: the cursor that owns the stride.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};

use super::cqe::{Cqe, CqeLayout, Entry, MalformedCqe};
use crate::index::Index;
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
    /// The slots. Those from head up to tail are ours to read; the others are the kernel's.
    slots: NonNull<u8>,
    mask: u32,
    layout: CqeLayout,
    /// Next entry to read. Ahead of `khead` until published.
    head: Index,
    /// The tail as last loaded; may lag behind `ktail`.
    tail: Index,
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
            slots,
            mask: entries - 1,
            layout,
            head,
            tail: head,
        }
    }

    /// How entries lie in this queue.
    pub fn layout(&self) -> CqeLayout {
        self.layout
    }

    /// Slots in the queue. Under [`CqeLayout::Mixed`] a 32-byte entry takes two.
    pub fn entries(&self) -> u32 {
        self.mask + 1
    }

    /// Looks for new entries; answers how many slots are ready to be read.
    #[inline]
    pub fn refresh(&mut self) -> u32 {
        // SAFETY: ktail is valid (promise of from_raw_parts).
        let ktail = unsafe { self.ktail.as_ref() };
        // Acquire: pairs with the kernel's release in io_commit_cqring, so that the entries before
        // the tail are seen whole.
        let tail = Index::new(ktail.load(Ordering::Acquire));
        // A kernel never publishes more than the queue holds. If it claims to, the walk still ends
        // after one lap, and each entry is judged by itself.
        let ready = tail.distance_from(self.head).min(self.entries());
        self.tail = self.head.advanced(ready);
        ready
    }

    /// The next entry among those that the last [`refresh`](Self::refresh) found.
    ///
    /// # Errors
    ///
    /// A [`MalformedCqe`] stands in the place of an entry that breaks the kernel's rules.
    #[inline]
    pub fn next_entry(&mut self) -> Option<Result<Cqe, MalformedCqe>> {
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
                let cqe = at.cast::<io_uring_cqe>().as_ptr();
                (at, (*cqe).user_data, (*cqe).res, (*cqe).flags)
            };
            let entry = Entry::classify(self.layout, flags, self.entries() - slot, published);
            self.head = self.head.advanced(entry.slots(self.layout));
            return Some(match entry {
                Entry::Filler => continue,
                Entry::Malformed => Err(MalformedCqe { user_data, flags }),
                Entry::Narrow => Ok(Cqe::narrow(user_data, res, flags)),
                Entry::Wide => {
                    // SAFETY: a wide entry is 32 bytes inside the array: one slot of 32, or two of
                    // 16 that classify() found before the array's end and before the tail.
                    let extra = unsafe { at.add(16).cast::<[u64; 2]>().read() };
                    Ok(Cqe::wide(user_data, res, flags, extra))
                }
            });
        }
    }

    /// Gives the slots of all entries read so far back to the kernel. Once per drain is enough.
    #[inline]
    pub fn publish(&mut self) {
        // SAFETY: khead is valid (promise of from_raw_parts).
        let khead = unsafe { self.khead.as_ref() };
        // Release: pairs with the kernel's read of cq.head in io_cqring_queued, so that our reads of
        // the entries come before the kernel's next writes to their slots.
        khead.store(self.head.get(), Ordering::Release);
    }

    /// Looks for new entries and walks them; the head is published when the walk is dropped.
    #[inline]
    pub fn drain(&mut self) -> Completions<'_> {
        self.refresh();
        Completions { queue: self }
    }
}

/// One walk over the completions that were there when it began.
///
/// Entries handed out are consumed. The head is published once, when this is dropped: the rest, if the
/// walk is left early, stays for the next one.
#[derive(Debug)]
pub struct Completions<'a> {
    queue: &'a mut CompletionQueue,
}

impl Iterator for Completions<'_> {
    type Item = Result<Cqe, MalformedCqe>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.queue.next_entry()
    }
}

impl Drop for Completions<'_> {
    #[inline]
    fn drop(&mut self) {
        self.queue.publish();
    }
}
