//! [`Fd`]: an owned file descriptor that works without `std`.

use core::fmt;

use libc::c_int;

use crate::errno::Errno;

/// An owned file descriptor, closed on drop.
///
/// The standard library's `OwnedFd` for code without `std`; with feature `std` the two convert into
/// each other.
///
/// ```
/// use std::net::TcpListener;
/// use std::os::fd::OwnedFd;
/// use zcrx_sys::Fd;
///
/// let fd = Fd::from(TcpListener::bind("127.0.0.1:0")?);
/// let listener = TcpListener::from(OwnedFd::from(fd));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(PartialEq, Eq)]
pub struct Fd(c_int);

impl Fd {
    /// Takes ownership of descriptor `raw`.
    ///
    /// # Safety
    ///
    /// `raw` must be an open descriptor that nothing else owns: it is closed when the value drops.
    #[inline]
    pub unsafe fn from_raw(raw: c_int) -> Self {
        Self(raw)
    }

    /// The descriptor's number, which stays open only as long as `self` lives.
    #[inline]
    pub fn as_raw(&self) -> c_int {
        self.0
    }

    /// Gives up ownership: the descriptor stays open and is the caller's to close.
    #[inline]
    pub fn into_raw(self) -> c_int {
        let raw = self.0;
        core::mem::forget(self);
        raw
    }

    /// A second descriptor for the same open file (`F_DUPFD_CLOEXEC`).
    pub(crate) fn duplicate(raw: c_int) -> Result<Self, Errno> {
        // SAFETY: fcntl with F_DUPFD_CLOEXEC touches no memory; a bad number gives EBADF.
        let new = unsafe { libc::fcntl(raw, libc::F_DUPFD_CLOEXEC, 3) };
        if new < 0 {
            Err(Errno::last())
        } else {
            Ok(Self(new))
        }
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        // SAFETY: self owns the descriptor (promise of from_raw), so nothing else can be using the
        // number. An error of close leaves nothing to do: Linux has freed the number either way.
        unsafe { libc::close(self.0) };
    }
}

impl fmt::Debug for Fd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fd({})", self.0)
    }
}

#[cfg(feature = "std")]
mod with_std {
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

    use super::Fd;

    impl AsFd for Fd {
        fn as_fd(&self) -> BorrowedFd<'_> {
            // SAFETY: self owns the open descriptor for at least the borrow's lifetime, and
            // descriptors that the kernel hands out are never -1.
            unsafe { BorrowedFd::borrow_raw(self.0) }
        }
    }

    impl AsRawFd for Fd {
        fn as_raw_fd(&self) -> RawFd {
            self.0
        }
    }

    impl From<OwnedFd> for Fd {
        fn from(fd: OwnedFd) -> Self {
            Self(fd.into_raw_fd())
        }
    }

    impl From<Fd> for OwnedFd {
        fn from(fd: Fd) -> Self {
            // SAFETY: into_raw gives up the only ownership of an open descriptor.
            unsafe { OwnedFd::from_raw_fd(fd.into_raw()) }
        }
    }

    impl From<std::net::TcpListener> for Fd {
        fn from(listener: std::net::TcpListener) -> Self {
            OwnedFd::from(listener).into()
        }
    }

    impl From<std::net::TcpStream> for Fd {
        fn from(stream: std::net::TcpStream) -> Self {
            OwnedFd::from(stream).into()
        }
    }

    impl From<Fd> for std::net::TcpStream {
        /// For a descriptor that is a TCP socket; another kind gives errors on use, nothing worse.
        fn from(fd: Fd) -> Self {
            OwnedFd::from(fd).into()
        }
    }
}
