//! [`DisabledRing`]: set up on one thread, used on another.

use super::Ring;
use crate::error::{Attempt, Error, Reason};
use crate::syscall;
use crate::uapi;

static ENABLE: Attempt = Attempt {
    what: "enable a ring on this thread",
    arguments: &[],
};

/// A ring that no thread owns yet: it can be sent to the thread that will use it, and do nothing else.
///
/// ```
/// let disabled = zcrx_sys::ring::RingBuilder::new(8).build_disabled().unwrap();
/// std::thread::spawn(move || {
///     let ring = disabled.enable().unwrap(); // owned by this thread from here on
///     assert!(ring.entries() >= 8);
/// })
/// .join()
/// .unwrap();
/// ```
///
/// It has no method that submits:
///
/// ```compile_fail
/// let disabled = zcrx_sys::ring::RingBuilder::new(8).build_disabled().unwrap();
/// disabled.submit();
/// ```
#[derive(Debug)]
#[must_use = "a disabled ring does nothing until it is enabled"]
pub struct DisabledRing(pub(super) Ring);

// SAFETY: Ring is not Send because the kernel accepts calls from its owner thread alone. A disabled
// ring has no owner yet and offers no call; its mappings and descriptor are tied to no thread.
unsafe impl Send for DisabledRing {}

impl DisabledRing {
    /// Makes this thread the ring's owner (`IORING_REGISTER_ENABLE_RINGS`).
    ///
    /// # Errors
    ///
    /// The kernel's error; none is expected for a ring that this crate set up.
    pub fn enable(self) -> Result<Ring, Error> {
        // SAFETY: this opcode takes no argument.
        let enabled = unsafe {
            syscall::register(
                self.0.descriptor.as_raw(),
                uapi::IORING_REGISTER_ENABLE_RINGS,
                core::ptr::null_mut(),
                0,
            )
        };
        match enabled {
            Ok(_) => Ok(self.0),
            Err(errno) => Err(Error::new(&ENABLE, [], Reason::Kernel(errno), &[])),
        }
    }
}

#[cfg(feature = "std")]
impl std::os::fd::AsFd for DisabledRing {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(&self.0)
    }
}

#[cfg(feature = "std")]
impl std::os::fd::AsRawFd for DisabledRing {
    /// For what the kernel allows before a ring is enabled and not after, which is to restrict it
    /// (`IORING_REGISTER_RESTRICTIONS`, kernel 5.10; this crate has no call for it).
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.0.as_raw_fd()
    }
}
