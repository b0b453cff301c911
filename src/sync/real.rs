//! The real thing.

use core::ptr::NonNull;

#[cfg(feature = "alloc")]
pub(crate) use core::sync::atomic::AtomicBool;
pub(crate) use core::sync::atomic::{fence, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

/// Sleeps as long as `word` is `value`, or less long.
pub(crate) fn futex_wait(word: &AtomicU32, value: u32) {
    futex(word, libc::FUTEX_WAIT, value);
}

/// Wakes one that sleeps on `word`.
pub(crate) fn futex_wake_one(word: &AtomicU32) {
    futex(word, libc::FUTEX_WAKE, 1);
}

fn futex(word: &AtomicU32, operation: libc::c_int, value: u32) {
    // SAFETY: the word lives during the call and is known to this process alone; no time-out is passed. An error
    // (a signal, another value) only means to look again.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            operation | libc::FUTEX_PRIVATE_FLAG,
            value,
            core::ptr::null::<libc::timespec>(),
        )
    };
}

/// Announces a plain read of an entry that another thread, or the kernel, writes at other times: models check that
/// it comes after the write.
#[inline(always)]
pub(crate) fn reads<T>(_: NonNull<T>) {}

/// Announces a plain write of such an entry: models check that it comes after all reads of what was there.
#[inline(always)]
pub(crate) fn writes<T>(_: NonNull<T>) {}

/// Makes `count` entries at `_first` known to models.
#[cfg(any(test, feature = "twin"))]
pub(crate) fn track<T>(_first: NonNull<T>, _count: usize) {}
