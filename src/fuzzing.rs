//! Ways in for the fuzz targets (`fuzz/`), to parts of the crate that have no public name. No part of its
//! interface: what is here changes at any time.

use core::ptr::NonNull;

pub use crate::recv::fuzzing::{after, Action, Phase};
pub use crate::zcrx::interface_fuzzing::{attributes, netlink_answer, netlink_readings};
pub use crate::zcrx::interface_fuzzing::{NetlinkAnswer, Readings};

use alloc::vec::Vec;

use crate::error::Reason;
use crate::fd::Fd;
use crate::mapping::{page_size, Mapping};
use crate::uapi::{io_uring_zcrx_area_reg, io_uring_zcrx_ifq_reg};
use crate::zcrx::{Answer, Area, Ifq, Memory, Prepared};

/// What a kernel is to answer to a registration, and the memory that the registration was about.
#[derive(Clone, Copy, Default)]
pub struct Registration {
    /// What the kernel wrote into the registration.
    pub reg: io_uring_zcrx_ifq_reg,
    /// What it wrote into the description of the area.
    pub area: io_uring_zcrx_area_reg,
    /// Pages of the area.
    pub area_pages: usize,
    /// Pages of the refill region.
    pub region_pages: usize,
    /// Where in the region statistics were asked for, in bytes.
    pub stats_offset: Option<usize>,
}

/// An instance whose registration passed all checks.
#[derive(Debug)]
pub struct Registered {
    /// The application's end.
    pub ifq: Ifq,
    /// The refill region, which [`ifq`](Self::ifq) owns.
    region: NonNull<u8>,
    region_len: usize,
}

impl Registered {
    /// What is in the refill region.
    pub fn region(&self) -> Vec<u8> {
        // SAFETY: the mapping lives as long as the instance; nobody writes to it at the same time, because
        // there is no kernel behind it and the Ifq, which does, is borrowed.
        unsafe { core::slice::from_raw_parts(self.region.as_ptr(), self.region_len) }.to_vec()
    }
}

impl Registration {
    /// Has the crate take the answer in. The refill region is filled with `content`, as far as that goes; the
    /// answer's own refusal comes back as text.
    ///
    /// # Errors
    ///
    /// The answer is of no use.
    ///
    /// # Panics
    ///
    /// No memory is left.
    pub fn accept(self, ring: Fd, content: &[u8]) -> Result<Registered, &'static str> {
        let len = self.area_pages * page_size();
        let area = Mapping::anonymous(len, false).expect("memory for the area");
        let region_len = self.region_pages * page_size();
        let region = Mapping::anonymous(region_len, false).expect("memory for the region");
        let (lost, start) = (
            [(area.base(), len), (region.base(), region_len)],
            region.base(),
        );
        let content = &content[..content.len().min(region_len)];
        // SAFETY: the region is fresh and at least that long.
        unsafe { start.copy_from_nonoverlapping(NonNull::from(content).cast(), content.len()) };
        let memory = Memory {
            area: Area::of(area, page_size()),
            region,
            stats_offset: self.stats_offset,
        };
        let answer = Answer {
            reg: self.reg,
            area: self.area,
            region: Default::default(),
        };
        let prepared = Prepared::new(ring).expect("memory for the instance");
        match answer.accept(prepared, memory) {
            Ok(ifq) => Ok(Registered {
                ifq,
                region: start,
                region_len,
            }),
            Err(how) => {
                // Left mapped, for the kernel that may still write there. Here is none.
                for (base, len) in lost {
                    // SAFETY: accept() forgot the whole mapping, so nobody refers to it any more.
                    unsafe { libc::munmap(base.as_ptr().cast(), len) };
                }
                Err(match how {
                    Reason::Answer(how) => how,
                    _ => "another reason than the answer",
                })
            }
        }
    }
}
