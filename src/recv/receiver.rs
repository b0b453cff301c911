//! [`Receiver`]: drives the receive requests of many sockets over one pool, and recovers from everything
//! that can be recovered from.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use libc::c_int;

use super::builder::{Fallback, ReceiverBuilder, Source};
use super::pool::Pool;
use super::request::{Completion, End, Next, Pause, Request};
use super::table::{Phase, Role, Socket, SocketId, Table, NOBODY};
use crate::errno::Errno;
use crate::error::{Attempt, Cause, Error, Reason};
use crate::fd::Fd;
use crate::ring::{Cqe, QueueFull, Ring, Sqe, Woken};
use crate::uapi;
use crate::zcrx::{Chunk, Copies, Support, Unreturned};

static RECEIVE_FROM: Attempt = Attempt {
    what: "receive from a socket",
    arguments: &["descriptor"],
};

/// How long a socket waits for buffers, if nobody returns any, before it is tried again.
const DRY_RETRY: Duration = Duration::from_millis(1);

/// What a [`Receiver`] has to tell.
#[derive(Debug)]
pub enum Event {
    /// Bytes arrived: read them with [`Receiver::bytes`], then give the chunk to
    /// [`Receiver::recycle`].
    Data {
        /// The socket.
        socket: SocketId,
        /// The bytes.
        chunk: Chunk,
    },
    /// A listener accepted a connection: [`Receiver::add`] it to receive from it.
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
}

/// Why [`Receiver::wait`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a wait can end without an event"]
pub enum Wait {
    /// Look for events; there may be none, when what happened was dealt with inside.
    Ready,
    /// The time was up.
    TimedOut,
    /// A signal arrived.
    Interrupted,
    /// At least one socket waits for buffers: recycle chunks. It is tried again with the next wait.
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
    /// Chunks delivered and not recycled yet.
    pub outstanding: u64,
    /// Times that a request was paused because the completion queue was full.
    pub cq_full: u64,
    /// Times that a request was paused because no buffer was free.
    pub pool_dry: u64,
    /// Times that a chunk found the refill ring full.
    pub refill_full: u64,
    /// Times that the kernel was told to take buffers back.
    pub flushes: u64,
}

/// Receives from many TCP sockets into one pool of memory.
///
/// Belongs to the thread that built it. The loop is: [`wait`](Self::wait), then
/// [`next_event`](Self::next_event) until there is none, recycling chunks along the way or later.
///
/// A full completion queue, a pool without a free buffer and a full refill ring are dealt with inside:
/// nothing is lost, and the stream of each socket stays in order.
#[derive(Debug)]
pub struct Receiver {
    // The pool goes first: it unregisters its buffers from the ring that is still there.
    pool: Pool,
    ring: Ring,
    source: Source,
    fallbacks: Vec<Fallback>,
    table: Table,
    /// Events that did not come straight from a completion.
    events: VecDeque<Event>,
    /// Sockets to submit at the next wait.
    rearm: Vec<SocketId>,
    /// Sockets to submit once there are buffers.
    dry: Vec<SocketId>,
    /// Whether dry sockets are worth another try: chunks were returned, or the back-off is over.
    retry_dry: bool,
    /// Chunks that found the refill ring full.
    backlog: Vec<Chunk>,
    /// Chunks returned since the kernel was last told to take them back.
    unflushed: u32,
    /// Flush when this many are unflushed.
    flush_at: u32,
    can_flush: bool,
    counters: Counters,
}

impl Receiver {
    /// Options of a new receiver.
    pub fn builder() -> ReceiverBuilder {
        ReceiverBuilder::new()
    }

    pub(super) fn new(
        ring: Ring,
        mut pool: Pool,
        source: Source,
        fallbacks: Vec<Fallback>,
        support: &Support,
    ) -> Self {
        let flush_at = match (&mut pool, source) {
            // Without a device the kernel takes nothing back by itself. Often enough that recently
            // read, cache-warm pages are filled again first; seldom enough to cost next to nothing.
            (Pool::Zcrx(ifq), Source::NoDevice) => {
                let chunks = ifq.area_len() as u64 / u64::from(ifq.chunk_len());
                let chunks = u32::try_from(chunks).unwrap_or(u32::MAX);
                (chunks.min(ifq.refill().entries()) / 2).clamp(1, 256)
            }
            _ => u32::MAX,
        };
        Self {
            pool,
            ring,
            source,
            fallbacks,
            table: Table::default(),
            events: VecDeque::new(),
            rearm: Vec::new(),
            dry: Vec::new(),
            retry_dry: false,
            backlog: Vec::new(),
            unflushed: 0,
            flush_at,
            can_flush: support.has_control(uapi::ZCRX_CTRL_FLUSH_RQ),
            counters: Counters::default(),
        }
    }

    /// The source that is in use.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Better sources that could not be had, and why, best first.
    pub fn fallbacks(&self) -> &[Fallback] {
        &self.fallbacks
    }

    /// The ring under this receiver, to look at.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What the kernel had to copy although a device was to place it; `None` where it does not count.
    pub fn copies(&self) -> Option<Copies> {
        self.pool.copies()
    }

    /// Sockets and listeners at work.
    pub fn sockets(&self) -> usize {
        self.table.len()
    }

    /// Receives everything that arrives on a connected TCP socket.
    ///
    /// # Errors
    ///
    /// [`Rejected`] hands back a descriptor that is no TCP socket.
    pub fn add(&mut self, socket: impl Into<Fd>) -> Result<SocketId, Rejected> {
        self.add_stream(socket.into(), None)
    }

    /// Receives `limit` bytes, at least 1, and not one more: what follows stays in the socket.
    ///
    /// # Errors
    ///
    /// [`Rejected`] hands back a descriptor that is no TCP socket, or whose limit is 0.
    pub fn add_limited(&mut self, socket: impl Into<Fd>, limit: u64) -> Result<SocketId, Rejected> {
        self.add_stream(socket.into(), Some(limit))
    }

    /// Accepts connections on a listening TCP socket.
    ///
    /// # Errors
    ///
    /// [`Rejected`] hands back a descriptor that is no listening TCP socket.
    pub fn listen(&mut self, listener: impl Into<Fd>) -> Result<SocketId, Rejected> {
        let fd = listener.into();
        if !is_tcp(fd.as_raw()) || !option_is(fd.as_raw(), libc::SO_ACCEPTCONN, 1) {
            return Err(Rejected::new(fd, "be a listening TCP socket"));
        }
        Ok(self.insert(fd, Role::Listener))
    }

    fn add_stream(&mut self, fd: Fd, limit: Option<u64>) -> Result<SocketId, Rejected> {
        if !is_tcp(fd.as_raw()) || option_is(fd.as_raw(), libc::SO_ACCEPTCONN, 1) {
            return Err(Rejected::new(fd, "be a connected TCP socket"));
        }
        if limit == Some(0) {
            return Err(Rejected::new(fd, "have a limit above 0"));
        }
        let request = Request::new(self.pool.operation(), limit);
        Ok(self.insert(fd, Role::Stream(request)))
    }

    fn insert(&mut self, fd: Fd, role: Role) -> SocketId {
        let phase = Phase::Paused(Pause::Interrupted);
        let id = self.table.insert(Socket { fd, role, phase });
        self.rearm.push(id);
        id
    }

    /// Stops receiving from a socket, or accepting on a listener. Chunks that were delivered stay valid.
    ///
    /// [`Event::Ended`] follows, once the kernel has let go; data may still come before it. `false` if
    /// the socket is not known, because it has ended.
    pub fn cancel(&mut self, socket: SocketId) -> bool {
        match self.table.get(socket).map(|socket| socket.phase) {
            Some(Phase::Active) => {
                self.push(Sqe::cancel(socket.user_data()).user_data(NOBODY));
                true
            }
            Some(Phase::Paused(_)) => {
                self.end(socket, End::Cancelled);
                true
            }
            Some(Phase::Abandoned) | None => false,
        }
    }

    /// The descriptor of a socket at work, to write to it for instance.
    pub fn descriptor(&self, socket: SocketId) -> Option<c_int> {
        self.table.get(socket).map(|socket| socket.fd.as_raw())
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
    #[inline]
    pub fn recycle(&mut self, chunk: Chunk) -> Result<(), Unreturned> {
        match self.pool.push(chunk) {
            Ok(()) => {}
            Err(Unreturned::Full(chunk)) => self.make_room_for(chunk),
            Err(other) => return Err(other),
        }
        self.counters.outstanding -= 1;
        self.unflushed += 1;
        self.retry_dry = true;
        Ok(())
    }

    #[cold]
    fn make_room_for(&mut self, chunk: Chunk) {
        self.counters.refill_full += 1;
        self.pool.publish();
        self.flush();
        if let Err(full) = self.pool.push(chunk) {
            // The kernel has not got round to it. The chunk is returned with a later wait.
            self.backlog.push(full.into_chunk());
        }
    }

    /// Has the kernel take back what was published, where it can be told to. An error changes nothing:
    /// it goes on taking buffers as the device asks for them.
    fn flush(&mut self) {
        if self.can_flush && self.pool.unconsumed() > 0 {
            self.counters.flushes += 1;
            self.can_flush = self.pool.flush().is_ok();
        }
        self.unflushed = 0;
    }

    /// Shows the kernel all recycled chunks.
    fn give_back(&mut self) {
        if !self.backlog.is_empty() {
            for chunk in core::mem::take(&mut self.backlog) {
                match self.pool.push(chunk) {
                    Ok(()) => {}
                    Err(full) => self.backlog.push(full.into_chunk()),
                }
            }
        }
        self.pool.publish();
        let wanted = !self.dry.is_empty() || !self.backlog.is_empty();
        if self.unflushed >= self.flush_at || (wanted && self.unflushed > 0) {
            self.flush();
        }
    }

    /// Returns recycled chunks, submits what is to be submitted, and waits for something to happen, at
    /// most for `timeout` if there is one.
    ///
    /// # Errors
    ///
    /// The kernel's, when it cannot be entered; none is expected on the thread that built the receiver.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Wait, Error> {
        self.give_back();
        if !self.events.is_empty() || self.refresh() {
            return Ok(Wait::Ready);
        }
        // The queue is drained and its head published: the right moment to let in what waits in the
        // kernel, and to submit again what was refused meanwhile. Not the other way round: as long as
        // one completion waits, the kernel posts no other.
        if self.ring.has_overflow() {
            self.ring.flush_overflow()?;
            if self.refresh() {
                return Ok(Wait::Ready);
            }
        }
        self.submit_paused();
        let starved = !self.dry.is_empty();
        let timeout = match timeout {
            Some(timeout) if starved => Some(timeout.min(DRY_RETRY)),
            None if starved => Some(DRY_RETRY),
            other => other,
        };
        let woken = match timeout {
            Some(timeout) => self.ring.submit_and_wait_for(1, timeout)?,
            None => self.ring.submit_and_wait(1)?,
        };
        Ok(match woken {
            Woken::Interrupted => Wait::Interrupted,
            Woken::TimedOut if starved => {
                self.retry_dry = true;
                Wait::Starved
            }
            Woken::TimedOut => Wait::TimedOut,
            Woken::Returned => Wait::Ready,
        })
    }

    /// Gives read completions back and looks for new ones; whether there are any.
    fn refresh(&mut self) -> bool {
        let queue = self.ring.completion_queue();
        queue.publish();
        queue.refresh() > 0
    }

    /// The next event among the completions that are there; `None` when all were dealt with.
    #[inline]
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            let Some(entry) = self.ring.completion_queue().next_entry() else {
                // All read: one store gives the slots of the whole drain back.
                if self.refresh() {
                    continue;
                }
                return None;
            };
            match entry {
                Ok(cqe) => {
                    if let Some(event) = self.on_completion(&cqe) {
                        return Some(event);
                    }
                }
                // The kernel posts none. Should it ever, the stream it belongs to has a hole: that one
                // ends, as far as the entry's user_data can be believed.
                Err(malformed) => {
                    let id = SocketId::from_user_data(malformed.user_data);
                    self.after(id, Next::Ended(End::Malformed), true);
                }
            }
        }
    }

    #[inline]
    fn on_completion(&mut self, cqe: &Cqe) -> Option<Event> {
        let id = SocketId::from_user_data(cqe.user_data());
        let socket = self.table.get_mut(id)?;
        let abandoned = socket.phase == Phase::Abandoned;
        let request = match &mut socket.role {
            Role::Stream(request) => request,
            Role::Listener => return self.on_accept(id, cqe),
        };
        let outcome = request.on_completion(Completion {
            res: cqe.res(),
            more: cqe.more(),
            buffer: self.pool.is_carried_by(cqe),
        });
        let mut event = None;
        if outcome.buffer.is_some() {
            // SAFETY: the completion is that of a receive request which this receiver submitted, for
            // its own pool on its own ring (user_data names it); each is read once, here.
            match unsafe { self.pool.take(cqe) } {
                Ok(chunk) if chunk.len() == 0 || abandoned => self.return_unread(chunk),
                Ok(chunk) => {
                    self.counters.chunks += 1;
                    self.counters.bytes += u64::from(chunk.len());
                    self.counters.outstanding += 1;
                    event = Some(Event::Data { socket: id, chunk });
                }
                Err(_) => {
                    self.after(id, Next::Ended(End::Malformed), cqe.more());
                    return None;
                }
            }
        }
        if outcome.next != Next::Active || abandoned {
            self.after(id, outcome.next, cqe.more());
        }
        event
    }

    fn return_unread(&mut self, chunk: Chunk) {
        self.counters.outstanding += 1;
        self.recycle(chunk).expect("the pool takes its own chunk");
    }

    /// What follows a completion that was not simply data.
    #[cold]
    fn after(&mut self, id: SocketId, next: Next, more: bool) {
        let Some(socket) = self.table.get_mut(id) else {
            return;
        };
        if socket.phase == Phase::Abandoned {
            if !more {
                self.table.remove(id);
            }
            return;
        }
        match next {
            Next::Active => {}
            Next::Rearm(pause) => {
                socket.phase = Phase::Paused(pause);
                match pause {
                    Pause::CqFull => self.counters.cq_full += 1,
                    Pause::PoolDry => self.counters.pool_dry += 1,
                    Pause::Interrupted => {}
                }
                let list = if pause == Pause::PoolDry {
                    &mut self.dry
                } else {
                    &mut self.rearm
                };
                list.push(id);
            }
            Next::Ended(end) if more => self.abandon(id, end),
            Next::Ended(end) => self.end(id, end),
        }
    }

    fn end(&mut self, id: SocketId, end: End) {
        if let Some(Socket { fd, .. }) = self.table.remove(id) {
            self.events.push_back(Event::Ended {
                socket: id,
                end,
                fd,
            });
        }
    }

    /// Ends a stream whose request is still in the kernel: it is cancelled, and what it still delivers is
    /// returned unread. The descriptor that the event carries is a second one for the same socket.
    fn abandon(&mut self, id: SocketId, end: End) {
        let Some(socket) = self.table.get_mut(id) else {
            return;
        };
        socket.phase = Phase::Abandoned;
        let second = Fd::duplicate(socket.fd.as_raw());
        self.push(Sqe::cancel(id.user_data()).user_data(NOBODY));
        match second {
            Ok(fd) => self.events.push_back(Event::Ended {
                socket: id,
                end,
                fd,
            }),
            // No descriptor is left: the caller gets the socket's own, and the kernel keeps the file.
            Err(_) => self.end(id, end),
        }
    }

    fn on_accept(&mut self, id: SocketId, cqe: &Cqe) -> Option<Event> {
        let next = match cqe.result() {
            Ok(fd) => {
                // SAFETY: an accept completion gives a new descriptor that belongs to whoever reads it,
                // and each completion is read once.
                let connection = unsafe { Fd::from_raw(fd as c_int) };
                if !cqe.more() {
                    self.after(id, Next::Rearm(Pause::Interrupted), false);
                }
                return Some(Event::Accepted {
                    listener: id,
                    connection,
                });
            }
            Err(Errno::CANCELED) => Next::Ended(End::Cancelled),
            Err(Errno::INTR | Errno::AGAIN | Errno::CONNABORTED) => Next::Rearm(Pause::Interrupted),
            Err(errno) => Next::Ended(End::Failed(errno)),
        };
        if !cqe.more() {
            self.after(id, next, false);
        }
        None
    }

    /// Submits what is paused and may go on.
    fn submit_paused(&mut self) {
        let mut due = core::mem::take(&mut self.rearm);
        if self.retry_dry {
            due.append(&mut self.dry);
            self.retry_dry = false;
        }
        for id in due.drain(..) {
            let Some(socket) = self.table.get_mut(id) else {
                continue;
            };
            if !matches!(socket.phase, Phase::Paused(_)) {
                continue;
            }
            socket.phase = Phase::Active;
            let fd = socket.fd.as_raw();
            let sqe = match &mut socket.role {
                Role::Stream(request) => self.pool.arm(fd, request),
                Role::Listener => Sqe::accept_multishot(fd),
            };
            self.push(sqe.user_data(id.user_data()));
        }
        // Keeps the allocation for the next round.
        self.rearm = due;
    }

    /// Pushes a submission, making room first if there is none.
    fn push(&mut self, sqe: Sqe) {
        let mut sqe = sqe;
        while let Err(QueueFull(back)) = self.ring.submissions().push(sqe) {
            sqe = back;
            // The kernel takes all it is given unless it has no memory; then it will have some again.
            let _ = self.ring.submit();
        }
    }
}

impl Drop for Receiver {
    /// Connections that were accepted and never looked at are closed.
    fn drop(&mut self) {
        while self.next_event().is_some() {}
    }
}

/// A socket that the receiver does not take, handed back with the reason.
#[derive(Debug)]
pub struct Rejected {
    /// The descriptor.
    pub fd: Fd,
    /// Why.
    pub error: Error,
}

impl Rejected {
    fn new(fd: Fd, must: &'static str) -> Self {
        let reason = Reason::Argument {
            name: "descriptor",
            must,
        };
        let causes = &[Cause {
            cause: "received bytes come from plain TCP sockets only",
            remedy: "pass the descriptor of one",
        }];
        let error = Error::new(&RECEIVE_FROM, [fd.as_raw() as u64], reason, causes);
        Self { fd, error }
    }
}

impl core::fmt::Display for Rejected {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.error.fmt(f)
    }
}

impl core::error::Error for Rejected {}

fn is_tcp(fd: c_int) -> bool {
    option_is(fd, libc::SO_TYPE, libc::SOCK_STREAM)
        && option_is(fd, libc::SO_PROTOCOL, libc::IPPROTO_TCP)
}

/// Whether socket option `name` of level SOL_SOCKET has `value`.
fn option_is(fd: c_int, name: c_int, value: c_int) -> bool {
    let mut found: c_int = -1;
    let mut len = size_of::<c_int>() as libc::socklen_t;
    let at = core::ptr::from_mut(&mut found).cast();
    // SAFETY: found and len are live, exclusively borrowed locals, and len says how long found is. A
    // descriptor that is no socket gives an error.
    let rc = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, name, at, &mut len) };
    rc == 0 && found == value
}
