//! [`Server`]: accepts connections and receives from them, all on one ring.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::time::Duration;

use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{cqueue, opcode, squeue};
use zcrx_sys::recv::{End, Next, Pause, Request};

use crate::Pool;

/// The `user_data` of the listener and of cancellations; that of a stream is its number.
const LISTENER: u64 = u64::MAX;
const CANCELLATION: u64 = u64::MAX - 1;
/// How long nothing has to come before requests are looked for that have stalled in the kernel.
const STALL_CHECK: Duration = Duration::from_millis(100);
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
    /// Whether its request was cancelled, to be submitted again.
    restarting: bool,
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
            if self.wait(!due.dry.is_empty())? {
                self.restart_stalled()?;
            }
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

    /// Submits, and waits for a completion; not for long if a stream waits for buffers. Whether none has come for long.
    fn wait(&self, dry: bool) -> io::Result<bool> {
        let limit = Timespec::from(if dry { DRY_RETRY } else { STALL_CHECK });
        let submitter = self.pool.ring.inner.submitter();
        match submitter.submit_with_args(1, &SubmitArgs::new().timespec(&limit)) {
            Ok(_) => Ok(false),
            Err(error) => match error.raw_os_error() {
                Some(libc::ETIME) => Ok(!dry),
                Some(libc::EINTR) => Ok(false),
                _ => Err(error),
            },
        }
    }

    /// Cancels requests whose sockets have something to tell that no completion tells: before kernel 7.3, one that ran
    /// out of buffers or of room in the queue half-way stays behind; and so far, one whose peer resets the connection.
    fn restart_stalled(&mut self) -> io::Result<()> {
        for index in 0..self.streams.len() {
            let Some(stream) = &mut self.streams[index] else {
                continue;
            };
            if !stream.restarting && is_readable(&stream.socket) {
                stream.restarting = true;
                let cancellation = opcode::AsyncCancel::new(index as u64).build();
                self.push(cancellation.user_data(CANCELLATION))?;
            }
        }
        Ok(())
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
                CANCELLATION => {}
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
            restarting: false,
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
            Next::Ended(End::Cancelled) if stream.restarting => due.now.push(index),
            Next::Ended(end) => {
                let (peer, bytes) = (stream.peer, stream.request.received());
                self.ended.push(Ended { peer, bytes, end });
                self.streams[index] = None; // Its number may be given to another: no completion of it comes any more.
            }
        }
    }

    fn arm(&mut self, index: usize) -> io::Result<()> {
        let stream = self.streams[index].as_mut().expect("it was just there");
        stream.restarting = false;
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

/// Whether there are bytes, an end, or an error to be read.
fn is_readable(socket: &TcpStream) -> bool {
    let mut poll = libc::pollfd {
        fd: socket.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one entry, exclusively borrowed during the call, which does not wait.
    unsafe { libc::poll(&mut poll, 1, 0) == 1 }
}
