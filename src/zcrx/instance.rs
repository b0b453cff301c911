//! [`Instance`]: what all ends of a registered instance have in common, and keep alive.

use core::ptr::NonNull;

use super::areas::Areas;
use super::chunk::PoolId;
use super::refill::RefillRing;
use crate::lock::Lock;
use crate::mapping::Mapping;
use crate::uapi::zcrx_stats;

/// What lives as long as any [`Ifq`](super::Ifq), [`Export`](super::Export) or owned chunk of an instance.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(super) pool: PoolId,
    pub(super) chunk_len: u32,
    /// Whether the kernel can write to the areas, so that it copies what the NIC did not place.
    pub(super) readable: bool,
    pub(super) areas: Areas,
    /// The refill ring's producer, once it is shared; until then the only [`Ifq`](super::Ifq) has it.
    pub(super) producer: Lock<Option<RefillRing>>,
    #[cfg(feature = "alloc")]
    pub(super) orphans: super::kept::Orphans,
    pub(super) stats: Option<NonNull<zcrx_stats>>,
    pub(super) _region: Mapping,
}

// SAFETY: the pointer to the statistics is tied to no thread; all else is Send.
unsafe impl Send for Instance {}
// SAFETY: the statistics are only read, in a way that allows for writes at the same time; all else is Sync.
unsafe impl Sync for Instance {}

/// How much the kernel had to copy, as far as it counts: fragments that the NIC did not place. Copies of
/// data in a packet's linear part are not counted by any kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// Fragments copied.
    pub fragments: u64,
    /// Bytes copied.
    pub bytes: u64,
}

impl Instance {
    /// Writes chunks into the ring that came back when their owner was gone, as many as there is room for.
    #[inline]
    pub(super) fn return_orphans(&self, ring: &mut RefillRing) {
        #[cfg(feature = "alloc")]
        self.orphans.return_to(ring);
        #[cfg(not(feature = "alloc"))]
        let _ = ring;
    }

    /// Whether there are such chunks.
    #[inline]
    pub(super) fn has_orphans(&self) -> bool {
        #[cfg(feature = "alloc")]
        let has = !self.orphans.is_empty();
        #[cfg(not(feature = "alloc"))]
        let has = false;
        has
    }

    /// The statistics. Each number is whole; while the kernel copies, bytes may be one copy behind.
    #[inline]
    pub(super) fn copies(&self) -> Option<Copies> {
        let stats = self.stats?.as_ptr();
        // SAFETY: registration placed the statistics inside the region that self maps, aligned and past the
        // entries. The pointers are used for volatile reads alone.
        let (fragments, bytes) = unsafe {
            (
                core::ptr::addr_of!((*stats).copy_count),
                core::ptr::addr_of!((*stats).copy_bytes),
            )
        };
        // SAFETY: as above. The kernel writes at any time, hence volatile reads and no reference.
        Some(unsafe {
            Copies {
                fragments: read_whole(fragments),
                bytes: read_whole(bytes),
            }
        })
    }
}

/// Reads a word that the kernel writes at any time. Where 64 bits take two reads, they are repeated until two
/// in a row agree, so that no half of one value is put together with half of another.
///
/// # Safety
///
/// The word must be mapped and aligned.
#[inline]
unsafe fn read_whole(at: *const u64) -> u64 {
    loop {
        // SAFETY: the caller's promise.
        let first = unsafe { at.read_volatile() };
        // SAFETY: the caller's promise.
        if cfg!(target_pointer_width = "64") || first == unsafe { at.read_volatile() } {
            return first;
        }
    }
}
