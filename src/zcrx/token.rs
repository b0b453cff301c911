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
    /// meaning; whether it lies in an area is [`Span::resolve`]'s to say.
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
}

impl fmt::Debug for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:#x}", self.area_id(), self.within())
    }
}

/// One registered area as offsets see it: its id and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    area_id: u16,
    len: u64,
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

impl Span {
    /// The area of `len` bytes that registration answered with `token` (`rq_area_token`).
    ///
    /// `None` if the token has bits below the area id, which no kernel sends, or if the length does
    /// not fit into 48 bits.
    pub const fn new(token: u64, len: u64) -> Option<Self> {
        if token & !IORING_ZCRX_AREA_MASK != 0 || len & IORING_ZCRX_AREA_MASK != 0 {
            return None;
        }
        Some(Self {
            area_id: Offset::from_raw(token).area_id(),
            len,
        })
    }

    /// Where in the area the `len` bytes at `offset` begin.
    ///
    /// ```
    /// use zcrx_sys::zcrx::{Offset, OutOfArea, Span};
    /// let span = Span::new(1 << 48, 8192).unwrap();
    /// assert_eq!(span.resolve(Offset::from_raw(1 << 48 | 4096), 4096), Ok(4096));
    /// assert_eq!(span.resolve(Offset::from_raw(1 << 48 | 4096), 4097), Err(OutOfArea::PastEnd));
    /// assert_eq!(span.resolve(Offset::from_raw(4096), 1), Err(OutOfArea::UnknownArea));
    /// ```
    ///
    /// # Errors
    ///
    /// [`OutOfArea`] if not all of the bytes lie in this area.
    #[inline]
    pub const fn resolve(self, offset: Offset, len: u32) -> Result<u64, OutOfArea> {
        if offset.area_id() != self.area_id {
            return Err(OutOfArea::UnknownArea);
        }
        // 48 bits and 32 bits: the sum cannot overflow.
        if offset.within() + len as u64 > self.len {
            return Err(OutOfArea::PastEnd);
        }
        Ok(offset.within())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolve_is_total() {
        let top = (1 << 48) - 1;
        let span = Span::new(0xffff << 48, top).unwrap();
        assert_eq!(span.resolve(Offset::from_raw(u64::MAX), 0), Ok(top));
        assert_eq!(
            span.resolve(Offset::from_raw(u64::MAX), u32::MAX),
            Err(OutOfArea::PastEnd)
        );
        assert_eq!(
            span.resolve(Offset::from_raw(0), 0),
            Err(OutOfArea::UnknownArea)
        );
        assert_eq!(span.resolve(Offset::from_raw(0xffff << 48), 0), Ok(0));
    }

    #[test]
    fn a_span_needs_a_clean_token_and_a_length_that_fits() {
        assert!(Span::new(1, 4096).is_none());
        assert!(Span::new(0, 1 << 48).is_none());
        assert!(Span::new(0, (1 << 48) - 1).is_some());
    }
}
