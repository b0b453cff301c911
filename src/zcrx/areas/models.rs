use std::sync::Arc;

use loom::sync::atomic::AtomicBool;
use loom::thread;

use super::*;
use crate::sync::model;

const PAGE: usize = 4096;
/// Ids that models use; loom's atomics are many words each, and not made by zeroing memory.
const IDS: u16 = 2;

/// Makes the slots of the ids that models use.
pub(super) fn make_atomics(table: AreaTable) {
    for id in 0..IDS {
        let vacant = Slot {
            len: AtomicUsize::new(0),
            base: AtomicPtr::new(core::ptr::null_mut()),
            area: UnsafeCell::new(MaybeUninit::uninit()),
        };
        // SAFETY: the slot lies in the table, which nobody uses yet.
        unsafe { table.slot(id).unwrap().write(vacant) };
    }
}

fn insert(areas: &Areas, total: &mut Total, id: u16, area: Area) {
    areas.insert(total, id, area).unwrap();
}

#[test]
fn an_area_that_is_found_is_there_whole() {
    model(9, || {
        let areas = Arc::new(Areas::new().unwrap());
        let area = Area::new(PAGE).unwrap();
        let base = area.base().as_ptr() as usize;
        let at = Offset::from_raw(1 << 48 | 77);
        let theirs = areas.clone();
        let reader = thread::spawn(move || match theirs.find(at, 1) {
            // SAFETY: the offset was found, and the table lives.
            Ok(()) => Some(unsafe { theirs.table().address(at) }.as_ptr() as usize),
            Err(how) => {
                assert_eq!(how, OutOfArea::UnknownArea, "no length without an area");
                None
            }
        });
        insert(&areas, &mut areas.adding(), 1, area);
        let found = reader.join().unwrap();
        assert!(found.is_none() || found == Some(base + 77));
        assert_eq!(areas.find(at, 1), Ok(()));
    });
}

#[test]
fn an_area_that_the_kernel_fills_while_it_is_added_is_found() {
    model(9, || {
        let areas = Arc::new(Areas::new().unwrap());
        let area = Area::new(PAGE).unwrap();
        let base = area.base().as_ptr() as usize;
        let at = Offset::from_raw(1 << 48);
        let filled = Arc::new(AtomicBool::new(false));
        let (theirs, kernel) = (areas.clone(), filled.clone());
        let reader = thread::spawn(move || {
            // Acquire: as a completion is seen.
            if !kernel.load(Ordering::Acquire) {
                return;
            }
            if let Err(how) = theirs.find(at, 1) {
                assert_eq!(how, OutOfArea::UnknownArea);
                theirs.find_again(at, 1).unwrap();
            }
            // SAFETY: the offset was found, and the table lives.
            let found = unsafe { theirs.table().address(at) };
            assert_eq!(found.as_ptr() as usize, base);
        });
        let mut adding = areas.adding();
        // The kernel knows the area, and the call that adds it has not returned. Release: as it posts.
        filled.store(true, Ordering::Release);
        insert(&areas, &mut adding, 1, area);
        drop(adding);
        reader.join().unwrap();
    });
}

#[test]
fn two_that_add_at_once_lose_nothing() {
    model(9, || {
        let areas = Arc::new(Areas::new().unwrap());
        let theirs = areas.clone();
        let add = |areas: &Areas, id| {
            insert(areas, &mut areas.adding(), id, Area::new(PAGE).unwrap());
        };
        let other = thread::spawn(move || add(&theirs, 0));
        add(&areas, 1);
        other.join().unwrap();
        let total = areas.total();
        assert_eq!(
            (total.areas, total.bytes, total.end),
            (2, 2 * PAGE as u64, 2)
        );
    });
}
