use std::sync::atomic::AtomicBool;
use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::thread;

use super::*;
use crate::sync::model;

/// Used by all holders, and then dropped: loom sees both.
struct Watched {
    use_of_it: UnsafeCell<()>,
    dropped: Arc<AtomicBool>,
}

// SAFETY: it is used, and then dropped; loom finds out if it is not in this order.
unsafe impl Sync for Watched {}

impl Drop for Watched {
    fn drop(&mut self) {
        self.use_of_it.with_mut(|_| ());
        assert!(!self.dropped.swap(true, Ordering::Relaxed), "twice");
    }
}

#[test]
fn the_value_is_dropped_once_after_all_have_used_it() {
    model(9, || {
        let dropped = Arc::new(AtomicBool::new(false));
        let first = Vacant::new().unwrap().fill(Watched {
            use_of_it: UnsafeCell::new(()),
            dropped: dropped.clone(),
        });
        let second = first.clone();
        let other = thread::spawn(move || {
            let third = second.clone();
            drop(second);
            third.use_of_it.with(|_| ());
        });
        first.use_of_it.with(|_| ());
        drop(first);
        other.join().unwrap();
        assert!(dropped.load(Ordering::Relaxed));
    });
}
