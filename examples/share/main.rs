//! One queue, several rings: see `share --help`.
#![allow(unreachable_pub, missing_docs, reason = "a program, not a library")]

#[path = "../queues/generator.rs"]
mod generator;
#[path = "../queues/inbox.rs"]
mod inbox;
mod member;
mod options;
mod report;
#[path = "../receive/size.rs"]
mod size;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::Arc;
use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use clap::Parser;
use zcrx_sys::recv::{Receiver, Source};
use zcrx_sys::zcrx::Export;

use inbox::Closed;
use member::{Shared, Tally};
use options::Options;
use report::Report;

/// Why there is no result.
enum Failure {
    /// What was asked for is of no use.
    Bad(String),
    /// Nothing can be shared here.
    Unshared(zcrx_sys::Error),
}

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
        .map_err(|error| Failure::Bad(error.to_string()))
        .and_then(|()| run(&options, &interrupted));
    let (message, status) = match result {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => return ExitCode::FAILURE,
        Err(Failure::Bad(message)) => (message, 2),
        Err(Failure::Unshared(error)) => (error.to_string(), 3),
    };
    eprintln!("share: {message}");
    ExitCode::from(status)
}

/// Does the job and prints what it came to; whether all was well.
fn run(options: &Options, interrupted: &AtomicBool) -> Result<bool, Failure> {
    if let Some(peer) = options.send {
        let bad = |error| Failure::Bad(format!("cannot send to {peer}: {error}"));
        generator::send(&[peer], options.bytes, options.senders(), interrupted).map_err(bad)?;
        return Ok(true);
    }
    let mut builder = Receiver::builder().source(options.nic.unwrap_or(Source::NoDevice));
    if let Some(bytes) = options.area {
        let bytes =
            usize::try_from(bytes).map_err(|_| Failure::Bad("--area is too large".into()))?;
        builder = builder.area_len(bytes);
    }
    let mut first = builder.build().map_err(Failure::Unshared)?;
    let export = first.export().map_err(Failure::Unshared)?;
    let address = options.listen.unwrap_or((Ipv4Addr::LOCALHOST, 0).into());
    let bad = |error: String| Failure::Bad(format!("cannot listen on {address}: {error}"));
    let listener = TcpListener::bind(address).map_err(|error| bad(error.to_string()))?;
    let address = listener
        .local_addr()
        .map_err(|error| bad(error.to_string()))?;
    let failed = |error: zcrx_sys::recv::Rejected| bad(error.to_string());
    let listener = first.listen(listener).map_err(failed)?;
    let source = first.source().to_string();
    let bad = |error: io::Error| Failure::Bad(error.to_string());
    let made = (0..options.threads).map(|_| inbox::inbox());
    let made = made.collect::<io::Result<Vec<_>>>().map_err(bad)?;
    let (addresses, inboxes): (_, Vec<Closed>) = made.into_iter().unzip();
    let shared = Shared {
        addresses,
        listener,
        left: options.served().map(AtomicU32::new),
        over: AtomicBool::new(false),
        interrupted,
    };
    let begin = Instant::now();
    let (threads, sent) = serve(first, &export, inboxes, &shared, |shared| {
        eprintln!("listening on {address}");
        let sent = match options.listen {
            Some(_) => Ok(()),
            None => generator::send(&[address], options.bytes, options.senders(), interrupted),
        };
        if sent.is_err() {
            shared.end();
        }
        sent.err()
            .map(|error| format!("the sender failed: {error}"))
    });
    let report = Report {
        source,
        threads,
        seconds: begin.elapsed().as_secs_f64(),
        interrupted: interrupted.load(Ordering::Relaxed),
        failures: sent.into_iter().collect(),
    };
    match options.json {
        true => println!("{}", report.to_json()),
        false => report.print(),
    }
    Ok(report.is_good())
}

/// Has this thread receive, and one more for each further inbox, while another runs `meanwhile`.
fn serve(
    first: Receiver,
    export: &Export,
    inboxes: Vec<Closed>,
    shared: &Shared<'_>,
    meanwhile: impl FnOnce(&Shared<'_>) -> Option<String> + Send,
) -> (Vec<Tally>, Option<String>) {
    let mut inboxes = inboxes.into_iter();
    thread::scope(|scope| {
        let own = inboxes.next();
        let import = |inbox| {
            scope.spawn(move || {
                let receiver = Receiver::builder().import(export);
                member::receive(receiver.map_err(|error| error.to_string()), inbox, shared)
            })
        };
        let others: Vec<_> = inboxes.map(import).collect();
        let meanwhile = scope.spawn(move || meanwhile(shared));
        let own = own.map(|inbox| member::receive(Ok(first), inbox, shared));
        let join = |thread: ScopedJoinHandle<'_, Tally>| thread.join().expect("it does not panic");
        let tallies = own.into_iter().chain(others.into_iter().map(join));
        let tallies = tallies.collect();
        (tallies, meanwhile.join().expect("it does not panic"))
    })
}
