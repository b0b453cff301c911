//! What chunks keep that outlive their end of an instance.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ptr::NonNull;

use super::chunk::Chunk;
use super::ifq::Ifq;
use super::instance::Instance;
use super::owned::{ChunkMemory, Recycler};
use super::refill::RefillRing;
use crate::error::{Attempt, Cause, Error, Reason};
use crate::fd::Fd;
use crate::lock::Lock;
use crate::shared::Shared;
use crate::sync::{AtomicBool, Ordering};

static OWN_CHUNKS: Attempt = Attempt {
    what: "keep the ring for owned chunks",
    arguments: &[],
};

/// An instance, and one of its rings: once all rings are closed the kernel fills the chunks' places again.
struct Kept {
    _ring: Fd,
    instance: Shared<Instance>,
}

impl Ifq {
    /// A maker of [owned chunks](super::OwnedChunk) of this instance. It adds to `eventfd` to wake its owner, when
    /// [asked to](Recycler::will_sleep).
    ///
    /// What it hands back is to be [recycled](Self::recycle) here, or at another end of the instance.
    ///
    /// # Errors
    ///
    /// No descriptor is left: owned chunks keep the ring open.
    #[inline]
    pub fn recycler(&self, eventfd: Option<Fd>) -> Result<Recycler, Error> {
        let ring = Fd::duplicate(self.ring.as_raw()).map_err(|errno| {
            let causes = &[Cause {
                cause: "no file descriptor is left",
                remedy: "raise the limit (ulimit -n)",
            }];
            Error::new(&OWN_CHUNKS, [], Reason::Kernel(errno), causes)
        })?;
        let memory = Kept {
            _ring: ring,
            instance: self.instance.clone(),
        };
        Ok(Recycler::new(self.pool, Box::new(memory), eventfd))
    }
}

impl ChunkMemory for Kept {
    #[inline]
    unsafe fn address(&self, chunk: &Chunk) -> NonNull<u8> {
        // SAFETY: the chunk is of this instance (caller), so its bytes were found in one of its areas.
        unsafe { self.instance.areas.table().address(chunk.offset()) }
    }

    fn take_back(&self, chunk: Chunk) {
        self.instance.orphans.add(chunk);
    }
}

/// Chunks whose owner was gone when they came back: the next end of the instance that publishes returns them. (If
/// there is none left, closing the last ring frees everything.)
#[derive(Debug)]
pub(super) struct Orphans {
    /// Whether there are any: so that who publishes need not take the lock.
    any: AtomicBool,
    chunks: Lock<Vec<Chunk>>,
}

impl Orphans {
    #[inline]
    pub(super) fn new() -> Self {
        Self {
            any: AtomicBool::new(false),
            chunks: Lock::new(Vec::new()),
        }
    }

    pub(super) fn add(&self, chunk: Chunk) {
        self.chunks.lock().push(chunk);
        // Relaxed: the list itself is behind the lock; one that is missed is found by the next who looks.
        self.any.store(true, Ordering::Relaxed);
    }

    /// Writes as many as there is room for into the ring.
    #[inline]
    pub(super) fn return_to(&self, ring: &mut RefillRing) {
        // Relaxed: as above.
        if self.any.load(Ordering::Relaxed) {
            self.return_some(ring);
        }
    }

    #[cold]
    #[inline]
    fn return_some(&self, ring: &mut RefillRing) {
        let mut chunks = self.chunks.lock();
        while let Some(chunk) = chunks.pop() {
            if let Err(full) = ring.push(chunk) {
                chunks.push(full.into_chunk());
                break;
            }
        }
        self.any.store(!chunks.is_empty(), Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        // Relaxed: as above.
        !self.any.load(Ordering::Relaxed)
    }
}

#[cfg(all(loom, test))]
mod models;
#[cfg(test)]
mod tests;
