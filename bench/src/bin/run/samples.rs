//! Interleaved runs: everyone in turn, round after round, so that what disturbs one disturbs all.

use std::process::Command;

use zcrx_bench::median::median;
use zcrx_bench::Measurement;

use crate::bench::{last_line, Bench};

/// Who is measured in which case, and what makes one sample: a number for each unit.
pub struct Subject<'a> {
    case: String,
    name: &'a str,
    sample: Sample<'a>,
}

type Sample<'a> = Box<dyn Fn(&Bench) -> Result<Vec<f64>, String> + 'a>;

impl<'a> Subject<'a> {
    pub fn new(
        case: impl Into<String>,
        name: &'a str,
        sample: impl Fn(&Bench) -> Result<Vec<f64>, String> + 'a,
    ) -> Self {
        Self {
            case: case.into(),
            name,
            sample: Box::new(sample),
        }
    }
}

/// Runs all `subjects` in turns and notes the medians, after each round those so far. Who fails is left out from
/// then on.
pub fn interleave(
    bench: &mut Bench,
    group: &str,
    units: &[&str],
    rounds: u32,
    subjects: &[Subject],
) {
    let mut samples: Vec<Vec<Vec<f64>>> = vec![Vec::new(); subjects.len()];
    let mut has_failed = vec![false; subjects.len()];
    for round in 0..rounds {
        bench.progress(&format!("round {} of {rounds}", round + 1));
        for (at, subject) in subjects.iter().enumerate() {
            if bench.is_stopped() {
                return;
            }
            if has_failed[at] {
                continue;
            }
            match (subject.sample)(bench) {
                Ok(sample) => samples[at].push(sample),
                // If it was the Ctrl-C, this notes nothing.
                Err(reason) => {
                    has_failed[at] = true;
                    bench.miss(group, &subject.case, subject.name, &reason);
                    continue;
                }
            }
            for (unit, name) in units.iter().enumerate() {
                let values = samples[at].iter().map(|sample| sample[unit]).collect();
                if let Some(result) = median_of(group, subject, name, values) {
                    bench.add(result);
                }
            }
        }
    }
}

/// The median of `values`, `None` without any.
fn median_of(group: &str, subject: &Subject, unit: &str, values: Vec<f64>) -> Option<Measurement> {
    if values.is_empty() {
        return None;
    }
    let (value, range) = median(&values);
    Some(Measurement {
        group: group.into(),
        case: subject.case.clone(),
        subject: subject.name.into(),
        unit: unit.into(),
        value,
        runs: values.len() as u32,
        range,
    })
}

/// The number that a program prints.
pub fn number(command: &mut Command) -> Result<f64, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(failure(&output));
    }
    let text = last_line(&output.stdout);
    text.parse()
        .map_err(|_| format!("it printed {text:?}, which is no number"))
}

/// Why a program failed, in one line.
pub fn failure(output: &std::process::Output) -> String {
    match last_line(&output.stderr) {
        said if said.is_empty() => format!("it failed ({})", output.status),
        said => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_has_as_many_below_as_above() {
        let subject = Subject::new("case", "subject", |_| Ok(Vec::new()));
        let median = |values: &[f64]| median_of("group", &subject, "unit", values.into());
        assert!(median(&[]).is_none());
        for (values, value) in [(&[3.0, 1.0, 9.0][..], 3.0), (&[4.0, 1.0, 2.0, 9.0], 3.0)] {
            let median = median(values).unwrap();
            assert_eq!((median.value, median.range), (value, (1.0, 9.0)));
            assert_eq!(median.runs as usize, values.len());
        }
    }
}
