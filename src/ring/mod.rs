//! A small io_uring made for receiving: one submission queue, one completion queue that can mix 16-
//! and 32-byte entries, and one owner thread.
//!
//! The kernel and this process share four words, two per queue. Each is written by one side only:
//!
//! | word | written by | published with | read with | what the pair orders |
//! |---|---|---|---|---|
//! | `sq.tail` | us, once per submission | Release | acquire in the kernel | entries before the tail |
//! | `sq.head` | kernel | release in the kernel | Acquire | the kernel's reads before a slot's reuse |
//! | `cq.tail` | kernel | release in the kernel | Acquire | entries before the tail |
//! | `cq.head` | us, once per drain | Release | the kernel's read | our reads before a slot's reuse |
//!
//! Names that begin with `k` are these shared words; those without are this side's own copies.

mod builder;
mod cq;
mod cqe;
mod disabled;
mod probe;
mod ring_fd;
mod sq;
mod sqe;

use core::ffi::c_void;
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use static_assertions::{assert_impl_all, assert_not_impl_any};

pub use builder::{RingBuilder, MAX_COMPLETION_ENTRIES, MAX_SUBMISSION_ENTRIES};
pub use cq::{CompletionQueue, Completions};
pub use cqe::{Cqe, CqeLayout, Entry, MalformedCqe};
pub use disabled::DisabledRing;
pub use probe::mixed_completions_are_sound;
pub use ring_fd::RingFd;
pub use sq::QueueFull;
pub use sqe::Sqe;

use crate::errno::Errno;
use crate::error::{Attempt, Cause, Error, Reason};
use crate::fd::Fd;
use crate::mapping::Mapping;
use crate::syscall;
use crate::uapi;
use sq::SubmissionQueue;

static ENTER: Attempt = Attempt {
    what: "enter the ring",
    arguments: &["entries to submit", "completions to wait for"],
};

assert_not_impl_any!(Ring: Send, Sync, Clone);
assert_impl_all!(DisabledRing: Send);
assert_not_impl_any!(DisabledRing: Sync);

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

/// An io_uring that belongs to the thread that enabled it.
///
/// Neither `Send` nor `Sync`: the kernel answers EEXIST to calls from another thread. Dropping it closes
/// the descriptor; the kernel cancels what is still active and tears the ring down in its own time.
#[derive(Debug)]
pub struct Ring {
    submissions: SubmissionQueue,
    completions: CompletionQueue,
    /// Shared: the kernel's notes to this side (`IORING_SQ_*`).
    kflags: NonNull<AtomicU32>,
    /// Shared: completions that the kernel had to drop.
    koverflow: NonNull<AtomicU32>,
    setup_flags: u32,
    features: u32,
    fd: Fd,
    // Fields drop in this order: the descriptor is closed before the memory it names is unmapped.
    _rings: Mapping,
    _sqes: Mapping,
    _spans: Mapping,
    /// Keeps Ring from being Send and Sync.
    _owner_thread: PhantomData<*mut ()>,
}

impl Ring {
    // The queues themselves are never handed out: swapped with those of another ring, they would outlive
    // the memory that they point into.

    /// Pushes an entry; the kernel sees it with the next submission.
    ///
    /// # Errors
    ///
    /// [`QueueFull`] hands the entry back: [`submit`](Self::submit), then push again.
    #[inline]
    pub fn push(&mut self, sqe: Sqe) -> Result<(), QueueFull<Sqe>> {
        self.submissions.push(sqe)
    }

    /// Pushes an entry that the caller filled by hand.
    ///
    /// # Safety
    ///
    /// Whatever memory the entry names must be valid for what the operation does with it, until its
    /// completion was read; no descriptor may be closed that somebody else owns; and the request must
    /// not post to a ring completions that imitate those of zero-copy receive.
    ///
    /// # Errors
    ///
    /// [`QueueFull`] hands the entry back.
    pub unsafe fn push_raw(
        &mut self,
        sqe: uapi::io_uring_sqe,
    ) -> Result<(), QueueFull<uapi::io_uring_sqe>> {
        self.push(Sqe(sqe))
            .map_err(|QueueFull(sqe)| QueueFull(sqe.0))
    }

    /// Pushes a timeout: it completes with ETIME after `span`, or with 0 as soon as `completions`
    /// others were posted (never for that reason if it is 0).
    ///
    /// # Errors
    ///
    /// [`QueueFull`] if there is no slot.
    pub fn push_timeout(
        &mut self,
        span: Duration,
        completions: u32,
        user_data: u64,
    ) -> Result<(), QueueFull<Duration>> {
        self.submissions.push_timeout(span, completions, user_data)
    }

    /// Entries pushed that the kernel has not taken yet.
    pub fn pending(&self) -> u32 {
        self.submissions.pending()
    }

    /// Walks the completions that are there now; their slots go back to the kernel when the walk is
    /// dropped.
    #[inline]
    pub fn completions(&mut self) -> Completions<'_> {
        self.completions.drain()
    }

    /// Gives all completions read so far back to the kernel and looks for new ones; answers how many slots
    /// are ready. For callers that read by [`next_completion`](Self::next_completion).
    #[inline]
    pub fn refresh_completions(&mut self) -> u32 {
        self.completions.publish();
        self.completions.refresh()
    }

    /// The next completion among those that the last [`refresh_completions`](Self::refresh_completions)
    /// found.
    ///
    /// # Errors
    ///
    /// A [`MalformedCqe`] stands in the place of an entry that breaks the kernel's rules.
    #[inline]
    pub fn next_completion(&mut self) -> Option<Result<Cqe, MalformedCqe>> {
        self.completions.next_entry()
    }

    /// Submission entries that the kernel granted.
    pub fn entries(&self) -> u32 {
        self.submissions.entries()
    }

    /// Completion slots that the kernel granted.
    pub fn completion_entries(&self) -> u32 {
        self.completions.entries()
    }

    /// The layout of the completion queue that the kernel granted.
    pub fn layout(&self) -> CqeLayout {
        self.completions.layout()
    }

    /// `IORING_SETUP_*` flags of this ring.
    pub fn setup_flags(&self) -> u32 {
        self.setup_flags
    }

    /// `IORING_FEAT_*` flags of the kernel.
    pub fn features(&self) -> u32 {
        self.features
    }

    /// The descriptor with the setup flags, as registrations take it.
    pub fn as_ring_fd(&self) -> RingFd<'_> {
        RingFd::new(self.fd.as_raw(), self.setup_flags)
    }

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

    /// Fails if the completion queue is [broken](CompletionQueue::is_broken): then no completion will come.
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

    /// Whether completions wait in the kernel because the queue was full when they came.
    ///
    /// As long as one does, zero-copy receive posts nothing more: drain the queue, then
    /// [`flush_overflow`](Self::flush_overflow).
    #[inline]
    pub fn has_overflow(&self) -> bool {
        // Relaxed: a hint that the next enter makes fresh; no memory is read on its strength.
        self.kernel_flags().load(Ordering::Relaxed) & uapi::IORING_SQ_CQ_OVERFLOW != 0
    }

    /// Whether the kernel has put off work until this thread enters (`IORING_SQ_TASKRUN`): for loops
    /// that watch the descriptor instead of waiting here.
    #[inline]
    pub fn has_task_work(&self) -> bool {
        // Relaxed: a hint, as above.
        self.kernel_flags().load(Ordering::Relaxed) & uapi::IORING_SQ_TASKRUN != 0
    }

    /// Completions that the kernel had to drop because it had no memory to keep them. Not 0 means
    /// that something was lost for good.
    pub fn dropped_completions(&self) -> u32 {
        // Relaxed: a count that orders nothing; the kernel adds to it (io_cqe_overflow).
        // SAFETY: koverflow points into the ring mapping that self owns.
        unsafe { self.koverflow.as_ref() }.load(Ordering::Relaxed)
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

    fn kernel_flags(&self) -> &AtomicU32 {
        // SAFETY: kflags points into the ring mapping that self owns, and the kernel writes the word
        // atomically.
        unsafe { self.kflags.as_ref() }
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

#[cfg(feature = "std")]
impl std::os::fd::AsFd for Ring {
    /// The descriptor becomes readable when completions are there, or when the kernel has put off
    /// work ([`Ring::has_task_work`]): then [`Ring::submit_and_wait`] with 0.
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(&self.fd)
    }
}

#[cfg(feature = "std")]
impl std::os::fd::AsRawFd for Ring {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.fd.as_raw()
    }
}
