//! [`Reader`]: finds the frames in what comes.

use bytes::{Buf, Bytes};

use crate::chain::Chain;

/// Bytes that say how long a frame is.
const PREFIX: usize = 4;

pub struct Reader {
    /// What came and was not read yet.
    chain: Chain,
    /// The length of the frame that begins there, once that was read.
    expected: Option<usize>,
    longest: u32,
}

impl Reader {
    /// For frames of up to `longest` bytes.
    pub fn new(longest: u32) -> Self {
        Self {
            chain: Chain::default(),
            expected: None,
            longest,
        }
    }

    /// Takes what came.
    pub fn push(&mut self, bytes: Bytes) {
        self.chain.push(bytes);
    }

    /// The next frame's contents; `None` if not all of it is there. One that is too long is refused before it came.
    pub fn next(&mut self) -> Result<Option<Chain>, String> {
        if self.expected.is_none() && self.chain.remaining() >= PREFIX {
            let len = self.chain.get_u32();
            if len > self.longest {
                return Err(format!(
                    "a frame of {len} bytes, and {} are accepted",
                    self.longest
                ));
            }
            self.expected = Some(len as usize);
        }
        let whole = self.expected.filter(|&len| len <= self.chain.remaining());
        Ok(whole.map(|len| {
            self.expected = None;
            self.chain.split_to(len)
        }))
    }

    /// Fails if there is a part of a frame.
    pub fn end(&self) -> Result<(), String> {
        match (self.expected, self.chain.remaining()) {
            (None, 0) => Ok(()),
            (_, there) => Err(format!(
                "the stream ends in a frame, after {there} bytes of it"
            )),
        }
    }

    /// Copies what there is of a frame, so that its buffers go back; answers how many bytes.
    pub fn copy_out(&mut self) -> u64 {
        let mut copy = Chain::default();
        let mut bytes = 0;
        let all = self.chain.remaining();
        for piece in self.chain.split_to(all).pieces() {
            bytes += piece.len() as u64;
            copy.push(Bytes::copy_from_slice(piece));
        }
        self.chain = copy;
        bytes
    }
}
