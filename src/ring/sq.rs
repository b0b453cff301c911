//! The submission queue: entries are written into slots, and published all at once.

use core::ptr::NonNull;
use core::time::Duration;

use super::sqe::Sqe;
use super::time;
use crate::index::Index;
use crate::sync::{AtomicU32, Ordering};
use crate::uapi::{self, __kernel_timespec, io_uring_sqe};

/// The submission queue is full: submit what is in it, then push again.
///
/// Carries what could not be pushed.
#[derive(Debug)]
pub struct QueueFull<T>(pub T);

impl<T> core::fmt::Display for QueueFull<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the submission queue is full: submit, then push again")
    }
}

impl<T: core::fmt::Debug> core::error::Error for QueueFull<T> {}

/// The producer's end of a ring's submission queue.
///
/// | access | ordering | pairs with (kernel 7.3) |
/// |---|---|---|
/// | load of `khead` | Acquire | `io_commit_sqring`: `smp_store_release(&rings->sq.head)` |
/// | store of `ktail` | Release | `io_sqring_entries`: `smp_load_acquire(&rings->sq.tail)` |
#[derive(Debug)]
pub(super) struct SubmissionQueue {
    /// Shared: written by the kernel, only inside `io_uring_enter` (there is no SQPOLL here).
    pub(super) khead: NonNull<AtomicU32>,
    /// Shared: written here, read by the kernel.
    pub(super) ktail: NonNull<AtomicU32>,
    pub(super) slots: NonNull<io_uring_sqe>,
    /// One time span per slot, for timeouts: the kernel copies it when it takes the entry.
    pub(super) spans: NonNull<__kernel_timespec>,
    pub(super) mask: u32,
    /// Next slot to write. Ahead of `ktail` until published.
    pub(super) tail: Index,
    /// The head as last loaded; may lag behind `khead`.
    pub(super) head: Index,
}

impl SubmissionQueue {
    /// Slots in the queue.
    pub(super) fn entries(&self) -> u32 {
        self.mask + 1
    }

    /// Entries pushed that the kernel has not taken yet.
    #[inline]
    pub(super) fn pending(&self) -> u32 {
        self.tail.distance_from(self.fresh_head())
    }

    /// Writes an entry into a free slot, or hands it back.
    #[inline]
    pub(super) fn push(&mut self, sqe: Sqe) -> Result<(), QueueFull<Sqe>> {
        match self.reserve() {
            Some(slot) => {
                self.write(slot, sqe.0);
                Ok(())
            }
            None => Err(QueueFull(sqe)),
        }
    }

    /// Pushes a timeout, see [`Ring::push_timeout`](super::Ring::push_timeout).
    pub(super) fn push_timeout(
        &mut self,
        span: Duration,
        completions: u32,
        user_data: u64,
    ) -> Result<(), QueueFull<Duration>> {
        let Some(slot) = self.reserve() else {
            return Err(QueueFull(span));
        };
        // SAFETY: there is one span per slot, and slot <= mask. The kernel reads a span only while it
        // takes the entry of the same slot, which is not published yet.
        let at = unsafe {
            let at = self.spans.add(slot as usize);
            at.write(time::timespec(span));
            at
        };
        let mut sqe = io_uring_sqe {
            opcode: uapi::IORING_OP_TIMEOUT as u8,
            fd: -1,
            len: 1,
            user_data,
            ..io_uring_sqe::default()
        };
        sqe.__bindgen_anon_1.off = u64::from(completions);
        sqe.__bindgen_anon_2.addr = at.as_ptr() as usize as u64;
        self.write(slot, sqe);
        Ok(())
    }

    /// The slot that the next entry goes into, if one is free.
    #[inline]
    fn reserve(&mut self) -> Option<u32> {
        if !self.has_room() {
            self.head = self.fresh_head();
        }
        self.has_room().then(|| self.tail.slot(self.mask))
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.tail.distance_from(self.head) <= self.mask
    }

    #[inline]
    fn write(&mut self, slot: u32, sqe: io_uring_sqe) {
        // SAFETY: slot <= mask lies inside the array, and reserve() found it to be free: the kernel
        // does not read it before the tail is published past it.
        unsafe { self.slots.add(slot as usize).write(sqe) };
        self.tail = self.tail.advanced(1);
    }

    /// Shows the kernel all entries pushed so far; answers how many wait to be taken.
    #[inline]
    pub(super) fn publish(&mut self) -> u32 {
        // SAFETY: ktail points into the ring mapping, which lives as long as the ring that owns self.
        let ktail = unsafe { self.ktail.as_ref() };
        // Release: pairs with the kernel's acquire in io_sqring_entries, so that the entries are
        // whole when the kernel sees the tail.
        ktail.store(self.tail.get(), Ordering::Release);
        self.pending()
    }

    #[inline]
    fn fresh_head(&self) -> Index {
        // SAFETY: khead points into the ring mapping, which lives as long as the ring that owns self.
        let khead = unsafe { self.khead.as_ref() };
        // Acquire: pairs with the kernel's release in io_commit_sqring, so that the kernel has read
        // the entries before their slots are written again.
        Index::new(khead.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests;
