//! What the tasks of a runtime hold: [`Handle`], [`Connection`].

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::shared::{Shared, Stream};
use crate::fd::Fd;
use crate::recv::{Counters, End, Rejected};
use crate::zcrx::OwnedChunk;

#[cfg(doc)]
use super::Driver;

/// Gives sockets to a [`Driver`].
#[derive(Debug)]
pub struct Handle {
    shared: Rc<RefCell<Shared>>,
}

impl Handle {
    pub(super) fn new(shared: &Rc<RefCell<Shared>>) -> Self {
        shared.borrow_mut().add_user();
        Self {
            shared: Rc::clone(shared),
        }
    }

    /// Receives everything that arrives on a connected TCP socket.
    ///
    /// To write to it, or to shut it down, keep a clone of it
    /// ([`TcpStream::try_clone`](std::net::TcpStream::try_clone)).
    ///
    /// # Errors
    ///
    /// [`Rejected`] hands back a descriptor that is no TCP socket, or that comes after the driver's end.
    pub fn add(&self, socket: impl Into<Fd>) -> Result<Connection, Rejected> {
        let stream = self.shared.borrow_mut().add(socket.into())?;
        let connection = Connection {
            handle: self.clone(),
            stream,
        };
        Shared::wake_driver(&self.shared);
        Ok(connection)
    }

    /// What happened so far; `None` after the driver's end.
    pub fn counters(&self) -> Option<Counters> {
        self.shared.borrow().counters()
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        Self::new(&self.shared)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.borrow_mut().remove_user();
        Shared::wake_driver(&self.shared);
    }
}

/// What arrives on one socket, chunk by chunk.
///
/// Chunks that are not taken wait in a queue. While that is full, nothing is received: the bytes stay in the socket, and
/// its peer waits. Dropped, it stops receiving and closes its descriptor of the socket.
#[derive(Debug)]
pub struct Connection {
    handle: Handle,
    stream: Rc<RefCell<Stream>>,
}

impl Connection {
    /// The next chunk; `None` at the end of the stream; or, once and after everything that came before it, what ended
    /// the stream otherwise. If it is dropped before it is ready, nothing is lost.
    pub async fn next(&mut self) -> Option<Result<OwnedChunk, End>> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// As [`next`](Self::next), for who implements a trait with it.
    pub fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<OwnedChunk, End>>> {
        let next = self.stream.borrow_mut().poll_next(context);
        if let Poll::Ready(Some(Ok(_))) = &next {
            if self.handle.shared.borrow_mut().resume(&self.stream) {
                Shared::wake_driver(&self.handle.shared);
            }
        }
        next
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.handle.shared.borrow_mut().remove(&self.stream);
        // The driver is woken by the handle's drop, which follows.
    }
}
