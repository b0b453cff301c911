//! `receive SUBJECT CONNECTIONS`: the receiver of the loopback runs, one way or another, with 64 KiB at a time.
//! Prints the port that it listens on, and at the end bytes, seconds, and seconds of its processor time. Run by
//! `bench/run`; `c/receive.c` is the same with liburing.

mod epoll;
mod io_uring_crate;
mod tokio_reads;
mod zcrx;

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Instant;

use zcrx_bench::cpu;

/// Bytes of one read, or of one provided buffer.
const BUFFER: usize = 64 << 10;
/// Provided buffers.
const BUFFERS: u16 = 128;

/// Receives from all connections until they have ended; answers how many bytes came.
type Receive = fn(Vec<TcpStream>) -> Result<u64, Box<dyn std::error::Error>>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let receive: Receive = match arguments.next().as_deref() {
        Some("zcrx-sys") => zcrx::receive,
        Some("zcrx-sys-spin") => zcrx::receive_with_spin,
        Some("io-uring") => io_uring_crate::receive,
        Some("tokio") => tokio_reads::receive,
        Some("epoll") => epoll::receive,
        other => return Err(format!("nobody is called {other:?}").into()),
    };
    let connections: usize = arguments.next().ok_or("how many connections?")?.parse()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", listener.local_addr()?.port());
    let accepted = listener.incoming().take(connections);
    let streams = accepted.collect::<Result<Vec<_>, _>>()?;
    let (started, cpu_before) = (Instant::now(), cpu::process_seconds());
    let bytes = receive(streams)?;
    let cpu_seconds = cpu::process_seconds() - cpu_before;
    println!("{bytes} {} {cpu_seconds}", started.elapsed().as_secs_f64());
    Ok(())
}
