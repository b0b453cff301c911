//! Where a receiver's bytes land: an instance of zero-copy receive, or provided buffers. One interface
//! over both.

use libc::c_int;

use super::buffer_ring::BufferRing;
use super::request::{Operation, Request};
use crate::error::{Attempt, Error, Reason};
use crate::fd::Fd;
use crate::ring::{Cqe, Sqe};
use crate::zcrx::{Chunk, Copies, Export, Ifq, NotData, Recycler, Unreturned};

static EXPORT: Attempt = Attempt {
    what: "share a receiver's memory",
    arguments: &[],
};

/// The pool behind a receiver.
#[derive(Debug)]
pub(super) enum Pool {
    Zcrx(Ifq),
    Buffers(BufferRing),
}

impl Pool {
    #[inline]
    pub(super) fn operation(&self) -> Operation {
        match self {
            Self::Zcrx(_) => Operation::ZeroCopy,
            Self::Buffers(_) => Operation::Provided,
        }
    }

    /// The submission that arms `request` on socket `fd`.
    #[inline]
    pub(super) fn arm(&self, fd: c_int, request: &mut Request) -> Sqe {
        let len = request.arm();
        match self {
            Self::Zcrx(ifq) => Sqe::recv_zc(fd, ifq.zcrx_id(), len),
            // A multishot receive has no limit of its own on every kernel, and what it took from the
            // socket cannot be put back: with a limit, one receive at a time.
            Self::Buffers(ring) if request.is_limited() => {
                Sqe::recv_provided(fd, ring.group(), len.min(ring.buffer_len()))
            }
            Self::Buffers(ring) => Sqe::recv_multishot(fd, ring.group()),
        }
    }

    /// Whether a completion carries one of this pool's buffers, as far as its form says.
    #[inline]
    pub(super) fn is_carried_by(&self, cqe: &Cqe) -> bool {
        match self {
            Self::Zcrx(_) => cqe.extra().is_some(),
            Self::Buffers(_) => cqe.buffer_id().is_some(),
        }
    }

    /// Takes the buffer that a completion carries.
    ///
    /// # Safety
    ///
    /// As [`Ifq::take`] and [`BufferRing::take`].
    #[inline]
    pub(super) unsafe fn take(&self, cqe: &Cqe) -> Result<Chunk, NotData> {
        match self {
            // SAFETY: the caller's promise, for whichever pool it is.
            Self::Zcrx(ifq) => unsafe { ifq.take(cqe) },
            // SAFETY: the caller's promise, for whichever pool it is.
            Self::Buffers(ring) => unsafe { ring.take(cqe) },
        }
    }

    #[inline]
    #[track_caller]
    pub(super) fn bytes<'a>(&'a self, chunk: &'a Chunk) -> &'a [u8] {
        match self {
            Self::Zcrx(ifq) => ifq.bytes(chunk),
            Self::Buffers(ring) => ring.bytes(chunk),
        }
    }

    #[inline(always)]
    pub(super) fn push(&mut self, chunk: Chunk) -> Result<(), Unreturned> {
        match self {
            Self::Zcrx(ifq) => ifq.recycle(chunk),
            Self::Buffers(ring) => ring.push(chunk),
        }
    }

    #[inline]
    pub(super) fn publish(&mut self) {
        match self {
            Self::Zcrx(ifq) => ifq.publish(),
            Self::Buffers(ring) => ring.publish(),
        }
    }

    /// Chunks that the last [`publish`](Self::publish) had no room for: others share the refill ring.
    #[inline]
    pub(super) fn unpublished(&self) -> u32 {
        match self {
            Self::Zcrx(ifq) => ifq.unpublished(),
            Self::Buffers(_) => 0,
        }
    }

    /// Published chunks that the kernel has not taken back yet.
    #[inline]
    pub(super) fn unconsumed(&mut self) -> u32 {
        match self {
            Self::Zcrx(ifq) => ifq.unconsumed(),
            Self::Buffers(_) => 0,
        }
    }

    /// Has the kernel take back what was published.
    #[inline]
    pub(super) fn flush(&self) -> Result<(), Error> {
        match self {
            Self::Zcrx(ifq) => ifq.flush(),
            Self::Buffers(_) => Ok(()),
        }
    }

    /// Says that no request will write to the pool's memory any more.
    ///
    /// # Safety
    ///
    /// As [`BufferRing::assume_unused`].
    #[inline]
    pub(super) unsafe fn assume_unused(&mut self) {
        match self {
            // The kernel has pinned this memory: unmapping it is safe at any time.
            Self::Zcrx(_) => {}
            // SAFETY: the caller's promise.
            Self::Buffers(ring) => unsafe { ring.assume_unused() },
        }
    }

    /// Whether a request that found no buffer can find one later. For a dmabuf there is never one: its buffers
    /// are the NIC's alone.
    #[inline]
    pub(super) fn can_copy(&self) -> bool {
        match self {
            Self::Zcrx(ifq) => ifq.can_copy(),
            Self::Buffers(_) => true,
        }
    }

    /// Chunks that it has in all.
    #[inline]
    pub(super) fn chunks(&self) -> u64 {
        match self {
            Self::Zcrx(ifq) => ifq.area_len() / u64::from(ifq.chunk_len()),
            Self::Buffers(ring) => u64::from(ring.buffers()),
        }
    }

    /// Bytes that a chunk has room for.
    #[cfg(feature = "tokio")]
    pub(super) fn chunk_len(&self) -> u32 {
        match self {
            Self::Zcrx(ifq) => ifq.chunk_len(),
            Self::Buffers(ring) => ring.buffer_len(),
        }
    }

    /// Makes the instance available to other rings.
    #[inline]
    pub(super) fn export(&mut self) -> Result<Export, Error> {
        match self {
            Self::Zcrx(ifq) => ifq.export(),
            Self::Buffers(_) => {
                let only =
                    "provided buffers belong to their ring: only zero-copy receive is shared";
                Err(Error::new(&EXPORT, [], Reason::Unsupported(only), &[]))
            }
        }
    }

    /// Whether others take from it too.
    #[inline]
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Zcrx(ifq) if ifq.is_shared())
    }

    /// A maker of owned chunks.
    #[inline]
    pub(super) fn recycler(&self, eventfd: Fd) -> Result<Recycler, Error> {
        match self {
            Self::Zcrx(ifq) => ifq.recycler(Some(eventfd)),
            Self::Buffers(ring) => Ok(ring.recycler(Some(eventfd))),
        }
    }

    #[inline]
    pub(super) fn copies(&self) -> Option<Copies> {
        match self {
            Self::Zcrx(ifq) => ifq.copies(),
            Self::Buffers(_) => None,
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
