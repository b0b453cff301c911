//! [`Areas`]: the table of an instance's areas, by id. Looked up for every chunk, added to at any time.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::area::Area;
use super::lookup::Lookup;
use super::token::{Offset, OutOfArea};
use crate::errno::Errno;
use crate::lock::{Guard, Lock};
use crate::mapping::Mapping;
use crate::sync::{AtomicPtr, AtomicUsize, Ordering};

/// Most areas of one instance (`ZCRX_MAX_AREAS`, kernel 7.3).
pub const MAX_AREAS: usize = 1024;

/// One area: what a lookup needs, and the area itself.
///
/// A slot that is all zero is vacant, so that a fresh mapping is an empty table.
#[repr(C, align(64))]
struct Slot {
    /// Bytes in the area; 0 until it is there. Written last, read first.
    len: AtomicUsize,
    base: AtomicPtr<u8>,
    area: UnsafeCell<MaybeUninit<Area>>,
}

#[cfg(not(all(loom, test)))] // Its atomics are larger.
const _: () = assert!(size_of::<Slot>() == 64, "a lookup touches one cache line");

/// Where lookups are made: the slots of an [`Areas`], and as valid as it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AreaTable(NonNull<Slot>);

// SAFETY: of the slots, lookups use the atomic words alone.
unsafe impl Send for AreaTable {}
// SAFETY: as above.
unsafe impl Sync for AreaTable {}

/// What is in the table, for those who add to it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Total {
    pub(crate) areas: u32,
    pub(crate) bytes: u64,
    /// One more than the highest id.
    end: usize,
}

/// The areas of an instance. They stay until it is dropped: the kernel removes none.
#[derive(Debug)]
pub(crate) struct Areas {
    table: AreaTable,
    /// Held while the kernel is asked to add one: whoever finds an id missing waits for that.
    total: Lock<Total>,
    _slots: Mapping,
}

impl Areas {
    /// An empty table. Its memory is taken as it fills.
    #[inline]
    pub(crate) fn new() -> Result<Self, Errno> {
        let slots = Mapping::inherited(MAX_AREAS * size_of::<Slot>())?;
        let table = AreaTable(slots.at(0, MAX_AREAS).ok_or(Errno::FAULT)?);
        #[cfg(all(loom, test))]
        models::make_atomics(table);
        Ok(Self {
            table,
            total: Lock::new(Total::default()),
            _slots: slots,
        })
    }

    /// Where lookups are made, as long as the table lives.
    #[cfg(any(feature = "alloc", test))]
    #[inline]
    pub(crate) fn table(&self) -> AreaTable {
        self.table
    }

    /// The same, with the area at hand that was registered, which the kernel calls 0.
    #[inline]
    pub(crate) fn lookup(&self) -> Lookup {
        // SAFETY: the first slot lies inside the mapping that self owns.
        let first = unsafe { self.table.0.as_ref() };
        // Relaxed, both: this is the area that the instance was registered with, put in before anybody had the instance.
        let len = first.len.load(Ordering::Relaxed);
        Lookup::new(self.table, first.base.load(Ordering::Relaxed), len)
    }

    /// Keeps others from adding, and from believing that an id is missing, until it is dropped.
    #[inline]
    pub(crate) fn adding(&self) -> Guard<'_, Total> {
        self.total.lock()
    }

    #[inline]
    pub(crate) fn total(&self) -> Total {
        *self.total.lock()
    }

    /// Bytes in the area that was registered, which the kernel calls 0.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn first_len(&self) -> usize {
        // SAFETY: the slot lies inside the mapping that self owns.
        let first = self.table.slot(0).map(|slot| unsafe { slot.as_ref() });
        // Relaxed: of what insert() wrote, nothing but the length is read.
        first.map_or(0, |slot| slot.len.load(Ordering::Relaxed))
    }

    /// Adds the area that the kernel calls `id`; hands it back if that is no id, or another area's.
    #[inline]
    pub(crate) fn insert(&self, total: &mut Total, id: u16, area: Area) -> Result<(), Area> {
        let Some(slot) = self.table.slot(id) else {
            return Err(area);
        };
        // SAFETY: the slot lies inside the mapping that self owns.
        let slot = unsafe { slot.as_ref() };
        // Relaxed: slots are written under the lock, which the caller holds (it has the total).
        if slot.len.load(Ordering::Relaxed) != 0 {
            return Err(area);
        }
        let (base, len) = (area.base(), area.len());
        // SAFETY: the slot is vacant and the lock is held, so nobody else uses the cell.
        unsafe { (*slot.area.get()).write(area) };
        // Relaxed: the store of the length, after it, is what makes it seen.
        slot.base.store(base.as_ptr(), Ordering::Relaxed);
        // Release: pairs with the Acquire of AreaTable::find.
        slot.len.store(len, Ordering::Release);
        total.areas += 1;
        total.bytes += len as u64;
        total.end = total.end.max(usize::from(id) + 1);
        Ok(())
    }

    /// As [`AreaTable::find`], for an id that was not there. The area may just be being added by another thread:
    /// the kernel fills it before the call that adds it has returned there.
    #[cold]
    #[inline]
    pub(crate) fn find_again(&self, offset: Offset, len: u32) -> Result<(), OutOfArea> {
        drop(self.total.lock());
        self.find(offset, len)
    }

    /// As [`AreaTable::find`].
    #[inline]
    fn find(&self, offset: Offset, len: u32) -> Result<(), OutOfArea> {
        // SAFETY: the table is self's, and self lives.
        unsafe { self.table.find(offset, len) }
    }
}

impl Drop for Areas {
    #[inline]
    fn drop(&mut self) {
        for id in 0..self.total().end {
            let Some(slot) = self.table.slot(id as u16) else {
                return;
            };
            // SAFETY: the slot lies inside the mapping that self owns.
            let slot = unsafe { slot.as_ref() };
            // Relaxed: nobody adds any more.
            if slot.len.load(Ordering::Relaxed) != 0 {
                // SAFETY: the slot is taken, so insert() wrote an area; it is read out once, here.
                drop(unsafe { (*slot.area.get()).assume_init_read() });
            }
        }
    }
}

impl AreaTable {
    #[inline]
    fn slot(self, id: u16) -> Option<NonNull<Slot>> {
        let id = usize::from(id);
        // SAFETY: the table has MAX_AREAS slots.
        (id < MAX_AREAS).then(|| unsafe { self.0.add(id) })
    }

    /// Whether `len` bytes at `offset`, at least one, lie in one of the areas.
    ///
    /// # Safety
    ///
    /// The [`Areas`] that this is of must live.
    #[inline]
    pub(crate) unsafe fn find(self, offset: Offset, len: u32) -> Result<(), OutOfArea> {
        let slot = self.slot(offset.area_id()).ok_or(OutOfArea::UnknownArea)?;
        // SAFETY: the slot lies inside the mapping, which lives (caller).
        // Acquire: pairs with the Release of insert(), so that the base is seen with its length.
        let area_len = unsafe { slot.as_ref() }.len.load(Ordering::Acquire);
        if offset.fits(len, area_len as u64) {
            return Ok(());
        }
        // Nothing but 0 bytes fit into a vacant slot.
        Err(if area_len == 0 {
            OutOfArea::UnknownArea
        } else {
            OutOfArea::PastEnd
        })
    }

    /// The address of `offset`.
    ///
    /// # Safety
    ///
    /// The [`Areas`] that this is of must live, and [`find`](Self::find) must have found the offset in it.
    #[inline]
    pub(crate) unsafe fn address(self, offset: Offset) -> NonNull<u8> {
        // SAFETY: the id is that of an area (caller), so it is one of the slots.
        let slot = unsafe { self.0.add(usize::from(offset.area_id())).as_ref() };
        // Relaxed: the length was seen, and the base was stored before it.
        let base = slot.base.load(Ordering::Relaxed);
        // SAFETY: the base of an area is not null, and the offset lies inside (caller).
        unsafe { NonNull::new_unchecked(base.add(offset.within() as usize)) }
    }
}

#[cfg(all(loom, test))]
mod models;

#[cfg(test)]
mod tests;
