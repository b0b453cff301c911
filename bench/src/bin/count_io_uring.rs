//! What the same work takes with the `io-uring` crate. Its queue is a real ring's, into whose memory this program
//! writes the entries. Run by `bench/callgrind`.

use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use io_uring::cqueue::{Entry, Entry32, EntryMarker};
use io_uring::{squeue, IoUring};
use zcrx_bench::counting::count;
use zcrx_bench::memory_ring::{MemoryRing, Pattern, BATCH, SLOTS};
use zcrx_bench::nop::{io_uring, measured_nop_io_uring};
use zcrx_sys::ring::CqeLayout;
use zcrx_sys::uapi::{io_uring_params, io_uring_zcrx_rqe};

// The crate knows narrow and wide queues, no mixed ones.
fn main() -> std::io::Result<()> {
    let (mut ring, mut posts) = over::<Entry>(CqeLayout::Narrow)?;
    count("drain", "narrow", "entry", BATCH, || {
        posts.post_batch(&mut Pattern::Narrow);
        assert_ne!(measured_drain_narrow(&mut ring), 0);
    });
    let (mut ring, mut posts) = over::<Entry32>(CqeLayout::Wide)?;
    count("drain", "wide", "entry", BATCH, || {
        posts.post_batch(&mut Pattern::Wide);
        assert_ne!(measured_drain_wide(&mut ring), 0);
    });
    let mut refill = Refill {
        entries: vec![io_uring_zcrx_rqe::default(); SLOTS as usize],
        tail: 0,
        ktail: AtomicU32::new(0),
    };
    count("drain and refill", "wide", "chunk", BATCH, || {
        posts.post_batch(&mut Pattern::Wide);
        measured_drain_and_refill(&mut ring, &mut refill);
    });
    let mut ring = io_uring()?;
    count("nop", "batch 32", "op", 32, || {
        assert_eq!(measured_nop_io_uring(&mut ring, 32), 32);
    });
    Ok(())
}

/// A ring, and a producer in its completion queue's memory.
fn over<C: EntryMarker>(
    layout: CqeLayout,
) -> std::io::Result<(IoUring<squeue::Entry, C>, MemoryRing)> {
    let ring = IoUring::<squeue::Entry, C>::builder()
        .setup_cqsize(SLOTS)
        .build(8)?;
    // Where the kernel put things depends on the flags alone: those of a ring with the same ones.
    let mut params = io_uring_params {
        flags: zcrx_sys::uapi::IORING_SETUP_CQSIZE | C::BUILD_FLAGS,
        cq_entries: SLOTS,
        ..io_uring_params::default()
    };
    // SAFETY: params is exclusively borrowed, and all that is read and written.
    let twin = unsafe { libc::syscall(libc::SYS_io_uring_setup, 8, &mut params) };
    if twin < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made, and nobody else has it.
    unsafe { libc::close(twin as i32) };
    let off = params.cq_off;
    let len = off.cqes as usize + SLOTS as usize * layout.slot_size();
    // SAFETY: a new mapping, of which the program never lets go.
    let memory = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_POPULATE,
            ring.as_raw_fd(),
            0, // the rings
        )
    };
    if memory == libc::MAP_FAILED {
        return Err(std::io::Error::last_os_error());
    }
    let memory = NonNull::new(memory.cast::<u8>()).expect("not at 0");
    let at = |offset: u32| {
        // SAFETY: offsets that the kernel gave lie inside the mapping.
        unsafe { memory.add(offset as usize) }
    };
    // SAFETY: the mapping stays; the kernel posts nothing, because nothing is ever submitted to this ring.
    let posts = unsafe {
        MemoryRing::over(
            at(off.head).cast(),
            at(off.tail).cast(),
            at(off.cqes).cast(),
            layout,
        )
    };
    Ok((ring, posts))
}

#[no_mangle]
#[inline(never)]
fn measured_drain_narrow(ring: &mut IoUring) -> u64 {
    let mut sum = 0;
    for cqe in ring.completion() {
        sum += cqe.user_data();
    }
    sum
}

#[no_mangle]
#[inline(never)]
fn measured_drain_wide(ring: &mut IoUring<squeue::Entry, Entry32>) -> u64 {
    let mut sum = 0;
    for cqe in ring.completion() {
        sum += cqe.user_data() + cqe.big_cqe()[0];
    }
    sum
}

/// The crate has no refill ring; this is what its users write.
struct Refill {
    entries: Vec<io_uring_zcrx_rqe>,
    tail: u32,
    ktail: AtomicU32,
}

#[no_mangle]
#[inline(never)]
fn measured_drain_and_refill(ring: &mut IoUring<squeue::Entry, Entry32>, refill: &mut Refill) {
    for cqe in ring.completion() {
        let slot = (refill.tail & (SLOTS - 1)) as usize;
        let entry = io_uring_zcrx_rqe {
            off: cqe.big_cqe()[0],
            len: cqe.result() as u32,
            __pad: 0,
        };
        // SAFETY: the ring has SLOTS entries.
        unsafe { *refill.entries.get_unchecked_mut(slot) = entry };
        refill.tail = refill.tail.wrapping_add(1);
    }
    refill.ktail.store(refill.tail, Ordering::Release);
}
