//! Entering the kernel: submission, waiting, and what the kernel answers.

use core::time::Duration;

use super::{time, Ring};
use crate::errno::Errno;
use crate::error::{Attempt, Cause, Error, Reason};
use crate::syscall;
use crate::uapi;

static ENTER: Attempt = Attempt {
    what: "enter the ring",
    arguments: &["entries to submit", "completions to wait for"],
};

static BATCH: Attempt = Attempt {
    what: "wait for a batch of completions",
    arguments: &["completions", "least wait µs", "timeout µs"],
};

/// How long a wait may last.
struct Limit {
    timeout: Duration,
    /// After how many microseconds one completion is enough; 0 for never.
    min_wait: u32,
}

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
    /// With 0 it runs what the kernel has put off for this ring and returns at once. The kernel counts
    /// slots: under [`CqeLayout::Mixed`](super::CqeLayout::Mixed) a 32-byte completion counts as two.
    /// More than the queue has means all of them (up to 2³¹ - 1; larger numbers the kernel takes for
    /// negative).
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit); EBADR if the kernel dropped completions for lack of memory.
    pub fn submit_and_wait(&mut self, completions: u32) -> Result<Woken, Error> {
        self.wait(completions, None)
    }

    /// As [`submit_and_wait`](Self::submit_and_wait), but at most for `timeout`.
    ///
    /// With no time at all the kernel sets a timer nevertheless, which takes 18 µs in a virtual machine: to look what
    /// is there, wait for 0 completions.
    ///
    /// # Errors
    ///
    /// As [`submit_and_wait`](Self::submit_and_wait). Time running out is no error.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zcrx_sys::ring::{RingBuilder, Woken};
    /// let mut ring = RingBuilder::new(8).build()?;
    /// assert_eq!(ring.submit_and_wait_for(1, Duration::from_millis(1))?, Woken::TimedOut);
    /// # Ok::<(), zcrx_sys::Error>(())
    /// ```
    pub fn submit_and_wait_for(
        &mut self,
        completions: u32,
        timeout: Duration,
    ) -> Result<Woken, Error> {
        let limit = Limit {
            timeout,
            min_wait: 0,
        };
        self.wait(completions, Some(&limit))
    }

    /// As [`submit_and_wait`](Self::submit_and_wait), but content with less as time goes by: with
    /// `completions` at any time, with one after `min_wait`, with none after `timeout` (`None`: never).
    /// Kernel 6.12.
    ///
    /// `min_wait` counts in whole microseconds, rounded up, and is at most `u32::MAX` of them (71
    /// minutes). If it is 0, or not below `timeout`, the wait is an ordinary one for `completions`.
    ///
    /// It helps a receiver of many small pieces that can bear a delay of `min_wait`: it wakes once for
    /// what came in that time, a socket's pieces come together in one completion, and while nothing comes
    /// it sleeps on. On loopback, with 100 bytes every 10 µs over 8 sockets, waits of (64, 200 µs) were
    /// 0.05 as many as waits for one completion, and took 0.50 of the CPU time; with full buffers from
    /// fast senders there is little to gain.
    ///
    /// Until this thread wakes, the kernel counts a socket that became readable as one, however much has
    /// arrived (deferred task work, kernel 6.1). So `completions` above the number of sockets makes each
    /// wait last `min_wait`, and a number below it lets a wait end as soon as so many are readable.
    ///
    /// # Errors
    ///
    /// As [`submit_and_wait`](Self::submit_and_wait); a `min_wait` too long; a kernel without
    /// `IORING_FEAT_MIN_TIMEOUT`. Time running out is no error; work that completes nothing can make the
    /// kernel say so after `min_wait` already.
    pub fn submit_and_wait_batch(
        &mut self,
        completions: u32,
        min_wait: Duration,
        timeout: Option<Duration>,
    ) -> Result<Woken, Error> {
        // A wait with a least time and no timeout would end with the former, even with nothing there.
        let timeout = timeout.unwrap_or(Duration::MAX);
        let error = |reason| {
            let [least, most] = [min_wait, timeout].map(time::microseconds);
            Error::new(&BATCH, [u64::from(completions), least, most], reason, &[])
        };
        if self.features & uapi::IORING_FEAT_MIN_TIMEOUT == 0 {
            let what = "waiting for a batch needs kernel 6.12";
            return Err(error(Reason::Unsupported(what)));
        }
        let Ok(microseconds) = u32::try_from(time::microseconds(min_wait)) else {
            let (name, must) = ("least wait µs", "be at most 4294967295");
            return Err(error(Reason::Argument { name, must }));
        };
        // The kernel would wait for the longer of the two.
        let min_wait = if min_wait < timeout { microseconds } else { 0 };
        self.wait(completions, Some(&Limit { timeout, min_wait }))
    }

    #[inline]
    fn wait(&mut self, completions: u32, limit: Option<&Limit>) -> Result<Woken, Error> {
        let to_submit = self.submissions.publish();
        match self.enter(to_submit, completions, uapi::IORING_ENTER_GETEVENTS, limit) {
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
        limit: Option<&Limit>,
    ) -> Result<u32, Errno> {
        let fd = self.descriptor.enter_fd;
        let flags = flags | self.descriptor.enter_flags;
        let Some(limit) = limit else {
            // SAFETY: entries were pushed through SubmissionQueue, whose safe calls take none that
            // name memory and whose unsafe one has its caller's promise. No flag asks for an argument.
            return unsafe { syscall::enter(fd, to_submit, completions, flags) };
        };
        let span = time::timespec(limit.timeout);
        let argument = uapi::io_uring_getevents_arg {
            ts: core::ptr::from_ref(&span) as usize as u64,
            min_wait_usec: limit.min_wait,
            ..Default::default()
        };
        // SAFETY: for the entries as above. The time span that the argument points to lives on this stack
        // frame until the call returns; its other pointer is null.
        unsafe { syscall::enter_within(fd, to_submit, completions, flags, &argument) }
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
