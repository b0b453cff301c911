//! The bytes that a sender of this program sends: they depend on the position in the stream and on the
//! connection, so that a chunk out of order, lost, doubled or of another connection is seen.

/// The period, a prime: pieces that are whole pages apart never look alike for 256 MiB.
const PERIOD: usize = 65_521;
/// Longest piece that is compared or sent at once.
pub const PIECE: usize = 256 << 10;

/// The pattern, laid out so that every piece is one slice.
pub struct Pattern(Vec<u8>);

impl Pattern {
    pub fn new() -> Self {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut period = Vec::with_capacity(PERIOD);
        while period.len() < PERIOD {
            // xorshift64: any generator without short cycles will do.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            period.push((state >> 32) as u8);
        }
        Self(
            period
                .iter()
                .copied()
                .cycle()
                .take(PERIOD + PIECE)
                .collect(),
        )
    }

    /// Up to [`PIECE`] bytes at `position` of the stream that the sender on `port` sends.
    pub fn at(&self, port: u16, position: u64, len: usize) -> &[u8] {
        let phase = u64::from(port) * 40_503;
        let start = ((phase + position) % PERIOD as u64) as usize;
        &self.0[start..start + len.min(PIECE)]
    }

    /// How many of `bytes`, received at `position`, are wrong.
    pub fn mismatches(&self, port: u16, position: u64, bytes: &[u8]) -> u64 {
        let mut wrong = 0;
        for (i, piece) in bytes.chunks(PIECE).enumerate() {
            let expected = self.at(port, position + (i * PIECE) as u64, piece.len());
            if piece != expected {
                wrong += piece.iter().zip(expected).filter(|(a, b)| a != b).count() as u64;
            }
        }
        wrong
    }
}
