//! Marks for `bench/callgrind`, which counts the instructions of functions called `measured_*` between two of them.

use std::hint::black_box;

/// Rounds before counting begins, so that what happens once is over, and rounds that are counted.
const ROUNDS: (u32, u32) = (20, 200);

/// Runs `round`, which handles `units` each time, and tells `bench/callgrind` what was counted: a line of
/// group, case, what a unit is, and how many there were.
pub fn count(group: &str, case: &str, unit: &str, units: u32, mut round: impl FnMut()) {
    (0..ROUNDS.0).for_each(|_| round());
    counting_begins();
    (0..ROUNDS.1).for_each(|_| round());
    counting_ends();
    println!(
        "{group}\t{case}\tinstructions per {unit}\t{}",
        units * ROUNDS.1
    );
}

// Different bodies, so that the compiler does not make one of them.
#[no_mangle]
#[inline(never)]
fn counting_begins() {
    black_box(1);
}

#[no_mangle]
#[inline(never)]
fn counting_ends() {
    black_box(2);
}
