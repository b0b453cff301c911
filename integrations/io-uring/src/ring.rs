//! [`Ring`]: the library's ring, and the flags that it was set up with.

use std::io;
use std::os::fd::AsRawFd;

use io_uring::{cqueue, squeue, IoUring};
use zcrx_sys::ring::RingFd;
use zcrx_sys::uapi::{IORING_SETUP_CQE32, IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_SINGLE_ISSUER};

/// A ring of the `io-uring` crate that can carry zero-copy completions: where their bytes lie takes 32 bytes.
///
/// That library does not tell the flags of a ring that it has made, and zcrx-sys has to know them: so a runtime keeps
/// the two together.
pub struct Ring {
    /// The type of its completions says `IORING_SETUP_CQE32`.
    pub(crate) inner: IoUring<squeue::Entry, cqueue::Entry32>,
    flags: u32,
}

impl Ring {
    /// A ring as zero-copy receive wants it, owned by this thread: one submitter, deferred task work. Kernel 6.1.
    ///
    /// # Errors
    ///
    /// Those of `io_uring_setup`: EINVAL before kernel 6.1.
    pub fn new(entries: u32, completions: u32) -> io::Result<Self> {
        let inner = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(completions)
            .build(entries)?;
        let flags = IORING_SETUP_CQE32 | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
        Ok(Self { inner, flags })
    }

    /// The ring as registrations of zcrx-sys name it.
    pub fn as_ring_fd(&self) -> RingFd<'_> {
        // SAFETY: the descriptor is open as long as the ring is borrowed, and these are the flags that it was set up
        // with.
        unsafe { RingFd::from_raw(self.inner.as_raw_fd(), self.flags) }
    }
}
