//! Tells whether zero-copy receive works here, and if not, why and what to do. See `doctor --help`.
#![allow(unreachable_pub, missing_docs, reason = "a program, not a library")]

mod faults;
mod interface;
mod machine;
mod screen;
mod undo;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde_json::{json, Value};
use zcrx_sys::nic;

use interface::{Interface, Verdict};
use machine::Machine;

/// Tells whether zero-copy receive works here: what this kernel has, what this process may do, and of every
/// network interface whether it can, what stands in the way, and the commands that mend it. It changes nothing
/// and needs no privilege; run it as the user that is to receive.
///
/// Exit status: 0 if an interface is ready for this process, 1 if none is, 2 if that could not be told. With
/// --undo: 0 if everything was taken back, 2 if not.
#[derive(Parser, Debug)]
#[command(version)]
struct Options {
    /// Look at this interface alone, or at this queue of it (otherwise at all, and at the last queue of each,
    /// which is the one that `receive --claim` takes)
    #[arg(value_name = "IF[:QUEUE]")]
    interface: Option<String>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// Take back what a claim has changed whose owner was killed, from its record FILE, or from all those in
    /// /run/zcrx-sys
    #[arg(long, value_name = "FILE", num_args = 0..=1, conflicts_with_all = ["interface", "json"])]
    undo: Option<Option<PathBuf>>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match &options.undo {
        Some(file) => undo::undo(file.as_deref()).map(|text| (text, true)),
        None => examine(&options),
    };
    match done {
        Ok((text, well)) => {
            // Whoever reads may stop when they have seen enough.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::from(u8::from(!well))
        }
        Err(message) => {
            eprintln!("doctor: {}", screen::printable(&message));
            ExitCode::from(2)
        }
    }
}

/// What there is to say, and whether an interface is ready.
fn examine(options: &Options) -> Result<(String, bool), String> {
    let interfaces = match &options.interface {
        Some(named) => vec![Interface::named(named)?],
        None => every_interface()?,
    };
    let machine = Machine::examine();
    let ready = |interface: &Interface| interface.verdict == Verdict::Ready;
    let well = machine.obstacle.is_none() && interfaces.iter().any(ready);
    let text = match options.json {
        true => format!("{}\n", report(&machine, &interfaces, well)),
        false => screen::draw(&machine, &interfaces),
    };
    Ok((text, well))
}

fn every_interface() -> Result<Vec<Interface>, String> {
    let names = nic::interfaces().map_err(|error| error.to_string())?;
    // One that has gone in the meantime is not there any more.
    let interfaces = names
        .iter()
        .filter_map(|name| Interface::examine(name, None).ok());
    Ok(interfaces.collect())
}

fn report(machine: &Machine, interfaces: &[Interface], ready: bool) -> Value {
    let interfaces: Vec<_> = interfaces.iter().map(Interface::to_json).collect();
    let mut report = machine.to_json();
    report["interfaces"] = interfaces.into();
    report["ready"] = json!(ready);
    report
}
