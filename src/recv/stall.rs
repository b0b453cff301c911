//! Requests that stall: before kernel 7.3, a zero-copy request that ran out of completion slots or of
//! buffers after partial progress was not queued again. Data stays in the socket, and no completion comes.

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
}

impl StallCheck {
    /// How often sockets are looked at: one system call each, so ten thousand cost a few milliseconds.
    pub(super) const INTERVAL: Duration = Duration::from_millis(100);

    /// The check, if this kernel needs it. The operation to add areas came with the kernel that mended
    /// the stall, and whether it is there can be asked.
    #[inline]
    pub(super) fn needed(support: &Support) -> Option<Self> {
        (!support.has_control(uapi::ZCRX_CTRL_ADD_AREA)).then(|| Self {
            last: clock::coarse(),
        })
    }

    /// Whether it is time to look again.
    #[inline]
    fn is_due(&mut self) -> bool {
        let now = clock::coarse();
        let due = now.saturating_sub(self.last) >= Self::INTERVAL;
        if due {
            self.last = now;
        }
        due
    }
}

impl Receiver {
    /// Restarts requests whose socket has data that was not delivered. One that is merely about to be
    /// delivered is restarted in vain, which is harmless.
    #[inline]
    pub(super) fn check_for_stalls(&mut self) {
        if !self.stall_check.as_mut().is_some_and(StallCheck::is_due) {
            return;
        }
        for (id, socket) in self.table.iter_mut() {
            let active = socket.phase == Phase::Active && matches!(socket.role, Role::Stream(_));
            if active && has_unread_bytes(socket.fd.as_raw()) {
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
