//! [`Index`]: a ring position that wraps at 2³².

/// A free-running 32-bit ring position, as the kernel counts heads and tails.
///
/// It wraps, so it has no order: two positions have a *distance*, and a position has a *slot*. There
/// is deliberately no `Ord`, no `+=` and no conversion that would let a comparison slip in.
///
/// ```
/// use zcrx_sys::Index;
/// let head = Index::new(u32::MAX);
/// let tail = head.advanced(3);
/// assert_eq!(tail.get(), 2);
/// assert_eq!(tail.distance_from(head), 3);
/// assert_eq!(tail.slot(7), 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Index(u32);

impl Index {
    /// The position that a head or tail word of the ring holds.
    #[inline]
    pub const fn new(raw: u32) -> Self {
        Self(raw)
    }

    /// The word to write into a head or tail.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The position `n` entries further.
    #[inline]
    #[must_use]
    pub const fn advanced(self, n: u32) -> Self {
        Self(self.0.wrapping_add(n))
    }

    /// How many entries lie from `earlier` up to here.
    #[inline]
    pub const fn distance_from(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }

    /// The array slot of this position in a ring of `mask + 1` entries (a power of two).
    #[inline]
    pub const fn slot(self, mask: u32) -> u32 {
        self.0 & mask
    }

    /// The position `n` entries earlier.
    #[inline]
    pub(crate) const fn before(self, n: u32) -> Self {
        Self(self.0.wrapping_sub(n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_and_slot_survive_the_wrap() {
        for start in [0, 1, u32::MAX - 5, u32::MAX] {
            for n in 0..20 {
                let head = Index::new(start);
                let tail = head.advanced(n);
                assert_eq!(tail.distance_from(head), n);
                assert_eq!(tail.slot(7), start.wrapping_add(n) % 8);
            }
        }
    }
}
