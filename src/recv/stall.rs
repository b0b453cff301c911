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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::vec::Vec;

    use super::*;
    use crate::recv::dispatch::tests::setup;
    use crate::recv::request::{Completion, Operation, Pause, Request};
    use crate::recv::table::Socket;

    #[test]
    fn it_is_due_now_and_then_and_for_resets_only_after_something_came() {
        let support = Support::default();
        let mut check = StallCheck::new(true, &support);
        assert!(!check.is_due(0), "sockets were just added");
        check.last = Duration::ZERO;
        assert!(check.is_due(0) && !check.is_due(0));
        let mut check = StallCheck::new(false, &support);
        check.last = Duration::ZERO;
        assert!(!check.is_due(0), "nothing came");
        assert!(check.is_due(1) && !check.is_due(1));
        check.last = Duration::ZERO;
        assert!(!check.is_due(1), "nothing came since");
        assert!(check.is_due(2));
    }

    /// A stream's role that has received `bytes`.
    fn stream(bytes: i32) -> Role {
        let mut request = Request::new(Operation::ZeroCopy, None);
        request.arm();
        if bytes > 0 {
            let outcome = request.on_completion(Completion {
                res: bytes,
                more: true,
                buffer: true,
            });
            assert!(outcome.buffer.is_some());
        }
        Role::Stream(request)
    }

    /// A socket that `payload` has come to, and its peer.
    fn connected(payload: &[u8]) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        client.write_all(payload).unwrap();
        // It has come once it can be looked at.
        if !payload.is_empty() {
            assert_eq!(server.peek(&mut [0; 1]).unwrap(), 1);
        }
        (client, server)
    }

    /// A socket whose peer has reset the connection.
    fn reset() -> TcpStream {
        let (client, mut server) = connected(b"");
        // Who closes with something unread resets.
        server.write_all(b"unread").unwrap();
        assert_eq!(client.peek(&mut [0; 1]).unwrap(), 1);
        drop(client);
        while !has_hung_up(server.as_raw_fd()) {
            std::thread::yield_now();
        }
        server
    }

    #[test]
    fn only_a_hang_up_is_one() {
        let (_client, server) = connected(b"unread");
        assert!(!has_hung_up(server.as_raw_fd()));
        assert!(!has_hung_up(c_int::MAX), "no descriptor: POLLNVAL");
        assert!(has_hung_up(reset().as_raw_fd()));
    }

    /// Which of `sockets` are restarted.
    fn restarted(forgets_data: bool, sockets: Vec<(Role, Phase, TcpStream)>) -> Vec<bool> {
        let mut own = setup();
        let mut ids = Vec::new();
        for (role, phase, socket) in sockets {
            ids.push(own.table.insert(Socket {
                fd: socket.into(),
                role,
                phase,
                looked_at: 0,
            }));
        }
        own.stall_check = StallCheck {
            last: Duration::ZERO,
            chunks: 0,
            forgets_data,
        };
        own.counters.chunks = 1;
        own.check_for_stalls();
        let phases = own.table.iter_mut().map(|(_, socket)| socket.phase);
        let restarted: Vec<_> = phases.map(|phase| phase == Phase::Restarting).collect();
        let count = restarted.iter().filter(|&&restarted| restarted).count();
        assert_eq!(
            (own.cancel.len(), own.counters().stalls),
            (count, count as u64)
        );
        // What was looked at is not looked at again before more has come.
        own.stall_check.last = Duration::ZERO;
        own.check_for_stalls();
        if !forgets_data {
            assert_eq!(own.cancel.len(), count);
        }
        restarted
    }

    #[test]
    fn streams_with_unread_data_are_restarted_where_the_kernel_forgets_them() {
        let (clients, sockets): (Vec<_>, Vec<_>) = [
            (stream(0), Phase::Active, &b"unread"[..]),
            (stream(0), Phase::Active, b""),
            (stream(0), Phase::Paused(Pause::PoolDry), b"unread"),
            (Role::Listener, Phase::Active, b"unread"),
        ]
        .into_iter()
        .map(|(role, phase, payload)| {
            let (client, server) = connected(payload);
            (client, (role, phase, server))
        })
        .unzip();
        assert_eq!(restarted(true, sockets), [true, false, false, false]);
        drop(clients);
    }

    #[test]
    fn streams_that_were_reset_are_restarted_if_they_have_received_something() {
        let (_client, unread) = connected(b"unread");
        let sockets = std::vec![
            (stream(6), Phase::Active, reset()),
            (stream(0), Phase::Active, reset()),
            (stream(6), Phase::Paused(Pause::PoolDry), reset()),
            (stream(6), Phase::Active, unread),
        ];
        assert_eq!(restarted(false, sockets), [true, false, false, false]);
    }
}
