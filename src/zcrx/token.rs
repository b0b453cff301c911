//! Offsets and tokens: how the kernel names a place in an area. Pure arithmetic.

use core::fmt;

use crate::uapi::{IORING_ZCRX_AREA_MASK, IORING_ZCRX_AREA_SHIFT};

/// A place in the areas of one zcrx instance: 16 bits of area id above 48 bits of byte offset.
///
/// The kernel delivers one with every chunk, and takes the same one back through the refill ring.
///
/// ```
/// use zcrx_sys::zcrx::Offset;
/// let offset = Offset::from_raw(0x0003_0000_0000_2010);
/// assert_eq!((offset.area_id(), offset.within()), (3, 0x2010));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Offset(u64);

impl Offset {
    /// The offset that word `raw` of a completion or refill entry stands for. Every value has a
    /// meaning; whether it lies in an area is the areas' to say.
    #[inline]
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The word as the kernel reads and writes it.
    #[inline]
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// Which area.
    #[inline]
    pub const fn area_id(self) -> u16 {
        (self.0 >> IORING_ZCRX_AREA_SHIFT) as u16
    }

    /// Bytes from the start of that area.
    #[inline]
    pub const fn within(self) -> u64 {
        self.0 & !IORING_ZCRX_AREA_MASK
    }

    /// The start of the area that registration answered with `token` (`rq_area_token`); `None` if the token
    /// has bits below the area id, which no kernel sends.
    pub const fn of_area(token: u64) -> Option<Self> {
        if token & !IORING_ZCRX_AREA_MASK == 0 {
            Some(Self(token))
        } else {
            None
        }
    }

    /// Whether `len` bytes from here end within an area of `area_len` bytes.
    ///
    /// ```
    /// use zcrx_sys::zcrx::Offset;
    /// let offset = Offset::from_raw(1 << 48 | 4096);
    /// assert!(offset.fits(4096, 8192));
    /// assert!(!offset.fits(4097, 8192));
    /// ```
    #[inline]
    pub const fn fits(self, len: u32, area_len: u64) -> bool {
        // 48 bits and 32 bits: the sum cannot overflow.
        self.within() + len as u64 <= area_len
    }
}

impl fmt::Debug for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:#x}", self.area_id(), self.within())
    }
}

/// An offset and length that do not name bytes of the area. The kernel sends no such thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfArea {
    /// The area id is not one that was registered.
    UnknownArea,
    /// The bytes end past the area.
    PastEnd,
}

impl fmt::Display for OutOfArea {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownArea => "an offset into an area that was not registered",
            Self::PastEnd => "bytes past the end of the area",
        })
    }
}

impl core::error::Error for OutOfArea {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fitting_is_total() {
        let top = (1 << 48) - 1;
        let last = Offset::from_raw(u64::MAX);
        assert!(last.fits(0, top) && !last.fits(1, top) && !last.fits(u32::MAX, top));
        assert!(last.fits(u32::MAX, u64::MAX));
        let first = Offset::from_raw(0);
        assert!(first.fits(0, 0) && !first.fits(1, 0) && first.fits(4096, 4096));
        assert!(!first.fits(4097, 4096));
    }

    #[test]
    fn a_token_is_an_area_id_and_nothing_else() {
        for id in [0, 1, 1023, u16::MAX] {
            let offset = Offset::of_area(u64::from(id) << 48).unwrap();
            assert_eq!((offset.area_id(), offset.within()), (id, 0));
        }
        assert_eq!(Offset::of_area(1), None);
        assert_eq!(Offset::of_area((1 << 48) - 1), None);
        assert_eq!(Offset::of_area(7 << 48 | 4096), None);
    }

    #[test]
    fn what_is_printed_says_where() {
        let offset = Offset::from_raw(3 << 48 | 0x2010);
        assert_eq!(std::format!("{offset:?}"), "3:0x2010");
        assert!(std::format!("{}", OutOfArea::UnknownArea).contains("not registered"));
        assert!(std::format!("{}", OutOfArea::PastEnd).contains("past the end"));
    }
}
