//! An owned chunk can be read, kept and dropped anywhere, for as long as anybody likes. A chunk that is not owned can
//! be sent, too, but is read where its pool is.

use zcrx_sys::zcrx::{Chunk, OwnedChunk};

fn anywhere<T: Send + Sync + Unpin + 'static>(_: T) {}

pub fn promise(chunk: Chunk, owned: OwnedChunk) {
    anywhere(chunk);
    anywhere(owned);
}

pub fn its_bytes_go_with_it(owned: OwnedChunk) {
    anywhere(&*owned); //~ E0597
    println!("{owned:?}");
}
