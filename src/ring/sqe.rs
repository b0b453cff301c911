//! Submission entries: safe constructors for what cannot break memory safety, `unsafe` ones for the rest.

use libc::c_int;

use crate::fd::Fd;
use crate::uapi::{self, io_uring_sqe};

/// A submission entry that is ready to be pushed.
///
/// The kernel resolves descriptor numbers when the entry is submitted. A number that was closed or
/// reused by then means an error or another file, never a memory error; [`close`](Self::close)
/// takes its descriptor by value, because to close somebody else's could cause one.
#[must_use = "an entry does nothing until it is pushed to a ring and submitted"]
pub struct Sqe(pub(super) io_uring_sqe);

impl Sqe {
    fn new(opcode: uapi::io_uring_op, fd: c_int) -> Self {
        Self(io_uring_sqe {
            opcode: opcode as u8,
            fd,
            ..io_uring_sqe::default()
        })
    }

    /// Sets the value that every completion of this request carries. 0 if never set.
    pub fn user_data(mut self, user_data: u64) -> Self {
        self.0.user_data = user_data;
        self
    }

    /// Does nothing and completes with 0.
    pub fn nop() -> Self {
        Self::new(uapi::IORING_OP_NOP, -1)
    }

    /// Does nothing and completes with 0 in a 32-byte entry that carries `extra` (kernel 6.18).
    ///
    /// Such a completion never has `F_MORE`, which all zero-copy data has, so it cannot be mistaken
    /// for received data. A ring with narrow completions answers EINVAL.
    pub fn nop32(extra: [u64; 2]) -> Self {
        let mut sqe = Self::nop();
        sqe.0.__bindgen_anon_3.nop_flags = uapi::IORING_NOP_CQE32;
        sqe.0.__bindgen_anon_1.off = extra[0];
        sqe.0.__bindgen_anon_2.addr = extra[1];
        sqe
    }

    /// Zero-copy receive from TCP socket `fd` into the areas of zcrx instance `zcrx_id` (kernel
    /// 6.15). Completes once for every piece received, until a terminal completion.
    ///
    /// `limit` is a number of bytes after which the request ends; 0 for none.
    pub fn recv_zc(fd: c_int, zcrx_id: u32, limit: u32) -> Self {
        let mut sqe = Self::new(uapi::IORING_OP_RECV_ZC, fd);
        sqe.0.ioprio = uapi::IORING_RECV_MULTISHOT as u16;
        sqe.0.len = limit;
        sqe.0.__bindgen_anon_5.zcrx_ifq_idx = zcrx_id;
        sqe
    }

    /// Receives from socket `fd` into buffers of provided-buffer group `group`, again and again
    /// (multishot `RECV`, kernel 6.0). The memory is the registered buffer ring's, which keeps it
    /// alive.
    pub fn recv_multishot(fd: c_int, group: u16) -> Self {
        let mut sqe = Self::recv_provided(fd, group, 0);
        sqe.0.ioprio = uapi::IORING_RECV_MULTISHOT as u16;
        sqe
    }

    /// Receives once from socket `fd` into one buffer of group `group`: at most `len` bytes, or as
    /// many as the buffer holds if `len` is 0.
    pub fn recv_provided(fd: c_int, group: u16, len: u32) -> Self {
        let mut sqe = Self::new(uapi::IORING_OP_RECV, fd);
        sqe.0.flags = uapi::IOSQE_BUFFER_SELECT;
        sqe.0.len = len;
        sqe.0.__bindgen_anon_4.buf_group = group;
        sqe
    }

    /// Accepts connections on listening socket `fd`, again and again (multishot `ACCEPT`, kernel
    /// 5.19). Each completion's result is a new descriptor, which belongs to whoever reads it; the
    /// peer's address is not asked for. The new sockets are close-on-exec.
    pub fn accept_multishot(fd: c_int) -> Self {
        let mut sqe = Self::new(uapi::IORING_OP_ACCEPT, fd);
        sqe.0.ioprio = uapi::IORING_ACCEPT_MULTISHOT as u16;
        sqe.0.__bindgen_anon_3.accept_flags = libc::SOCK_CLOEXEC as u32;
        sqe
    }

    /// Watches descriptor `fd` for `events` (`libc::POLLIN` and the like, as 32 bits), again and again
    /// (multishot `POLL_ADD`, kernel 5.13). Errors and hang-ups are reported whether asked for or not.
    ///
    /// Each completion's result is the events that were seen. It is edge-triggered: one at once if some
    /// are there, then one whenever the file has signalled anew, whether it was read in between or not; so
    /// an eventfd that wakes the ring's owner need not be read. What is signalled before the owner enters
    /// comes as one. The request ends (a completion without [`more`](super::Cqe::more)) when it is
    /// cancelled, or when the completion queue is full.
    ///
    /// It is not for an eventfd that is [registered](super::Ring::register_eventfd) with a ring, nor for a
    /// ring's descriptor: the first signal that comes from an io_uring ends it, and some kernels say that it
    /// goes on nevertheless (6.16.12 and 6.19.14 do).
    ///
    /// ```
    /// use std::io::Write;
    /// use std::os::fd::AsRawFd;
    /// use std::os::unix::net::UnixStream;
    /// use zcrx_sys::ring::{RingBuilder, Sqe};
    ///
    /// let (ours, mut theirs) = UnixStream::pair()?;
    /// let mut ring = RingBuilder::new(8).build()?;
    /// ring.push(Sqe::poll_add_multishot(ours.as_raw_fd(), libc::POLLIN as u32).user_data(1)).unwrap();
    /// theirs.write_all(b"wake up")?;
    /// let _ = ring.submit_and_wait(1)?;
    /// let seen = ring.completions().next().unwrap()?;
    /// assert!(seen.more() && seen.res() & i32::from(libc::POLLIN) != 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll_add_multishot(fd: c_int, events: u32) -> Self {
        let mut sqe = Self::new(uapi::IORING_OP_POLL_ADD, fd);
        sqe.0.len = uapi::IORING_POLL_ADD_MULTI;
        // The field grew from 16 bits: on big-endian machines the kernel wants the low half first.
        let halves_swapped = if cfg!(target_endian = "big") { 16 } else { 0 };
        sqe.0.__bindgen_anon_3.poll32_events = events.rotate_left(halves_swapped);
        sqe
    }

    /// Cancels the request whose completions carry `user_data`. Completes with 0, or with ENOENT if
    /// there is none, or EALREADY if it is past cancelling.
    pub fn cancel(user_data: u64) -> Self {
        let mut sqe = Self::new(uapi::IORING_OP_ASYNC_CANCEL, -1);
        sqe.0.__bindgen_anon_2.addr = user_data;
        sqe
    }

    /// Cancels all requests on descriptor `fd` (kernel 5.19). Completes with their number.
    pub fn cancel_fd(fd: c_int) -> Self {
        let mut sqe = Self::new(uapi::IORING_OP_ASYNC_CANCEL, fd);
        sqe.0.__bindgen_anon_3.cancel_flags =
            uapi::IORING_ASYNC_CANCEL_FD | uapi::IORING_ASYNC_CANCEL_ALL;
        sqe
    }

    /// Cancels every request of the ring (kernel 5.19). Completes with their number.
    pub fn cancel_all() -> Self {
        let mut sqe = Self::new(uapi::IORING_OP_ASYNC_CANCEL, -1);
        sqe.0.__bindgen_anon_3.cancel_flags =
            uapi::IORING_ASYNC_CANCEL_ANY | uapi::IORING_ASYNC_CANCEL_ALL;
        sqe
    }

    /// Closes `fd`. An entry that is dropped instead of pushed leaks the descriptor.
    pub fn close(fd: Fd) -> Self {
        Self::new(uapi::IORING_OP_CLOSE, fd.into_raw())
    }

    /// Sends the `len` bytes at `buffer` to socket `fd`. A broken connection gives EPIPE, no signal.
    ///
    /// # Safety
    ///
    /// The bytes must stay readable, and not be written by anybody, until the completion was read.
    pub unsafe fn send(fd: c_int, buffer: *const u8, len: u32) -> Self {
        let mut sqe = Self::new(uapi::IORING_OP_SEND, fd);
        sqe.0.__bindgen_anon_2.addr = buffer as usize as u64;
        sqe.0.len = len;
        sqe.0.__bindgen_anon_3.msg_flags = libc::MSG_NOSIGNAL as u32;
        sqe
    }

    /// The entry as the kernel reads it, to be written into another library's queue.
    pub fn into_raw(self) -> io_uring_sqe {
        self.0
    }
}

impl core::fmt::Debug for Sqe {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sqe")
            .field("opcode", &self.0.opcode)
            .field("fd", &self.0.fd)
            .field("user_data", &self.0.user_data)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel reads of every entry: operation, its flags, file, entry flags, length, the word that each
    /// operation has flags of its own in, and address.
    fn said(sqe: Sqe) -> (u8, u16, c_int, u8, u32, u32, u64) {
        let sqe = sqe.user_data(9).into_raw();
        assert_eq!(sqe.user_data, 9);
        // SAFETY: of these unions every value is valid.
        let (flags, addr) = unsafe { (sqe.__bindgen_anon_3.rw_flags, sqe.__bindgen_anon_2.addr) };
        (
            sqe.opcode, sqe.ioprio, sqe.fd, sqe.flags, sqe.len, flags, addr,
        )
    }

    /// The numbers are those of linux/io_uring.h.
    #[test]
    fn each_entry_says_what_it_is_for() {
        let (select, multishot) = (1 << 5, 1 << 1);
        assert_eq!(said(Sqe::nop()), (0, 0, -1, 0, 0, 0, 0));
        let cloexec = libc::SOCK_CLOEXEC as u32;
        assert_eq!(said(Sqe::accept_multishot(5)), (13, 1, 5, 0, 0, cloexec, 0));
        let events = (libc::POLLIN | libc::POLLRDHUP) as u32;
        let polled = if cfg!(target_endian = "big") {
            events.rotate_left(16)
        } else {
            events
        };
        let poll = Sqe::poll_add_multishot(5, events);
        assert_eq!(said(poll), (6, 0, 5, 0, 1, polled, 0));
        assert_eq!(
            said(Sqe::recv_provided(5, 3, 77)),
            (27, 0, 5, select, 77, 0, 0)
        );
        assert_eq!(
            said(Sqe::recv_multishot(5, 3)),
            (27, multishot, 5, select, 0, 0, 0)
        );
        assert_eq!(
            said(Sqe::recv_zc(5, 3, 77)),
            (58, multishot, 5, 0, 77, 0, 0)
        );
        // Every request, or all on one file: ALL is 1, FD is 2, ANY is 4.
        assert_eq!(said(Sqe::cancel(1234)), (14, 0, -1, 0, 0, 0, 1234));
        assert_eq!(said(Sqe::cancel_fd(5)), (14, 0, 5, 0, 0, 1 | 2, 0));
        assert_eq!(said(Sqe::cancel_all()), (14, 0, -1, 0, 0, 1 | 4, 0));
        let fd = Fd::duplicate(2).unwrap();
        let raw = fd.as_raw();
        assert_eq!(said(Sqe::close(fd)), (19, 0, raw, 0, 0, 0, 0));
        // SAFETY: nobody closes it but this test, which forgot it above.
        drop(unsafe { Fd::from_raw(raw) });
        let bytes = *b"four";
        // SAFETY: the entry is not submitted.
        let send = said(unsafe { Sqe::send(5, bytes.as_ptr(), 4) });
        let nosignal = libc::MSG_NOSIGNAL as u32;
        assert_eq!(send, (26, 0, 5, 0, 4, nosignal, bytes.as_ptr() as u64));
    }

    #[test]
    fn each_receive_says_where_to() {
        let zero_copy = Sqe::recv_zc(5, 3, 0).into_raw();
        // SAFETY: of this union every value is valid.
        assert_eq!(unsafe { zero_copy.__bindgen_anon_5.zcrx_ifq_idx }, 3);
        for provided in [Sqe::recv_multishot(5, 3), Sqe::recv_provided(5, 3, 1)] {
            // SAFETY: as above.
            assert_eq!(unsafe { provided.into_raw().__bindgen_anon_4.buf_group }, 3);
        }
    }

    #[test]
    fn a_wide_nop_carries_its_words() {
        let sqe = Sqe::nop32([7, 8]).into_raw();
        // SAFETY: of these unions every value is valid.
        let words = unsafe { (sqe.__bindgen_anon_1.off, sqe.__bindgen_anon_2.addr) };
        assert_eq!((sqe.opcode, words), (0, (7, 8)));
        // SAFETY: as above.
        assert_eq!(unsafe { sqe.__bindgen_anon_3.nop_flags }, 1 << 5, "CQE32");
    }

    #[test]
    fn an_entry_is_printed_with_its_operation_and_file() {
        let told = std::format!("{:?}", Sqe::recv_zc(5, 3, 0).user_data(9));
        assert!(told.contains("opcode: 58, fd: 5, user_data: 9"), "{told}");
    }
}
