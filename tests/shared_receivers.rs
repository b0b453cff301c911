//! Receivers that share an instance: what one of them returns, leaves behind or keeps is there for the others.

use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use zcrx_sys::recv::{Event, Receiver, ReceiverBuilder, Source, Wait};
use zcrx_sys::zcrx::{Chunk, OwnedChunk};

mod common;

const PAGE: usize = 4096;
/// Chunks of the area that they share.
const CHUNKS: usize = 16;

fn first(builder: ReceiverBuilder) -> Option<Receiver> {
    common::receiver(builder.area_len(CHUNKS * PAGE), Source::NoDevice)
}

/// A connection that `receiver` receives from.
fn connect(receiver: &mut Receiver) -> TcpStream {
    let (out, incoming) = common::pair();
    receiver.add(incoming).unwrap();
    out
}

/// Sends one byte, and receives the chunk that it is put into. Fails if there is none for long.
fn one(receiver: &mut Receiver, out: &mut TcpStream) -> Chunk {
    out.write_all(b"x").unwrap();
    let start = Instant::now();
    loop {
        let _ = receiver.wait(Some(Duration::from_millis(200))).unwrap();
        if let Some(event) = receiver.next_event() {
            let Event::Data { chunk, .. } = event else {
                panic!("{event:?}")
            };
            return chunk;
        }
        let starved = start.elapsed() > Duration::from_secs(10);
        assert!(!starved, "no chunk is left: {:?}", receiver.counters());
    }
}

/// Sees that all chunks can be received into but `few`.
fn assert_all_but(few: usize, receiver: &mut Receiver) {
    let mut out = connect(receiver);
    let held: Vec<_> = (few..CHUNKS).map(|_| one(receiver, &mut out)).collect();
    for chunk in held {
        receiver.recycle(chunk).unwrap();
    }
}

#[test]
fn what_a_dropped_receiver_had_not_read_is_there_for_the_others() {
    let Some(mut first) = first(Receiver::builder()) else {
        return;
    };
    let export = first.export().unwrap();
    for _ in 0..4 {
        let mut second = Receiver::builder().import(&export).unwrap();
        let mut out = connect(&mut second);
        let chunk = one(&mut second, &mut out);
        second.recycle(chunk).unwrap();
        for _ in 0..4 {
            out.write_all(b"x").unwrap();
            assert_eq!(
                second.wait(Some(Duration::from_secs(20))).unwrap(),
                Wait::Ready
            );
        }
        // It goes with completions that nobody has looked at.
        drop(second);
    }
    assert_all_but(1, &mut first);
}

#[test]
fn what_another_has_published_is_flushed_for_a_dry_one() {
    let Some(mut first) = first(Receiver::builder()) else {
        return;
    };
    let export = first.export().unwrap();
    let mut second = Receiver::builder().import(&export).unwrap();
    let mut out = connect(&mut first);
    let mut held: Vec<_> = (0..CHUNKS).map(|_| one(&mut first, &mut out)).collect();
    // Fewer than a receiver flushes by itself.
    for chunk in held.drain(..7) {
        first.recycle(chunk).unwrap();
    }
    let _ = first.wait(Some(Duration::from_millis(10))).unwrap();
    let mut out = connect(&mut second);
    let chunk = one(&mut second, &mut out);
    second.recycle(chunk).unwrap();
    assert!(second.counters().flushes > 0);
}

#[test]
fn one_that_sleeps_is_woken_for_what_the_others_wait_for() {
    if common::kernel() < (7, 1) {
        return common::skip((7, 1), &"no zero-copy receive without a device");
    }
    if first(Receiver::builder()).is_none() {
        return;
    }
    let (give_export, take_export) = mpsc::channel();
    let (give_owned, take_owned) = mpsc::channel::<OwnedChunk>();
    let (give_chunk, take_chunk) = mpsc::channel::<Chunk>();
    let (give_thread, take_thread) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let sleeper = std::thread::spawn(move || {
        let mut first = first(Receiver::builder()).unwrap();
        give_export.send(first.export().unwrap()).unwrap();
        let mut out = connect(&mut first);
        for _ in 0..CHUNKS / 2 {
            let chunk = one(&mut first, &mut out);
            give_owned.send(first.own(chunk).unwrap()).unwrap();
        }
        drop(give_owned);
        // Others' chunks, after which by its own count it has none out.
        for chunk in take_chunk {
            first.recycle(chunk).unwrap();
        }
        // SAFETY: takes nothing.
        give_thread.send(unsafe { libc::gettid() }).unwrap();
        while ended.try_recv() == Err(mpsc::TryRecvError::Empty) {
            let _ = first.wait(Some(Duration::from_secs(5))).unwrap();
            while first.next_event().is_some() {}
        }
    });
    let export = take_export.recv().unwrap();
    let owned: Vec<_> = take_owned.into_iter().collect();
    let mut second = Receiver::builder().import(&export).unwrap();
    let mut out = connect(&mut second);
    for _ in 0..CHUNKS / 2 {
        give_chunk.send(one(&mut second, &mut out)).unwrap();
    }
    drop(give_chunk);
    wait_until_asleep(take_thread.recv().unwrap());
    let held: Vec<_> = (0..CHUNKS / 2)
        .map(|_| one(&mut second, &mut out))
        .collect();
    // All are out: half of them here, and half owned ones of the other, which are dropped while it sleeps.
    drop(owned);
    let chunk = one(&mut second, &mut out);
    second.recycle(chunk).unwrap();
    drop(held);
    end.send(()).unwrap();
    sleeper.join().unwrap();
}

/// Waits until a thread of this process sleeps in the kernel.
fn wait_until_asleep(thread: i32) {
    let start = Instant::now();
    let path = format!("/proc/self/task/{thread}/stat");
    while !std::fs::read_to_string(&path).unwrap().contains(") S ") {
        assert!(start.elapsed() < Duration::from_secs(20), "it never slept");
        std::thread::yield_now();
    }
}

#[test]
fn owned_chunks_whose_receiver_is_gone_come_back_to_the_others() {
    let Some(mut first) = first(Receiver::builder().refill_entries(4)) else {
        return;
    };
    let export = first.export().unwrap();
    let mut second = Receiver::builder().import(&export).unwrap();
    let mut out = connect(&mut second);
    // More than the refill ring takes at a time.
    let owned: Vec<_> = (0..10)
        .map(|_| {
            let chunk = one(&mut second, &mut out);
            second.own(chunk).unwrap()
        })
        .collect();
    drop(second);
    drop(owned);
    assert_all_but(0, &mut first);
}

#[test]
fn each_grows_by_the_length_of_the_first_area() {
    let growing = |pages: usize| Receiver::builder().grow_to((pages * PAGE) as u64);
    if common::kernel() < (7, 3) {
        return common::skip((7, 3), &"this kernel cannot add areas");
    }
    let Some(mut first) = first(growing(2 * CHUNKS)) else {
        return;
    };
    let mut out = connect(&mut first);
    let _held: Vec<_> = (0..2 * CHUNKS).map(|_| one(&mut first, &mut out)).collect();
    let export = first.export().unwrap();
    let mut second = growing(3 * CHUNKS).import(&export).unwrap();
    let mut out = connect(&mut second);
    let _chunk = one(&mut second, &mut out);
    let added = (first.counters().areas_added, second.counters().areas_added);
    assert_eq!(added, (1, 1));
}
