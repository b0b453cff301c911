//! io_uring by hand: rings and calls that the crate does not make.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use zcrx_sys::ring::RingFd;
use zcrx_sys::uapi::{self, io_uring_params, io_uring_restriction};
use zcrx_sys::Errno;

/// A ring that nothing is submitted to.
pub(crate) struct RawRing {
    fd: OwnedFd,
    flags: u32,
}

impl RawRing {
    /// A ring with these setup flags, owned by this thread.
    pub(crate) fn new(flags: u32) -> Self {
        let mut params = io_uring_params {
            flags,
            ..Default::default()
        };
        // SAFETY: the call reads and writes one io_uring_params, an exclusively borrowed local.
        let raw = unsafe { libc::syscall(libc::SYS_io_uring_setup, 8, &mut params) };
        assert!(raw >= 0, "{}", std::io::Error::last_os_error());
        // SAFETY: a new descriptor that nothing else owns.
        let fd = unsafe { OwnedFd::from_raw_fd(raw as i32) };
        Self { fd, flags }
    }

    /// A ring fit for zero-copy receive that allows register operation `allowed` and nothing else.
    pub(crate) fn restricted_to(allowed: &[u32]) -> Self {
        let ring = Self::new(
            uapi::IORING_SETUP_SINGLE_ISSUER
                | uapi::IORING_SETUP_DEFER_TASKRUN
                | uapi::IORING_SETUP_CQE32
                | uapi::IORING_SETUP_R_DISABLED,
        );
        let mut restrictions: Vec<_> = allowed
            .iter()
            .map(|&operation| {
                let mut restriction = io_uring_restriction {
                    opcode: uapi::IORING_RESTRICTION_REGISTER_OP as u16,
                    ..Default::default()
                };
                restriction.__bindgen_anon_1.register_op = operation as u8;
                restriction
            })
            .collect();
        let (at, count) = (restrictions.as_mut_ptr().cast(), allowed.len() as u32);
        // SAFETY: as many restrictions as said, which live during the call.
        unsafe {
            register(
                ring.fd.as_raw_fd(),
                uapi::IORING_REGISTER_RESTRICTIONS,
                at,
                count,
            )
        }
        .unwrap();
        let enable = uapi::IORING_REGISTER_ENABLE_RINGS;
        // SAFETY: this operation takes no argument.
        unsafe { register(ring.fd.as_raw_fd(), enable, std::ptr::null_mut(), 0) }.unwrap();
        ring
    }

    pub(crate) fn as_ring_fd(&self) -> RingFd<'_> {
        // SAFETY: the descriptor is that of a ring set up with these flags, and self keeps it open.
        unsafe { RingFd::from_raw(self.fd.as_raw_fd(), self.flags) }
    }
}

/// `io_uring_register`.
///
/// # Safety
///
/// `argument` must be what the operation takes.
pub(crate) unsafe fn register(
    fd: i32,
    operation: u32,
    argument: *mut libc::c_void,
    count: u32,
) -> Result<(), Errno> {
    // SAFETY: the caller's promise.
    let answer =
        unsafe { libc::syscall(libc::SYS_io_uring_register, fd, operation, argument, count) };
    if answer < 0 {
        let error = std::io::Error::last_os_error();
        return Err(Errno::from_raw(error.raw_os_error().unwrap()));
    }
    Ok(())
}
