//! A ring of the io-uring crate receives by zcrx-sys: every byte of every stream is looked at, on any kernel, without
//! a device, and from a queue of the lab's network card.

use std::collections::HashMap;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use common::nic::{Nic, V6};
use common::streams::{assert_placed, sender, PORT, QUEUE};
use zcrx_on_io_uring::{Ended, Pool, Ring, Server};
use zcrx_sys::recv::{End, Source};
use zcrx_sys::zcrx::{Area, Device};
use zcrx_sys::Error;

#[path = "../../../tests/common/mod.rs"]
mod common;

const LEN: usize = 3_000_001;

/// Receives `count` streams of `len` bytes to their ends, and sees that each is the one that its peer's port is the
/// seed of.
fn receive(pool: Pool, listener: &TcpListener, count: usize, len: usize) {
    let mut positions = HashMap::new();
    let served = Server::new(pool).serve(listener, count, |peer, position, bytes| {
        let next: &mut u64 = positions.entry(peer).or_default();
        assert_eq!(*next, position);
        *next += bytes.len() as u64;
        assert!(
            common::is_piece(peer.into(), position, bytes),
            "wrong bytes at {position}"
        );
    });
    let ended = served.unwrap();
    let whole = |ended: &Ended| (ended.end, ended.bytes) == (End::Eof, len as u64);
    assert!(ended.len() == count && ended.iter().all(whole), "{ended:?}");
    assert_eq!(positions.len(), count);
}

/// As `common::streams::sender_to`, over loopback.
fn send(to: SocketAddr, count: usize, len: usize) -> JoinHandle<()> {
    thread::spawn(move || {
        let connect = |_| TcpStream::connect(to).unwrap();
        let mut streams: Vec<_> = (0..count).map(connect).collect();
        for position in (0..len).step_by(64 << 10) {
            for stream in &mut streams {
                let seed = stream.local_addr().unwrap().port().into();
                let piece = common::piece(seed, position as u64, len - position);
                stream.write_all(piece).unwrap();
            }
        }
    })
}

fn over_loopback(pool: Pool, count: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sender = send(listener.local_addr().unwrap(), count, LEN);
    receive(pool, &listener, count, LEN);
    sender.join().unwrap();
}

fn ring(completions: u32) -> Ring {
    Ring::new(8, completions).unwrap()
}

/// Without a device, into `len` bytes; or says why this kernel cannot.
fn no_device(completions: u32, len: usize) -> Option<Pool> {
    let refused = match Pool::zcrx(ring(completions), Device::None, Area::new(len).unwrap()) {
        Ok(pool) => return Some(pool),
        Err(error) => error,
    };
    let since = if common::is_root() {
        (7, 1)
    } else {
        (u32::MAX, 0)
    };
    common::skip(since, &refused);
    None
}

#[test]
fn a_ring_of_io_uring_receives_by_the_best_there_is_and_says_why_not_better() {
    let queue = Device::Queue {
        interface: 1,
        queue: 0,
    }; // Loopback has none.
    let (pool, refused) = Pool::best(ring(1024), Some(queue)).unwrap();
    let refused: Vec<_> = refused.iter().map(Error::to_string).collect();
    assert_eq!(
        refused.len(),
        1 + usize::from(!pool.is_zcrx()),
        "{refused:?}"
    );
    assert!(
        refused
            .iter()
            .all(|error| error.contains("cannot register")),
        "{refused:?}"
    );
    over_loopback(pool, 5);
}

#[test]
fn a_ring_of_io_uring_receives_into_provided_buffers() {
    over_loopback(Pool::provided(ring(1024)).unwrap(), 5);
}

#[test]
fn a_ring_of_io_uring_receives_without_a_device() {
    if let Some(pool) = no_device(1024, 4 << 20) {
        assert!(pool.is_zcrx());
        over_loopback(pool, 5);
    }
}

#[test]
fn a_ring_of_io_uring_recovers_from_a_full_queue_and_a_dry_pool() {
    for (completions, len) in [(8, 4 << 20), (1024, 64 << 10), (8, 64 << 10)] {
        match no_device(completions, len) {
            Some(pool) => over_loopback(pool, 3),
            None => return,
        }
    }
}

#[test]
fn a_ring_of_io_uring_receives_from_a_queue_without_a_copy() {
    let Some(nic) = Nic::claim() else {
        return;
    };
    nic.steer(PORT, QUEUE);
    let Source::Queue { interface, queue } = nic.queue(QUEUE) else {
        unreachable!()
    };
    let area = Area::new(8 << 20).unwrap();
    let pool = Pool::zcrx(ring(4096), Device::Queue { interface, queue }, area).unwrap();
    let before = nic.counters(QUEUE);
    let listener = TcpListener::bind((V6, PORT)).unwrap();
    let sender = sender(V6, 4, LEN);
    receive(pool, &listener, 4, LEN);
    sender.join().unwrap().unwrap();
    assert_placed(&nic, &before, 4 * LEN as u64);
}
