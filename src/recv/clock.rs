//! Time since some fixed moment, and letting some pass.

use core::time::Duration;

/// Now, exact.
pub(super) fn fine() -> Duration {
    read(libc::CLOCK_MONOTONIC)
}

/// Now, a few milliseconds coarse, in a fifth of the time.
pub(super) fn coarse() -> Duration {
    read(libc::CLOCK_MONOTONIC_COARSE)
}

/// Lets some milliseconds pass.
pub(super) fn pause(span: Duration) {
    let milliseconds = span.as_millis().try_into().unwrap_or(i32::MAX);
    // SAFETY: no descriptors are passed, so the null pointer is not read.
    unsafe { libc::poll(core::ptr::null_mut(), 0, milliseconds) };
}

fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: time is a live, exclusively borrowed local.
    unsafe { libc::clock_gettime(clock, &mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_and_both_clocks_tell_the_same() {
        let (coarse, fine) = (coarse(), super::fine());
        assert!(fine > Duration::ZERO && fine.saturating_sub(coarse) < Duration::from_secs(1));
        let span = Duration::from_millis(3);
        pause(span);
        assert!(super::fine().saturating_sub(fine) >= span);
    }
}
