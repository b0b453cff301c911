//! The submission queue: entries are written into slots, and published all at once.

use core::ptr::NonNull;
use core::time::Duration;

use super::sqe::Sqe;
use super::time;
use crate::producer::Producer;
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
    /// There is no SQPOLL here: the kernel takes entries only inside `io_uring_enter`.
    pub(super) ring: Producer<io_uring_sqe>,
    /// One time span per slot, for timeouts: the kernel copies it when it takes the entry.
    pub(super) spans: NonNull<__kernel_timespec>,
}

impl SubmissionQueue {
    /// Slots in the queue.
    pub(super) fn entries(&self) -> u32 {
        self.ring.entries()
    }

    /// Entries pushed that the kernel has not taken yet.
    #[inline]
    pub(super) fn pending(&self) -> u32 {
        self.ring.pending()
    }

    /// Writes an entry into a free slot, or hands it back.
    #[inline]
    pub(super) fn push(&mut self, sqe: Sqe) -> Result<(), QueueFull<Sqe>> {
        if !self.ring.has_room() {
            return Err(QueueFull(sqe));
        }
        // SAFETY: there is room, and the ring's mapping lives as long as the ring that owns self.
        unsafe { self.ring.put(sqe.0) };
        Ok(())
    }

    /// Pushes a timeout, see [`Ring::push_timeout`](super::Ring::push_timeout).
    pub(super) fn push_timeout(
        &mut self,
        span: Duration,
        completions: u32,
        user_data: u64,
    ) -> Result<(), QueueFull<Duration>> {
        let Some(slot) = self.ring.next_slot() else {
            return Err(QueueFull(span));
        };
        // SAFETY: there is one span per slot, and this is one. The kernel reads a span only while it
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
        // SAFETY: as in push().
        unsafe { self.ring.put(sqe) };
        Ok(())
    }

    /// Shows the kernel all entries pushed so far; answers how many wait to be taken.
    #[inline]
    pub(super) fn publish(&mut self) -> u32 {
        self.ring.publish();
        self.ring.unconsumed()
    }
}

#[cfg(test)]
mod tests;
