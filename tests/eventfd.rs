//! How a ring's owner is woken by others: poll requests.

use std::os::fd::AsRawFd;
use std::time::Duration;

use zcrx_sys::ring::{Cqe, Ring, RingBuilder, Sqe};
use zcrx_sys::{Errno, Fd};

mod common;

const LONG: Duration = Duration::from_secs(20);

fn some_ring() -> Option<Ring> {
    common::ring(&RingBuilder::new(8))
}

/// The completions that are there.
fn seen(ring: &mut Ring) -> Vec<Cqe> {
    ring.completions().map(|cqe| cqe.unwrap()).collect()
}

/// Runs until there are completions, and returns them.
fn complete(ring: &mut Ring) -> Vec<Cqe> {
    let woken = ring.submit_and_wait_for(1, LONG).unwrap();
    let seen = seen(ring);
    assert!(!seen.is_empty(), "{woken:?} without a completion");
    seen
}

/// Pushes and submits `count` no-ops, whose completions are then there.
fn complete_nops(ring: &mut Ring, count: usize) {
    for _ in 0..count {
        ring.push(Sqe::nop()).unwrap();
    }
    ring.submit().unwrap();
}

fn eventfd() -> Fd {
    // SAFETY: takes no pointers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    assert!(fd >= 0);
    // SAFETY: just made, and nothing else owns it.
    unsafe { Fd::from_raw(fd) }
}

/// Adds 1 to an eventfd.
fn signal(eventfd: &Fd) {
    let one = 1_u64.to_ne_bytes();
    // SAFETY: eight readable bytes.
    let wrote = unsafe { libc::write(eventfd.as_raw(), one.as_ptr().cast(), 8) };
    assert_eq!(wrote, 8);
}

fn poll_in(fd: &Fd) -> Sqe {
    Sqe::poll_add_multishot(fd.as_raw(), libc::POLLIN as u32)
}

#[test]
fn a_poll_wakes_the_owner_each_time_an_eventfd_is_signalled() {
    let Some(mut ring) = some_ring() else { return };
    let eventfd = eventfd();
    signal(&eventfd);
    ring.push(poll_in(&eventfd).user_data(7)).unwrap();
    for _ in 0..50 {
        let seen = complete(&mut ring);
        assert_eq!(seen.len(), 1);
        assert_eq!(
            (seen[0].user_data(), seen[0].result()),
            (7, Ok(libc::POLLIN as u32))
        );
        assert!(seen[0].more());
        // From another thread, which makes no call on the ring. The eventfd is never read.
        std::thread::scope(|scope| scope.spawn(|| signal(&eventfd)).join().unwrap());
    }
    complete(&mut ring);
    ring.push(Sqe::cancel(7).user_data(8)).unwrap();
    let mut last = complete(&mut ring);
    if last.len() < 2 {
        last.extend(complete(&mut ring));
    }
    last.sort_by_key(Cqe::user_data);
    assert_eq!(last[0].result(), Err(Errno::CANCELED));
    assert!(!last[0].more());
}

#[test]
fn poll_arguments_at_their_limits() {
    let Some(mut ring) = some_ring() else { return };
    let (out, incoming) = common::pair();
    drop(out);
    for events in [0, 1, u32::MAX] {
        // A hang-up is told whatever was asked for.
        ring.push(Sqe::poll_add_multishot(incoming.as_raw_fd(), events))
            .unwrap();
        let seen = complete(&mut ring);
        assert!(matches!(seen[0].result(), Ok(1..)), "{events:#x}: {seen:?}");
    }
    for fd in [-1, i32::MIN, i32::MAX] {
        ring.push(Sqe::poll_add_multishot(fd, 1).user_data(2))
            .unwrap();
        let seen = complete(&mut ring);
        assert_eq!(
            (seen[0].user_data(), seen[0].result()),
            (2, Err(Errno::BADF))
        );
    }
}

#[test]
fn a_poll_ends_when_the_completion_queue_is_full() {
    let builder = RingBuilder::new(2).completion_entries(2);
    let Some(mut ring) = common::ring(&builder) else {
        return;
    };
    let eventfd = eventfd();
    ring.push(poll_in(&eventfd).user_data(7)).unwrap();
    ring.submit().unwrap();
    complete_nops(&mut ring, 2);
    signal(&eventfd);
    let _ = ring.submit_and_wait(0).unwrap();
    assert_eq!(seen(&mut ring).len(), 2);
    ring.flush_overflow().unwrap();
    let last = complete(&mut ring)[0];
    assert_eq!((last.user_data(), last.more()), (7, false));
}
