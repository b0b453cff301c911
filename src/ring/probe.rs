//! A trial of the kernel's mixed completion queue, because it cannot be asked.

use core::sync::atomic::{AtomicU8, Ordering};

use super::{CqeLayout, RingBuilder, RingFd, Sqe};
use crate::errno::Errno;
use crate::uapi;

/// Whether this kernel keeps to its own rules when a mixed completion queue is full.
///
/// Up to 7.3.2 (and in 6.18.44, 7.1.13, 7.2.12) it does not. When a 32-byte completion finds only the last
/// slot free, the kernel posts a filler there, then fails for lack of room, but goes on handing out the
/// slot that it had reserved before. From then on the tail runs ahead of what was written, and
/// completions of an earlier lap are delivered again: a descriptor is accepted twice, a buffer received
/// twice. "io_uring: drop the CQE cache if a refill fails" mended it in 7.3.3.
///
/// The trial takes a ring of four slots and five NOPs, once for each process. On kernels without mixed
/// completions the answer is `false`.
pub fn mixed_completions_are_sound() -> bool {
    const UNKNOWN: u8 = 0;
    const SOUND: u8 = 1;
    const UNSOUND: u8 = 2;
    static VERDICT: AtomicU8 = AtomicU8::new(UNKNOWN);
    // Relaxed: the verdict says nothing about other memory, and a second trial comes to the same one.
    match VERDICT.load(Ordering::Relaxed) {
        UNKNOWN => match try_it() {
            Ok(sound) => {
                VERDICT.store(if sound { SOUND } else { UNSOUND }, Ordering::Relaxed);
                sound
            }
            // Not tried, for lack of descriptors or memory for instance: that may be otherwise next time.
            Err(()) => false,
        },
        verdict => verdict == SOUND,
    }
}

/// Fills a queue so that the filler is all that fits of a wide completion, then asks for one more narrow
/// one. An error if it could not be tried.
fn try_it() -> Result<bool, ()> {
    let builder = RingBuilder::new(4)
        .completion_entries(4)
        .layout(CqeLayout::Mixed);
    let mut ring = match builder.build() {
        Ok(ring) => ring,
        // The kernel has no mixed completions.
        Err(error) if error.errno() == Some(Errno::INVAL) => return Ok(false),
        Err(_) => return Err(()),
    };
    let nops = [
        Sqe::nop(),
        Sqe::nop(),
        Sqe::nop(),
        Sqe::nop32([0; 2]),
        Sqe::nop(),
    ];
    for (nop, user_data) in nops.into_iter().zip(1..) {
        ring.push(nop.user_data(user_data)).map_err(drop)?;
        ring.submit().map_err(drop)?;
    }
    // The fifth comes after the fourth, which waits in the kernel; so the queue holds three.
    let delivered = ring
        .completions()
        .map(|cqe| cqe.map_or(0, |cqe| cqe.user_data()));
    Ok(delivered.eq(1..=3))
}

impl RingFd<'_> {
    /// Why completions of this ring cannot be trusted to come once, if they cannot.
    pub(crate) fn repeats_completions(&self) -> Option<&'static str> {
        let mixed = self.setup_flags() & uapi::IORING_SETUP_CQE_MIXED != 0;
        (mixed && !mixed_completions_are_sound()).then_some(
            "this kernel repeats old completions when a mixed queue was full (mended in 7.3.3): use a \
             ring with the wide layout",
        )
    }
}
