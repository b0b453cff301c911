//! Waits that poll the network card.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use zcrx_sys::recv::BufferRing;
use zcrx_sys::ring::{BusyPoll, NapiTracking, Ring, Sqe};
use zcrx_sys::zcrx::Area;
use zcrx_sys::{Errno, Error};

use super::common;
use super::common::nic::{at_peer, Nic, V4};
use super::common::rings::{complete, complete_nops, some_ring};
use super::common::streams::{PORT, QUEUE};

/// Has waits poll, and answers what was in force before; `None` after saying why it cannot be.
fn busy_poll(ring: &Ring, how: BusyPoll) -> Option<Option<BusyPoll>> {
    match ring.busy_poll(how) {
        Ok(before) => Some(before),
        Err(error) if error.errno() == Some(Errno::OPNOTSUPP) => {
            assert!(error.to_string().contains("CONFIG_NET_RX_BUSY_POLL"));
            common::skip((u32::MAX, 0), &error);
            None
        }
        Err(error) => {
            let (since, text) = match how.tracking {
                NapiTracking::Static => ((6, 13), "older than 6.13"),
                _ => ((6, 9), "older than 6.9"),
            };
            assert!(error.to_string().contains(text), "{error}");
            common::skip(since, &error);
            None
        }
    }
}

const DYNAMIC: BusyPoll = BusyPoll {
    timeout: Duration::from_micros(50),
    prefer: false,
    tracking: NapiTracking::Dynamic,
};

const STATIC: BusyPoll = BusyPoll {
    timeout: Duration::from_micros(7),
    prefer: true,
    tracking: NapiTracking::Static,
};

#[test]
fn busy_polling_answers_what_was_in_force() {
    let Some(ring) = some_ring() else { return };
    let Some(before) = busy_poll(&ring, DYNAMIC) else {
        return;
    };
    if common::kernel() >= (6, 13) {
        assert_eq!(before, None);
    } else {
        assert_eq!(before.unwrap().timeout, Duration::ZERO);
    }
    assert_eq!(ring.busy_poll(DYNAMIC), Ok(Some(DYNAMIC)));
    let Some(before) = busy_poll(&ring, STATIC) else {
        return;
    };
    assert_eq!(before, Some(DYNAMIC));
    assert_eq!(ring.busy_poll(DYNAMIC), Ok(Some(STATIC)));
    for _ in 0..2 {
        ring.stop_busy_poll().unwrap();
        assert_eq!(ring.busy_poll(DYNAMIC), Ok(None));
    }
}

#[test]
fn busy_polling_goes_on_for_at_most_ten_milliseconds() {
    let Some(mut ring) = some_ring() else { return };
    let Some(_) = busy_poll(&ring, DYNAMIC) else {
        return;
    };
    let limit = Duration::from_millis(10);
    let nanosecond = Duration::from_nanos(1);
    for (timeout, microseconds) in [
        (Duration::ZERO, 0),
        (nanosecond, 1),
        (limit - nanosecond, 10_000),
        (limit, 10_000),
    ] {
        ring.busy_poll(BusyPoll { timeout, ..DYNAMIC }).unwrap();
        let in_force = ring.busy_poll(DYNAMIC).unwrap().unwrap();
        assert_eq!(in_force.timeout, Duration::from_micros(microseconds));
    }
    for timeout in [limit + nanosecond, Duration::MAX] {
        let error = ring.busy_poll(BusyPoll { timeout, ..DYNAMIC }).unwrap_err();
        let text = error.to_string();
        assert!(
            text.ends_with("busy poll µs must be at most 10000"),
            "{text}"
        );
    }
    // With nothing to poll, waits are as ever.
    complete_nops(&mut ring, 1);
    assert_eq!(complete(&mut ring).len(), 1);
}

#[test]
fn static_tracking_keeps_a_list_of_ids() {
    let Some(ring) = some_ring() else { return };
    let Some(_) = busy_poll(&ring, STATIC) else {
        return;
    };
    let errno = |result: Result<(), Error>| result.unwrap_err().errno();
    for refused in [ring.add_napi_id(0), ring.remove_napi_id(0)] {
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("NAPI id must not be 0"), "{text}");
    }
    let error = ring.add_napi_id(1).unwrap_err(); // a CPU's number
    assert_eq!(error.errno(), Some(Errno::INVAL));
    assert!(
        error.to_string().contains("too small to be a NAPI's"),
        "{error}"
    );
    for id in [1 << 20, u32::MAX] {
        ring.add_napi_id(id).unwrap();
        assert_eq!(errno(ring.add_napi_id(id)), Some(Errno::EXIST));
        ring.remove_napi_id(id).unwrap();
        assert_eq!(errno(ring.remove_napi_id(id)), Some(Errno::NOENT));
    }
    ring.add_napi_id(u32::MAX).unwrap();
    ring.busy_poll(STATIC).unwrap();
    assert_eq!(
        errno(ring.remove_napi_id(u32::MAX)),
        Some(Errno::NOENT),
        "begun anew"
    );
    ring.busy_poll(DYNAMIC).unwrap();
    let error = ring.add_napi_id(u32::MAX).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::INVAL));
    assert!(
        error.to_string().contains("NapiTracking::Static"),
        "{error}"
    );
}

/// Packets that busy polling took from network cards.
fn packets_polled() -> u64 {
    let text = std::fs::read_to_string("/proc/net/netstat").unwrap();
    let mut lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("TcpExt: "));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let mut counters = names.split(' ').zip(values.split(' '));
    let (_, value) = counters
        .find(|(name, _)| *name == "BusyPollRxPackets")
        .unwrap();
    value.parse().unwrap()
}

/// `count` bytes that come one by one over the network card, each after the one before was answered; answers
/// how many packets busy polling took meanwhile.
fn echo(ring: &mut Ring, socket: &TcpStream, buffers: &mut BufferRing, count: usize) -> u64 {
    let before = packets_polled();
    for _ in 0..count {
        (&*socket).write_all(b"?").unwrap();
        let piece = complete(ring)[0];
        assert_eq!(piece.result(), Ok(1));
        // SAFETY: the completion is of a receive from this group on this ring, and taken once.
        let chunk = unsafe { buffers.take(&piece) }.unwrap();
        buffers.push(chunk).unwrap();
        buffers.publish();
    }
    packets_polled() - before
}

#[test]
fn waits_poll_the_network_card() {
    let Some(nic) = Nic::claim() else { return };
    let Some(mut ring) = some_ring() else { return };
    nic.steer(PORT, QUEUE);
    let listener = TcpListener::bind((V4, PORT)).unwrap();
    let peer = at_peer(|| {
        let mut stream = TcpStream::connect((V4, PORT)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut byte = [0];
        while stream.read(&mut byte).unwrap() == 1 {
            stream.write_all(&byte).unwrap();
        }
    });
    let (socket, _) = listener.accept().unwrap();
    socket.set_nodelay(true).unwrap();
    let area = Area::new(1 << 16).unwrap();
    let mut buffers = BufferRing::register(ring.as_ring_fd(), 0, area, 4096).unwrap();
    ring.push(Sqe::recv_multishot(socket.as_raw_fd(), buffers.group()))
        .unwrap();
    let mut echo = |ring: &mut Ring| echo(ring, &socket, &mut buffers, 50);

    assert_eq!(echo(&mut ring), 0, "nobody asked for busy polling");
    let timeout = Duration::from_millis(10);
    ring.busy_poll(BusyPoll { timeout, ..DYNAMIC }).unwrap();
    assert!(echo(&mut ring) > 0, "dynamic");
    ring.busy_poll(BusyPoll { timeout, ..STATIC }).unwrap();
    assert_eq!(echo(&mut ring), 0, "no queue was named");
    ring.add_napi_id(napi_id(&socket)).unwrap();
    assert!(echo(&mut ring) > 0, "static");
    ring.stop_busy_poll().unwrap();
    assert_eq!(echo(&mut ring), 0, "stopped");
    drop((ring, buffers, socket));
    peer.join().unwrap();
}

/// The queue that `socket` last received from.
fn napi_id(socket: &TcpStream) -> u32 {
    let (mut id, mut len) = (0_u32, size_of::<u32>() as libc::socklen_t);
    let (fd, at) = (socket.as_raw_fd(), std::ptr::from_mut(&mut id).cast());
    let option = libc::SO_INCOMING_NAPI_ID;
    // SAFETY: a writable u32 of that length, and the length itself.
    let got = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, option, at, &mut len) };
    assert_eq!(got, 0);
    id
}
