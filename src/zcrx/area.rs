//! [`Area`]: the memory that received payload lands in.

use core::ptr::NonNull;

use crate::errno::Errno;
use crate::error::{Attempt, Cause, Error, Reason};
use crate::fd::Fd;
use crate::mapping::{page_size, Mapping};

static MAP_AREA: Attempt = Attempt {
    what: "map an area",
    arguments: &["bytes", "page bytes"],
};

/// Bytes in a huge page: what [`Area::huge_pages`] and [`Area::transparent_huge_pages`] are multiples of.
pub const HUGE_PAGE: usize = 2 << 20;

/// Memory for received payload, owned by whatever is registered with it.
///
/// A forked child does not inherit memory that was mapped here (`MADV_DONTFORK`): the kernel goes on filling
/// the parent's pages. From kernel 6.17 on an area counts against the locked-memory limit (`ulimit -l`) from
/// registration on, unless it is a dmabuf.
///
/// ```
/// use zcrx_sys::zcrx::{Area, HUGE_PAGE};
/// let area = Area::huge_pages(2 * HUGE_PAGE)
///     .or_else(|_none_reserved| Area::transparent_huge_pages(2 * HUGE_PAGE))
///     .or_else(|_none_contiguous| Area::new(2 * HUGE_PAGE))?;
/// assert_eq!(area.len(), 4 << 20);
/// # Ok::<(), zcrx_sys::Error>(())
/// ```
#[derive(Debug)]
pub struct Area {
    memory: Memory,
}

#[derive(Debug)]
enum Memory {
    /// Of pages that are so long.
    Mapped(Mapping, u32),
    /// The device's buffer, and how this process sees it.
    Dmabuf(Mapping, Fd),
    /// Somebody else's, who promised to leave it to us.
    Lent(NonNull<u8>, usize),
}

// SAFETY: an area is an address range and a descriptor, tied to no thread; lent memory was promised to be left
// alone by whoever lent it.
unsafe impl Send for Area {}
// SAFETY: a shared Area only tells where it lies.
unsafe impl Sync for Area {}

impl Area {
    /// `len` bytes of ordinary pages; a multiple of the page size.
    ///
    /// # Errors
    ///
    /// A length of 0 or no multiple of a page; no memory.
    #[inline]
    pub fn new(len: usize) -> Result<Self, Error> {
        check(len, page_size())?;
        match Mapping::anonymous(len, false) {
            Ok(mapping) => Ok(Self::of(mapping, page_size())),
            Err(errno) => Err(failed(len, page_size(), errno, &[TOO_MUCH])),
        }
    }

    /// `len` bytes of reserved 2 MiB pages (`vm.nr_hugepages`); a multiple of [`HUGE_PAGE`]. Chunks larger
    /// than a page need memory that is contiguous, as these pages are.
    ///
    /// # Errors
    ///
    /// A length of 0 or no multiple of 2 MiB; too few reserved pages left.
    #[inline]
    pub fn huge_pages(len: usize) -> Result<Self, Error> {
        check(len, HUGE_PAGE)?;
        let too_few = &[Cause {
            cause: "too few huge pages are reserved and free",
            remedy: "reserve more (sysctl vm.nr_hugepages), or use ordinary pages",
        }];
        match Mapping::anonymous(len, true) {
            Ok(mapping) => Ok(Self::of(mapping, HUGE_PAGE)),
            Err(errno @ Errno::NOMEM) => Err(failed(len, HUGE_PAGE, errno, too_few)),
            Err(errno) => Err(failed(len, HUGE_PAGE, errno, &[TOO_MUCH])),
        }
    }

    /// `len` bytes of ordinary memory that the kernel made huge pages of in advance (`MADV_COLLAPSE`, kernel
    /// 6.1): contiguous as [`huge_pages`](Self::huge_pages), with nothing reserved, but not to be had where
    /// memory is fragmented. A multiple of [`HUGE_PAGE`].
    ///
    /// # Errors
    ///
    /// A length of 0 or no multiple of 2 MiB; a kernel without transparent huge pages (EINVAL); no contiguous
    /// memory (EAGAIN, ENOMEM).
    #[inline]
    pub fn transparent_huge_pages(len: usize) -> Result<Self, Error> {
        check(len, HUGE_PAGE)?;
        let collapsed = Mapping::aligned(len, HUGE_PAGE).and_then(|mapping| {
            // Advice that sysctl may overrule, and collapsing does without: an error changes nothing.
            let _ = mapping.advise(libc::MADV_HUGEPAGE);
            mapping.advise(libc::MADV_POPULATE_WRITE)?;
            mapping.advise(libc::MADV_COLLAPSE)?;
            Ok(mapping)
        });
        let area = collapsed.map(|mapping| Self::of(mapping, HUGE_PAGE));
        area.map_err(|errno| {
            let causes: &[Cause] = match errno {
                Errno::INVAL => &[Cause {
                    cause: "the kernel has no transparent huge pages, or is older than 6.1",
                    remedy: "use reserved huge pages (sysctl vm.nr_hugepages), or ordinary ones",
                }],
                _ => &[Cause {
                    cause: "no contiguous memory is free",
                    remedy: "reserve huge pages soon after boot (sysctl vm.nr_hugepages), or use ordinary ones",
                }],
            };
            failed(len, HUGE_PAGE, errno, causes)
        })
    }

    /// `len` bytes at `start` that the caller provides, both multiples of the page size: memory of another
    /// allocator, or shared with another process.
    ///
    /// If it is private memory, advise `MADV_DONTFORK` before the process forks.
    ///
    /// # Safety
    ///
    /// The bytes must be mapped, initialised, and written by nobody but the kernel, as long as the area lives; in
    /// an instance, until the last [`Ifq`](super::Ifq), [`Export`](super::Export) and owned chunk of it is gone,
    /// and every ring that it was registered with or imported by has been closed and torn down. The kernel tears
    /// rings down in its own time and does not tell when, so that the memory may be unmapped then, but not used
    /// for anything else.
    ///
    /// # Errors
    ///
    /// An address or length that is 0 or no multiple of a page.
    #[inline]
    pub unsafe fn from_raw_parts(start: *mut u8, len: usize) -> Result<Self, Error> {
        check(len, page_size())?;
        match NonNull::new(start) {
            Some(start) if start.as_ptr() as usize % page_size() == 0 => Ok(Self {
                memory: Memory::Lent(start, len),
            }),
            _ => Err(refused(len, page_size(), "begin at a page")),
        }
    }

    /// All `len` bytes of a dmabuf, which the NIC fills without the kernel being able to read or write them.
    /// Kernel 6.16, and only with an interface queue.
    ///
    /// What the NIC does not place, the kernel cannot copy there: such a request ends with ENOMEM each time it is
    /// submitted.
    ///
    /// # Safety
    ///
    /// As long as the area lives, or the ring that it is registered with, nobody else may write to the buffer,
    /// and its exporter's mapping must show this process what a device wrote without further calls.
    ///
    /// # Errors
    ///
    /// A length of 0 or no multiple of a page; a descriptor that cannot be mapped.
    #[inline]
    pub unsafe fn dmabuf(fd: Fd, len: usize) -> Result<Self, Error> {
        check(len, page_size())?;
        let not_mapped = &[Cause {
            cause: "the descriptor is no dmabuf of that length that can be mapped",
            remedy: "pass the length that it was made with",
        }];
        match Mapping::shared(fd.as_raw(), len, 0) {
            Ok(mapping) => Ok(Self {
                memory: Memory::Dmabuf(mapping, fd),
            }),
            Err(errno) => Err(failed(len, page_size(), errno, not_mapped)),
        }
    }

    /// The area of a mapping, whose pages are each contiguous.
    #[inline]
    pub(crate) fn of(mapping: Mapping, page_len: usize) -> Self {
        Self {
            // At most 2 MiB, so that it fits; small, because errors hand areas back.
            memory: Memory::Mapped(mapping, page_len as u32),
        }
    }

    /// Bytes of the pages that it is made of; `None` if not known.
    #[inline]
    pub(super) fn page_len(&self) -> Option<usize> {
        match self.memory {
            Memory::Mapped(_, page_len) => Some(page_len as usize),
            _ => None,
        }
    }

    /// The descriptor of the dmabuf, if it is one.
    #[inline]
    pub(super) fn dmabuf_fd(&self) -> Option<&Fd> {
        match &self.memory {
            Memory::Dmabuf(_, fd) => Some(fd),
            _ => None,
        }
    }

    /// Bytes in the area.
    #[allow(clippy::len_without_is_empty, reason = "an area is never empty")]
    #[inline]
    pub fn len(&self) -> usize {
        match &self.memory {
            Memory::Mapped(mapping, _) | Memory::Dmabuf(mapping, _) => mapping.len(),
            Memory::Lent(_, len) => *len,
        }
    }

    /// Frees the memory, but keeps its addresses from being used again: for the case that the kernel may still
    /// write to one of them.
    #[inline]
    pub(crate) fn retire(self) {
        match self.memory {
            Memory::Mapped(mapping, _) | Memory::Dmabuf(mapping, _) => mapping.retire(),
            // Whoever lent it knows when it is free.
            Memory::Lent(..) => {}
        }
    }

    /// The first byte.
    #[inline]
    pub(crate) fn base(&self) -> NonNull<u8> {
        match &self.memory {
            Memory::Mapped(mapping, _) | Memory::Dmabuf(mapping, _) => mapping.base(),
            Memory::Lent(start, _) => *start,
        }
    }
}

const TOO_MUCH: Cause = Cause {
    cause: "the process may not map that much",
    remedy: "ask for fewer bytes, or raise the limit (ulimit -v)",
};

#[inline]
fn failed(len: usize, page: usize, errno: Errno, causes: &'static [Cause]) -> Error {
    Error::new(
        &MAP_AREA,
        [len as u64, page as u64],
        Reason::Kernel(errno),
        causes,
    )
}

#[inline]
fn refused(len: usize, page: usize, must: &'static str) -> Error {
    let name = "bytes";
    let reason = Reason::Argument { name, must };
    Error::new(&MAP_AREA, [len as u64, page as u64], reason, &[])
}

/// Refuses a length that no area can have.
#[inline]
fn check(len: usize, page: usize) -> Result<(), Error> {
    if len == 0 || len % page != 0 {
        let must = "be a multiple of the page size, and not 0";
        return Err(refused(len, page, must));
    }
    if len as u64 > super::MAX_AREA {
        return Err(refused(len, page, "fit into the 48 bits of an offset"));
    }
    Ok(())
}
