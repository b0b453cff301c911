//! Memory of the test's own, good and bad.

use std::ptr::NonNull;

pub(crate) const PAGE: usize = 4096;

/// A mapping of ordinary pages, never huge ones.
pub(crate) struct Memory {
    base: NonNull<u8>,
    len: usize,
}

impl Memory {
    /// `len` bytes, none of which has a page yet.
    pub(crate) fn new(len: usize) -> Self {
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a mapping at a place of the kernel's choice replaces none.
        let base = unsafe { libc::mmap(std::ptr::null_mut(), len, prot, flags, -1, 0) };
        assert_ne!(base, libc::MAP_FAILED);
        // SAFETY: the range was just mapped, and nobody uses it yet.
        let advised = unsafe { libc::madvise(base, len, libc::MADV_NOHUGEPAGE) };
        assert_eq!(advised, 0);
        let base = NonNull::new(base.cast()).unwrap();
        Self { base, len }
    }

    /// A power of two of pages of which no two neighbours are neighbours in physical memory: each gets its page
    /// at another time than those beside it, whether the kernel hands out pages upwards or downwards.
    pub(crate) fn scattered(pages: usize) -> Self {
        assert!(pages.is_power_of_two() && pages > 8);
        let memory = Self::new(pages * PAGE);
        for i in 0..pages {
            let at = i * 7 % pages * PAGE;
            // SAFETY: inside the mapping, which nobody else knows.
            unsafe { memory.base.add(at).write_volatile(1) };
        }
        memory
    }

    /// The same memory, with pages that may only be read from now on.
    pub(crate) fn read_only(self) -> Self {
        self.protect(libc::PROT_READ)
    }

    /// The same addresses, with nothing behind them that may be accessed.
    pub(crate) fn inaccessible(self) -> Self {
        self.protect(libc::PROT_NONE)
    }

    fn protect(self, prot: libc::c_int) -> Self {
        // SAFETY: the range is self's own mapping, which nobody accesses.
        let protected = unsafe { libc::mprotect(self.base.as_ptr().cast(), self.len, prot) };
        assert_eq!(protected, 0);
        self
    }

    pub(crate) fn start(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn address(&self) -> u64 {
        self.base.as_ptr() as usize as u64
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the range is self's own mapping, and nobody uses it any more.
        let unmapped = unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
        assert_eq!(unmapped, 0);
    }
}
