//! Zero-copy receive when processes, cards and queues come and go: senders and receivers killed, chunks kept, a
//! card pulled out, queues that cannot be had. Each test finds all of the driver's buffers back at its end.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use zcrx_sys::recv::{End, Event, Receiver, Source, Wait};
use zcrx_sys::zcrx::{interface_index, Chunk};
use zcrx_sys::{Errno, Error};

use common::nic::{enter_peer, Nic, V6};
use common::streams::{
    assert_placed, listening, received, receiver, run_until_silence, transfer, Sender, Streams,
    MIB, PORT, QUEUE,
};

mod common;

/// Set in processes that a test starts from itself.
const CHILD: &str = "ZCRX_TEST_CHILD";

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
                Event::Notified(_) => {}
                other => panic!("{other:?}"),
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
