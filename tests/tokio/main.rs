//! A receiver in a tokio runtime: streams of chunks, back-pressure, wake-ups, ends.

use std::future::{poll_fn, Future};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::mpsc;
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::task::{spawn_local, yield_now, LocalSet};
use tokio::time::{sleep, timeout};
use zcrx_sys::recv::tokio::{Connection, Driver, Handle};
use zcrx_sys::recv::{Counters, End, Receiver, ReceiverBuilder, Source};
use zcrx_sys::zcrx::OwnedChunk;
use zcrx_sys::{Errno, Error};

#[path = "../common/mod.rs"]
mod common;
mod ends;
mod reader;
mod waking;

use ends::*;
use reader::*;
use waking::*;

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
    lines_are_read_across_chunks
    bytes_are_lent_where_they_are
    bytes_are_read_into_buffers
    readers_are_told_how_it_ended
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
fn sent(handle: &Handle, seed: u64, len: usize) -> (Connection, JoinHandle<()>) {
    sent_after(handle, seed, len, |_| {})
}

/// As [`sent`], over a socket that was prepared to receive.
fn sent_after(
    handle: &Handle,
    seed: u64,
    len: usize,
    prepare: impl FnOnce(&TcpStream),
) -> (Connection, JoinHandle<()>) {
    let (mut out, incoming) = common::pair();
    prepare(&incoming);
    let sender = std::thread::spawn(move || {
        for piece in common::stream(seed, len).chunks(7001) {
            out.write_all(piece).unwrap();
        }
    });
    (handle.add(incoming).unwrap(), sender)
}

/// Lets the driver run until `done` is true of its counters.
async fn until(handle: &Handle, done: impl Fn(Counters) -> bool) {
    let deadline = Instant::now() + LONG;
    while !done(handle.counters().unwrap()) {
        assert!(Instant::now() < deadline, "{:?}", handle.counters());
        sleep(Duration::from_millis(1)).await;
    }
}

/// Lets the driver run until something has come, and nothing more does.
async fn at_rest(handle: &Handle) -> Counters {
    let (mut before, mut silent) = (0, Instant::now());
    loop {
        let now = handle.counters().unwrap();
        if now.bytes != before {
            (before, silent) = (now.bytes, Instant::now());
        } else if now.bytes > 0 && silent.elapsed() > Duration::from_millis(100) {
            return now;
        }
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
    const LIMIT: u64 = 4;
    with(source, small(), LIMIT as usize, |handle| async move {
        let (mut slow, slow_sender) = sent_after(&handle, 1, LEN, common::hold_little);
        let held = at_rest(&handle).await;
        if source == Source::Buffers {
            assert_eq!(held.chunks, LIMIT, "{held:?}");
        }
        assert!(held.bytes <= LIMIT * PAGE as u64, "{held:?}");
        assert!(!slow_sender.is_finished());
        for seed in 2..5 {
            let (mut quick, sender) = sent(&handle, seed, 100_000);
            assert_eq!(rest(&mut quick, seed, 0).await, 100_000);
            sender.join().unwrap();
        }
        let now = at_rest(&handle).await;
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
