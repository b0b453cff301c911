//! What happens to one socket's receive request: the state machine that every user of zero-copy receive
//! needs. Pure: it is told what a completion said, and answers what happened and what comes next.

use crate::errno::Errno;

/// Which operation a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// RECV_ZC: data completions always have `F_MORE`, terminal ones never carry a buffer.
    ZeroCopy,
    /// Multishot RECV into provided buffers: also the last completion may carry a buffer.
    Provided,
}

/// What one completion said, as far as a request is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// `res`: bytes received, 0, or a negative error number.
    pub res: i32,
    /// `F_MORE`: the request goes on.
    pub more: bool,
    /// Whether the completion carries a buffer (32-byte entry, or `F_BUFFER`).
    pub buffer: bool,
}

/// What a completion means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a buffer that is not taken is lost"]
pub struct Outcome {
    /// The completion carries a buffer with this many bytes of data. With 0 the buffer was used up for
    /// nothing and has to be returned unread.
    pub buffer: Option<u32>,
    /// What comes next.
    pub next: Next,
}

/// What a request does after a completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It stays active in the kernel.
    Active,
    /// It left the kernel and is to be submitted again, after what the reason asks for.
    Rearm(Pause),
    /// It is over.
    Ended(End),
}

/// Why a request left the kernel although the stream goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// The completion queue was full (ENOSPC). In this order: drain it, publish its head, flush the
    /// overflow, submit again. While one completion waits in the kernel, all new ones are refused.
    CqFull,
    /// No buffer was free (ENOMEM, ENOBUFS): return chunks and flush, then submit again.
    PoolDry,
    /// The request came to its own end, or a signal ended it: submit again at once.
    Interrupted,
}

/// How a socket's stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The peer closed its side; every byte was delivered.
    Eof,
    /// The limit that the caller set was reached, by this side's own count.
    LimitReached,
    /// The packet at hand lies in the memory of another pool: its flow was steered to a queue other than
    /// the one registered here (EFAULT). Receive it there, or mend the flow rule.
    ForeignBuffer,
    /// The NIC did not place the packet at hand into the area, and the kernel cannot copy it there: the area is a
    /// dmabuf (ENOMEM). Mend the flow rule or the header split, or receive into memory.
    NotPlaced,
    /// Not a plain TCP socket: UDP, kTLS, MPTCP, or in a sockmap (EPROTONOSUPPORT).
    NotPlainTcp,
    /// Cancelled by the caller.
    Cancelled,
    /// The socket failed, ECONNRESET for instance.
    Failed(Errno),
    /// The kernel completed the request in a way that its interface does not have.
    Malformed,
}

/// One socket's receive request.
///
/// ```
/// use zcrx_sys::recv::{Completion, End, Next, Operation, Request};
/// let mut request = Request::new(Operation::ZeroCopy, None);
/// let data = request.on_completion(Completion { res: 4096, more: true, buffer: true });
/// assert_eq!((data.buffer, data.next), (Some(4096), Next::Active));
/// let last = request.on_completion(Completion { res: 0, more: false, buffer: false });
/// assert_eq!((last.buffer, last.next), (None, Next::Ended(End::Eof)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    operation: Operation,
    /// Bytes that the caller still wants; `None` for all there are.
    wanted: Option<u64>,
    /// Bytes that the submitted request may still deliver before it ends by itself; `None` if it has
    /// no such limit.
    armed: Option<u32>,
    received: u64,
}

impl Request {
    /// A request that was not submitted yet, for all bytes or for at most `limit`.
    pub const fn new(operation: Operation, limit: Option<u64>) -> Self {
        Self {
            operation,
            wanted: limit,
            armed: None,
            received: 0,
        }
    }

    /// Bytes delivered so far.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Whether the caller set a limit.
    #[inline]
    pub const fn is_limited(&self) -> bool {
        self.wanted.is_some()
    }

    /// What [`on_completion`](Self::on_completion) does where there is nothing to decide: `len` bytes came, the
    /// request has no limit, and goes on.
    #[cfg(feature = "alloc")] // as the receiver
    #[inline]
    pub(super) fn on_bytes(&mut self, len: u32) {
        self.received = self.received.saturating_add(u64::from(len));
    }

    /// The length to submit the request with: what is left of the limit, 0 for none. The kernel counts
    /// in 32 bits, so a longer limit takes several submissions.
    pub fn arm(&mut self) -> u32 {
        self.armed = self
            .wanted
            .map(|left| u32::try_from(left).unwrap_or(u32::MAX));
        self.armed.unwrap_or(0)
    }

    /// Takes in one completion of the submitted request.
    pub fn on_completion(&mut self, completion: Completion) -> Outcome {
        let Completion { res, more, buffer } = completion;
        let errno = Errno::from_result(res);
        let len = if errno.is_some() { 0 } else { res as u32 };
        let zero_copy = self.operation == Operation::ZeroCopy;
        let reachable = buffer && (more || !zero_copy);
        if len > 0 && !reachable {
            // Data that cannot be reached. Going on would leave a hole in the stream.
            return Outcome {
                buffer: None,
                next: Next::Ended(End::Malformed),
            };
        }
        let counted = self.count(len);
        let carries = if zero_copy { len > 0 } else { buffer };
        let next = match (counted, more) {
            (false, _) => Next::Ended(End::Malformed),
            (true, true) => Next::Active,
            (true, false) => self.after_terminal(errno, len),
        };
        Outcome {
            buffer: carries.then_some(len),
            next,
        }
    }

    /// Takes `len` received bytes off the limits. `false` if they exceed what was asked for.
    fn count(&mut self, len: u32) -> bool {
        self.received = self.received.saturating_add(u64::from(len));
        let fits = self.wanted.map_or(true, |wanted| u64::from(len) <= wanted);
        self.wanted = self
            .wanted
            .map(|wanted| wanted.saturating_sub(u64::from(len)));
        self.armed = self.armed.map(|armed| armed.saturating_sub(len));
        fits
    }

    fn after_terminal(&self, errno: Option<Errno>, len: u32) -> Next {
        // Before anything else: a request for 0 more bytes would be a request for all bytes.
        if self.wanted == Some(0) {
            return Next::Ended(End::LimitReached);
        }
        match errno {
            // More than the kernel can count was wanted, and this part of it is here.
            None if self.armed == Some(0) => Next::Rearm(Pause::Interrupted),
            None if len == 0 => Next::Ended(End::Eof),
            None => Next::Rearm(Pause::Interrupted),
            Some(Errno::NOSPC) => Next::Rearm(Pause::CqFull),
            Some(Errno::NOMEM | Errno::NOBUFS) => Next::Rearm(Pause::PoolDry),
            Some(Errno::INTR | Errno::AGAIN) => Next::Rearm(Pause::Interrupted),
            Some(Errno::FAULT) => Next::Ended(End::ForeignBuffer),
            Some(Errno::PROTONOSUPPORT) => Next::Ended(End::NotPlainTcp),
            Some(Errno::CANCELED) => Next::Ended(End::Cancelled),
            Some(errno) => Next::Ended(End::Failed(errno)),
        }
    }
}

impl core::fmt::Display for End {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Eof => f.write_str("end of stream"),
            Self::LimitReached => f.write_str("limit reached"),
            Self::ForeignBuffer => f.write_str(
                "its packets lie in another pool's memory: the flow was steered to another queue",
            ),
            Self::NotPlaced => f.write_str(
                "the NIC did not place its packets into the dmabuf, and the kernel cannot copy there",
            ),
            Self::NotPlainTcp => f.write_str("not a plain TCP socket"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Failed(errno) => errno.fmt(f),
            Self::Malformed => {
                f.write_str("a completion that the kernel's interface does not have")
            }
        }
    }
}

impl core::error::Error for End {}

/// The socket's own error, or one that has the end in it (`get_ref`).
#[cfg(feature = "std")]
impl From<End> for std::io::Error {
    fn from(end: End) -> Self {
        use std::io::ErrorKind;
        let kind = match end {
            End::Failed(errno) => return errno.into(),
            End::Eof => ErrorKind::UnexpectedEof,
            End::Cancelled => ErrorKind::ConnectionAborted,
            End::Malformed => ErrorKind::InvalidData,
            End::LimitReached | End::ForeignBuffer | End::NotPlaced | End::NotPlainTcp => {
                ErrorKind::Other
            }
        };
        Self::new(kind, end)
    }
}

#[cfg(test)]
mod tests;
