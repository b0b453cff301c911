//! [`Ifq`]: one end of a registered zcrx instance: its decoder, and how chunks go back.

use super::burst::Burst;
use super::chunk::{Chunk, PoolId, Unreturned};
use super::device::Device;
use super::instance::Instance;
use super::lookup::Lookup;
use super::register::{self, IfqBuilder};
use super::share::{Batch, Producer};
use super::token::{Offset, OutOfArea};
use super::RefillRing;
use crate::fd::Fd;
use crate::ring::Cqe;
use crate::shared::Shared;

/// A registered zcrx instance: an interface queue, or none, with its areas and a refill ring; and the ring that
/// it is registered with, or [imported](super::Export::import) by.
///
/// It keeps its own reference to the ring's descriptor. The kernel has no call to unregister: closing the
/// ring is the only teardown, so the instance, its queue and its memory are given up when both
/// the ring and the `Ifq` were dropped, some time after. Until then no chunk's bytes can be reused.
///
/// ```no_run
/// use zcrx_sys::ring::{RingBuilder, Sqe};
/// use zcrx_sys::zcrx::{interface_index, Area, Device, Ifq};
/// # let socket = 0;
///
/// let mut ring = RingBuilder::new(8).completion_entries(4096).build()?;
/// let device = Device::Queue { interface: interface_index("eth0")?, queue: 1 };
/// let mut ifq = Ifq::builder(device).register(ring.as_ring_fd(), Area::new(64 << 20)?)?;
/// ring.push(Sqe::recv_zc(socket, ifq.zcrx_id(), 0)).unwrap();
/// let _ = ring.submit_and_wait(1)?;
/// for cqe in ring.completions().flatten() {
///     // SAFETY: this ring has no other request than a RECV_ZC of this instance; each is taken once.
///     if let Ok(chunk) = unsafe { ifq.take(&cqe) } {
///         println!("{:?}", ifq.bytes(&chunk));
///         ifq.recycle(chunk)?;
///     }
/// }
/// ifq.publish();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What a completion without a chunk means, and what to do then, is what
/// [`Request`](crate::recv::Request) says.
#[derive(Debug)]
pub struct Ifq {
    // Fields drop in this order: the ring is let go before the memory is unmapped. (The kernel has
    // pinned the pages, so what it still writes during teardown goes to no memory of ours.)
    pub(super) ring: Fd,
    pub(super) zcrx_id: u32,
    pub(super) pool: PoolId,
    /// The instance's own, here as well because each chunk needs it.
    pub(super) lookup: Lookup,
    pub(super) producer: Producer,
    pub(super) instance: Shared<Instance>,
}

impl Ifq {
    /// Options of a new instance on `device`.
    #[inline]
    pub fn builder(device: Device) -> IfqBuilder {
        register::IfqBuilder::new(device)
    }

    /// The end of `instance` that `ring` knows as `zcrx_id`.
    #[inline]
    pub(super) fn over(
        ring: Fd,
        zcrx_id: u32,
        producer: Producer,
        instance: Shared<Instance>,
    ) -> Self {
        Self {
            ring,
            zcrx_id,
            pool: instance.pool,
            lookup: instance.areas.lookup(),
            producer,
            instance,
        }
    }

    /// The id that RECV_ZC submissions carry ([`Sqe::recv_zc`](crate::ring::Sqe::recv_zc)).
    #[inline]
    pub fn zcrx_id(&self) -> u32 {
        self.zcrx_id
    }

    /// Bytes in one buffer of the area. A chunk lies within one buffer; several may share one.
    #[inline]
    pub fn chunk_len(&self) -> u32 {
        self.instance.chunk_len
    }

    /// Bytes in all areas.
    #[inline]
    pub fn area_len(&self) -> u64 {
        self.instance.areas.total().bytes
    }

    /// Bytes in the first area.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn first_area_len(&self) -> usize {
        self.instance.areas.first_len()
    }

    /// Number of areas.
    #[inline]
    pub fn areas(&self) -> u32 {
        self.instance.areas.total().areas
    }

    /// Whether the kernel can put into the areas what the NIC did not place there. It cannot if they are dmabufs.
    #[inline]
    pub fn can_copy(&self) -> bool {
        self.instance.readable
    }

    // The refill ring itself is never handed out: swapped with that of another instance, it would outlive
    // the memory that it points into.

    /// For the chunks of one drain, in a tight loop: what each of them needs stays in registers, and what was
    /// returned is [published](Self::publish) when it is dropped.
    #[inline]
    pub fn burst(&mut self) -> Burst<'_> {
        Burst::new(self)
    }

    /// Returns a chunk. The kernel sees it with the next [`publish`](Self::publish).
    ///
    /// # Errors
    ///
    /// [`Unreturned`] hands the chunk back: the refill ring is full (publish, [`flush`](Self::flush), then
    /// return it again), or the chunk is another pool's.
    #[inline]
    pub fn recycle(&mut self, chunk: Chunk) -> Result<(), Unreturned> {
        match &mut self.producer {
            Producer::Own(refill) => refill.push(chunk),
            Producer::Shared(batch) => batch.push(&self.instance, chunk),
        }
    }

    /// Shows the kernel all chunks returned so far. Once per batch.
    ///
    /// On a shared instance those that the ring has no room for stay behind ([`unpublished`](Self::unpublished)):
    /// [`flush`](Self::flush), then publish again.
    #[inline]
    pub fn publish(&mut self) {
        match &mut self.producer {
            Producer::Own(refill) => {
                self.instance.return_orphans(refill);
                refill.publish();
            }
            Producer::Shared(batch) => batch.hand_over(&self.instance),
        }
    }

    /// Chunks returned that the kernel does not see yet.
    #[inline]
    pub fn unpublished(&self) -> u32 {
        match &self.producer {
            Producer::Own(refill) => refill.unpublished(),
            Producer::Shared(batch) => batch.len(),
        }
    }

    /// Entries of the refill ring.
    #[inline]
    pub fn refill_entries(&self) -> u32 {
        match &self.producer {
            Producer::Own(refill) => refill.entries(),
            Producer::Shared(_) => self.with_shared(|refill| refill.entries()),
        }
    }

    /// Chunks published that the kernel has not taken back yet, on all ends of a shared instance.
    #[inline]
    pub fn unconsumed(&mut self) -> u32 {
        match &mut self.producer {
            Producer::Own(refill) => refill.unconsumed(),
            Producer::Shared(_) => self.with_shared(RefillRing::unconsumed),
        }
    }

    /// Whether it has, or had, other ends.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.producer, Producer::Shared(_))
    }

    #[inline]
    fn with_shared<T: Default>(&self, use_it: impl FnOnce(&mut RefillRing) -> T) -> T {
        let mut producer = self.instance.producer.lock();
        producer.as_mut().map(use_it).unwrap_or_default()
    }

    /// Takes the chunk that a data completion of RECV_ZC delivered.
    ///
    /// # Safety
    ///
    /// `cqe` must be the completion of a RECV_ZC request for this instance, on the ring that this end is
    /// registered with, and each completion may be taken once.
    ///
    /// # Errors
    ///
    /// [`NotData`] if the completion carries no bytes of an area; terminal completions are such.
    #[inline]
    pub unsafe fn take(&self, cqe: &Cqe) -> Result<Chunk, NotData> {
        let (offset, len) = data_of(cqe)?;
        // SAFETY: the lookup is that of the instance, which self holds.
        if let Err(how) = unsafe { self.lookup.find(offset, len) } {
            self.find_again(how, offset, len)?;
        }
        // SAFETY: len > 0 and the bytes lie in an area (found above). That the kernel gave them to
        // us, and that this is the only chunk for them, is the caller's promise about `cqe`.
        Ok(unsafe { Chunk::from_raw_parts(offset, len, self.pool) })
    }

    #[cold]
    #[inline(never)]
    pub(super) fn find_again(
        &self,
        how: OutOfArea,
        offset: Offset,
        len: u32,
    ) -> Result<(), NotData> {
        match how {
            OutOfArea::UnknownArea => self.instance.areas.find_again(offset, len),
            OutOfArea::PastEnd => Err(how),
        }
        .map_err(NotData::OutOfArea)
    }

    /// The bytes that a chunk of this instance refers to.
    ///
    /// # Panics
    ///
    /// If the chunk came from another instance.
    #[inline]
    #[track_caller]
    pub fn bytes<'a>(&'a self, chunk: &'a Chunk) -> &'a [u8] {
        // SAFETY: the lookup is that of the instance, which self holds.
        unsafe { self.lookup.bytes(chunk, self.pool) }
    }
}

impl Drop for Ifq {
    /// Hands over what is on its way to a shared refill ring, for the other ends' sake.
    #[inline]
    fn drop(&mut self) {
        let target = self.target();
        let Producer::Shared(batch) = &mut self.producer else {
            return;
        };
        // A full ring is emptied by a flush, so each round gets rid of some. On a thread that may not flush,
        // what is left is lost to the area.
        for _ in 0..Batch::LEN {
            batch.hand_over(&self.instance);
            if batch.len() == 0 || target.flush().is_err() {
                return;
            }
        }
    }
}

/// What a completion says of received bytes: where they are and how many, at least one.
#[inline(always)]
pub(super) fn data_of(cqe: &Cqe) -> Result<(Offset, u32), NotData> {
    let (true, Some([offset, _])) = (cqe.more(), cqe.extra()) else {
        return Err(NotData::Terminal);
    };
    if cqe.res() <= 0 {
        return Err(NotData::Terminal);
    }
    Ok((Offset::from_raw(offset), cqe.res() as u32))
}

/// A completion that carries no received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotData {
    /// It ends its request (no `F_MORE`), or reports an error: it carries no buffer, and nothing may
    /// be returned for it.
    Terminal,
    /// It names bytes outside of the areas, which the kernel never does.
    OutOfArea(OutOfArea),
}

impl core::fmt::Display for NotData {
    #[inline]
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Terminal => f.write_str("a terminal completion, which carries no buffer"),
            Self::OutOfArea(how) => how.fmt(f),
        }
    }
}

impl core::error::Error for NotData {}

#[cfg(test)]
mod tests;
