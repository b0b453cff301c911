//! Reads length-prefixed frames that lie in many chunks, without joining them. See `frames --help`.
#![allow(unreachable_pub, missing_docs, reason = "a program, not a library")]

mod chain;
mod reader;
mod sender;

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::ExitCode;

use bytes::Bytes;
use clap::Parser;
use zcrx_sys::recv::{End, Event, Receiver, Wait};

use chain::Chain;
use reader::Reader;

/// Sends itself frames over loopback, reads them where they lie, and checks every byte.
///
/// A frame is its length, four bytes of which the first is the highest, and its contents. One that came in several chunks
/// stays in them: it is read through a chain of these.
///
/// Exit status: 0 if every frame was right, 1 if not, 2 if it could not be set up.
#[derive(Parser, Debug)]
#[command(version)]
struct Options {
    /// How many frames
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    frames: u64,

    /// The longest frame, in bytes: 64 MiB at most
    #[arg(long, value_name = "BYTES", default_value_t = 100_000, value_parser = longest())]
    longest: u32,

    /// The longest that is accepted, if another
    #[arg(long, value_name = "BYTES")]
    accept: Option<u32>,

    /// Memory for received data, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 8 << 20)]
    area: usize,

    /// Bytes in one buffer (default: what the source has)
    #[arg(long, value_name = "BYTES")]
    chunk: Option<u32>,
}

fn longest() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(..=64 << 20)
}

/// What was seen.
#[derive(Default)]
struct Seen {
    frames: u64,
    bytes: u64,
    chunks: u64,
    /// Frames that lie in more than one chunk.
    spanning: u64,
    /// Bytes that were copied to give buffers back.
    copied: u64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let receiver = match receiver(&options) {
        Ok(receiver) => receiver,
        Err(error) => {
            eprintln!("frames: {error}");
            return ExitCode::from(2);
        }
    };
    println!("receiving from {}", receiver.source());
    match run(receiver, &options) {
        Ok(seen) => {
            println!(
                "{} frames, {} bytes of contents, in {} chunks",
                seen.frames, seen.bytes, seen.chunks
            );
            println!("{} frames lay in several chunks", seen.spanning);
            println!("{} bytes were copied for want of buffers", seen.copied);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("frames: {error}");
            ExitCode::FAILURE
        }
    }
}

fn receiver(options: &Options) -> Result<Receiver, zcrx_sys::Error> {
    let mut builder = Receiver::builder().area_len(options.area);
    if let Some(bytes) = options.chunk {
        builder = builder.chunk_len(bytes);
    }
    builder.build()
}

fn run(mut receiver: Receiver, options: &Options) -> Result<Seen, Box<dyn std::error::Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let peer = TcpStream::connect(listener.local_addr()?)?;
    receiver.add(listener.accept()?.0)?;
    let (count, longest) = (options.frames, options.longest);
    let sender = std::thread::spawn(move || sender::send(peer, count, longest));
    let mut reader = Reader::new(options.accept.unwrap_or(longest));
    let mut seen = Seen::default();
    loop {
        let wait = receiver.wait(None)?;
        while let Some(event) = receiver.next_event() {
            match event {
                Event::Data { chunk, .. } => {
                    seen.chunks += 1;
                    reader.push(Bytes::from(receiver.own(chunk)?));
                    while let Some(frame) = reader.next()? {
                        seen.look_at(&frame)?;
                    }
                }
                Event::Ended { end: End::Eof, .. } => {
                    sender.join().expect("the sender does not panic")?;
                    reader.end()?;
                    return match seen.frames == count {
                        true => Ok(seen),
                        false => Err(format!("{} of {count} frames came", seen.frames).into()),
                    };
                }
                Event::Ended { end, .. } => return Err(end.into()),
                _ => {}
            }
        }
        if wait == Wait::Starved {
            // All buffers are parts of one frame: it is not to wait for them in vain.
            seen.copied += reader.copy_out();
        }
    }
}

impl Seen {
    /// Compares a frame with what was sent, where it lies.
    fn look_at(&mut self, frame: &Chain) -> Result<(), String> {
        let number = self.frames;
        let mut at = 0;
        for piece in frame.pieces() {
            if !sender::is_piece(number, at, piece) {
                return Err(format!(
                    "frame {number} differs between byte {at} and {}",
                    at + piece.len()
                ));
            }
            at += piece.len();
        }
        self.frames += 1;
        self.bytes += at as u64;
        self.spanning += u64::from(frame.pieces().count() > 1);
        Ok(())
    }
}
