//! Waits that gather a batch of completions.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use zcrx_sys::recv::{BufferRing, Receiver, Source, Wait};
use zcrx_sys::ring::{Ring, Sqe, Woken};
use zcrx_sys::zcrx::Area;
use zcrx_sys::Fd;

use super::common;
use super::common::rings::{complete, complete_nops, seen, some_ring, LONG};

const SHORT: Duration = Duration::from_millis(30);

/// A timer that becomes readable once, `after` from now.
fn timer(after: Duration) -> Fd {
    // SAFETY: takes no pointers.
    let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC) };
    assert!(fd >= 0);
    // SAFETY: just made, and nothing else owns it.
    let timer = unsafe { Fd::from_raw(fd) };
    let never = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let once = libc::itimerspec {
        it_interval: never,
        it_value: libc::timespec {
            tv_sec: after.as_secs() as libc::time_t,
            tv_nsec: after.subsec_nanos().into(),
        },
    };
    // SAFETY: the new value is a live local; the old one is not asked for.
    let set = unsafe { libc::timerfd_settime(timer.as_raw(), 0, &once, std::ptr::null_mut()) };
    assert_eq!(set, 0);
    timer
}

/// A ring whose kernel can wait for batches, or `None` after saying why not.
fn batch_ring() -> Option<Ring> {
    let mut ring = some_ring()?;
    match ring.submit_and_wait_batch(0, Duration::ZERO, None) {
        Ok(woken) => {
            assert_eq!(woken, Woken::Returned);
            Some(ring)
        }
        Err(error) => {
            assert_eq!(
                error.to_string(),
                "cannot wait for a batch of completions (completions 0, least wait µs 0, timeout µs \
                 18446744073709551615): waiting for a batch needs kernel 6.12"
            );
            common::skip((6, 12), &error);
            None
        }
    }
}

/// How a wait for `completions` ended, after what time, and with how many completions.
fn batch(
    ring: &mut Ring,
    completions: u32,
    min_wait: Duration,
    timeout: Option<Duration>,
) -> (Woken, Duration, usize) {
    let start = Instant::now();
    let woken = ring.submit_and_wait_batch(completions, min_wait, timeout);
    (woken.unwrap(), start.elapsed(), seen(ring).len())
}

#[test]
fn a_full_batch_does_not_wait() {
    let Some(mut ring) = batch_ring() else { return };
    complete_nops(&mut ring, 4);
    let (woken, after, count) = batch(&mut ring, 4, LONG / 2, Some(LONG));
    assert_eq!((woken, count), (Woken::Returned, 4));
    assert!(after < LONG / 4, "{after:?}");
}

#[test]
fn one_completion_is_enough_after_the_least_wait() {
    let Some(mut ring) = batch_ring() else { return };
    complete_nops(&mut ring, 1);
    let (woken, after, count) = batch(&mut ring, 4, SHORT, Some(LONG));
    assert_eq!((woken, count), (Woken::Returned, 1));
    assert!((SHORT..LONG / 2).contains(&after), "{after:?}");
    // An ordinary wait goes on until the batch is full or the time is up.
    complete_nops(&mut ring, 1);
    let start = Instant::now();
    let _ = ring.submit_and_wait_for(4, 4 * SHORT).unwrap();
    assert_eq!(seen(&mut ring).len(), 1);
    assert!(start.elapsed() >= 4 * SHORT);
}

#[test]
fn the_first_completion_past_the_least_wait_ends_it() {
    let Some(mut ring) = batch_ring() else { return };
    for timeout in [None, Some(Duration::MAX), Some(LONG)] {
        let timer = timer(3 * SHORT);
        let poll = Sqe::poll_add_multishot(timer.as_raw(), libc::POLLIN as u32);
        ring.push(poll.user_data(1)).unwrap();
        ring.submit().unwrap();
        let (woken, after, count) = batch(&mut ring, 4, SHORT, timeout);
        assert_eq!((woken, count), (Woken::Returned, 1), "{timeout:?}");
        assert!(after < LONG / 2, "{timeout:?}: {after:?}");
        ring.push(Sqe::cancel(1)).unwrap();
        while !complete(&mut ring).iter().any(|cqe| cqe.user_data() == 1) {}
        seen(&mut ring);
    }
}

#[test]
fn nothing_at_all_ends_with_the_timeout() {
    let Some(mut ring) = batch_ring() else { return };
    let (woken, after, count) = batch(&mut ring, 4, SHORT / 10, Some(2 * SHORT));
    assert_eq!((woken, count), (Woken::TimedOut, 0));
    assert!((2 * SHORT..LONG / 2).contains(&after), "{after:?}");
    // The kernel by itself would wait for the longer of the two.
    let (woken, after, count) = batch(&mut ring, 4, LONG, Some(SHORT));
    assert_eq!((woken, count), (Woken::TimedOut, 0));
    assert!((SHORT..LONG / 2).contains(&after), "{after:?}");
}

#[test]
fn batch_arguments_at_their_limits() {
    let Some(mut ring) = batch_ring() else { return };
    let longest = Duration::from_micros(u32::MAX.into());
    let nanosecond = Duration::from_nanos(1);
    for min_wait in [Duration::ZERO, nanosecond, longest - nanosecond, longest] {
        complete_nops(&mut ring, 2);
        for completions in [0, 1, 2] {
            let woken = ring.submit_and_wait_batch(completions, min_wait, None);
            assert_eq!(woken, Ok(Woken::Returned), "{completions} {min_wait:?}");
        }
        seen(&mut ring);
        for timeout in [Duration::ZERO, nanosecond] {
            let (woken, _, count) = batch(&mut ring, 1, min_wait, Some(timeout));
            assert_eq!(
                (woken, count),
                (Woken::TimedOut, 0),
                "{min_wait:?} {timeout:?}"
            );
        }
    }
    for min_wait in [longest + nanosecond, Duration::MAX] {
        let error = ring
            .submit_and_wait_batch(1, min_wait, Some(SHORT))
            .unwrap_err();
        let text = error.to_string();
        assert!(text.contains("timeout µs 30000"), "{text}");
        assert!(
            text.ends_with("least wait µs must be at most 4294967295"),
            "{text}"
        );
    }
    // More than the queue holds: all that it holds.
    let slots = ring.completion_entries();
    for completions in [slots, slots + 1, i32::MAX as u32] {
        for _ in 0..slots / 8 {
            complete_nops(&mut ring, 8);
        }
        let (woken, after, count) = batch(&mut ring, completions, LONG / 2, Some(LONG));
        assert_eq!((woken, count), (Woken::Returned, slots as usize));
        assert!(after < LONG / 4, "{after:?}");
    }
    let _ = batch(&mut ring, u32::MAX, SHORT, Some(SHORT)); // ends, somehow
}

/// Runs `wait` in this thread, and `then` in another once this one sleeps in io_uring_enter.
fn once_asleep<T>(wait: impl FnOnce() -> T, then: impl FnOnce() + Send) -> T {
    // SAFETY: takes nothing, touches nothing.
    let thread = unsafe { libc::gettid() };
    let call = format!("{} ", libc::SYS_io_uring_enter);
    let asleep = move || {
        let path = format!("/proc/self/task/{thread}/syscall");
        std::fs::read_to_string(path).unwrap().starts_with(&call)
    };
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while !asleep() {
                std::thread::yield_now();
            }
            then();
        });
        wait()
    })
}

/// What the documentation says of deferred work: a readable socket counts as one.
#[test]
fn a_batch_counts_readable_sockets() {
    let Some(mut ring) = batch_ring() else { return };
    let area = Area::new(1 << 20).unwrap();
    let buffers = BufferRing::register(ring.as_ring_fd(), 0, area, 4096).unwrap();
    let [(mut out, incoming), (mut out2, incoming2)] = [common::pair(), common::pair()];
    for socket in [&incoming, &incoming2] {
        let recv = Sqe::recv_multishot(socket.as_raw_fd(), buffers.group());
        ring.push(recv).unwrap();
    }
    ring.submit().unwrap();
    // Two of one socket's three pieces are enough, but what wakes this thread to see them is the end of
    // the least wait. (Other things wake it now and then.)
    let least = SHORT / 4;
    let lasted = (0..50).any(|_| {
        let start = Instant::now();
        let mut written = least;
        let (woken, _, count) = once_asleep(
            || batch(&mut ring, 2, least, Some(LONG)),
            || {
                out.write_all(&[1; 3 * 4096]).unwrap();
                written = start.elapsed();
            },
        );
        assert_eq!((woken, count), (Woken::Returned, 3));
        written < least / 2 && start.elapsed() >= least
    });
    assert!(lasted, "woken for one socket");
    let (woken, after, count) = once_asleep(
        || batch(&mut ring, 2, LONG / 2, Some(LONG)),
        || {
            out.write_all(&[1]).unwrap();
            out2.write_all(&[1]).unwrap();
        },
    );
    assert_eq!((woken, count), (Woken::Returned, 2));
    assert!(after < LONG / 4, "{after:?}");
}

/// A receiver's wait that gathers is cut into the kernel's, of which one can end early.
#[test]
fn a_receiver_that_gathers_waits_out_its_time() {
    let builder = Receiver::builder().batch(64, Duration::from_millis(1));
    let Some(mut receiver) = common::receiver(builder, Source::Buffers) else {
        return;
    };
    receiver.add(common::pair().1).unwrap();
    let mut waits = Vec::new();
    while !matches!(waits.last(), Some((Wait::TimedOut, _))) {
        let start = Instant::now();
        let wait = receiver.wait(Some(SHORT)).unwrap();
        waits.push((wait, start.elapsed()));
        while receiver.next_event().is_some() {}
    }
    // The first one may have found the other end gone.
    assert!(waits.len() <= 2, "{waits:?}");
    assert!(waits.last().unwrap().1 >= SHORT, "{waits:?}");
}
