//! A receiver for `bench/lab/run`: in a process of its own, so that its CPU time is its own.
//!
//! Usage: `lab_receive zcrx|buffers|epoll IFINDEX QUEUE CONNECTIONS CHUNK AREA REFILL` (bytes, bytes, entries).
//! `bench/lab/zcrx.c` is the same program over liburing, and says what they print.

use std::fs::File;
use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::ExitCode;
use std::time::Duration;

use zcrx_bench::cpu::process_seconds;
use zcrx_bench::epoll::{events, Epoll};
use zcrx_sys::recv::{End, Event, Pages, Receiver, ReceiverBuilder, Source};

/// What a read of the `epoll` receiver asks for.
const BUFFER: usize = 64 << 10;
const PORT: u16 = 9999;
const PAGE: u32 = 4096;

/// What a run came to.
#[derive(Default)]
struct Outcome {
    bytes: u64,
    /// Completions, or reads, that carried bytes.
    chunks: u64,
    waits: u64,
    /// Of the first byte of each chunk: all receivers look at one.
    sum: u64,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Option<Vec<u64>> = words.iter().skip(1).map(|word| word.parse().ok()).collect();
    let (Some(subject), Some(&[interface, queue, connections, chunk, area, refill])) =
        (words.first(), numbers.as_deref())
    else {
        eprintln!(
            "Usage: lab_receive zcrx|buffers|epoll IFINDEX QUEUE CONNECTIONS CHUNK AREA REFILL"
        );
        return ExitCode::from(2);
    };
    let connections = connections as usize;
    let run = match subject.as_str() {
        "zcrx" => {
            let (interface, queue) = (interface as u32, queue as u32);
            let mut builder = Receiver::builder()
                .source(Source::Queue { interface, queue })
                .area_len(area as usize)
                .refill_entries(refill as u32);
            if chunk as u32 != PAGE {
                builder = builder.chunk_len(chunk as u32).pages(Pages::Huge);
            }
            receive(&builder, connections)
        }
        "buffers" => receive(&Receiver::builder().source(Source::Buffers), connections),
        "epoll" => receive_by_epoll(connections).map_err(Into::into),
        other => Err(format!("no receiver is called {other}").into()),
    };
    if let Err(error) = run {
        eprintln!("lab_receive {}: {error}", words.join(" "));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn receive(builder: &ReceiverBuilder, connections: usize) -> Result<()> {
    let mut receiver = builder.build()?;
    for stream in accept(connections)? {
        receiver.add(stream)?;
    }
    let _ = receiver.wait(Some(Duration::ZERO))?; // submits
    println!("ready");
    let cpu = process_seconds();
    let mut outcome = Outcome::default();
    let mut ended = 0;
    while ended < connections {
        outcome.waits += 1;
        let _ = receiver.wait(None)?;
        while let Some(event) = receiver.next_event() {
            match event {
                Event::Data { chunk, .. } => {
                    let bytes = receiver.bytes(&chunk);
                    outcome.sum += u64::from(bytes[0]);
                    outcome.bytes += bytes.len() as u64;
                    outcome.chunks += 1;
                    receiver.recycle(chunk)?;
                }
                Event::Ended { end: End::Eof, .. } => ended += 1,
                Event::Ended { end, .. } => return Err(format!("a stream ended: {end}").into()),
                _ => {}
            }
        }
    }
    outcome.print(cpu);
    Ok(())
}

/// By level-triggered `epoll`, and a `read` for each readiness.
fn receive_by_epoll(connections: usize) -> io::Result<()> {
    let epoll = Epoll::new()?;
    let mut streams: Vec<Option<File>> = Vec::new();
    for stream in accept(connections)? {
        stream.set_nonblocking(true)?;
        epoll.watch(stream.as_raw_fd(), streams.len())?;
        streams.push(Some(File::from(OwnedFd::from(stream)))); // whose read is read(2), not recv(2)
    }
    println!("ready");
    let cpu = process_seconds();
    let mut outcome = Outcome::default();
    let mut buffer = vec![0; BUFFER];
    let mut events = events();
    let mut ended = 0;
    while ended < connections {
        outcome.waits += 1;
        for index in epoll.wait(&mut events) {
            let slot = &mut streams[index];
            let Some(stream) = slot else { continue };
            match stream.read(&mut buffer) {
                Ok(0) => {
                    *slot = None;
                    ended += 1;
                }
                Ok(len) => {
                    outcome.sum += u64::from(buffer[0]);
                    outcome.bytes += len as u64;
                    outcome.chunks += 1;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
    outcome.print(cpu);
    Ok(())
}

/// Says that it listens, and takes all connections.
fn accept(connections: usize) -> io::Result<Vec<TcpStream>> {
    let listener = TcpListener::bind(("::", PORT))?;
    // SAFETY: takes no pointers. All of them may come before the first is accepted.
    unsafe { libc::listen(listener.as_raw_fd(), 4096) };
    println!("listening");
    (0..connections).map(|_| Ok(listener.accept()?.0)).collect()
}

impl Outcome {
    /// `cpu` is the process's CPU time when it began.
    fn print(&self, cpu: f64) {
        let cpu = process_seconds() - cpu;
        let Self {
            bytes,
            chunks,
            waits,
            sum,
        } = self;
        std::hint::black_box(sum);
        println!("{bytes} {cpu:.9} {chunks} {waits}");
    }
}
