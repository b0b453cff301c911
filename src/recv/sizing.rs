//! How large things have to be, and where each rule comes from.

use core::fmt;

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
#[inline]
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
/// Where the NIC puts several packets into one chunk (`fragments` of them: a page of 4096 bytes holds two of MTU
/// 1500), each is delivered, and returned, by itself.
///
/// ```
/// use zcrx_sys::recv::sizing::refill_entries;
/// assert_eq!(refill_entries(5000, 1), 8192);
/// assert_eq!(refill_entries(5000, 2), 16384);
/// assert_eq!(refill_entries(1 << 20, 1), 32768);
/// ```
#[inline]
pub fn refill_entries(chunks: u32, fragments: u32) -> u32 {
    chunks
        .saturating_mul(fragments.max(1))
        .clamp(1, MAX_REFILL_ENTRIES)
        .next_power_of_two()
}

/// What the receive ring of a NIC's queue takes from an area before the first byte has arrived: each descriptor is
/// filled with as many chunks as the longest packet needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NicRing {
    /// Descriptors (`ethtool -g`).
    pub descriptors: u32,
    /// Bytes of the longest packet, headers included (`ip link`).
    pub mtu: u32,
}

impl NicRing {
    /// Bytes that the ring takes, in chunks of `chunk_len` bytes.
    ///
    /// With 8192 descriptors and MTU 9000 that is 96 MiB, which is what a ConnectX-7 was seen to take (96 to 128).
    ///
    /// ```
    /// use zcrx_sys::recv::sizing::NicRing;
    /// let ring = NicRing { descriptors: 8192, mtu: 9000 };
    /// assert_eq!(ring.takes(4096), 96 << 20);
    /// ```
    #[inline]
    pub fn takes(self, chunk_len: u32) -> u64 {
        let chunk_len = chunk_len.max(1);
        let chunks = u64::from(self.mtu.div_ceil(chunk_len).max(1));
        // A packet and a chunk are less than 2³² bytes, so the first product fits.
        (chunks * u64::from(chunk_len)).saturating_mul(u64::from(self.descriptors))
    }
}

/// Bytes of an area for a queue whose ring is `ring`, when the application, and the sockets it has not read, hold
/// up to `window` bytes at a time: both, and a quarter more for chunks that are partly filled, in the driver's
/// caches, or on their way back. A multiple of `chunk_len`.
///
/// For `window` reckon rate times the time until a chunk is returned: 100 Gbit/s and 1 ms are 12 MiB.
///
/// ```
/// use zcrx_sys::recv::sizing::{area_len, NicRing};
/// let ring = NicRing { descriptors: 1024, mtu: 1500 };
/// assert_eq!(area_len(ring, 4096, 4 << 20), 10 << 20);
/// ```
#[inline]
pub fn area_len(ring: NicRing, chunk_len: u32, window: u64) -> u64 {
    let chunk_len = u64::from(chunk_len.max(1));
    let held = window.div_ceil(chunk_len).saturating_mul(chunk_len);
    let both = ring.takes(chunk_len as u32).saturating_add(held);
    let all = both.saturating_add(both / 4);
    all.checked_next_multiple_of(chunk_len)
        .unwrap_or(u64::MAX / chunk_len * chunk_len)
}

/// An area that the NIC's own ring uses up, or nearly: packets are lost as soon as the application holds the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// Bytes in all areas.
    pub area: u64,
    /// The ring.
    pub ring: NicRing,
    /// Bytes that the ring takes of it.
    pub takes: u64,
}

impl Shortage {
    /// Whether areas of `area` bytes in chunks of `chunk_len` are too small for `ring`: less than a quarter more
    /// than it takes.
    ///
    /// ```
    /// use zcrx_sys::recv::sizing::{NicRing, Shortage};
    /// let ring = NicRing { descriptors: 8192, mtu: 9000 };
    /// let shortage = Shortage::of(64 << 20, 4096, ring).unwrap();
    /// assert_eq!(shortage.takes, 96 << 20);
    /// assert_eq!(Shortage::of(256 << 20, 4096, ring), None);
    /// ```
    #[inline]
    pub fn of(area: u64, chunk_len: u32, ring: NicRing) -> Option<Self> {
        let takes = ring.takes(chunk_len);
        (area < takes.saturating_add(takes / 4)).then_some(Self { area, ring, takes })
    }
}

impl fmt::Display for Shortage {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NicRing { descriptors, mtu } = self.ring;
        write!(
            f,
            "the area's {} bytes hardly fill the NIC's own ring, which takes {} ({descriptors} descriptors, MTU \
             {mtu}): use an area of twice that, or a shorter ring (ethtool -G INTERFACE rx N)",
            self.area, self.takes
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_overflows() {
        for n in [0, 1, 2, 4095, 4096, 32768, u32::MAX - 1, u32::MAX] {
            for layout in [CqeLayout::Mixed, CqeLayout::Wide, CqeLayout::Narrow] {
                let entries = completion_entries(n, layout);
                assert!(entries.is_power_of_two() && entries <= MAX_COMPLETION_ENTRIES);
            }
            for m in [0, 1, 2, u32::MAX] {
                let entries = refill_entries(n, m);
                assert!(entries.is_power_of_two() && entries <= MAX_REFILL_ENTRIES);
                let ring = NicRing {
                    descriptors: n,
                    mtu: m,
                };
                for chunk_len in [0, 1, 4096, 1 << 31, u32::MAX] {
                    for window in [0, 1, u64::MAX] {
                        let len = area_len(ring, chunk_len, window);
                        assert_eq!(len % u64::from(chunk_len.max(1)), 0);
                        assert!(window < u64::MAX || len > u64::MAX / 2);
                    }
                    let _ = Shortage::of(0, chunk_len, ring);
                }
            }
        }
    }

    #[test]
    fn a_queue_holds_a_completion_for_each_chunk_and_one_more() {
        for chunks in [1, 7, 8, 1000, 4096] {
            let slots = completion_entries(chunks, CqeLayout::Wide);
            assert!(slots > chunks && slots <= 2 * (chunks + 1), "{chunks}");
            assert_eq!(completion_entries(chunks, CqeLayout::Narrow), slots);
            assert_eq!(completion_entries(chunks, CqeLayout::Mixed), 2 * slots);
            let entries = refill_entries(chunks, 3);
            assert!(entries >= 3 * chunks && entries < 6 * chunks, "{chunks}");
        }
    }

    #[test]
    fn a_descriptor_takes_as_many_chunks_as_the_longest_packet_needs() {
        let ring = |mtu| NicRing {
            descriptors: 10,
            mtu,
        };
        assert_eq!(ring(4096).takes(4096), 40_960);
        assert_eq!(ring(4097).takes(4096), 81_920);
        assert_eq!(ring(0).takes(4096), 40_960, "none does without");
    }

    #[test]
    fn an_area_holds_the_ring_the_window_and_a_quarter_more() {
        let ring = NicRing {
            descriptors: 8,
            mtu: 1500,
        };
        // Whole chunks: 8 and 8, and 4 more.
        assert_eq!(area_len(ring, 4096, 7 * 4096 + 1), 20 * 4096);
        // A quarter of 13 is not whole.
        assert_eq!(area_len(ring, 4096, 5 * 4096), 17 * 4096);
        // What does not fit into 64 bits is still whole chunks.
        assert_eq!(area_len(ring, 4096, u64::MAX), u64::MAX - 4095);
        assert_eq!(area_len(ring, 3 << 30, u64::MAX) % (3 << 30), 0);
    }

    #[test]
    fn an_area_is_short_below_a_quarter_more_than_the_ring_takes() {
        let ring = NicRing {
            descriptors: 16,
            mtu: 1500,
        };
        assert_eq!(Shortage::of(20 * 4096, 4096, ring), None);
        let shortage = Shortage::of(20 * 4096 - 1, 4096, ring).unwrap();
        assert_eq!((shortage.area, shortage.takes), (81_919, 65_536));
        let told = std::format!("{shortage}");
        for part in ["81919", "65536", "16 descriptors", "MTU 1500"] {
            assert!(told.contains(part), "{told}");
        }
    }
}
