//! A call that is sound only if the caller keeps a promise is unsafe.

use core::ptr::NonNull;
use core::sync::atomic::AtomicU32;

use zcrx_sys::recv::BufferRing;
use zcrx_sys::ring::{CompletionQueue, Cqe, CqeLayout, Ring, RingFd, Sqe};
use zcrx_sys::uapi::io_uring_sqe;
use zcrx_sys::zcrx::{Area, Ifq, PoolId, RefillRing};
use zcrx_sys::Fd;

pub fn of_descriptors(fd: i32) {
    let _ = Fd::from_raw(fd); //~ E0133
    let _ = RingFd::from_raw(fd, 0); //~ E0133
}

pub fn of_memory(start: *mut u8, fd: Fd) {
    let _ = Area::from_raw_parts(start, 4096); //~ E0133
    let _ = Area::dmabuf(fd, 4096); //~ E0133
    let _ = Sqe::send(0, start, 1); //~ E0133
}

pub fn of_queues(word: NonNull<AtomicU32>, pool: PoolId) {
    let _ = CompletionQueue::from_raw_parts(word, word, word.cast(), 1, CqeLayout::Wide); //~ E0133
    let _ = RefillRing::from_raw_parts(word, word, word.cast(), 1, pool); //~ E0133
}

pub fn of_completions(ifq: &Ifq, buffers: &mut BufferRing, cqe: &Cqe) {
    let _ = ifq.take(cqe); //~ E0133
    let _ = buffers.take(cqe); //~ E0133
    buffers.assume_unused(); //~ E0133
}

pub fn of_entries(ring: &mut Ring, sqe: io_uring_sqe) {
    let _ = ring.push_raw(sqe); //~ E0133
}
