//! [`Reader`]: a connection for parsers that read from a buffer.

use std::io;
use std::pin::Pin;
use std::task::{ready, Context, Poll};

use ::tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

use super::connection::Connection;
use crate::zcrx::OwnedChunk;

/// A [`Connection`] as tokio's [`AsyncBufRead`], whose buffer is the chunk at hand: it is lent where it was received,
/// and goes back when all of it was consumed.
///
/// Lines and the like are read with tokio's `AsyncBufReadExt`, which copies what it hands out. So does [`AsyncRead`],
/// which is there because the other takes it.
///
/// ```
/// use std::io::Write;
/// use tokio::io::AsyncBufReadExt;
/// use tokio::task::{spawn_local, LocalSet};
/// use zcrx_sys::recv::tokio::{Driver, Reader};
/// use zcrx_sys::recv::Receiver;
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let mut peer = std::net::TcpStream::connect(listener.local_addr()?)?;
/// # let (socket, _) = listener.accept()?;
///
/// peer.write_all(b"PING\r\nQUIT\r\n")?;
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # LocalSet::new().block_on(&runtime, async {
/// let driver = Driver::new(Receiver::builder().build()?)?;
/// let handle = driver.handle();
/// spawn_local(driver.run());
///
/// let mut lines = Reader::new(handle.add(socket)?).lines();
/// assert_eq!(lines.next_line().await?.as_deref(), Some("PING"));
/// assert_eq!(lines.next_line().await?.as_deref(), Some("QUIT"));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    /// The one that is being read, which is not at its end.
    chunk: Option<OwnedChunk>,
    /// Bytes of it that were consumed.
    consumed: usize,
}

impl Reader {
    /// Reads what `connection` has still to deliver.
    pub fn new(connection: Connection) -> Self {
        Self {
            connection,
            chunk: None,
            consumed: 0,
        }
    }

    /// The connection again, to take whole chunks from it; and the one that was begun, if there is one, with the
    /// number of its bytes that were consumed.
    pub fn into_parts(self) -> (Connection, Option<(OwnedChunk, usize)>) {
        let consumed = self.consumed;
        let begun = self.chunk.map(|chunk| (chunk, consumed));
        (self.connection, begun)
    }

    /// What is left of the chunk at hand.
    fn rest(&self) -> &[u8] {
        let bytes = self.chunk.as_deref().unwrap_or_default();
        bytes.get(self.consumed..).unwrap_or_default()
    }
}

impl AsyncBufRead for Reader {
    /// Nothing at the end of the stream.
    ///
    /// # Errors
    ///
    /// Once and after everything that came before it, what ended the stream otherwise ([`End`](crate::recv::End)).
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let own = self.get_mut();
        if own.chunk.is_none() {
            own.chunk = ready!(own.connection.poll_next(context)).transpose()?;
        }
        Poll::Ready(Ok(own.rest()))
    }

    /// More than there is counts as all.
    fn consume(self: Pin<&mut Self>, amount: usize) {
        let own = self.get_mut();
        own.consumed = own.consumed.saturating_add(amount);
        if own.rest().is_empty() {
            (own.chunk, own.consumed) = (None, 0);
        }
    }
}

impl AsyncRead for Reader {
    /// Copies what the chunk at hand has, as far as it fits; nothing at the end of the stream.
    ///
    /// # Errors
    ///
    /// As `poll_fill_buf`.
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if into.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let bytes = ready!(self.as_mut().poll_fill_buf(context))?;
        let len = bytes.len().min(into.remaining());
        into.put_slice(&bytes[..len]);
        self.consume(len);
        Poll::Ready(Ok(()))
    }
}
