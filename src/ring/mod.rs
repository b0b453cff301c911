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
//!
//! # Waiting
//!
//! [`Ring::submit_and_wait`] is all that most receivers need. What can be had beyond it, and when it helps:
//!
//! | what | helps | since |
//! |---|---|---|
//! | [`submit_and_wait_batch`](Ring::submit_and_wait_batch) | many small pieces, if they can wait | 6.12 |
//! | [`busy_poll`](Ring::busy_poll) | latency counts, and the receiver has a core to itself | 6.9 |
//! | [`register_descriptor`](Ring::register_descriptor) | the kernel is entered often and for little | 5.18 |
//! | [`register_eventfd`](Ring::register_eventfd) | many rings in somebody else's poll loop | 5.2 |
//! | [`Sqe::poll_add_multishot`] of an eventfd | other threads are to wake the ring's owner | 5.13 |

mod builder;
mod busy_poll;
mod cq;
mod cqe;
mod descriptor;
mod disabled;
mod enter;
mod eventfd;
mod layout;
mod probe;
mod ring_fd;
mod sq;
mod sqe;
mod time;

use core::marker::PhantomData;
use core::ptr::NonNull;
use core::time::Duration;

use static_assertions::{assert_impl_all, assert_not_impl_any};

pub use builder::{RingBuilder, MAX_COMPLETION_ENTRIES, MAX_SUBMISSION_ENTRIES};
pub use busy_poll::{BusyPoll, NapiTracking};
pub use cq::{CompletionQueue, Completions};
pub use cqe::{Cqe, CqeLayout, Entry, MalformedCqe};
pub use disabled::DisabledRing;
pub use enter::Woken;
pub use layout::{Any, Layout, Mixed, Narrow, Wide};
pub use probe::mixed_completions_are_sound;
pub use ring_fd::RingFd;
pub use sq::QueueFull;
pub use sqe::Sqe;

use crate::error::Cause;
use crate::mapping::Mapping;
use crate::sync::{AtomicU32, Ordering};
use crate::uapi;
use descriptor::Descriptor;
use sq::SubmissionQueue;

assert_not_impl_any!(Ring: Send, Sync, Clone);
assert_impl_all!(DisabledRing: Send);
assert_not_impl_any!(DisabledRing: Sync);

/// Why a register call can be answered EACCES.
static RESTRICTED: [Cause; 1] = [Cause {
    cause: "the ring was restricted before it was enabled",
    remedy: "allow the register call among its restrictions",
}];

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
    descriptor: Descriptor,
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

    /// As [`completions`](Self::completions), for loops that are compiled for one layout
    /// ([`CompletionQueue::drain_as`]); `None` if the ring has another.
    #[inline]
    pub fn completions_as<L: Layout>(&mut self) -> Option<Completions<'_, L>> {
        self.completions.drain_as()
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
        RingFd::new(self.descriptor.as_raw(), self.setup_flags)
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

    /// Whether completions were posted since the last look: a hint, to be followed by a look.
    #[inline]
    pub fn has_completions(&self) -> bool {
        self.completions.has_new()
    }

    /// Completions that the kernel had to drop because it had no memory to keep them. Not 0 means
    /// that something was lost for good.
    pub fn dropped_completions(&self) -> u32 {
        // Relaxed: a count that orders nothing; the kernel adds to it (io_cqe_overflow).
        // SAFETY: koverflow points into the ring mapping that self owns.
        unsafe { self.koverflow.as_ref() }.load(Ordering::Relaxed)
    }

    fn kernel_flags(&self) -> &AtomicU32 {
        // SAFETY: kflags points into the ring mapping that self owns, and the kernel writes the word
        // atomically.
        unsafe { self.kflags.as_ref() }
    }
}

#[cfg(feature = "std")]
impl std::os::fd::AsFd for Ring {
    /// The descriptor becomes readable when completions are there, or when the kernel has put off
    /// work ([`Ring::has_task_work`]): then [`Ring::submit_and_wait`] with 0.
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(self.descriptor.as_fd())
    }
}

#[cfg(feature = "std")]
impl std::os::fd::AsRawFd for Ring {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.descriptor.as_raw()
    }
}
