//! [`Shared`]: a value with several holders, without an allocator.

use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;

use crate::errno::Errno;
use crate::mapping::{page_size, Mapping};
use crate::sync::{fence, AtomicUsize, Ordering};

/// A holder of a value that lives until its last holder is gone: `Arc`, in a mapping of its own.
#[derive(Debug)]
pub(crate) struct Shared<T> {
    inner: NonNull<Inner<T>>,
    _owns: PhantomData<Inner<T>>,
}

#[derive(Debug)]
struct Inner<T> {
    holders: AtomicUsize,
    /// What this lies in.
    memory: Mapping,
    value: T,
}

// SAFETY: a holder gives out shared references, and drops the value in whatever thread is the last.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above: sharing a holder lets other threads clone it.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

/// Memory for a value that is to come: making it can fail, filling it cannot.
#[derive(Debug)]
pub(crate) struct Vacant<T> {
    memory: Mapping,
    _for: PhantomData<T>,
}

impl<T> Vacant<T> {
    #[inline]
    pub(crate) fn new() -> Result<Self, Errno> {
        const {
            assert!(
                align_of::<Inner<T>>() <= 4096,
                "mappings are aligned to pages"
            )
        };
        let len = size_of::<Inner<T>>().next_multiple_of(page_size());
        Ok(Self {
            memory: Mapping::inherited(len)?,
            _for: PhantomData,
        })
    }

    #[inline]
    pub(crate) fn fill(self, value: T) -> Shared<T> {
        let inner: NonNull<Inner<T>> = self.memory.base().cast();
        let content = Inner {
            holders: AtomicUsize::new(1),
            memory: self.memory,
            value,
        };
        // SAFETY: the mapping is fresh, long enough (new), aligned to a page and unknown to anybody else.
        unsafe { inner.write(content) };
        Shared {
            inner,
            _owns: PhantomData,
        }
    }
}

impl<T> Shared<T> {
    #[inline]
    fn inner(&self) -> &Inner<T> {
        // SAFETY: it was written by fill() and lives as long as any holder; it is only read from then on.
        unsafe { self.inner.as_ref() }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner().value
    }
}

impl<T> Clone for Shared<T> {
    #[inline]
    fn clone(&self) -> Self {
        // Relaxed: whoever clones is a holder, so the value is there whatever the order. There cannot be
        // as many holders as a usize counts: each takes some memory.
        self.inner().holders.fetch_add(1, Ordering::Relaxed);
        Self {
            inner: self.inner,
            _owns: PhantomData,
        }
    }
}

impl<T> Drop for Shared<T> {
    #[inline]
    fn drop(&mut self) {
        // Release: pairs with the Acquire below: what this holder did comes before the value is dropped.
        if self.inner().holders.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        fence(Ordering::Acquire);
        // SAFETY: this was the last holder, so nobody refers to it any more; it is read out once, and its
        // memory is unmapped after the value was dropped.
        let Inner { memory, value, .. } = unsafe { self.inner.read() };
        drop(value);
        drop(memory);
    }
}

#[cfg(all(loom, test))]
mod models;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn the_last_holder_drops_it() {
        struct Bell<'a>(&'a AtomicBool);
        impl Drop for Bell<'_> {
            fn drop(&mut self) {
                assert!(!self.0.swap(true, Ordering::Relaxed), "twice");
            }
        }
        let rung = AtomicBool::new(false);
        let first = Vacant::new().unwrap().fill(Bell(&rung));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let holder = first.clone();
                scope.spawn(move || {
                    for _ in 0..1000 {
                        assert!(!holder.clone().0.load(Ordering::Relaxed));
                    }
                });
            }
        });
        assert!(!rung.load(Ordering::Relaxed));
        drop(first);
        assert!(rung.load(Ordering::Relaxed));
    }
}
