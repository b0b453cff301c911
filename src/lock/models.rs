use std::sync::Arc;
use std::vec::Vec;

use loom::cell::UnsafeCell;
use loom::thread;

use super::*;
use crate::sync::model;

/// A value in which loom sees each access.
struct Counted(UnsafeCell<u32>);

// SAFETY: it is used under a lock, and loom finds out if it is not.
unsafe impl Send for Counted {}

fn add_one(lock: &Lock<Counted>) {
    let guard = lock.lock();
    // SAFETY: the guard is the only one there is; loom checks it.
    guard.0.with_mut(|count| unsafe { *count += 1 });
}

#[test]
fn one_at_a_time_sees_what_the_last_did_and_nobody_sleeps_on() {
    // Three threads: one holds the lock, one sleeps, one comes when it is let go.
    for (threads, times) in [(2, 2), (3, 1)] {
        model(3, move || {
            let lock = Arc::new(Lock::new(Counted(UnsafeCell::new(0))));
            let run = move |lock: Arc<_>| (0..times).for_each(|_| add_one(&lock));
            let others: Vec<_> = (1..threads)
                .map(|_| {
                    let lock = lock.clone();
                    thread::spawn(move || run(lock))
                })
                .collect();
            run(lock.clone());
            for other in others {
                other.join().unwrap();
            }
            // SAFETY: as above.
            let count = lock.lock().0.with(|count| unsafe { *count });
            assert_eq!(count, threads * times);
        });
    }
}
