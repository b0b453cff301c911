use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::vec::Vec;

use super::*;
use crate::recv::Source;

/// A receiver that has `count` sockets in the kernel, and their peers.
fn receiving(count: usize) -> (Receiver, Vec<TcpStream>) {
    let mut receiver = Receiver::builder().source(Source::Buffers).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut peers = Vec::new();
    for _ in 0..count {
        peers.push(TcpStream::connect(address).unwrap());
        receiver.add(listener.accept().unwrap().0).unwrap();
    }
    let _ = receiver.wait(Some(Duration::ZERO)).unwrap();
    (receiver, peers)
}

fn in_kernel(receiver: &mut Receiver) -> usize {
    let sockets = receiver.table.iter_mut();
    sockets
        .filter(|(_, socket)| socket.phase.is_in_kernel())
        .count()
}

/// More than one batch of cancellations, and more than the kernel deals with in one go.
#[test]
fn many_requests_leave_the_kernel_one_by_one() {
    let (mut receiver, peers) = receiving(300);
    assert_eq!(in_kernel(&mut receiver), 300);
    receiver.cancel_many();
    assert_eq!(in_kernel(&mut receiver), 0);
    drop(receiver);
    for mut peer in peers {
        let wait = Some(Duration::from_secs(5));
        peer.set_read_timeout(wait).unwrap();
        assert_eq!(peer.read(&mut [0]).unwrap(), 0, "closed by now");
    }
}

#[test]
fn few_requests_are_left_to_be_cancelled_at_once() {
    let (mut receiver, _peers) = receiving(3);
    receiver.cancel_many();
    assert_eq!(in_kernel(&mut receiver), 3);
}
