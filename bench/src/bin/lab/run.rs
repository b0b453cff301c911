//! One run: a receiver in a process of its own, the sender in this one.

use std::fmt;
use std::io::{BufRead, BufReader, Lines, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

use zcrx_sys::zcrx::interface_index;

use crate::cases::{Case, Subject, PAGE};
use crate::nic;

const RECEIVER: (&str, u16) = ("fd00::1", 9999);
/// Bytes that are written to each connection in turn.
const PIECE: usize = 64 << 10;
/// Of the receivers that bring memory, alike for both: a refill entry for each half of a page, and completions for
/// the chunks that the crate expects between two drains.
const AREA: u32 = 64 << 20;
const COMPLETIONS: u32 = 8192;

/// What a run came to.
pub struct Run {
    bytes: u64,
    cpu_seconds: f64,
    chunks: u64,
    waits: u64,
}

impl Run {
    pub fn cpu_per_gigabyte(&self) -> f64 {
        self.cpu_seconds / (self.bytes as f64 / 1e9)
    }

    /// How many pieces of the stream a wait was for.
    pub fn chunks_per_wait(&self) -> f64 {
        self.chunks as f64 / self.waits.max(1) as f64
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cpu, mean) = (self.cpu_per_gigabyte(), self.bytes / self.chunks.max(1));
        write!(
            f,
            "{cpu:.3} CPU s/GB, {} chunks of {mean} bytes, {} waits",
            self.chunks, self.waits
        )
    }
}

/// Sends `bytes` to `subject`, and sees that all of it arrived, and went where it should have gone.
pub fn run(case: Case, subject: Subject, bytes: u64) -> Result<Run, String> {
    nic::wait_until_free()?;
    let before = nic::placed()?;
    let mut receiver = start(case, subject).map_err(|error| error.to_string())?;
    let stdout = receiver.stdout.take().expect("it was asked for");
    let outcome = transfer(case, bytes, BufReader::new(stdout).lines());
    if outcome.is_err() {
        let _ = receiver.kill();
    }
    let status = receiver.wait().map_err(|error| error.to_string())?;
    let run = outcome?;
    if !status.success() {
        return Err(format!("the receiver ended with {status}"));
    }
    if run.bytes != bytes {
        return Err(format!("{} of {bytes} bytes arrived", run.bytes));
    }
    let after = nic::placed()?;
    let (provider, elsewhere) = (
        after.provider - before.provider,
        after.elsewhere - before.elsewhere,
    );
    let (right, wrong) = match subject.is_zero_copy() {
        true => (provider, elsewhere),
        false => (elsewhere, provider),
    };
    // What the run before was sent twice can come late.
    if right < bytes || wrong > bytes / 100 {
        return Err(format!(
            "{provider} bytes were placed without a copy, {elsewhere} were not"
        ));
    }
    Ok(run)
}

fn start(case: Case, subject: Subject) -> Result<Child, Box<dyn std::error::Error>> {
    let (program, words) = subject.program();
    let numbers = [
        interface_index("snic0")?,
        nic::QUEUE,
        case.connections,
        case.chunk,
        AREA,
        2 * AREA / PAGE,
    ];
    let mut command = Command::new("taskset");
    command
        .args(["2", program]) // the second processor, which is its own
        .args(words)
        .args(numbers.map(|number| number.to_string()));
    if subject == Subject::Liburing {
        command.arg(COMPLETIONS.to_string());
    }
    Ok(command.stdout(Stdio::piped()).spawn()?)
}

/// Connects, sends, and reads what the receiver says about it.
fn transfer(
    case: Case,
    bytes: u64,
    mut lines: Lines<BufReader<ChildStdout>>,
) -> Result<Run, String> {
    let mut line = || match lines.next() {
        Some(Ok(line)) => Ok(line),
        _ => Err("the receiver ended early".to_string()),
    };
    expect(&line()?, "listening")?;
    let mut streams = at_peer(|| {
        let streams = (0..case.connections).map(|_| TcpStream::connect(RECEIVER));
        streams.collect::<Result<Vec<_>, _>>()
    })?;
    expect(&line()?, "ready")?;
    send(&mut streams, bytes).map_err(|error| format!("the sender failed: {error}"))?;
    drop(streams);
    let last = line()?;
    let words: Vec<&str> = last.split(' ').collect();
    let parsed = match words[..] {
        [bytes, cpu, chunks, waits] => (|| {
            Some(Run {
                bytes: bytes.parse().ok()?,
                cpu_seconds: cpu.parse().ok()?,
                chunks: chunks.parse().ok()?,
                waits: waits.parse().ok()?,
            })
        })(),
        _ => None,
    };
    parsed.ok_or_else(|| format!("the receiver said {last:?}"))
}

fn expect(line: &str, word: &str) -> Result<(), String> {
    match line == word {
        true => Ok(()),
        false => Err(format!("the receiver said {line:?} instead of {word:?}")),
    }
}

/// What a socket belongs to is where it was made: only that has to happen over there.
fn at_peer<T: Send>(what: impl FnOnce() -> std::io::Result<T> + Send) -> Result<T, String> {
    let there = || nic::enter_peer().and_then(|()| what());
    let result = std::thread::scope(|scope| scope.spawn(there).join());
    let result = result.map_err(|_| "the sender panicked".to_string())?;
    result.map_err(|error| format!("the sender failed: {error}"))
}

/// Sends `bytes` in all, a piece to each in turn.
fn send(streams: &mut [TcpStream], bytes: u64) -> std::io::Result<()> {
    let piece = vec![0x5a; PIECE];
    let (count, index) = (streams.len() as u64, 0_u64..);
    // The share of each: what does not divide goes to the first ones.
    let shares = index
        .zip(&mut *streams)
        .map(|(i, _)| bytes / count + u64::from(i < bytes % count));
    let mut left: Vec<u64> = shares.collect();
    while left.iter().any(|&left| left > 0) {
        for (stream, left) in streams.iter_mut().zip(&mut left) {
            let len = (*left).min(PIECE as u64);
            stream.write_all(&piece[..len as usize])?;
            *left -= len;
        }
    }
    Ok(())
}
