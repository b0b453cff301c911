//! TCP over loopback: a sender on one processor, a receiver on another, each a process of its own.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use crate::bench::Bench;
use crate::samples::{interleave, Subject};

/// Bytes of one run.
const BYTES: u64 = 3_000_000_000;

pub fn run(bench: &mut Bench) {
    let c = bench.build_c();
    let mut subjects = Vec::new();
    for connections in ["1", "64"] {
        let s = if connections == "1" { "" } else { "s" };
        let case = format!("{connections} connection{s}");
        let c = c.clone();
        subjects.push(Subject::new(&case, "liburing", move |bench| {
            c.clone()?;
            sample(bench, "c_receive", &[connections], connections)
        }));
        for (name, subject) in [
            ("io-uring", "io-uring"),
            ("tokio", "tokio"),
            ("epoll", "epoll"),
            ("zcrx-sys", "zcrx-sys"),
            ("zcrx-sys, spin", "zcrx-sys-spin"),
        ] {
            subjects.push(Subject::new(&case, name, move |bench| {
                sample(bench, "receive", &[subject, connections], connections)
            }));
        }
    }
    let rounds = bench.rounds(7);
    let units = ["GB/s", "CPU seconds per GB"];
    interleave(bench, "loopback", &units, rounds, &subjects);
}

/// One run: GB/s, and seconds of the receiver's processor time per GB.
fn sample(
    bench: &Bench,
    program: &str,
    arguments: &[&str],
    connections: &str,
) -> Result<Vec<f64>, String> {
    let processor = |n: usize| bench.processors[n % bench.processors.len()].to_string();
    let mut receiver = bench
        .command(60, "taskset")
        .args(["-c", &processor(1)])
        .arg(bench.programs.join(program))
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut output = BufReader::new(receiver.stdout.take().expect("piped"));
    let mut port = String::new();
    let _ = output.read_line(&mut port);
    let sent = bench
        .command(60, "taskset")
        .args(["-c", &processor(0)])
        .arg(bench.programs.join("send"))
        .args([port.trim(), connections, &BYTES.to_string()])
        .status();
    let mut rest = String::new();
    // A receiver that waits for a sender that failed is ended by its time limit.
    let read = output.read_to_string(&mut rest);
    let status = receiver.wait().map_err(|error| error.to_string())?;
    read.map_err(|error| error.to_string())?;
    if !status.success() || !sent.is_ok_and(|status| status.success()) {
        return Err(format!("the receiver or the sender failed ({status})"));
    }
    let numbers: Vec<f64> = rest
        .split_whitespace()
        .map_while(|word| word.parse().ok())
        .collect();
    let [bytes, seconds, cpu_seconds] = numbers[..] else {
        return Err(format!("it printed {rest:?}"));
    };
    let gigabytes = bytes / 1e9;
    if gigabytes < BYTES as f64 / 1e9 * 0.999 {
        return Err(format!("only {bytes} bytes arrived"));
    }
    Ok(vec![gigabytes / seconds, cpu_seconds / gigabytes])
}
