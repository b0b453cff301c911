//! How a ring's owner waits: for batches, and with busy polling.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use zcrx_sys::recv::BufferRing;
use zcrx_sys::ring::{BusyPoll, NapiTracking, Ring, Sqe, Woken};
use zcrx_sys::zcrx::Area;
use zcrx_sys::{Errno, Error, Fd};

mod common;

use common::nic::{at_peer, Nic, V4};
use common::rings::{complete, complete_nops, seen, some_ring, LONG};
use common::streams::{PORT, QUEUE};

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

// Batches

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

// Busy polling

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
