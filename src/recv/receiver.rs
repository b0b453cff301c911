//! [`Receiver`]: drives the receive requests of many sockets over one pool, and recovers from everything
//! that can be recovered from.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use libc::c_int;

use super::builder::{Batch, ReceiverBuilder};
use super::event::{Counters, Event};
use super::growth::Growth;
use super::notified::Unarmed;
use super::owned::Owned;
use super::pool::Pool;
use super::register::nic_ring;
use super::sizing::Shortage;
use super::source::{Fallback, Source};
use super::spin::Spin;
use super::stall::StallCheck;
use super::table::{SocketId, Table};
use crate::error::Error;
use crate::ring::{CqeLayout, Ring};
use crate::uapi;
use crate::zcrx::{Chunk, Copies, Export, Support, Unreturned};

/// What a receiver is made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) ring: Ring,
    pub(super) pool: Pool,
    pub(super) source: Source,
    pub(super) spin: Duration,
    pub(super) batch: Option<Batch>,
    pub(super) growth: Growth,
}

/// Receives from many TCP sockets into one pool of memory.
///
/// Belongs to the thread that built it. The loop is: [`wait`](Self::wait), then
/// [`next_event`](Self::next_event) until there is none, recycling chunks along the way or later.
///
/// A full completion queue, a pool without a free buffer and a full refill ring are dealt with inside:
/// nothing is lost, and the stream of each socket stays in order.
///
/// The example of the [crate] is a whole program.
#[derive(Debug)]
pub struct Receiver {
    // The pool goes first: it unregisters its buffers from the ring that is still there.
    pub(super) pool: Pool,
    pub(super) ring: Ring,
    pub(super) source: Source,
    pub(super) fallbacks: Vec<Fallback>,
    pub(super) table: Table,
    /// Events that did not come straight from a completion.
    pub(super) events: VecDeque<Event>,
    /// Sockets to submit at the next wait.
    pub(super) rearm: Vec<SocketId>,
    /// Sockets whose request is to be cancelled at the next wait.
    pub(super) cancel: Vec<SocketId>,
    /// Sockets to submit once there are buffers.
    pub(super) dry: Vec<SocketId>,
    /// Whether dry sockets are worth another try: chunks were returned, or the back-off is over.
    pub(super) retry_dry: bool,
    /// When a back-off was last over, by the coarse clock.
    pub(super) dry_tried: Duration,
    /// Chunks that found the refill ring full.
    pub(super) backlog: Vec<Chunk>,
    /// Chunks returned since the kernel was last told to take them back.
    pub(super) unflushed: u32,
    /// Flush when this many are unflushed.
    pub(super) flush_at: u32,
    pub(super) can_flush: bool,
    /// Chunks out at which it matters how soon others come back.
    pub(super) short_at: u64,
    pub(super) growth: Growth,
    pub(super) unarmed: Unarmed,
    /// Once there are owned chunks.
    pub(super) owned: Option<Owned>,
    /// When sockets were last looked at for requests that have stalled.
    pub(super) stall_check: StallCheck,
    pub(super) spin: Spin,
    /// How waits gather, in slots of the completion queue.
    pub(super) batch: Option<Batch>,
    pub(super) counters: Counters,
}

impl Receiver {
    /// Options of a new receiver.
    #[inline]
    pub fn builder() -> ReceiverBuilder {
        ReceiverBuilder::new()
    }

    #[inline]
    pub(super) fn new(mut parts: Parts, fallbacks: Vec<Fallback>, support: &Support) -> Self {
        let chunks = parts.pool.chunks();
        let flush_at = match (&mut parts.pool, parts.source) {
            // Without a device the kernel takes nothing back by itself. Often enough that recently
            // read, cache-warm pages are filled again first; seldom enough to cost next to nothing.
            (Pool::Zcrx(ifq), Source::NoDevice | Source::Imported) => {
                let most = chunks.min(u64::from(ifq.refill_entries())) / 2;
                most.clamp(1, 256) as u32
            }
            _ => u32::MAX,
        };
        Self {
            flush_at,
            can_flush: support.has_control(uapi::ZCRX_CTRL_FLUSH_RQ),
            short_at: chunks / 4,
            growth: parts.growth,
            unarmed: Unarmed::default(),
            owned: None,
            stall_check: StallCheck::new(parts.source != Source::Buffers, support),
            spin: Spin::new(parts.spin),
            batch: parts.batch,
            pool: parts.pool,
            ring: parts.ring,
            source: parts.source,
            fallbacks,
            table: Table::default(),
            events: VecDeque::new(),
            rearm: Vec::new(),
            cancel: Vec::new(),
            dry: Vec::new(),
            retry_dry: false,
            dry_tried: Duration::ZERO,
            backlog: Vec::new(),
            unflushed: 0,
            counters: Counters::default(),
        }
    }

    /// The source that is in use.
    #[inline]
    pub fn source(&self) -> Source {
        self.source
    }

    /// What was wanted and could not be had, and why: better sources, larger chunks, more memory.
    #[inline]
    pub fn fallbacks(&self) -> &[Fallback] {
        &self.fallbacks
    }

    /// Whether the area is too small for the receive ring of the NIC's queue, and how large that is. It reads the
    /// interface's state, for some tenths of a millisecond; `None` also where the driver does not tell.
    #[inline]
    pub fn shortage(&self) -> Option<Shortage> {
        let (Source::Queue { interface, .. }, Pool::Zcrx(ifq)) = (self.source, &self.pool) else {
            return None;
        };
        Shortage::of(ifq.area_len(), ifq.chunk_len(), nic_ring(interface)?)
    }

    // The ring itself is not handed out, not even to look at: an instance that somebody registers with it could be
    // told to notify in the place of this receiver's own completions.

    /// How completions lie in the queue.
    #[inline]
    pub fn layout(&self) -> CqeLayout {
        self.ring.layout()
    }

    /// Slots of the completion queue.
    #[inline]
    pub fn completion_entries(&self) -> u32 {
        self.ring.completion_entries()
    }

    /// Has the kernel add to eventfd `eventfd` whenever there may be something to [`wait`](Self::wait) for, for somebody
    /// else's poll loop: read the eventfd, then wait with a timeout of zero and take the events, until it has
    /// [timed out](super::Wait::TimedOut) or is [starved](super::Wait::Starved). (Module `recv::tokio`, with feature
    /// `tokio`, does this.)
    ///
    /// Kernel 7.3.4 signals what a socket has woken late, by an RCU grace period: some milliseconds. Where these matter,
    /// let the loop poll the sockets too, for input and edge-triggered: they wake it at once.
    ///
    /// A request that has [stalled](super::Counters::stalls) is not signalled, but a wait finds it: call it also half a
    /// second after the last chunk (before kernel 7.3, ten times a second while a socket is at work), and a
    /// millisecond after it was starved.
    ///
    /// # Errors
    ///
    /// As [`Ring::register_eventfd`].
    #[inline]
    pub fn register_eventfd(&self, eventfd: c_int) -> Result<(), Error> {
        self.ring.register_eventfd(eventfd)
    }

    /// What happened so far.
    #[inline]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What the kernel had to copy although a device was to place it; `None` where it does not count.
    #[inline]
    pub fn copies(&self) -> Option<Copies> {
        self.pool.copies()
    }

    /// Makes this receiver's instance available to other threads, each with a receiver of its own that
    /// [imports](ReceiverBuilder::import) it: they receive into the same memory, from the same queue. Kernel 6.19.
    ///
    /// # Errors
    ///
    /// Provided buffers cannot be shared; the kernel's refusals, with their causes.
    ///
    /// ```no_run
    /// use zcrx_sys::recv::{Receiver, Source};
    ///
    /// let mut first = Receiver::builder().source(Source::NoDevice).build()?;
    /// let export = first.export()?;
    /// let other = std::thread::spawn(move || {
    ///     let second = Receiver::builder().import(&export)?;
    ///     // ... receives into the same memory ...
    ///     Ok::<_, zcrx_sys::Error>(second.counters())
    /// });
    /// # Ok::<(), zcrx_sys::Error>(())
    /// ```
    #[inline]
    pub fn export(&mut self) -> Result<Export, Error> {
        self.pool.export()
    }

    /// Received bytes.
    ///
    /// # Panics
    ///
    /// If the chunk came from another receiver.
    #[inline]
    #[track_caller]
    pub fn bytes<'a>(&'a self, chunk: &'a Chunk) -> &'a [u8] {
        self.pool.bytes(chunk)
    }

    /// Gives a chunk back. The kernel learns of it in batches, at the latest with the next
    /// [`wait`](Self::wait).
    ///
    /// # Errors
    ///
    /// [`Unreturned::OtherPool`] hands back a chunk of another receiver.
    #[inline(always)] // as next_event()
    pub fn recycle(&mut self, chunk: Chunk) -> Result<(), Unreturned> {
        match self.pool.push(chunk) {
            Ok(()) => {}
            Err(Unreturned::Full(chunk)) => self.make_room_for(chunk),
            Err(other) => return Err(other),
        }
        // Another receiver of the same instance may have delivered it.
        self.counters.outstanding = self.counters.outstanding.saturating_sub(1);
        self.unflushed = self.unflushed.saturating_add(1);
        self.retry_dry = true;
        Ok(())
    }
}

impl Drop for Receiver {
    /// Ends all requests, so that sockets and listeners are closed by now and not whenever the kernel gets round
    /// to tearing the ring down. Connections that were accepted and never looked at are closed too.
    #[inline]
    fn drop(&mut self) {
        if self.end_everything() {
            // SAFETY: the ring has no other requests than this receiver's, and none of these is in the
            // kernel any more.
            unsafe { self.pool.assume_unused() };
        }
    }
}

#[cfg(feature = "std")]
impl std::os::fd::AsFd for Receiver {
    /// The ring's descriptor: readable when there is something to [`wait`](Receiver::wait) for with a timeout of zero.
    ///
    /// That is for looking at it, and not for sleeping: kernels 6.12 to 7.2 do not wake who polls it for work that they
    /// have put off for the ring's owner. To be woken, [register an eventfd](Receiver::register_eventfd).
    #[inline]
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(&self.ring)
    }
}
