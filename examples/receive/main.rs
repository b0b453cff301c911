//! Moves real TCP data through a `Receiver` and checks every byte. See `receive --help`.
#![allow(unreachable_pub, missing_docs, reason = "a program, not a library")]

mod claim;
mod epoll;
mod options;
mod pattern;
mod report;
mod sender;
mod serve;
mod size;

use std::io::IsTerminal;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use zcrx_sys::recv::{Receiver, Source};

use claim::Claim;
use options::{Options, SourceName};
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
        Some(address) => listen(address, options, &pattern, stop)?,
        None => {
            let progress = progress(options, Some(options.bytes));
            loopback(Side::of(options, None)?, options, &pattern, &progress, stop)?
        }
    };
    if options.json {
        println!("{}", outcome.to_json());
    } else {
        outcome.print();
    }
    Ok(outcome.is_good())
}

/// One run for peers that connect to `address`.
fn listen(
    address: SocketAddr,
    options: &Options,
    pattern: &Pattern,
    stop: &AtomicBool,
) -> Result<Outcome, String> {
    let listener = TcpListener::bind(address)
        .map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let mut claim = match options.claim {
        true => Some(Claim::new(options, address)?),
        false => None,
    };
    let side = Side::of(options, claim.as_ref().map(Claim::source))?;
    eprintln!("listening on {address}");
    let progress = progress(options, None);
    let mut outcome = side.serve(listener, options, pattern, &progress, stop, claim.as_mut())?;
    // The receiver is gone, without which the queue is taken.
    if let Some(Err(error)) = claim.map(Claim::release) {
        outcome.failures.push(error);
    }
    Ok(outcome)
}

/// Who receives.
enum Side {
    Receiver(Box<Receiver>),
    Epoll,
}

impl Side {
    /// With the queue that was claimed, if one was.
    fn of(options: &Options, claimed: Option<Source>) -> Result<Self, String> {
        match options.source {
            SourceName::Epoll => Ok(Self::Epoll),
            _ => Ok(Self::Receiver(Box::new(serve::receiver(options, claimed)?))),
        }
    }

    fn serve(
        self,
        listener: TcpListener,
        options: &Options,
        pattern: &Pattern,
        progress: &ProgressBar,
        stop: &AtomicBool,
        claim: Option<&mut Claim>,
    ) -> Result<Outcome, String> {
        let outcome = match self {
            Self::Receiver(receiver) => {
                serve::serve(*receiver, listener, options, pattern, progress, stop, claim)
            }
            Self::Epoll => epoll::serve(&listener, options, pattern, progress, stop)
                .map_err(|error| error.to_string()),
        };
        progress.finish_and_clear();
        outcome
    }
}

/// One run with a sender thread on loopback.
fn loopback(
    side: Side,
    options: &Options,
    pattern: &Pattern,
    progress: &ProgressBar,
    stop: &AtomicBool,
) -> Result<Outcome, String> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    let to: SocketAddr = listener.local_addr().map_err(|error| error.to_string())?;
    std::thread::scope(|scope| {
        let sender =
            scope.spawn(|| sender::send(to, options.bytes, options.connections, pattern, stop));
        let outcome = side.serve(listener, options, pattern, progress, stop, None);
        let sent = sender.join().expect("the sender does not panic");
        let mut outcome = outcome?;
        outcome.missing = options.bytes.saturating_sub(outcome.bytes);
        match sent {
            Err(error) if !outcome.interrupted && outcome.failures.is_empty() => {
                Err(format!("the sender failed: {error}"))
            }
            _ => Ok(outcome),
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
        for (runs, side) in sides
            .iter_mut()
            .zip([Side::of(options, None)?, Side::Epoll])
        {
            runs.push(loopback(
                side,
                options,
                pattern,
                &ProgressBar::hidden(),
                stop,
            )?);
            rounds.inc(1);
        }
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
