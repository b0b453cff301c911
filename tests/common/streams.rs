//! Streams from the other end of the software NIC's cable into a `Receiver`, every byte of them checked.

use std::collections::HashMap;
use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use zcrx_sys::recv::{End, Event, Receiver, ReceiverBuilder, SocketId};

use super::nic::{at_peer, Nic};

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
}

impl Streams {
    /// Handles all events that are there; every byte is checked.
    pub fn handle_events(&mut self, receiver: &mut Receiver) {
        while let Some(event) = receiver.next_event() {
            match event {
                Event::Accepted { connection, .. } => {
                    let stream = TcpStream::from(connection);
                    let seed = u64::from(stream.peer_addr().unwrap().port());
                    self.open.insert(receiver.add(stream).unwrap(), (seed, 0));
                }
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
            }
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
