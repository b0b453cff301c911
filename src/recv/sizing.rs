//! How large things have to be, and where each rule comes from.

use crate::ring::{CqeLayout, MAX_COMPLETION_ENTRIES};
use crate::zcrx::MAX_REFILL_ENTRIES;

/// Completion slots for `chunks` chunks between two drains, a power of two.
///
/// Every chunk is a completion: two slots of a mixed queue, one of the others. The queue cannot be
/// resized later, and a full one ends requests (ENOSPC), so one chunk more is reckoned with, for the
/// filler at the wrap and the terminal completions.
///
/// ```
/// use zcrx_sys::recv::sizing::completion_entries;
/// use zcrx_sys::ring::CqeLayout;
/// assert_eq!(completion_entries(1000, CqeLayout::Wide), 1024);
/// assert_eq!(completion_entries(1000, CqeLayout::Mixed), 2048);
/// ```
pub fn completion_entries(chunks: u32, layout: CqeLayout) -> u32 {
    let slots = if layout == CqeLayout::Mixed { 2 } else { 1 };
    let entries = chunks
        .saturating_add(1)
        .saturating_mul(slots)
        .min(MAX_COMPLETION_ENTRIES);
    entries.next_power_of_two()
}

/// Refill entries for an area of `chunks` chunks, a power of two: each chunk that is out needs its own
/// entry when it is returned, so with one for every chunk the ring never runs full. The kernel allows
/// no more than 32768.
///
/// ```
/// assert_eq!(zcrx_sys::recv::sizing::refill_entries(5000), 8192);
/// assert_eq!(zcrx_sys::recv::sizing::refill_entries(1 << 20), 32768);
/// ```
pub fn refill_entries(chunks: u32) -> u32 {
    chunks.clamp(1, MAX_REFILL_ENTRIES).next_power_of_two()
}
