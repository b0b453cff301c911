//! [`Producer`]: the writing end of a ring that the kernel reads, be it of submissions or of buffers that go back.

use core::ptr::NonNull;

use crate::index::Index;
use crate::sync::{writes, AtomicU32, Ordering};

/// The producer's end of a ring of entries `T`.
///
/// Entries are put into slots that were first made sure of, and shown to the kernel all at once.
///
/// | access | ordering | pairs with |
/// |---|---|---|
/// | store of `ktail` | Release | the kernel's load of the tail, with Acquire |
/// | load of `khead` | Acquire | the kernel's store of the head, with Release |
pub(crate) struct Producer<T> {
    /// Shared: written by the kernel.
    khead: NonNull<AtomicU32>,
    /// Shared: written here, read by the kernel.
    ktail: NonNull<AtomicU32>,
    array: NonNull<T>,
    mask: u32,
    /// Where the next entries go. Ahead of `ktail` until published.
    slots: Slots<T>,
    /// The position at the end of these slots.
    end: Index,
    /// The tail as last published.
    published: Index,
    /// The head as last loaded; may lag behind `khead`.
    head: Index,
}

/// Free slots of a ring that lie in one piece. By itself, so that whoever puts many entries can keep it in registers; and
/// by address, so that an entry costs one addition and one comparison to place.
pub(crate) struct Slots<T> {
    next: NonNull<T>,
    end: NonNull<T>,
}

// Written out, because derive() would ask the same of T.

impl<T> core::fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Producer")
            .field("entries", &self.entries())
            .field("tail", &self.tail())
            .field("published", &self.published)
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

impl<T> core::fmt::Debug for Slots<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Slots").field(&self.free()).finish()
    }
}

impl<T> Clone for Slots<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Slots<T> {}

impl<T> Slots<T> {
    /// None: all that is put goes the long way.
    pub(crate) const NONE: Self = Self {
        next: NonNull::dangling(),
        end: NonNull::dangling(),
    };

    #[inline]
    fn free(&self) -> u32 {
        let bytes = self.end.as_ptr() as usize - self.next.as_ptr() as usize;
        (bytes / size_of::<T>()) as u32
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.next == self.end
    }

    /// Writes an entry into the next slot.
    ///
    /// # Safety
    ///
    /// They must not be empty; the ring must live; and these must be the slots that it goes on with: of two copies
    /// one is used.
    #[inline(always)]
    pub(crate) unsafe fn put(&mut self, entry: T) {
        writes(self.next);
        // SAFETY: there is a slot (caller), inside the array and free (find_room), so the kernel does not read it
        // before the tail is published. The next is inside the array too, or at its end.
        self.next = unsafe {
            self.next.write(entry);
            self.next.add(1)
        };
    }
}

impl<T> Producer<T> {
    /// Lays a producer over a ring of `entries` entries.
    ///
    /// # Safety
    ///
    /// For as long as the value lives, `khead` and `ktail` must be valid and written by others only
    /// atomically, `ktail` by nobody else; and `array` must be valid for writes of `entries`
    /// entries, of which nobody writes any, nor reads those outside of `khead..ktail`.
    ///
    /// # Panics
    ///
    /// If `entries` is not a power of two.
    #[inline]
    pub(crate) unsafe fn from_raw_parts(
        khead: NonNull<AtomicU32>,
        ktail: NonNull<AtomicU32>,
        array: NonNull<T>,
        entries: u32,
    ) -> Self {
        assert!(
            entries.is_power_of_two(),
            "a ring has a power of two of entries, not {entries}"
        );
        // SAFETY: both words are valid (caller). Relaxed: only this producer writes the tail, and a
        // head that lags is only a ring that looks fuller than it is.
        let [head, tail] = unsafe { [khead.as_ref(), ktail.as_ref()] }
            .map(|word| Index::new(word.load(Ordering::Relaxed)));
        Self {
            khead,
            ktail,
            array,
            mask: entries - 1,
            slots: Slots::NONE,
            end: tail,
            published: tail,
            head,
        }
    }

    /// Entries that the ring holds.
    #[inline]
    pub(crate) fn entries(&self) -> u32 {
        self.mask + 1
    }

    /// Entries put since the last [`publish`](Self::publish).
    #[inline]
    pub(crate) fn unpublished(&self) -> u32 {
        self.tail().distance_from(self.published)
    }

    /// Published entries that the kernel has not consumed.
    #[inline]
    pub(crate) fn unconsumed(&mut self) -> u32 {
        self.head = self.fresh_head();
        self.published.distance_from(self.head)
    }

    /// Entries put, published or not, that the kernel has not consumed.
    #[inline]
    pub(crate) fn pending(&self) -> u32 {
        self.tail().distance_from(self.fresh_head())
    }

    /// The position of the next slot to write.
    #[inline]
    fn tail(&self) -> Index {
        self.end.before(self.slots.free())
    }

    /// The number in the array of the next slot to write, if one is free.
    #[inline]
    pub(crate) fn next_slot(&mut self) -> Option<u32> {
        self.has_room().then(|| self.tail().slot(self.mask))
    }

    /// Whether a slot is free.
    #[inline(always)]
    pub(crate) fn has_room(&mut self) -> bool {
        !self.slots.is_empty() || self.find_room()
    }

    /// Puts an entry into the next slot; the kernel sees it with the next [`publish`](Self::publish).
    ///
    /// # Safety
    ///
    /// The ring must live, and [have room](Self::has_room).
    #[inline(always)]
    pub(crate) unsafe fn put(&mut self, entry: T) {
        // SAFETY: the caller's promise; these slots are the ring's own.
        unsafe { self.slots.put(entry) };
    }

    /// Looks for free slots when there are none left; whether there are any.
    #[inline(never)]
    fn find_room(&mut self) -> bool {
        let tail = self.tail();
        if tail.distance_from(self.head) > self.mask {
            self.head = self.fresh_head();
        }
        // None, if the kernel gave the ring a head that is not at most one lap behind its tail.
        let free = self.entries().saturating_sub(tail.distance_from(self.head));
        let slot = tail.slot(self.mask);
        let piece = free.min(self.entries() - slot);
        // SAFETY: slot <= mask, and slot + piece <= mask + 1: inside the array, or at its end.
        self.slots = unsafe {
            let next = self.array.add(slot as usize);
            let end = next.add(piece as usize);
            Slots { next, end }
        };
        self.end = tail.advanced(piece);
        piece > 0
    }

    /// Where the next entries go, for [`Slots::put`].
    #[inline]
    pub(crate) fn slots(&self) -> Slots<T> {
        self.slots
    }

    /// Goes on with what is left of [`slots`](Self::slots).
    ///
    /// # Safety
    ///
    /// `slots` must be those of this ring, in the state that the last [`Slots::put`] left them in, and the ring must
    /// not have been used since it gave them.
    #[inline]
    pub(crate) unsafe fn go_on(&mut self, slots: Slots<T>) {
        self.slots = slots;
    }

    /// Shows the kernel all entries put so far.
    #[inline]
    pub(crate) fn publish(&mut self) {
        let tail = self.tail();
        // SAFETY: ktail is valid (promise of from_raw_parts).
        let ktail = unsafe { self.ktail.as_ref() };
        // Release: pairs with the kernel's acquire of the tail. It orders the entries before the tail, and also this
        // process's last reads of what the entries give back before the kernel's reuse.
        ktail.store(tail.get(), Ordering::Release);
        self.published = tail;
    }

    #[inline]
    fn fresh_head(&self) -> Index {
        // SAFETY: khead is valid (promise of from_raw_parts).
        let khead = unsafe { self.khead.as_ref() };
        // Acquire: pairs with the kernel's release of the head, so that the kernel has read an entry
        // before its slot is written again.
        let head = Index::new(khead.load(Ordering::Acquire));
        // The kernel's head lies between its last value and the published tail. One that does not
        // would make the ring seem to have more room than it has: the old one is kept.
        if self.published.distance_from(head) <= self.published.distance_from(self.head) {
            head
        } else {
            self.head
        }
    }
}
