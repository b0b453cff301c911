//! Busy polling: a wait that looks for packets itself before it sleeps.

use core::ffi::c_void;
use core::time::Duration;

use super::{time, Ring};
use crate::errno::Errno;
use crate::error::{Attempt, Cause, Error, Reason};
use crate::syscall;
use crate::uapi::{self, io_uring_napi};

static BUSY_POLL: Attempt = Attempt {
    what: "have waits poll the network card",
    arguments: &["busy poll µs", "static tracking"],
};
static STOP: Attempt = Attempt {
    what: "end the polling of the network card",
    arguments: &[],
};
static ADD_NAPI_ID: Attempt = Attempt {
    what: "add a queue to those that waits poll",
    arguments: &["NAPI id"],
};
static REMOVE_NAPI_ID: Attempt = Attempt {
    what: "remove a queue from those that waits poll",
    arguments: &["NAPI id"],
};

/// How [`Ring::busy_poll`] looks for packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusyPoll {
    /// How long a wait polls before it sleeps, at most 10 ms; the kernel counts in microseconds (rounded
    /// up) of 1024 ns. With 0 it polls once. A wait's own timeout ends the polling too.
    pub timeout: Duration,
    /// Whether the queues' interrupts stay off between two waits, as socket option `SO_PREFER_BUSY_POLL`
    /// has it. For that the interface's `napi_defer_hard_irqs` and `gro_flush_timeout` must be set; the
    /// latter is the time after which interrupts come again because nobody has polled.
    pub prefer: bool,
    /// Which queues are polled.
    pub tracking: NapiTracking,
}

/// Which of the network cards' queues (the kernel's NAPI instances) a ring's waits poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NapiTracking {
    /// Those that the ring's sockets last received from. The kernel learns them as requests wait for their
    /// sockets, and forgets one that it has not seen for a minute.
    Dynamic,
    /// Those of [`Ring::add_napi_id`], and no others. Cheaper for each packet, and right for a ring that
    /// serves one queue. Kernel 6.13.
    Static,
}

impl Ring {
    /// Has each wait that finds too few completions poll the network cards' queues for a while before it
    /// sleeps (`IORING_REGISTER_NAPI`, kernel 6.9). Answers what was in force before: `None` if nothing
    /// was; kernels before 6.13 answer a timeout of 0 then. A list of [`add_napi_id`](Self::add_napi_id)
    /// begins anew.
    ///
    /// It helps a receiver that has a core to itself and cares for latency: a packet is taken up by the
    /// thread that waits for it, without the interrupt, the softirq and the wake-up in between. The core
    /// is busy all the time, and whatever else is to run there waits for the scheduler's next tick; so on
    /// a shared core, with a queue that several rings poll, or where packets come seldom, it costs more
    /// than it gives.
    ///
    /// NAPI must not be threaded (`threaded` in the interface's sysfs directory, or set for the queue by
    /// netlink): the kernel's thread and this one then contend for the queue, which only one can poll at a
    /// time, and both lose. Loopback and other interfaces without NAPI have nothing to poll.
    ///
    /// # Errors
    ///
    /// A timeout above 10 ms; EINVAL from a kernel that does not have it (before 6.9, or before 6.13 for
    /// [`NapiTracking::Static`]); EOPNOTSUPP from one built without it; EACCES under restrictions.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zcrx_sys::ring::{BusyPoll, NapiTracking, RingBuilder};
    ///
    /// let ring = RingBuilder::new(8).build()?;
    /// let how = BusyPoll {
    ///     timeout: Duration::from_micros(50),
    ///     prefer: false,
    ///     tracking: NapiTracking::Dynamic,
    /// };
    /// if let Err(error) = ring.busy_poll(how) {
    ///     println!("waits sleep at once: {error}");
    /// }
    /// # Ok::<(), zcrx_sys::Error>(())
    /// ```
    #[inline]
    pub fn busy_poll(&self, how: BusyPoll) -> Result<Option<BusyPoll>, Error> {
        let is_static = how.tracking == NapiTracking::Static;
        let microseconds = time::microseconds(how.timeout);
        let error = |reason, causes| {
            let arguments = [microseconds, u64::from(is_static)];
            Error::new(&BUSY_POLL, arguments, reason, causes)
        };
        if microseconds > 10_000 {
            let (name, must) = ("busy poll µs", "be at most 10000");
            return Err(error(Reason::Argument { name, must }, &[]));
        }
        let mut napi = io_uring_napi {
            busy_poll_to: microseconds as u32, // at most 10000
            prefer_busy_poll: u8::from(how.prefer),
            opcode: uapi::IO_URING_NAPI_REGISTER_OP as u8,
            op_param: if is_static {
                uapi::IO_URING_NAPI_TRACKING_STATIC
            } else {
                uapi::IO_URING_NAPI_TRACKING_DYNAMIC
            },
            ..io_uring_napi::default()
        };
        match self.napi(uapi::IORING_REGISTER_NAPI, &mut napi) {
            Ok(()) => Ok(BusyPoll::from_kernel(&napi)),
            Err(errno) => Err(error(Reason::Kernel(errno), causes(errno, how.tracking))),
        }
    }

    /// Ends the polling of [`busy_poll`](Self::busy_poll), if there is any.
    ///
    /// # Errors
    ///
    /// As [`busy_poll`](Self::busy_poll), for a kernel that does not have it or a ring that is restricted.
    #[inline]
    pub fn stop_busy_poll(&self) -> Result<(), Error> {
        let mut napi = io_uring_napi::default();
        self.napi(uapi::IORING_UNREGISTER_NAPI, &mut napi)
            .map_err(|errno| {
                let causes = causes(errno, NapiTracking::Dynamic);
                Error::new(&STOP, [], Reason::Kernel(errno), causes)
            })
    }

    /// Adds a queue to those that waits poll, under [`NapiTracking::Static`] (kernel 6.13).
    ///
    /// A queue's NAPI id is what socket option `SO_INCOMING_NAPI_ID` says of a socket that has received
    /// from it, and what the netdev netlink family says of the queue (`queue-get`, `napi-id`). Ids change
    /// when the interface is set up anew. The kernel does not check that there is such a queue.
    ///
    /// # Errors
    ///
    /// An id of 0; EINVAL if the tracking is not static, or for a number too small to be a NAPI's; EEXIST
    /// if it was added before; ENOMEM.
    #[inline]
    pub fn add_napi_id(&self, id: u32) -> Result<(), Error> {
        self.track(&ADD_NAPI_ID, uapi::IO_URING_NAPI_STATIC_ADD_ID, id)
    }

    /// Removes a queue that [`add_napi_id`](Self::add_napi_id) added.
    ///
    /// # Errors
    ///
    /// As there, and ENOENT if it is not among them.
    #[inline]
    pub fn remove_napi_id(&self, id: u32) -> Result<(), Error> {
        self.track(&REMOVE_NAPI_ID, uapi::IO_URING_NAPI_STATIC_DEL_ID, id)
    }

    #[inline]
    fn track(&self, attempt: &'static Attempt, operation: u32, id: u32) -> Result<(), Error> {
        let error = |reason, causes| Error::new(attempt, [u64::from(id)], reason, causes);
        if id == 0 {
            let must =
                "not be 0, which says of a socket that it has received nothing from a card yet";
            let name = "NAPI id";
            return Err(error(Reason::Argument { name, must }, &[]));
        }
        let mut napi = io_uring_napi {
            opcode: operation as u8,
            op_param: id,
            ..io_uring_napi::default()
        };
        self.napi(uapi::IORING_REGISTER_NAPI, &mut napi)
            .map_err(|errno| error(Reason::Kernel(errno), id_causes(errno)))
    }

    #[inline]
    fn napi(&self, opcode: u32, napi: &mut io_uring_napi) -> Result<(), Errno> {
        let napi: *mut c_void = core::ptr::from_mut(napi).cast();
        // SAFETY: both opcodes read and write one io_uring_napi, the one that is exclusively borrowed,
        // during the call alone.
        unsafe { syscall::register(self.descriptor.as_raw(), opcode, napi, 1) }.map(drop)
    }
}

impl BusyPoll {
    /// What the kernel says was in force, if anything.
    #[inline]
    fn from_kernel(napi: &io_uring_napi) -> Option<Self> {
        let tracking = match napi.op_param {
            uapi::IO_URING_NAPI_TRACKING_DYNAMIC => NapiTracking::Dynamic,
            uapi::IO_URING_NAPI_TRACKING_STATIC => NapiTracking::Static,
            _ => return None,
        };
        Some(Self {
            timeout: Duration::from_micros(u64::from(napi.busy_poll_to)),
            prefer: napi.prefer_busy_poll != 0,
            tracking,
        })
    }
}

#[inline]
fn causes(errno: Errno, tracking: NapiTracking) -> &'static [Cause] {
    match errno {
        Errno::INVAL if tracking == NapiTracking::Static => &[Cause {
            cause: "the kernel is older than 6.13",
            remedy: "use dynamic tracking (kernel 6.9), or a newer kernel",
        }],
        Errno::INVAL => &[Cause {
            cause: "the kernel is older than 6.9",
            remedy: "use a newer kernel, or have waits sleep",
        }],
        Errno::OPNOTSUPP => &[Cause {
            cause: "this kernel is built without busy polling",
            remedy: "use one with CONFIG_NET_RX_BUSY_POLL",
        }],
        Errno::ACCES => &super::RESTRICTED,
        _ => &[],
    }
}

#[inline]
fn id_causes(errno: Errno) -> &'static [Cause] {
    match errno {
        Errno::INVAL => &[
            Cause {
                cause: "the ring does not track queues statically",
                remedy: "call busy_poll with NapiTracking::Static first (kernel 6.13)",
            },
            Cause {
                cause: "the number is too small to be a NAPI's",
                remedy: "take it from SO_INCOMING_NAPI_ID or from the queue's napi-id",
            },
        ],
        Errno::EXIST => &[Cause {
            cause: "the queue is polled already",
            remedy: "nothing is left to do",
        }],
        Errno::NOENT => &[Cause {
            cause: "the queue is not among those that are polled",
            remedy: "nothing is left to do",
        }],
        errno => causes(errno, NapiTracking::Static),
    }
}
