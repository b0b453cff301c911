use loom::thread;

use super::*;
use crate::sync::model;
use crate::twin::CompletionTwin;

fn extra_of(layout: CqeLayout, n: u64) -> Option<[u64; 2]> {
    match layout {
        CqeLayout::Narrow => None,
        CqeLayout::Wide => Some([n, !n]),
        CqeLayout::Mixed => (n % 2 != 0).then_some([n, !n]),
    }
}

/// Posts `count` completions, each as soon as there is room.
fn post_all(twin: &mut CompletionTwin, layout: CqeLayout, count: u64) {
    for n in 0..count {
        while !twin.post(n, n as i32, 0, extra_of(layout, n)) {
            thread::yield_now();
        }
    }
}

/// More completions than the queue has slots, past the wrap of the indices.
fn consume(layout: CqeLayout, entries: u32, count: u64) {
    model(2, move || {
        let mut twin = CompletionTwin::new(layout, entries, u32::MAX - 1);
        // SAFETY: the twin outlives the queue (it is dropped after the join) and keeps to the kernel's side.
        let mut queue = unsafe { twin.queue() };
        let kernel = thread::spawn(move || {
            post_all(&mut twin, layout, count);
            twin
        });
        let mut seen = 0;
        while seen < count {
            let before = seen;
            for cqe in queue.drain() {
                let cqe = cqe.unwrap();
                assert_eq!((cqe.user_data(), cqe.res()), (seen, seen as i32));
                assert_eq!(cqe.extra(), extra_of(layout, seen));
                seen += 1;
            }
            assert!(!queue.is_broken());
            if seen == before {
                thread::yield_now();
            }
        }
        let _twin = kernel.join().unwrap();
        assert_eq!(queue.drain().count(), 0, "none twice");
    });
}

#[test]
fn each_entry_is_seen_whole_and_once_and_no_slot_is_reused_too_early() {
    consume(CqeLayout::Narrow, 2, 3);
    consume(CqeLayout::Wide, 2, 3);
    consume(CqeLayout::Mixed, 2, 2);
}

#[test]
fn entries_read_one_by_one_keep_their_slots_until_they_are_published() {
    model(3, || {
        let mut twin = CompletionTwin::new(CqeLayout::Narrow, 1, u32::MAX);
        // SAFETY: as in consume().
        let mut queue = unsafe { twin.queue() };
        let kernel = thread::spawn(move || {
            post_all(&mut twin, CqeLayout::Narrow, 2);
            twin
        });
        for n in 0..2 {
            // A look without an order is enough to go and look with one.
            while !queue.has_new() {
                thread::yield_now();
            }
            assert_eq!(queue.refresh(), 1);
            assert_eq!(queue.next_entry().unwrap().unwrap().user_data(), n);
            queue.publish();
        }
        let _twin = kernel.join().unwrap();
    });
}
