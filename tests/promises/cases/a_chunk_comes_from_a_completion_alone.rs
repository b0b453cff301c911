//! No safe call makes a chunk out of numbers, or one pool's chunk another's.

use zcrx_sys::zcrx::{Chunk, Offset, PoolId};

pub fn not_out_of_numbers(offset: Offset, pool: PoolId) {
    let _ = Chunk::from_raw_parts(offset, 1, pool); //~ E0133
    let _ = Chunk { offset, len: 1, pool }; //~ E0451
    let _ = Chunk::default(); //~ E0599
}

pub fn nor_changed(mut chunk: Chunk, other: Chunk) {
    chunk.offset = other.offset(); //~ E0616
    chunk.len += 1; //~ E0616
    chunk.pool = PoolId::unique().unwrap(); //~ E0616
    println!("{:?} {:?}", &mut chunk, other);
}

pub fn nor_of_an_invented_pool() {
    let _ = PoolId(7); //~ E0423
}
