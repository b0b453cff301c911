//! The completion queue, as its consumer sees it.

use core::marker::PhantomData;
use core::ptr::NonNull;

use self::cursor::Cursor;
use super::cqe::{Cqe, CqeLayout, MalformedCqe};
use super::layout::{Any, Layout};
use crate::index::Index;
use crate::sync::{AtomicU32, Ordering};

mod cursor;

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
            cursor: Cursor::new(slots, entries - 1, layout, head),
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
        self.refresh_as(self.cursor.layout)
    }

    /// With the queue's layout, which is a constant in loops that are compiled for one.
    #[inline(always)]
    fn refresh_as(&mut self, layout: CqeLayout) -> u32 {
        // SAFETY: ktail is valid (promise of from_raw_parts).
        let ktail = unsafe { self.ktail.as_ref() };
        // Acquire: pairs with the kernel's release in io_commit_cqring, so that the entries before
        // the tail are seen whole.
        let tail = Index::new(ktail.load(Ordering::Acquire));
        let head = self.cursor.head(layout);
        let ready = tail.distance_from(head);
        self.broken = ready > self.entries();
        if self.broken {
            // Not even what is left of before: one answer for refresh(), next_entry() and is_broken().
            self.cursor.go(head, 0, layout);
            return 0;
        }
        self.cursor.go(head, ready, layout);
        ready
    }

    /// The next entry among those that the last [`refresh`](Self::refresh) found.
    ///
    /// # Errors
    ///
    /// A [`MalformedCqe`] stands in the place of an entry that breaks the kernel's rules.
    #[inline]
    pub fn next_entry(&mut self) -> Option<Result<Cqe, MalformedCqe>> {
        // SAFETY: the slots before the cursor's tail are published, and stay as they are until publish(), which
        // takes self by exclusive reference.
        unsafe { self.cursor.next_entry(self.cursor.layout) }
    }

    /// Gives the slots of all entries read so far back to the kernel. Once per drain is enough.
    #[inline]
    pub fn publish(&mut self) {
        self.publish_as(self.cursor.layout);
    }

    /// As [`refresh_as`](Self::refresh_as).
    #[inline(always)]
    fn publish_as(&mut self, layout: CqeLayout) {
        // SAFETY: khead is valid (promise of from_raw_parts).
        let khead = unsafe { self.khead.as_ref() };
        // Release: pairs with the kernel's read of cq.head in io_cqring_queued, so that our reads of
        // the entries come before the kernel's next writes to their slots.
        khead.store(self.cursor.head(layout).get(), Ordering::Release);
    }

    /// Looks for new entries and walks them; the head is published when the walk is dropped.
    #[inline]
    pub fn drain(&mut self) -> Completions<'_> {
        self.walk()
    }

    /// As [`drain`](Self::drain), for loops that are compiled for one layout: no entry costs a decision that is the
    /// same for all. `None` if the queue has another one.
    ///
    /// ```
    /// use zcrx_sys::ring::{CompletionQueue, CqeLayout, Layout, Mixed, Wide};
    ///
    /// fn sum(queue: &mut CompletionQueue) -> u64 {
    ///     fn sum_as<L: Layout>(queue: &mut CompletionQueue) -> u64 {
    ///         let entries = queue.drain_as::<L>().expect("asked for by its layout");
    ///         entries.flatten().map(|cqe| u64::from(cqe.result().unwrap_or(0))).sum()
    ///     }
    ///     match queue.layout() {
    ///         CqeLayout::Wide => sum_as::<Wide>(queue),
    ///         _ => sum_as::<Mixed>(queue),
    ///     }
    /// }
    /// ```
    #[inline]
    pub fn drain_as<L: Layout>(&mut self) -> Option<Completions<'_, L>> {
        let layout = self.cursor.layout;
        (L::of(layout) == layout).then(|| self.walk())
    }

    #[inline]
    fn walk<L: Layout>(&mut self) -> Completions<'_, L> {
        self.refresh_as(L::of(self.cursor.layout));
        let cursor = self.cursor;
        // A walk that is forgotten instead of dropped takes its entries along: none is ever delivered twice.
        self.cursor.finish();
        Completions {
            cursor,
            queue: self,
            layout: PhantomData,
        }
    }
}

/// One walk over the completions that were there when it began.
///
/// Entries handed out are consumed. The head is published once, when this is dropped: the rest, if the
/// walk is left early, stays for the next one.
#[derive(Debug)]
pub struct Completions<'a, L: Layout = Any> {
    cursor: Cursor,
    queue: &'a mut CompletionQueue,
    layout: PhantomData<L>,
}

impl<L: Layout> Iterator for Completions<'_, L> {
    type Item = Result<Cqe, MalformedCqe>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // SAFETY: the walk borrows the queue, so nobody gives these slots back before it is dropped; the layout is
        // the queue's (drain_as).
        unsafe { self.cursor.next_entry(L::of(self.cursor.layout)) }
    }
}

impl<L: Layout> Drop for Completions<'_, L> {
    #[inline(always)]
    fn drop(&mut self) {
        self.queue.cursor.follow(self.cursor);
        self.queue.publish_as(L::of(self.cursor.layout));
    }
}

#[cfg(all(loom, test))]
mod models;

#[cfg(test)]
mod tests;
