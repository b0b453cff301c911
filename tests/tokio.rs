//! A receiver in a tokio runtime: streams of chunks, back-pressure, wake-ups, ends.

use std::future::{poll_fn, Future};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::mpsc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::task::{spawn_local, yield_now, LocalSet};
use tokio::time::{sleep, timeout};
use zcrx_sys::recv::tokio::{Connection, Driver, Handle};
use zcrx_sys::recv::{End, Receiver, ReceiverBuilder, Source};
use zcrx_sys::zcrx::OwnedChunk;
use zcrx_sys::{Errno, Error};

mod common;

const PAGE: usize = 4096;
const LONG: Duration = Duration::from_secs(20);

macro_rules! over_every_source {
    ($($test:ident)+) => {
        mod buffers {
            $(#[test] fn $test() { super::$test(super::Source::Buffers) })+
        }
        mod no_device {
            $(#[test] fn $test() { super::$test(super::Source::NoDevice) })+
        }
    };
}

over_every_source! {
    streams_arrive_in_order
    a_full_queue_holds_its_peer_up_and_nobody_else
    a_call_that_is_dropped_loses_nothing
    a_connection_that_is_dropped_stops_receiving
    each_end_is_told_once
    no_wake_up_is_lost
    it_sleeps_while_nothing_comes
    chunks_that_other_threads_drop_wake_it
    what_is_left_at_the_drivers_end_is_told
    sockets_come_and_go
    the_place_of_one_that_was_dropped_is_anothers
}

/// 16 buffers of a page.
fn small() -> ReceiverBuilder {
    Receiver::builder()
        .area_len(16 * PAGE)
        .chunk_len(PAGE as u32)
}

/// Runs `test` with the handle of a driver that runs beside it. At its end nobody may be left, and the driver ends.
fn with<F: Future>(
    source: Source,
    builder: ReceiverBuilder,
    limit: usize,
    test: impl FnOnce(Handle) -> F,
) {
    let Some(receiver) = common::receiver(builder, source) else {
        return;
    };
    in_runtime(async {
        let driver = Driver::new(receiver).unwrap().queue_limit(limit);
        let handle = driver.handle();
        let driver = spawn_local(driver.run());
        test(handle).await;
        driver.await.unwrap().unwrap();
    });
}

fn in_runtime<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async {
        timeout(3 * LONG, test).await.expect("the test hangs")
    })
}

/// Reads the rest of stream `seed`, from `position` on, to its end; answers its length.
async fn rest(connection: &mut Connection, seed: u64, mut position: u64) -> u64 {
    while let Some(chunk) = connection.next().await {
        let chunk = chunk.unwrap();
        assert!(common::is_piece(seed, position, &chunk), "at {position}");
        position += chunk.len() as u64;
    }
    position
}

/// A connection, and a thread that sends it `len` bytes of stream `seed`.
fn sent(handle: &Handle, seed: u64, len: usize) -> (Connection, std::thread::JoinHandle<()>) {
    let (mut out, incoming) = common::pair();
    let sender = std::thread::spawn(move || {
        for piece in common::stream(seed, len).chunks(7001) {
            out.write_all(piece).unwrap();
        }
    });
    (handle.add(incoming).unwrap(), sender)
}

/// Lets the driver run until `done` is true of its counters.
async fn until(handle: &Handle, done: impl Fn(zcrx_sys::recv::Counters) -> bool) {
    let deadline = Instant::now() + LONG;
    while !done(handle.counters().unwrap()) {
        assert!(Instant::now() < deadline, "{:?}", handle.counters());
        sleep(Duration::from_millis(1)).await;
    }
}

fn streams_arrive_in_order(source: Source) {
    with(source, Receiver::builder(), 8, |handle| async move {
        const LEN: usize = 1 << 20;
        let mut tasks = Vec::new();
        for seed in 0..10 {
            let (mut connection, sender) = sent(&handle, seed, LEN);
            let task = spawn_local(async move { rest(&mut connection, seed, 0).await });
            tasks.push((task, sender));
        }
        for (task, sender) in tasks {
            assert_eq!(task.await.unwrap(), LEN as u64);
            sender.join().unwrap();
        }
        until(&handle, |counters| counters.outstanding == 0).await;
    });
}

fn a_full_queue_holds_its_peer_up_and_nobody_else(source: Source) {
    const LEN: usize = 16 << 20; // more than sockets take
    with(source, Receiver::builder(), 4, |handle| async move {
        let (mut slow, slow_sender) = sent(&handle, 1, LEN);
        // What the kernel completes at a time, at most: a socket's receive buffer full.
        until(&handle, |counters| counters.chunks >= 4).await;
        sleep(Duration::from_millis(100)).await;
        let held = handle.counters().unwrap();
        assert!(held.bytes < LEN as u64 / 2, "{held:?}");
        assert!(!slow_sender.is_finished());
        for seed in 2..5 {
            let (mut quick, sender) = sent(&handle, seed, 100_000);
            assert_eq!(rest(&mut quick, seed, 0).await, 100_000);
            sender.join().unwrap();
        }
        sleep(Duration::from_millis(20)).await;
        let now = handle.counters().unwrap();
        assert_eq!(now.bytes - held.bytes, 300_000, "nothing of the slow one's");
        assert_eq!(rest(&mut slow, 1, 0).await, LEN as u64);
        slow_sender.join().unwrap();
    });
}

fn a_call_that_is_dropped_loses_nothing(source: Source) {
    const LEN: usize = 1 << 20;
    with(source, small(), 2, |handle| async move {
        let (mut connection, sender) = sent(&handle, 1, LEN);
        let (mut position, mut dropped) = (0, 0_u64);
        'stream: loop {
            let chunk = loop {
                {
                    let mut next = pin!(connection.next());
                    let polled = poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await;
                    match polled {
                        Poll::Ready(Some(chunk)) => break chunk.unwrap(),
                        Poll::Ready(None) => break 'stream,
                        Poll::Pending => dropped += 1,
                    }
                }
                yield_now().await;
            };
            assert!(common::is_piece(1, position, &chunk), "at {position}");
            position += chunk.len() as u64;
        }
        assert_eq!(position, LEN as u64);
        assert!(dropped > 0);
        sender.join().unwrap();
    });
}

fn a_connection_that_is_dropped_stops_receiving(source: Source) {
    with(source, small(), 4, |handle| async move {
        // While it receives, while its queue is full, and at once.
        for queued in [1, 4, 0] {
            let (mut out, incoming) = common::pair();
            let connection = handle.add(incoming).unwrap();
            if queued > 0 {
                let before = handle.counters().unwrap().chunks;
                out.write_all(&vec![1; queued * PAGE]).unwrap();
                until(&handle, |counters| {
                    counters.chunks >= before + queued as u64
                })
                .await;
            }
            drop(connection);
            // Its descriptor is closed, so the peer is told.
            let closed = std::thread::spawn(move || out.read(&mut [0]));
            until(&handle, |_| closed.is_finished()).await;
            assert!(matches!(closed.join().unwrap(), Ok(0) | Err(_)));
        }
        until(&handle, |counters| counters.outstanding == 0).await;
    });
}

fn each_end_is_told_once(source: Source) {
    with(source, small(), 4, |handle| async move {
        let (out, incoming) = common::pair();
        let mut connection = handle.add(incoming).unwrap();
        out.shutdown(Shutdown::Write).unwrap();
        assert!(connection.next().await.is_none());
        assert!(connection.next().await.is_none());

        let (out, incoming) = common::pair();
        let mut connection = handle.add(incoming).unwrap();
        common::reset(out);
        let end = connection.next().await.unwrap().unwrap_err();
        assert_eq!(end, End::Failed(Errno::CONNRESET));
        assert!(connection.next().await.is_none());

        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let rejected = handle.add(OwnedFd::from(udp)).unwrap_err();
        assert!(rejected.to_string().contains("TCP"), "{rejected}");
    });
}

/// One byte at a time, there and back: the driver sleeps, or is about to, each time that one comes.
fn no_wake_up_is_lost(source: Source) {
    const ROUNDS: u32 = 1000;
    with(source, small(), 4, |handle| async move {
        let (mut out, incoming) = common::pair();
        out.set_nodelay(true).unwrap();
        let mut back = incoming.try_clone().unwrap();
        let mut connection = handle.add(incoming).unwrap();
        let pinger = std::thread::spawn(move || {
            let mut times = Vec::new();
            for round in 0..ROUNDS {
                // Not always at the same moment.
                for _ in 0..round % 100 * 10 {
                    std::hint::spin_loop();
                }
                let start = Instant::now();
                out.write_all(b"x").unwrap();
                out.read_exact(&mut [0]).unwrap();
                times.push(start.elapsed());
            }
            times
        });
        while let Some(chunk) = connection.next().await {
            back.write_all(&chunk.unwrap()).unwrap();
        }
        // One that is lost is noticed half a second later, by the check for requests that have stalled.
        let mut times = pinger.join().unwrap();
        times.sort_unstable();
        let slow = times
            .iter()
            .filter(|time| **time > Duration::from_millis(400));
        assert!(slow.count() < 3, "{:?}", times.split_off(times.len() - 9));
    });
}

fn thread_cpu() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes one timespec, to a live, exclusively borrowed local.
    let got = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(got, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn it_sleeps_while_nothing_comes(source: Source) {
    with(source, small(), 4, |handle| async move {
        let (mut out, incoming) = common::pair();
        incoming.set_nonblocking(true).unwrap(); // as those of a runtime are
        let mut connection = handle.add(incoming).unwrap();
        for _ in 0..2 {
            out.write_all(b"x").unwrap();
            assert_eq!(*connection.next().await.unwrap().unwrap(), *b"x");
            // By now nothing has to be looked at any more, on kernels from 7.3 on.
            let before = thread_cpu();
            sleep(Duration::from_millis(1200)).await;
            let spent = thread_cpu() - before;
            assert!(spent < Duration::from_millis(100), "{spent:?}");
        }
        let start = Instant::now();
        out.write_all(b"x").unwrap();
        assert!(connection.next().await.is_some());
        assert!(start.elapsed() < LONG);
    });
}

/// All memory is out, and it comes back from threads that know nothing of the runtime.
fn chunks_that_other_threads_drop_wake_it(source: Source) {
    const LEN: usize = 2 << 20;
    with(source, small(), 1000, |handle| async move {
        let (mut connection, sender) = sent(&handle, 1, LEN);
        let (give, take) = mpsc::channel::<OwnedChunk>();
        let keeper = std::thread::spawn(move || {
            let mut kept = Vec::new();
            let (mut position, mut rounds) = (0, 0_u64);
            while let Ok(chunk) = take.recv() {
                assert!(common::is_piece(1, position, &chunk), "at {position}");
                position += chunk.len() as u64;
                kept.push(chunk);
                if kept.len() == 12 {
                    rounds += 1;
                    std::thread::sleep(Duration::from_micros(rounds % 10 * 100));
                    kept.clear();
                }
            }
            position
        });
        while let Some(chunk) = connection.next().await {
            give.send(chunk.unwrap()).unwrap();
        }
        drop(give);
        assert_eq!(keeper.join().unwrap(), LEN as u64);
        sender.join().unwrap();
    });
}

fn what_is_left_at_the_drivers_end_is_told(source: Source) {
    let Some(receiver) = common::receiver(small(), source) else {
        return;
    };
    in_runtime(async {
        let driver = Driver::new(receiver).unwrap().queue_limit(4);
        let handle = driver.handle();
        let driver = spawn_local(driver.run());
        let (mut waiting, silent) = {
            let (out, incoming) = common::pair();
            (handle.add(incoming).unwrap(), out)
        };
        let (mut full, out) = {
            let (mut out, incoming) = common::pair();
            out.write_all(&common::stream(1, 6 * PAGE)).unwrap();
            (handle.add(incoming).unwrap(), out)
        };
        until(&handle, |counters| counters.chunks >= 4).await;
        let waiter = spawn_local(async move { waiting.next().await.unwrap().unwrap_err() });
        yield_now().await;
        driver.abort();
        assert_eq!(waiter.await.unwrap(), End::Cancelled);
        let (mut position, mut end) = (0, None);
        while let Some(next) = full.next().await {
            match next {
                Ok(chunk) => {
                    assert!(common::is_piece(1, position, &chunk));
                    position += chunk.len() as u64;
                }
                Err(how) => end = Some(how),
            }
        }
        assert!(position >= 4 * PAGE as u64);
        assert_eq!(end, Some(End::Cancelled));
        assert_eq!(handle.counters(), None);
        let (_out, incoming) = common::pair();
        let rejected = handle.add(incoming).unwrap_err();
        assert!(
            rejected.to_string().contains("driver must be running"),
            "{rejected}"
        );
        drop((silent, out));
    });
}

/// More than there is room for at a time, each dropped at another point of its life.
fn sockets_come_and_go(source: Source) {
    with(source, small(), 2, |handle| async move {
        let mut tasks = Vec::new();
        for seed in 0..200_u64 {
            let (mut out, incoming) = common::pair();
            let mut connection = handle.add(incoming).unwrap();
            tasks.push(spawn_local(async move {
                let out: TcpStream = match seed % 4 {
                    0 => return,
                    _ => {
                        out.write_all(&common::stream(seed, 20_000)).unwrap();
                        out
                    }
                };
                match seed % 4 {
                    1 => drop(out), // with everything on its way
                    2 => {
                        let first = connection.next().await.unwrap().unwrap();
                        assert!(common::is_piece(seed, 0, &first));
                    }
                    _ => {
                        drop(out);
                        assert_eq!(rest(&mut connection, seed, 0).await, 20_000);
                    }
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        until(&handle, |counters| counters.outstanding == 0).await;
    });
}

/// Dropped before the driver has heard of it, so that its end is still to be read when the other takes its place.
fn the_place_of_one_that_was_dropped_is_anothers(source: Source) {
    with(source, small(), 2, |handle| async move {
        let (_out, incoming) = common::pair();
        drop(handle.add(incoming).unwrap());
        let (mut connection, sender) = sent(&handle, 1, 100_000);
        assert_eq!(rest(&mut connection, 1, 0).await, 100_000);
        sender.join().unwrap();
    });
}

#[test]
fn it_ends_with_the_last_that_uses_it() {
    let Some(receiver) = common::receiver(small(), Source::Buffers) else {
        return;
    };
    let ended: Result<(), Error> = in_runtime(async {
        let driver = Driver::new(receiver).unwrap();
        let (first, second) = (driver.handle(), driver.handle());
        let driver = spawn_local(driver.run());
        let (_out, incoming) = common::pair();
        let connection = first.add(incoming).unwrap();
        for user in [Box::new(first) as Box<dyn std::any::Any>, Box::new(second)] {
            drop(user);
            yield_now().await;
            assert!(!driver.is_finished());
        }
        drop(connection);
        driver.await.unwrap()
    });
    ended.unwrap();
}
