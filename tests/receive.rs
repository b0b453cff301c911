//! `Receiver` on the running kernel: each test once over provided buffers and once over zero-copy receive
//! without a device, where the kernel has it.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Duration;

use zcrx_sys::recv::{
    End, Event, Receiver, ReceiverBuilder, Rejected, SocketId, Source, Wait, Wanted,
};
use zcrx_sys::ring::{mixed_completions_are_sound, CqeLayout};
use zcrx_sys::zcrx::{Chunk, Unreturned};
use zcrx_sys::{Errno, Fd};

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

over_every_source! {
    many_sockets_arrive_in_order
    an_area_smaller_than_the_transfer_is_enough
    a_completion_queue_of_8_loses_nothing
    a_refill_ring_of_4_loses_nothing
    held_chunks_starve_and_resume
    a_limit_leaves_the_rest_in_the_socket
    a_stream_shorter_than_its_limit_ends_as_such
    cancelling_ends_a_socket_and_keeps_its_chunks
    a_reset_is_reported
    an_empty_stream_ends
    only_tcp_sockets_are_taken
    a_chunk_of_another_receiver_is_handed_back
    listeners_accept_and_can_be_cancelled
    dropping_with_everything_in_flight_is_quiet
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

fn many_sockets_arrive_in_order(source: Source) {
    let Some(mut receiver) = common::receiver(Receiver::builder(), source) else {
        return;
    };
    assert_eq!(receiver.source(), source);
    transfer(&mut receiver, 40, 300_000);
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

fn an_area_smaller_than_the_transfer_is_enough(source: Source) {
    let Some(mut receiver) = common::receiver(small(source), source) else {
        return;
    };
    transfer(&mut receiver, 3, 2 << 20);
    assert!(
        receiver.counters().pool_dry > 0,
        "the pool never ran dry: {:?}",
        receiver.counters()
    );
}

fn a_completion_queue_of_8_loses_nothing(source: Source) {
    let builder = Receiver::builder().completion_entries(8);
    let Some(mut receiver) = common::receiver(builder, source) else {
        return;
    };
    assert_eq!(receiver.completion_entries(), 8);
    transfer(&mut receiver, 20, 200_000);
    if source == Source::NoDevice {
        assert!(
            receiver.counters().cq_full > 0,
            "never full: {:?}",
            receiver.counters()
        );
    }
}

fn a_refill_ring_of_4_loses_nothing(source: Source) {
    let builder = small(source).refill_entries(4);
    let Some(mut receiver) = common::receiver(builder, source) else {
        return;
    };
    // Hold eight chunks at a time and return them at once, twice as many as the ring takes.
    let (mut out, incoming) = common::pair();
    receiver.add(incoming).unwrap();
    let sender = std::thread::spawn(move || out.write_all(&common::stream(1, 1 << 20)).unwrap());
    let (mut held, mut position, mut ended) = (Vec::new(), 0, false);
    while !ended {
        let _ = receiver.wait(Some(Duration::from_secs(20))).unwrap();
        while let Some(event) = receiver.next_event() {
            match event {
                Event::Data { chunk, .. } => held.push(chunk),
                Event::Ended { end, .. } => ended = end == End::Eof,
                other => panic!("{other:?}"),
            }
        }
        if held.len() >= 8 || ended || receiver.counters().pool_dry > 0 {
            for chunk in held.drain(..) {
                for &byte in receiver.bytes(&chunk) {
                    assert_eq!(byte, common::byte(1, position));
                    position += 1;
                }
                receiver.recycle(chunk).unwrap();
            }
        }
    }
    sender.join().unwrap();
    assert_eq!(position, 1 << 20);
    let counters = receiver.counters();
    assert_eq!(counters.outstanding, 0);
    if source == Source::NoDevice {
        assert!(
            counters.refill_full > 0 && counters.flushes > 0,
            "{counters:?}"
        );
    }
}

fn held_chunks_starve_and_resume(source: Source) {
    let Some(mut receiver) = common::receiver(small(source), source) else {
        return;
    };
    let (mut out, incoming) = common::pair();
    receiver.add(incoming).unwrap();
    let sender = std::thread::spawn(move || out.write_all(&common::stream(2, 1 << 20)).unwrap());
    let mut held: Vec<Chunk> = Vec::new();
    let mut starved = 0;
    // No chunk goes back until the receiver has said three times that it starves.
    while starved < 3 {
        match receiver.wait(Some(Duration::from_secs(20))).unwrap() {
            Wait::Starved => starved += 1,
            Wait::TimedOut => panic!("a starved receiver must say so"),
            Wait::Ready | Wait::Interrupted => {}
        }
        while let Some(event) = receiver.next_event() {
            let Event::Data { chunk, .. } = event else {
                panic!("{event:?}")
            };
            held.push(chunk);
        }
    }
    assert_eq!(receiver.counters().outstanding, held.len() as u64);
    assert!(held.len() >= 8, "only {} buffers were used", held.len());
    let mut got: Vec<u8> = Vec::new();
    for chunk in &held {
        got.extend_from_slice(receiver.bytes(chunk));
    }
    // Returned in another order than they came.
    while let Some(chunk) = held.pop() {
        receiver.recycle(chunk).unwrap();
    }
    let mut seen = Seen::default();
    seen.run(&mut receiver, |seen| !seen.ends.is_empty());
    sender.join().unwrap();
    got.extend(seen.bytes.into_values().next().unwrap());
    assert!(got == common::stream(2, 1 << 20), "bytes differ");
}

fn a_limit_leaves_the_rest_in_the_socket(source: Source) {
    let Some(mut receiver) = common::receiver(Receiver::builder(), source) else {
        return;
    };
    for limit in [1, 4095, 4096, 100_000] {
        let (mut out, incoming) = common::pair();
        let sent = common::stream(limit, 300_000);
        let copy = sent.clone();
        let sender = std::thread::spawn(move || out.write_all(&copy).unwrap());
        let socket = receiver.add_limited(incoming, limit).unwrap();
        let mut seen = Seen::default();
        seen.run(&mut receiver, |seen| !seen.ends.is_empty());
        let (end, fd) = seen.ends.remove(&socket).unwrap();
        assert_eq!(end, End::LimitReached);
        assert_eq!(seen.bytes[&socket], sent[..limit as usize]);
        let mut rest = Vec::new();
        TcpStream::from(fd).read_to_end(&mut rest).unwrap();
        assert!(
            rest == sent[limit as usize..],
            "the rest differs after {limit}"
        );
        sender.join().unwrap();
    }
}

fn a_stream_shorter_than_its_limit_ends_as_such(source: Source) {
    let Some(mut receiver) = common::receiver(Receiver::builder(), source) else {
        return;
    };
    let (mut out, incoming) = common::pair();
    out.write_all(b"short").unwrap();
    drop(out);
    let socket = receiver.add_limited(incoming, u64::MAX).unwrap();
    let mut seen = Seen::default();
    seen.run(&mut receiver, |seen| !seen.ends.is_empty());
    assert_eq!(
        (seen.end(socket), &seen.bytes[&socket][..]),
        (End::Eof, &b"short"[..])
    );
}

fn cancelling_ends_a_socket_and_keeps_its_chunks(source: Source) {
    let Some(mut receiver) = common::receiver(Receiver::builder(), source) else {
        return;
    };
    let (mut out, incoming) = common::pair();
    let socket = receiver.add(incoming).unwrap();
    out.write_all(b"kept").unwrap();
    let chunk = loop {
        let _ = receiver.wait(Some(Duration::from_secs(20))).unwrap();
        if let Some(Event::Data { chunk, .. }) = receiver.next_event() {
            break chunk;
        }
    };
    assert!(receiver.cancel(socket));
    let mut seen = Seen::default();
    seen.run(&mut receiver, |seen| !seen.ends.is_empty());
    assert_eq!(seen.end(socket), End::Cancelled);
    assert!(!receiver.cancel(socket), "it is gone");
    assert_eq!(receiver.bytes(&chunk), b"kept");
    receiver.recycle(chunk).unwrap();
    // Cancelled before it was ever submitted.
    let (_out, incoming) = common::pair();
    let never = receiver.add(incoming).unwrap();
    assert!(receiver.cancel(never));
    seen.run(&mut receiver, |seen| seen.ends.len() == 2);
    assert_eq!(seen.end(never), End::Cancelled);
    assert_eq!(receiver.sockets(), 0);
}

fn a_reset_is_reported(source: Source) {
    let Some(mut receiver) = common::receiver(Receiver::builder(), source) else {
        return;
    };
    let (out, incoming) = common::pair();
    let socket = receiver.add(incoming).unwrap();
    common::reset(out);
    let mut seen = Seen::default();
    seen.run(&mut receiver, |seen| !seen.ends.is_empty());
    assert_eq!(seen.end(socket), End::Failed(Errno::CONNRESET));
}

fn an_empty_stream_ends(source: Source) {
    let Some(mut receiver) = common::receiver(Receiver::builder(), source) else {
        return;
    };
    let (out, incoming) = common::pair();
    let socket = receiver.add(incoming).unwrap();
    out.shutdown(Shutdown::Write).unwrap();
    let mut seen = Seen::default();
    seen.run(&mut receiver, |seen| !seen.ends.is_empty());
    assert_eq!(seen.end(socket), End::Eof);
    assert_eq!(receiver.counters().chunks, 0);
    // The descriptor came back usable: the other direction is still open.
    let (_, fd) = seen.ends.remove(&socket).unwrap();
    TcpStream::from(fd).write_all(b"bye").unwrap();
    let mut answer = String::new();
    (&out).read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "bye");
}

fn only_tcp_sockets_are_taken(source: Source) {
    let Some(mut receiver) = common::receiver(Receiver::builder(), source) else {
        return;
    };
    let file = || Fd::from(OwnedFd::from(std::fs::File::open("/dev/null").unwrap()));
    let udp = || Fd::from(OwnedFd::from(UdpSocket::bind("127.0.0.1:0").unwrap()));
    let listener = || Fd::from(TcpListener::bind("127.0.0.1:0").unwrap());
    let stream = || Fd::from(common::pair().1);
    let check = |rejected: Rejected, number: i32, must: &str| {
        assert_eq!(rejected.fd.as_raw(), number, "handed back");
        let text = rejected.to_string();
        let start = format!("cannot receive from a socket (descriptor {number}): descriptor must ");
        assert!(text.starts_with(&start) && text.contains(must), "{text}");
        assert!(text.contains("plain TCP"), "{text}");
    };
    for fd in [file(), udp(), listener()] {
        let number = fd.as_raw();
        check(
            receiver.add(fd).unwrap_err(),
            number,
            "be a connected TCP socket",
        );
    }
    for fd in [file(), udp(), stream()] {
        let number = fd.as_raw();
        check(
            receiver.listen(fd).unwrap_err(),
            number,
            "be a listening TCP socket",
        );
    }
    let fd = stream();
    let number = fd.as_raw();
    check(
        receiver.add_limited(fd, 0).unwrap_err(),
        number,
        "have a limit above 0",
    );
    assert_eq!(receiver.sockets(), 0);
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

fn listeners_accept_and_can_be_cancelled(source: Source) {
    let Some(mut receiver) = common::receiver(Receiver::builder(), source) else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let id = receiver.listen(listener).unwrap();
    let peers: Vec<_> = (0..5)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    let mut seen = Seen::default();
    seen.run(&mut receiver, |seen| seen.accepted.len() == 5);
    let mut ports: Vec<_> = seen
        .accepted
        .drain(..)
        .map(|fd| TcpStream::from(fd).peer_addr().unwrap().port())
        .collect();
    let mut expected: Vec<_> = peers
        .iter()
        .map(|peer| peer.local_addr().unwrap().port())
        .collect();
    ports.sort_unstable();
    expected.sort_unstable();
    assert_eq!(ports, expected);
    assert!(receiver.cancel(id));
    seen.run(&mut receiver, |seen| !seen.ends.is_empty());
    assert_eq!(seen.end(id), End::Cancelled);
    seen.ends.clear();
    assert!(
        TcpStream::connect(address).is_err(),
        "the listener is closed with its descriptor"
    );
}

fn dropping_with_everything_in_flight_is_quiet(source: Source) {
    let Some(mut receiver) = common::receiver(small(source), source) else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    receiver.listen(listener).unwrap();
    let (mut out, incoming) = common::pair();
    receiver.add(incoming).unwrap();
    out.write_all(&common::stream(3, 40_000)).unwrap();
    let _ = receiver.wait(Some(Duration::from_secs(20))).unwrap();
    let chunk = match receiver.next_event() {
        Some(Event::Data { chunk, .. }) => chunk,
        other => panic!("{other:?}"),
    };
    let mut peer = TcpStream::connect(address).unwrap();
    let _ = receiver.wait(Some(Duration::from_secs(20))).unwrap();
    drop(receiver);
    drop(chunk);
    // Sockets, listener and the connection that nobody looked at are closed by now: requests that the
    // kernel still had would keep them open.
    for stream in [&mut peer, &mut out] {
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        match stream.read(&mut [0]) {
            Ok(0) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            other => panic!("not closed: {other:?}"),
        }
    }
    assert!(
        TcpStream::connect(address).is_err(),
        "the listener is still there"
    );
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

/// Kernel 7.1 forgets a request that ran out of completion slots, or of buffers, after it had delivered some: the
/// data stays in the socket, and nothing comes. (7.3 does not, nor does a 7.2 with the repair.)
#[test]
fn a_stalled_request_is_found_and_started_again() {
    let builder = Receiver::builder()
        .completion_entries(8)
        .area_len(16 * 4096);
    let Some(mut receiver) = common::receiver(builder, Source::NoDevice) else {
        return;
    };
    // The last bytes of a stream are what nothing comes after to wake the request.
    for _ in 0..10 {
        transfer(&mut receiver, 4, 300_000);
    }
    let stalls = receiver.counters().stalls;
    match common::kernel() {
        (7, 1) => assert!(stalls > 0, "{:?}", receiver.counters()),
        (7, 2) => {}
        _ => assert_eq!(stalls, 0, "{:?}", receiver.counters()),
    }
}
