//! A connection's bytes, in the pieces that they came in.

use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::time::timeout;
use zcrx_sys::recv::tokio::Connection;

use crate::request::{self, bad, Refusal, Request, HEAD_LIMIT, TOO_SLOW};

/// How long a peer may be silent.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why there is no more to read.
#[derive(Debug)]
pub enum Failure {
    /// To be told to the client.
    Refused(Refusal),
    /// There is no client any more.
    Gone(String),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

pub struct Incoming {
    connection: Connection,
    /// What is left of the last piece.
    rest: Bytes,
}

impl Incoming {
    pub fn new(connection: Connection) -> Self {
        Self {
            connection,
            rest: Bytes::new(),
        }
    }

    /// Whether everything that came was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes the next piece; `false` at the end. What is left of the last one is lost.
    async fn advance(&mut self) -> Result<bool, Failure> {
        let next = timeout(PATIENCE, self.connection.next()).await;
        match next.map_err(|_| TOO_SLOW)? {
            Some(Ok(chunk)) => self.rest = Bytes::from(chunk),
            Some(Err(end)) => return Err(Failure::Gone(end.to_string())),
            None => return Ok(false),
        }
        Ok(true)
    }

    async fn fill(&mut self) -> Result<(), Failure> {
        if self.rest.is_empty() && !self.advance().await? {
            return Err(Failure::Gone(
                "the peer closed its side in the middle".into(),
            ));
        }
        Ok(())
    }

    /// The next request; `None` if there is none. A head that came in one piece is read where it lies.
    pub async fn head(&mut self) -> Result<Option<Request>, Failure> {
        if self.rest.is_empty() && !self.advance().await? {
            return Ok(None);
        }
        if let Some((request, len)) = request::parse(&self.rest)? {
            self.rest.advance(len);
            return Ok(Some(request));
        }
        let mut head = self.rest.to_vec();
        loop {
            self.rest.clear();
            self.fill().await?;
            let before = head.len();
            // No more than can be of use.
            let most = self.rest.len().min(HEAD_LIMIT + 1 - before);
            head.extend_from_slice(&self.rest[..most]);
            if let Some((request, len)) = request::parse(&head)? {
                self.rest.advance(len - before);
                return Ok(Some(request));
            }
        }
    }

    /// The next piece, of `most` bytes at most.
    pub async fn piece(&mut self, most: u64) -> Result<Bytes, Failure> {
        self.fill().await?;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Ok(self.rest.split_to(most.min(self.rest.len())))
    }

    /// A line, with its end.
    pub async fn line(&mut self, limit: usize) -> Result<Vec<u8>, Failure> {
        let mut line = Vec::new();
        loop {
            self.fill().await?;
            let end = self.rest.iter().position(|&byte| byte == b'\n');
            let piece = self.rest.split_to(end.map_or(self.rest.len(), |at| at + 1));
            if line.len() + piece.len() > limit {
                return Err(bad("a line of a chunk is too long").into());
            }
            line.extend_from_slice(&piece);
            if end.is_some() {
                return Ok(line);
            }
        }
    }

    /// Reads and forgets what comes, until the peer closes its side or `time` is up.
    pub async fn discard(mut self, time: Duration) {
        let all = async { while let Ok(true) = self.advance().await {} };
        let _ = timeout(time, all).await;
    }
}
