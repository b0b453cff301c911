//! What a test needs of the kernel it runs on, and how it says so.
//!
//! A test that cannot run prints one line `SKIP <test>: <reason>` straight to standard error (past
//! the test harness's capture, so that `tests/run` can count it) and returns. Where the kernel's
//! version promises the capability, the same lack is a failure.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]

use std::io::Write;

use zcrx_sys::ring::{Ring, RingBuilder};
use zcrx_sys::{Errno, Error};

/// Version of the running kernel, such as `(6, 18)`.
pub fn kernel() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("procfs is there");
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Says why the running test cannot run here, or fails if kernel `since` promises that it can.
pub fn skip(since: (u32, u32), reason: &dyn std::fmt::Display) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("?");
    let (major, minor) = kernel();
    assert!(
        (major, minor) < since,
        "kernel {major}.{minor} promises what {test} needs since {}.{}, but: {reason}",
        since.0,
        since.1
    );
    let line = format!("SKIP {test}: {reason}\n");
    std::io::stderr()
        .write_all(line.as_bytes())
        .expect("stderr is open");
}

/// The ring that `builder` makes, or `None` after saying why this kernel cannot make it.
pub fn ring(builder: &RingBuilder) -> Option<Ring> {
    match builder.build() {
        Ok(ring) => Some(ring),
        Err(error) => {
            let since = if mixed_is_missing(&error) {
                (6, 18)
            } else {
                (6, 0)
            };
            skip(since, &error);
            None
        }
    }
}

fn mixed_is_missing(error: &Error) -> bool {
    error.errno() == Some(Errno::INVAL)
        && error
            .causes()
            .iter()
            .any(|cause| cause.cause.contains("mixed"))
}
