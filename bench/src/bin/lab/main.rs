//! What a receiver's CPU pays for a gigabyte from the software NIC, for four receivers, in a lab guest.
//!
//! Run by `bench/lab/guest`, which sets the card up; `bench/lab/run --help` says what can be chosen.

mod cases;
mod nic;
mod run;

use std::process::ExitCode;

use clap::Parser;
use zcrx_bench::median::median;
use zcrx_bench::Measurement;

use cases::{Case, Subject};
use run::Run;

#[derive(Parser)]
struct Options {
    /// Only cases whose name contains this
    #[arg(default_value = "")]
    filter: String,

    /// Runs of each receiver in each case
    #[arg(long, default_value_t = 7)]
    rounds: usize,

    /// MiB that a run receives
    #[arg(long, default_value_t = 32)]
    mib: u64,

    /// Print the cases and end
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let mut good = true;
    for case in cases::all() {
        if !case.to_string().contains(&options.filter) {
            continue;
        }
        if options.list {
            println!("{case}");
            continue;
        }
        match measure(case, &options) {
            Ok(runs) => print(case, &runs),
            Err(error) => {
                eprintln!("lab: {case}: {error}");
                good = false;
            }
        }
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The runs of each receiver, in turns: what disturbs one disturbs the others.
fn measure(case: Case, options: &Options) -> Result<[Vec<Run>; 4], String> {
    nic::set_mtu(case.mtu)?;
    let mut runs: [Vec<Run>; 4] = Default::default();
    for round in 0..options.rounds {
        for (i, subject) in Subject::ALL.into_iter().enumerate() {
            let run = run::run(case, subject, options.mib << 20)
                .map_err(|error| format!("{}: {error}", subject.name()))?;
            eprintln!("{case}, round {}, {}: {run}", round + 1, subject.name());
            runs[i].push(run);
        }
    }
    Ok(runs)
}

fn print(case: Case, runs: &[Vec<Run>; 4]) {
    let print = |subject: Subject, unit: String, values: Vec<f64>| {
        let (value, range) = median(&values);
        let measurement = Measurement {
            group: "lab".into(),
            case: case.to_string(),
            subject: subject.name().into(),
            unit,
            value,
            runs: values.len() as u32,
            range,
        };
        measurement.print();
    };
    for subject in Subject::ALL {
        let all = &runs[subject as usize];
        let values = all.iter().map(Run::cpu_per_gigabyte);
        print(subject, "CPU seconds per GB".into(), values.collect());
        let values = all.iter().map(Run::chunks_per_wait);
        print(subject, "chunks per wait".into(), values.collect());
    }
    // Round by round, so that both numbers of a quotient come from the same moment.
    for other in [Subject::Epoll, Subject::Liburing] {
        let pairs = runs[Subject::Zcrx as usize]
            .iter()
            .zip(&runs[other as usize]);
        let ratios =
            pairs.map(|(ours, theirs)| ours.cpu_per_gigabyte() / theirs.cpu_per_gigabyte());
        let unit = format!("x the CPU of {}", other.name());
        print(Subject::Zcrx, unit, ratios.collect());
    }
}
