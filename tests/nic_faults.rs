//! Zero-copy receive while things go wrong on the way: packets lost, memory short or not the application's own,
//! flows on the wrong queue, the cable pulled. Each test sees that every byte that arrives is right, that the
//! fault has struck, and finds all of the driver's buffers back at its end.

use std::time::{Duration, Instant};

use zcrx_sys::recv::{End, Receiver, ReceiverBuilder};

use common::nic::{Counters, Nic, V4, V6};
use common::streams::{
    assert_placed, listening, received, receiver, run_until_silence, sender_to, transfer,
    transfer_to, Sender, Streams, MIB, PORT, QUEUE,
};

mod common;

/// A second queue and port, for a second receiver.
const OTHER_QUEUE: u32 = 2;
const OTHER_PORT: u16 = 9998;

/// Sets `fault`, transfers with a receiver of `builder`, and sees that the fault has struck. Answers the
/// driver's counters before and after, and what the receiver says of copies.
fn transfer_under(
    nic: &Nic,
    (fault, when): (&str, &str),
    builder: ReceiverBuilder,
    count: usize,
    len: usize,
) -> Outcome {
    let hits = nic.hits(fault);
    let before = nic.counters(QUEUE);
    nic.delete_rules();
    let mut receiver = receiver(nic, builder, V6);
    nic.fault(fault, when);
    transfer(&mut receiver, V6, count, len);
    nic.fault(fault, "off");
    assert!(nic.hits(fault) > hits, "{fault} {when} never struck");
    let outcome = Outcome {
        before,
        after: nic.counters(QUEUE),
        copied_fragments: receiver.copies().map_or(0, |copies| copies.fragments),
        flushes: receiver.counters().flushes,
    };
    drop(receiver);
    nic.wait_for_buffers();
    outcome
}

struct Outcome {
    before: Counters,
    after: Counters,
    copied_fragments: u64,
    flushes: u64,
}

impl Outcome {
    /// How far a counter of the driver's went.
    fn count(&self, name: &str) -> u64 {
        self.after.since(&self.before, name)
    }

    fn assert_nothing_was_copied(&self) {
        let copied = (
            self.count("copied_bytes"),
            self.count("page_bytes"),
            self.copied_fragments,
        );
        assert_eq!(copied, (0, 0, 0), "{:?}", self.after);
    }
}

/// Handles the events of two receivers of this thread, until a stream of each has ended.
fn run_both(pair: &mut [(&mut Receiver, Streams); 2]) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while pair.iter().any(|(_, streams)| streams.ended.is_empty()) {
        for (receiver, streams) in &mut *pair {
            let wait = receiver.wait(Some(Duration::from_millis(2))).unwrap();
            assert!(
                Instant::now() < deadline,
                "not done after 30 s: {wait:?}, {:?}",
                receiver.counters()
            );
            streams.handle_events(receiver);
        }
    }
}

#[test]
fn a_lost_packet_costs_no_byte() {
    let Some(nic) = Nic::claim() else { return };
    for when in ["once 100", "next 5", "every 50"] {
        let outcome = transfer_under(&nic, ("lose", when), Receiver::builder(), 2, MIB);
        assert!(outcome.count("lost") > 0);
        outcome.assert_nothing_was_copied();
    }
}

#[test]
fn a_packet_that_comes_twice_is_delivered_once() {
    let Some(nic) = Nic::claim() else { return };
    for when in ["once 100", "every 3"] {
        let outcome = transfer_under(&nic, ("duplicate", when), Receiver::builder(), 2, MIB);
        assert!(outcome.count("duplicated") > 0);
        outcome.assert_nothing_was_copied();
    }
}

#[test]
fn packets_out_of_order_are_delivered_in_order() {
    let Some(nic) = Nic::claim() else { return };
    for when in ["once 100", "every 10"] {
        let outcome = transfer_under(&nic, ("reorder", when), Receiver::builder(), 2, MIB);
        assert!(outcome.count("reordered") > 0);
        outcome.assert_nothing_was_copied();
    }
}

#[test]
fn a_card_without_a_buffer_costs_no_byte() {
    let Some(nic) = Nic::claim() else { return };
    for when in ["next 5", "every 20"] {
        let outcome = transfer_under(&nic, ("alloc_fail", when), Receiver::builder(), 2, MIB);
        assert!(outcome.count("alloc_fail") > 0);
        outcome.assert_nothing_was_copied();
    }
}

#[test]
fn payload_in_the_linear_part_is_copied_and_complete() {
    let Some(nic) = Nic::claim() else { return };
    for mtu in [1500, 9000] {
        nic.mtu(mtu);
        let outcome = transfer_under(&nic, ("linear", "every 2"), Receiver::builder(), 2, 2 * MIB);
        assert!(outcome.count("copied_bytes") > 0);
        assert!(outcome.count("provider_bytes") > 0);
    }
}

/// The card asks for no buffer, so the kernel takes none back by itself: the receiver has to tell it.
#[test]
fn more_copies_than_the_area_holds_do_not_stall() {
    let Some(nic) = Nic::claim() else { return };
    nic.mtu(9000);
    for (area, len) in [(16 * MIB, 24 * MIB), (256 << 10, 2 * MIB)] {
        let builder = Receiver::builder().area_len(area);
        let outcome = transfer_under(&nic, ("linear", "every 1"), builder, 1, len);
        assert!(outcome.count("copied_bytes") >= len as u64);
        assert_eq!(outcome.count("provider_bytes"), 0);
        assert!(outcome.flushes > 0, "the area was used up");
    }
}

/// A receiver whose stream meets a packet in the memory of another receiver's queue.
#[test]
fn memory_of_another_receiver_ends_the_stream_and_leaves_the_other_alone() {
    let Some(nic) = Nic::claim() else { return };
    nic.steer(PORT, QUEUE);
    nic.steer(OTHER_PORT, OTHER_QUEUE);
    let (before, hits) = (nic.counters(QUEUE), nic.hits("foreign"));
    let mut victim = listening(&nic, QUEUE, PORT);
    let mut bystander = listening(&nic, OTHER_QUEUE, OTHER_PORT);
    nic.fault("fault_queue", &QUEUE.to_string());
    nic.fault("foreign_from", &OTHER_QUEUE.to_string());
    nic.fault("foreign", "once 500");

    let hurt = sender_to((V6, PORT).into(), 1, 1 << 30);
    let well = sender_to((V6, OTHER_PORT).into(), 1, 2 * MIB);
    let mut pair = [
        (&mut victim, Streams::default()),
        (&mut bystander, Streams::default()),
    ];
    run_both(&mut pair);
    let [(_, hurt_streams), (_, well_streams)] = pair;
    well.join().unwrap().unwrap();
    assert_eq!(well_streams.ended, [(End::Eof, 2 * MIB as u64)]);
    let [(end, delivered)] = hurt_streams.ended[..] else {
        panic!("{:?}", hurt_streams.ended)
    };
    assert_eq!(end, End::ForeignBuffer);
    assert!(delivered > 0);
    hurt.join().unwrap().expect_err("the connection was closed");
    assert_eq!(nic.hits("foreign") - hits, 1);
    let frags = nic.counters(QUEUE).since(&before, "foreign_frags");
    assert!(frags > 0);

    // Both go on.
    transfer(&mut victim, V6, 1, MIB);
    transfer_to(&mut bystander, (V6, OTHER_PORT).into(), 1, MIB);
}

#[test]
fn pages_of_the_kernels_amid_a_stream_are_copied() {
    let Some(nic) = Nic::claim() else { return };
    nic.fault("foreign_from", "0");
    let outcome = transfer_under(
        &nic,
        ("foreign", "every 5"),
        Receiver::builder(),
        2,
        2 * MIB,
    );
    assert!(outcome.count("foreign_frags") > 0);
    assert!(outcome.count("provider_bytes") > 0);
    if common::kernel() >= (7, 2) {
        assert!(outcome.copied_fragments > 0, "the kernel counts copies");
    }
}

#[test]
fn a_flow_on_a_queue_without_a_provider_is_copied() {
    let Some(nic) = Nic::claim() else { return };
    let before = nic.counters(0);
    // Not steered, so queue 0 has it.
    let mut receiver = listening(&nic, QUEUE, PORT);
    transfer(&mut receiver, V6, 2, 2 * MIB);
    let after = nic.counters(0);
    assert!(after.since(&before, "page_bytes") >= 4 * MIB as u64);
    if let Some(copies) = receiver.copies() {
        assert_eq!(copies.bytes, 4 * MIB as u64);
    }
}

#[test]
fn a_flow_on_another_receivers_queue_is_refused() {
    let Some(nic) = Nic::claim() else { return };
    nic.steer(PORT, OTHER_QUEUE);
    nic.steer(OTHER_PORT, OTHER_QUEUE);
    let mut misled = listening(&nic, QUEUE, PORT);
    let mut owner = listening(&nic, OTHER_QUEUE, OTHER_PORT);
    let before = nic.counters(OTHER_QUEUE);
    let sender = sender_to((V6, PORT).into(), 1, 1 << 30);
    let mut streams = Streams::default();
    streams.run(&mut misled, |streams| !streams.ended.is_empty());
    assert_eq!(streams.ended, [(End::ForeignBuffer, 0)]);
    sender
        .join()
        .unwrap()
        .expect_err("the connection was closed");
    let after = nic.counters(OTHER_QUEUE);
    assert!(after.since(&before, "provider_bytes") > 0, "{after:?}");
    assert_eq!(misled.counters().chunks, 0);
    assert_eq!(owner.counters().chunks, 0);
    transfer_to(&mut owner, (V6, OTHER_PORT).into(), 1, MIB);
    // Its own flow, steered right, it receives.
    nic.delete_rules();
    nic.steer(PORT, QUEUE);
    transfer(&mut misled, V6, 1, MIB);
}

#[test]
fn a_cable_that_is_pulled_and_put_back_costs_no_byte() {
    let Some(nic) = Nic::claim() else { return };
    let len = 12 * MIB;
    for address in [V4, V6] {
        nic.delete_rules();
        let before = nic.counters(QUEUE);
        let mut receiver = receiver(&nic, Receiver::builder(), address);
        let sender = Sender::start(address, len);
        let mut streams = Streams::default();
        streams.run(&mut receiver, |streams| received(streams) > MIB as u64);
        nic.fault("link", "down");
        run_until_silence(&mut receiver, |receiver| streams.handle_events(receiver));
        assert!(received(&streams) < len as u64, "pulled out too late");
        assert!(!sender.thread.is_finished());
        nic.fault("link", "up");
        streams.run(&mut receiver, |streams| !streams.ended.is_empty());
        assert_eq!(streams.ended, [(End::Eof, len as u64)]);
        sender.thread.join().unwrap().unwrap();
        assert_placed(&nic, &before, len as u64);
        drop(receiver);
        nic.wait_for_buffers();
    }
}

#[test]
fn a_queue_that_is_restarted_in_mid_stream_costs_no_byte() {
    let Some(nic) = Nic::claim() else { return };
    let len = 32 * MIB;
    let before = nic.counters(QUEUE);
    let mut receiver = receiver(&nic, Receiver::builder(), V6);
    let sender = sender_to((V6, PORT).into(), 1, len);
    let mut streams = Streams::default();
    // What the window holds goes on coming during a restart.
    for _ in 0..3 {
        let next = received(&streams) + (1 << 20);
        streams.run(&mut receiver, |streams| received(streams) > next);
        assert_eq!(streams.ended, [], "restarted too late");
        nic.fault("restart", &QUEUE.to_string());
    }
    streams.run(&mut receiver, |streams| !streams.ended.is_empty());
    sender.join().unwrap().unwrap();
    assert_eq!(streams.ended, [(End::Eof, len as u64)]);
    assert_placed(&nic, &before, len as u64);
}

#[test]
fn two_receivers_in_two_threads_bear_all_faults_at_once() {
    let Some(nic) = Nic::claim() else { return };
    let faults = [
        ("lose", "every 101"),
        ("duplicate", "every 53"),
        ("reorder", "every 47"),
        ("linear", "every 7"),
        ("alloc_fail", "every 97"),
    ];
    let queues = [(QUEUE, PORT), (OTHER_QUEUE, OTHER_PORT)];
    let hits = faults.map(|(fault, _)| nic.hits(fault));
    let before = queues.map(|(queue, _)| nic.counters(queue));
    for (fault, when) in faults {
        nic.fault(fault, when);
    }
    std::thread::scope(|scope| {
        for (queue, port) in queues {
            let nic = &nic;
            scope.spawn(move || {
                nic.steer(port, queue);
                let mut receiver = listening(nic, queue, port);
                transfer_to(&mut receiver, (V6, port).into(), 3, MIB);
            });
        }
    });
    for ((fault, when), hits) in faults.into_iter().zip(hits) {
        assert!(nic.hits(fault) > hits, "{fault} {when} never struck");
    }
    for ((queue, _), before) in queues.into_iter().zip(before) {
        let after = nic.counters(queue);
        for counter in ["provider_bytes", "copied_bytes", "lost", "reordered"] {
            assert!(after.since(&before, counter) > 0, "{counter}: {after:?}");
        }
    }
}
