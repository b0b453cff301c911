//! Setting a ring up: which flags are asked for, and what is checked about the kernel's answer.

use core::ptr::NonNull;

use super::cq::CompletionQueue;
use super::cqe::CqeLayout;
use super::descriptor::Descriptor;
use super::disabled::DisabledRing;
use super::probe::mixed_completions_are_sound;
use super::sq::SubmissionQueue;
use super::Ring;
use crate::errno::Errno;
use crate::error::{Attempt, Cause, Error, Reason};
use crate::fd::Fd;
use crate::mapping::Mapping;
use crate::producer::Producer;
use crate::sync::AtomicU32;
use crate::syscall;
use crate::uapi::{self, io_uring_params};

static SET_UP: Attempt = Attempt {
    what: "set up a ring",
    arguments: &["submission entries", "completion entries"],
};

/// Most submission entries that the kernel allows (`IORING_MAX_ENTRIES`).
pub const MAX_SUBMISSION_ENTRIES: u32 = 32768;
/// Most completion entries that the kernel allows (`IORING_MAX_CQ_ENTRIES`).
pub const MAX_COMPLETION_ENTRIES: u32 = 2 * MAX_SUBMISSION_ENTRIES;

/// Set up for receiving: completions are posted only while the owner waits for them, and a rejected
/// entry does not hold up those behind it.
const RECEIVE: u32 = uapi::IORING_SETUP_SUBMIT_ALL
    | uapi::IORING_SETUP_SINGLE_ISSUER
    | uapi::IORING_SETUP_DEFER_TASKRUN
    | uapi::IORING_SETUP_TASKRUN_FLAG;

/// What is asked for, best first: each step gives up what the kernel before it did not have. Kernel
/// 7.3.3 takes the first, 6.6 the second, 6.1 the third, 6.0 the last.
const FLAG_STEPS: [(u32, CqeLayout); 4] = [
    (
        RECEIVE | uapi::IORING_SETUP_NO_SQARRAY | uapi::IORING_SETUP_CQE_MIXED,
        CqeLayout::Mixed,
    ),
    (RECEIVE | uapi::IORING_SETUP_NO_SQARRAY, CqeLayout::Wide),
    (RECEIVE, CqeLayout::Wide),
    (
        uapi::IORING_SETUP_SUBMIT_ALL
            | uapi::IORING_SETUP_SINGLE_ISSUER
            | uapi::IORING_SETUP_COOP_TASKRUN
            | uapi::IORING_SETUP_TASKRUN_FLAG,
        CqeLayout::Wide,
    ),
];

/// Options of a [`Ring`].
///
/// ```
/// use zcrx_sys::ring::{RingBuilder, Sqe};
/// let mut ring = RingBuilder::new(8).build().unwrap();
/// ring.push(Sqe::nop().user_data(7)).unwrap();
/// ring.submit_and_wait(1).unwrap();
/// let cqe = ring.completions().next().unwrap().unwrap();
/// assert_eq!((cqe.user_data(), cqe.result()), (7, Ok(0)));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct RingBuilder {
    entries: u32,
    completion_entries: Option<u32>,
    layout: Option<CqeLayout>,
}

impl RingBuilder {
    /// A ring of `entries` submission entries, from 1 to [`MAX_SUBMISSION_ENTRIES`]; the kernel
    /// rounds up to a power of two.
    pub fn new(entries: u32) -> Self {
        Self {
            entries,
            completion_entries: None,
            layout: None,
        }
    }

    /// Slots of the completion queue, from 1 (but not fewer than the submission entries) to
    /// [`MAX_COMPLETION_ENTRIES`]; rounded up to a power of two. Twice the submission entries if never
    /// called. Zero-copy receive needs two slots a chunk under [`CqeLayout::Mixed`], one otherwise; and no fewer
    /// than 4 under `Mixed`, or a filler before the end of the queue can leave no room for ever.
    pub fn completion_entries(mut self, entries: u32) -> Self {
        self.completion_entries = Some(entries);
        self
    }

    /// Insists on one layout of the completion queue. Without this call the best one that works is
    /// taken: [`CqeLayout::Mixed`], where it [is sound](super::mixed_completions_are_sound), else
    /// [`CqeLayout::Wide`].
    pub fn layout(mut self, layout: CqeLayout) -> Self {
        self.layout = Some(layout);
        self
    }

    /// Creates the ring, owned by this thread.
    ///
    /// # Errors
    ///
    /// As [`build_disabled`](Self::build_disabled) and [`DisabledRing::enable`].
    pub fn build(&self) -> Result<Ring, Error> {
        self.build_disabled()?.enable()
    }

    /// Creates a ring that belongs to no thread yet; the thread that enables it will own it.
    ///
    /// # Errors
    ///
    /// An argument out of range; a kernel without io_uring, or one that forbids it (ENOSYS, EPERM); no
    /// descriptors or memory left (EMFILE, ENFILE, ENOMEM); a layout that the kernel does not have.
    pub fn build_disabled(&self) -> Result<DisabledRing, Error> {
        self.check_arguments()?;
        let mut refusal = Errno::INVAL;
        for (flags, layout) in FLAG_STEPS {
            let Some((flags, layout)) = self.with_own_layout(flags, layout) else {
                continue;
            };
            let mut params = io_uring_params {
                flags: flags | uapi::IORING_SETUP_R_DISABLED | uapi::IORING_SETUP_CQSIZE,
                // A mixed queue of one slot could never hold a wide entry: the kernel wants two.
                cq_entries: self
                    .completions()
                    .max(1 + u32::from(layout == CqeLayout::Mixed)),
                ..io_uring_params::default()
            };
            match syscall::setup(self.entries, &mut params) {
                Ok(fd) => return self.lay_out(fd, &params, layout),
                // EINVAL is the kernel's word for a flag that it does not know: take a step down.
                Err(Errno::INVAL) => refusal = Errno::INVAL,
                Err(errno) => {
                    refusal = errno;
                    break;
                }
            }
        }
        Err(self.error(Reason::Kernel(refusal), self.causes(refusal)))
    }

    fn completions(&self) -> u32 {
        self.completion_entries
            .unwrap_or(self.entries.saturating_mul(2))
    }

    fn check_arguments(&self) -> Result<(), Error> {
        let refuse = |name, must| Err(self.error(Reason::Argument { name, must }, &[]));
        if !(1..=MAX_SUBMISSION_ENTRIES).contains(&self.entries) {
            return refuse("submission entries", "be from 1 to 32768");
        }
        if !(1..=MAX_COMPLETION_ENTRIES).contains(&self.completions()) {
            return refuse("completion entries", "be from 1 to 65536");
        }
        if self.completions() < self.entries {
            return refuse(
                "completion entries",
                "not be fewer than the submission entries",
            );
        }
        Ok(())
    }

    /// The flags of a step with the caller's layout in them, or `None` if the step cannot have it.
    fn with_own_layout(&self, flags: u32, layout: CqeLayout) -> Option<(u32, CqeLayout)> {
        let layout = match self.layout {
            None if layout == CqeLayout::Mixed && !mixed_completions_are_sound() => return None,
            None => layout,
            Some(CqeLayout::Mixed) if layout != CqeLayout::Mixed => return None,
            Some(own) => own,
        };
        let flags = flags & !uapi::IORING_SETUP_CQE_MIXED;
        Some(match layout {
            CqeLayout::Mixed => (flags | uapi::IORING_SETUP_CQE_MIXED, layout),
            CqeLayout::Wide => (flags | uapi::IORING_SETUP_CQE32, layout),
            CqeLayout::Narrow => (flags, layout),
        })
    }

    fn error(&self, reason: Reason, causes: &'static [Cause]) -> Error {
        let arguments = [u64::from(self.entries), u64::from(self.completions())];
        Error::new(&SET_UP, arguments, reason, causes)
    }

    fn causes(&self, errno: Errno) -> &'static [Cause] {
        match errno {
            Errno::INVAL if self.layout == Some(CqeLayout::Mixed) => &[Cause {
                cause: "mixed completions need kernel 6.18",
                remedy: "ask for no layout, or for the wide one",
            }],
            Errno::INVAL => &[Cause {
                cause: "the kernel is older than 6.0",
                remedy: "use a newer kernel",
            }],
            Errno::NOSYS => &[Cause {
                cause: "this kernel is built without io_uring, or a sandbox hides it",
                remedy:
                    "use a kernel with CONFIG_IO_URING, and allow io_uring_setup in the sandbox",
            }],
            Errno::PERM => &[Cause {
                cause:
                    "the system forbids io_uring (sysctl kernel.io_uring_disabled, or a sandbox)",
                remedy:
                    "set it to 0, join the group kernel.io_uring_group, or allow the system call",
            }],
            Errno::NOMEM => &[Cause {
                cause: "no memory is left for the rings",
                remedy: "ask for fewer entries, or raise the limit (ulimit -l, the memory cgroup)",
            }],
            Errno::MFILE | Errno::NFILE => &[Cause {
                cause: "no file descriptor is left",
                remedy: "raise the limit (ulimit -n)",
            }],
            _ => &[],
        }
    }

    /// Maps what the kernel made, and checks every number it gave before it is used.
    fn lay_out(
        &self,
        fd: Fd,
        params: &io_uring_params,
        layout: CqeLayout,
    ) -> Result<DisabledRing, Error> {
        let map = |len, offset| {
            Mapping::shared(fd.as_raw(), len, offset)
                .map_err(|errno| self.error(Reason::Kernel(errno), self.causes(errno)))
        };
        let answer = |how| self.error(Reason::Answer(how), &[]);
        if params.features & uapi::IORING_FEAT_SINGLE_MMAP == 0 {
            return Err(self.error(Reason::Unsupported("the kernel is older than 5.4"), &[]));
        }
        let (sq, cq) = (params.sq_entries, params.cq_entries);
        if !sq.is_power_of_two() || !cq.is_power_of_two() {
            return Err(answer("entries are no power of two"));
        }
        // With that, none of the sums below can overflow.
        if sq > MAX_SUBMISSION_ENTRIES || cq > MAX_COMPLETION_ENTRIES {
            return Err(answer("more entries than it allows"));
        }
        let has_array = params.flags & uapi::IORING_SETUP_NO_SQARRAY == 0;
        let sq_end = if has_array {
            (params.sq_off.array as usize).saturating_add(sq as usize * 4)
        } else {
            0
        };
        let cq_end = (params.cq_off.cqes as usize).saturating_add(cq as usize * layout.slot_size());
        let rings = map(sq_end.max(cq_end), uapi::IORING_OFF_SQ_RING)?;
        let sqes = map(
            sq as usize * size_of::<uapi::io_uring_sqe>(),
            uapi::IORING_OFF_SQES,
        )?;
        let spans = Mapping::anonymous(sq as usize * size_of::<uapi::__kernel_timespec>(), false)
            .map_err(|errno| self.error(Reason::Kernel(errno), self.causes(errno)))?;

        let word = |offset: u32| {
            let at = rings.at::<AtomicU32>(offset as usize, 1);
            at.ok_or_else(|| answer("a ring offset lies outside of the mapping"))
        };
        let khead = word(params.sq_off.head)?;
        let outside = || answer("an array lies outside of its mapping");
        let ktail = word(params.sq_off.tail)?;
        let slots = sqes.at(0, sq as usize).ok_or_else(outside)?;
        let submissions = SubmissionQueue {
            // SAFETY: all pointers lie inside mappings that the Ring owns, and are aligned (checked by at()). It is
            // this queue's only producer; the kernel writes the head atomically, and reads published entries alone.
            ring: unsafe { Producer::from_raw_parts(khead, ktail, slots, sq) },
            spans: spans.at(0, sq as usize).ok_or_else(outside)?,
        };
        if has_array {
            let array: NonNull<u32> = rings
                .at(params.sq_off.array as usize, sq as usize)
                .ok_or_else(outside)?;
            for slot in 0..sq {
                // SAFETY: the array has sq entries (checked above), and the kernel reads none before
                // the first submission. Slot n always holds entry n.
                unsafe { array.add(slot as usize).write(slot) };
            }
        }
        let slots: NonNull<u64> = rings
            .at(
                params.cq_off.cqes as usize,
                cq as usize * layout.slot_size() / 8,
            )
            .ok_or_else(outside)?;
        // SAFETY: all pointers lie inside `rings` and are aligned (checked above). The Ring owns
        // both the mapping and the queue, and the queue is this ring's only consumer; the kernel
        // writes head and tail atomically and leaves published slots alone until the head passes them.
        let completions = unsafe {
            CompletionQueue::from_raw_parts(
                word(params.cq_off.head)?,
                word(params.cq_off.tail)?,
                slots.cast(),
                cq,
                layout,
            )
        };
        Ok(DisabledRing(Ring {
            submissions,
            completions,
            kflags: word(params.sq_off.flags)?,
            koverflow: word(params.cq_off.overflow)?,
            setup_flags: params.flags & !uapi::IORING_SETUP_R_DISABLED,
            features: params.features,
            descriptor: Descriptor::new(fd),
            _rings: rings,
            _sqes: sqes,
            _spans: spans,
            _owner_thread: core::marker::PhantomData,
        }))
    }
}
