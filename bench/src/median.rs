//! The median of several runs.

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
