//! Moves real TCP data through a `Receiver` and checks every byte. See `receive --help`.
#![allow(unreachable_pub, missing_docs, reason = "a program, not a library")]

mod compare;
mod options;
mod pattern;
mod report;
mod sender;
mod serve;

use std::io::IsTerminal;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use options::Options;
use pattern::Pattern;
use report::Outcome;

/// Rounds of --compare; the median of each side is what counts.
const ROUNDS: usize = 7;

fn main() -> ExitCode {
    let options = Options::parse();
    let stop = Arc::new(AtomicBool::new(false));
    let on_signal = Arc::clone(&stop);
    // A second Ctrl-C ends the program at once.
    let handler = ctrlc::set_handler(move || {
        if on_signal.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    let result = handler
        .map_err(|error| error.to_string())
        .and_then(|()| run(&options, &stop));
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("receive: {message}");
            ExitCode::from(2)
        }
    }
}

/// Does the job and prints what it came to; whether all was well.
fn run(options: &Options, stop: &AtomicBool) -> Result<bool, String> {
    let pattern = Pattern::new();
    if let Some(to) = options.send {
        sender::send(to, options.bytes, options.connections, &pattern, stop)
            .map_err(|error| format!("cannot send to {to}: {error}"))?;
        return Ok(true);
    }
    if options.compare {
        return compare_runs(options, &pattern, stop);
    }
    let outcome = match options.listen {
        Some(address) => {
            let listener = TcpListener::bind(address)
                .map_err(|error| format!("cannot listen on {address}: {error}"))?;
            let receiver = serve::receiver(options)?;
            eprintln!(
                "listening on {}",
                listener.local_addr().map_err(|e| e.to_string())?
            );
            let progress = progress(options, None);
            serve::serve(receiver, listener, options, &pattern, &progress, stop)?
        }
        None => loopback(
            options,
            &pattern,
            stop,
            &progress(options, Some(options.bytes)),
        )?,
    };
    if options.json {
        println!("{}", outcome.to_json());
    } else {
        outcome.print();
    }
    Ok(outcome.is_good())
}

/// One run with a sender thread on loopback.
fn loopback(
    options: &Options,
    pattern: &Pattern,
    stop: &AtomicBool,
    progress: &ProgressBar,
) -> Result<Outcome, String> {
    let receiver = serve::receiver(options)?;
    let mut outcome = with_sender(options, pattern, stop, |listener| {
        serve::serve(receiver, listener, options, pattern, progress, stop)
    })?;
    progress.finish_and_clear();
    outcome.missing = options.bytes.saturating_sub(outcome.bytes);
    Ok(outcome)
}

/// Runs `serve` on a loopback listener that a sender thread pushes to.
fn with_sender(
    options: &Options,
    pattern: &Pattern,
    stop: &AtomicBool,
    serve: impl FnOnce(TcpListener) -> Result<Outcome, String>,
) -> Result<Outcome, String> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    let to: SocketAddr = listener.local_addr().map_err(|error| error.to_string())?;
    std::thread::scope(|scope| {
        let sender =
            scope.spawn(|| sender::send(to, options.bytes, options.connections, pattern, stop));
        let outcome = serve(listener);
        let sent = sender.join().expect("the sender does not panic");
        match (outcome, sent) {
            (Ok(outcome), Err(error)) if !outcome.interrupted && outcome.failures.is_empty() => {
                Err(format!("the sender failed: {error}"))
            }
            (outcome, _) => outcome,
        }
    })
}

/// Both ways in turns, so that what disturbs one disturbs the other.
fn compare_runs(options: &Options, pattern: &Pattern, stop: &AtomicBool) -> Result<bool, String> {
    let mut sides = [Vec::new(), Vec::new()];
    let rounds = ProgressBar::new(ROUNDS as u64 * 2);
    for _ in 0..ROUNDS {
        if stop.load(Ordering::Relaxed) {
            return Err("interrupted".into());
        }
        sides[0].push(loopback(options, pattern, stop, &ProgressBar::hidden())?);
        rounds.inc(1);
        sides[1].push(with_sender(options, pattern, stop, |listener| {
            compare::serve(&listener, options, pattern).map_err(|error| error.to_string())
        })?);
        rounds.inc(1);
    }
    rounds.finish_and_clear();
    let good = sides.iter().flatten().all(Outcome::is_good);
    let [ours, theirs] = sides.map(|runs| {
        let rate = median(runs.iter().map(Outcome::gigabytes_per_second));
        let cpu = median(runs.iter().map(Outcome::cpu_per_gigabyte));
        (runs[0].source.clone(), rate, cpu)
    });
    if options.json {
        let side = |(source, rate, cpu): &(String, f64, f64)| json!({"source": source, "gigabytes_per_second": rate, "receiver_cpu_seconds_per_gb": cpu});
        let ratio = json!({"rate": ours.1 / theirs.1, "cpu": ours.2 / theirs.2});
        let object = json!({"kernel": report::kernel(), "rounds": ROUNDS, "receiver": side(&ours),
                            "rival": side(&theirs), "ratio": ratio});
        println!("{object}");
    } else {
        println!(
            "median of {ROUNDS} rounds in turns, {} bytes each",
            options.bytes
        );
        for (source, rate, cpu) in [&ours, &theirs] {
            println!("{source:<40} {rate:6.2} GB/s {cpu:7.3} CPU s/GB");
        }
        println!(
            "{:<40} {:6.2} x    {:7.3} x",
            "ratio",
            ours.1 / theirs.1,
            ours.2 / theirs.2
        );
    }
    Ok(good)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A bar on a terminal, nothing elsewhere.
fn progress(options: &Options, total: Option<u64>) -> ProgressBar {
    if options.json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {bytes} {bytes_per_sec} {elapsed}",
        ),
    };
    bar.with_style(ProgressStyle::with_template(template).expect("a valid template"))
}
