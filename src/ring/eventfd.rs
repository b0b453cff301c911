//! An eventfd that the kernel signals when completions come.

use core::ffi::c_void;

use libc::c_int;

use super::Ring;
use crate::errno::Errno;
use crate::error::{Attempt, Cause, Error, Reason};
use crate::syscall;
use crate::uapi;

static REGISTER_EVENTFD: Attempt = Attempt {
    what: "register an eventfd with a ring",
    arguments: &["descriptor"],
};
static UNREGISTER_EVENTFD: Attempt = Attempt {
    what: "unregister a ring's eventfd",
    arguments: &[],
};

impl Ring {
    /// Has the kernel add to eventfd `eventfd` whenever it posts completions to this ring, and whenever it
    /// puts off work for it (`IORING_REGISTER_EVENTFD`, kernel 5.2). A ring has one eventfd at a time; the
    /// kernel keeps its own reference to it.
    ///
    /// It helps a receiver that lives in somebody else's poll loop. The ring's own descriptor can be polled too, but is
    /// good for looking at it only: kernels 6.12 to 7.2 do not wake who sleeps on it for work that they put off. Kernel
    /// 7.3.4 wakes by either, but for what a socket has woken only after an RCU grace period, which takes milliseconds.
    ///
    /// With deferred task work, which this crate's rings have (kernel 6.1), the signal says that there is
    /// work, and no completion is there before the owner has entered. So: read the eventfd, then
    /// [`submit_and_wait`](Self::submit_and_wait) with 0, then look at the completions, in this order.
    /// What the owner's own call posts is signalled too, hence a wake-up that finds nothing after most of
    /// those that found something.
    ///
    /// # Errors
    ///
    /// A negative number; EBADF if nothing is open there; EINVAL if it is no eventfd; EBUSY if the ring
    /// has one already; ENOMEM; EACCES under restrictions.
    #[inline]
    pub fn register_eventfd(&self, eventfd: c_int) -> Result<(), Error> {
        self.signal(uapi::IORING_REGISTER_EVENTFD, eventfd)
    }

    /// As [`register_eventfd`](Self::register_eventfd), but only for requests that the kernel's worker
    /// threads complete (`IORING_REGISTER_EVENTFD_ASYNC`, kernel 5.6): files, for instance.
    ///
    /// It does not help a receiver, because data from a socket is never completed by a worker.
    ///
    /// # Errors
    ///
    /// As [`register_eventfd`](Self::register_eventfd).
    #[inline]
    pub fn register_eventfd_async(&self, eventfd: c_int) -> Result<(), Error> {
        self.signal(uapi::IORING_REGISTER_EVENTFD_ASYNC, eventfd)
    }

    /// Ends the signals of [`register_eventfd`](Self::register_eventfd) or
    /// [`register_eventfd_async`](Self::register_eventfd_async).
    ///
    /// # Errors
    ///
    /// ENXIO if the ring has no eventfd; EACCES under restrictions.
    #[inline]
    pub fn unregister_eventfd(&self) -> Result<(), Error> {
        let fd = self.descriptor.as_raw();
        // SAFETY: this opcode takes no argument.
        let done = unsafe {
            syscall::register(
                fd,
                uapi::IORING_UNREGISTER_EVENTFD,
                core::ptr::null_mut(),
                0,
            )
        };
        done.map(drop).map_err(|errno| {
            Error::new(
                &UNREGISTER_EVENTFD,
                [],
                Reason::Kernel(errno),
                causes(errno),
            )
        })
    }

    #[inline]
    fn signal(&self, opcode: u32, eventfd: c_int) -> Result<(), Error> {
        let error = |reason, causes| {
            Error::new(
                &REGISTER_EVENTFD,
                [u64::from(eventfd as u32)],
                reason,
                causes,
            )
        };
        if eventfd < 0 {
            let (name, must) = ("descriptor", "not be negative");
            return Err(error(Reason::Argument { name, must }, &[]));
        }
        let mut descriptor = eventfd;
        let at: *mut c_void = core::ptr::from_mut(&mut descriptor).cast();
        // SAFETY: both opcodes read one descriptor's number, from a local, during the call alone.
        let done = unsafe { syscall::register(self.descriptor.as_raw(), opcode, at, 1) };
        done.map(drop)
            .map_err(|errno| error(Reason::Kernel(errno), causes(errno)))
    }
}

#[inline]
fn causes(errno: Errno) -> &'static [Cause] {
    match errno {
        Errno::BADF => &[Cause {
            cause: "no file is open under this number",
            remedy: "give the number of an open eventfd",
        }],
        Errno::INVAL => &[Cause {
            cause: "the descriptor is not an eventfd",
            remedy: "make one with eventfd(2)",
        }],
        Errno::BUSY => &[Cause {
            cause: "the ring has an eventfd already",
            remedy: "unregister that one first",
        }],
        Errno::NXIO => &[Cause {
            cause: "the ring has no eventfd",
            remedy: "register one first",
        }],
        Errno::ACCES => &super::RESTRICTED,
        _ => &[],
    }
}
