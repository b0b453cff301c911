//! The body of a request, in pieces that lie where they were received.

use bytes::Bytes;
use httparse::Status;

use crate::incoming::{Failure, Incoming};
use crate::request::{bad, Framing};

/// The longest line that says how long a chunk is, or that follows the last.
const LINE_LIMIT: usize = 4 << 10;
/// The most lines that follow the last chunk.
const TRAILERS: usize = 64;

pub enum Body {
    /// So many bytes are left.
    Length(u64),
    /// So many are left of a chunk; another follows.
    Chunk(u64),
    /// Chunks follow.
    Chunks,
    End,
}

impl Body {
    pub fn new(framing: Framing) -> Self {
        match framing {
            Framing::Length(bytes) => Self::Length(bytes),
            Framing::Chunked => Self::Chunks,
        }
    }

    /// The next piece of it; `None` at its end.
    pub async fn next(&mut self, incoming: &mut Incoming) -> Result<Option<Bytes>, Failure> {
        if let Self::Chunks = self {
            *self = next_chunk(incoming).await?;
        }
        let (piece, left) = match self {
            Self::Length(left @ 1..) | Self::Chunk(left) => {
                let piece = incoming.piece(*left).await?;
                *left -= piece.len() as u64;
                (piece, *left)
            }
            _ => return Ok(None),
        };
        if left == 0 && matches!(self, Self::Chunk(_)) {
            if incoming.line(LINE_LIMIT).await? != b"\r\n" {
                return Err(bad("a chunk is longer than it says").into());
            }
            *self = Self::Chunks;
        }
        Ok(Some(piece))
    }
}

/// What the line before a chunk says; after the last one, what follows is read too, and ignored.
async fn next_chunk(incoming: &mut Incoming) -> Result<Body, Failure> {
    let line = incoming.line(LINE_LIMIT).await?;
    match httparse::parse_chunk_size(&line) {
        Ok(Status::Complete((_, 0))) => {}
        Ok(Status::Complete((_, bytes))) => return Ok(Body::Chunk(bytes)),
        _ => return Err(bad("a chunk does not say how long it is").into()),
    }
    for _ in 0..TRAILERS {
        if incoming.line(LINE_LIMIT).await? == b"\r\n" {
            return Ok(Body::End);
        }
    }
    Err(bad("too much follows the last chunk").into())
}
