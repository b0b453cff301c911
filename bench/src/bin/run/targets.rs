//! What is to be reached, all in one place; and why some rivals cannot be measured in some cases.

use crate::table::Row;

/// A bound for the number of `zcrx-sys`.
#[derive(Clone, Copy, Debug)]
pub enum Reach {
    /// A number.
    AtMost(f64),
    /// A multiple of a rival's number.
    TimesOf(f64, &'static str),
    /// A multiple of the number of `zcrx-sys` in another case.
    TimesOfCase(f64, &'static str),
    /// A multiple of the least number of all rivals.
    TimesOfLeast(f64),
    /// A multiple of the greatest number of all rivals, which is not to be fallen short of.
    AtLeastTimesOfMost(f64),
}

use Reach::{AtLeastTimesOfMost, AtMost, TimesOf, TimesOfCase, TimesOfLeast};

/// Group, case and unit, each with a `*` for what else may come at its end; and the bounds.
type Target = (&'static str, &'static str, &'static str, &'static [Reach]);

const INSTRUCTIONS: &str = "instructions*";
const TARGETS: &[Target] = &[
    ("drain", "narrow", INSTRUCTIONS, &[AtMost(6.0)]),
    ("drain", "wide", INSTRUCTIONS, &[AtMost(8.0)]),
    ("drain", "mixed*", INSTRUCTIONS, &[AtMost(16.0)]),
    ("refill", "batch 64", INSTRUCTIONS, &[AtMost(9.0)]),
    ("drain and refill", "wide", INSTRUCTIONS, &[AtMost(22.0)]),
    ("nop", "batch 32", INSTRUCTIONS, &[AtMost(27.0)]),
    ("nop", "batch 1", "ns*", &[TimesOf(0.70, "io-uring")]),
    (
        "refill-contended",
        "batch 64",
        "ns*",
        &[TimesOfCase(0.25, "batch 1")],
    ),
    // "The best of them within noise": 5 %.
    ("loopback", "*", "GB/s", &[AtLeastTimesOfMost(0.95)]),
    ("loopback", "*", "CPU seconds*", &[TimesOfLeast(1.0)]),
    (
        "build",
        "default features",
        "seconds",
        &[TimesOf(0.70, "io-uring")],
    ),
    (
        "lab",
        "*",
        "CPU seconds*",
        &[TimesOf(0.40, "epoll"), TimesOf(1.0, "liburing")],
    ),
];

/// What is to be reached in a row.
pub fn of(group: &str, case: &str, unit: &str) -> &'static [Reach] {
    let target = TARGETS
        .iter()
        .find(|target| target.0 == group && matches(target.1, case) && matches(target.2, unit));
    target.map_or(&[], |target| target.3)
}

/// Whether `text` is what `pattern` says, or begins so if that ends with a `*`.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => text.starts_with(beginning),
        None => text == pattern,
    }
}

impl Reach {
    /// The bound as a number, and whether `value` keeps to it; `None` if it cannot be told.
    pub fn judge(self, value: f64, row: &Row, rows: &[Row]) -> Option<(f64, bool)> {
        let rivals = || row.values().filter(|(subject, _)| !is_ours(subject));
        let bound = match self {
            AtMost(bound) => bound,
            TimesOf(times, rival) => times * row.value(rival)?,
            TimesOfCase(times, case) => {
                let other = rows
                    .iter()
                    .find(|other| other.is_beside(row) && other.case == case)?;
                times * other.value(OURS)?
            }
            TimesOfLeast(times) => times * rivals().map(|(_, value)| value).reduce(f64::min)?,
            AtLeastTimesOfMost(times) => {
                let bound = times * rivals().map(|(_, value)| value).reduce(f64::max)?;
                return Some((bound, value >= bound));
            }
        };
        Some((bound, value <= bound))
    }
}

impl std::fmt::Display for Reach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AtMost(bound) => write!(f, "≤ {bound}"),
            TimesOf(times, rival) => write!(f, "≤ {times:.2} × {rival}"),
            TimesOfCase(times, case) => write!(f, "≤ {times:.2} × {case}"),
            TimesOfLeast(times) => write!(f, "≤ {times:.2} × the least rival"),
            AtLeastTimesOfMost(times) => write!(f, "≥ {times:.2} × the best rival"),
        }
    }
}

impl Reach {
    /// The case whose number it is a multiple of.
    pub fn other_case(self) -> Option<&'static str> {
        match self {
            TimesOfCase(_, case) => Some(case),
            _ => None,
        }
    }
}

/// Who is to reach it.
pub const OURS: &str = "zcrx-sys";

/// Whether a subject is this crate, in one way or another.
pub fn is_ours(subject: &str) -> bool {
    subject.starts_with(OURS)
}

/// Group, case and subject, as above, and why there is no such number.
const IMPOSSIBLE: &[(&str, &str, &str, &str)] = &[
    (
        "drain",
        "mixed*",
        "io-uring*",
        "its queue cannot hold entries of both sizes",
    ),
    (
        "refill",
        "*",
        "io-uring*",
        "it has no refill ring; what its users write is “by hand”",
    ),
    (
        "nop",
        "batch 1, registered descriptor",
        "io-uring",
        "it cannot enter by a registered descriptor",
    ),
    (
        "refill-contended",
        "*",
        "*",
        "what is asked is how much a batch saves",
    ),
    (
        "build",
        "*",
        "liburing",
        "C programs are built in other ways",
    ),
    (
        "build",
        "no default features",
        "io-uring",
        "it has no features to leave out",
    ),
    (
        "build",
        "bindgen",
        "io-uring",
        "its feature of that name takes the system's headers, which may be older than its source",
    ),
];

/// Why nothing can be measured there, whatever the machine.
pub fn impossible(group: &str, case: &str, subject: &str) -> Option<&'static str> {
    let found = IMPOSSIBLE
        .iter()
        .find(|at| at.0 == group && matches(at.1, case) && matches(at.2, subject));
    found.map(|found| found.3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_that_of_its_case_alone() {
        assert_eq!(of("nop", "batch 1", "ns per op").len(), 1);
        assert!(of("nop", "batch 128", "ns per op").is_empty());
        assert!(of("drain and refill", "wide", "seconds").is_empty());
        assert_eq!(
            of("drain", "mixed, random", "instructions per entry").len(),
            1
        );
        assert_eq!(of("lab", "MTU 1500", "CPU seconds per GB").len(), 2);
    }
}
