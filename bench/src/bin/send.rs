//! `send PORT CONNECTIONS BYTES`: the sender of the loopback runs, the same for all receivers. It pushes BYTES in
//! all, a piece to each connection in turn. Run by `bench/run`.

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};

/// Bytes in one write.
const PIECE: usize = 256 << 10;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("usage: send PORT CONNECTIONS BYTES");
    let (port, connections): (u16, u64) = (next()?.parse()?, next()?.parse()?);
    let each = next()?.parse::<u64>()? / connections;
    let piece = vec![0x5a; PIECE];
    let mut streams = Vec::new();
    for _ in 0..connections {
        streams.push(TcpStream::connect((Ipv4Addr::LOCALHOST, port))?);
    }
    let mut sent = 0;
    while sent < each {
        let len = PIECE.min((each - sent) as usize);
        for stream in &mut streams {
            stream.write_all(&piece[..len])?;
        }
        sent += len as u64;
    }
    Ok(())
}
