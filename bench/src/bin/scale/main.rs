//! Whether the cost of a chunk, or of a socket, stays the same when there are more of everything.
//!
//! What is compared runs in turns, round after round, and each result is the median of the rounds. All but
//! `sockets` and `registration` run on the kernel's twin: they are about this crate alone.

mod areas;
mod counting;
mod owned;
mod registration;
mod rig;
mod rings;
mod sockets;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use zcrx_bench::median::median;
use zcrx_bench::Measurement;

#[derive(Parser)]
struct Options {
    /// What to measure; everything if none is named
    what: Vec<Section>,

    /// Runs of each case
    #[arg(long, default_value_t = 7)]
    rounds: usize,

    /// Be the sender of `sockets`
    #[arg(long, hide = true, requires = "sockets")]
    send_to: Option<SocketAddr>,
    #[arg(long, hide = true)]
    sockets: Option<usize>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq)]
enum Section {
    /// Sockets of one ring, 1 to 10,000: CPU per GB on loopback, and memory for each
    Sockets,
    /// Areas of one instance, 1 to 1024: cost of a chunk
    Areas,
    /// Bytes of an area, 4 MiB to 8 GiB: cost of a lookup
    Lookup,
    /// Bytes of an area, 4 MiB to 8 GiB: time to register it (kernel 7.1)
    Registration,
    /// Rings, each with an instance and a thread of its own, 1 to 8: chunks per CPU second
    Rings,
    /// Threads that drop owned chunks, 1 to 8: cost of a chunk for them, and for the owner
    Owned,
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let options = Options::parse();
    if let (Some(to), Some(sockets)) = (options.send_to, options.sockets) {
        let sent = sockets::send(to, sockets);
        return ExitCode::from(u8::from(sent.is_err()));
    }
    let mut good = true;
    for section in Section::value_variants() {
        if !options.what.is_empty() && !options.what.contains(section) {
            continue;
        }
        let run = match section {
            Section::Sockets => sockets::run,
            Section::Areas => areas::run,
            Section::Lookup => areas::run_lookup,
            Section::Registration => registration::run,
            Section::Rings => rings::run,
            Section::Owned => owned::run,
        };
        if let Err(error) = run(options.rounds) {
            eprintln!("scale: {error}");
            good = false;
        }
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Measures each of `cases` once a round, in turns; the numbers of each case.
fn in_turns<C: Copy>(
    rounds: usize,
    cases: &[C],
    mut once: impl FnMut(C) -> Result<f64>,
) -> Result<Vec<Vec<f64>>> {
    let mut numbers = vec![Vec::new(); cases.len()];
    for _ in 0..rounds {
        for (numbers, &case) in numbers.iter_mut().zip(cases) {
            numbers.push(once(case)?);
        }
    }
    Ok(numbers)
}

/// Prints one result, and says it on standard error too.
fn print(case: &str, unit: &str, numbers: &[f64]) {
    print_of("zcrx-sys", case, unit, numbers);
}

fn print_of(subject: &str, case: &str, unit: &str, numbers: &[f64]) {
    let (value, range) = median(numbers);
    eprintln!(
        "{subject}, {case}: {value:.3} {unit} ({:.3} to {:.3})",
        range.0, range.1
    );
    let measurement = Measurement {
        group: "scale".into(),
        case: case.into(),
        subject: subject.into(),
        unit: unit.into(),
        value,
        runs: numbers.len() as u32,
        range,
    };
    measurement.print();
}

/// `1 area`, `2 areas`.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
