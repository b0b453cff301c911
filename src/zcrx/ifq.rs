//! [`Ifq`]: a registered zcrx instance, with its area, its refill ring and its decoder.

use core::ptr::NonNull;

use super::area::Area;
use super::chunk::{Chunk, PoolId, Unreturned};
use super::ctrl;
use super::register::{self, IfqBuilder};
use super::token::{Offset, OutOfArea, Span};
use super::RefillRing;
use crate::error::Error;
use crate::fd::Fd;
use crate::mapping::Mapping;
use crate::ring::{Cqe, RingFd};
use crate::uapi::zcrx_stats;

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
    Kernel,
}

/// How much the kernel had to copy, as far as it counts: fragments that the NIC did not place. Copies of
/// data in a packet's linear part are not counted by any kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// Fragments copied.
    pub fragments: u64,
    /// Bytes copied.
    pub bytes: u64,
}

/// A registered zcrx instance: an interface queue, or none, with an area and a refill ring.
///
/// It keeps its own reference to the ring's descriptor. The kernel has no call to unregister: closing the
/// ring is the only teardown, so the instance, its queue and its memory are given up when both
/// the ring and the `Ifq` were dropped, some time after. Until then no chunk's bytes can be reused.
#[derive(Debug)]
pub struct Ifq {
    // Fields drop in this order: the ring is let go before the memory is unmapped. (The kernel has
    // pinned the pages, so what it still writes during teardown goes to no memory of ours.)
    pub(super) ring: Fd,
    pub(super) zcrx_id: u32,
    pub(super) refill: RefillRing,
    pub(super) span: Span,
    pub(super) chunk_len: u32,
    pub(super) pool: PoolId,
    pub(super) stats: Option<NonNull<zcrx_stats>>,
    pub(super) area: Area,
    pub(super) _region: Mapping,
}

// SAFETY: descriptor and memory are tied to no thread. Control calls from a thread that does not own
// the ring are answered with EEXIST.
unsafe impl Send for Ifq {}

impl Ifq {
    /// Options of a new instance on `device`.
    pub fn builder(device: Device) -> IfqBuilder {
        register::IfqBuilder::new(device)
    }

    /// The id that RECV_ZC submissions carry ([`Sqe::recv_zc`](crate::ring::Sqe::recv_zc)).
    pub fn zcrx_id(&self) -> u32 {
        self.zcrx_id
    }

    /// Bytes in one buffer of the area. A chunk lies within one buffer; several may share one.
    pub fn chunk_len(&self) -> u32 {
        self.chunk_len
    }

    /// Bytes in the area.
    pub fn area_len(&self) -> usize {
        self.area.len()
    }

    // The refill ring itself is never handed out: swapped with that of another instance, it would outlive
    // the memory that it points into.

    /// Returns a chunk. The kernel sees it with the next [`publish`](Self::publish).
    ///
    /// # Errors
    ///
    /// [`Unreturned`] hands the chunk back: the refill ring is full (publish, [`flush`](Self::flush), then
    /// return it again), or the chunk is another pool's.
    #[inline]
    pub fn recycle(&mut self, chunk: Chunk) -> Result<(), Unreturned> {
        self.refill.push(chunk)
    }

    /// Shows the kernel all chunks returned so far. Once per batch.
    #[inline]
    pub fn publish(&mut self) {
        self.refill.publish();
    }

    /// Entries of the refill ring.
    pub fn refill_entries(&self) -> u32 {
        self.refill.entries()
    }

    /// Chunks published that the kernel has not taken back yet.
    #[inline]
    pub fn unconsumed(&mut self) -> u32 {
        self.refill.unconsumed()
    }

    /// Takes the chunk that a data completion of RECV_ZC delivered.
    ///
    /// # Safety
    ///
    /// `cqe` must be the completion of a RECV_ZC request for this instance, on the ring that it is
    /// registered with, and each completion may be taken once.
    ///
    /// # Errors
    ///
    /// [`NotData`] if the completion carries no bytes of this area; terminal completions are such.
    #[inline]
    pub unsafe fn take(&self, cqe: &Cqe) -> Result<Chunk, NotData> {
        let (Some([offset, _]), true) = (cqe.extra(), cqe.more()) else {
            return Err(NotData::Terminal);
        };
        let len = match cqe.result() {
            Ok(len) if len > 0 => len,
            _ => return Err(NotData::Terminal),
        };
        let offset = Offset::from_raw(offset);
        self.span.resolve(offset, len).map_err(NotData::OutOfArea)?;
        // SAFETY: len > 0 and the bytes lie in the area (resolved above). That the kernel gave them to
        // us, and that this is the only chunk for them, is the caller's promise about `cqe`.
        Ok(unsafe { Chunk::from_raw_parts(offset, len, self.pool) })
    }

    /// The bytes that a chunk of this instance refers to.
    ///
    /// # Panics
    ///
    /// If the chunk came from another instance.
    #[inline]
    #[track_caller]
    pub fn bytes<'a>(&'a self, chunk: &'a Chunk) -> &'a [u8] {
        assert!(
            chunk.is_from(self.pool),
            "the chunk belongs to another pool"
        );
        // SAFETY: take() resolved offset and length against this area (no other safe call makes a chunk of
        // this pool). The kernel gave the bytes to this process with the completion, and reuses them only after
        // the refill entry was published, which takes the chunk by value and so ends this borrow, or after
        // the ring was closed, which self keeps open.
        unsafe { self.area.bytes(chunk) }
    }

    /// Has the kernel consume what was published to the refill ring (`ZCRX_CTRL_FLUSH_RQ`, kernel
    /// 6.19). Without a device it does so only when told; with one, only when the NIC asks for buffers.
    ///
    /// Call it on the thread that owns the ring.
    ///
    /// # Errors
    ///
    /// A kernel without the operation; a call from another thread.
    pub fn flush(&self) -> Result<(), Error> {
        ctrl::flush(self.ring.as_raw(), self.zcrx_id)
    }

    /// How much the kernel had to copy so far; `None` where it does not count (before 7.2).
    pub fn copies(&self) -> Option<Copies> {
        let at = self.stats?.as_ptr();
        // SAFETY: registration placed the statistics inside the region that self maps, aligned and
        // past the entries. The kernel writes them at any time, hence volatile reads and no reference.
        let (fragments, bytes) = unsafe {
            (
                core::ptr::addr_of!((*at).copy_count).read_volatile(),
                core::ptr::addr_of!((*at).copy_bytes).read_volatile(),
            )
        };
        Some(Copies { fragments, bytes })
    }
}

/// A completion that carries no received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotData {
    /// It ends its request (no `F_MORE`), or reports an error: it carries no buffer, and nothing may
    /// be returned for it.
    Terminal,
    /// It names bytes outside of the area, which the kernel never does.
    OutOfArea(OutOfArea),
}

impl core::fmt::Display for NotData {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Terminal => f.write_str("a terminal completion, which carries no buffer"),
            Self::OutOfArea(how) => how.fmt(f),
        }
    }
}

impl core::error::Error for NotData {}

/// A ring that zero-copy receive can be registered with has deferred task work and room for 32-byte
/// completions; answers what is missing.
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
