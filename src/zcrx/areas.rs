//! [`Areas`]: the table of an instance's areas, by id. Looked up for every chunk, added to at any time.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::area::Area;
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
    #[inline]
    pub(crate) fn table(&self) -> AreaTable {
        self.table
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
mod tests {
    use super::*;

    const PAGE: usize = 4096;

    fn at(id: u16, within: u64) -> Offset {
        Offset::from_raw(u64::from(id) << 48 | within)
    }

    fn insert(areas: &Areas, id: u16, pages: usize) -> Result<NonNull<u8>, Area> {
        let area = Area::new(pages * PAGE).unwrap();
        let base = area.base();
        areas.insert(&mut areas.adding(), id, area).map(|()| base)
    }

    #[test]
    fn each_id_has_its_own_memory() {
        let areas = Areas::new().unwrap();
        let table = areas.table();
        for id in [0, 1, 1023] {
            assert_eq!(areas.find(at(id, 0), 1), Err(OutOfArea::UnknownArea));
            let base = insert(&areas, id, usize::from(id % 3) + 1).unwrap();
            let len = (u64::from(id % 3) + 1) * PAGE as u64;
            assert_eq!(areas.find(at(id, len - 1), 1), Ok(()));
            assert_eq!(areas.find(at(id, len - 1), 2), Err(OutOfArea::PastEnd));
            assert_eq!(areas.find(at(id, len), 1), Err(OutOfArea::PastEnd));
            // SAFETY: the offset was found just now.
            let address = unsafe { table.address(at(id, 77)) };
            assert_eq!(address.as_ptr() as usize, base.as_ptr() as usize + 77);
        }
        assert_eq!(areas.total().areas, 3);
        assert_eq!(areas.total().bytes, (1 + 2 + 1) * PAGE as u64);
    }

    #[test]
    fn no_id_twice_and_none_past_the_last() {
        let areas = Areas::new().unwrap();
        insert(&areas, 5, 1).unwrap();
        assert!(insert(&areas, 5, 2).is_err());
        assert!(insert(&areas, 1024, 1).is_err());
        assert!(insert(&areas, u16::MAX, 1).is_err());
        for id in [1024, u16::MAX] {
            assert_eq!(areas.find(at(id, 0), 1), Err(OutOfArea::UnknownArea));
        }
        assert_eq!(areas.find_again(at(6, 0), 1), Err(OutOfArea::UnknownArea));
        assert_eq!(areas.total().areas, 1);
    }

    #[test]
    fn whoever_misses_an_area_waits_for_it_to_be_added() {
        let areas = Areas::new().unwrap();
        let mut adding = areas.adding();
        std::thread::scope(|scope| {
            let (areas, (give, take)) = (&areas, std::sync::mpsc::channel());
            scope.spawn(move || {
                assert!(areas.find(at(1, 0), 1).is_err());
                give.send(()).unwrap();
                assert_eq!(areas.find_again(at(1, 0), 1), Ok(()));
            });
            take.recv().unwrap();
            areas
                .insert(&mut adding, 1, Area::new(PAGE).unwrap())
                .unwrap();
            drop(adding);
        });
    }

    /// What this process has mapped of the file called `name`.
    fn mapped(name: &str) -> usize {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        maps.lines().filter(|line| line.contains(name)).count()
    }

    #[test]
    fn the_memory_of_every_area_goes_with_the_table() {
        let name = c"zcrx-areas-that-go";
        // SAFETY: the name is a string that ends with a zero byte.
        let raw = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) };
        // SAFETY: a new descriptor that nothing else owns.
        let fd = unsafe { crate::fd::Fd::from_raw(raw) };
        // SAFETY: takes no pointers.
        assert_eq!(unsafe { libc::ftruncate(fd.as_raw(), PAGE as i64) }, 0);
        let areas = Areas::new().unwrap();
        for id in [0, 1, 7, 1023] {
            let memory = Mapping::shared(fd.as_raw(), PAGE, 0).unwrap();
            let area = Area::of(memory, PAGE);
            areas.insert(&mut areas.adding(), id, area).unwrap();
        }
        assert_eq!((areas.first_len(), areas.total().areas), (PAGE, 4));
        assert_eq!(mapped(name.to_str().unwrap()), 4);
        drop(areas);
        assert_eq!(mapped(name.to_str().unwrap()), 0);
    }
}
