//! The tables for a terminal.

use std::fmt::Write;

use crate::results::Results;
use crate::table::{describe, number, rows, subjects, why_missing, Row};
use crate::targets::{is_ours, OURS};

/// A table for each group and unit.
pub fn text(results: &Results) -> String {
    let rows = rows(results);
    let mut text = format!("{}\n", describe(&results.machine));
    for section in rows.chunk_by(Row::is_beside) {
        let (group, unit) = (&section[0].group, &section[0].unit);
        let _ = writeln!(text, "\n{group}: {unit}");
        let mut names = subjects(section.iter());
        // Who failed in every case has a column as well, for the reason's sake.
        for missing in results.missing.iter().rev() {
            let name = missing.subject.as_str();
            if missing.group == *group && !name.is_empty() && !names.contains(&name) {
                names.insert(0, name);
            }
        }
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

#[cfg(test)]
mod tests {
    use zcrx_bench::Measurement;

    use super::*;

    fn result(case: &str, subject: &str, value: f64) -> Measurement {
        Measurement {
            group: "nop".into(),
            case: case.into(),
            subject: subject.into(),
            unit: "ns per op".into(),
            value,
            runs: 3,
            range: (value, value),
        }
    }

    #[test]
    fn numbers_have_three_digits_that_count() {
        let shown = [0.0, 0.0997, 5.408, 23.59, 337.2, 12_345.6].map(number);
        assert_eq!(shown, ["0", "0.0997", "5.41", "23.6", "337", "12346"]);
    }

    #[test]
    fn a_row_has_ratios_a_verdict_and_a_reason_for_what_is_missing() {
        let mut results = Results::default();
        results.add(result("batch 1", "io-uring", 100.0));
        results.add(result("batch 1", "zcrx-sys", 77.0));
        results.add(result("batch 32", "liburing", 9.0));
        results.add(result("batch 1", "zcrx-sys", 84.0)); // measured anew
        results.miss("nop", "batch 1", "liburing", "no compiler");
        results.miss("nop", "batch 1", "tokio", "no network");
        let text = text(&results);
        let line = text.lines().find(|line| line.contains("batch 1 ")).unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        let expected = "batch 1 – – 100 (0.84) 84.0 ≤ 0.70 × io-uring no (+20 %)";
        assert_eq!(words.join(" "), expected);
        assert!(text.contains("–: liburing: no compiler"));
        assert!(text.contains("–: zcrx-sys: not measured in this case"));
        assert!(text.contains("–: tokio: no network"));
    }

    #[test]
    fn this_crate_comes_last() {
        let mut results = Results::default();
        for subject in ["zcrx-sys, spin", "epoll", "other", "zcrx-sys", "liburing"] {
            results.add(result("batch 1", subject, 1.0));
        }
        let rows = rows(&results);
        let order = ["liburing", "epoll", "other", "zcrx-sys", "zcrx-sys, spin"];
        assert_eq!(subjects(rows.iter()), order);
    }
}
