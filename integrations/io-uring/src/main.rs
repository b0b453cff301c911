//! Receives over a ring of the `io-uring` crate, and says from where: see `--help`.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use clap::Parser;
use zcrx_on_io_uring::{Ended, Pool, Ring, Server};
use zcrx_sys::recv::End;
use zcrx_sys::zcrx::{interface_index, Device};

/// Receives TCP streams over a ring of the io-uring crate: without a copy if --nic is given and set up for it, into an
/// area where the kernel can do that (7.1), or else into provided buffers, and then says why.
///
/// Exit status: 0 if every stream came to its end (and its sender was this program and every byte right), 1 if not, 2
/// if it could not begin.
#[derive(Parser, Debug)]
#[command(version)]
struct Options {
    /// Wait for connections at this address (otherwise a thread of this program sends over loopback)
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,

    /// A NIC's queue, set up beforehand (`doctor` names the commands)
    #[arg(long, value_name = "IF:QUEUE")]
    nic: Option<String>,

    /// How many connections
    #[arg(long, default_value_t = 4)]
    connections: usize,

    /// What each of them sends, in MiB, without --listen
    #[arg(long, default_value_t = 64)]
    megabytes: u64,
}

/// What this program sends, again and again: a prime long, so that no two pages look alike.
struct Pattern(Vec<u8>);

impl Pattern {
    const LEN: usize = 65_521;
    const PIECE: usize = 64 << 10;

    fn new() -> Self {
        let byte = |i: usize| ((i % Self::LEN * 7919) >> 3) as u8;
        Self((0..Self::LEN + Self::PIECE).map(byte).collect())
    }

    /// Up to a piece of it.
    fn at(&self, position: u64, len: usize) -> &[u8] {
        let start = (position % Self::LEN as u64) as usize;
        &self.0[start..start + len.min(Self::PIECE)]
    }

    /// How many of `bytes` are others.
    fn wrong(&self, position: u64, bytes: &[u8]) -> usize {
        let pieces = bytes
            .chunks(Self::PIECE)
            .zip((position..).step_by(Self::PIECE));
        let differ = |(piece, at): (&[u8], u64)| {
            let expected = self.at(at, piece.len());
            match piece == expected {
                true => 0,
                false => piece.iter().zip(expected).filter(|(a, b)| a != b).count(),
            }
        };
        pieces.map(differ).sum()
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("zcrx-on-io-uring: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<bool, Box<dyn std::error::Error>> {
    let queue = options.nic.as_deref().map(device).transpose()?;
    let (pool, refused) = Pool::best(Ring::new(64, 8192)?, queue)?;
    for error in refused {
        println!("not better: {error}");
    }
    let name = if pool.is_zcrx() {
        "zero-copy receive"
    } else {
        "provided buffers"
    };
    println!("receiving by {name}");
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = TcpListener::bind(options.listen.unwrap_or(loopback))?;
    let address = listener.local_addr()?;
    println!("listening on {address}");
    let sender = options.listen.is_none().then(|| {
        let (connections, bytes) = (options.connections, options.megabytes << 20);
        thread::spawn(move || send(address, connections, bytes))
    });
    let (begin, pattern, mut wrong) = (Instant::now(), Pattern::new(), 0);
    let ended = Server::new(pool).serve(&listener, options.connections, |_, position, bytes| {
        wrong += pattern.wrong(position, bytes);
    })?;
    let seconds = begin.elapsed().as_secs_f64();
    let mut well = ended.iter().all(|ended| ended.end == End::Eof);
    for Ended { peer, bytes, end } in &ended {
        println!("port {peer}: {bytes} bytes, {end}");
    }
    let total: u64 = ended.iter().map(|ended| ended.bytes).sum();
    println!("{total} bytes, {:.2} GB/s", total as f64 / seconds / 1e9);
    if let Some(sender) = sender {
        sender.join().expect("the sender does not panic")?;
        println!("{wrong} bytes wrong");
        well &= wrong == 0 && total == options.connections as u64 * (options.megabytes << 20);
    }
    Ok(well)
}

fn device(argument: &str) -> Result<Device, Box<dyn std::error::Error>> {
    let (name, queue) = argument.split_once(':').ok_or("--nic takes IF:QUEUE")?;
    Ok(Device::Queue {
        interface: interface_index(name)?,
        queue: queue.parse()?,
    })
}

/// Sends `bytes` through each of `connections`, a piece to each in turn.
fn send(to: SocketAddr, connections: usize, bytes: u64) -> std::io::Result<()> {
    let pattern = Pattern::new();
    let connect = |_| TcpStream::connect(to);
    let mut streams = (0..connections)
        .map(connect)
        .collect::<Result<Vec<_>, _>>()?;
    let mut position = 0;
    while position < bytes {
        let piece = pattern.at(position, Pattern::PIECE.min((bytes - position) as usize));
        for stream in &mut streams {
            stream.write_all(piece)?;
        }
        position += piece.len() as u64;
    }
    Ok(())
}
