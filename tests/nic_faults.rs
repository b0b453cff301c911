//! Zero-copy receive while things go wrong: packets lost, memory short or not the application's own, cards
//! pulled out, processes killed. Each test sees that every byte that arrives is right, and that the
//! fault has struck, and finds all of the driver's buffers back at its end.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Shutdown, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use zcrx_sys::recv::{End, Event, Receiver, ReceiverBuilder, Source, Wait};
use zcrx_sys::zcrx::{interface_index, Chunk};
use zcrx_sys::{Errno, Error};

use common::nic::{at_peer, enter_peer, Counters, Nic, V4, V6};
use common::streams::{receiver, sender_to, transfer, transfer_to, Streams, PORT, QUEUE};

mod common;

const MIB: usize = 1 << 20;

/// A second queue and port, for a second receiver.
const OTHER_QUEUE: u32 = 2;
const OTHER_PORT: u16 = 9998;

/// How long nothing has to come before a stream counts as silent.
const SILENCE: Duration = Duration::from_millis(200);

/// Set in processes that a test starts from itself.
const CHILD: &str = "ZCRX_TEST_CHILD";

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

/// Sees that the card has put at least `bytes` into the application's area since `before`, and nothing
/// elsewhere.
fn assert_placed(nic: &Nic, before: &Counters, bytes: u64) {
    let after = nic.counters(QUEUE);
    assert!(after.since(before, "provider_bytes") >= bytes, "{after:?}");
    assert_eq!(after.since(before, "copied_bytes"), 0, "{after:?}");
    assert_eq!(after.since(before, "page_bytes"), 0, "{after:?}");
}

/// Bytes received so far.
fn received(streams: &Streams) -> u64 {
    let open = streams.open.values().map(|(_, position)| position);
    open.chain(streams.ended.iter().map(|(_, position)| position))
        .sum()
}

/// A receiver on `queue` that listens at `port`, whatever queue that is steered to.
fn listening(nic: &Nic, queue: u32, port: u16) -> Receiver {
    let builder = Receiver::builder().source(nic.queue(queue));
    let mut receiver = builder.area_len(8 * MIB).build().unwrap();
    let listener = TcpListener::bind((V6, port)).unwrap();
    receiver.listen(listener).unwrap();
    receiver
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

/// Handles events until no byte has come for a while.
fn run_until_silence(receiver: &mut Receiver, mut handle: impl FnMut(&mut Receiver)) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut last = Instant::now();
    loop {
        let before = receiver.counters().bytes;
        let wait = receiver.wait(Some(SILENCE)).unwrap();
        assert!(Instant::now() < deadline, "no silence for 30 s: {wait:?}");
        handle(receiver);
        if receiver.counters().bytes != before {
            last = Instant::now();
        } else if last.elapsed() >= SILENCE {
            return;
        }
    }
}

/// A sender that can be stopped while it waits for the other side to take more.
struct Sender {
    stream: TcpStream,
    thread: JoinHandle<std::io::Result<()>>,
}

impl Sender {
    /// Connects to `PORT` of `address` from the other end, and sends `len` bytes.
    fn start(address: IpAddr, len: usize) -> Self {
        let (give, take) = mpsc::channel();
        let thread = at_peer(move || {
            let mut stream = TcpStream::connect((address, PORT))?;
            give.send(stream.try_clone()?).unwrap();
            let seed = u64::from(stream.local_addr()?.port());
            for position in (0..len).step_by(64 << 10) {
                stream.write_all(common::piece(seed, position as u64, len - position))?;
            }
            stream.shutdown(Shutdown::Write)
        });
        let stream = take.recv().expect("the sender connects");
        Self { stream, thread }
    }

    /// Breaks the connection off; whether it had not sent everything by then.
    fn abort(self) -> bool {
        self.stream.shutdown(Shutdown::Both).ok();
        common::reset(self.stream);
        self.thread.join().unwrap().is_err()
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

/// The running test once more, in a process of its own. Killed when it drops.
struct Again {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Again {
    fn start(test: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(CHILD, "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    /// Waits until it prints this line.
    fn wait_for(&mut self, wanted: &str) {
        let mut lines = (&mut self.output).lines().map(|line| line.unwrap());
        assert!(lines.any(|line| line == wanted), "it never said {wanted}");
    }

    /// Kills it with SIGKILL.
    fn kill(mut self) {
        let ended = self.process.try_wait().unwrap();
        assert_eq!(ended, None, "it ended by itself");
        self.process.kill().unwrap();
        let status = self.process.wait().unwrap();
        assert_eq!(status.signal(), Some(libc::SIGKILL));
    }
}

impl Drop for Again {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

#[test]
fn a_sender_that_is_killed_leaves_a_right_prefix() {
    if is_child() {
        enter_peer();
        let mut stream = TcpStream::connect((V6, PORT)).unwrap();
        let seed = u64::from(stream.local_addr().unwrap().port());
        for position in (0..).step_by(64 << 10) {
            if let Err(error) = stream.write_all(common::piece(seed, position, usize::MAX)) {
                panic!("this process was to be killed first: {error}");
            }
        }
    }
    let Some(nic) = Nic::claim() else { return };
    let mut receiver = receiver(&nic, Receiver::builder(), V6);
    for _ in 0..2 {
        let before = nic.counters(QUEUE);
        let sender = Again::start("a_sender_that_is_killed_leaves_a_right_prefix");
        let mut streams = Streams::default();
        streams.run(&mut receiver, |streams| received(streams) > MIB as u64);
        assert!(streams.ended.is_empty());
        sender.kill();
        streams.run(&mut receiver, |streams| !streams.ended.is_empty());
        let [(end, delivered)] = streams.ended[..] else {
            panic!("{:?}", streams.ended)
        };
        let reset = End::Failed(Errno::CONNRESET);
        assert!(end == End::Eof || end == reset, "{end:?}");
        assert!(delivered > MIB as u64);
        assert_placed(&nic, &before, delivered);
    }
    transfer(&mut receiver, V6, 1, MIB);
}

/// A receiver on the queue of a process that was just killed. The receiver waits for the queue by itself;
/// the port is free once the kernel has let go of the process's listener.
fn receiver_in_time() -> Receiver {
    let builder = Receiver::builder().source(Source::Queue {
        interface: interface_index("snic0").unwrap(),
        queue: QUEUE,
    });
    let mut receiver = builder.build().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    let listener = loop {
        match TcpListener::bind((V6, PORT)) {
            Ok(listener) => break listener,
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
                assert!(Instant::now() < deadline, "still, after 10 s: {error}");
                std::thread::yield_now();
            }
        }
    };
    receiver.listen(listener).unwrap();
    receiver
}

#[test]
fn a_receiver_that_is_killed_makes_way_for_the_next() {
    if is_child() {
        let mut receiver = receiver_in_time();
        println!("\nlistening");
        let mut streams = Streams::default();
        streams.run(&mut receiver, |streams| received(streams) > MIB as u64);
        println!("\nreceiving");
        streams.run(&mut receiver, |_| false);
    }
    let Some(nic) = Nic::claim() else { return };
    nic.steer(PORT, QUEUE);
    for _ in 0..3 {
        let mut child = Again::start("a_receiver_that_is_killed_makes_way_for_the_next");
        child.wait_for("listening");
        let sender = Sender::start(V6, 1 << 30);
        child.wait_for("receiving");
        child.kill();
        let mut receiver = receiver_in_time();
        assert!(sender.abort(), "the sender was to be cut off");
        let before = nic.counters(QUEUE);
        transfer(&mut receiver, V6, 2, MIB);
        assert_placed(&nic, &before, 2 * MIB as u64);
        drop(receiver);
        nic.wait_for_buffers();
    }
}

/// Chunks that the application keeps for a while.
#[derive(Default)]
struct Keeper {
    streams: Streams,
    /// With the seed of the stream and the position in it.
    kept: Vec<(u64, u64, Chunk)>,
}

impl Keeper {
    /// Handles all events that are there, and keeps every chunk.
    fn handle_events(&mut self, receiver: &mut Receiver) {
        while let Some(event) = receiver.next_event() {
            match event {
                Event::Accepted { connection, .. } => {
                    let stream = TcpStream::from(connection);
                    let seed = u64::from(stream.peer_addr().unwrap().port());
                    let id = receiver.add(stream).unwrap();
                    self.streams.open.insert(id, (seed, 0));
                }
                Event::Data { socket, chunk } => {
                    let (seed, position) = self.streams.open.get_mut(&socket).unwrap();
                    let at = *position;
                    *position += u64::from(chunk.len());
                    self.kept.push((*seed, at, chunk));
                }
                Event::Ended { end, .. } => panic!("nothing was to end: {end}"),
            }
        }
    }

    /// Sees that what is kept is right; answers how many bytes that is.
    fn check(&self, receiver: &Receiver) -> u64 {
        for (seed, position, chunk) in &self.kept {
            let right = common::is_piece(*seed, *position, receiver.bytes(chunk));
            assert!(right, "wrong bytes at {position}");
        }
        self.kept
            .iter()
            .map(|(_, _, chunk)| u64::from(chunk.len()))
            .sum()
    }

    /// Gives all chunks back, and answers the streams, to go on with.
    fn recycle(self, receiver: &mut Receiver) -> Streams {
        for (_, _, chunk) in self.kept {
            receiver.recycle(chunk).unwrap();
        }
        self.streams
    }
}

#[test]
fn an_application_that_keeps_its_chunks_stops_the_sender_until_it_returns_them() {
    let Some(nic) = Nic::claim() else { return };
    let before = nic.counters(QUEUE);
    let mut receiver = receiver(&nic, Receiver::builder().area_len(MIB), V6);
    let sender = Sender::start(V6, 8 * MIB);
    let mut keeper = Keeper::default();
    run_until_silence(&mut receiver, |receiver| keeper.handle_events(receiver));
    let kept = keeper.check(&receiver);
    assert!((MIB / 2..=MIB).contains(&(kept as usize)), "{kept} kept");
    assert_eq!(receiver.counters().outstanding, keeper.kept.len() as u64);
    assert!(nic.counters(QUEUE).since(&before, "alloc_fail") > 0);
    assert!(!sender.thread.is_finished(), "nothing stopped it");

    let mut streams = keeper.recycle(&mut receiver);
    streams.run(&mut receiver, |streams| !streams.ended.is_empty());
    sender.thread.join().unwrap().unwrap();
    assert_eq!(streams.ended, [(End::Eof, 8 * MIB as u64)]);
    assert_placed(&nic, &before, 8 * MIB as u64);
}

#[test]
fn a_card_that_is_pulled_out_leaves_what_was_delivered() {
    let Some(nic) = Nic::claim() else { return };
    let mut receiver = receiver(&nic, Receiver::builder().area_len(4 * MIB), V6);
    let sender = Sender::start(V6, 1 << 30);
    let mut keeper = Keeper::default();
    while receiver.counters().bytes < MIB as u64 {
        let wait = receiver.wait(Some(Duration::from_secs(30))).unwrap();
        assert_ne!(wait, Wait::TimedOut);
        keeper.handle_events(&mut receiver);
    }
    nic.control("remove", "snic0");
    // What was under way is delivered, then nothing comes any more.
    run_until_silence(&mut receiver, |receiver| keeper.handle_events(receiver));
    assert!(keeper.check(&receiver) >= MIB as u64);
    assert!(sender.abort(), "the sender was to be cut off");
    // A chunk goes back after the card has gone, the others with the receiver.
    let (_, _, chunk) = keeper.kept.pop().unwrap();
    receiver.recycle(chunk).unwrap();
    assert_eq!(receiver.wait(Some(Duration::ZERO)).unwrap(), Wait::TimedOut);
    keeper.check(&receiver);
    drop(receiver);
    drop(nic);

    let nic = Nic::claim().expect("the card is put back");
    let before = nic.counters(QUEUE);
    let mut receiver = listening(&nic, QUEUE, PORT);
    nic.steer(PORT, QUEUE);
    transfer(&mut receiver, V6, 2, MIB);
    assert_placed(&nic, &before, 2 * MIB as u64);
}

/// Why no receiver can be had on this queue now.
fn refusal(nic: &Nic, queue: u32, wait: Duration) -> Error {
    let builder = Receiver::builder().source(nic.queue(queue));
    let result = builder.taken_queue_wait(wait).build();
    result.expect_err("it was to be refused")
}

#[test]
fn without_header_split_registration_is_refused_with_the_remedy() {
    let Some(nic) = Nic::claim() else { return };
    nic.ethtool("-G snic0 tcp-data-split off");
    let error = refusal(&nic, QUEUE, Duration::ZERO);
    assert_eq!(error.errno(), Some(Errno::INVAL), "{error}");
    let text = error.to_string();
    for part in ["header split", "ethtool -G", "tcp-data-split on"] {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
    nic.ethtool("-G snic0 tcp-data-split on");
    let mut receiver = receiver(&nic, Receiver::builder(), V6);
    transfer(&mut receiver, V6, 1, MIB);
}

#[test]
fn a_queue_past_the_channels_is_refused_with_the_remedy() {
    let Some(nic) = Nic::claim() else { return };
    nic.ethtool("-L snic0 combined 2");
    for queue in [2, 3, 99] {
        let error = refusal(&nic, queue, Duration::ZERO);
        assert_eq!(error.errno(), Some(Errno::RANGE), "{error}");
        let text = error.to_string();
        for part in ["no such receive queue", "ethtool -l"] {
            assert!(text.contains(part), "no {part:?} in: {text}");
        }
    }
}

#[test]
fn a_queue_that_is_taken_is_refused_with_the_remedy() {
    let Some(nic) = Nic::claim() else { return };
    let mut owner = receiver(&nic, Receiver::builder(), V6);
    let error = refusal(&nic, QUEUE, Duration::ZERO);
    assert_eq!(error.errno(), Some(Errno::EXIST), "{error}");
    let text = error.to_string();
    for part in ["the queue is taken", "retry"] {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
    // A wait for it ends in time, and harms the owner no more.
    let start = Instant::now();
    let wait = Duration::from_secs(1);
    let error = refusal(&nic, QUEUE, wait);
    assert_eq!(error.errno(), Some(Errno::EXIST), "{error}");
    let waited = start.elapsed();
    assert!((wait..4 * wait).contains(&waited), "waited {waited:?}");

    transfer(&mut owner, V6, 1, MIB);
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
