//! [`Area`]: the memory that received payload lands in.

use core::ptr::NonNull;

use crate::errno::Errno;
use crate::error::{Attempt, Cause, Error, Reason};
use crate::mapping::{page_size, Mapping};

static MAP_AREA: Attempt = Attempt {
    what: "map an area",
    arguments: &["bytes", "page bytes"],
};

const HUGE_PAGE: usize = 2 << 20;

/// Memory for received payload, owned by whatever is registered with it.
///
/// A forked child does not inherit it (`MADV_DONTFORK`): the kernel goes on filling the parent's pages.
#[derive(Debug)]
pub struct Area {
    mapping: Mapping,
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
    pub fn new(len: usize) -> Result<Self, Error> {
        Self::map(len, page_size(), false)
    }

    /// `len` bytes of reserved 2 MiB pages (`vm.nr_hugepages`); a multiple of 2 MiB. Chunks larger than
    /// a page need memory that is contiguous, as these pages are.
    ///
    /// # Errors
    ///
    /// A length of 0 or no multiple of 2 MiB; too few reserved pages left.
    pub fn huge_pages(len: usize) -> Result<Self, Error> {
        Self::map(len, HUGE_PAGE, true)
    }

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
            Ok(mapping) => Ok(Self { mapping }),
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

    /// Bytes in the area.
    #[allow(clippy::len_without_is_empty, reason = "an area is never empty")]
    pub fn len(&self) -> usize {
        self.mapping.len()
    }

    /// The first byte.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.mapping.base()
    }
}
