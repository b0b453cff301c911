//! Sharing one instance between rings: [`Export`], and the refill ring with several producers.

use core::ptr::NonNull;

use super::ctrl::Target;
use super::device::unfit;
use super::ifq::Ifq;
use super::instance::Instance;
use super::{causes, Chunk, RefillRing, Unreturned};
use crate::cause::Diagnosis;
use crate::errno::Errno;
use crate::error::{Attempt, Error, Reason};
use crate::fd::Fd;
use crate::mapping::Mapping;
use crate::ring::RingFd;
use crate::shared::Shared;
use crate::syscall;
use crate::uapi::{self, io_uring_zcrx_ifq_reg, io_uring_zcrx_rqe};

static IMPORT: Attempt = Attempt {
    what: "import an exported instance",
    arguments: &[],
};

/// An instance on its way to another ring: made by [`Ifq::export`], sent to the thread that owns the other
/// ring, and [imported](Self::import) there, once or several times. Kernel 6.19.
///
/// All ends receive into the same areas, and any of them takes back any chunk of the instance. They share one
/// refill ring, so from the first export on chunks are gathered and written to it a batch at a time, under a
/// lock. The instance lasts until the last end, and the last `Export`, is gone.
///
/// It never leaves this process: what other processes would receive into the areas could not be resolved here.
#[derive(Debug)]
pub struct Export {
    fd: Fd,
    instance: Shared<Instance>,
}

static_assertions::assert_impl_all!(Export: Send, Sync);

impl Export {
    #[inline]
    pub(super) fn new(target: Target, instance: Shared<Instance>) -> Result<(Self, Batch), Error> {
        // Before the kernel is asked: afterwards nothing may fail.
        let batch = Batch::new().map_err(|errno| target.export_error(errno))?;
        let fd = target.export()?;
        Ok((Self { fd, instance }, batch))
    }

    /// Makes the instance known to `ring`, on the thread that owns that ring. Needs CAP_NET_ADMIN, as
    /// registration does.
    ///
    /// Notifications go to the ring that it was first registered with, and end with it.
    ///
    /// # Errors
    ///
    /// A ring that cannot carry zero-copy completions; the kernel's refusals, with their causes.
    #[inline]
    pub fn import(&self, ring: RingFd<'_>) -> Result<Ifq, Error> {
        let failed = |reason| {
            let diagnosis = match reason {
                Reason::Kernel(errno) => causes::of_import(errno),
                _ => Diagnosis::Possible(&[]),
            };
            Error::diagnosed(&IMPORT, [], reason, diagnosis)
        };
        if let Some(missing) = unfit(ring).or_else(|| ring.repeats_completions()) {
            return Err(failed(Reason::Unsupported(missing)));
        }
        let kernel = |errno| failed(Reason::Kernel(errno));
        let ring = Fd::duplicate(ring.as_raw()).map_err(kernel)?;
        let producer = Producer::Shared(Batch::new().map_err(kernel)?);
        let mut reg = io_uring_zcrx_ifq_reg {
            flags: uapi::ZCRX_REG_IMPORT,
            if_idx: self.fd.as_raw() as u32,
            ..Default::default()
        };
        // SAFETY: reg is a live, exclusively borrowed local, and an import names no other memory. What the
        // kernel writes to from now on, the instance's, is kept by the Ifq.
        unsafe {
            syscall::register(
                ring.as_raw(),
                uapi::IORING_REGISTER_ZCRX_IFQ,
                core::ptr::from_mut(&mut reg).cast(),
                1,
            )
        }
        .map_err(kernel)?;
        let instance = self.instance.clone();
        Ok(Ifq::over(ring, reg.zcrx_id, producer, instance))
    }
}

/// How an end's chunks get into the refill ring.
#[derive(Debug)]
pub(super) enum Producer {
    /// At once: nobody else writes to the ring.
    Own(RefillRing),
    /// A batch at a time, under the instance's lock.
    Shared(Batch),
}

/// Chunks returned to a shared instance that are not in the refill ring yet.
#[derive(Debug)]
pub(super) struct Batch {
    /// Entries as the ring takes them; in a page, because there may be no allocator.
    memory: Mapping,
    len: usize,
}

impl Batch {
    /// So many chunks go into the ring under one lock, with one store of its tail.
    pub(super) const LEN: usize = 64;

    #[inline]
    pub(super) fn new() -> Result<Self, Errno> {
        let memory = Mapping::inherited(Self::LEN * size_of::<io_uring_zcrx_rqe>())?;
        Ok(Self { memory, len: 0 })
    }

    /// Chunks in it.
    #[inline]
    pub(super) fn len(&self) -> u32 {
        self.len as u32 // at most LEN
    }

    /// Takes a chunk in; hands it back if it is another pool's, or if the batch is full and the ring too.
    #[cold]
    #[inline]
    pub(super) fn push(&mut self, instance: &Instance, chunk: Chunk) -> Result<(), Unreturned> {
        if !chunk.is_from(instance.pool) {
            return Err(Unreturned::OtherPool(chunk));
        }
        if self.len == Self::LEN {
            self.hand_over(instance);
            if self.len == Self::LEN {
                return Err(Unreturned::Full(chunk));
            }
        }
        // SAFETY: the memory is this batch's own.
        unsafe { self.slot(self.len).write(chunk.into_entry()) };
        self.len += 1;
        Ok(())
    }

    /// Writes as many entries as the ring has room for, and shows them to the kernel.
    #[inline]
    pub(super) fn hand_over(&mut self, instance: &Instance) {
        if self.len == 0 && !instance.has_orphans() {
            return;
        }
        let mut producer = instance.producer.lock();
        let Some(ring) = producer.as_mut() else {
            return;
        };
        let mut written = 0;
        // SAFETY: entries below len were written; the memory is this batch's own.
        while written < self.len && ring.write(unsafe { self.slot(written).read() }) {
            written += 1;
        }
        instance.return_orphans(ring);
        ring.publish();
        drop(producer);
        for n in written..self.len {
            // SAFETY: as above.
            unsafe { self.slot(n - written).write(self.slot(n).read()) };
        }
        self.len -= written;
    }

    #[inline]
    fn slot(&self, n: usize) -> NonNull<io_uring_zcrx_rqe> {
        let at = self.memory.at(n * size_of::<io_uring_zcrx_rqe>(), 1);
        at.expect("a batch is as long as its memory")
    }
}

#[cfg(all(loom, test))]
mod models;
#[cfg(test)]
mod tests;
