//! What chunks keep that outlive their end of an instance.

use alloc::boxed::Box;
use core::ptr::NonNull;

use super::chunk::Chunk;
use super::ifq::Ifq;
use super::instance::Instance;
use super::owned::{ChunkMemory, Recycler};
use crate::error::{Attempt, Cause, Error, Reason};
use crate::fd::Fd;
use crate::shared::Shared;

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

    /// Of use to the other ends of a shared instance; if there are none, closing the ring frees everything.
    #[inline]
    fn take_back(&self, chunk: Chunk) {
        if let Some(ring) = self.instance.producer.lock().as_mut() {
            // A full ring loses the chunk's place for as long as the instance lasts.
            if ring.write(chunk.into_entry()) {
                ring.publish();
            }
        }
    }
}
