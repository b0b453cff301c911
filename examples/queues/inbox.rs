//! Hands connections to the thread of a receiver, which may sleep.

use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::sync::Arc;
use std::time::Duration;

use zcrx_sys::recv::{Receiver, SocketId};

/// How long nothing but the receiver is looked at: a signal is not, for instance.
const NAP: Duration = Duration::from_millis(100);

/// Where a thread finds the connections that others have for it.
///
/// Its bell is a connection too, over loopback, which the thread's receiver receives from: so the receiver is the only
/// thing that the thread ever waits for, and a ring wakes it as data does, at once and on every kernel.
pub struct Inbox {
    connections: mpsc::Receiver<TcpStream>,
    bell: SocketId,
}

/// An inbox that no receiver hears yet.
pub struct Closed {
    connections: mpsc::Receiver<TcpStream>,
    bell: TcpStream,
}

/// An inbox as other threads know it.
#[derive(Clone)]
pub struct Address {
    connections: mpsc::Sender<TcpStream>,
    bell: Arc<TcpStream>,
}

pub fn inbox() -> io::Result<(Address, Closed)> {
    let (to, from) = mpsc::channel();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let rope = TcpStream::connect(listener.local_addr()?)?;
    let (bell, peer) = listener.accept()?;
    if peer != rope.local_addr()? {
        return Err(io::Error::other("somebody else connected to the bell"));
    }
    rope.set_nonblocking(true)?;
    let address = Address {
        connections: to,
        bell: Arc::new(rope),
    };
    let inbox = Closed {
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

impl Closed {
    /// Has `receiver` hear the bell.
    pub fn open(self, receiver: &mut Receiver) -> Result<Inbox, String> {
        let bell = receiver.add(self.bell).map_err(|error| error.to_string())?;
        let connections = self.connections;
        Ok(Inbox { connections, bell })
    }
}

impl Inbox {
    /// Waits, not for long, until the receiver has events.
    pub fn wait(&self, receiver: &mut Receiver) -> Result<(), String> {
        let waited = receiver.wait(Some(NAP));
        waited.map(drop).map_err(|error| error.to_string())
    }

    /// Whether it is the bell: what comes from it has been heard by then, and goes back unread.
    pub fn is_bell(&self, socket: SocketId) -> bool {
        socket == self.bell
    }

    /// A connection that was handed over.
    pub fn next(&self) -> Option<TcpStream> {
        self.connections.try_recv().ok()
    }
}
