//! Areas as the kernel is told of them: which ones it would not take, and adding one to an instance.

use super::area::Area;
use super::causes::RefusedArea;
use super::ctrl::Target;
use super::instance::Instance;
use super::token::Offset;
use crate::error::{Error, Reason};
use crate::uapi::{self, io_uring_zcrx_area_reg};

/// What no area of chunks of `chunk_len` bytes can be: answers what it must.
#[inline]
pub(super) fn unfit_area(area: &Area, chunk_len: u32) -> Option<&'static str> {
    if area.len() % chunk_len as usize != 0 {
        Some("be a multiple of the chunk length")
    } else if area.len() as u64 > 1 << 32 {
        // Before 7.3.3 the kernel computed offsets in 32 bits, and delivered wrong ones past that.
        Some("not exceed 4 GiB")
    } else {
        None
    }
}

/// An area as the kernel is told of it.
#[inline]
pub(super) fn describe(area: &Area) -> io_uring_zcrx_area_reg {
    let mut reg = io_uring_zcrx_area_reg {
        len: area.len() as u64,
        ..Default::default()
    };
    match area.dmabuf_fd() {
        Some(fd) => {
            reg.flags = uapi::IORING_ZCRX_AREA_DMABUF;
            reg.dmabuf_fd = fd.as_raw() as u32;
        }
        None => reg.addr = area.base().as_ptr() as usize as u64,
    }
    reg
}

/// Adds an area to an instance.
#[inline]
pub(super) fn add_area(instance: &Instance, target: Target, area: Area) -> Result<(), Error> {
    let refused = RefusedArea::new(&area, Some(instance.chunk_len));
    let error = |reason| target.add_area_error(&refused, reason);
    let must = unfit_area(&area, instance.chunk_len);
    let must = must.or_else(|| {
        (area.dmabuf_fd().is_none() != instance.readable)
            .then_some("be of the same kind as the instance's other areas, memory or dmabuf")
    });
    if let Some(must) = must {
        let name = "area bytes";
        return Err(error(Reason::Argument { name, must }));
    }
    // Until this is dropped, whoever receives into the new area waits to decode it.
    let mut total = instance.areas.adding();
    // SAFETY: if the kernel takes the area, it goes into the instance's table, which keeps its memory as long
    // as the instance, or it is kept for good.
    let token = unsafe { target.add_area(&area) }.map_err(|errno| error(Reason::Kernel(errno)))?;
    let id = Offset::of_area(token).map_or(u16::MAX, Offset::area_id);
    instance.areas.insert(&mut total, id, area).map_err(|area| {
        core::mem::forget(area);
        let how = "the new area's token is no free area id";
        error(Reason::Answer(how))
    })
}
