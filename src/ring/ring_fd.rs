//! [`RingFd`]: how registrations name a ring, ours or another library's.

use core::marker::PhantomData;

use libc::c_int;

/// The descriptor of a ring and the flags it was set up with: ours, or any other library's.
///
/// All registrations take one, so that zcrx works on a ring that a runtime owns.
#[derive(Clone, Copy, Debug)]
pub struct RingFd<'ring> {
    fd: c_int,
    setup_flags: u32,
    _ring: PhantomData<&'ring ()>,
}

impl RingFd<'_> {
    pub(super) fn new(fd: c_int, setup_flags: u32) -> Self {
        Self {
            fd,
            setup_flags,
            _ring: PhantomData,
        }
    }

    /// Names another library's ring.
    ///
    /// # Safety
    ///
    /// `fd` must be the open descriptor of an io_uring for the lifetime that the caller picks, and
    /// `setup_flags` the `IORING_SETUP_*` flags that the ring was set up with.
    pub unsafe fn from_raw(fd: c_int, setup_flags: u32) -> Self {
        Self {
            fd,
            setup_flags,
            _ring: PhantomData,
        }
    }

    /// The descriptor's number.
    pub fn as_raw(&self) -> c_int {
        self.fd
    }

    /// The ring's `IORING_SETUP_*` flags.
    pub fn setup_flags(&self) -> u32 {
        self.setup_flags
    }
}
