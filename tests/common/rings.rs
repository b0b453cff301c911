//! A small ring, and what it takes to see its completions.

use std::os::fd::RawFd;
use std::time::Duration;

use zcrx_sys::ring::{Cqe, Ring, RingBuilder, Sqe};

/// Longer than anything takes that happens at all.
pub const LONG: Duration = Duration::from_secs(20);

pub fn some_ring() -> Option<Ring> {
    super::ring(&RingBuilder::new(8))
}

/// The completions that are there.
pub fn seen(ring: &mut Ring) -> Vec<Cqe> {
    ring.completions().map(|cqe| cqe.unwrap()).collect()
}

/// Runs until there are completions, and returns them.
pub fn complete(ring: &mut Ring) -> Vec<Cqe> {
    let woken = ring.submit_and_wait_for(1, LONG).unwrap();
    let seen = seen(ring);
    assert!(!seen.is_empty(), "{woken:?} without a completion");
    seen
}

/// Pushes and submits `count` no-ops, whose completions are then there.
pub fn complete_nops(ring: &mut Ring, count: usize) {
    for _ in 0..count {
        ring.push(Sqe::nop()).unwrap();
    }
    ring.submit().unwrap();
}

/// Whether `fd` becomes readable in so many milliseconds.
pub fn readable_within(fd: RawFd, milliseconds: i32) -> bool {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one pollfd, exclusively borrowed.
    unsafe { libc::poll(&mut poll, 1, milliseconds) == 1 }
}
