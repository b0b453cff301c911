//! Sockets of one ring, on loopback with provided buffers: what runs on every kernel.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use zcrx_bench::measure::thread_cpu;
use zcrx_sys::recv::{End, Event, Receiver, Source};

use crate::counting::allocated;
use crate::{count, in_turns, print, Result};

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
    let mut memory = vec![0.0; counts.len()];
    let mut turn = 0;
    let numbers = in_turns(rounds, &counts, |sockets| {
        // Ports of closed connections are not free at once: each run has an address of its own.
        turn += 1;
        let address = Ipv4Addr::new(127, 0, (turn >> 8) as u8, (turn & 255) as u8);
        let (cpu, bytes) = receive(sockets, address)?;
        let index = counts.iter().position(|&count| count == sockets);
        memory[index.expect("one of them")] = bytes;
        Ok(cpu)
    })?;
    for ((&sockets, numbers), memory) in counts.iter().zip(&numbers).zip(memory) {
        let sockets = count(sockets, "socket");
        print(&sockets, "CPU seconds per GB", numbers);
        print(&sockets, "allocated bytes per socket", &[memory]);
    }
    Ok(())
}

/// CPU seconds of the receiver's thread per gigabyte, and what it allocates for a socket.
fn receive(sockets: usize, address: Ipv4Addr) -> Result<(f64, f64)> {
    let builder = Receiver::builder()
        .source(Source::Buffers)
        .chunk_len(PIECE as u32);
    let mut receiver = builder.build()?;
    let listener = TcpListener::bind((address, 0))?;
    // SAFETY: takes no pointers. Connections come faster than they are accepted.
    unsafe { libc::listen(listener.as_raw_fd(), 4096) };
    let mut sender = start_sender(listener.local_addr()?, sockets)?;
    let accepted: std::io::Result<Vec<_>> =
        (0..sockets).map(|_| Ok(listener.accept()?.0)).collect();
    let accepted = accepted?;
    let before = allocated();
    for stream in accepted {
        receiver.add(stream)?;
    }
    let _ = receiver.wait(Some(Duration::ZERO))?; // submits
                                                  // What held the streams was given back meanwhile.
    let memory = (allocated() + sockets * size_of::<TcpStream>() - before) as f64 / sockets as f64;
    drop(sender.stdin.take()); // it waits for that
    let start = thread_cpu();
    let (mut ended, mut bytes) = (0, 0);
    while ended < sockets {
        let _ = receiver.wait(None)?;
        while let Some(event) = receiver.next_event() {
            match event {
                Event::Data { chunk, .. } => {
                    bytes += receiver.bytes(&chunk).len();
                    receiver.recycle(chunk)?;
                }
                Event::Ended { end: End::Eof, .. } => ended += 1,
                Event::Ended { end, .. } => return Err(format!("a stream ended: {end}").into()),
                _ => {}
            }
        }
    }
    let cpu = thread_cpu() - start;
    if !sender.wait()?.success() || bytes != bytes_sent(sockets) {
        return Err(format!("{bytes} of {} bytes arrived", bytes_sent(sockets)).into());
    }
    Ok((cpu / (bytes as f64 / 1e9), memory))
}

/// What a sender sends through so many sockets: whole turns.
fn bytes_sent(sockets: usize) -> usize {
    BYTES.div_ceil(sockets * PIECE) * sockets * PIECE
}

/// Of this program, in a process of its own, which has descriptors of its own.
fn start_sender(to: SocketAddr, sockets: usize) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([
        "--send-to",
        &to.to_string(),
        "--sockets",
        &sockets.to_string(),
    ]);
    command.stdin(Stdio::piped()).spawn()
}

/// Connects, waits for the end of standard input, and sends a piece to each in turn.
pub fn send(to: SocketAddr, sockets: usize) -> Result<()> {
    raise_descriptor_limit();
    let streams = (0..sockets).map(|_| TcpStream::connect(to));
    let mut streams = streams.collect::<std::io::Result<Vec<_>>>()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    let piece = vec![0x5a; PIECE];
    for _ in 0..bytes_sent(sockets) / (sockets * PIECE) {
        for stream in &mut streams {
            stream.write_all(&piece)?;
        }
    }
    Ok(())
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
