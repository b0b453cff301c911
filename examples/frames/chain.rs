//! [`Chain`]: bytes that lie in several pieces, read as if they were one.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

/// Pieces one after the other. Nothing is copied when one is added or split off; what was read is dropped piece by piece,
/// and so returned.
#[derive(Debug, Default)]
pub struct Chain {
    /// None of them is empty.
    pieces: VecDeque<Bytes>,
    len: usize,
}

impl Chain {
    /// Adds a piece at the end.
    pub fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.len += piece.len();
            self.pieces.push_back(piece);
        }
    }

    /// Takes the first `len` bytes, in the pieces that they lie in.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub fn split_to(&mut self, len: usize) -> Self {
        assert!(len <= self.len, "{len} of {} bytes", self.len);
        let mut taken = Self::default();
        while taken.len < len {
            let left = len - taken.len;
            taken.push(self.pop(left).expect("there are so many"));
        }
        taken
    }

    /// The first piece, or as much of it as is wanted.
    fn pop(&mut self, most: usize) -> Option<Bytes> {
        let first = self.pieces.front_mut()?;
        let piece = if first.len() <= most {
            self.pieces.pop_front()?
        } else {
            first.split_to(most)
        };
        self.len -= piece.len();
        Some(piece)
    }

    /// The pieces, first one first.
    pub fn pieces(&self) -> impl Iterator<Item = &Bytes> {
        self.pieces.iter()
    }
}

impl Buf for Chain {
    fn remaining(&self) -> usize {
        self.len
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&[], |piece| piece)
    }

    fn advance(&mut self, count: usize) {
        drop(self.split_to(count));
    }

    /// A copy only if they lie in more than one piece.
    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        let mut taken = self.split_to(len);
        if taken.pieces.len() <= 1 {
            return taken.pop(len).unwrap_or_default();
        }
        let mut all = BytesMut::with_capacity(len);
        taken
            .pieces()
            .for_each(|piece| all.extend_from_slice(piece));
        all.freeze()
    }
}
