//! Programs that print measurements themselves, which this passes on.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use zcrx_bench::Measurement;

use crate::bench::Bench;

/// The receivers over the NIC of software.
pub fn lab(bench: &mut Bench) {
    let program = bench.top.join("bench/lab/run");
    if !program.exists() {
        return bench.miss("lab", "", "", "there is no bench/lab/run");
    }
    let mut command = bench.command(1800, program);
    if let Some(rounds) = bench.rounds_asked_for() {
        command.args(["--rounds", &rounds.to_string()]);
    }
    pass_on(bench, "lab", command);
}

/// Many of everything.
pub fn scale(bench: &mut Bench) {
    let program = bench.programs.join("scale");
    if program.exists() {
        let command = bench.command(1200, program);
        pass_on(bench, "scale", command);
    } else {
        bench.miss("scale", "", "", "there is no program `scale`");
    }
    // What takes a newer kernel than this one may be.
    let lab = bench.top.join("bench/lab/run");
    if lab.exists() && !bench.is_stopped() {
        let mut command = bench.command(1200, lab);
        command.arg("--scale");
        pass_on(bench, "scale", command);
    }
}

/// Takes in the lines as they come, so that Ctrl-C leaves those that came.
fn pass_on(bench: &mut Bench, group: &str, mut command: Command) {
    let mut child = match command.stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => return bench.miss(group, "", "", &error.to_string()),
    };
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let (give, take) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if give.send(line).is_err() {
                return;
            }
        }
    });
    let mut told_to_stop = false;
    loop {
        match take.recv_timeout(Duration::from_millis(200)) {
            Ok(line) => match serde_json::from_str::<Measurement>(&line) {
                Ok(result) => {
                    bench.progress(&format!(
                        "{}, {}: {:.3}",
                        result.case, result.subject, result.value
                    ));
                    bench.add(result);
                }
                Err(_) => bench.progress(&line),
            },
            Err(RecvTimeoutError::Timeout) if bench.is_stopped() && !told_to_stop => {
                told_to_stop = true;
                // SAFETY: takes no pointers. The child was not waited for yet, so the number is its own.
                unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let _ = reader.join();
    match child.wait() {
        Ok(status) if status.success() => {}
        Ok(status) => {
            let reason = format!("the program failed ({status}), and says why above");
            bench.miss(group, "the rest", "", &reason);
        }
        Err(error) => bench.miss(group, "the rest", "", &error.to_string()),
    }
}
