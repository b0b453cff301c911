//! Sockets of one ring, on loopback with provided buffers: what runs on every kernel.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use zcrx_bench::cpu::thread_seconds;
use zcrx_bench::epoll::{events, Epoll};
use zcrx_sys::recv::{Event, Receiver, Source};

use crate::counting::allocated;
use crate::{count, in_turns, print, print_of, Result};

/// Bytes that each run receives, in pieces of a buffer: so each chunk is one, however many sockets there are.
const BYTES: usize = 256 << 20;
const PIECE: usize = 16 << 10;

pub fn run(rounds: usize) -> Result<()> {
    let limit = raise_descriptor_limit();
    let counts: Vec<usize> = [1, 10, 100, 1000, 10_000].into_iter().filter(|&sockets| {
        let enough = sockets + 64 <= limit;
        if !enough {
            let sockets = count(sockets, "socket");
            eprintln!("SKIP {sockets}: needs more than the {limit} descriptors that this process may have");
        }
        enough
    }).collect();
    let mut turn = 0;
    // Ports of closed connections are not free at once: each run has an address of its own.
    let mut address = || {
        turn += 1;
        Ipv4Addr::new(127, 0, (turn >> 8) as u8, (turn & 255) as u8)
    };
    let cases: Vec<_> = counts
        .iter()
        .flat_map(|&sockets| [(sockets, true), (sockets, false)])
        .collect();
    let numbers = in_turns(rounds, &cases, |(sockets, ours)| {
        let receive = if ours { receive } else { receive_by_epoll };
        receive(sockets, address())
    })?;
    for (&(sockets, ours), numbers) in cases.iter().zip(&numbers) {
        let subject = if ours {
            "zcrx-sys, provided buffers"
        } else {
            "epoll"
        };
        print_of(
            subject,
            &count(sockets, "socket"),
            "CPU seconds per GB",
            numbers,
        );
    }
    for sockets in counts {
        let (bytes, seconds) = (0..rounds)
            .map(|_| held(sockets, address()))
            .collect::<Result<(Vec<_>, Vec<_>)>>()?;
        let sockets = count(sockets, "socket");
        print(&sockets, "allocated bytes per socket", &bytes);
        print(&sockets, "µs per socket to drop the receiver", &seconds);
    }
    Ok(())
}

fn receiver() -> Result<Receiver> {
    Ok(Receiver::builder()
        .source(Source::Buffers)
        .chunk_len(PIECE as u32)
        .build()?)
}

/// For each socket: the bytes that a receiver allocates for it, and the microseconds that dropping the receiver,
/// and so closing the socket, takes.
fn held(sockets: usize, address: Ipv4Addr) -> Result<(f64, f64)> {
    let mut receiver = receiver()?;
    let (streams, sender) = connect(sockets, address)?;
    let streams: Vec<OwnedFd> = streams.into_iter().map(OwnedFd::from).collect();
    let (list, before) = (streams.capacity() * size_of::<OwnedFd>(), allocated());
    for stream in streams {
        receiver.add(stream)?;
    }
    let _ = receiver.wait(Some(Duration::ZERO))?; // submits
    let memory = allocated() + list - before;
    let start = Instant::now();
    drop(receiver);
    let each = |all: f64| all / sockets as f64;
    let held = (
        each(memory as f64),
        each(start.elapsed().as_secs_f64() * 1e6),
    );
    sender.finish()?;
    Ok(held)
}

/// CPU seconds of this thread per gigabyte.
fn receive(sockets: usize, address: Ipv4Addr) -> Result<f64> {
    let mut receiver = receiver()?;
    let (streams, mut sender) = connect(sockets, address)?;
    for stream in streams {
        receiver.add(stream)?;
    }
    let _ = receiver.wait(Some(Duration::ZERO))?; // submits
    sender.start()?;
    let start = thread_seconds();
    let mut bytes = 0;
    while bytes < bytes_sent(sockets) {
        let _ = receiver.wait(None)?;
        while let Some(event) = receiver.next_event() {
            match event {
                Event::Data { chunk, .. } => {
                    bytes += receiver.bytes(&chunk).len();
                    receiver.recycle(chunk)?;
                }
                Event::Ended { end, .. } => return Err(format!("a stream ended: {end}").into()),
                _ => {}
            }
        }
    }
    let cpu = thread_seconds() - start;
    sender.finish()?;
    Ok(cpu / (bytes as f64 / 1e9))
}

/// As [`receive`], by a read of a piece for each readiness.
fn receive_by_epoll(sockets: usize, address: Ipv4Addr) -> Result<f64> {
    let epoll = Epoll::new()?;
    let (mut streams, mut sender) = connect(sockets, address)?;
    for (i, stream) in streams.iter().enumerate() {
        stream.set_nonblocking(true)?;
        epoll.watch(stream.as_raw_fd(), i)?;
    }
    sender.start()?;
    let start = thread_seconds();
    let (mut bytes, mut buffer, mut events) = (0, vec![0; PIECE], events());
    while bytes < bytes_sent(sockets) {
        for i in epoll.wait(&mut events) {
            bytes += match streams[i].read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                result => result?,
            };
        }
    }
    let cpu = thread_seconds() - start;
    sender.finish()?;
    Ok(cpu / (bytes as f64 / 1e9))
}

/// This end of `sockets` connections, and the process at the other.
fn connect(sockets: usize, address: Ipv4Addr) -> Result<(Vec<TcpStream>, Sender)> {
    let listener = TcpListener::bind((address, 0))?;
    // SAFETY: takes no pointers. Connections come faster than they are accepted.
    unsafe { libc::listen(listener.as_raw_fd(), 4096) };
    let to = listener.local_addr()?.to_string();
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--send-to", &to, "--sockets", &sockets.to_string()]);
    let sender = Sender(command.stdin(Stdio::piped()).spawn()?);
    let streams = (0..sockets).map(|_| Ok(listener.accept()?.0));
    Ok((streams.collect::<std::io::Result<_>>()?, sender))
}

/// The sender: this program in a process of its own, which has descriptors of its own.
struct Sender(Child);

impl Sender {
    /// Has it send.
    fn start(&mut self) -> std::io::Result<()> {
        let stdin = self.0.stdin.as_mut().expect("it was asked for");
        stdin.write_all(b"!")
    }

    /// Has it end; connections stay open until then.
    fn finish(mut self) -> Result<()> {
        drop(self.0.stdin.take());
        match self.0.wait()?.success() {
            true => Ok(()),
            false => Err("the sender failed".into()),
        }
    }
}

/// Connects, and when told to sends a piece to each in turn. Ends with standard input.
pub fn send(to: SocketAddr, sockets: usize) -> Result<()> {
    raise_descriptor_limit();
    let streams = (0..sockets).map(|_| TcpStream::connect(to));
    let mut streams = streams.collect::<std::io::Result<Vec<_>>>()?;
    let mut stdin = std::io::stdin();
    let piece = vec![0x5a; PIECE];
    while stdin.read(&mut [0])? > 0 {
        for _ in 0..bytes_sent(sockets) / (sockets * PIECE) {
            for stream in &mut streams {
                stream.write_all(&piece)?;
            }
        }
    }
    Ok(())
}

/// What a sender sends through so many sockets: whole turns.
fn bytes_sent(sockets: usize) -> usize {
    BYTES.div_ceil(sockets * PIECE) * sockets * PIECE
}

/// Raises the limit as far as this process may; what it is then.
fn raise_descriptor_limit() -> usize {
    let set = |soft, hard| {
        let limit = libc::rlimit {
            rlim_cur: soft,
            rlim_max: hard,
        };
        // SAFETY: reads a live local.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) == 0 }
    };
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: limit is a live, exclusively borrowed local.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    let most = limit.rlim_max.max(32 << 10); // which takes privileges
    if set(most, most) {
        return most as usize;
    }
    set(limit.rlim_max, limit.rlim_max);
    limit.rlim_max as usize
}
