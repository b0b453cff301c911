//! Hands connections to the thread of a receiver, which may sleep.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::sync::Arc;
use std::time::Duration;

use zcrx_sys::recv::{Receiver, Wait};

/// How long nothing has to be looked at: a signal, say, or a request that has stalled.
const NAP: Duration = Duration::from_millis(100);
/// The same, while sockets wait for buffers.
const DRY_NAP: Duration = Duration::from_millis(1);

/// Where a thread finds the connections that others have for it.
pub struct Inbox {
    connections: mpsc::Receiver<TcpStream>,
    bell: UnixStream,
}

/// An inbox as other threads know it.
#[derive(Clone)]
pub struct Address {
    connections: mpsc::Sender<TcpStream>,
    bell: Arc<UnixStream>,
}

pub fn inbox() -> io::Result<(Address, Inbox)> {
    let (to, from) = mpsc::channel();
    let (rope, bell) = UnixStream::pair()?;
    rope.set_nonblocking(true)?;
    bell.set_nonblocking(true)?;
    let address = Address {
        connections: to,
        bell: Arc::new(rope),
    };
    let inbox = Inbox {
        connections: from,
        bell,
    };
    Ok((address, inbox))
}

impl Address {
    /// Has the inbox's thread receive from a connection. If that thread is gone, the connection is closed.
    pub fn hand(&self, connection: TcpStream) {
        let _ = self.connections.send(connection);
        self.ring();
    }

    /// Wakes the thread.
    pub fn ring(&self) {
        let _ = (&*self.bell).write(&[1]); // No room for more rings: there are some that it has not heard.
    }
}

impl Inbox {
    /// Waits, not for long, until the receiver has events, the bell rings, or neither.
    pub fn wait(&mut self, receiver: &mut Receiver) -> io::Result<()> {
        let nap = match receiver.wait(Some(Duration::ZERO))? {
            Wait::Ready => return Ok(()),
            Wait::Starved => DRY_NAP,
            Wait::TimedOut | Wait::Interrupted => NAP,
        };
        poll([receiver.as_fd(), self.bell.as_fd()], nap)?;
        while self.bell.read(&mut [0; 64]).is_ok_and(|rings| rings > 0) {}
        let _ = receiver.wait(Some(Duration::ZERO))?;
        Ok(())
    }

    /// A connection that was handed over.
    pub fn next(&self) -> Option<TcpStream> {
        self.connections.try_recv().ok()
    }
}

/// Waits until one of the descriptors can be read, or for so long.
fn poll(descriptors: [BorrowedFd<'_>; 2], nap: Duration) -> io::Result<()> {
    let mut descriptors = descriptors.map(|fd| libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    });
    // SAFETY: two entries, exclusively borrowed during the call.
    let ready = unsafe { libc::poll(descriptors.as_mut_ptr(), 2, nap.as_millis() as i32) };
    match io::Error::last_os_error() {
        error if ready < 0 && error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}
