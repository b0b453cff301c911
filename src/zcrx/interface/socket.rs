//! A netlink socket that asks one question at a time.

use core::mem::MaybeUninit;

use libc::{c_int, socklen_t};

use super::message::{answer, Answer, Request};
use crate::errno::Errno;
use crate::fd::Fd;

/// Room for one answer. The kernel's own tools read with as much; a link takes some 2000 bytes of it.
const ROOM: usize = 8192;

/// How long to wait for an answer. The kernel has it ready when `sendto` returns, since it works on requests, and
/// waits for its locks, in there: so this only passes if it does not answer at all.
const PATIENCE: libc::timeval = libc::timeval {
    tv_sec: 0,
    tv_usec: 100_000,
};

/// Most datagrams that are read for one answer.
const DATAGRAMS: u32 = 8;

#[derive(Debug)]
pub(super) struct Socket {
    fd: Fd,
    sequence: u32,
}

impl Socket {
    /// A socket to `protocol`: `NETLINK_ROUTE`, `NETLINK_GENERIC`. It tells of the network namespace that
    /// the calling thread is in now.
    #[inline]
    pub(super) fn open(protocol: c_int) -> Result<Self, Errno> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: takes no pointers.
        let raw = unsafe { libc::socket(libc::AF_NETLINK, kind, protocol) };
        if raw < 0 {
            return Err(Errno::last());
        }
        // SAFETY: the kernel just created this descriptor for us; nobody else knows of it.
        let fd = unsafe { Fd::from_raw(raw) };
        // SAFETY: PATIENCE is a timeval of the length given, copied by the call.
        let set = unsafe {
            libc::setsockopt(
                fd.as_raw(),
                libc::SOL_SOCKET,
                libc::SO_RCVTIMEO,
                core::ptr::from_ref(&PATIENCE).cast(),
                size_of::<libc::timeval>() as socklen_t,
            )
        };
        if set < 0 {
            return Err(Errno::last());
        }
        Ok(Self { fd, sequence: 0 })
    }

    /// Asks, and gives `read` the payload of the object that the kernel answers with, in a message of type
    /// `kind`.
    ///
    /// # Errors
    ///
    /// The kernel's own refusal; `ENODATA` if nothing of use came back.
    #[inline]
    pub(super) fn ask<T>(
        &mut self,
        mut request: Request,
        kind: u16,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, Errno> {
        self.sequence = self.sequence.wrapping_add(1);
        self.send(request.numbered(self.sequence))?;
        let mut room = [0; ROOM];
        for _ in 0..DATAGRAMS {
            let datagram = self.receive(&mut room)?;
            match answer(datagram, self.sequence, kind) {
                Answer::Object(payload) => return Ok(read(payload)),
                Answer::Refused(errno) => return Err(errno),
                Answer::End => break,
                // A late answer to an earlier request, or somebody else's message.
                Answer::Nothing => {}
            }
        }
        Err(Errno::NODATA)
    }

    #[inline]
    fn send(&self, message: &[u8]) -> Result<(), Errno> {
        // SAFETY: for sockaddr_nl all zeros are a value.
        let mut kernel: libc::sockaddr_nl = unsafe { MaybeUninit::zeroed().assume_init() };
        kernel.nl_family = libc::AF_NETLINK as libc::sa_family_t;
        // SAFETY: message and address are live, with their own lengths, and only read.
        let sent = unsafe {
            libc::sendto(
                self.fd.as_raw(),
                message.as_ptr().cast(),
                message.len(),
                libc::MSG_NOSIGNAL,
                core::ptr::from_ref(&kernel).cast(),
                size_of::<libc::sockaddr_nl>() as socklen_t,
            )
        };
        if sent < 0 {
            return Err(Errno::last());
        }
        Ok(())
    }

    /// The next datagram; empty if it did not come from the kernel.
    #[inline]
    fn receive<'a>(&self, room: &'a mut [u8; ROOM]) -> Result<&'a [u8], Errno> {
        // SAFETY: for sockaddr_nl all zeros are a value.
        let mut sender: libc::sockaddr_nl = unsafe { MaybeUninit::zeroed().assume_init() };
        let mut sender_len = size_of::<libc::sockaddr_nl>() as socklen_t;
        // SAFETY: room, sender and its length are exclusively borrowed, and written within the lengths given.
        // With MSG_TRUNC the call answers how long the datagram was, and still writes no more than fits.
        let len = unsafe {
            libc::recvfrom(
                self.fd.as_raw(),
                room.as_mut_ptr().cast(),
                room.len(),
                libc::MSG_TRUNC,
                core::ptr::from_mut(&mut sender).cast(),
                &mut sender_len,
            )
        };
        match usize::try_from(len) {
            // Any process may write to a netlink socket; the kernel's port is 0.
            Ok(_) if sender.nl_pid != 0 => Ok(&[]),
            Ok(len) => room.get(..len).ok_or(Errno::TOOBIG),
            Err(_) if Errno::last() == Errno::INTR => Ok(&[]),
            Err(_) => Err(Errno::last()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::zcrx::interface::questions::{Family, Link};

    #[test]
    fn it_does_not_leak_into_other_programs() {
        let socket = Socket::open(libc::NETLINK_GENERIC).unwrap();
        // SAFETY: takes no pointers.
        let flags = unsafe { libc::fcntl(socket.fd.as_raw(), libc::F_GETFD) };
        assert_eq!(flags, libc::FD_CLOEXEC);
    }

    #[test]
    fn an_answer_that_does_not_come_is_not_waited_for_long() {
        let mut socket = Socket::open(libc::NETLINK_ROUTE).unwrap();
        let start = Instant::now();
        let no_operation = Request::new(1, &[]); // NLMSG_NOOP
        let answer = socket.ask(no_operation, Link::ANSWER, |_| ());
        assert_eq!(answer, Err(Errno::AGAIN));
        let waited = start.elapsed();
        assert!(waited < Duration::from_secs(2), "{waited:?}");
    }

    /// Sends `message` to another netlink socket, as a process may that has CAP_NET_ADMIN.
    fn forge(victim: &Socket, message: &[u8]) -> Result<(), Errno> {
        // SAFETY: for sockaddr_nl all zeros are a value.
        let mut address: libc::sockaddr_nl = unsafe { MaybeUninit::zeroed().assume_init() };
        let mut len = size_of::<libc::sockaddr_nl>() as socklen_t;
        let at = core::ptr::from_mut(&mut address);
        // SAFETY: address and its length are exclusively borrowed locals.
        let got = unsafe { libc::getsockname(victim.fd.as_raw(), at.cast(), &mut len) };
        assert_eq!(got, 0);
        let forger = Socket::open(libc::NETLINK_GENERIC)?;
        // SAFETY: message and address are live, with their own lengths, and only read.
        let sent = unsafe {
            libc::sendto(
                forger.fd.as_raw(),
                message.as_ptr().cast(),
                message.len(),
                0,
                at.cast_const().cast(),
                len,
            )
        };
        if sent < 0 {
            return Err(Errno::last());
        }
        Ok(())
    }

    #[test]
    fn another_process_is_not_taken_for_the_kernel() {
        let name = b"nlctrl\0";
        let mut victim = Socket::open(libc::NETLINK_GENERIC).unwrap();
        let truth = victim.ask(Family::request(name), Family::ANSWER, Family::read);
        assert_eq!(truth, Ok(Some(Family::ANSWER)));
        // Like the next answer, and there before it: only its sender gives it away.
        let forged = || Request::new(Family::ANSWER, &[1, 2, 0, 0]).with(1, &999_u16.to_ne_bytes());
        let next = victim.sequence + 1;
        if let Err(errno) = forge(&victim, forged().numbered(next)) {
            assert_eq!(errno, Errno::PERM);
            return crate::zcrx::interface::live::skip(
                "writing to another's socket takes CAP_NET_ADMIN",
            );
        }
        let again = victim.ask(Family::request(name), Family::ANSWER, Family::read);
        assert_eq!(again, truth);
        // Nor is one that says to be an answer to an earlier request.
        let mut room = [0; ROOM];
        victim
            .send(Family::request(name).numbered(next - 1))
            .unwrap();
        let late = victim.receive(&mut room).unwrap();
        assert_eq!(answer(late, next + 1, Family::ANSWER), Answer::Nothing);
    }

    #[test]
    fn an_answer_that_is_too_long_is_an_error_and_not_half_an_answer() {
        let socket = Socket::open(libc::NETLINK_ROUTE).unwrap();
        // The kernel sends back the whole request that it refuses.
        let mut long = std::vec![0; ROOM + 1];
        let mut no_interface = Link::request(0);
        let start = no_interface.numbered(1);
        long[..start.len()].copy_from_slice(start);
        let len = long.len() as u32;
        long[..4].copy_from_slice(&len.to_ne_bytes());
        socket.send(&long).unwrap();
        let mut room = [0; ROOM];
        assert_eq!(socket.receive(&mut room), Err(Errno::TOOBIG));
    }

    #[test]
    fn the_numbers_of_requests_wrap() {
        let mut socket = Socket::open(libc::NETLINK_ROUTE).unwrap();
        socket.sequence = u32::MAX - 1;
        for sequence in [u32::MAX, 0, 1] {
            let loopback = socket.ask(Link::request(1), Link::ANSWER, Link::read);
            assert!(matches!(loopback, Ok(Some(_))), "{loopback:?}");
            assert_eq!(socket.sequence, sequence);
        }
    }
}
