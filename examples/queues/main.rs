//! A thread, a queue and a receiver each: see `queues --help`.
#![allow(unreachable_pub, missing_docs, reason = "a program, not a library")]

mod claim;
mod generator;
mod inbox;
mod listeners;
mod options;
mod report;
#[path = "../receive/size.rs"]
mod size;
mod worker;

use std::iter;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::Arc;
use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use clap::Parser;

use claim::Queues;
use inbox::Closed;
use options::Options;
use report::Report;
use worker::{Shared, Tally};

fn main() -> ExitCode {
    let options = Options::parse();
    let interrupted = Arc::new(AtomicBool::new(false));
    let on_signal = Arc::clone(&interrupted);
    // A second Ctrl-C ends the program at once.
    let handler = ctrlc::set_handler(move || {
        if on_signal.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    let result = handler
        .map_err(|error| error.to_string())
        .and_then(|()| run(&options, &interrupted));
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("queues: {message}");
            ExitCode::from(2)
        }
    }
}

/// Does the job and prints what it came to; whether all was well.
fn run(options: &Options, interrupted: &AtomicBool) -> Result<bool, String> {
    if let Some(first) = options.send {
        let ports = listeners::ports(first, options.queues).map_err(|error| error.to_string())?;
        let peers: Vec<_> = ports
            .map(|port| SocketAddr::new(first.ip(), port))
            .collect();
        generator::send(&peers, options.bytes, options.senders(), interrupted)
            .map_err(|error| format!("cannot send to {first}: {error}"))?;
        return Ok(true);
    }
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let address = options.listen.unwrap_or(loopback);
    let listeners = match options.nic {
        Some(_) => listeners::consecutive(address, options.queues),
        None => listeners::sharing(address, options.queues),
    };
    let listeners = listeners.map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let address = listeners[0]
        .local_addr()
        .map_err(|error| error.to_string())?;
    let queues = match &options.nic {
        Some(name) => Some(Queues::claim(name, address, options)?),
        None => None,
    };
    let mut report = serve(options, listeners, address, queues.as_ref(), interrupted)?;
    // All receivers are gone, without which the queues are taken.
    if let Some(Err(error)) = queues.map(Queues::release) {
        report.failures.push(error);
    }
    match options.json {
        true => println!("{}", report.to_json()),
        false => report.print(),
    }
    Ok(report.is_good())
}

/// Runs a thread for each listener, and the generator if there are no other peers.
fn serve(
    options: &Options,
    listeners: Vec<TcpListener>,
    address: SocketAddr,
    queues: Option<&Queues>,
    interrupted: &AtomicBool,
) -> Result<Report, String> {
    let made: Result<Vec<_>, _> = listeners.iter().map(|_| inbox::inbox()).collect();
    let (addresses, inboxes): (_, Vec<Closed>) =
        made.map_err(|error| error.to_string())?.into_iter().unzip();
    let area = options.area.map(usize::try_from).transpose();
    let shared = &Shared {
        queues,
        addresses,
        left: options.served().map(AtomicU32::new),
        over: AtomicBool::new(false),
        interrupted,
        area: area.map_err(|_| "--area is too large")?,
    };
    // One for each thread, from no queue in particular if none was claimed.
    let sources = queues.map_or(Vec::new(), Queues::sources);
    let sources = sources.into_iter().map(Some).chain(iter::repeat(None));
    let begin = Instant::now();
    let (threads, sent) = thread::scope(|scope| {
        let places = listeners.into_iter().zip(inboxes).zip(sources).enumerate();
        let start = |(index, ((listener, inbox), source))| {
            scope.spawn(move || worker::serve(index, source, listener, inbox, shared))
        };
        let threads: Vec<_> = places.map(start).collect();
        eprintln!("listening on {address}");
        let sent = match options.listen {
            Some(_) => Ok(()),
            None => generator::send(&[address], options.bytes, options.senders(), interrupted),
        };
        if sent.is_err() {
            shared.end();
        }
        let join = |thread: ScopedJoinHandle<'_, Tally>| thread.join().expect("it does not panic");
        (threads.into_iter().map(join).collect(), sent)
    });
    Ok(Report {
        threads,
        changes: queues.map(Queues::changes),
        seconds: begin.elapsed().as_secs_f64(),
        interrupted: interrupted.load(Ordering::Relaxed),
        failures: sent
            .err()
            .iter()
            .map(|error| format!("the sender failed: {error}"))
            .collect(),
    })
}
