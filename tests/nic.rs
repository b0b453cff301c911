//! The real zero-copy path: a queue of the software NIC (tests/lab/nic), driven as the kernel documents it.
//! Each test asserts on the bytes and on the driver's own counters, and finds all buffers back at its end.

use std::collections::HashMap;
use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use zcrx_sys::recv::{End, Event, Receiver, ReceiverBuilder, SocketId, Wait};
use zcrx_sys::zcrx::RefillRegion;

use common::nic::{at_peer, Nic, V4, V6};

mod common;

/// The queue that tests receive on, and the port that is steered to it.
const QUEUE: u32 = 1;
const PORT: u16 = 9999;

/// Connects `count` times to `PORT` of `address` from the other end, and sends `len` bytes through each, in
/// turns. Each stream's seed is the port that it comes from.
fn sender(address: IpAddr, count: usize, len: usize) -> JoinHandle<std::io::Result<()>> {
    at_peer(move || {
        let mut streams = Vec::new();
        for _ in 0..count {
            let stream = TcpStream::connect(SocketAddr::new(address, PORT))?;
            let seed = u64::from(stream.local_addr()?.port());
            streams.push((stream, seed));
        }
        for position in (0..len).step_by(64 << 10) {
            for (stream, seed) in &mut streams {
                stream.write_all(common::piece(*seed, position as u64, len - position))?;
            }
        }
        Ok(())
    })
}

/// What arrived on the connections of a listener.
#[derive(Default)]
struct Streams {
    open: HashMap<SocketId, (u64, u64)>,
    /// How each ended, after how many bytes.
    ended: Vec<(End, u64)>,
}

impl Streams {
    /// Handles all events that are there; every byte is checked.
    fn handle_events(&mut self, receiver: &mut Receiver) {
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
                        common::is_piece(*seed, *position, bytes),
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
    fn run(&mut self, receiver: &mut Receiver, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            let wait = receiver.wait(Some(Duration::from_secs(30))).unwrap();
            assert_ne!(
                wait,
                Wait::TimedOut,
                "nothing for 30 s: {:?}",
                receiver.counters()
            );
            self.handle_events(receiver);
        }
    }
}

/// A receiver on the NIC's queue `QUEUE`, which `PORT` is steered to, with a listener there.
fn receiver(nic: &Nic, builder: ReceiverBuilder, address: IpAddr) -> Receiver {
    nic.steer(PORT, QUEUE);
    let mut receiver = builder.source(nic.queue(QUEUE)).build().unwrap();
    receiver
        .listen(TcpListener::bind((address, PORT)).unwrap())
        .unwrap();
    receiver
}

/// Receives `count` streams of `len` bytes each, to their end.
fn transfer(receiver: &mut Receiver, address: IpAddr, count: usize, len: usize) {
    let sender = sender(address, count, len);
    let mut streams = Streams::default();
    streams.run(receiver, |streams| streams.ended.len() == count);
    sender.join().unwrap().unwrap();
    assert_eq!(streams.ended, vec![(End::Eof, len as u64); count]);
    assert_eq!(receiver.counters().outstanding, 0);
}

/// Transfers, and sees by the driver's counters that all payload went into the area and none was copied.
fn transfer_without_a_copy(nic: &Nic, builder: ReceiverBuilder, address: IpAddr, count: usize) {
    let len = (8 << 20) / count;
    let before = nic.counters(QUEUE);
    let mut receiver = receiver(nic, builder, address);
    transfer(&mut receiver, address, count, len);
    let after = nic.counters(QUEUE);
    // What is sent twice is received twice.
    assert!(
        after.since(&before, "provider_bytes") >= (count * len) as u64,
        "{after:?}"
    );
    assert_eq!(after.since(&before, "copied_bytes"), 0, "{after:?}");
    assert_eq!(after.since(&before, "page_bytes"), 0, "{after:?}");
    assert_eq!(receiver.copies().map_or(0, |copies| copies.bytes), 0);
}

#[test]
fn ipv4_arrives_without_a_copy() {
    let Some(nic) = Nic::claim() else { return };
    transfer_without_a_copy(&nic, Receiver::builder(), V4, 1);
}

#[test]
fn ipv6_arrives_without_a_copy() {
    let Some(nic) = Nic::claim() else { return };
    transfer_without_a_copy(&nic, Receiver::builder(), V6, 1);
}

#[test]
fn mtu_4096_and_9000_arrive_without_a_copy() {
    let Some(nic) = Nic::claim() else { return };
    for mtu in [4096, 9000] {
        nic.mtu(mtu);
        transfer_without_a_copy(&nic, Receiver::builder(), V6, 2);
        nic.wait_for_buffers();
    }
}

#[test]
fn sixty_four_connections_arrive_without_a_copy() {
    let Some(nic) = Nic::claim() else { return };
    transfer_without_a_copy(&nic, Receiver::builder(), V4, 64);
}

#[test]
fn a_thousand_connections_arrive_without_a_copy() {
    let Some(nic) = Nic::claim() else { return };
    transfer_without_a_copy(&nic, Receiver::builder(), V4, 1000);
}

#[test]
fn a_refill_ring_of_the_kernels_arrives_without_a_copy() {
    let Some(nic) = Nic::claim() else { return };
    let builder = Receiver::builder().refill_region(RefillRegion::Kernel);
    transfer_without_a_copy(&nic, builder, V4, 1);
}

#[test]
fn chunks_of_32_kib_on_huge_pages_arrive_without_a_copy() {
    let Some(nic) = Nic::claim() else { return };
    nic.mtu(9000);
    let builder = Receiver::builder()
        .huge_pages(true)
        .area_len(16 << 20)
        .chunk_len(32 << 10);
    transfer_without_a_copy(&nic, builder, V6, 1);
}
