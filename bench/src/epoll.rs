//! What `epoll` rivals need of it.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// An epoll instance that watches, level-triggered, what can be read.
#[derive(Debug)]
pub struct Epoll(OwnedFd);

/// Most descriptors that one wait answers.
pub const EVENTS: usize = 1024;

impl Epoll {
    /// One that watches nothing yet.
    ///
    /// # Errors
    ///
    /// The kernel's, for want of descriptors or memory.
    pub fn new() -> io::Result<Self> {
        // SAFETY: takes no pointers.
        match unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) } {
            -1 => Err(io::Error::last_os_error()),
            // SAFETY: the descriptor was just made, and nobody else knows of it.
            fd => Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) })),
        }
    }

    /// Watches `fd`, which waits name by `token`.
    ///
    /// # Errors
    ///
    /// The kernel's, for a descriptor that cannot be watched for instance.
    pub fn watch(&self, fd: RawFd, token: usize) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: token as u64,
        };
        // SAFETY: event is a live, exclusively borrowed local.
        match unsafe { libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Waits until something can be read; the tokens of what can.
    pub fn wait<'a>(
        &self,
        events: &'a mut [libc::epoll_event; EVENTS],
    ) -> impl Iterator<Item = usize> + 'a {
        let (fd, at) = (self.0.as_raw_fd(), events.as_mut_ptr());
        // SAFETY: the array is live, exclusively borrowed, and as long as said.
        let ready = unsafe { libc::epoll_wait(fd, at, EVENTS as i32, -1) };
        events[..ready.max(0) as usize]
            .iter()
            .map(|event| event.u64 as usize)
    }
}

/// Room for the answer of a wait.
pub fn events() -> [libc::epoll_event; EVENTS] {
    [libc::epoll_event { events: 0, u64: 0 }; EVENTS]
}
