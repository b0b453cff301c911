//! [`Bytes`] over an owned chunk, without a copy.

use bytes::Bytes;

use super::OwnedChunk;

/// The chunk's bytes, to be sliced, cloned and sent anywhere. No byte is copied; the chunk goes back when the last
/// `Bytes` of it is dropped, in whichever thread that is.
///
/// It costs what `Bytes::from_owner` needs: one small allocation, and a count that each clone and drop of a `Bytes`
/// changes. Returning the chunk remains one atomic operation.
///
/// ```
/// # use std::io::Write;
/// # use std::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let mut peer = TcpStream::connect(listener.local_addr()?)?;
/// # let (connection, _) = listener.accept()?;
/// use bytes::Bytes;
/// use zcrx_sys::recv::{Event, Receiver};
///
/// peer.write_all(b"head and body")?;
/// let mut receiver = Receiver::builder().build()?;
/// receiver.add(connection)?;
/// let mut bytes = loop {
///     let _ = receiver.wait(None)?;
///     if let Some(Event::Data { chunk, .. }) = receiver.next_event() {
///         break Bytes::from(receiver.own(chunk)?);
///     }
/// };
/// let head = bytes.split_to(4);
/// assert_eq!((&head[..], &bytes[..]), (&b"head"[..], &b" and body"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl From<OwnedChunk> for Bytes {
    #[inline]
    fn from(chunk: OwnedChunk) -> Self {
        // The chunk's bytes stay where they are when it moves: they are the area's.
        Self::from_owner(chunk)
    }
}
