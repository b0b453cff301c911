//! Entering the kernel: submission, waiting, and what the kernel answers.

use core::ffi::c_void;
use core::time::Duration;

use super::{sq, Ring};
use crate::errno::Errno;
use crate::error::{Attempt, Cause, Error, Reason};
use crate::syscall;
use crate::uapi;

static ENTER: Attempt = Attempt {
    what: "enter the ring",
    arguments: &["entries to submit", "completions to wait for"],
};

/// Why a wait came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a wait can end without a completion"]
pub enum Woken {
    /// The kernel returned as asked. Completions may be fewer than waited for: when entries were
    /// submitted by the same call, the kernel reports those and not how the wait ended.
    Returned,
    /// The time was up.
    TimedOut,
    /// A signal arrived.
    Interrupted,
}

impl Ring {
    /// Hands all pushed entries to the kernel, without waiting. Answers how many it took: fewer than
    /// pushed only if it ran out of memory for requests; those left stay in the queue.
    ///
    /// # Errors
    ///
    /// EAGAIN if no request could be allocated; EEXIST cannot happen on the owner thread.
    pub fn submit(&mut self) -> Result<u32, Error> {
        let to_submit = self.submissions.publish();
        if to_submit == 0 {
            return Ok(0);
        }
        self.enter(to_submit, 0, 0, None)
            .map_err(|errno| enter_error(to_submit, 0, errno))
    }

    /// Hands all pushed entries to the kernel and waits until `completions` are in the queue.
    ///
    /// With 0 it runs what the kernel has put off for this ring and returns at once.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit); EBADR if the kernel dropped completions for lack of memory.
    pub fn submit_and_wait(&mut self, completions: u32) -> Result<Woken, Error> {
        self.wait(completions, None)
    }

    /// As [`submit_and_wait`](Self::submit_and_wait), but at most for `timeout`.
    ///
    /// # Errors
    ///
    /// As [`submit_and_wait`](Self::submit_and_wait). Time running out is no error.
    pub fn submit_and_wait_for(
        &mut self,
        completions: u32,
        timeout: Duration,
    ) -> Result<Woken, Error> {
        self.wait(completions, Some(timeout))
    }

    fn wait(&mut self, completions: u32, timeout: Option<Duration>) -> Result<Woken, Error> {
        let to_submit = self.submissions.publish();
        match self.enter(
            to_submit,
            completions,
            uapi::IORING_ENTER_GETEVENTS,
            timeout,
        ) {
            Ok(_) => Ok(Woken::Returned),
            Err(Errno::TIME) => Ok(Woken::TimedOut),
            Err(Errno::INTR) => Ok(Woken::Interrupted),
            Err(errno) => Err(enter_error(to_submit, completions, errno)),
        }
    }

    /// Fails if the completion queue is [broken](super::CompletionQueue::is_broken): then no completion will come.
    ///
    /// # Errors
    ///
    /// The kernel wrote what it never writes.
    pub fn check(&self) -> Result<(), Error> {
        if self.completions.is_broken() {
            let how = "the completion queue's tail is further from its head than the queue is long";
            return Err(Error::new(&ENTER, [0, 0], Reason::Answer(how), &[]));
        }
        Ok(())
    }

    /// Lets completions that the kernel keeps back move into the queue, as far as it has room.
    ///
    /// Slots count as free once their walk was dropped, so drain first.
    ///
    /// # Errors
    ///
    /// As [`submit_and_wait`](Self::submit_and_wait).
    pub fn flush_overflow(&mut self) -> Result<(), Error> {
        let flushed = self.enter(0, 0, uapi::IORING_ENTER_GETEVENTS, None);
        match flushed {
            // The flush comes before the wait in which a signal would be noticed.
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(enter_error(0, 0, errno)),
        }
    }

    /// The error of a ring whose entries the kernel does not take.
    #[cfg(feature = "alloc")]
    pub(crate) fn busy(&self) -> Error {
        enter_error(self.submissions.pending(), 0, Errno::AGAIN)
    }

    #[inline]
    fn enter(
        &mut self,
        to_submit: u32,
        completions: u32,
        flags: u32,
        timeout: Option<Duration>,
    ) -> Result<u32, Errno> {
        let fd = self.fd.as_raw();
        let Some(timeout) = timeout else {
            // SAFETY: entries were pushed through SubmissionQueue, whose safe calls take none that
            // name memory and whose unsafe one has its caller's promise. No argument is passed.
            return unsafe {
                syscall::enter(fd, to_submit, completions, flags, core::ptr::null(), 0)
            };
        };
        let span = sq::timespec(timeout);
        let argument = uapi::io_uring_getevents_arg {
            ts: core::ptr::from_ref(&span) as usize as u64,
            ..Default::default()
        };
        let flags = flags | uapi::IORING_ENTER_EXT_ARG;
        let argument: *const c_void = core::ptr::from_ref(&argument).cast();
        let len = size_of::<uapi::io_uring_getevents_arg>();
        // SAFETY: for the entries as above. The argument and the time span that it points to live on
        // this stack frame until the call returns, and len is the argument's own.
        unsafe { syscall::enter(fd, to_submit, completions, flags, argument, len) }
    }
}

fn enter_error(to_submit: u32, completions: u32, errno: Errno) -> Error {
    let causes: &[Cause] = match errno {
        Errno::EXIST => &[Cause {
            cause: "another thread than the ring's owner called",
            remedy: "use the ring on the thread that enabled it",
        }],
        Errno::AGAIN | Errno::NOMEM => &[Cause {
            cause: "the kernel has no memory for more requests",
            remedy: "read completions and try again",
        }],
        Errno::BADR => &[Cause {
            cause: "the kernel had no memory to keep completions that found the queue full, and dropped them",
            remedy: "ask for more completion entries, or more memory",
        }],
        Errno::BUSY => &[Cause {
            cause: "completions wait in the kernel for room in the queue",
            remedy: "read completions, flush the overflow and try again",
        }],
        _ => &[],
    };
    let arguments = [u64::from(to_submit), u64::from(completions)];
    Error::new(&ENTER, arguments, Reason::Kernel(errno), causes)
}
