//! Who drops without a word what has to be returned, enabled, looked at or sent is told by the compiler.

#![deny(unused_must_use)]

use zcrx_sys::recv::{Completion, Receiver, Request};
use zcrx_sys::ring::{DisabledRing, RingBuilder, Sqe};
use zcrx_sys::zcrx::{Chunk, Unreturned};

fn disabled() -> DisabledRing {
    RingBuilder::new(8).build_disabled().unwrap()
}

pub fn promise(receiver: &mut Receiver, chunk: Chunk, full: Unreturned) {
    receiver.recycle(chunk); //~ unused_must_use
    full.into_chunk(); //~ unused_must_use
    disabled(); //~ unused_must_use
    Sqe::nop(); //~ unused_must_use
}

pub fn what_a_completion_means(request: &mut Request, completion: Completion) {
    request.on_completion(completion); //~ unused_must_use
    let _ = request.on_completion(completion);
}
