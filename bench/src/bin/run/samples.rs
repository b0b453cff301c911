//! Interleaved runs: everyone in turn, round after round, so that what disturbs one disturbs all.

use std::process::Command;

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

/// Runs all `subjects` in turns and notes the medians. Who fails is left out from then on.
pub fn interleave(
    bench: &mut Bench,
    group: &str,
    units: &[&str],
    rounds: u32,
    subjects: &[Subject],
) {
    let mut samples: Vec<Result<Vec<Vec<f64>>, String>> = vec![Ok(Vec::new()); subjects.len()];
    for round in 0..rounds {
        bench.progress(&format!("round {} of {rounds}", round + 1));
        for (subject, samples) in subjects.iter().zip(&mut samples) {
            let Ok(so_far) = samples else { continue };
            if bench.is_stopped() {
                break;
            }
            match (subject.sample)(bench) {
                Ok(sample) => so_far.push(sample),
                // The program may have got the Ctrl-C.
                Err(_) if bench.is_stopped() => {}
                Err(reason) => *samples = Err(reason),
            }
        }
    }
    for (subject, samples) in subjects.iter().zip(samples) {
        match samples {
            Ok(samples) => {
                for (at, unit) in units.iter().enumerate() {
                    let values = samples.iter().map(|sample| sample[at]).collect();
                    if let Some(result) = median_of(group, subject, unit, values) {
                        bench.add(result);
                    }
                }
            }
            Err(reason) => bench.miss(group, &subject.case, subject.name, &reason),
        }
    }
}

/// The median of `values`, `None` without any.
fn median_of(
    group: &str,
    subject: &Subject,
    unit: &str,
    mut values: Vec<f64>,
) -> Option<Measurement> {
    values.sort_by(f64::total_cmp);
    let (first, last) = (*values.first()?, *values.last()?);
    let half = values.len() / 2;
    let value = match values.len() % 2 {
        0 => (values[half - 1] + values[half]) / 2.0,
        _ => values[half],
    };
    Some(Measurement {
        group: group.into(),
        case: subject.case.clone(),
        subject: subject.name.into(),
        unit: unit.into(),
        value,
        runs: values.len() as u32,
        range: (first, last),
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
