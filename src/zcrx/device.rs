//! What an instance is registered for: [`Device`], [`RefillRegion`]; and with which rings.

#[cfg(doc)]
use super::Ifq;
use crate::ring::RingFd;

/// Where packets come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// A receive queue of a network interface: payload lands in the area without a copy. Kernel 6.15.
    Queue {
        /// The interface's index; see [`interface_index`](super::interface_index).
        interface: u32,
        /// The number of the queue, from 0.
        queue: u32,
    },
    /// No device: any TCP socket; the kernel copies the payload into the area. Kernel 7.1.
    None,
}

/// Who allocates the memory of the refill ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefillRegion {
    /// This process does, and the kernel pins it. Kernel 6.15.
    #[default]
    User,
    /// The kernel does, and this process maps it. Kernel 6.16.
    ///
    /// The mapping keeps the ring open, so once the instance is [exported](Ifq::export) the ring that it was
    /// registered with stays open, with its requests and their sockets, until the last end is gone.
    Kernel,
}

/// A ring that zero-copy receive can be registered with has deferred task work and room for 32-byte
/// completions; answers what is missing.
#[inline]
pub(super) fn unfit(ring: RingFd<'_>) -> Option<&'static str> {
    use crate::uapi::{IORING_SETUP_CQE32, IORING_SETUP_CQE_MIXED, IORING_SETUP_DEFER_TASKRUN};
    if ring.setup_flags() & IORING_SETUP_DEFER_TASKRUN == 0 {
        Some("the ring lacks DEFER_TASKRUN (kernel 6.1)")
    } else if ring.setup_flags() & (IORING_SETUP_CQE32 | IORING_SETUP_CQE_MIXED) == 0 {
        Some("the ring's completions are narrow: set it up with the mixed or the wide layout")
    } else {
        None
    }
}
