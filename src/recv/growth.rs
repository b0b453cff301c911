//! More memory when buffers run out (kernel 7.3).

use super::pool::Pool;
use super::receiver::Receiver;
use super::source::{Fallback, Pages, Wanted};
use crate::zcrx::Area;

/// How far the memory may grow.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Growth {
    /// Bytes in all areas that it may come to.
    pub(super) limit: u64,
    /// Bytes that are added at a time.
    pub(super) step: usize,
    pub(super) pages: Pages,
}

impl Receiver {
    /// Adds an area, if there may be another. Whether there is one now.
    ///
    /// Called when buffers ran out and nothing that was returned can help. An area that cannot be had ends all
    /// growth, and is told of by [`Receiver::fallbacks`].
    #[inline]
    pub(super) fn grow(&mut self) -> bool {
        let Growth { limit, step, pages } = self.growth;
        let Pool::Zcrx(ifq) = &self.pool else {
            return false;
        };
        if step == 0 || ifq.area_len() + step as u64 > limit {
            return false;
        }
        match area(step, pages).and_then(|area| ifq.add_area(area)) {
            Ok(()) => {
                self.counters.areas_added += 1;
                self.short_at = self.pool.chunks() / 4;
                true
            }
            Err(error) => {
                self.growth.step = 0;
                let wanted = Wanted::Area(step);
                self.fallbacks.push(Fallback { wanted, error });
                false
            }
        }
    }
}

/// An area of `len` bytes of such pages.
#[inline]
pub(super) fn area(len: usize, pages: Pages) -> Result<Area, crate::error::Error> {
    match pages {
        Pages::Ordinary => Area::new(len),
        Pages::Huge => Area::huge_pages(len),
        Pages::Transparent => Area::transparent_huge_pages(len),
    }
}
