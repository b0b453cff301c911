//! Building a [`Receiver`]: the best source that can be had, and why not a better one.

use alloc::vec::Vec;
use core::time::Duration;

use super::builder::{Batch, ReceiverBuilder};
use super::growth::Growth;
use super::pool::Pool;
use super::receiver::{Parts, Receiver};
use super::register::CHUNKS_PER_DRAIN;
use super::source::{Fallback, Pages, Source, Wanted};
use crate::error::{Attempt, Error, Reason};
use crate::ring::{CqeLayout, Ring};
use crate::zcrx::{Area, Device, Export, Support};

static BUILD: Attempt = Attempt {
    what: "build a receiver",
    arguments: &[],
};
static BUILD_OVER: Attempt = Attempt {
    what: "receive into this area",
    arguments: &["area bytes"],
};

/// How large chunks are to be, and what they are made of.
#[derive(Clone, Copy)]
pub(super) struct Chunks {
    pub(super) len: Option<u32>,
    pub(super) pages: Pages,
}

impl ReceiverBuilder {
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
            match self.open(source, &support, &mut fallbacks) {
                Ok(parts) => return Ok(self.finish(parts, fallbacks, &support)),
                Err(error) => fallbacks.push(Fallback {
                    wanted: Wanted::Source(source),
                    error,
                }),
            }
        }
        let parts = self.open(last, &support, &mut fallbacks)?;
        Ok(self.finish(parts, fallbacks, &support))
    }

    /// Sets up how the receiver waits.
    #[inline]
    fn finish(
        &self,
        mut parts: Parts,
        mut fallbacks: Vec<Fallback>,
        support: &Support,
    ) -> Receiver {
        // It saves some 40 ns per call; a thread with more rings than have room there does without.
        let _ = parts.ring.register_descriptor();
        // With no time to gather in, one chunk is enough, as in any wait.
        let batch = self.batch.filter(|batch| !batch.min_wait.is_zero());
        if let Some(Batch { chunks, min_wait }) = batch {
            // Nothing is waited for: this is to see whether it can be asked for.
            match parts
                .ring
                .submit_and_wait_batch(0, min_wait, Some(Duration::ZERO))
            {
                Ok(_) => {
                    let wide = matches!(parts.pool, Pool::Zcrx(_));
                    let mixed = parts.ring.layout() == CqeLayout::Mixed;
                    // The kernel counts slots, and no more of them than there are.
                    let slots = chunks.saturating_mul(1 + u32::from(wide && mixed));
                    let chunks = slots.clamp(1, parts.ring.completion_entries());
                    parts.batch = Some(Batch { chunks, min_wait });
                }
                Err(error) => fallbacks.push(Fallback {
                    wanted: Wanted::Batches,
                    error,
                }),
            }
        }
        if let Some(Err(error)) = self.busy_poll.map(|how| parts.ring.busy_poll(how)) {
            fallbacks.push(Fallback {
                wanted: Wanted::BusyPolling,
                error,
            });
        }
        Receiver::new(parts, fallbacks, support)
    }

    /// As [`build`](Self::build), but receives into `area`, whatever it is made of, from the first source that was
    /// asked for: an interface queue, or no device.
    ///
    /// Into a dmabuf the kernel cannot copy what the NIC did not place: such a stream ends as
    /// [`NotPlaced`](super::End::NotPlaced).
    ///
    /// # Errors
    ///
    /// That of the source; provided buffers lie in memory of the receiver's own.
    #[inline]
    pub fn build_over(&self, area: Area) -> Result<Receiver, Error> {
        let source = self.sources[0];
        let Some(device) = device(source) else {
            let only = "only zero-copy receive takes an area: ask for a queue, or for no device";
            let arguments = [area.len() as u64];
            return Err(Error::new(
                &BUILD_OVER,
                arguments,
                Reason::Unsupported(only),
                &[],
            ));
        };
        let support = Support::query();
        let chunks = Chunks {
            len: self.chunk_len,
            pages: self.pages,
        };
        let (ring, ifq) = self.register(device, chunks, area, &support)?;
        let parts = self.parts(ring, Pool::Zcrx(ifq), source);
        Ok(self.finish(parts, Vec::new(), &support))
    }

    /// Builds a receiver that shares the instance of the one that `export` is of, owned by this thread. Of the
    /// options, those that concern the memory are the other's, except [`grow_to`](Self::grow_to): each end may add areas.
    ///
    /// # Errors
    ///
    /// The kernel's refusals, with their causes.
    #[inline]
    pub fn import(&self, export: &Export) -> Result<Receiver, Error> {
        let support = Support::query();
        let ring = self.ring(self.zcrx_layout(), CHUNKS_PER_DRAIN)?;
        let ifq = export.import(ring.as_ring_fd())?;
        let parts = self.parts(ring, Pool::Zcrx(ifq), Source::Imported);
        Ok(self.finish(parts, Vec::new(), &support))
    }

    #[inline]
    fn parts(&self, ring: Ring, pool: Pool, source: Source) -> Parts {
        let step = match &pool {
            Pool::Zcrx(ifq) if self.grow_to > 0 => ifq.first_area_len(),
            _ => 0,
        };
        Parts {
            ring,
            pool,
            source,
            spin: self.spin,
            batch: None,
            growth: Growth {
                limit: self.grow_to,
                step,
                pages: self.pages,
            },
        }
    }

    #[inline]
    fn open(
        &self,
        source: Source,
        support: &Support,
        fallbacks: &mut Vec<Fallback>,
    ) -> Result<Parts, Error> {
        let device = match (source, device(source)) {
            (_, Some(device)) => device,
            (Source::Imported, None) => {
                let how = "another receiver's instance is had with ReceiverBuilder::import";
                return Err(Error::new(&BUILD, [], Reason::Unsupported(how), &[]));
            }
            _ => {
                let (ring, buffers) = self.buffers()?;
                return Ok(self.parts(ring, Pool::Buffers(buffers), source));
            }
        };
        let wanted = Chunks {
            len: self.chunk_len,
            pages: self.pages,
        };
        if !self.prefers_chunk_len {
            let (ring, ifq) = self.zcrx(device, wanted, support)?;
            return Ok(self.parts(ring, Pool::Zcrx(ifq), source));
        }
        for pages in [Pages::Huge, Pages::Transparent] {
            match self.zcrx(device, Chunks { pages, ..wanted }, support) {
                Ok((ring, ifq)) => {
                    let mut parts = self.parts(ring, Pool::Zcrx(ifq), source);
                    parts.growth.pages = pages;
                    return Ok(parts);
                }
                Err(error) => {
                    let len = self.chunk_len.unwrap_or(0);
                    let wanted = Wanted::Chunks { len, pages };
                    fallbacks.push(Fallback { wanted, error });
                }
            }
        }
        let plain = Chunks {
            len: None,
            ..wanted
        };
        let (ring, ifq) = self.zcrx(device, plain, support)?;
        Ok(self.parts(ring, Pool::Zcrx(ifq), source))
    }
}

/// The device of a source of zero-copy receive that can be registered.
#[inline]
fn device(source: Source) -> Option<Device> {
    match source {
        Source::Queue { interface, queue } => Some(Device::Queue { interface, queue }),
        Source::NoDevice => Some(Device::None),
        Source::Buffers | Source::Imported => None,
    }
}
