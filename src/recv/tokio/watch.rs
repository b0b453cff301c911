//! [`Watch`]: one descriptor that is readable when a receiver may have something to do.

use std::ptr;

use libc::c_int;

use crate::errno::Errno;
use crate::fd::Fd;

/// An epoll instance, to be waited for in another.
///
/// The kernel's own signal, an eventfd, is among what it watches, and would do but for being late: kernel 7.3.4 signals
/// what a socket has woken after an RCU grace period, which takes milliseconds. A socket wakes who polls it at once,
/// after the receive request, which began to wait later. (The ring's own descriptor is as late there, and from 6.12 to
/// 7.2 it does not wake at all.)
#[derive(Debug)]
pub(super) struct Watch {
    epoll: Fd,
    /// Eventfds: the kernel's, and that of owned chunks.
    signals: [Fd; 2],
}

impl Watch {
    pub(super) fn new(signals: [Fd; 2]) -> Result<Self, Errno> {
        // SAFETY: takes no pointers.
        let raw = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if raw < 0 {
            return Err(Errno::last());
        }
        // SAFETY: the descriptor was just made, and nobody else knows of it.
        let epoll = unsafe { Fd::from_raw(raw) };
        let own = Self { epoll, signals };
        for signal in &own.signals {
            own.add(signal.as_raw())?;
        }
        Ok(own)
    }

    /// Takes the signals that came until now, so that they wake nobody.
    pub(super) fn forget_signals(&self) {
        let mut count = 0_u64;
        for signal in &self.signals {
            let at = ptr::from_mut(&mut count).cast();
            // SAFETY: reads into a live local of 8 bytes, from a descriptor that self owns and that does not block. If
            // nothing was signalled, nothing is read.
            let _ = unsafe { libc::read(signal.as_raw(), at, 8) };
        }
    }

    /// A descriptor of it for somebody who waits.
    pub(super) fn waiter(&self) -> Result<Fd, Errno> {
        Fd::duplicate(self.epoll.as_raw())
    }

    /// Wakes when something comes to `fd`.
    pub(super) fn add(&self, fd: c_int) -> Result<(), Errno> {
        let mut event = libc::epoll_event {
            events: (libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLET) as u32,
            u64: 0, // nobody asks which it was
        };
        // SAFETY: reads one event, a live local.
        let done =
            unsafe { libc::epoll_ctl(self.epoll.as_raw(), libc::EPOLL_CTL_ADD, fd, &mut event) };
        match done {
            0 => Ok(()),
            _ => Err(Errno::last()),
        }
    }

    /// No more, also if clones of it stay open.
    pub(super) fn remove(&self, fd: c_int) {
        // SAFETY: reads nothing. What is not watched is an error that changes nothing.
        unsafe {
            libc::epoll_ctl(
                self.epoll.as_raw(),
                libc::EPOLL_CTL_DEL,
                fd,
                ptr::null_mut(),
            )
        };
    }
}
