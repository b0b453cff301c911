//! How a ring's owner is woken by others, and others by it: eventfds and poll requests.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::time::Duration;

use zcrx_sys::ring::{Cqe, RingBuilder, Sqe, Woken};
use zcrx_sys::{Errno, Fd, Reason};

mod common;

use common::rings::{complete, complete_nops, readable_within, seen, some_ring};

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

/// Takes what an eventfd has counted; 0 if nothing.
fn count(eventfd: &Fd) -> u64 {
    let mut count = [0; 8];
    // SAFETY: eight writable bytes.
    let read = unsafe { libc::read(eventfd.as_raw(), count.as_mut_ptr().cast(), 8) };
    assert!(read == 8 || std::io::Error::last_os_error().raw_os_error() == Some(libc::EAGAIN));
    u64::from_ne_bytes(count)
}

fn poll_in(fd: &Fd) -> Sqe {
    Sqe::poll_add_multishot(fd.as_raw(), libc::POLLIN as u32)
}

#[test]
fn an_eventfd_tells_of_work_and_of_completions() {
    let Some(mut ring) = some_ring() else { return };
    let (mut out, incoming) = common::pair();
    let eventfd = eventfd();
    ring.register_eventfd(eventfd.as_raw()).unwrap();
    let events = libc::POLLIN as u32;
    ring.push(Sqe::poll_add_multishot(incoming.as_raw_fd(), events))
        .unwrap();
    ring.submit().unwrap();
    assert_eq!(count(&eventfd), 0, "nothing came yet");
    for _ in 0..3 {
        out.write_all(b"x").unwrap();
        assert!(readable_within(eventfd.as_raw(), 20_000), "told of work");
        assert!(count(&eventfd) > 0);
        assert!(seen(&mut ring).is_empty(), "put off until the owner enters");
        let _ = ring.submit_and_wait(0).unwrap();
        assert_eq!(seen(&mut ring).len(), 1);
        while count(&eventfd) > 0 {} // the owner's own call was told of as well
    }
    ring.unregister_eventfd().unwrap();
    out.write_all(b"x").unwrap();
    assert_eq!(complete(&mut ring).len(), 1);
    assert_eq!(count(&eventfd), 0, "unregistered");
}

/// To look at, not to sleep on: kernels 6.12 to 7.2 do not wake who polls it for work that they put off.
#[test]
fn a_ring_is_readable_when_looked_at() {
    let Some(mut ring) = some_ring() else { return };
    let (mut out, incoming) = common::pair();
    let events = libc::POLLIN as u32;
    ring.push(Sqe::poll_add_multishot(incoming.as_raw_fd(), events))
        .unwrap();
    ring.submit().unwrap();
    assert!(!readable_within(ring.as_raw_fd(), 0), "nothing came yet");
    out.write_all(b"x").unwrap();
    let deadline = std::time::Instant::now() + common::rings::LONG;
    while !readable_within(ring.as_raw_fd(), 0) {
        assert!(std::time::Instant::now() < deadline);
    }
    assert!(seen(&mut ring).is_empty(), "put off until the owner enters");
    assert_eq!(complete(&mut ring).len(), 1);
    assert!(!readable_within(ring.as_raw_fd(), 0));
}

#[test]
fn an_eventfd_for_workers_is_silent_about_sockets() {
    let Some(mut ring) = some_ring() else { return };
    let (mut out, incoming) = common::pair();
    let eventfd = eventfd();
    ring.register_eventfd_async(eventfd.as_raw()).unwrap();
    let events = libc::POLLIN as u32;
    ring.push(Sqe::poll_add_multishot(incoming.as_raw_fd(), events))
        .unwrap();
    ring.submit().unwrap();
    out.write_all(b"x").unwrap();
    assert_eq!(complete(&mut ring).len(), 1);
    assert_eq!(count(&eventfd), 0);
}

#[test]
fn what_is_no_eventfd_is_refused() {
    let Some(ring) = some_ring() else { return };
    let file = std::fs::File::open("/proc/self/stat").unwrap();
    for fd in [-1, i32::MIN] {
        let error = ring.register_eventfd(fd).unwrap_err();
        assert!(
            matches!(
                error.reason(),
                Reason::Argument {
                    name: "descriptor",
                    ..
                }
            ),
            "{error}"
        );
    }
    for (fd, errno, text) in [
        (i32::MAX, Errno::BADF, "no file is open"),
        (file.as_raw_fd(), Errno::INVAL, "not an eventfd"),
        (ring.as_raw_fd(), Errno::INVAL, "not an eventfd"),
    ] {
        for result in [ring.register_eventfd(fd), ring.register_eventfd_async(fd)] {
            let error = result.unwrap_err();
            assert_eq!(error.errno(), Some(errno));
            assert!(error.to_string().contains(text), "{error}");
            assert!(
                error.to_string().contains(&format!("descriptor {fd}")),
                "{error}"
            );
        }
    }
    let error = ring.unregister_eventfd().unwrap_err();
    assert_eq!(error.errno(), Some(Errno::NXIO));
    assert!(
        error.to_string().contains("the ring has no eventfd"),
        "{error}"
    );
    let eventfd = eventfd();
    ring.register_eventfd(eventfd.as_raw()).unwrap();
    let error = ring.register_eventfd(eventfd.as_raw()).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::BUSY));
    assert!(
        error.to_string().contains("unregister that one first"),
        "{error}"
    );
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

/// What the documentation of `poll_add_multishot` says of signals that come from an io_uring.
#[test]
fn a_poll_of_another_rings_eventfd_ends_with_the_first_signal() {
    let (Some(mut watcher), Some(mut other)) = (some_ring(), some_ring()) else {
        return;
    };
    let eventfd = eventfd();
    other.register_eventfd(eventfd.as_raw()).unwrap();
    watcher.push(poll_in(&eventfd)).unwrap();
    watcher.submit().unwrap();
    complete_nops(&mut other, 1);
    let first = complete(&mut watcher)[0];
    assert_eq!(first.result(), Ok(libc::POLLIN as u32));
    // Some kernels say that it goes on, but it does not.
    let some = (6, 16)..=(6, 19);
    assert!(
        !first.more() || some.contains(&common::kernel()),
        "{first:?}"
    );
    complete_nops(&mut other, 1);
    let woken = watcher.submit_and_wait_for(1, Duration::from_millis(30));
    assert_eq!(woken, Ok(Woken::TimedOut));
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
