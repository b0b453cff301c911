//! What a queue's memory can be, on the software NIC: several areas, areas that are added when it runs out, shared
//! by several threads, dmabufs, owned chunks; and what the kernel tells about it.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use zcrx_sys::recv::{End, Event, Pages, Receiver, Source, Wanted};
use zcrx_sys::zcrx::{Area, Notification, OwnedChunk};

use common::nic::{Nic, V6};
use common::streams::{
    assert_placed, received, receiver, sender_to, transfer, Streams, MIB, PORT, QUEUE,
};

mod common;

const PAGE: usize = 4096;

/// Whether the kernel has what came with `since`; says so if not.
fn has(since: (u32, u32), what: &str) -> bool {
    let has = common::kernel() >= since;
    if !has {
        common::skip(since, &format_args!("this kernel has no {what}"));
    }
    has
}

#[test]
fn the_nic_fills_areas_that_were_added() {
    let Some(nic) = Nic::claim() else { return };
    if !has((7, 3), "areas to add") {
        return;
    }
    let builder = Receiver::builder()
        .area_len(64 * PAGE)
        .grow_to(512 * PAGE as u64);
    let before = nic.counters(QUEUE);
    let mut receiver = receiver(&nic, builder, V6);
    let sender = sender_to((V6, PORT).into(), 2, MIB);
    // Everything is held: more than the first area, so that the NIC runs dry and areas are added.
    let mut streams = Streams::default();
    let (mut held, mut areas) = (Vec::new(), BTreeSet::new());
    let deadline = Instant::now() + Duration::from_secs(60);
    while areas.len() < 3 {
        assert!(Instant::now() < deadline, "{:?}", receiver.counters());
        let _ = receiver.wait(Some(Duration::from_millis(100))).unwrap();
        while let Some(event) = receiver.next_event() {
            match event {
                Event::Data { socket, chunk } => {
                    let (seed, position) = streams.open.get_mut(&socket).unwrap();
                    assert!(common::is_piece(*seed, *position, receiver.bytes(&chunk)));
                    *position += u64::from(chunk.len());
                    areas.insert(chunk.offset().area_id());
                    held.push(chunk);
                }
                event => streams.handle(&mut receiver, event),
            }
        }
    }
    assert!(
        receiver.counters().areas_added >= 2,
        "{:?}",
        receiver.counters()
    );
    assert!(
        receiver.counters().alloc_failures > 0,
        "{:?}",
        receiver.counters()
    );
    assert!(streams.notified.contains(&Notification::AllocFailed));
    for chunk in held {
        receiver.recycle(chunk).unwrap();
    }
    streams.run(&mut receiver, |streams| streams.ended.len() == 2);
    sender.join().unwrap().unwrap();
    assert_eq!(streams.ended, [(End::Eof, MIB as u64); 2]);
    assert_eq!(receiver.counters().outstanding, 0);
    assert_placed(&nic, &before, 2 * MIB as u64);
}

#[test]
fn memory_grows_also_after_chunks_were_returned() {
    let Some(nic) = Nic::claim() else { return };
    if !has((7, 3), "areas to add") {
        return;
    }
    let builder = Receiver::builder()
        .area_len(64 * PAGE)
        .grow_to(128 * PAGE as u64);
    let mut receiver = receiver(&nic, builder, V6);
    let sender = sender_to((V6, PORT).into(), 1, MIB);
    let mut streams = Streams::default();
    streams.run(&mut receiver, |streams| received(streams) > 100_000);
    // From here on everything is held.
    let mut held = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(20);
    while receiver.counters().areas_added == 0 {
        assert!(Instant::now() < deadline, "{:?}", receiver.counters());
        let _ = receiver.wait(Some(Duration::from_millis(100))).unwrap();
        while let Some(event) = receiver.next_event() {
            match event {
                Event::Data { socket, chunk } => {
                    streams.open.get_mut(&socket).unwrap().1 += u64::from(chunk.len());
                    held.push(chunk);
                }
                event => streams.handle(&mut receiver, event),
            }
        }
    }
    for chunk in held {
        receiver.recycle(chunk).unwrap();
    }
    streams.run(&mut receiver, |streams| !streams.ended.is_empty());
    sender.join().unwrap().unwrap();
    assert_eq!(streams.ended, [(End::Eof, MIB as u64)]);
}

#[test]
fn notifications_are_told_of_and_come_again() {
    let Some(nic) = Nic::claim() else { return };
    if !has((7, 2), "notifications") {
        return;
    }
    let mut receiver = receiver(&nic, Receiver::builder().area_len(4 * MIB), V6);
    // Payload in memory of a queue that has no provider lies in the kernel's pages, and has to be copied.
    nic.fault("foreign", "every 3");
    nic.fault("foreign_from", "0");
    nic.fault("fault_queue", "1");
    let sender = sender_to((V6, PORT).into(), 1, 2 * MIB);
    let mut streams = Streams::default();
    streams.run(&mut receiver, |streams| streams.ended.len() == 1);
    sender.join().unwrap().unwrap();
    nic.fault("foreign", "off");
    let copied = |n: &&Notification| **n == Notification::Copied;
    let told = streams.notified.iter().filter(copied).count() as u64;
    assert_eq!(receiver.counters().copy_notifications, told);
    assert!(told >= 2, "once, and again after it was armed: {told}");
    let copies = receiver.copies().unwrap();
    assert!(
        copies.fragments >= told && copies.bytes >= copies.fragments,
        "{copies:?}"
    );
    assert_eq!(streams.ended, [(End::Eof, 2 * MIB as u64)]);
}

#[test]
fn threads_share_a_queue() {
    let Some(nic) = Nic::claim() else { return };
    if !has((6, 19), "export") {
        return;
    }
    let before = nic.counters(QUEUE);
    let mut first = receiver(&nic, Receiver::builder().area_len(4 * MIB), V6);
    let export = first.export().unwrap();
    const LEN: usize = 2 * MIB;
    let sender = sender_to((V6, PORT).into(), 4, LEN);
    std::thread::scope(|scope| {
        let mut others = Vec::new();
        let mut streams = Streams::default();
        while others.len() < 3 {
            let _ = first.wait(Some(Duration::from_secs(20))).unwrap();
            while let Some(event) = first.next_event() {
                match event {
                    // The first three connections go to threads of their own.
                    Event::Accepted { connection, .. } if others.len() < 3 => {
                        let export = &export;
                        others.push(scope.spawn(move || {
                            let mut receiver = Receiver::builder().import(export).unwrap();
                            assert_eq!(receiver.source(), Source::Imported);
                            let mut streams = Streams::default();
                            streams.accept(&mut receiver, connection);
                            streams.run(&mut receiver, |streams| streams.ended.len() == 1);
                            assert_eq!(receiver.counters().outstanding, 0);
                            streams.ended
                        }));
                    }
                    event => streams.handle(&mut first, event),
                }
            }
        }
        streams.run(&mut first, |streams| streams.ended.len() == 1);
        assert_eq!(streams.ended, [(End::Eof, LEN as u64)]);
        for other in others {
            assert_eq!(other.join().unwrap(), [(End::Eof, LEN as u64)]);
        }
    });
    sender.join().unwrap().unwrap();
    assert_placed(&nic, &before, 4 * LEN as u64);
}

#[test]
fn owned_chunks_of_a_queue_come_back() {
    let Some(nic) = Nic::claim() else { return };
    let before = nic.counters(QUEUE);
    let mut receiver = receiver(&nic, Receiver::builder().area_len(128 * PAGE), V6);
    const LEN: usize = 4 * MIB;
    let sender = sender_to((V6, PORT).into(), 1, LEN);
    std::thread::scope(|scope| {
        let (give, take) = mpsc::channel::<(u64, u64, OwnedChunk)>();
        scope.spawn(move || {
            for (seed, position, chunk) in take {
                assert!(common::is_piece(seed, position, &chunk), "at {position}");
            }
        });
        let mut streams = Streams::default();
        while streams.ended.is_empty() {
            let _ = receiver.wait(Some(Duration::from_secs(20))).unwrap();
            while let Some(event) = receiver.next_event() {
                match event {
                    Event::Data { socket, chunk } => {
                        let (seed, position) = streams.open.get_mut(&socket).unwrap();
                        let at = *position;
                        *position += u64::from(chunk.len());
                        give.send((*seed, at, receiver.own(chunk).unwrap()))
                            .unwrap();
                    }
                    event => streams.handle(&mut receiver, event),
                }
            }
        }
        assert_eq!(streams.ended, [(End::Eof, LEN as u64)]);
    });
    sender.join().unwrap().unwrap();
    let _ = receiver.wait(Some(Duration::ZERO)).unwrap();
    assert_eq!(receiver.counters().outstanding, 0);
    assert_placed(&nic, &before, LEN as u64);
}

#[test]
fn a_receiver_over_a_dmabuf() {
    let Some(nic) = Nic::claim() else { return };
    nic.steer(PORT, QUEUE);
    let len = 4 * MIB;
    // SAFETY: nobody but this area has the buffer, which is memory that devices see as the CPU does.
    let area = unsafe { Area::dmabuf(common::dmabuf::udmabuf(len), len) }.unwrap();
    let before = nic.counters(QUEUE);
    let mut receiver = Receiver::builder()
        .source(nic.queue(QUEUE))
        .build_over(area)
        .unwrap();
    receiver
        .listen(TcpListener::bind((V6, PORT)).unwrap())
        .unwrap();
    transfer(&mut receiver, V6, 2, 2 * MIB);
    assert_placed(&nic, &before, 4 * MIB as u64);
    // What the NIC does not place cannot be copied there, now or later: the stream ends, and says why.
    nic.fault("linear", "every 4");
    let sender = sender_to((V6, PORT).into(), 1, MIB);
    let mut streams = Streams::default();
    streams.run(&mut receiver, |streams| streams.ended.len() == 1);
    nic.fault("linear", "off");
    assert_eq!(streams.ended[0].0, End::NotPlaced);
    drop(receiver);
    // The connection was closed with bytes unread.
    let _ = sender.join().unwrap();
}

#[test]
fn preferred_chunks_are_taken_from_the_best_pages_there_are() {
    let Some(nic) = Nic::claim() else { return };
    nic.mtu(9000);
    let builder = Receiver::builder()
        .area_len(4 * MIB)
        .prefer_chunk_len(32 << 10);
    let before = nic.counters(QUEUE);
    let mut first = receiver(&nic, builder.clone(), V6);
    assert!(first.fallbacks().is_empty(), "{:?}", first.fallbacks());
    transfer(&mut first, V6, 1, 2 * MIB);
    drop(first);
    nic.wait_for_buffers();
    // Without reserved pages, transparent ones; and if the area is no whole number of them, that is mended.
    let reserved = std::fs::read_to_string("/proc/sys/vm/nr_hugepages").unwrap();
    std::fs::write("/proc/sys/vm/nr_hugepages", "0").unwrap();
    nic.delete_rules();
    let mut second = receiver(&nic, builder.area_len(3 * MIB), V6);
    std::fs::write("/proc/sys/vm/nr_hugepages", reserved).unwrap();
    let wanted: Vec<_> = second
        .fallbacks()
        .iter()
        .map(|fallback| fallback.wanted)
        .collect();
    let len = 32 << 10;
    assert_eq!(
        wanted,
        [Wanted::Chunks {
            len,
            pages: Pages::Huge
        }]
    );
    transfer(&mut second, V6, 1, 2 * MIB);
    assert_placed(&nic, &before, 4 * MIB as u64);
}
