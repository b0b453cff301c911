//! [`Area`]: the memory that received payload lands in.

use core::ptr::NonNull;

use super::chunk::Chunk;
use crate::errno::Errno;
use crate::error::{Attempt, Cause, Error, Reason};
use crate::fd::Fd;
use crate::mapping::{page_size, Mapping};

static MAP_AREA: Attempt = Attempt {
    what: "map an area",
    arguments: &["bytes", "page bytes"],
};

const HUGE_PAGE: usize = 2 << 20;

/// Memory for received payload, owned by whatever is registered with it.
///
/// A forked child does not inherit memory of this process (`MADV_DONTFORK`): the kernel goes on filling the
/// parent's pages.
#[derive(Debug)]
pub struct Area {
    mapping: Mapping,
    /// The buffer that is mapped, if it is not memory of this process.
    dmabuf: Option<Fd>,
}

impl Area {
    /// `len` bytes of ordinary pages; a multiple of the page size.
    ///
    /// From kernel 6.17 on the bytes count against the locked-memory limit (`ulimit -l`) when they are
    /// registered.
    ///
    /// # Errors
    ///
    /// A length of 0 or no multiple of a page; no memory.
    #[inline]
    pub fn new(len: usize) -> Result<Self, Error> {
        Self::map(len, page_size(), false)
    }

    /// `len` bytes of reserved 2 MiB pages (`vm.nr_hugepages`); a multiple of 2 MiB. Chunks larger than
    /// a page need memory that is contiguous, as these pages are.
    ///
    /// # Errors
    ///
    /// A length of 0 or no multiple of 2 MiB; too few reserved pages left.
    #[inline]
    pub fn huge_pages(len: usize) -> Result<Self, Error> {
        Self::map(len, HUGE_PAGE, true)
    }

    /// The area of a mapping that somebody else fills.
    #[cfg(any(test, feature = "twin"))]
    pub(crate) fn of(mapping: Mapping) -> Self {
        Self {
            mapping,
            dmabuf: None,
        }
    }

    #[inline]
    fn map(len: usize, page: usize, huge: bool) -> Result<Self, Error> {
        let error = |reason, causes| {
            Err(Error::new(
                &MAP_AREA,
                [len as u64, page as u64],
                reason,
                causes,
            ))
        };
        if len == 0 || len % page != 0 {
            let must = "be a multiple of the page size, and not 0";
            return error(
                Reason::Argument {
                    name: "bytes",
                    must,
                },
                &[],
            );
        }
        if len as u64 > super::MAX_AREA {
            let must = "fit into the 48 bits of an offset";
            return error(
                Reason::Argument {
                    name: "bytes",
                    must,
                },
                &[],
            );
        }
        match Mapping::anonymous(len, huge) {
            Ok(mapping) => Ok(Self {
                mapping,
                dmabuf: None,
            }),
            Err(errno @ Errno::NOMEM) if huge => error(
                Reason::Kernel(errno),
                &[Cause {
                    cause: "too few huge pages are reserved and free",
                    remedy: "reserve more (sysctl vm.nr_hugepages), or use ordinary pages",
                }],
            ),
            Err(errno) => error(
                Reason::Kernel(errno),
                &[Cause {
                    cause: "the process may not map that much",
                    remedy: "ask for fewer bytes, or raise the limit (ulimit -v)",
                }],
            ),
        }
    }

    /// All `len` bytes of a dmabuf, which the NIC fills without the kernel being able to read them: what the
    /// NIC does not place cannot be copied there either: such a request ends with ENOMEM each time it is submitted. Kernel 6.16, and only with
    /// an interface queue.
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
        let arguments = [len as u64, page_size() as u64];
        let error = |reason, causes| Error::new(&MAP_AREA, arguments, reason, causes);
        if len == 0 || len % page_size() != 0 {
            let must = "be a multiple of the page size, and not 0";
            return Err(error(
                Reason::Argument {
                    name: "bytes",
                    must,
                },
                &[],
            ));
        }
        match Mapping::shared(fd.as_raw(), len, 0) {
            Ok(mapping) => Ok(Self {
                mapping,
                dmabuf: Some(fd),
            }),
            Err(errno) => Err(error(
                Reason::Kernel(errno),
                &[Cause {
                    cause: "the descriptor is no dmabuf of that length that can be mapped",
                    remedy: "pass the length that it was made with",
                }],
            )),
        }
    }

    /// The descriptor of the dmabuf, if it is one.
    #[inline]
    pub(super) fn dmabuf_fd(&self) -> Option<&Fd> {
        self.dmabuf.as_ref()
    }

    /// Bytes in the area.
    #[allow(clippy::len_without_is_empty, reason = "an area is never empty")]
    #[inline]
    pub fn len(&self) -> usize {
        self.mapping.len()
    }

    /// The bytes that `chunk` refers to.
    ///
    /// # Safety
    ///
    /// The chunk must have been resolved against this area, and nobody may write to its bytes during the
    /// borrow.
    #[inline]
    pub(crate) unsafe fn bytes<'a>(&'a self, chunk: &'a Chunk) -> &'a [u8] {
        // SAFETY: the bytes lie inside the mapping, which lives as long as self, and nobody writes to them
        // (caller). They are initialised: fresh mappings are zeroed, and those of a device's buffer are its.
        unsafe {
            let start = self.base().add(chunk.offset().within() as usize);
            core::slice::from_raw_parts(start.as_ptr(), chunk.len() as usize)
        }
    }

    /// Frees the memory, but keeps its addresses from being used again: for the case that the kernel may still
    /// write to one of them.
    #[inline]
    pub(crate) fn retire(self) {
        self.mapping.retire();
    }

    /// The first byte.
    #[inline]
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.mapping.base()
    }
}
