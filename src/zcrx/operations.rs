//! What an end of an instance asks of the kernel while it runs.

use super::adding;
use super::area::Area;
use super::ctrl::Target;
use super::ifq::Ifq;
use super::instance::Copies;
use super::notification::Notification;
use super::share::{Export, Producer};
use crate::error::Error;

impl Ifq {
    /// Has the kernel consume what was published to the refill ring (`ZCRX_CTRL_FLUSH_RQ`, kernel
    /// 6.19). Without a device it does so only when told; with one, only when the NIC asks for buffers.
    ///
    /// Call it on the thread that owns the ring.
    ///
    /// # Errors
    ///
    /// A kernel without the operation; a call from another thread.
    #[inline]
    pub fn flush(&self) -> Result<(), Error> {
        self.target().flush()
    }

    /// Gives the instance another area, for the NIC and for copies (`ZCRX_CTRL_ADD_AREA`, kernel 7.3). There can
    /// be [`MAX_AREAS`](super::MAX_AREAS), of any lengths; none can be taken away again.
    ///
    /// Call it on the thread that owns the ring. It pins the memory, which takes time, and holds up other
    /// ends that are about to decode the first chunks of the new area.
    ///
    /// # Errors
    ///
    /// A length that does not fit the chunks; a dmabuf where the others are memory, or the reverse; a kernel
    /// without the operation; the kernel's refusals, with their causes.
    #[inline]
    pub fn add_area(&self, area: Area) -> Result<(), Error> {
        adding::add_area(&self.instance, self.target(), area)
    }

    /// Adds an area that the twin made.
    #[cfg(any(test, feature = "twin"))]
    #[inline]
    pub(crate) fn insert_area(&self, id: u16, area: Area) -> Result<(), Area> {
        let areas = &self.instance.areas;
        areas.insert(&mut areas.adding(), id, area)
    }

    /// Has a notification posted again when it next happens (`ZCRX_CTRL_ARM_EVENT`, kernel 7.2). `false` if it was
    /// armed already, or is none of this kernel's.
    ///
    /// Call it on the thread that owns the ring.
    ///
    /// # Errors
    ///
    /// A kernel without the operation; a call from another thread.
    #[inline]
    pub fn arm(&self, notification: Notification) -> Result<bool, Error> {
        self.target().arm(notification)
    }

    /// Makes the instance available to other rings (`ZCRX_CTRL_EXPORT`, kernel 6.19). Chunks returned so far are
    /// published; from now on the refill ring is shared.
    ///
    /// Call it on the thread that owns the ring.
    ///
    /// # Errors
    ///
    /// A kernel without the operation; no descriptor left; a call from another thread.
    #[inline]
    pub fn export(&mut self) -> Result<Export, Error> {
        let (export, batch) = Export::new(self.target(), self.instance.clone())?;
        if let Producer::Own(refill) = &mut self.producer {
            refill.publish();
            if let Producer::Own(refill) =
                core::mem::replace(&mut self.producer, Producer::Shared(batch))
            {
                *self.instance.producer.lock() = Some(refill);
            }
        }
        Ok(export)
    }

    /// How much the kernel had to copy so far; `None` where it does not count (before 7.2). Each number is read
    /// whole; while the kernel copies, bytes may be one copy behind.
    #[inline]
    pub fn copies(&self) -> Option<Copies> {
        self.instance.copies()
    }

    #[inline]
    pub(super) fn target(&self) -> Target {
        Target {
            ring: self.ring.as_raw(),
            zcrx_id: self.zcrx_id,
        }
    }
}
