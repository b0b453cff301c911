//! A chunk's bytes borrow the chunk and its pool, and cannot be written.

use zcrx_sys::recv::{BufferRing, Receiver};
use zcrx_sys::zcrx::{Chunk, Ifq, OwnedChunk};

pub fn of_receiver(receiver: Receiver, chunk: Chunk) {
    let bytes = receiver.bytes(&chunk);
    drop(chunk); //~ E0505
    drop(receiver); //~ E0505
    println!("{bytes:?}");
}

pub fn of_receiver_that_goes_on(receiver: &mut Receiver, chunk: Chunk, other: Chunk) {
    let bytes = receiver.bytes(&chunk);
    let _ = receiver.recycle(other); //~ E0502
    let _ = receiver.wait(None); //~ E0502
    println!("{bytes:?}");
}

pub fn of_interface_queue(ifq: Ifq, chunk: Chunk) {
    let bytes = ifq.bytes(&chunk);
    drop(chunk); //~ E0505
    drop(ifq); //~ E0505
    println!("{bytes:?}");
}

pub fn of_buffer_ring(ring: BufferRing, chunk: Chunk) {
    let bytes = ring.bytes(&chunk);
    drop(chunk); //~ E0505
    drop(ring); //~ E0505
    println!("{bytes:?}");
}

pub fn of_owned_chunk(owned: OwnedChunk) {
    let bytes: &[u8] = &owned;
    drop(owned); //~ E0505
    println!("{bytes:?}");
}

pub fn for_good(ifq: &'static Ifq, chunk: Chunk) {
    let _bytes = ifq.bytes(&chunk);
    let _bytes: &'static [u8] = ifq.bytes(&chunk); //~ E0597
}

pub fn and_never_written(receiver: &Receiver, chunk: &Chunk, mut owned: OwnedChunk) {
    receiver.bytes(chunk)[0] = 1; //~ E0594
    owned[0] = 1; //~ E0594
    let _: &mut [u8] = owned.as_mut(); //~ E0596
    println!("{:?} {:?}", receiver.bytes(chunk), &mut owned);
}
