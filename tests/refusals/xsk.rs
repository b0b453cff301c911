//! An AF_XDP socket on a queue, in copy mode: the kernel notes it with the queue all the same.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::memory::{Memory, PAGE};

/// A bound socket. Fields drop in this order: the memory last.
pub(crate) struct Xsk {
    _socket: OwnedFd,
    _frames: Memory,
}

impl Xsk {
    pub(crate) fn bind(interface: u32, queue: u32) -> Self {
        // SAFETY: takes no pointers.
        let raw = unsafe { libc::socket(libc::AF_XDP, libc::SOCK_RAW, 0) };
        assert!(raw >= 0, "{}", std::io::Error::last_os_error());
        // SAFETY: a new descriptor that nothing else owns.
        let socket = unsafe { OwnedFd::from_raw_fd(raw) };
        let frames = Memory::new(16 * PAGE);
        let umem = libc::xdp_umem_reg {
            addr: frames.address(),
            len: frames.len() as u64,
            chunk_size: PAGE as u32,
            headroom: 0,
            flags: 0,
            tx_metadata_len: 0,
        };
        set(&socket, libc::XDP_UMEM_REG, &umem);
        for ring in [
            libc::XDP_UMEM_FILL_RING,
            libc::XDP_UMEM_COMPLETION_RING,
            libc::XDP_RX_RING,
        ] {
            set(&socket, ring, &64_u32);
        }
        let address = libc::sockaddr_xdp {
            sxdp_family: libc::AF_XDP as u16,
            sxdp_flags: libc::XDP_COPY,
            sxdp_ifindex: interface,
            sxdp_queue_id: queue,
            sxdp_shared_umem_fd: 0,
        };
        let (at, len) = (
            std::ptr::from_ref(&address).cast(),
            size_of_val(&address) as u32,
        );
        // SAFETY: address is a live local of that length.
        let bound = unsafe { libc::bind(socket.as_raw_fd(), at, len) };
        assert_eq!(bound, 0, "{}", std::io::Error::last_os_error());
        Self {
            _socket: socket,
            _frames: frames,
        }
    }
}

fn set<T>(socket: &OwnedFd, option: libc::c_int, value: &T) {
    let (at, len) = (std::ptr::from_ref(value).cast(), size_of::<T>() as u32);
    // SAFETY: value is live and of that length; what a umem_reg points to outlives the socket.
    let set = unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_XDP, option, at, len) };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
}
