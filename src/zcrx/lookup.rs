//! [`Lookup`]: from an offset to its bytes, with the first area at hand.

use core::ptr::NonNull;

use super::areas::AreaTable;
use super::chunk::{Chunk, PoolId};
use super::token::{Offset, OutOfArea};

/// A table of areas, and a copy of what it says of the first. Most instances have no other: its chunks are looked up
/// without a load, because an offset into it is nothing but the distance from its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lookup {
    base: *mut u8,
    /// 0 if there is no first area.
    len: u64,
    table: AreaTable,
}

// SAFETY: the base is that of an area, which may be read from any thread; it is not used otherwise.
unsafe impl Send for Lookup {}
// SAFETY: as above.
unsafe impl Sync for Lookup {}

impl Lookup {
    /// `base` and `len` are those of area 0 in `table`, which stay as long as it does.
    #[inline]
    pub(super) fn new(table: AreaTable, base: *mut u8, len: usize) -> Self {
        let len = len as u64;
        Self { base, len, table }
    }

    /// Whether `len` bytes at `offset`, at least one, lie in one of the areas.
    ///
    /// # Safety
    ///
    /// The areas that this is of must live.
    #[inline(always)]
    pub(super) unsafe fn find(self, offset: Offset, len: u32) -> Result<(), OutOfArea> {
        // An id other than 0 makes an offset larger than any area.
        if offset.raw() > self.len {
            // SAFETY: the caller's promise.
            return unsafe { find_elsewhere(self.table, offset, len) };
        }
        // Not one condition with the first, which a compiler would compute both of before it branches.
        if u64::from(len) > self.len - offset.raw() {
            past_end();
            return Err(OutOfArea::PastEnd);
        }
        Ok(())
    }

    /// The address of `offset`.
    ///
    /// # Safety
    ///
    /// The areas that this is of must live, and [`find`](Self::find) must have found the offset in them.
    #[inline(always)]
    unsafe fn address(self, offset: Offset) -> NonNull<u8> {
        if offset.raw() > self.len {
            // SAFETY: the caller's promise.
            return unsafe { address_elsewhere(self.table, offset) };
        }
        // SAFETY: it was found, and not past the first area, so there is one, and the offset lies inside.
        unsafe { NonNull::new_unchecked(self.base.add(offset.raw() as usize)) }
    }

    /// The bytes of a chunk, which has to be one of `pool`.
    ///
    /// # Safety
    ///
    /// The areas that this is of must be those of the instance that is `pool`, which must live, with one of its rings,
    /// as long as the bytes are referred to.
    #[inline(always)]
    #[track_caller]
    pub(super) unsafe fn bytes(self, chunk: &Chunk, pool: PoolId) -> &[u8] {
        assert!(chunk.is_from(pool), "the chunk belongs to another pool");
        // SAFETY: take() found offset and length in an area (no other safe call makes a chunk of this pool), and
        // areas stay as long as the instance (caller). Fresh mappings are zeroed, so all bytes are
        // initialised. The kernel gave these to this process with the completion, and reuses them only after
        // the refill entry was published, which takes the chunk by value and so ends this borrow, or after
        // the instance's last ring was closed, of which one is open (caller).
        unsafe {
            let start = self.address(chunk.offset());
            core::slice::from_raw_parts(start.as_ptr(), chunk.len() as usize)
        }
    }
}

// Out of line, so that a loop over chunks of the first area has all registers for them; and by itself, not as a method,
// so that the lookup's address is not taken.

/// # Safety
///
/// As [`AreaTable::find`].
#[cold]
#[inline(never)]
unsafe fn find_elsewhere(table: AreaTable, offset: Offset, len: u32) -> Result<(), OutOfArea> {
    // SAFETY: the caller's promise.
    unsafe { table.find(offset, len) }
}

/// # Safety
///
/// As [`AreaTable::address`].
#[cold]
#[inline(never)]
unsafe fn address_elsewhere(table: AreaTable, offset: Offset) -> NonNull<u8> {
    // SAFETY: the caller's promise.
    unsafe { table.address(offset) }
}

#[cold]
#[inline(never)]
fn past_end() {}
