//! Building a [`Receiver`]: which source, how large, and why a better source was not to be had.

use alloc::vec::Vec;
use core::time::Duration;

use super::buffer_ring::BufferRing;
use super::clock;
use super::pool::Pool;
use super::receiver::Receiver;
use super::sizing;
use crate::errno::Errno;
use crate::error::Error;
use crate::ring::{CqeLayout, Ring, RingBuilder};
use crate::zcrx::{Area, Device, Ifq, RefillRegion, Support};

/// Where a receiver's bytes come from, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A receive queue of a NIC: no copy. Kernel 6.15, CAP_NET_ADMIN, a driver that supports it.
    Queue {
        /// The interface's index; see [`interface_index`](crate::zcrx::interface_index).
        interface: u32,
        /// The number of the queue, from 0.
        queue: u32,
    },
    /// Zero-copy receive without a device: any TCP socket; the kernel copies. Kernel 7.1, CAP_NET_ADMIN.
    NoDevice,
    /// Provided buffers: any TCP socket; the kernel copies. Kernel 6.0, no privileges.
    Buffers,
}

impl core::fmt::Display for Source {
    #[inline]
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Queue { interface, queue } => {
                write!(f, "queue {queue} of interface {interface}")
            }
            Self::NoDevice => f.write_str("zero-copy receive without a device"),
            Self::Buffers => f.write_str("provided buffers"),
        }
    }
}

/// A source that was wanted and could not be had.
#[derive(Clone, Debug)]
pub struct Fallback {
    /// The source.
    pub source: Source,
    /// Why not.
    pub error: Error,
}

impl core::fmt::Display for Fallback {
    #[inline]
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "not {}: {}", self.source, self.error)
    }
}

/// Options of a [`Receiver`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct ReceiverBuilder {
    sources: Vec<Source>,
    area_len: Option<usize>,
    chunk_len: Option<u32>,
    huge_pages: bool,
    layout: Option<CqeLayout>,
    completion_entries: Option<u32>,
    refill_entries: Option<u32>,
    refill_region: RefillRegion,
    taken_queue_wait: Duration,
    spin: Duration,
}

/// Submissions between two waits are few: one to arm each socket. More of them go in several calls.
const SUBMISSION_ENTRIES: u32 = 256;
/// Chunks between two drains that the completion queue is made for.
const CHUNKS_PER_DRAIN: u32 = 4096;
/// How soon a queue that is taken is tried again; twice as long after each attempt, because an attempt holds
/// the lock of the interface, which the teardown that is waited for needs too. The kernel has nothing to wait on.
const TAKEN_QUEUE_RETRY: Duration = Duration::from_millis(20);
const TAKEN_QUEUE_LONGEST_RETRY: Duration = Duration::from_millis(500);
/// The group number of the provided buffers: the ring is the receiver's own, so any will do.
const GROUP: u16 = 0;

impl ReceiverBuilder {
    #[inline]
    pub(super) fn new() -> Self {
        Self {
            sources: [Source::NoDevice, Source::Buffers].into(),
            area_len: None,
            chunk_len: None,
            huge_pages: false,
            layout: None,
            completion_entries: None,
            refill_entries: None,
            refill_region: RefillRegion::default(),
            taken_queue_wait: Duration::from_secs(5),
            spin: Duration::from_micros(20),
        }
    }

    /// Takes the best source that works: the given queue, without a device, provided buffers. This is the
    /// default, with no queue. [`Receiver::fallbacks`] says why better ones did not work.
    #[inline]
    pub fn auto(mut self, queue: Option<Source>) -> Self {
        self.sources = queue
            .into_iter()
            .chain([Source::NoDevice, Source::Buffers])
            .collect();
        self
    }

    /// Insists on one source.
    #[inline]
    pub fn source(mut self, source: Source) -> Self {
        self.sources = [source].into();
        self
    }

    /// Bytes of memory for received data. If never called: 64 MiB for a queue, 16 MiB without a
    /// device, 8 MiB for provided buffers (of which a power of two is used).
    ///
    /// A NIC fills its own receive ring from the area: at MTU 9000 with 8192 descriptors that alone took
    /// 96 to 128 MiB on one ConnectX-7.
    #[inline]
    pub fn area_len(mut self, bytes: usize) -> Self {
        self.area_len = Some(bytes);
        self
    }

    /// Bytes in one buffer. If never called: what the NIC uses, a page without a device, 128 KiB for
    /// provided buffers.
    #[inline]
    pub fn chunk_len(mut self, bytes: u32) -> Self {
        self.chunk_len = Some(bytes);
        self
    }

    /// Takes the area from reserved 2 MiB pages.
    #[inline]
    pub fn huge_pages(mut self, huge_pages: bool) -> Self {
        self.huge_pages = huge_pages;
        self
    }

    /// Insists on a layout of the completion queue. Zero-copy receive works with the mixed and the wide.
    #[inline]
    pub fn layout(mut self, layout: CqeLayout) -> Self {
        self.layout = Some(layout);
        self
    }

    /// Slots of the completion queue. A small one costs speed, never data.
    #[inline]
    pub fn completion_entries(mut self, entries: u32) -> Self {
        self.completion_entries = Some(entries);
        self
    }

    /// Entries of the refill ring. A small one costs speed, never data.
    #[inline]
    pub fn refill_entries(mut self, entries: u32) -> Self {
        self.refill_entries = Some(entries);
        self
    }

    /// Who allocates the refill ring.
    #[inline]
    pub fn refill_region(mut self, region: RefillRegion) -> Self {
        self.refill_region = region;
        self
    }

    /// How long [`build`](Self::build) waits for a queue that is taken (EEXIST). 5 seconds if never called:
    /// the kernel takes a queue from a process that ended, or dropped its ring, in its own time. The same
    /// errno can mean that an XDP program is attached, which no waiting helps.
    #[inline]
    pub fn taken_queue_wait(mut self, wait: Duration) -> Self {
        self.taken_queue_wait = wait;
        self
    }

    /// How long [`Receiver::wait`] looks for work before it sleeps. 20 µs if never called; zero to sleep at once.
    ///
    /// It pays where data comes in quick succession: waking a sleeper costs the sender's CPU more than the data.
    /// Where nothing was found, the next waits do not look, fewer and fewer do.
    #[inline]
    pub fn spin(mut self, span: Duration) -> Self {
        self.spin = span;
        self
    }

    /// Builds the receiver, owned by this thread. Blocks while it
    /// [waits for a queue](Self::taken_queue_wait).
    ///
    /// # Errors
    ///
    /// That of the last source, if none works.
    #[inline]
    pub fn build(&self) -> Result<Receiver, Error> {
        let (&last, better) = self.sources.split_last().expect("there always is a source");
        let support = Support::query();
        let mut fallbacks = Vec::new();
        for &source in better {
            match self.try_source(source) {
                Ok((ring, pool)) => {
                    return Ok(Receiver::new(
                        ring, pool, source, fallbacks, &support, self.spin,
                    ))
                }
                Err(error) => fallbacks.push(Fallback { source, error }),
            }
        }
        let (ring, pool) = self.try_source(last)?;
        Ok(Receiver::new(
            ring, pool, last, fallbacks, &support, self.spin,
        ))
    }

    #[inline]
    fn try_source(&self, source: Source) -> Result<(Ring, Pool), Error> {
        let device = match source {
            Source::Queue { interface, queue } => Device::Queue { interface, queue },
            Source::NoDevice => Device::None,
            Source::Buffers => return self.buffers(),
        };
        // By the clock: an attempt pins the whole area, which can take longer than a pause.
        let start = clock::coarse();
        let mut retry = TAKEN_QUEUE_RETRY;
        loop {
            let result = self.zcrx(device);
            let taken = matches!(&result, Err(error) if error.errno() == Some(Errno::EXIST));
            if !taken || clock::coarse().saturating_sub(start) >= self.taken_queue_wait {
                return result;
            }
            clock::pause(retry);
            retry = (retry * 2).min(TAKEN_QUEUE_LONGEST_RETRY);
        }
    }

    #[inline]
    fn zcrx(&self, device: Device) -> Result<(Ring, Pool), Error> {
        let default = if device == Device::None {
            16 << 20
        } else {
            64 << 20
        };
        let area = self.area(self.area_len.unwrap_or(default))?;
        let page = crate::mapping::page_size() as u32;
        let chunks = (area.len() / self.chunk_len.unwrap_or(page).max(1) as usize)
            .try_into()
            .unwrap_or(u32::MAX);
        let ring = self.ring(self.layout, chunks)?;
        let mut builder = Ifq::builder(device)
            .refill_entries(
                self.refill_entries
                    .unwrap_or(sizing::refill_entries(chunks)),
            )
            .refill_region(self.refill_region);
        if let Some(bytes) = self.chunk_len {
            builder = builder.chunk_len(bytes);
        }
        let ifq = builder.register(ring.as_ring_fd(), area)?;
        Ok((ring, Pool::Zcrx(ifq)))
    }

    #[inline]
    fn buffers(&self) -> Result<(Ring, Pool), Error> {
        let len = self.area_len.unwrap_or(8 << 20);
        let buffer_len = self.chunk_len.unwrap_or(128 << 10);
        let buffer_len = buffer_len.min(u32::try_from(len).unwrap_or(u32::MAX));
        // The kernel wants a power of two of buffers.
        let buffers = u32::try_from(len / buffer_len.max(1) as usize).unwrap_or(u32::MAX);
        let buffers = 1 << buffers.checked_ilog2().unwrap_or(0);
        let area = self.area(buffers as usize * buffer_len.max(1) as usize)?;
        // Nothing here is 32 bytes wide, so narrow entries do unless the caller wants others.
        let ring = self.ring(Some(self.layout.unwrap_or(CqeLayout::Narrow)), buffers)?;
        let buffers = BufferRing::register(ring.as_ring_fd(), GROUP, area, buffer_len)?;
        Ok((ring, Pool::Buffers(buffers)))
    }

    #[inline]
    fn area(&self, len: usize) -> Result<Area, Error> {
        if self.huge_pages {
            Area::huge_pages(len)
        } else {
            Area::new(len)
        }
    }

    #[inline]
    fn ring(&self, layout: Option<CqeLayout>, chunks: u32) -> Result<Ring, Error> {
        let per_drain = chunks.min(CHUNKS_PER_DRAIN);
        let entries = self.completion_entries.unwrap_or_else(|| {
            let layout = layout.unwrap_or(CqeLayout::Mixed);
            // A terminal completion of each socket armed in one go, beside the chunks.
            sizing::completion_entries(per_drain + SUBMISSION_ENTRIES, layout)
        });
        let mut builder =
            RingBuilder::new(SUBMISSION_ENTRIES.min(entries.max(1))).completion_entries(entries);
        if let Some(layout) = layout {
            builder = builder.layout(layout);
        }
        builder.build()
    }
}
