//! The NOP pipeline: entries pushed, one call that submits and waits for all of them, completions read.
//!
//! Everyone gets the same ring: narrow completions, one issuer, deferred task work, no array of indices.

use zcrx_sys::ring::{CqeLayout, Ring, RingBuilder, Sqe};

/// Submission entries of the rings.
pub const ENTRIES: u32 = 256;

/// A ring of `zcrx-sys`.
pub fn zcrx_sys() -> Result<Ring, zcrx_sys::Error> {
    RingBuilder::new(ENTRIES).layout(CqeLayout::Narrow).build()
}

/// A batch through a ring of `zcrx-sys`; answers how many completions came.
#[no_mangle]
#[inline(never)]
pub fn measured_nop_zcrx_sys(ring: &mut Ring, batch: u32) -> u32 {
    for n in 0..batch {
        if ring.push(Sqe::nop().user_data(u64::from(n))).is_err() {
            return 0;
        }
    }
    if ring.submit_and_wait(batch).is_err() {
        return 0;
    }
    let mut done = 0;
    for cqe in ring.completions().flatten() {
        done += u32::from(cqe.res() == 0);
    }
    done
}

/// A ring of the `io-uring` crate.
#[cfg(feature = "rivals")]
pub fn io_uring() -> std::io::Result<io_uring::IoUring> {
    io_uring::IoUring::builder()
        .setup_submit_all()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .setup_no_sqarray()
        .build(ENTRIES)
}

/// A batch through a ring of the `io-uring` crate; answers how many completions came.
#[cfg(feature = "rivals")]
#[no_mangle]
#[inline(never)]
pub fn measured_nop_io_uring(ring: &mut io_uring::IoUring, batch: u32) -> u32 {
    let mut submissions = ring.submission();
    for n in 0..batch {
        let nop = io_uring::opcode::Nop::new().build().user_data(u64::from(n));
        // SAFETY: a NOP names no memory.
        if unsafe { submissions.push(&nop) }.is_err() {
            return 0;
        }
    }
    drop(submissions);
    if ring.submit_and_wait(batch as usize).is_err() {
        return 0;
    }
    let mut done = 0;
    for cqe in ring.completion() {
        done += u32::from(cqe.result() == 0);
    }
    done
}
