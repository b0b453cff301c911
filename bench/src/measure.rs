//! Medians and clocks.

/// The median of `values`, and the least and the most of them.
///
/// # Panics
///
/// If there are none.
pub fn median(values: &[f64]) -> (f64, (f64, f64)) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = match sorted.len() % 2 {
        0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    };
    (median, (sorted[0], sorted[sorted.len() - 1]))
}

/// CPU seconds that this process has used, all its threads together, those of the kernel's on its behalf too.
pub fn process_cpu() -> f64 {
    seconds(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// CPU seconds that this thread has used.
pub fn thread_cpu() -> f64 {
    seconds(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn seconds(clock: libc::clockid_t) -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: time is a live, exclusively borrowed local.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
