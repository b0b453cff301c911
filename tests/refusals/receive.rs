//! How the kernel ends a request for zero-copy receive that it cannot serve.

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use zcrx_sys::recv::{End, Event, Receiver, Source};
use zcrx_sys::ring::{RingBuilder, Sqe};
use zcrx_sys::zcrx::{Area, Device, Ifq};
use zcrx_sys::{Errno, Fd};

use crate::bpf;
use crate::common::{self, pair};
use crate::memory::PAGE;

/// A socket of this kind that is not connected.
fn socket(protocol: i32) -> OwnedFd {
    // SAFETY: takes no pointers.
    let raw = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, protocol) };
    assert!(raw >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: a new descriptor that nothing else owns.
    unsafe { OwnedFd::from_raw_fd(raw) }
}

/// A connected pair of MPTCP sockets.
fn multipath_pair() -> (OwnedFd, OwnedFd) {
    let listener = TcpListener::from(socket(libc::IPPROTO_MPTCP));
    // SAFETY: takes no pointers. Listening gives the socket a port.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 1) }, 0);
    let port = listener.local_addr().unwrap().port();
    let out = socket(libc::IPPROTO_MPTCP);
    let to = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes([127, 0, 0, 1]),
        },
        sin_zero: [0; 8],
    };
    let (at, len) = (std::ptr::from_ref(&to).cast(), size_of_val(&to) as u32);
    // SAFETY: to is a live local of that length.
    let connected = unsafe { libc::connect(out.as_raw_fd(), at, len) };
    assert_eq!(connected, 0, "{}", std::io::Error::last_os_error());
    (out, listener.accept().unwrap().0.into())
}

/// How a request ends whose socket, or instance, is not fit for it.
#[test]
fn requests_that_cannot_be_served() {
    let Some(mut ring) = common::ring(&RingBuilder::new(8)) else {
        return;
    };
    let register =
        Ifq::builder(Device::None).register(ring.as_ring_fd(), Area::new(8 * PAGE).unwrap());
    let ifq = match register {
        Ok(ifq) => ifq,
        Err(error) => {
            let may_not_ask = error.errno() == Some(Errno::PERM) && !common::is_root();
            return common::skip(if may_not_ask { (u32::MAX, 0) } else { (7, 1) }, &error);
        }
    };
    let (udp, file) = (
        UdpSocket::bind("127.0.0.1:0").unwrap(),
        std::fs::File::open("/dev/null").unwrap(),
    );
    let (listener, unconnected) = (TcpListener::bind("127.0.0.1:0").unwrap(), socket(0));
    let (_out, multipath) = multipath_pair();
    let (mapped_peer, mapped) = pair();
    let map = bpf::in_a_sockmap(&mapped);
    let id = ifq.zcrx_id();
    let cases = [
        ("UDP", udp.as_raw_fd(), id, Errno::PROTONOSUPPORT),
        ("MPTCP", multipath.as_raw_fd(), id, Errno::PROTONOSUPPORT),
        ("sockmap", mapped.as_raw_fd(), id, Errno::PROTONOSUPPORT),
        ("no socket", file.as_raw_fd(), id, Errno::NOTSOCK),
        ("not open", 9999, id, Errno::BADF),
        ("listening", listener.as_raw_fd(), id, Errno::NOTCONN),
        ("unconnected", unconnected.as_raw_fd(), id, Errno::NOTCONN),
        (
            "unknown instance",
            mapped_peer.as_raw_fd(),
            id + 1,
            Errno::INVAL,
        ),
    ];
    for (name, fd, id, errno) in cases {
        ring.push(Sqe::recv_zc(fd, id, 0).user_data(7)).unwrap();
        let _ = ring
            .submit_and_wait_for(1, Duration::from_secs(20))
            .unwrap();
        let cqe = ring.completions().next().expect(name).unwrap();
        assert_eq!((cqe.user_data(), cqe.result()), (7, Err(errno)), "{name}");
        assert!(!cqe.more(), "{name}");
        // SAFETY: no chunk comes of it, which is what is tested.
        assert!(unsafe { ifq.take(&cqe) }.is_err(), "{name}");
    }
    drop(map);
}

/// How a receiver tells of a socket that it took and that turns out to be unfit.
fn end_of(mut receiver: Receiver, socket: impl Into<Fd>) -> End {
    let id = receiver.add(socket).unwrap();
    let _ = receiver.wait(Some(Duration::from_secs(20))).unwrap();
    let Some(Event::Ended { socket, end, .. }) = receiver.next_event() else {
        panic!("it did not end");
    };
    assert_eq!((socket, receiver.sockets()), (id, 0));
    end
}

#[test]
fn a_socket_in_a_sockmap_is_told_to_be_no_plain_tcp() {
    let Some(receiver) = common::receiver(Receiver::builder(), Source::NoDevice) else {
        return;
    };
    let (_out, incoming) = pair();
    let _map = bpf::in_a_sockmap(&incoming);
    let end = end_of(receiver, incoming);
    assert_eq!(end, End::NotPlainTcp);
    assert!(end.to_string().contains("plain TCP"), "{end}");
}

#[test]
fn a_socket_that_is_not_connected_is_told_so() {
    let Some(receiver) = common::receiver(Receiver::builder(), Source::NoDevice) else {
        return;
    };
    let end = end_of(receiver, TcpStream::from(socket(0)));
    assert_eq!(end, End::Failed(Errno::NOTCONN));
    assert!(end.to_string().contains("not connected"), "{end}");
}
