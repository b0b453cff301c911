//! [`Server`]: accepts connections and receives from them, all on one ring.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::time::Duration;

use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{cqueue, opcode, squeue};
use zcrx_sys::recv::{End, Next, Pause, Request};

use crate::Pool;

/// The listener's `user_data`; that of a stream is its number.
const LISTENER: u64 = u64::MAX;
/// How long a stream waits for buffers before it is tried again.
const DRY_RETRY: Duration = Duration::from_millis(1);

/// A connection that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The peer's port.
    pub peer: u16,
    /// Bytes received.
    pub bytes: u64,
    /// How it ended.
    pub end: End,
}

#[derive(Debug)]
struct Stream {
    socket: TcpStream,
    peer: u16,
    request: Request,
}

/// What the completions of one drain leave to be done.
#[derive(Default)]
struct Due {
    /// To be submitted again, now.
    now: Vec<usize>,
    /// The same, once there are buffers.
    dry: Vec<usize>,
    /// Whether completions wait in the kernel for room in the queue.
    overflow: bool,
    /// Connections that are still to be accepted, one at a time.
    accept: usize,
}

/// A pool, and the connections that are received from.
pub struct Server {
    pool: Pool,
    streams: Vec<Option<Stream>>,
    ended: Vec<Ended>,
    /// Empty but while it is drained into.
    batch: Vec<cqueue::Entry32>,
}

impl Server {
    /// Over a pool of which nothing else was asked.
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            streams: Vec::new(),
            ended: Vec::new(),
            batch: Vec::new(),
        }
    }

    /// Receives from `connections` connections to their ends, which it answers. Each piece goes to `look`, with the
    /// peer's port and how many bytes came before.
    ///
    /// # Errors
    ///
    /// The kernel's, when the ring cannot be entered or the listener fails.
    pub fn serve(
        mut self,
        listener: &TcpListener,
        connections: usize,
        mut look: impl FnMut(u16, u64, &[u8]),
    ) -> io::Result<Vec<Ended>> {
        let mut due = Due {
            accept: connections,
            ..Due::default()
        };
        self.accept_one(listener, &mut due)?;
        while self.ended.len() < connections {
            for index in std::mem::take(&mut due.now) {
                self.arm(index)?;
            }
            self.wait(!due.dry.is_empty())?;
            self.drain(listener, &mut due, &mut look)?;
            self.pool.publish()?;
            if std::mem::take(&mut due.overflow) {
                // Before anything is submitted again: as long as one completion waits in the kernel, all new ones of
                // zero-copy receive are refused. The queue was just drained, and this lets in what waits.
                self.pool.ring.inner.submit()?;
            }
            due.now.append(&mut due.dry);
        }
        Ok(self.ended)
    }

    /// Submits, and waits for a completion; not for long if a stream waits for buffers.
    fn wait(&self, dry: bool) -> io::Result<()> {
        let submitter = self.pool.ring.inner.submitter();
        let retry = Timespec::from(DRY_RETRY);
        let waited = match dry {
            true => submitter.submit_with_args(1, &SubmitArgs::new().timespec(&retry)),
            false => submitter.submit_and_wait(1),
        };
        match waited {
            Err(error) if !matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR)) => {
                Err(error)
            }
            _ => Ok(()),
        }
    }

    fn drain(
        &mut self,
        listener: &TcpListener,
        due: &mut Due,
        look: &mut impl FnMut(u16, u64, &[u8]),
    ) -> io::Result<()> {
        // All at once: the queue's head moves when this is done.
        let mut batch = std::mem::take(&mut self.batch);
        batch.extend(self.pool.ring.inner.completion());
        for entry in batch.drain(..) {
            match entry.user_data() {
                LISTENER => {
                    self.accepted(&entry, due)?;
                    self.accept_one(listener, due)?;
                }
                index => self.receive(&entry, index as usize, due, look),
            }
        }
        self.batch = batch;
        Ok(())
    }

    fn accept_one(&mut self, listener: &TcpListener, due: &mut Due) -> io::Result<()> {
        let Some(left) = due.accept.checked_sub(1) else {
            return Ok(());
        };
        due.accept = left;
        let no_address = (std::ptr::null_mut(), std::ptr::null_mut());
        let listener = Fd(listener.as_raw_fd());
        let entry = opcode::Accept::new(listener, no_address.0, no_address.1).build();
        self.push(entry.user_data(LISTENER))
    }

    fn accepted(&mut self, entry: &cqueue::Entry32, due: &mut Due) -> io::Result<()> {
        if entry.result() < 0 {
            return Err(io::Error::from_raw_os_error(-entry.result()));
        }
        // SAFETY: the descriptor is new, and nobody else's.
        let socket = unsafe { TcpStream::from_raw_fd(entry.result()) };
        let Ok(peer) = socket.peer_addr() else {
            due.accept += 1;
            return Ok(()); // Reset before it was looked at: it does not count.
        };
        let stream = Stream {
            socket,
            peer: peer.port(),
            request: self.pool.request(),
        };
        let free = self.streams.iter().position(Option::is_none);
        let index = free.unwrap_or(self.streams.len());
        match free {
            Some(index) => self.streams[index] = Some(stream),
            None => self.streams.push(Some(stream)),
        }
        due.now.push(index);
        Ok(())
    }

    fn receive(
        &mut self,
        entry: &cqueue::Entry32,
        index: usize,
        due: &mut Due,
        look: &mut impl FnMut(u16, u64, &[u8]),
    ) {
        let Some(Some(stream)) = self.streams.get_mut(index) else {
            return; // The kernel completes nothing that was not asked for.
        };
        let position = stream.request.received();
        let outcome = stream.request.on_completion(self.pool.completion(entry));
        if outcome.buffer.is_some() {
            // SAFETY: by its number, the completion is that of a stream, whose requests are this pool's; and each is taken
            // here, as it comes out of the queue.
            match unsafe { self.pool.take(entry) } {
                Some(chunk) => {
                    look(stream.peer, position, self.pool.bytes(&chunk));
                    self.pool.recycle(chunk);
                }
                None => debug_assert!(false, "bytes that are nowhere"),
            }
        }
        match outcome.next {
            Next::Active => {}
            Next::Rearm(pause) => {
                due.overflow |= pause == Pause::CqFull;
                match pause {
                    Pause::PoolDry => due.dry.push(index),
                    _ => due.now.push(index),
                }
            }
            Next::Ended(end) => {
                let (peer, bytes) = (stream.peer, stream.request.received());
                self.ended.push(Ended { peer, bytes, end });
                self.streams[index] = None; // Its number may be given to another: no completion of it comes any more.
            }
        }
    }

    fn arm(&mut self, index: usize) -> io::Result<()> {
        let stream = self.streams[index].as_mut().expect("it was just there");
        let entry = self
            .pool
            .entry(stream.socket.as_raw_fd(), &mut stream.request);
        self.push(entry.user_data(index as u64))
    }

    fn push(&mut self, entry: squeue::Entry) -> io::Result<()> {
        // SAFETY: what is pushed names no memory, and its socket is kept until its last completion.
        while unsafe { self.pool.ring.inner.submission().push(&entry) }.is_err() {
            self.pool.ring.inner.submit()?;
        }
        Ok(())
    }
}
