use std::sync::atomic::AtomicU64;
use std::sync::{mpsc, Arc};
use std::vec::Vec;

use super::*;
use crate::zcrx::{Offset, PoolId, Unreturned};

/// Memory whose chunks hold their own number, and which counts what becomes of it.
struct Counted {
    bytes: Vec<u8>,
    taken_back: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
}

impl ChunkMemory for Counted {
    unsafe fn address(&self, chunk: &Chunk) -> NonNull<u8> {
        NonNull::from(&self.bytes[chunk.offset().within() as usize])
    }

    fn take_back(&self, _: Chunk) {
        self.taken_back.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

struct Setup {
    recycler: Recycler,
    pool: PoolId,
    taken_back: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
}

fn setup(eventfd: Option<Fd>) -> Setup {
    let memory = Counted {
        bytes: (0..=255).collect(),
        taken_back: Arc::default(),
        dropped: Arc::default(),
    };
    let pool = PoolId::unique().unwrap();
    let (taken_back, dropped) = (memory.taken_back.clone(), memory.dropped.clone());
    Setup {
        recycler: Recycler::new(pool, Box::new(memory), eventfd),
        pool,
        taken_back,
        dropped,
    }
}

fn chunk(n: u8, pool: PoolId) -> Chunk {
    // SAFETY: the byte lies in the memory of the test's pool, and no other chunk is made for it.
    unsafe { Chunk::from_raw_parts(Offset::from_raw(n.into()), 1, pool) }
}

#[test]
fn what_is_dropped_comes_back_once() {
    let mut own = setup(None);
    for lap in 0..3 {
        let owned: Vec<_> = (0..100)
            .map(|n| own.recycler.own(chunk(n, own.pool)).unwrap())
            .collect();
        assert!((0..100).zip(&owned).all(|(n, owned)| **owned == [n]));
        assert_eq!(own.recycler.outstanding(), 100);
        assert_eq!(own.recycler.next_returned(), None);
        drop(owned);
        let mut back: Vec<_> = core::iter::from_fn(|| own.recycler.next_returned())
            .map(|chunk| chunk.offset().raw())
            .collect();
        back.sort_unstable();
        assert_eq!(back, (0..100).collect::<Vec<_>>(), "lap {lap}");
        assert_eq!(
            (own.recycler.outstanding(), own.recycler.spare.len()),
            (0, 100)
        );
    }
    let other = chunk(0, PoolId::unique().unwrap());
    assert!(matches!(
        own.recycler.own(other),
        Err(Unreturned::OtherPool(_))
    ));
    drop(own.recycler);
    assert_eq!(own.dropped.load(Ordering::Relaxed), 1);
    assert_eq!(own.taken_back.load(Ordering::Relaxed), 0);
}

#[test]
fn the_memory_lasts_until_the_last_chunk_and_the_owner_are_gone() {
    for back_before in 0..=3 {
        for gathered in [false, true] {
            let mut own = setup(None);
            let mut owned: Vec<OwnedChunk> = (0..3)
                .map(|n| own.recycler.own(chunk(n, own.pool)).unwrap())
                .collect();
            owned.truncate(3 - back_before);
            if gathered {
                own.recycler.collect();
            }
            drop(own.recycler);
            for left in (0..owned.len()).rev() {
                assert_eq!(own.dropped.load(Ordering::Relaxed), 0);
                assert_eq!(*owned[left], [left as u8], "still readable");
                owned.pop();
            }
            assert_eq!(own.dropped.load(Ordering::Relaxed), 1);
            assert_eq!(own.taken_back.load(Ordering::Relaxed), 3);
        }
    }
}

#[test]
fn chunks_dropped_in_many_threads_all_come_back() {
    let mut own = setup(None);
    const EACH: usize = 20_000;
    let (gives, takes): (Vec<_>, Vec<_>) =
        (0..3).map(|_| mpsc::sync_channel::<OwnedChunk>(64)).unzip();
    std::thread::scope(|scope| {
        for take in takes {
            scope.spawn(move || take.into_iter().for_each(drop));
        }
        for n in 0..EACH * 3 {
            let owned = own.recycler.own(chunk((n % 256) as u8, own.pool)).unwrap();
            gives[n % 3].send(owned).unwrap();
            while own.recycler.next_returned().is_some() {}
        }
        drop(gives);
    });
    while own.recycler.next_returned().is_some() {}
    assert_eq!(own.recycler.outstanding(), 0);
    assert!(own.recycler.spare.len() < 1000, "nodes are used again");
}

#[test]
fn an_owner_that_goes_away_meanwhile_costs_no_chunk() {
    for _ in 0..200 {
        let mut own = setup(None);
        let owned: Vec<_> = (0..64)
            .map(|n| own.recycler.own(chunk(n, own.pool)).unwrap())
            .collect();
        let mut returned = 0;
        std::thread::scope(|scope| {
            scope.spawn(move || drop(owned));
            while own.recycler.next_returned().is_some() {
                returned += 1;
            }
            drop(own.recycler);
        });
        assert_eq!(own.taken_back.load(Ordering::Relaxed), 64 - returned);
        assert_eq!(own.dropped.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn a_sleeping_owner_is_woken_once() {
    // SAFETY: takes no pointers.
    let raw = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    // SAFETY: a new descriptor that nothing else owns.
    let eventfd = unsafe { Fd::from_raw(raw) };
    let ours = Fd::duplicate(eventfd.as_raw()).unwrap();
    let signals = || {
        let mut count = 0_u64;
        // SAFETY: reads into a live local of 8 bytes.
        let got = unsafe { libc::read(ours.as_raw(), ptr::from_mut(&mut count).cast(), 8) };
        if got == 8 {
            count
        } else {
            0
        }
    };
    let mut own = setup(Some(eventfd));
    let mut owned: Vec<_> = (0..4)
        .map(|n| own.recycler.own(chunk(n, own.pool)).unwrap())
        .collect();
    owned.pop();
    assert_eq!(signals(), 0, "awake");
    assert!(!own.recycler.will_sleep(), "one is back");
    assert!(own.recycler.next_returned().is_some());
    assert!(own.recycler.will_sleep() && own.recycler.will_sleep());
    owned.pop();
    owned.pop();
    assert_eq!(signals(), 1);
    assert!(own.recycler.next_returned().is_some() && own.recycler.next_returned().is_some());
    assert!(own.recycler.will_sleep());
    assert_eq!(own.recycler.next_returned(), None, "awake again by itself");
    owned.pop();
    assert_eq!(signals(), 0);
    assert!(own.recycler.will_sleep() || own.recycler.next_returned().is_some());
    drop(own.recycler);
    assert_eq!(own.dropped.load(Ordering::Relaxed), 1);
}

#[test]
fn an_owner_with_a_chunk_at_hand_has_no_reason_to_sleep() {
    let mut own = setup(None);
    let owned: Vec<_> = (0..2)
        .map(|n| own.recycler.own(chunk(n, own.pool)).unwrap())
        .collect();
    drop(owned);
    assert!(own.recycler.next_returned().is_some());
    assert!(!own.recycler.will_sleep(), "another was gathered with it");
    assert!(own.recycler.next_returned().is_some());
    assert!(own.recycler.will_sleep());
}

#[test]
fn bytes_are_read_in_more_than_one_way_and_not_printed() {
    let mut own = setup(None);
    // SAFETY: the bytes lie in the memory of the test's pool, and no other chunk is made for them.
    let chunk = unsafe { Chunk::from_raw_parts(Offset::from_raw(3), 4, own.pool) };
    let owned = own.recycler.own(chunk).unwrap();
    assert_eq!(
        (owned.as_ref(), &*owned),
        (&[3, 4, 5, 6][..], &[3, 4, 5, 6][..])
    );
    assert_eq!(std::format!("{owned:?}"), "OwnedChunk(4 bytes)");
    assert_eq!(std::format!("{:?}", own.recycler), "Recycler(1 out)");
}
