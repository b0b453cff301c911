//! A source's ring, memory and registration.

use core::time::Duration;

use super::buffer_ring::BufferRing;
use super::builder::ReceiverBuilder;
use super::open::Chunks;
use super::sizing::NicRing;
use super::source::Pages;
use super::table::NOTIFIED;
use super::{clock, growth, sizing};
use crate::error::Error;
use crate::mapping::page_size;
use crate::ring::{CqeLayout, Ring, RingBuilder};
use crate::zcrx::{Area, Device, Ifq, IfqBuilder, InterfaceState, Support, HUGE_PAGE};

/// Submissions between two waits are few: one to arm each socket. More of them go in several calls.
const SUBMISSION_ENTRIES: u32 = 256;
/// Chunks between two drains that the completion queue is made for.
pub(super) const CHUNKS_PER_DRAIN: u32 = 4096;
/// Slots with which a mixed queue that was drained takes a wide completion wherever it begins: the two that it
/// needs, and one for the filler. With two slots there would be no progress: a request finds no room, and its
/// refusal takes the slot by which the next one's room begins at the wrong place again.
const LEAST_MIXED: u32 = 4;
/// How soon a queue that is taken is tried again; twice as long after each attempt, because an attempt holds
/// the lock of the interface, which the teardown that is waited for needs too. The kernel has nothing to wait on.
const TAKEN_QUEUE_RETRY: Duration = Duration::from_millis(20);
const TAKEN_QUEUE_LONGEST_RETRY: Duration = Duration::from_millis(500);
/// The group number of the provided buffers: the ring is the receiver's own, so any will do.
const GROUP: u16 = 0;

/// Bytes of an area without a device.
const NO_DEVICE_AREA: usize = 16 << 20;
/// Least and most bytes of a queue's area, whatever its ring takes.
const QUEUE_AREA: (u64, u64) = (64 << 20, 1 << 30);
/// Bytes that the application and unread sockets hold at a time, if nobody says: 100 Gbit/s and 2.5 ms.
const WINDOW: u64 = 32 << 20;

impl ReceiverBuilder {
    #[inline]
    pub(super) fn zcrx(
        &self,
        device: Device,
        chunks: Chunks,
        support: &Support,
    ) -> Result<(Ring, Ifq), Error> {
        let mut len = self
            .area_len
            .unwrap_or_else(|| default_len(device, chunks.len));
        if chunks.pages != Pages::Ordinary {
            len = len.checked_next_multiple_of(HUGE_PAGE).unwrap_or(len);
        }
        self.register(device, chunks, growth::area(len, chunks.pages)?, support)
    }

    #[inline]
    pub(super) fn register(
        &self,
        device: Device,
        chunks: Chunks,
        area: Area,
        support: &Support,
    ) -> Result<(Ring, Ifq), Error> {
        let number = area.len() / chunks.len.unwrap_or(page_size() as u32).max(1) as usize;
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let ring = self.ring(self.zcrx_layout(), number)?;
        // A NIC puts two packets of MTU 1500 into a page, each of which is returned by itself.
        let fragments = if device == Device::None { 1 } else { 2 };
        let refill_entries = self.refill_entries;
        let mut builder = Ifq::builder(device)
            .refill_entries(refill_entries.unwrap_or(sizing::refill_entries(number, fragments)))
            .refill_region(self.refill_region);
        if let Some(bytes) = chunks.len {
            builder = builder.chunk_len(bytes);
        }
        // Without a device there is nothing to be told: everything is copied.
        if device != Device::None && support.has_notifications() {
            builder = builder.notifications(NOTIFIED);
        }
        let ifq = self.wait_for_queue(&builder, &ring, area)?;
        Ok((ring, ifq))
    }

    /// Registers, as soon as the queue is free.
    #[inline]
    fn wait_for_queue(&self, builder: &IfqBuilder, ring: &Ring, area: Area) -> Result<Ifq, Error> {
        // By the clock: an attempt pins the whole area, which can take longer than a pause.
        let start = clock::coarse();
        let mut retry = TAKEN_QUEUE_RETRY;
        let mut area = area;
        loop {
            let (error, again) = match builder.try_register(ring.as_ring_fd(), area) {
                Ok(ifq) => return Ok(ifq),
                Err(refused) => refused,
            };
            let taken = error.is_taken_queue();
            let waited = clock::coarse().saturating_sub(start);
            area = match again {
                Some(area) if taken && waited < self.taken_queue_wait => area,
                _ => return Err(error),
            };
            clock::pause(retry);
            retry = (retry * 2).min(TAKEN_QUEUE_LONGEST_RETRY);
        }
    }

    #[inline]
    pub(super) fn buffers(&self) -> Result<(Ring, BufferRing), Error> {
        let len = self.area_len.unwrap_or(8 << 20);
        let buffer_len = self.chunk_len.unwrap_or(128 << 10);
        let buffer_len = buffer_len.min(u32::try_from(len).unwrap_or(u32::MAX));
        // The kernel wants a power of two of buffers.
        let buffers = u32::try_from(len / buffer_len.max(1) as usize).unwrap_or(u32::MAX);
        let buffers = 1 << buffers.checked_ilog2().unwrap_or(0);
        let area = growth::area(buffers as usize * buffer_len.max(1) as usize, self.pages)?;
        // Nothing here is 32 bytes wide, so narrow entries do unless the caller wants others.
        let ring = self.ring(self.layout.unwrap_or(CqeLayout::Narrow), buffers)?;
        let buffers = BufferRing::register(ring.as_ring_fd(), GROUP, area, buffer_len)?;
        Ok((ring, buffers))
    }

    /// Nearly all completions are 32 bytes wide, so mixed ones would save no room, and cost a look at the flags of each.
    #[inline]
    pub(super) fn zcrx_layout(&self) -> CqeLayout {
        self.layout.unwrap_or(CqeLayout::Wide)
    }

    #[inline]
    pub(super) fn ring(&self, layout: CqeLayout, chunks: u32) -> Result<Ring, Error> {
        let per_drain = chunks.min(CHUNKS_PER_DRAIN);
        // A terminal completion of each socket armed in one go, beside the chunks.
        let entries = self
            .completion_entries
            .unwrap_or_else(|| sizing::completion_entries(per_drain + SUBMISSION_ENTRIES, layout));
        let entries = match layout {
            CqeLayout::Mixed if entries > 0 => entries.max(LEAST_MIXED),
            _ => entries,
        };
        RingBuilder::new(SUBMISSION_ENTRIES.min(entries.max(1)))
            .completion_entries(entries)
            .layout(layout)
            .build()
    }
}

/// Bytes that an area has if the caller does not say: for a queue, what the NIC's own ring takes, and a window.
#[inline]
fn default_len(device: Device, chunk_len: Option<u32>) -> usize {
    let Device::Queue { interface, .. } = device else {
        return NO_DEVICE_AREA;
    };
    let chunk_len = chunk_len.unwrap_or(page_size() as u32);
    let wanted = nic_ring(interface).map_or(0, |ring| sizing::area_len(ring, chunk_len, WINDOW));
    // At most 1 GiB, which fits.
    wanted.clamp(QUEUE_AREA.0, QUEUE_AREA.1) as usize
}

/// The receive ring that each queue of an interface has; `None` if its driver does not say.
#[inline]
pub(super) fn nic_ring(interface: u32) -> Option<NicRing> {
    let state = InterfaceState::read(interface, None);
    let descriptors = state.rx_ring_entries().filter(|&entries| entries > 0)?;
    let mtu = state.mtu()?;
    Some(NicRing { descriptors, mtu })
}
