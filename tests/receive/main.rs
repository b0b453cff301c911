//! `Receiver` on the running kernel: each test once over provided buffers and once over zero-copy receive
//! without a device, where the kernel has it.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use zcrx_sys::recv::{End, Event, Receiver, ReceiverBuilder, SocketId, Source, Wait, Wanted};
use zcrx_sys::ring::{mixed_completions_are_sound, CqeLayout};
use zcrx_sys::zcrx::Unreturned;
use zcrx_sys::Fd;

#[path = "../common/mod.rs"]
mod common;

/// Makes each function that takes a `Source` into one test per source.
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

mod recovery;
mod sockets;

over_every_source! {
    many_sockets_arrive_in_order
    a_chunk_of_another_receiver_is_handed_back
    both_wide_and_mixed_completions_work
}

/// What arrived on each socket, and how it ended.
#[derive(Default)]
struct Seen {
    bytes: HashMap<SocketId, Vec<u8>>,
    ends: HashMap<SocketId, (End, Fd)>,
    accepted: Vec<Fd>,
}

impl Seen {
    /// Handles events until `done` says so. Fails if nothing happens for long.
    fn run(&mut self, receiver: &mut Receiver, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            match receiver.wait(Some(Duration::from_secs(20))).unwrap() {
                Wait::TimedOut => panic!("nothing happened for 20 s: {:?}", receiver.counters()),
                Wait::Ready | Wait::Starved | Wait::Interrupted => {}
            }
            while let Some(event) = receiver.next_event() {
                match event {
                    Event::Data { socket, chunk } => {
                        let bytes = self.bytes.entry(socket).or_default();
                        bytes.extend_from_slice(receiver.bytes(&chunk));
                        receiver.recycle(chunk).unwrap();
                    }
                    Event::Accepted { connection, .. } => self.accepted.push(connection),
                    Event::Ended { socket, end, fd } => {
                        assert!(self.ends.insert(socket, (end, fd)).is_none(), "ended twice");
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    fn end(&self, socket: SocketId) -> End {
        self.ends[&socket].0
    }
}

/// Sends `len` bytes of a stream each over `count` sockets at once, and checks what `receiver` gets.
fn transfer(receiver: &mut Receiver, count: u64, len: usize) {
    let before = receiver.counters().bytes;
    let (mut sockets, mut senders) = (Vec::new(), Vec::new());
    for seed in 0..count {
        let (mut out, incoming) = common::pair();
        sockets.push(receiver.add(incoming).unwrap());
        senders.push(std::thread::spawn(move || {
            // Pieces of odd lengths, so that boundaries fall everywhere.
            for piece in common::stream(seed, len).chunks(7001) {
                out.write_all(piece).unwrap();
            }
        }));
    }
    let mut seen = Seen::default();
    seen.run(receiver, |seen| seen.ends.len() == count as usize);
    for (seed, socket) in sockets.into_iter().enumerate() {
        assert_eq!(seen.end(socket), End::Eof);
        assert!(
            seen.bytes[&socket] == common::stream(seed as u64, len),
            "stream {seed} differs"
        );
    }
    for sender in senders {
        sender.join().unwrap();
    }
    assert_eq!(receiver.counters().outstanding, 0);
    assert_eq!(receiver.counters().bytes - before, count * len as u64);
    assert_eq!(receiver.sockets(), 0);
}

fn small(source: Source) -> ReceiverBuilder {
    // 16 buffers, of a page each where the kernel says how long they are.
    let builder = Receiver::builder().area_len(64 << 10);
    if source == Source::Buffers {
        builder.chunk_len(4096)
    } else {
        builder
    }
}

fn many_sockets_arrive_in_order(source: Source) {
    let Some(mut receiver) = common::receiver(Receiver::builder(), source) else {
        return;
    };
    assert_eq!(receiver.source(), source);
    transfer(&mut receiver, 40, 300_000);
}

fn a_chunk_of_another_receiver_is_handed_back(source: Source) {
    let Some(mut receiver) = common::receiver(Receiver::builder(), source) else {
        return;
    };
    let Some(mut other) = common::receiver(Receiver::builder(), source) else {
        return;
    };
    let (mut out, incoming) = common::pair();
    receiver.add(incoming).unwrap();
    out.write_all(b"mine").unwrap();
    let chunk = loop {
        let _ = receiver.wait(Some(Duration::from_secs(20))).unwrap();
        if let Some(Event::Data { chunk, .. }) = receiver.next_event() {
            break chunk;
        }
    };
    let foreign = other.recycle(chunk).unwrap_err();
    assert!(
        foreign
            .to_string()
            .contains("return it to the one it came from"),
        "{foreign}"
    );
    let Unreturned::OtherPool(chunk) = foreign else {
        panic!("{foreign:?}")
    };
    let read = std::panic::AssertUnwindSafe(|| other.bytes(&chunk).len());
    assert!(
        std::panic::catch_unwind(read).is_err(),
        "another pool's memory was readable"
    );
    assert_eq!(receiver.bytes(&chunk), b"mine");
    receiver.recycle(chunk).unwrap();
    assert_eq!(receiver.counters().outstanding, 0);
    assert_eq!(other.counters().outstanding, 0);
}

fn both_wide_and_mixed_completions_work(source: Source) {
    for layout in [CqeLayout::Wide, CqeLayout::Mixed] {
        if layout == CqeLayout::Mixed && !mixed_completions_are_sound() {
            let error = Receiver::builder()
                .layout(layout)
                .source(source)
                .build()
                .unwrap_err();
            common::skip_mixed(&error);
            continue;
        }
        let builder = Receiver::builder().layout(layout);
        let Some(mut receiver) = common::receiver(builder, source) else {
            return;
        };
        assert_eq!(receiver.layout(), layout);
        transfer(&mut receiver, 4, 1 << 20);
    }
}

#[test]
fn auto_takes_what_works_and_says_why_not_the_rest() {
    let lo = zcrx_sys::zcrx::interface_index("lo").unwrap();
    let queue = Source::Queue {
        interface: lo,
        queue: 0,
    };
    let mut receiver = Receiver::builder().auto(Some(queue)).build().unwrap();
    let refused = &receiver.fallbacks()[0];
    assert_eq!(refused.wanted, Wanted::Source(queue));
    let text = refused.to_string();
    assert!(
        text.starts_with(&format!("not queue 0 of interface {lo}: cannot register")),
        "{text}"
    );
    match receiver.source() {
        Source::NoDevice => assert_eq!(receiver.fallbacks().len(), 1),
        Source::Buffers => assert_eq!(
            receiver.fallbacks()[1].wanted,
            Wanted::Source(Source::NoDevice)
        ),
        other => panic!("loopback has no {other}"),
    }
    transfer(&mut receiver, 2, 100_000);
}

#[test]
fn waits_that_gather_lose_nothing_and_are_fewer() {
    let waits = |builder: ReceiverBuilder| {
        let mut receiver = common::receiver(builder, Source::Buffers)?;
        let (mut out, incoming) = common::pair();
        out.set_nodelay(true).unwrap();
        receiver.add(incoming).unwrap();
        let sender = std::thread::spawn(move || {
            for position in 0..2000 {
                out.write_all(&[common::byte(1, position)]).unwrap();
                std::thread::sleep(Duration::from_micros(20));
            }
        });
        let (mut position, mut waits, mut ended) = (0, 0, false);
        while !ended {
            let _ = receiver.wait(Some(Duration::from_secs(20))).unwrap();
            waits += 1;
            while let Some(event) = receiver.next_event() {
                match event {
                    Event::Data { chunk, .. } => {
                        assert!(common::is_piece(1, position, receiver.bytes(&chunk)));
                        position += u64::from(chunk.len());
                        receiver.recycle(chunk).unwrap();
                    }
                    Event::Ended { .. } => ended = true,
                    other => panic!("{other:?}"),
                }
            }
        }
        sender.join().unwrap();
        assert_eq!(position, 2000);
        Some((waits, receiver.fallbacks().to_vec()))
    };
    let Some((one_by_one, _)) = waits(Receiver::builder()) else {
        return;
    };
    let batch = Receiver::builder().batch(1000, Duration::from_millis(5));
    let (gathered, fallbacks) = waits(batch).unwrap();
    if common::kernel() < (6, 12) {
        assert_eq!(fallbacks[0].wanted, Wanted::Batches);
        assert!(
            fallbacks[0].to_string().contains("6.12"),
            "{}",
            fallbacks[0]
        );
    } else {
        assert!(fallbacks.is_empty(), "{fallbacks:?}");
        assert!(
            gathered * 2 < one_by_one,
            "{gathered} waits, {one_by_one} one by one"
        );
    }
}
