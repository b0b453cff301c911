//! Which descriptors a receiver takes.

use libc::c_int;

use crate::error::{Attempt, Cause, Error, Reason};
use crate::fd::Fd;

static RECEIVE_FROM: Attempt = Attempt {
    what: "receive from a socket",
    arguments: &["descriptor"],
};

/// A socket that the receiver does not take, handed back with the reason.
#[derive(Debug)]
pub struct Rejected {
    /// The descriptor.
    pub fd: Fd,
    /// Why.
    pub error: Error,
}

impl Rejected {
    pub(super) fn new(fd: Fd, must: &'static str) -> Self {
        let reason = Reason::Argument {
            name: "descriptor",
            must,
        };
        let causes = &[Cause {
            cause: "received bytes come from plain TCP sockets only",
            remedy: "pass the descriptor of one",
        }];
        let error = Error::new(&RECEIVE_FROM, [fd.as_raw() as u64], reason, causes);
        Self { fd, error }
    }
}

impl core::fmt::Display for Rejected {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.error.fmt(f)
    }
}

impl core::error::Error for Rejected {}

/// Whether `fd` is a TCP socket.
pub(super) fn is_tcp(fd: c_int) -> bool {
    option_is(fd, libc::SO_TYPE, libc::SOCK_STREAM)
        && option_is(fd, libc::SO_PROTOCOL, libc::IPPROTO_TCP)
}

/// Whether socket option `name` of level SOL_SOCKET has `value`.
fn option_is(fd: c_int, name: c_int, value: c_int) -> bool {
    let mut found: c_int = -1;
    let mut len = size_of::<c_int>() as libc::socklen_t;
    let at = core::ptr::from_mut(&mut found).cast();
    // SAFETY: found and len are live, exclusively borrowed locals, and len says how long found is. A
    // descriptor that is no socket gives an error.
    let rc = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, name, at, &mut len) };
    rc == 0 && found == value
}

/// Whether socket `fd` listens.
pub(super) fn is_listening(fd: c_int) -> bool {
    option_is(fd, libc::SO_ACCEPTCONN, 1)
}
