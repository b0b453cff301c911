//! Owned chunks: read and dropped in any thread, returned by the receiver.

use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;

use zcrx_sys::recv::{End, Event, Receiver, Source};
use zcrx_sys::zcrx::OwnedChunk;

mod common;

const PAGE: usize = 4096;

/// A receiver of few chunks over `source`, or `None` after saying why not.
fn receiver(source: Source) -> Option<Receiver> {
    let builder = Receiver::builder()
        .area_len(16 * PAGE)
        .chunk_len(PAGE as u32);
    common::receiver(builder, source)
}

/// Receives a stream of 4 MiB, whose chunks go to `workers` threads that check and drop them.
fn through_threads(mut receiver: Receiver, workers: usize) {
    const LEN: usize = 4 << 20;
    let (mut out, incoming) = common::pair();
    receiver.add(incoming).unwrap();
    let sender = std::thread::spawn(move || out.write_all(&common::stream(3, LEN)).unwrap());
    std::thread::scope(|scope| {
        let (gives, takes): (Vec<_>, Vec<_>) = (0..workers)
            .map(|_| mpsc::channel::<(u64, OwnedChunk)>())
            .unzip();
        for take in takes {
            scope.spawn(move || {
                for (position, chunk) in take {
                    assert!(common::is_piece(3, position, &chunk), "at {position}");
                }
            });
        }
        let (mut position, mut count, mut end) = (0, 0, None);
        while end.is_none() {
            let _ = receiver.wait(Some(Duration::from_secs(20))).unwrap();
            while let Some(event) = receiver.next_event() {
                match event {
                    Event::Data { chunk, .. } => {
                        let len = u64::from(chunk.len());
                        let owned = receiver.own(chunk).unwrap();
                        gives[count % workers].send((position, owned)).unwrap();
                        position += len;
                        count += 1;
                    }
                    Event::Ended { end: how, .. } => end = Some(how),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!((end, position), (Some(End::Eof), LEN as u64));
    });
    sender.join().unwrap();
    let _ = receiver.wait(Some(Duration::ZERO)).unwrap();
    assert_eq!(receiver.counters().outstanding, 0);
}

#[test]
fn threads_read_and_drop_them_over_buffers() {
    if let Some(receiver) = receiver(Source::Buffers) {
        through_threads(receiver, 3);
    }
}

#[test]
fn threads_read_and_drop_them_over_no_device() {
    if let Some(receiver) = receiver(Source::NoDevice) {
        through_threads(receiver, 3);
    }
}

/// A receiver that has given all of its memory away, and the chunks. The sender still has more to send.
fn all_out(source: Source) -> Option<(Receiver, Vec<OwnedChunk>, std::thread::JoinHandle<()>)> {
    let mut receiver = receiver(source)?;
    let (mut out, incoming) = common::pair();
    receiver.add(incoming).unwrap();
    let sender = std::thread::spawn(move || {
        // The other side may be gone before all is sent.
        let _ = out.write_all(&common::stream(3, 64 * PAGE));
    });
    let mut owned = Vec::new();
    while receiver.counters().pool_dry == 0 {
        let _ = receiver.wait(Some(Duration::from_secs(20))).unwrap();
        while let Some(event) = receiver.next_event() {
            let Event::Data { chunk, .. } = event else {
                panic!("{event:?}")
            };
            owned.push(receiver.own(chunk).unwrap());
        }
    }
    assert_eq!(receiver.counters().outstanding, owned.len() as u64);
    let first = &owned[0];
    let said = format!("OwnedChunk({} bytes)", first.as_ref().len());
    assert_eq!(format!("{first:?}"), said);
    Some((receiver, owned, sender))
}

#[test]
fn they_stay_readable_when_the_receiver_is_gone() {
    for source in [Source::Buffers, Source::NoDevice] {
        let Some((receiver, owned, sender)) = all_out(source) else {
            continue;
        };
        drop(receiver);
        sender.join().unwrap();
        // What the kernel does when the last ring is closed has had its chance.
        let other = std::thread::spawn(move || {
            let mut position = 0;
            for chunk in owned {
                assert!(
                    common::is_piece(3, position, &chunk),
                    "{source}: at {position}"
                );
                position += chunk.len() as u64;
            }
        });
        other.join().unwrap();
    }
}

#[test]
fn a_sleeping_receiver_is_woken_when_it_is_short() {
    for source in [Source::Buffers, Source::NoDevice] {
        let Some((mut receiver, mut owned, sender)) = all_out(source) else {
            continue;
        };
        let mut received: u64 = owned.iter().map(|chunk| chunk.len() as u64).sum();
        std::thread::scope(|scope| {
            let (give, take) = mpsc::channel::<OwnedChunk>();
            scope.spawn(move || take.into_iter().for_each(drop));
            while received < 64 * PAGE as u64 {
                // The one that is returned is all there is to go on with.
                give.send(owned.swap_remove(0)).unwrap();
                let before = received;
                while received == before {
                    let _ = receiver.wait(Some(Duration::from_secs(20))).unwrap();
                    while let Some(event) = receiver.next_event() {
                        if let Event::Data { chunk, .. } = event {
                            received += u64::from(chunk.len());
                            owned.push(receiver.own(chunk).unwrap());
                        }
                    }
                }
            }
        });
        sender.join().unwrap();
    }
}

#[test]
fn a_chunk_of_another_receiver_is_handed_back() {
    let (Some((mut first, _owned, sender)), Some(mut second)) =
        (all_out(Source::Buffers), receiver(Source::Buffers))
    else {
        return;
    };
    let (mut out, incoming) = common::pair();
    second.add(incoming).unwrap();
    out.write_all(b"x").unwrap();
    let _ = second.wait(Some(Duration::from_secs(20))).unwrap();
    let Some(Event::Data { chunk, .. }) = second.next_event() else {
        panic!("no data")
    };
    let refused = first.own(chunk).unwrap_err();
    assert!(
        refused.to_string().contains("one of this receiver's"),
        "{refused}"
    );
    second.recycle(refused.chunk).unwrap();
    drop(first);
    sender.join().unwrap();
}
