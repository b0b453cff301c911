//! As a refill ring; and nobody but its owner publishes.

use zcrx_sys::recv::BufferRing;
use zcrx_sys::zcrx::Chunk;

fn shared<T: Sync>() {}

pub fn promise(ring: &BufferRing, chunk: Chunk) {
    shared::<BufferRing>(); //~ E0277
    let _ = ring.push(chunk); //~ E0596
    ring.publish(); //~ E0596
    println!("{ring:?}");
}
