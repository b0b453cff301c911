//! [`ReceiverBuilder`]: what a receiver is to be.

use alloc::vec::Vec;
use core::time::Duration;

use super::source::{Pages, Source};
use crate::ring::{BusyPoll, CqeLayout};
use crate::zcrx::RefillRegion;

/// Options of a [`Receiver`](super::Receiver).
///
/// ```
/// use zcrx_sys::recv::{Receiver, Source};
/// use zcrx_sys::zcrx::interface_index;
///
/// let queue = Source::Queue { interface: interface_index("lo")?, queue: 0 }; // a NIC's, in earnest
/// let receiver = Receiver::builder()
///     .auto(Some(queue))
///     .prefer_chunk_len(32 << 10)
///     .area_len(4 << 20)
///     .grow_to(16 << 20)
///     .build()?;
/// println!("receiving from {}", receiver.source());
/// for fallback in receiver.fallbacks() {
///     println!("{fallback}");
/// }
/// # Ok::<(), zcrx_sys::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct ReceiverBuilder {
    pub(super) sources: Vec<Source>,
    pub(super) area_len: Option<usize>,
    pub(super) chunk_len: Option<u32>,
    /// Whether other chunks will do.
    pub(super) prefers_chunk_len: bool,
    pub(super) pages: Pages,
    pub(super) grow_to: u64,
    pub(super) layout: Option<CqeLayout>,
    pub(super) completion_entries: Option<u32>,
    pub(super) refill_entries: Option<u32>,
    pub(super) refill_region: RefillRegion,
    pub(super) taken_queue_wait: Duration,
    pub(super) spin: Duration,
    pub(super) batch: Option<Batch>,
    pub(super) busy_poll: Option<BusyPoll>,
}

impl ReceiverBuilder {
    #[inline]
    pub(super) fn new() -> Self {
        Self {
            sources: [Source::NoDevice, Source::Buffers].into(),
            area_len: None,
            chunk_len: None,
            prefers_chunk_len: false,
            pages: Pages::default(),
            grow_to: 0,
            layout: None,
            completion_entries: None,
            refill_entries: None,
            refill_region: RefillRegion::default(),
            taken_queue_wait: Duration::from_secs(5),
            spin: Duration::ZERO,
            batch: None,
            busy_poll: None,
        }
    }

    /// Takes the best source that works: the given queue, without a device, provided buffers. This is the
    /// default, with no queue. [`Receiver::fallbacks`](super::Receiver::fallbacks) says why better ones did not work.
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

    /// Bytes of memory for received data. If never called: 16 MiB without a device, 8 MiB for provided buffers (of
    /// which a power of two is used), and for a queue what the NIC's own ring takes and a window of 32 MiB (see
    /// [`sizing::area_len`](super::sizing::area_len)), at least 64 MiB and at most 1 GiB.
    ///
    /// A NIC fills its own receive ring from the area: at MTU 9000 with 8192 descriptors that alone took
    /// 96 to 128 MiB on one ConnectX-7. [`Receiver::shortage`](super::Receiver::shortage) says when it does not fit.
    #[inline]
    pub fn area_len(mut self, bytes: usize) -> Self {
        self.area_len = Some(bytes);
        self
    }

    /// Insists on buffers of `bytes`. If never called: what the NIC uses, a page without a device, 128 KiB for
    /// provided buffers.
    ///
    /// For an interface queue, chunks larger than a page (a power of two of pages, kernel 7.0) make fewer
    /// completions of the same bytes: with 32 KiB, a measurement of others saw a quarter of the system time. They
    /// need a driver that has them, and [`pages`](Self::pages) that are contiguous.
    #[inline]
    pub fn chunk_len(mut self, bytes: u32) -> Self {
        self.chunk_len = Some(bytes);
        self.prefers_chunk_len = false;
        self
    }

    /// Takes buffers of `bytes` if they can be had: in reserved huge pages, else in transparent ones, else the NIC's
    /// own length in ordinary pages. [`Receiver::fallbacks`](super::Receiver::fallbacks) says which of these failed
    /// and why.
    #[inline]
    pub fn prefer_chunk_len(mut self, bytes: u32) -> Self {
        self.chunk_len = Some(bytes);
        self.prefers_chunk_len = true;
        self
    }

    /// What memory areas are taken from.
    #[inline]
    pub fn pages(mut self, pages: Pages) -> Self {
        self.pages = pages;
        self
    }

    /// Adds areas as long as all of them together have no more than `bytes`, whenever buffers run out and none is
    /// about to come back (kernel 7.3; not for provided buffers). Each is as long as the first; none is ever
    /// given up.
    #[inline]
    pub fn grow_to(mut self, bytes: u64) -> Self {
        self.grow_to = bytes;
        self
    }

    /// Insists on a layout of the completion queue. Zero-copy receive works with the wide, which is the default there,
    /// and the mixed (kernel 7.3.3); provided buffers with any, by default the narrow.
    #[inline]
    pub fn layout(mut self, layout: CqeLayout) -> Self {
        self.layout = Some(layout);
        self
    }

    /// Slots of the completion queue. A small one costs speed, never data. Mixed ones have at least 4, which is what a
    /// wide completion needs.
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

    /// How long [`Receiver::wait`](super::Receiver::wait) looks for work before it sleeps. If never called, it sleeps at
    /// once, which takes the least CPU time for a byte.
    ///
    /// 20 µs pay where data comes in quick succession and the rate is what counts: waking a sleeper costs the sender's CPU
    /// more than the data. On loopback the rate was 1.6 times as high, for 1.2 times the receiver's CPU time per byte.
    /// Where nothing was found, the next waits do not look, fewer and fewer do.
    #[inline]
    pub fn spin(mut self, span: Duration) -> Self {
        self.spin = span;
        self
    }

    /// Has [`Receiver::wait`](super::Receiver::wait) gather: it returns with `chunks` of them, or after `min_wait`
    /// with at least one (kernel 6.12; without it waits are ordinary, and
    /// [`Receiver::fallbacks`](super::Receiver::fallbacks) says so). It does not [`spin`](Self::spin) then.
    ///
    /// It pays where many small pieces arrive that can bear the delay: 100 bytes every 10 µs over 8 sockets took
    /// half the CPU time with (64, 200 µs). See
    /// [`Ring::submit_and_wait_batch`](crate::ring::Ring::submit_and_wait_batch).
    #[inline]
    pub fn batch(mut self, chunks: u32, min_wait: Duration) -> Self {
        self.batch = Some(Batch { chunks, min_wait });
        self
    }

    /// Has waits poll the network card before they sleep (kernel 6.9; without it, or if it is refused,
    /// [`Receiver::fallbacks`](super::Receiver::fallbacks) says so).
    ///
    /// It pays where latency counts and the receiver has a core to itself. See
    /// [`Ring::busy_poll`](crate::ring::Ring::busy_poll).
    #[inline]
    pub fn busy_poll(mut self, how: BusyPoll) -> Self {
        self.busy_poll = Some(how);
        self
    }
}

/// How waits gather.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    pub(super) chunks: u32,
    pub(super) min_wait: Duration,
}
