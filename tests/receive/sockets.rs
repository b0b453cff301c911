//! How sockets come and go: limits, ends, cancellation, listeners.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use zcrx_sys::recv::{End, Event, Receiver, Rejected, Source, Wait};
use zcrx_sys::{Errno, Fd};

use super::{common, small, Seen};

over_every_source! {
    a_limit_leaves_the_rest_in_the_socket
    a_stream_shorter_than_its_limit_ends_as_such
    cancelling_ends_a_socket_and_keeps_its_chunks
    a_reset_is_reported
    a_reset_behind_much_unread_data_is_reported
    an_empty_stream_ends
    only_tcp_sockets_are_taken
    listeners_accept_and_can_be_cancelled
    dropping_with_everything_in_flight_is_quiet
}

fn a_limit_leaves_the_rest_in_the_socket(source: Source) {
    let Some(mut receiver) = common::receiver(Receiver::builder(), source) else {
        return;
    };
    for limit in [1, 4095, 4096, 100_000] {
        let (mut out, incoming) = common::pair();
        let sent = common::stream(limit, 300_000);
        let copy = sent.clone();
        let sender = std::thread::spawn(move || out.write_all(&copy).unwrap());
        let socket = receiver.add_limited(incoming, limit).unwrap();
        let mut seen = Seen::default();
        seen.run(&mut receiver, |seen| !seen.ends.is_empty());
        let (end, fd) = seen.ends.remove(&socket).unwrap();
        assert_eq!(end, End::LimitReached);
        assert_eq!(seen.bytes[&socket], sent[..limit as usize]);
        let mut rest = Vec::new();
        TcpStream::from(fd).read_to_end(&mut rest).unwrap();
        assert!(
            rest == sent[limit as usize..],
            "the rest differs after {limit}"
        );
        sender.join().unwrap();
    }
}

fn a_stream_shorter_than_its_limit_ends_as_such(source: Source) {
    let Some(mut receiver) = common::receiver(Receiver::builder(), source) else {
        return;
    };
    let (mut out, incoming) = common::pair();
    out.write_all(b"short").unwrap();
    drop(out);
    let socket = receiver.add_limited(incoming, u64::MAX).unwrap();
    let mut seen = Seen::default();
    seen.run(&mut receiver, |seen| !seen.ends.is_empty());
    assert_eq!(
        (seen.end(socket), &seen.bytes[&socket][..]),
        (End::Eof, &b"short"[..])
    );
}

fn cancelling_ends_a_socket_and_keeps_its_chunks(source: Source) {
    let Some(mut receiver) = common::receiver(Receiver::builder(), source) else {
        return;
    };
    let (mut out, incoming) = common::pair();
    let socket = receiver.add(incoming).unwrap();
    out.write_all(b"kept").unwrap();
    let chunk = loop {
        let _ = receiver.wait(Some(Duration::from_secs(20))).unwrap();
        if let Some(Event::Data { chunk, .. }) = receiver.next_event() {
            break chunk;
        }
    };
    assert!(receiver.cancel(socket));
    assert!(receiver.cancel(socket), "on its way, and not twice");
    let mut seen = Seen::default();
    seen.run(&mut receiver, |seen| !seen.ends.is_empty());
    assert_eq!(seen.end(socket), End::Cancelled);
    assert!(!receiver.cancel(socket), "it is gone");
    assert_eq!(receiver.bytes(&chunk), b"kept");
    receiver.recycle(chunk).unwrap();
    // Cancelled before it was ever submitted.
    let (_out, incoming) = common::pair();
    let never = receiver.add(incoming).unwrap();
    assert!(receiver.cancel(never));
    seen.run(&mut receiver, |seen| seen.ends.len() == 2);
    assert_eq!(seen.end(never), End::Cancelled);
    assert_eq!(receiver.sockets(), 0);
}

fn a_reset_is_reported(source: Source) {
    let Some(mut receiver) = common::receiver(Receiver::builder(), source) else {
        return;
    };
    let (out, incoming) = common::pair();
    let socket = receiver.add(incoming).unwrap();
    common::reset(out);
    let mut seen = Seen::default();
    seen.run(&mut receiver, |seen| !seen.ends.is_empty());
    assert_eq!(seen.end(socket), End::Failed(Errno::CONNRESET));
}

/// Has a socket take as much unread data as sockets may: by itself kernel 6.1 takes less than these tests send.
fn have_room(socket: &TcpStream) {
    let bytes: libc::c_int = 1 << 20;
    let (fd, len) = (socket.as_raw_fd(), size_of_val(&bytes) as libc::socklen_t);
    let at = std::ptr::from_ref(&bytes).cast();
    // SAFETY: reads an int of that length.
    let set = unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, at, len) };
    assert_eq!(set, 0);
}

/// Bytes that the other end has not acknowledged.
fn unsent(stream: &TcpStream) -> i32 {
    let mut bytes = 0;
    // SAFETY: the call writes one int, to a live, exclusively borrowed local.
    let got = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &mut bytes) };
    assert_eq!(got, 0);
    bytes
}

/// The kernel reads so much at a time, and after the last of it does not look for what came behind it.
fn a_reset_behind_much_unread_data_is_reported(source: Source) {
    let builder = Receiver::builder().area_len(1 << 20).spin(Duration::ZERO);
    let builder = match source {
        Source::Buffers => builder.chunk_len(512),
        _ => builder,
    };
    let Some(mut receiver) = common::receiver(builder, source) else {
        return;
    };
    for pieces in [20, 30, 60, 90] {
        let (mut out, incoming) = common::pair();
        out.set_nodelay(true).unwrap();
        have_room(&incoming);
        let socket = receiver.add(incoming).unwrap();
        // The request is in the kernel, and waits.
        while receiver.wait(Some(Duration::from_millis(5))).unwrap() != Wait::TimedOut {
            assert!(receiver.next_event().is_none());
        }
        for piece in 0..pieces {
            out.write_all(&common::stream(piece, 1000)).unwrap();
        }
        while unsent(&out) > 0 {
            std::thread::yield_now();
        }
        common::reset(out);
        let mut seen = Seen::default();
        seen.run(&mut receiver, |seen| !seen.ends.is_empty());
        assert_eq!(seen.end(socket), End::Failed(Errno::CONNRESET));
        assert_eq!(seen.bytes[&socket].len() as u64, 1000 * pieces);
    }
}

fn an_empty_stream_ends(source: Source) {
    let Some(mut receiver) = common::receiver(Receiver::builder(), source) else {
        return;
    };
    let (out, incoming) = common::pair();
    let socket = receiver.add(incoming).unwrap();
    out.shutdown(Shutdown::Write).unwrap();
    let mut seen = Seen::default();
    seen.run(&mut receiver, |seen| !seen.ends.is_empty());
    assert_eq!(seen.end(socket), End::Eof);
    assert_eq!(receiver.counters().chunks, 0);
    // The descriptor came back usable: the other direction is still open.
    let (_, fd) = seen.ends.remove(&socket).unwrap();
    TcpStream::from(fd).write_all(b"bye").unwrap();
    let mut answer = String::new();
    (&out).read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "bye");
}

fn only_tcp_sockets_are_taken(source: Source) {
    let Some(mut receiver) = common::receiver(Receiver::builder(), source) else {
        return;
    };
    let file = || Fd::from(OwnedFd::from(std::fs::File::open("/dev/null").unwrap()));
    let udp = || Fd::from(OwnedFd::from(UdpSocket::bind("127.0.0.1:0").unwrap()));
    let listener = || Fd::from(TcpListener::bind("127.0.0.1:0").unwrap());
    let stream = || Fd::from(common::pair().1);
    let check = |rejected: Rejected, number: i32, must: &str| {
        assert_eq!(rejected.fd.as_raw(), number, "handed back");
        let text = rejected.to_string();
        let start = format!("cannot receive from a socket (descriptor {number}): descriptor must ");
        assert!(text.starts_with(&start) && text.contains(must), "{text}");
        assert!(text.contains("plain TCP"), "{text}");
    };
    for fd in [file(), udp(), listener()] {
        let number = fd.as_raw();
        check(
            receiver.add(fd).unwrap_err(),
            number,
            "be a connected TCP socket",
        );
    }
    for fd in [file(), udp(), stream()] {
        let number = fd.as_raw();
        check(
            receiver.listen(fd).unwrap_err(),
            number,
            "be a listening TCP socket",
        );
    }
    let fd = stream();
    let number = fd.as_raw();
    check(
        receiver.add_limited(fd, 0).unwrap_err(),
        number,
        "have a limit above 0",
    );
    assert_eq!(receiver.sockets(), 0);
}

fn listeners_accept_and_can_be_cancelled(source: Source) {
    let Some(mut receiver) = common::receiver(Receiver::builder(), source) else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let id = receiver.listen(listener).unwrap();
    let peers: Vec<_> = (0..5)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    let mut seen = Seen::default();
    seen.run(&mut receiver, |seen| seen.accepted.len() == 5);
    let mut ports: Vec<_> = seen
        .accepted
        .drain(..)
        .map(|fd| TcpStream::from(fd).peer_addr().unwrap().port())
        .collect();
    let mut expected: Vec<_> = peers
        .iter()
        .map(|peer| peer.local_addr().unwrap().port())
        .collect();
    ports.sort_unstable();
    expected.sort_unstable();
    assert_eq!(ports, expected);
    assert!(receiver.cancel(id));
    seen.run(&mut receiver, |seen| !seen.ends.is_empty());
    assert_eq!(seen.end(id), End::Cancelled);
    seen.ends.clear();
    assert!(
        TcpStream::connect(address).is_err(),
        "the listener is closed with its descriptor"
    );
}

fn dropping_with_everything_in_flight_is_quiet(source: Source) {
    let Some(mut receiver) = common::receiver(small(source), source) else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    receiver.listen(listener).unwrap();
    let (mut out, incoming) = common::pair();
    receiver.add(incoming).unwrap();
    out.write_all(&common::stream(3, 40_000)).unwrap();
    let _ = receiver.wait(Some(Duration::from_secs(20))).unwrap();
    let chunk = match receiver.next_event() {
        Some(Event::Data { chunk, .. }) => chunk,
        other => panic!("{other:?}"),
    };
    let mut peer = TcpStream::connect(address).unwrap();
    let _ = receiver.wait(Some(Duration::from_secs(20))).unwrap();
    drop(receiver);
    drop(chunk);
    // Sockets, listener and the connection that nobody looked at are closed by now: requests that the
    // kernel still had would keep them open.
    for stream in [&mut peer, &mut out] {
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        match stream.read(&mut [0]) {
            Ok(0) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            other => panic!("not closed: {other:?}"),
        }
    }
    assert!(
        TcpStream::connect(address).is_err(),
        "the listener is still there"
    );
}
