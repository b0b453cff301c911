//! Streams from the other end of the software NIC's cable into a `Receiver`, every byte of them checked.

use std::collections::HashMap;
use std::io::Write;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use zcrx_sys::recv::{End, Event, Receiver, ReceiverBuilder, SocketId};
use zcrx_sys::zcrx::Notification;
use zcrx_sys::Fd;

use super::nic::{at_peer, Counters, Nic, V6};

/// The queue that tests receive on, and the port that is steered to it.
pub const QUEUE: u32 = 1;
pub const PORT: u16 = 9999;

/// As [`sender_to`], to `PORT`.
pub fn sender(address: IpAddr, count: usize, len: usize) -> JoinHandle<std::io::Result<()>> {
    sender_to(SocketAddr::new(address, PORT), count, len)
}

/// Connects `count` times to `to` from the other end, and sends `len` bytes through each, in turns. Each
/// stream's seed is the port that it comes from.
pub fn sender_to(to: SocketAddr, count: usize, len: usize) -> JoinHandle<std::io::Result<()>> {
    at_peer(move || {
        let mut streams = Vec::new();
        for _ in 0..count {
            let stream = TcpStream::connect(to)?;
            let seed = u64::from(stream.local_addr()?.port());
            streams.push((stream, seed));
        }
        for position in (0..len).step_by(64 << 10) {
            for (stream, seed) in &mut streams {
                stream.write_all(super::piece(*seed, position as u64, len - position))?;
            }
        }
        Ok(())
    })
}

/// What arrived on the connections of a listener.
#[derive(Default)]
pub struct Streams {
    pub open: HashMap<SocketId, (u64, u64)>,
    /// How each ended, after how many bytes.
    pub ended: Vec<(End, u64)>,
    pub notified: Vec<Notification>,
}

impl Streams {
    /// Handles all events that are there; every byte is checked.
    pub fn handle_events(&mut self, receiver: &mut Receiver) {
        while let Some(event) = receiver.next_event() {
            self.handle(receiver, event);
        }
    }

    /// Receives from a connection that was accepted.
    pub fn accept(&mut self, receiver: &mut Receiver, connection: Fd) {
        let stream = TcpStream::from(connection);
        let seed = u64::from(stream.peer_addr().unwrap().port());
        self.open.insert(receiver.add(stream).unwrap(), (seed, 0));
    }

    pub fn handle(&mut self, receiver: &mut Receiver, event: Event) {
        match event {
            Event::Accepted { connection, .. } => self.accept(receiver, connection),
            Event::Data { socket, chunk } => {
                let (seed, position) = self.open.get_mut(&socket).unwrap();
                let bytes = receiver.bytes(&chunk);
                assert!(
                    super::is_piece(*seed, *position, bytes),
                    "wrong bytes at {position}"
                );
                *position += bytes.len() as u64;
                receiver.recycle(chunk).unwrap();
            }
            Event::Ended { socket, end, .. } => {
                if let Some((_, position)) = self.open.remove(&socket) {
                    self.ended.push((end, position));
                }
            }
            Event::Notified(notification) => self.notified.push(notification),
            other => panic!("{other:?}"),
        }
    }

    /// Waits and handles events until `done`. Fails if nothing happens for long.
    pub fn run(&mut self, receiver: &mut Receiver, done: impl Fn(&Self) -> bool) {
        let mut last = Instant::now();
        while !done(self) {
            let before = (receiver.counters().bytes, receiver.sockets());
            let wait = receiver.wait(Some(Duration::from_secs(30))).unwrap();
            self.handle_events(receiver);
            // A starved receiver's waits end all the time, without anything having come.
            if (receiver.counters().bytes, receiver.sockets()) != before {
                last = Instant::now();
            }
            assert!(
                last.elapsed() < Duration::from_secs(30),
                "nothing for 30 s: {wait:?}, {:?}",
                receiver.counters()
            );
        }
    }
}

/// A receiver on the NIC's queue `QUEUE`, which `PORT` is steered to, with a listener there.
pub fn receiver(nic: &Nic, builder: ReceiverBuilder, address: IpAddr) -> Receiver {
    nic.steer(PORT, QUEUE);
    let mut receiver = builder.source(nic.queue(QUEUE)).build().unwrap();
    receiver
        .listen(TcpListener::bind((address, PORT)).unwrap())
        .unwrap();
    receiver
}

/// As [`transfer_to`], at `PORT`.
pub fn transfer(receiver: &mut Receiver, address: IpAddr, count: usize, len: usize) {
    transfer_to(receiver, SocketAddr::new(address, PORT), count, len);
}

/// Receives `count` streams of `len` bytes each, sent to `at`, to their end.
pub fn transfer_to(receiver: &mut Receiver, at: SocketAddr, count: usize, len: usize) {
    let sender = sender_to(at, count, len);
    let mut streams = Streams::default();
    streams.run(receiver, |streams| streams.ended.len() == count);
    sender.join().unwrap().unwrap();
    assert_eq!(streams.ended, vec![(End::Eof, len as u64); count]);
    assert_eq!(receiver.counters().outstanding, 0);
}

pub const MIB: usize = 1 << 20;

/// Sees that the card has put at least `bytes` into the application's area since `before`, and nothing
/// elsewhere.
pub fn assert_placed(nic: &Nic, before: &Counters, bytes: u64) {
    let after = nic.counters(QUEUE);
    assert!(after.since(before, "provider_bytes") >= bytes, "{after:?}");
    assert_eq!(after.since(before, "copied_bytes"), 0, "{after:?}");
    assert_eq!(after.since(before, "page_bytes"), 0, "{after:?}");
}

/// Bytes received so far.
pub fn received(streams: &Streams) -> u64 {
    let open = streams.open.values().map(|(_, position)| position);
    open.chain(streams.ended.iter().map(|(_, position)| position))
        .sum()
}

/// A receiver on `queue` that listens at `port`, whatever queue that is steered to.
pub fn listening(nic: &Nic, queue: u32, port: u16) -> Receiver {
    let builder = Receiver::builder().source(nic.queue(queue));
    let mut receiver = builder.area_len(8 * MIB).build().unwrap();
    let listener = TcpListener::bind((V6, port)).unwrap();
    receiver.listen(listener).unwrap();
    receiver
}

/// How long nothing has to come before a stream counts as silent.
pub const SILENCE: Duration = Duration::from_millis(200);

/// Handles events until no byte has come for a while.
pub fn run_until_silence(receiver: &mut Receiver, mut handle: impl FnMut(&mut Receiver)) {
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
pub struct Sender {
    pub stream: TcpStream,
    pub thread: JoinHandle<std::io::Result<()>>,
}

impl Sender {
    /// Connects to `PORT` of `address` from the other end, and sends `len` bytes.
    pub fn start(address: IpAddr, len: usize) -> Self {
        let (give, take) = mpsc::channel();
        let thread = at_peer(move || {
            let mut stream = TcpStream::connect((address, PORT))?;
            give.send(stream.try_clone()?).unwrap();
            let seed = u64::from(stream.local_addr()?.port());
            for position in (0..len).step_by(64 << 10) {
                stream.write_all(super::piece(seed, position as u64, len - position))?;
            }
            stream.shutdown(Shutdown::Write)
        });
        let stream = take.recv().expect("the sender connects");
        Self { stream, thread }
    }

    /// Breaks the connection off; whether it had not sent everything by then.
    pub fn abort(self) -> bool {
        self.stream.shutdown(Shutdown::Both).ok();
        super::reset(self.stream);
        self.thread.join().unwrap().is_err()
    }
}
