//! Returning a chunk, or giving it to an owner, consumes it.

use zcrx_sys::recv::{BufferRing, Receiver};
use zcrx_sys::zcrx::{Chunk, Ifq, OwnedChunk, Recycler, RefillRing, Unreturned};

pub fn by_receiver(receiver: &mut Receiver, chunk: Chunk) {
    let _ = receiver.recycle(chunk);
    let _ = receiver.recycle(chunk); //~ E0382
}

pub fn by_receiver_as_owned(receiver: &mut Receiver, chunk: Chunk) {
    let _ = receiver.own(chunk);
    let _ = receiver.recycle(chunk); //~ E0382
}

pub fn by_interface_queue(ifq: &mut Ifq, chunk: Chunk) {
    let _ = ifq.recycle(chunk);
    let _ = ifq.recycle(chunk); //~ E0382
}

pub fn by_refill_ring(ring: &mut RefillRing, chunk: Chunk) {
    let _ = ring.push(chunk);
    let _ = ring.push(chunk); //~ E0382
}

pub fn by_buffer_ring(ring: &mut BufferRing, chunk: Chunk) {
    let _ = ring.push(chunk);
    let _ = ring.push(chunk); //~ E0382
}

pub fn by_recycler(recycler: &mut Recycler, chunk: Chunk) {
    let _ = recycler.own(chunk);
    let _ = recycler.own(chunk); //~ E0382
}

pub fn as_an_owned_one(owned: OwnedChunk) {
    drop(owned);
    drop(owned); //~ E0382
}

pub fn out_of_an_error(full: Unreturned) {
    drop(full.into_chunk());
    drop(full.into_chunk()); //~ E0382
}

pub fn as_a_copy(chunk: Chunk) {
    let first = chunk;
    drop(chunk); //~ E0382
    drop(first);
}
