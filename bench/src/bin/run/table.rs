//! The results as rows: one for each group, case and unit.

use zcrx_bench::Measurement;

use crate::results::{Machine, Results};
use crate::targets::{self, is_ours, OURS};

/// In which order those are shown who are known; others come behind the rivals.
const ORDER: [&str; 6] = [
    "liburing",
    "io-uring",
    "io-uring, LTO",
    "tokio",
    "epoll",
    "by hand",
];

/// One line.
#[derive(Debug)]
pub struct Row {
    pub group: String,
    pub case: String,
    pub unit: String,
    /// One of each subject.
    pub results: Vec<Measurement>,
}

impl Row {
    pub fn value(&self, subject: &str) -> Option<f64> {
        let mut values = self.values();
        values.find_map(|(name, value)| (name == subject).then_some(value))
    }

    pub fn values(&self) -> impl Iterator<Item = (&str, f64)> {
        let results = self.results.iter();
        results.map(|result| (result.subject.as_str(), result.value))
    }

    /// The least and the most that were measured of a subject.
    pub fn range(&self, subject: &str) -> Option<(f64, f64)> {
        let mut results = self.results.iter();
        results.find_map(|result| (result.subject == subject).then_some(result.range))
    }

    /// The bounds for this crate's number.
    pub fn bounds(&self, rows: &[Self]) -> Vec<f64> {
        let reaches = targets::of(&self.group, &self.case, &self.unit).iter();
        let value = self.value(OURS).unwrap_or_default();
        reaches
            .filter_map(|reach| Some(reach.judge(value, self, rows)?.0))
            .collect()
    }

    /// Whether it is of the same group and unit.
    pub fn is_beside(&self, other: &Self) -> bool {
        (&self.group, &self.unit) == (&other.group, &other.unit)
    }

    /// What is to be reached, and whether it is.
    pub fn verdict(&self, rows: &[Self]) -> (String, String) {
        let reaches = targets::of(&self.group, &self.case, &self.unit);
        let names: Vec<_> = reaches.iter().map(ToString::to_string).collect();
        let Some(value) = self.value(OURS).filter(|_| !reaches.is_empty()) else {
            return (names.join(", "), String::new());
        };
        let verdicts: Vec<_> = reaches
            .iter()
            .map(|reach| match reach.judge(value, self, rows) {
                Some((_, true)) => "yes".to_string(),
                Some((bound, false)) => {
                    let off = (value / bound - 1.0) * 100.0;
                    let digits = usize::from(off.abs() < 10.0);
                    format!("no ({off:+.digits$} %)")
                }
                None => "–".to_string(),
            })
            .collect();
        (names.join(", "), verdicts.join(", "))
    }
}

/// All rows, those of one group and unit together, in the order of the results.
pub fn rows(results: &Results) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for result in &results.measurements {
        let value = result.clone();
        let is_same = |row: &&mut Row| {
            (&row.group, &row.case, &row.unit) == (&result.group, &result.case, &result.unit)
        };
        match rows.iter_mut().find(is_same) {
            Some(row) => row.results.push(value),
            None => {
                let new = Row {
                    group: result.group.clone(),
                    case: result.case.clone(),
                    unit: result.unit.clone(),
                    results: vec![value],
                };
                let beside = rows.iter().rposition(|row| row.is_beside(&new));
                rows.insert(beside.map_or(rows.len(), |at| at + 1), new);
            }
        }
    }
    rows
}

/// The subjects of some rows: rivals as known, other rivals, and this crate at last.
pub fn subjects<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<&'a str> {
    let mut subjects: Vec<&str> = Vec::new();
    for (subject, _) in rows.flat_map(|row| row.values()) {
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    let known = |subject: &str| ORDER.iter().position(|known| *known == subject);
    subjects.sort_by_key(|subject| {
        let rank = known(subject).unwrap_or(ORDER.len());
        (
            is_ours(subject),
            subject.len() * usize::from(is_ours(subject)),
            rank,
        )
    });
    subjects
}

/// Why there is no number.
pub fn why_missing(results: &Results, group: &str, case: &str, subject: &str) -> String {
    let noted = results
        .missing
        .iter()
        .find(|missing| missing.is_about(group, case, subject));
    match (noted, targets::impossible(group, case, subject)) {
        (Some(missing), _) => missing.reason.clone(),
        (None, Some(reason)) => reason.into(),
        (None, None) => "not measured in this case".into(),
    }
}

/// Three digits that count.
pub fn number(value: f64) -> String {
    let digits = match value.abs() {
        0.0 => 0,
        value => (2 - value.log10().floor() as i32).max(0) as usize,
    };
    format!("{value:.digits$}")
}

/// What the numbers depend on, in a sentence.
pub fn describe(machine: &Machine) -> String {
    let Machine {
        processor,
        processors,
        kernel,
        rustc,
        cc,
        liburing,
        io_uring_crate,
        tokio,
    } = machine;
    let rustc = rustc.split(" (").next().unwrap_or_default();
    let liburing = match liburing.as_str() {
        "" => String::new(),
        version => format!(", liburing {version}"),
    };
    format!(
        "{processor}, {processors} processors, kernel {kernel}, {rustc}, {cc}; \
         io-uring {io_uring_crate}{liburing}, tokio {tokio}"
    )
}
