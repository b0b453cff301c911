//! Fuzzed bytes, taken as numbers.

/// What is left of the input. Past its end it is all zero, so that every input means something.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// The next `len` bytes, or what there is.
    pub fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let bytes = self.bytes(N);
        array[..bytes.len()].copy_from_slice(bytes);
        array
    }

    pub fn u8(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u8) -> u8 {
        self.u8() % end
    }

    /// A count near a power of two, or one that is small: where arithmetic goes wrong.
    pub fn edge(&mut self) -> u32 {
        let (kind, delta) = (self.u8(), u32::from(self.u8()));
        let power = 1_u32 << (kind & 31);
        match kind >> 5 {
            0 => delta,
            1 => delta.wrapping_neg(),
            2 | 3 => power.wrapping_add(delta),
            4 => power.wrapping_sub(delta),
            5 => power,
            _ => self.u32(),
        }
    }
}
