//! What stands for one thing of the kernel's, or for one buffer, is there once.

use zcrx_sys::nic::Claim;
use zcrx_sys::recv::{BufferRing, Receiver};
use zcrx_sys::ring::{CompletionQueue, Cqe, DisabledRing, Ring, RingFd, Sqe};
use zcrx_sys::zcrx::{Area, Chunk, Export, Ifq, Offset, OwnedChunk, Recycler, RefillRing};
use zcrx_sys::Fd;

fn cloned<T: Clone>() {}

pub fn promise() {
    cloned::<Area>(); //~ E0277
    cloned::<BufferRing>(); //~ E0277
    cloned::<Chunk>(); //~ E0277
    cloned::<Claim>(); //~ E0277
    cloned::<CompletionQueue>(); //~ E0277
    cloned::<Cqe>();
    cloned::<DisabledRing>(); //~ E0277
    cloned::<Export>(); //~ E0277
    cloned::<Fd>(); //~ E0277
    cloned::<Ifq>(); //~ E0277
    cloned::<Offset>();
    cloned::<OwnedChunk>(); //~ E0277
    cloned::<Receiver>(); //~ E0277
    cloned::<Recycler>(); //~ E0277
    cloned::<RefillRing>(); //~ E0277
    cloned::<Ring>(); //~ E0277
    cloned::<RingFd<'_>>();
    cloned::<Sqe>(); // which can hold a descriptor that it closes //~ E0277
}
