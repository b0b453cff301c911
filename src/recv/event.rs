//! What a [`Receiver`](super::Receiver) has to tell.

use super::request::End;
use super::table::SocketId;
use crate::fd::Fd;
use crate::zcrx::{Chunk, Notification};

/// Something that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// Bytes arrived: read them with [`Receiver::bytes`](super::Receiver::bytes), then give the chunk to
    /// [`Receiver::recycle`](super::Receiver::recycle).
    Data {
        /// The socket.
        socket: SocketId,
        /// The bytes.
        chunk: Chunk,
    },
    /// A listener accepted a connection: [`Receiver::add`](super::Receiver::add) it to receive from it.
    Accepted {
        /// The listener.
        listener: SocketId,
        /// The new connection.
        connection: Fd,
    },
    /// A socket or listener is done; its id is no longer known.
    Ended {
        /// The socket or listener.
        socket: SocketId,
        /// How it ended. Bytes that came before were delivered before.
        end: End,
        /// Its descriptor, to write to, or to drop and so close it.
        fd: Fd,
    },
    /// Something befell the area of an interface queue (kernel 7.2). Nothing has to be done about it: it is
    /// counted, and asked for again.
    Notified(Notification),
}

/// Why [`Receiver::wait`](super::Receiver::wait) returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a wait can end without an event"]
pub enum Wait {
    /// Look for events; there may be none, when what happened was dealt with inside.
    Ready,
    /// The time was up.
    TimedOut,
    /// A signal arrived.
    Interrupted,
    /// At least one socket waits for buffers: recycle chunks; or a listener for a descriptor: close some. It
    /// is tried again when a chunk has come back, and otherwise every few milliseconds, by a wait.
    Starved,
}

/// What happened so far, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Chunks delivered.
    pub chunks: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Chunks delivered and not recycled yet; [owned](super::Receiver::own) ones are among them until they were
    /// dropped and a wait has found them. Where receivers share an instance and take back each
    /// other's chunks, it is not exact.
    pub outstanding: u64,
    /// Times that a request was paused because the completion queue was full (ENOSPC).
    pub cq_full: u64,
    /// Times that a request was paused because no buffer was free (ENOMEM, ENOBUFS).
    pub pool_dry: u64,
    /// Times that a chunk found the refill ring full.
    pub refill_full: u64,
    /// Times that the kernel was told to take buffers back.
    pub flushes: u64,
    /// Requests that seemed to have stalled in the kernel, with data or a reset in their socket, and were started
    /// again.
    pub stalls: u64,
    /// Notifications that the NIC found no free buffer ([`Notification::AllocFailed`]).
    pub alloc_failures: u64,
    /// Notifications that something was copied ([`Notification::Copied`]). For how much was, see
    /// [`Receiver::copies`](super::Receiver::copies).
    pub copy_notifications: u64,
    /// Areas that were added because buffers ran out.
    pub areas_added: u64,
}
