//! The sending side: some connections, and what is to be answered on each.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

/// What is answered to a connection at its end: how many bytes came, and their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub bytes: u64,
    pub sum: u64,
}

impl Count {
    pub fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        let sum: u64 = bytes.iter().map(|&byte| u64::from(byte)).sum();
        self.sum = self.sum.wrapping_add(sum);
    }

    pub fn answer(self) -> String {
        format!("{} bytes, sum {}\n", self.bytes, self.sum)
    }
}

struct Stream {
    stream: TcpStream,
    sent: Count,
    left: u64,
}

/// Sends `bytes` in all by `connections`, in turn to each of `peers`, a piece to each in turn; then reads the answers.
/// Ends early when `stop` is set.
///
/// # Errors
///
/// The network's, and an answer that is not what was sent.
pub fn send(
    peers: &[SocketAddr],
    bytes: u64,
    connections: u32,
    stop: &AtomicBool,
) -> io::Result<()> {
    let byte = |i: u32| (i.wrapping_mul(0x9e37_79b9) >> 24) as u8;
    let piece: Vec<u8> = (0..64 << 10).map(byte).collect();
    let mut streams = Vec::new();
    for (index, peer) in (0..u64::from(connections)).zip(peers.iter().cycle()) {
        streams.push(Stream {
            stream: TcpStream::connect(peer)?,
            sent: Count::default(),
            left: (bytes + index) / u64::from(connections), // They come to `bytes`.
        });
    }
    while !stop.load(Ordering::Relaxed) && streams.iter().any(|stream| stream.left > 0) {
        for Stream { stream, sent, left } in streams.iter_mut().filter(|stream| stream.left > 0) {
            let piece = &piece[..piece.len().min(*left as usize)];
            match stream.write(piece) {
                Ok(written) => {
                    sent.add(&piece[..written]);
                    *left -= written as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    for Stream { stream, .. } in &streams {
        stream.shutdown(Shutdown::Write)?;
    }
    for Stream {
        mut stream, sent, ..
    } in streams
    {
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if answer != sent.answer() && !stop.load(Ordering::Relaxed) {
            let what = format!("{answer:?} is the answer to {:?}", sent.answer());
            return Err(io::Error::new(ErrorKind::InvalidData, what));
        }
    }
    Ok(())
}
