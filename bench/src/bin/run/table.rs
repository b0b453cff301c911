//! The results as tables: a row for each group, case and unit.

use std::fmt::Write;

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
    /// By subject.
    values: Vec<(String, f64)>,
}

impl Row {
    pub fn value(&self, subject: &str) -> Option<f64> {
        let mut values = self.values();
        values.find_map(|(name, value)| (name == subject).then_some(value))
    }

    pub fn values(&self) -> impl Iterator<Item = (&str, f64)> {
        let values = self.values.iter();
        values.map(|(subject, value)| (subject.as_str(), *value))
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
                    format!("no ({off:+.0} %)")
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
        let value = (result.subject.clone(), result.value);
        let is_same = |row: &&mut Row| {
            (&row.group, &row.case, &row.unit) == (&result.group, &result.case, &result.unit)
        };
        match rows.iter_mut().find(is_same) {
            Some(row) => row.values.push(value),
            None => {
                let new = Row {
                    group: result.group.clone(),
                    case: result.case.clone(),
                    unit: result.unit.clone(),
                    values: vec![value],
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

/// The tables for a terminal, one for each group and unit.
pub fn text(results: &Results) -> String {
    let rows = rows(results);
    let mut text = format!("{}\n", describe(&results.machine));
    for section in rows.chunk_by(Row::is_beside) {
        let (group, unit) = (&section[0].group, &section[0].unit);
        let _ = writeln!(text, "\n{group}: {unit}");
        let names = subjects(section.iter());
        let mut cells: Vec<Vec<String>> = vec![[""]
            .into_iter()
            .chain(names.iter().copied())
            .chain(["reach", "met"])
            .map(String::from)
            .collect()];
        for row in section {
            let mut line = vec![row.case.clone()];
            line.extend(names.iter().map(|name| cell(row, name)));
            let (reach, met) = row.verdict(&rows);
            line.extend([reach, met]);
            cells.push(line);
        }
        align(&cells, &mut text);
        for reason in reasons(results, section, &names) {
            let _ = writeln!(text, "  –: {reason}");
        }
    }
    let mut whole: Vec<_> = results.missing.iter().collect();
    whole.retain(|missing| missing.subject.is_empty());
    for missing in whole {
        let _ = writeln!(
            text,
            "\n{}: not measured: {}",
            missing.group, missing.reason
        );
    }
    text
}

/// A value; a rival's with that of this crate as a multiple of it.
fn cell(row: &Row, subject: &str) -> String {
    let Some(value) = row.value(subject) else {
        return "–".into();
    };
    match row.value(OURS) {
        Some(ours) if !is_ours(subject) && value > 0.0 => {
            format!("{} ({:.2})", number(value), ours / value)
        }
        _ => number(value),
    }
}

/// Why cells are empty.
fn reasons(results: &Results, section: &[Row], names: &[&str]) -> Vec<String> {
    let mut reasons = Vec::new();
    for row in section {
        for name in names.iter().filter(|name| row.value(name).is_none()) {
            let why = why_missing(results, &row.group, &row.case, name);
            let reason = format!("{name}: {why}");
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
    }
    reasons
}

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

fn align(cells: &[Vec<String>], text: &mut String) {
    let width = |column: usize| {
        let column = cells.iter().map(|line| line[column].chars().count());
        column.max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..cells[0].len()).map(width).collect();
    for line in cells {
        let mut padded = String::new();
        for (at, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let space = " ".repeat(width - cell.chars().count());
            let is_text = at == 0 || at + 2 >= line.len();
            let _ = match is_text {
                true => write!(padded, "  {cell}{space}"),
                false => write!(padded, "  {space}{cell}"),
            };
        }
        let _ = writeln!(text, "{}", padded.trim_end());
    }
}
