//! Requests that stall: there is something to tell of their socket, and no completion comes.
//!
//! - Before kernel 7.3, a zero-copy request that ran out of completion slots or of buffers after partial progress was
//!   not queued again. Data stays in the socket.
//! - On all kernels so far (seen on 6.18 and 7.3.4): a reset that comes while more is unread than a request reads at a
//!   time (32 buffers, or 20 packets) wakes the request once. It reads a part, and later the rest, after which it is
//!   not told of the reset: it waits, and nothing comes any more. An end of stream is told of.

use core::time::Duration;

use libc::c_int;

use super::clock;
use super::receiver::Receiver;
use super::table::{Phase, Role};
use crate::uapi;
use crate::zcrx::Support;

/// When the sockets were last looked at.
#[derive(Debug)]
pub(super) struct StallCheck {
    last: Duration,
    /// Chunks delivered by then: a request that was read to its end since may have missed a reset.
    chunks: u64,
    /// Whether data is forgotten, too.
    forgets_data: bool,
}

impl StallCheck {
    /// The check that this kernel needs. The operation to add areas came with the kernel that mended
    /// the stall with data in the socket, and whether it is there can be asked.
    #[inline]
    pub(super) fn new(zero_copy: bool, support: &Support) -> Self {
        Self {
            last: clock::coarse(),
            chunks: 0,
            forgets_data: zero_copy && !support.has_control(uapi::ZCRX_CTRL_ADD_AREA),
        }
    }

    /// How soon sockets are to be looked at again, if nothing happens: one system call for each that has received
    /// something, so ten thousand cost a few milliseconds.
    #[inline]
    pub(super) fn interval(&self, chunks: u64) -> Option<Duration> {
        if self.forgets_data {
            Some(Duration::from_millis(100))
        } else {
            (chunks != self.chunks).then_some(Duration::from_millis(500))
        }
    }

    /// Whether it is time to look again.
    #[inline]
    fn is_due(&mut self, chunks: u64) -> bool {
        let Some(interval) = self.interval(chunks) else {
            return false;
        };
        let now = clock::coarse();
        let due = now.saturating_sub(self.last) >= interval;
        if due {
            self.last = now;
            self.chunks = chunks;
        }
        due
    }
}

impl Receiver {
    /// Restarts requests whose socket has data, or an end, that was not delivered. One that is merely about to be
    /// delivered is restarted in vain, which is harmless.
    #[inline]
    pub(super) fn check_for_stalls(&mut self) {
        if !self.stall_check.is_due(self.counters.chunks) {
            return;
        }
        let forgets_data = self.stall_check.forgets_data;
        for (id, socket) in self.table.iter_mut() {
            let (Phase::Active, Role::Stream(request)) = (socket.phase, &socket.role) else {
                continue;
            };
            let fd = socket.fd.as_raw();
            let received = request.received();
            let has_received = core::mem::replace(&mut socket.looked_at, received) != received;
            if (forgets_data && has_unread_bytes(fd)) || (has_received && has_hung_up(fd)) {
                socket.phase = Phase::Restarting;
                self.cancel.push(id);
                self.counters.stalls += 1;
            }
        }
    }
}

fn has_unread_bytes(fd: c_int) -> bool {
    let mut bytes: c_int = 0;
    // SAFETY: FIONREAD writes one int, to a live, exclusively borrowed local.
    let rc = unsafe { libc::ioctl(fd, libc::FIONREAD, core::ptr::from_mut(&mut bytes)) };
    rc == 0 && bytes > 0
}

/// Whether the connection is no more, in either direction. (POLLERR is not asked for: that something waits in the
/// socket's error queue, where notifications of its sender's come too, means nothing here.)
fn has_hung_up(fd: c_int) -> bool {
    let mut polled = libc::pollfd {
        fd,
        events: 0, // a hang-up is told of unasked
        revents: 0,
    };
    // SAFETY: one pollfd is read and written, a live, exclusively borrowed local; a timeout of 0 waits for nothing.
    let count = unsafe { libc::poll(&mut polled, 1, 0) };
    count == 1 && polled.revents & libc::POLLHUP != 0
}
