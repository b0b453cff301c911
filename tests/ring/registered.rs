//! Rings that are entered by a registered descriptor.

use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use zcrx_sys::ring::{RingBuilder, Sqe, Woken};
use zcrx_sys::Errno;

use super::common::rings::{readable_within, LONG};
use super::{common, complete};

#[test]
fn a_registered_ring_works_as_before() {
    let Some(mut ring) = common::ring(&RingBuilder::new(8)) else {
        return;
    };
    let number = ring.as_raw_fd();
    for _ in 0..2 {
        ring.register_descriptor().unwrap(); // the second does nothing
        assert_eq!(ring.as_raw_fd(), number);
        assert_eq!(ring.as_ring_fd().as_raw(), number);
        ring.push(Sqe::nop()).unwrap();
        assert_eq!(ring.submit().unwrap(), 1);
        assert_eq!(complete(&mut ring, 1).len(), 1);
        ring.flush_overflow().unwrap();
        let woken = ring.submit_and_wait_for(1, Duration::from_millis(5));
        assert_eq!(woken, Ok(Woken::TimedOut));
    }
}

/// With another file under the ring's number, only the slot still leads to the ring.
#[test]
fn a_registered_ring_is_entered_by_its_slot() {
    let Some(mut ring) = common::ring(&RingBuilder::new(8)) else {
        return;
    };
    ring.register_descriptor().unwrap();
    let number = ring.as_raw_fd();
    let own = ring.as_fd().try_clone_to_owned().unwrap();
    let other = std::fs::File::open("/dev/null").unwrap();
    let replace = |by: RawFd| {
        // SAFETY: takes no pointers. The number is this ring's alone, and gets its own file back below.
        let done = unsafe { libc::dup2(by, number) };
        assert_eq!(done, number);
    };
    replace(other.as_raw_fd());
    ring.push(Sqe::nop()).unwrap();
    let submitted = ring.submit();
    let waited = ring.submit_and_wait_for(1, LONG);
    replace(own.as_raw_fd());
    assert_eq!((submitted, waited), (Ok(1), Ok(Woken::Returned)));
}

#[test]
fn sixteen_rings_of_a_thread_can_be_registered() {
    let Some(_) = common::ring(&RingBuilder::new(1)) else {
        return;
    };
    // A thread of its own has no ring but these.
    let in_a_thread = || {
        let mut rings: Vec<_> = (0..17)
            .map(|_| RingBuilder::new(2).build().unwrap())
            .collect();
        for ring in &mut rings[..16] {
            ring.register_descriptor().unwrap();
        }
        let error = rings[16].register_descriptor().unwrap_err();
        assert_eq!(error.errno(), Some(Errno::BUSY));
        assert!(error.to_string().contains("16 rings"), "{error}");
        rings.swap_remove(3); // makes room for the last, which takes its place here
        rings[3].register_descriptor().unwrap();
        for ring in &mut rings {
            ring.push(Sqe::nop()).unwrap();
            assert_eq!(complete(ring, 1).len(), 1);
        }
    };
    std::thread::spawn(in_a_thread).join().unwrap();
}

/// A ring that is still open holds the files of its requests: a socket's peer sees no end of the stream.
#[test]
fn a_registered_ring_closes_when_it_is_dropped() {
    let Some(mut ring) = common::ring(&RingBuilder::new(8)) else {
        return;
    };
    let (mut peer, socket) = common::pair();
    peer.set_read_timeout(Some(LONG)).unwrap();
    ring.register_descriptor().unwrap();
    let never = libc::POLLPRI as u32;
    ring.push(Sqe::poll_add_multishot(socket.as_raw_fd(), never))
        .unwrap();
    assert_eq!(ring.submit().unwrap(), 1);
    drop(socket);
    let ended = readable_within(peer.as_raw_fd(), 100);
    assert!(!ended, "the ring does not hold the socket");
    drop(ring);
    // Teardown may interrupt a read; this one goes on then.
    assert_eq!(peer.read_to_end(&mut Vec::new()).unwrap(), 0);
}
