//! Spans of time in the units that the kernel reads.

use core::time::Duration;

use crate::uapi::__kernel_timespec;

/// 136 years, which is as good as for ever. The kernel adds the time since boot to what it is given, in
/// nanoseconds of 63 bits (292 years), so that what it calls for ever would overflow.
const LONGEST: u64 = 1 << 32;

/// A time span as the kernel reads it; longer than 136 years counts as that.
pub(super) fn timespec(span: Duration) -> __kernel_timespec {
    __kernel_timespec {
        tv_sec: span.as_secs().min(LONGEST) as i64,
        tv_nsec: i64::from(span.subsec_nanos()),
    }
}

/// Microseconds, rounded up: a span that is not 0 does not become 0.
pub(super) fn microseconds(span: Duration) -> u64 {
    let below_a_second = u64::from(span.subsec_nanos().div_ceil(1000));
    span.as_secs()
        .saturating_mul(1_000_000)
        .saturating_add(below_a_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_rounded_up_and_end_somewhere() {
        for (nanoseconds, want) in [
            (0, 0),
            (1, 1),
            (1000, 1),
            (1001, 2),
            (999_999_999, 1_000_000),
        ] {
            assert_eq!(microseconds(Duration::from_nanos(nanoseconds)), want);
        }
        assert_eq!(microseconds(Duration::from_secs(7)), 7_000_000);
        assert_eq!(microseconds(Duration::MAX), u64::MAX);
        let (short, long) = (timespec(Duration::new(5, 9)), timespec(Duration::MAX));
        assert_eq!((short.tv_sec, short.tv_nsec), (5, 9));
        assert_eq!((long.tv_sec, long.tv_nsec), (1 << 32, 999_999_999));
        let since_boot = 1_u64 << 61; // 73 years
        let nanoseconds = long.tv_sec as u64 * 1_000_000_000 + long.tv_nsec as u64;
        assert!(i64::try_from(nanoseconds + since_boot).is_ok());
    }
}
