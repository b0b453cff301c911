//! The table in README.md: the rows in which something is to be reached.

use std::fmt::Write;
use std::fs;

use crate::results::Results;
use crate::table::{describe, number, rows, subjects, why_missing, Row};
use crate::targets::{self, OURS};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
const BEGIN: &str = "<!-- Made by bench/run --readme -->";
const END: &str = "<!-- End of what bench/run made -->";

/// Columns of their own; the others share one.
const COLUMNS: [&str; 2] = ["liburing", "io-uring"];

/// Writes the table between the marks.
pub fn write(results: &Results) -> Result<(), String> {
    let text = fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
    let marks = text.find(BEGIN).zip(text.find(END));
    let Some((begin, end)) = marks.filter(|(begin, end)| begin < end) else {
        return Err(format!(
            "README.md lacks the line {BEGIN}, or {END} behind it"
        ));
    };
    let (before, after) = (&text[..begin + BEGIN.len()], &text[end..]);
    let new = format!("{before}\n\n{}\n{after}", markdown(results));
    fs::write(FILE, new).map_err(|error| format!("{FILE}: {error}"))
}

fn markdown(results: &Results) -> String {
    let rows = rows(results);
    let mut text =
        String::from("| work | liburing | io-uring | others | zcrx-sys | reach | met |\n");
    text += "|---|---|---|---|---|---|---|\n";
    let mut reasons = Vec::new();
    for row in &rows {
        let (reach, met) = row.verdict(&rows);
        if reach.is_empty() {
            continue;
        }
        let [liburing, io_uring] = COLUMNS.map(|name| {
            cell(row, name).unwrap_or_else(|| {
                let reason = why_missing(results, &row.group, &row.case, name);
                reasons.push((format!("{} {}", row.group, row.case), name, reason));
                "–".into()
            })
        });
        let ours = cell(row, OURS).unwrap_or_else(|| "–".into());
        let _ = writeln!(
            text,
            "| {}, {} ({}) | {liburing} | {io_uring} | {} | **{ours}** | {reach} | {met} |",
            row.group,
            row.case,
            row.unit,
            others(row, &rows)
        );
    }
    let _ = writeln!(text, "\n{}.", describe(&results.machine));
    for reason in told_once(reasons) {
        let _ = writeln!(text, "{reason}");
    }
    text
}

fn cell(row: &Row, subject: &str) -> Option<String> {
    row.value(subject).map(number)
}

/// Those without a column, and this crate's own number that a goal is a multiple of.
fn others(row: &Row, rows: &[Row]) -> String {
    let names = subjects([row].into_iter()).into_iter();
    let mut cells: Vec<_> = names
        .filter(|name| !COLUMNS.contains(name) && *name != OURS)
        .filter_map(|name| Some(format!("{name}: {}", cell(row, name)?)))
        .collect();
    let goals = targets::of(&row.group, &row.case, &row.unit);
    for case in goals.iter().filter_map(|goal| goal.other_case()) {
        let mut beside = rows.iter().filter(|other| other.is_beside(row));
        let other = beside.find(|other| other.case == case);
        cells.extend(other.and_then(|other| Some(format!("{case}: {}", cell(other, OURS)?))));
    }
    cells.join("; ")
}

/// Reasons for dashes: each once, with all that it is the reason of.
fn told_once(reasons: Vec<(String, &str, String)>) -> Vec<String> {
    let mut told: Vec<(&str, String, Vec<String>)> = Vec::new();
    for (work, name, reason) in reasons {
        match told
            .iter_mut()
            .find(|told| told.0 == name && told.1 == reason)
        {
            Some((_, _, works)) => works.push(work),
            None => told.push((name, reason, vec![work])),
        }
    }
    told.into_iter()
        .map(|(name, reason, works)| {
            format!("No number of {name} for {}: {reason}.", works.join("; "))
        })
        .collect()
}
