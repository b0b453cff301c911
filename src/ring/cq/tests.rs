use super::*;
use crate::twin::CompletionTwin;
use crate::uapi::{IORING_CQE_F_32, IORING_CQE_F_MORE};

#[test]
fn every_layout_delivers_what_was_posted_over_laps_and_the_wrap() {
    for (layout, start) in [
        (CqeLayout::Narrow, u32::MAX - 3),
        (CqeLayout::Wide, u32::MAX - 3),
        (CqeLayout::Mixed, u32::MAX - 3),
        (CqeLayout::Mixed, 7),
    ] {
        let mut twin = CompletionTwin::new(layout, 8, start);
        // SAFETY: the twin outlives the queue and keeps to the kernel's side.
        let mut queue = unsafe { twin.queue() };
        let (mut posted, mut seen) = (0u64, 0u64);
        let extra_of = |n: u64| match layout {
            CqeLayout::Narrow => None,
            CqeLayout::Wide => Some([n, !n]),
            CqeLayout::Mixed => (n % 3 != 0).then_some([n, !n]),
        };
        for round in 0..2000 {
            for _ in 0..round % 5 {
                let (n, extra) = (posted, extra_of(posted));
                if twin.post(n, n as i32, IORING_CQE_F_MORE, extra) {
                    posted += 1;
                }
            }
            for cqe in queue.drain() {
                let cqe = cqe.unwrap();
                assert_eq!((cqe.user_data(), cqe.res()), (seen, seen as i32));
                assert_eq!(cqe.extra(), extra_of(seen));
                assert!(cqe.more());
                seen += 1;
            }
            assert_eq!(seen, posted, "a walk reaches the tail");
        }
        assert!(seen > 2000, "{layout:?}: {seen}");
    }
}

#[test]
fn slots_of_entries_read_one_by_one_are_free_once_published() {
    let mut twin = CompletionTwin::new(CqeLayout::Wide, 2, u32::MAX);
    // SAFETY: the twin outlives the queue and keeps to the kernel's side.
    let mut queue = unsafe { twin.queue() };
    for n in 0..6 {
        assert!(twin.post(2 * n, 0, 0, None) && twin.post(2 * n + 1, 0, 0, None));
        assert_eq!(queue.refresh(), 2);
        for user_data in [2 * n, 2 * n + 1] {
            assert_eq!(queue.next_entry().unwrap().unwrap().user_data(), user_data);
        }
        assert_eq!(queue.next_entry(), None);
        assert!(!twin.post(99, 0, 0, None), "read, but not given back");
        queue.publish();
    }
}

#[test]
fn a_walk_for_one_layout_is_for_that_layout() {
    use crate::ring::{Any, Mixed, Narrow, Wide};
    fn walk<L: Layout>(queue: &mut CompletionQueue) -> Option<std::vec::Vec<u64>> {
        let entries = queue.drain_as::<L>()?;
        Some(entries.map(|cqe| cqe.unwrap().user_data()).collect())
    }
    for layout in [CqeLayout::Narrow, CqeLayout::Wide, CqeLayout::Mixed] {
        let mut twin = CompletionTwin::new(layout, 8, u32::MAX - 2);
        // SAFETY: the twin outlives the queue and keeps to the kernel's side.
        let mut queue = unsafe { twin.queue() };
        let extra = (layout != CqeLayout::Narrow).then_some([1, 2]);
        let mut seen = 0;
        for round in 0..20 {
            assert!(twin.post(round, 0, 0, extra));
            let of_layout = [
                walk::<Narrow>(&mut queue),
                walk::<Wide>(&mut queue),
                walk::<Mixed>(&mut queue),
            ];
            seen += of_layout.iter().flatten().flatten().count();
            let is_of = [CqeLayout::Narrow, CqeLayout::Wide, CqeLayout::Mixed].map(|l| l == layout);
            assert_eq!(of_layout.map(|walk| walk.is_some()), is_of);
            assert_eq!(walk::<Any>(&mut queue), Some([].into()));
        }
        assert_eq!(seen, 20);
    }
}

#[test]
fn a_wide_entry_without_its_second_slot_is_malformed_and_costs_one_slot() {
    let mut twin = CompletionTwin::new(CqeLayout::Mixed, 4, 0);
    // SAFETY: the twin outlives the queue and keeps to the kernel's side.
    let mut queue = unsafe { twin.queue() };
    let wide = u64::from(IORING_CQE_F_32) << 32;
    twin.put(0, [9, wide]); // published alone
    twin.commit(1);
    let error = MalformedCqe {
        user_data: 9,
        flags: IORING_CQE_F_32,
    };
    assert_eq!(queue.drain().next(), Some(Err(error)));
    for n in 1..3 {
        assert!(twin.post(n, 0, 0, None));
    }
    twin.put(0, [9, wide]); // in the last slot of the array
    twin.commit(1);
    assert!(twin.post(4, 0, 0, None));
    let walk: alloc::vec::Vec<_> = queue
        .drain()
        .map(|cqe| cqe.map(|cqe| cqe.user_data()))
        .collect();
    assert_eq!(walk, [Ok(1), Ok(2), Err(error), Ok(4)]);
}

#[test]
fn entries_that_are_no_power_of_two_are_refused() {
    let word = AtomicU32::new(0);
    for entries in [0, 3, 65537, u32::MAX] {
        for layout in [CqeLayout::Narrow, CqeLayout::Wide, CqeLayout::Mixed] {
            let refused = std::panic::catch_unwind(|| {
                let (at, word) = (NonNull::dangling(), NonNull::from(&word));
                // SAFETY: the words live; of the slots none is used, because there are none.
                unsafe { CompletionQueue::from_raw_parts(word, word, at, entries, layout) }
                    .entries()
            });
            assert!(refused.is_err(), "{entries}");
        }
    }
}

#[test]
fn slots_go_back_once_per_walk() {
    let mut twin = CompletionTwin::new(CqeLayout::Narrow, 2, 0);
    // SAFETY: the twin outlives the queue and keeps to the kernel's side.
    let mut queue = unsafe { twin.queue() };
    assert!(twin.post(1, 0, 0, None) && twin.post(2, 0, 0, None));
    assert!(!twin.post(3, 0, 0, None), "full");
    let mut walk = queue.drain();
    assert_eq!(walk.next().unwrap().unwrap().user_data(), 1);
    assert!(!twin.post(3, 0, 0, None), "read, but not given back yet");
    drop(walk);
    assert!(twin.post(3, 0, 0, None));
    let rest: alloc::vec::Vec<_> = queue.drain().map(|cqe| cqe.unwrap().user_data()).collect();
    assert_eq!(rest, [2, 3], "what a walk left comes with the next");
}

#[test]
fn a_forgotten_walk_delivers_nothing_twice() {
    let mut twin = CompletionTwin::new(CqeLayout::Narrow, 4, 0);
    // SAFETY: the twin outlives the queue and keeps to the kernel's side.
    let mut queue = unsafe { twin.queue() };
    assert!(twin.post(1, 0, 0, None) && twin.post(2, 0, 0, None));
    let mut walk = queue.drain();
    assert_eq!(walk.next().unwrap().unwrap().user_data(), 1);
    core::mem::forget(walk);
    assert!(twin.post(3, 0, 0, None));
    let rest: alloc::vec::Vec<_> = queue.drain().map(|cqe| cqe.unwrap().user_data()).collect();
    assert_eq!(rest, [3]);
    assert!(
        (0..4).all(|n| twin.post(n, 0, 0, None)),
        "all slots are given back"
    );
}

#[test]
fn a_tail_that_makes_no_sense_delivers_nothing() {
    let mut twin = CompletionTwin::new(CqeLayout::Narrow, 4, 0);
    // SAFETY: the twin outlives the queue and keeps to the kernel's side.
    let mut queue = unsafe { twin.queue() };
    assert!(!queue.has_new());
    assert!(twin.post(1, 0, 0, None));
    assert!(queue.has_new());
    assert_eq!((queue.drain().count(), queue.is_broken()), (1, false));
    assert!(!queue.has_new());
    twin.commit(5); // more than the queue holds
    assert_eq!((queue.drain().count(), queue.is_broken()), (0, true));
    twin.commit(u32::MAX - 5); // behind the head
    assert_eq!((queue.drain().count(), queue.is_broken()), (0, true));
    twin.commit(1); // where it was
    assert!(twin.post(2, 0, 0, None) && twin.post(3, 0, 0, None));
    assert_eq!(queue.drain().next().unwrap().unwrap().user_data(), 2);
    assert!(!queue.is_broken());
    // Also what an earlier look found, and was not read, waits until the tail makes sense again.
    twin.commit(7);
    assert_eq!((queue.refresh(), queue.next_entry()), (0, None));
    twin.commit(u32::MAX - 6);
    assert_eq!(queue.refresh(), 1);
    assert_eq!(queue.next_entry().unwrap().unwrap().user_data(), 3);
}
