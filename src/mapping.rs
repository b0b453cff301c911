//! [`Mapping`]: memory mappings that are owned, and checked typed pointers into them.

use core::ptr::{self, NonNull};

use libc::c_int;

use crate::errno::Errno;

/// An owned memory mapping, unmapped on drop.
///
/// It hands out raw pointers only: what lies behind them may be written by the kernel at any time,
/// so no Rust reference to the memory is ever made here.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: a Mapping is an address range; it owns the range, touches none of its memory by itself, and
// munmap may be called from any thread.
unsafe impl Send for Mapping {}
// SAFETY: a shared Mapping only hands out raw pointers; using them is the user's (unsafe) affair.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `len` bytes of `fd` at `offset`, shared: the rings that the kernel allocated.
    pub(crate) fn shared(fd: c_int, len: usize, offset: u64) -> Result<Self, Errno> {
        let offset = libc::off_t::try_from(offset).map_err(|_| Errno::OVERFLOW)?;
        Self::map(len, libc::MAP_SHARED | libc::MAP_POPULATE, fd, offset)
    }

    /// Maps `len` bytes of fresh zeroed memory that a forked child does not inherit.
    ///
    /// A child that kept the pages would make the parent's next write to them go to a copy, while
    /// the kernel goes on filling the original: hence `MADV_DONTFORK`.
    ///
    /// `huge` asks for 2 MiB pages out of the reserved pool (`vm.nr_hugepages`).
    pub(crate) fn anonymous(len: usize, huge: bool) -> Result<Self, Errno> {
        let huge = if huge {
            libc::MAP_HUGETLB | libc::MAP_HUGE_2MB
        } else {
            0
        };
        let mapping = Self::map(len, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | huge, -1, 0)?;
        mapping.advise(libc::MADV_DONTFORK)?;
        Ok(mapping)
    }

    /// As [`anonymous`](Self::anonymous), of ordinary pages, beginning at a multiple of `alignment`, which is
    /// a power of two of at least a page.
    pub(crate) fn aligned(len: usize, alignment: usize) -> Result<Self, Errno> {
        let room = len.checked_add(alignment).ok_or(Errno::NOMEM)?;
        let whole = Self::anonymous(room, false)?;
        let before = whole.base.as_ptr() as usize % alignment;
        let before = if before == 0 { 0 } else { alignment - before };
        // SAFETY: before < alignment, so the sum lies inside the mapping.
        let base = unsafe { whole.base.add(before) };
        // What lies before and after is given back; it is whole pages, as all of these numbers are.
        for (start, len) in [(0, before), (before + len, alignment - before)] {
            if len > 0 {
                // SAFETY: the part lies inside the mapping, which nobody uses yet.
                unsafe { libc::munmap(whole.base.add(start).as_ptr().cast(), len) };
            }
        }
        core::mem::forget(whole);
        Ok(Self { base, len })
    }

    /// Advises the kernel about the whole mapping: `advice` is one that keeps its content (`MADV_*`).
    pub(crate) fn advise(&self, advice: c_int) -> Result<(), Errno> {
        debug_assert!(!matches!(
            advice,
            libc::MADV_DONTNEED | libc::MADV_FREE | libc::MADV_REMOVE
        ));
        // SAFETY: the range is self's own whole mapping; the advice leaves its content as it is.
        let rc = unsafe { libc::madvise(self.base.as_ptr().cast(), self.len, advice) };
        if rc < 0 {
            return Err(Errno::last());
        }
        Ok(())
    }

    /// Maps `len` bytes of fresh zeroed memory that nobody but this process, or a forked child for itself, uses.
    pub(crate) fn inherited(len: usize) -> Result<Self, Errno> {
        Self::map(len, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
    }

    /// Frees the memory and keeps the range of addresses, for good: an access by whoever still knows one of
    /// them is an error, and never reaches memory of anybody else.
    pub(crate) fn retire(self) {
        let flags = libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let base = self.base.as_ptr().cast();
        // SAFETY: the range is self's own whole mapping, which nobody uses after this; what replaces it cannot
        // be accessed. If the call fails, the old mapping stays as it was.
        let _ = unsafe { libc::mmap(base, self.len, libc::PROT_NONE, flags, -1, 0) };
        core::mem::forget(self);
    }

    fn map(len: usize, flags: c_int, fd: c_int, offset: libc::off_t) -> Result<Self, Errno> {
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a null hint without MAP_FIXED never replaces a mapping that somebody uses; a bad
        // length, descriptor or offset is answered with an error.
        let base = unsafe { libc::mmap(ptr::null_mut(), len, prot, flags, fd, offset) };
        if base == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        // A null page is never handed out for a null hint; treat it as the kernel's error anyway.
        let base = NonNull::new(base.cast::<u8>()).ok_or(Errno::FAULT)?;
        Ok(Self { base, len })
    }

    /// Bytes mapped.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The first byte.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Where `count` values of `T` lie at `offset`, if they lie inside and are aligned.
    pub(crate) fn at<T>(&self, offset: usize, count: usize) -> Option<NonNull<T>> {
        let bytes = count.checked_mul(size_of::<T>())?;
        let end = offset.checked_add(bytes)?;
        if end > self.len || offset % align_of::<T>() != 0 {
            return None;
        }
        // SAFETY: offset <= end <= len, so the sum stays inside the mapping. The base is page-aligned,
        // hence the pointer is aligned as offset is (no T here needs more than a page).
        Some(unsafe { self.base.add(offset) }.cast())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: self owns the whole range, and whoever made pointers into it had to prove that they
        // do not outlive self.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
    }
}

/// Bytes in a page of this machine.
pub(crate) fn page_size() -> usize {
    // SAFETY: sysconf reads a constant of the system.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    // Linux always knows its page size; 4096 is the smallest there is.
    usize::try_from(size).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_pointers_are_checked() {
        let page = page_size();
        let mapping = Mapping::anonymous(page, false).unwrap();
        assert_eq!(mapping.len(), page);
        assert!(mapping.at::<u64>(0, page / 8).is_some());
        assert!(mapping.at::<u64>(page - 8, 1).is_some());
        assert!(
            mapping.at::<u64>(page - 7, 1).is_none(),
            "past the end and unaligned"
        );
        assert!(mapping.at::<u64>(4, 1).is_none(), "unaligned");
        assert!(mapping.at::<u64>(8, page / 8).is_none(), "past the end");
        assert!(
            mapping.at::<u64>(usize::MAX - 7, 1).is_none(),
            "sum overflows"
        );
        assert!(
            mapping.at::<u64>(0, usize::MAX).is_none(),
            "product overflows"
        );
        assert!(mapping.at::<u64>(page, 0).is_some(), "nothing, at the end");
    }

    #[test]
    fn an_aligned_mapping_is_all_there_and_no_more() {
        for (len, alignment) in [(4096, 4096), (2 << 20, 2 << 20), (12288, 1 << 16)] {
            let mapping = Mapping::aligned(len, alignment).unwrap();
            assert_eq!(mapping.base().as_ptr() as usize % alignment, 0);
            mapping.advise(libc::MADV_POPULATE_WRITE).unwrap();
        }
        assert!(Mapping::aligned(usize::MAX, 4096).is_err());
    }

    #[test]
    fn nothing_is_mapped_for_no_bytes() {
        assert_eq!(Mapping::anonymous(0, false).unwrap_err(), Errno::INVAL);
        assert_eq!(Mapping::shared(-1, 4096, 0).unwrap_err(), Errno::BADF);
    }
}
