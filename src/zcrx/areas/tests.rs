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
