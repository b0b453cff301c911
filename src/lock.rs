//! [`Lock`]: a mutual exclusion lock that works without `std`.

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use crate::sync::{futex_wait, futex_wake_one, AtomicU32, Ordering};

/// A value that one thread at a time can get at. Waiters sleep in the kernel (futex).
///
/// It is not poisoned: what it guards here is valid whenever a guard can drop.
#[derive(Debug)]
pub(crate) struct Lock<T> {
    state: AtomicU32,
    value: UnsafeCell<T>,
}

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and somebody may sleep: whoever unlocks has to wake one.
const AWAITED: u32 = 2;

// SAFETY: the lock hands the value out to one thread at a time, so it is enough that it may move between
// threads.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            state: AtomicU32::new(FREE),
            value: UnsafeCell::new(value),
        }
    }

    /// Waits until nobody else has the value.
    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        // Acquire: pairs with the Release of Guard::drop, so that what the last holder wrote is seen.
        let taken = self
            .state
            .compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed);
        if taken.is_err() {
            self.wait();
        }
        Guard {
            lock: self,
            _here: PhantomData,
        }
    }

    #[cold]
    fn wait(&self) {
        // Acquire: as in lock().
        while self.state.swap(AWAITED, Ordering::Acquire) != FREE {
            futex_wait(&self.state, AWAITED);
        }
    }
}

/// The right to use the value of a [`Lock`].
#[derive(Debug)]
pub(crate) struct Guard<'a, T> {
    lock: &'a Lock<T>,
    /// Neither Send nor Sync: the value need not be Sync.
    _here: PhantomData<*mut ()>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held by this guard, so nobody else refers to the value.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // Release: pairs with the Acquire of the next holder.
        if self.lock.state.swap(FREE, Ordering::Release) == AWAITED {
            futex_wake_one(&self.lock.state);
        }
    }
}

#[cfg(all(loom, test))]
mod models;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_nobody_sleeps_on() {
        let lock = Lock::new((0_u64, 0_u64));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        let mut both = lock.lock();
                        both.0 += 1;
                        assert_eq!(both.0, both.1 + 1);
                        both.1 += 1;
                    }
                });
            }
        });
        assert_eq!(*lock.lock(), (80_000, 80_000));
    }

    /// Without luck: the second is known to wait before the first lets go.
    #[test]
    fn whoever_finds_it_held_waits_and_is_woken() {
        use std::sync::mpsc;
        use std::time::Duration;

        let lock = std::sync::Arc::new(Lock::new(0));
        for round in 1..=100 {
            let mut first = lock.lock();
            let (give, take) = mpsc::channel();
            let second = lock.clone();
            // Not scoped: one that is never woken must not keep the test from failing.
            let thread = std::thread::spawn(move || give.send(*second.lock()).unwrap());
            while lock.state.load(Ordering::Relaxed) != AWAITED {
                assert_eq!(take.try_recv(), Err(mpsc::TryRecvError::Empty), "it got in");
                std::thread::yield_now();
            }
            *first = round;
            drop(first);
            let seen = take.recv_timeout(Duration::from_secs(10));
            assert_eq!(seen, Ok(round), "it was woken, and saw what was written");
            thread.join().unwrap();
        }
    }
}
