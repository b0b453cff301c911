//! How sockets and listeners come to a [`Receiver`] and leave it.

use libc::c_int;

use super::receiver::Receiver;
use super::request::{End, Pause, Request};
use super::socket::{is_listening, is_tcp, Rejected};
use super::table::{Phase, Role, Socket, SocketId};
use crate::fd::Fd;

#[cfg(doc)]
use super::event::Event;

impl Receiver {
    /// Sockets and listeners at work.
    #[inline]
    pub fn sockets(&self) -> usize {
        self.table.len()
    }

    /// Receives everything that arrives on a connected TCP socket.
    ///
    /// # Errors
    ///
    /// [`Rejected`] hands back a descriptor that is no TCP socket.
    #[inline]
    pub fn add(&mut self, socket: impl Into<Fd>) -> Result<SocketId, Rejected> {
        self.add_stream(socket.into(), None)
    }

    /// Receives `limit` bytes, at least 1, and not one more: what follows stays in the socket.
    ///
    /// # Errors
    ///
    /// [`Rejected`] hands back a descriptor that is no TCP socket, or whose limit is 0.
    ///
    /// ```
    /// # use std::io::Write;
    /// # use std::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let mut peer = TcpStream::connect(listener.local_addr()?)?;
    /// # let (connection, _) = listener.accept()?;
    /// use zcrx_sys::recv::{End, Event, Receiver};
    ///
    /// peer.write_all(b"head and body")?;
    /// let mut receiver = Receiver::builder().build()?;
    /// receiver.add_limited(connection, 4)?;
    /// let mut head = Vec::new();
    /// let connection = 'receiving: loop {
    ///     let _ = receiver.wait(None)?;
    ///     while let Some(event) = receiver.next_event() {
    ///         match event {
    ///             Event::Data { chunk, .. } => {
    ///                 head.extend_from_slice(receiver.bytes(&chunk));
    ///                 receiver.recycle(chunk)?;
    ///             }
    ///             Event::Ended { end, fd, .. } => {
    ///                 assert_eq!(end, End::LimitReached);
    ///                 break 'receiving fd; // the body is still in it
    ///             }
    ///             _ => {}
    ///         }
    ///     }
    /// };
    /// assert_eq!(head, b"head");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn add_limited(&mut self, socket: impl Into<Fd>, limit: u64) -> Result<SocketId, Rejected> {
        self.add_stream(socket.into(), Some(limit))
    }

    /// Accepts connections on a listening TCP socket.
    ///
    /// # Errors
    ///
    /// [`Rejected`] hands back a descriptor that is no listening TCP socket.
    #[inline]
    pub fn listen(&mut self, listener: impl Into<Fd>) -> Result<SocketId, Rejected> {
        let fd = listener.into();
        if !is_tcp(fd.as_raw()) || !is_listening(fd.as_raw()) {
            return Err(Rejected::new(fd, "be a listening TCP socket"));
        }
        Ok(self.insert(fd, Role::Listener))
    }

    #[inline]
    fn add_stream(&mut self, fd: Fd, limit: Option<u64>) -> Result<SocketId, Rejected> {
        if !is_tcp(fd.as_raw()) || is_listening(fd.as_raw()) {
            return Err(Rejected::new(fd, "be a connected TCP socket"));
        }
        if limit == Some(0) {
            return Err(Rejected::new(fd, "have a limit above 0"));
        }
        Ok(self.insert_stream(fd, limit))
    }

    /// Adds what is known to be a connected TCP socket.
    #[inline]
    pub(super) fn insert_stream(&mut self, fd: Fd, limit: Option<u64>) -> SocketId {
        let request = Request::new(self.pool.operation(), limit);
        self.insert(fd, Role::Stream(request))
    }

    #[inline]
    fn insert(&mut self, fd: Fd, role: Role) -> SocketId {
        let phase = Phase::Paused(Pause::Interrupted);
        let id = self.table.insert(Socket {
            fd,
            role,
            phase,
            looked_at: 0,
        });
        self.rearm.push(id);
        id
    }

    /// Stops receiving from a socket, or accepting on a listener. Chunks that were delivered stay valid.
    ///
    /// [`Event::Ended`] follows, once the kernel has let go; data may still come before it. `false` if
    /// the socket is not known, because it has ended.
    #[inline]
    pub fn cancel(&mut self, socket: SocketId) -> bool {
        let Some(Socket { phase, .. }) = self.table.get_mut(socket) else {
            return false;
        };
        match *phase {
            Phase::Active | Phase::Restarting => {
                *phase = Phase::Cancelling;
                self.cancel.push(socket);
            }
            Phase::Paused(_) => {
                self.dry.retain(|&dry| dry != socket);
                self.end(socket, End::Cancelled);
            }
            Phase::Cancelling | Phase::Ending(_) => {}
        }
        true
    }

    /// The descriptor of a socket at work, to write to it for instance.
    #[inline]
    pub fn descriptor(&self, socket: SocketId) -> Option<c_int> {
        self.table.get(socket).map(|socket| socket.fd.as_raw())
    }
}
