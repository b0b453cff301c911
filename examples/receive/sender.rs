//! The sending side: pushes the pattern through some connections.

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::pattern::{Pattern, PIECE};

/// The share of `bytes` that connection `index` of `connections` carries.
pub fn share(bytes: u64, connections: u32, index: u32) -> u64 {
    let (each, rest) = (
        bytes / u64::from(connections),
        bytes % u64::from(connections),
    );
    each + u64::from(u64::from(index) < rest)
}

/// Connects `connections` times and sends `bytes` in all, a piece to each in turn. Ends early when
/// `stop` is set.
pub fn send(
    to: SocketAddr,
    bytes: u64,
    connections: u32,
    pattern: &Pattern,
    stop: &AtomicBool,
) -> std::io::Result<()> {
    let mut streams = Vec::new();
    for index in 0..connections {
        let stream = TcpStream::connect(to)?;
        let port = stream.local_addr()?.port();
        streams.push(Some((stream, port, 0, share(bytes, connections, index))));
    }
    let mut open = streams.len();
    while open > 0 && !stop.load(Ordering::Relaxed) {
        for slot in &mut streams {
            let Some((stream, port, sent, total)) = slot else {
                continue;
            };
            let piece = PIECE.min((*total - *sent) as usize);
            let written = match stream.write(pattern.at(*port, *sent, piece)) {
                Ok(written) => written,
                Err(error) if error.kind() == ErrorKind::Interrupted => 0,
                Err(error) => return Err(error),
            };
            *sent += written as u64;
            if *sent == *total {
                // Closes the connection: everything is sent.
                *slot = None;
                open -= 1;
            }
        }
    }
    Ok(())
}
