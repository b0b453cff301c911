//! A card whose receive ring holds chunks of the area before the first packet comes, as those of all real cards
//! do: what is left of the area is what can be delivered, and copied into.

use std::net::TcpListener;
use std::time::Duration;

use zcrx_sys::recv::sizing::NicRing;
use zcrx_sys::recv::{Event, Receiver, ReceiverBuilder};

use zcrx_sys::ring::{RingBuilder, Woken};
use zcrx_sys::zcrx::{Area, Device, Ifq, Notification};

use common::nic::{Nic, V6};
use common::streams::{
    assert_placed, received, receiver, run_until_silence, sender, transfer, Sender, Streams, MIB,
    PORT, QUEUE,
};

mod common;

const PAGE: usize = 4096;

/// The card, whose queues hold `size` chunks each from the next registration on.
fn with_ring(size: u32) -> Option<Nic> {
    let nic = Nic::claim()?;
    nic.ethtool(&format!("-G snic0 rx {size}"));
    nic.fault("prefill", "1");
    Some(nic)
}

/// Chunks that the card holds.
fn posted(nic: &Nic) -> u64 {
    nic.counters(QUEUE).get("posted")
}

fn area_of(chunks: usize) -> ReceiverBuilder {
    Receiver::builder().area_len(chunks * PAGE)
}

/// As much as the sizing rules reckon with.
#[test]
fn the_ring_is_filled_from_the_area_before_anything_comes() {
    let Some(nic) = with_ring(64) else { return };
    for mtu in [1500, 4096, 9000] {
        nic.mtu(mtu);
        nic.delete_rules();
        let before = nic.counters(QUEUE);
        let mut receiver = receiver(&nic, area_of(1024), V6);
        let ring = NicRing {
            descriptors: 64,
            mtu,
        };
        assert_eq!(posted(&nic) * PAGE as u64, ring.takes(PAGE as u32));
        transfer(&mut receiver, V6, 4, MIB);
        assert_placed(&nic, &before, 4 * MIB as u64);
        drop(receiver);
        nic.wait_for_queues();
    }
}

#[test]
fn a_ring_that_takes_the_whole_area_still_moves_bytes() {
    let Some(nic) = with_ring(1024) else { return };
    let before = nic.counters(QUEUE);
    let mut receiver = receiver(&nic, area_of(256), V6);
    assert_eq!(posted(&nic), 256, "the ring has them all");
    transfer(&mut receiver, V6, 2, MIB);
    assert_placed(&nic, &before, 2 * MIB as u64);
}

/// What the card did not place has to be copied into the area, and the ring has all of it: such a packet is never
/// delivered. With something left beside the ring, it is.
#[test]
fn a_ring_that_takes_the_whole_area_leaves_no_room_for_copies() {
    let Some(nic) = with_ring(256) else { return };
    nic.fault("linear", "every 1");
    let mut starved = receiver(&nic, area_of(256), V6);
    let sending = Sender::start(V6, MIB);
    let mut streams = Streams::default();
    run_until_silence(&mut starved, |receiver| streams.handle_events(receiver));
    assert_eq!(received(&streams), 0);
    assert!(starved.counters().pool_dry > 0, "{:?}", starved.counters());
    sending.abort();
    drop(starved);
    nic.wait_for_queues();

    let mut receiver = receiver(&nic, area_of(1024), V6);
    transfer(&mut receiver, V6, 1, MIB);
    assert_eq!(receiver.counters().pool_dry, 0);
}

/// The kernel tells of it too, when the card next asks for chunks: with the first packet.
#[test]
fn a_ring_that_takes_the_whole_area_is_told_of() {
    let Some(nic) = with_ring(256) else { return };
    let mut ring = RingBuilder::new(8).build().unwrap();
    let builder = Ifq::builder(Device::Queue {
        interface: nic.index(),
        queue: QUEUE,
    });
    let area = Area::new(64 * PAGE).unwrap();
    let _ifq = builder
        .notifications(77)
        .register(ring.as_ring_fd(), area)
        .unwrap();
    assert_eq!(posted(&nic), 64);
    nic.steer(PORT, QUEUE);
    let _listener = TcpListener::bind((V6, PORT)).unwrap();
    sender(V6, 1, 1).join().unwrap().unwrap();
    let woken = ring
        .submit_and_wait_for(1, Duration::from_secs(30))
        .unwrap();
    assert_ne!(woken, Woken::TimedOut);
    let told = ring.completions().next().unwrap().unwrap();
    assert_eq!(
        (told.user_data(), Notification::of(&told)),
        (77, Some(Notification::AllocFailed))
    );
}

/// The same for an application that keeps its chunks: the card runs dry, and goes on when they are back.
#[test]
fn a_ring_that_ran_empty_is_filled_again_from_what_the_application_returns() {
    let Some(nic) = with_ring(64) else { return };
    let before = nic.counters(QUEUE);
    let mut receiver = receiver(&nic, area_of(64), V6);
    let sending = sender(V6, 1, MIB);
    let (mut streams, mut kept) = (Streams::default(), Vec::new());
    run_until_silence(&mut receiver, |receiver| {
        while let Some(event) = receiver.next_event() {
            match event {
                Event::Data { chunk, .. } => kept.push(chunk),
                event => streams.handle(receiver, event),
            }
        }
    });
    assert_eq!(posted(&nic), 0);
    assert!(nic.counters(QUEUE).since(&before, "alloc_fail") > 0);
    let (_, position) = streams.open.values_mut().next().unwrap();
    for chunk in kept {
        *position += u64::from(chunk.len());
        receiver.recycle(chunk).unwrap();
    }
    streams.run(&mut receiver, |streams| !streams.ended.is_empty());
    sending.join().unwrap().unwrap();
    assert_placed(&nic, &before, MIB as u64);
}

#[test]
fn an_area_that_is_too_small_for_the_ring_is_reported_with_numbers() {
    let Some(nic) = with_ring(1024) else { return };
    nic.mtu(9000);
    let small = receiver(&nic, area_of(1024), V6);
    let shortage = small.shortage().unwrap();
    let ring = NicRing {
        descriptors: 1024,
        mtu: 9000,
    };
    assert_eq!((shortage.area, shortage.ring), (4 << 20, ring));
    assert_eq!(shortage.takes, 12 << 20);
    let text = shortage.to_string();
    for part in [
        "4194304 bytes",
        "12582912",
        "1024 descriptors, MTU 9000",
        "ethtool -G",
    ] {
        assert!(text.contains(part), "{text}");
    }
    drop(small);
    nic.wait_for_queues();
    // Left to itself, a receiver takes what the ring does, and a window.
    nic.delete_rules();
    let receiver = receiver(&nic, Receiver::builder(), V6);
    assert_eq!(receiver.shortage(), None);
}
