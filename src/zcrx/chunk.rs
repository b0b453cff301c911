//! [`Chunk`]: one reference on received bytes.

use core::sync::atomic::{AtomicU32, Ordering};

use static_assertions::{assert_impl_all, assert_not_impl_any, const_assert_eq};

use super::token::Offset;
use crate::uapi::io_uring_zcrx_rqe;

/// Tells the pools of this process apart, so that a chunk cannot be read in, or returned to, another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolId(u32);

impl PoolId {
    /// An id that no other pool of this process ever had; `None` after 2³² of them.
    pub fn unique() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // Relaxed: only the number has to be unique; it orders nothing.
        NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |id| id.checked_add(1))
            .ok()
            .map(Self)
    }
}

/// One reference on received bytes, from the completion that delivered them until it is returned.
///
/// Neither `Clone` nor `Copy`: each completion is returned once, also where two chunks share a page
/// of the area. Dropping one without returning it leaks that buffer space until the ring is closed;
/// it is memory-safe.
///
/// ```compile_fail
/// fn twice(chunk: zcrx_sys::zcrx::Chunk) -> (zcrx_sys::zcrx::Chunk, zcrx_sys::zcrx::Chunk) {
///     (chunk.clone(), chunk)
/// }
/// ```
#[must_use = "a chunk that is not returned to its pool leaks buffer space"]
#[derive(Debug, PartialEq, Eq)]
pub struct Chunk {
    offset: Offset,
    len: u32,
    pool: PoolId,
}

const_assert_eq!(size_of::<Chunk>(), 16);
assert_impl_all!(Chunk: Send, Sync);
assert_not_impl_any!(Chunk: Clone, Copy);

impl Chunk {
    /// A reference on `len` bytes at `offset` of `pool`.
    ///
    /// # Safety
    ///
    /// The bytes must lie in the pool's memory, the kernel must have given them to this process, and no
    /// other chunk may stand for the same reference.
    #[inline]
    pub unsafe fn from_raw_parts(offset: Offset, len: u32, pool: PoolId) -> Self {
        Self { offset, len, pool }
    }

    /// Number of bytes received: not 0, for a chunk that was delivered.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "no delivered chunk is empty")]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Where the bytes lie in the pool's areas.
    #[inline]
    pub fn offset(&self) -> Offset {
        self.offset
    }

    /// The refill entry that returns it. The offset goes back as it came, area id included. The kernel skips
    /// entries whose padding is not zero.
    #[inline]
    pub(crate) fn into_entry(self) -> io_uring_zcrx_rqe {
        io_uring_zcrx_rqe {
            off: self.offset.raw(),
            len: self.len,
            __pad: 0,
        }
    }

    /// What [`from_raw_parts`](Self::from_raw_parts) makes it of again.
    #[inline]
    pub(crate) fn into_parts(self) -> (Offset, u32, PoolId) {
        (self.offset, self.len, self.pool)
    }

    /// Whether it came from pool `pool`.
    #[inline]
    pub(crate) fn is_from(&self, pool: PoolId) -> bool {
        self.pool == pool
    }
}

/// A chunk that was not taken back, handed to the caller again.
#[derive(Debug, PartialEq, Eq)]
pub enum Unreturned {
    /// The refill ring is full: publish, let the kernel consume (or flush), then return it again.
    Full(Chunk),
    /// The chunk belongs to another pool: return it there.
    OtherPool(Chunk),
}

impl Unreturned {
    /// The chunk.
    pub fn into_chunk(self) -> Chunk {
        match self {
            Self::Full(chunk) | Self::OtherPool(chunk) => chunk,
        }
    }
}

impl core::fmt::Display for Unreturned {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Full(_) => f.write_str(
                "the refill ring is full: publish it and flush, then return the chunk again",
            ),
            Self::OtherPool(chunk) => write!(
                f,
                "the chunk at {:?} belongs to another pool: return it to the one it came from",
                chunk.offset
            ),
        }
    }
}

impl core::error::Error for Unreturned {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_that_was_not_taken_back_says_what_to_do() {
        let pool = PoolId::unique().unwrap();
        // SAFETY: there is no memory behind this pool, and nothing reads the chunk's bytes.
        let chunk = || unsafe { Chunk::from_raw_parts(Offset::from_raw(2 << 48 | 64), 5, pool) };
        let (full, other) = (Unreturned::Full(chunk()), Unreturned::OtherPool(chunk()));
        assert!(std::format!("{full}").contains("full: publish it and flush"));
        assert!(std::format!("{other}").contains("2:0x40"));
        for unreturned in [full, other] {
            let back = unreturned.into_chunk();
            assert_eq!((back.len(), back.offset().raw()), (5, 2 << 48 | 64));
        }
    }

    #[test]
    fn a_chunk_knows_its_pool_and_goes_back_as_it_came() {
        let [pool, other] = [(); 2].map(|()| PoolId::unique().unwrap());
        // SAFETY: as above.
        let chunk = unsafe { Chunk::from_raw_parts(Offset::from_raw(u64::MAX), 9, pool) };
        assert!(chunk.is_from(pool) && !chunk.is_from(other));
        let entry = chunk.into_entry();
        assert_eq!((entry.off, entry.len, entry.__pad), (u64::MAX, 9, 0));
    }
}
