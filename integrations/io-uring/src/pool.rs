//! [`Pool`]: the memory that a ring's requests receive into, and everything about it that is not the ring's.

use std::os::fd::RawFd;

use io_uring::{cqueue, opcode, squeue, types};
use zcrx_sys::recv::{BufferRing, Completion, Operation, Request};
use zcrx_sys::ring::Cqe;
use zcrx_sys::zcrx::{Area, Chunk, Device, Ifq, Unreturned};
use zcrx_sys::Error;

use crate::Ring;

/// The group of provided buffers. A runtime that has others picks another number.
const GROUP: u16 = 0;
const BUFFER: u32 = 64 << 10;

/// A ring, and what its requests receive into: one value, so that no completion is ever looked up in the memory of
/// another ring's pool.
pub struct Pool {
    // The ring is let go before the memory.
    pub(crate) ring: Ring,
    kind: Kind,
    /// Chunks that found the refill ring full.
    backlog: Vec<Chunk>,
}

enum Kind {
    Zcrx { ifq: Ifq, without_device: bool },
    Provided(BufferRing),
}

impl Pool {
    /// The best that can be had: the queue if one is given, no device, provided buffers; and why not a better one.
    ///
    /// # Errors
    ///
    /// That of provided buffers, if not even they can be had.
    pub fn best(ring: Ring, queue: Option<Device>) -> Result<(Self, Vec<Error>), Error> {
        let mut refused = Vec::new();
        for device in queue.into_iter().chain([Device::None]) {
            match zcrx(&ring, device, Area::new(16 << 20)?) {
                Ok(kind) => return Ok((Self::over(ring, kind), refused)),
                Err(error) => refused.push(error),
            }
        }
        Ok((Self::provided(ring)?, refused))
    }

    /// Zero-copy receive from `device`, into `area`. Takes CAP_NET_ADMIN, and kernel 6.15 for a queue or 7.1 for no
    /// device.
    ///
    /// # Errors
    ///
    /// The kernel's refusals, with their causes.
    pub fn zcrx(ring: Ring, device: Device, area: Area) -> Result<Self, Error> {
        let kind = zcrx(&ring, device, area)?;
        Ok(Self::over(ring, kind))
    }

    /// Provided buffers: one copy, no privilege, any kernel.
    ///
    /// # Errors
    ///
    /// The kernel's refusals, with their causes.
    pub fn provided(ring: Ring) -> Result<Self, Error> {
        let area = Area::new(64 * BUFFER as usize)?;
        let buffers = BufferRing::register(ring.as_ring_fd(), GROUP, area, BUFFER)?;
        Ok(Self::over(ring, Kind::Provided(buffers)))
    }

    fn over(ring: Ring, kind: Kind) -> Self {
        Self {
            ring,
            kind,
            backlog: Vec::new(),
        }
    }

    /// Whether it is zero-copy receive.
    pub fn is_zcrx(&self) -> bool {
        matches!(self.kind, Kind::Zcrx { .. })
    }

    /// A request for a new socket: all of its bytes.
    pub fn request(&self) -> Request {
        let operation = match self.kind {
            Kind::Zcrx { .. } => Operation::ZeroCopy,
            Kind::Provided(_) => Operation::Provided,
        };
        Request::new(operation, None)
    }

    /// What is pushed for `request`, by the library's own constructors.
    pub fn entry(&self, socket: RawFd, request: &mut Request) -> squeue::Entry {
        let (socket, len) = (types::Fd(socket), request.arm());
        match &self.kind {
            Kind::Zcrx { ifq, .. } => opcode::RecvZc::new(socket, len).ifq(ifq.zcrx_id()).build(),
            Kind::Provided(buffers) => opcode::RecvMulti::new(socket, buffers.group()).build(),
        }
    }

    /// A completion as [`Request::on_completion`] takes it.
    pub fn completion(&self, entry: &cqueue::Entry32) -> Completion {
        Completion {
            res: entry.result(),
            more: cqueue::more(entry.flags()),
            buffer: match self.kind {
                Kind::Zcrx { .. } => true, // There is room for its place in every wide completion.
                Kind::Provided(_) => cqueue::buffer_select(entry.flags()).is_some(),
            },
        }
    }

    /// The chunk that a completion delivered; `None` if it is not in this pool's memory, which the kernel does not do.
    ///
    /// # Safety
    ///
    /// `entry` is the completion of an [`entry`](Self::entry) of this pool, from its ring, and each completion is taken
    /// once.
    pub unsafe fn take(&self, entry: &cqueue::Entry32) -> Option<Chunk> {
        let (user_data, res, flags) = (entry.user_data(), entry.result(), entry.flags());
        match &self.kind {
            Kind::Zcrx { ifq, .. } => {
                let cqe = Cqe::wide(user_data, res, flags, *entry.big_cqe());
                // SAFETY: as the caller promises.
                unsafe { ifq.take(&cqe) }.ok()
            }
            Kind::Provided(buffers) => {
                let cqe = Cqe::narrow(user_data, res, flags);
                // SAFETY: as the caller promises.
                unsafe { buffers.take(&cqe) }.ok()
            }
        }
    }

    /// The bytes of a chunk of this pool.
    pub fn bytes<'a>(&'a self, chunk: &'a Chunk) -> &'a [u8] {
        match &self.kind {
            Kind::Zcrx { ifq, .. } => ifq.bytes(chunk),
            Kind::Provided(buffers) => buffers.bytes(chunk),
        }
    }

    /// Returns a chunk of this pool. The kernel sees it with the next [`publish`](Self::publish).
    pub fn recycle(&mut self, chunk: Chunk) {
        let returned = match &mut self.kind {
            Kind::Zcrx { ifq, .. } => ifq.recycle(chunk),
            Kind::Provided(buffers) => buffers.push(chunk),
        };
        match returned {
            Ok(()) => {}
            Err(Unreturned::Full(chunk)) => self.backlog.push(chunk),
            Err(other) => panic!("{other}"),
        }
    }

    /// Shows the kernel what was returned, once for a batch, on the thread that owns the ring.
    ///
    /// # Errors
    ///
    /// None on that thread.
    pub fn publish(&mut self) -> Result<(), Error> {
        match &mut self.kind {
            Kind::Provided(buffers) => buffers.publish(),
            Kind::Zcrx {
                ifq,
                without_device,
            } => {
                ifq.publish();
                // Without a device the kernel takes nothing back by itself; with one, when the card asks.
                if (*without_device || !self.backlog.is_empty()) && ifq.unconsumed() > 0 {
                    ifq.flush()?;
                }
                for chunk in std::mem::take(&mut self.backlog) {
                    if let Err(full) = ifq.recycle(chunk) {
                        self.backlog.push(full.into_chunk());
                    }
                }
                ifq.publish();
            }
        }
        Ok(())
    }
}

fn zcrx(ring: &Ring, device: Device, area: Area) -> Result<Kind, Error> {
    Ok(Kind::Zcrx {
        ifq: Ifq::builder(device).register(ring.as_ring_fd(), area)?,
        without_device: device == Device::None,
    })
}
