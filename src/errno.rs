//! [`Errno`]: an error number of the kernel, with its name.

use core::fmt;

/// An error number as the kernel returns it, positive.
///
/// A newtype with constants and not a Rust `enum`: the kernel may answer with any number.
///
/// ```
/// use zcrx_sys::Errno;
/// assert_eq!(Errno::from_result(-12), Some(Errno::NOMEM));
/// assert_eq!(Errno::NOMEM.to_string(), "ENOMEM (out of memory)");
/// assert_eq!(Errno::from_result(12), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(i32);

impl Errno {
    /// The error that a completion's `res` stands for: `Some` if it is negative.
    ///
    /// This is the one place where the sign of a result is turned.
    #[inline]
    pub const fn from_result(res: i32) -> Option<Self> {
        if res < 0 {
            // A kernel that answers i32::MIN has no errno to name; it must not overflow either.
            Some(Self(res.wrapping_neg()))
        } else {
            None
        }
    }

    /// An error number as C's `errno` holds it.
    #[inline]
    pub const fn from_raw(raw: i32) -> Self {
        Self(raw)
    }

    /// The number, as in C's `errno`.
    #[inline]
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// What the last failed libc call of this thread left behind.
    pub(crate) fn last() -> Self {
        // SAFETY: __errno_location has no preconditions and returns a valid pointer to this
        // thread's own errno.
        Self(unsafe { *libc::__errno_location() })
    }

    /// The symbolic name, such as `"EINVAL"`, if this is a number that the crate knows.
    pub const fn name(self) -> Option<&'static str> {
        match lookup(self.0) {
            Some((name, _)) => Some(name),
            None => None,
        }
    }
}

macro_rules! errnos {
    ($($(#[$doc:meta])* $konst:ident = $libc:ident, $text:literal;)*) => {
        impl Errno {
            $(#[doc = concat!("`", stringify!($libc), "`: ", $text, ".")]
            pub const $konst: Self = Self(libc::$libc);)*
        }

        const fn lookup(raw: i32) -> Option<(&'static str, &'static str)> {
            match raw {
                $(libc::$libc => Some((stringify!($libc), $text)),)*
                _ => None,
            }
        }
    };
}

errnos! {
    PERM = EPERM, "operation not permitted";
    NOENT = ENOENT, "not found";
    INTR = EINTR, "interrupted by a signal";
    IO = EIO, "input or output error";
    NXIO = ENXIO, "no such object";
    BADF = EBADF, "bad file descriptor";
    AGAIN = EAGAIN, "try again";
    NOMEM = ENOMEM, "out of memory";
    ACCES = EACCES, "permission denied";
    FAULT = EFAULT, "bad address";
    BUSY = EBUSY, "busy";
    EXIST = EEXIST, "exists already";
    NODEV = ENODEV, "no such device";
    INVAL = EINVAL, "invalid argument";
    NFILE = ENFILE, "too many open files in the system";
    MFILE = EMFILE, "too many open files in the process";
    NOSPC = ENOSPC, "no space";
    PIPE = EPIPE, "broken pipe";
    RANGE = ERANGE, "out of range";
    NOSYS = ENOSYS, "function not implemented";
    NODATA = ENODATA, "no data";
    TIME = ETIME, "timer expired";
    PROTONOSUPPORT = EPROTONOSUPPORT, "protocol not supported";
    OVERFLOW = EOVERFLOW, "value too large";
    BADFD = EBADFD, "descriptor in the wrong state";
    NOTSOCK = ENOTSOCK, "not a socket";
    OPNOTSUPP = EOPNOTSUPP, "operation not supported";
    PROTO = EPROTO, "protocol error";
    BADR = EBADR, "completions were dropped";
    NETDOWN = ENETDOWN, "network is down";
    NETUNREACH = ENETUNREACH, "network is unreachable";
    HOSTDOWN = EHOSTDOWN, "host is down";
    HOSTUNREACH = EHOSTUNREACH, "no route to host";
    CONNABORTED = ECONNABORTED, "connection aborted";
    CONNRESET = ECONNRESET, "connection reset by peer";
    NOBUFS = ENOBUFS, "no buffer space";
    NOTCONN = ENOTCONN, "not connected";
    TIMEDOUT = ETIMEDOUT, "timed out";
    CONNREFUSED = ECONNREFUSED, "connection refused";
    ALREADY = EALREADY, "already in progress";
    CANCELED = ECANCELED, "cancelled";
    TOOBIG = E2BIG, "too long";
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match lookup(self.0) {
            Some((name, text)) => write!(f, "{name} ({text})"),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "Errno({name})"),
            None => write!(f, "Errno({})", self.0),
        }
    }
}

impl core::error::Error for Errno {}

#[cfg(feature = "std")]
impl From<Errno> for std::io::Error {
    fn from(errno: Errno) -> Self {
        Self::from_raw_os_error(errno.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_negative_results_are_errors() {
        assert_eq!(Errno::from_result(0), None);
        assert_eq!(Errno::from_result(i32::MAX), None);
        assert_eq!(Errno::from_result(-1), Some(Errno::PERM));
        // The one value with no positive counterpart: an error all the same, without overflow.
        assert_eq!(Errno::from_result(i32::MIN).map(Errno::raw), Some(i32::MIN));
    }

    #[test]
    fn unknown_numbers_are_printed_as_numbers() {
        assert_eq!(
            std::format!("{} {:?}", Errno(4095), Errno(4095)),
            "errno 4095 Errno(4095)"
        );
        assert_eq!(std::format!("{:?}", Errno::INVAL), "Errno(EINVAL)");
    }

    #[test]
    fn known_numbers_have_their_names() {
        let short = Errno::from_raw(libc::ENOMEM);
        assert_eq!((short, short.name()), (Errno::NOMEM, Some("ENOMEM")));
        assert_eq!(std::format!("{short}"), "ENOMEM (out of memory)");
        assert_eq!(Errno(4095).name(), None);
    }
}
