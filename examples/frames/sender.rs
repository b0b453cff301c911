//! The frames: what is in each, and their sender.

use std::io::{self, Write};
use std::net::TcpStream;

/// Any number, and always the same, for `n`.
fn mixed(n: u64) -> u64 {
    let n = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb) >> 16
}

/// How long frame `number` is: some are empty, some short, some of any length.
fn len(number: u64, longest: u32) -> usize {
    let any = mixed(number + 1);
    let most = match any % 8 {
        0 => 0,
        1 => longest.min(1),
        2..=5 => longest.min(2000),
        _ => longest,
    };
    (any / 8 % (u64::from(most) + 1)) as usize
}

/// Byte `at` of frame `number`.
fn byte(number: u64, at: usize) -> u8 {
    ((number * 31 + at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// Whether `bytes` are what frame `number` has at `at`.
pub fn is_piece(number: u64, at: usize, bytes: &[u8]) -> bool {
    let pairs = bytes.iter().zip(at..);
    pairs.fold(true, |same, (&have, at)| same & (have == byte(number, at)))
}

/// Sends `count` frames.
pub fn send(mut to: TcpStream, count: u64, longest: u32) -> io::Result<()> {
    let mut frame = Vec::new();
    for number in 0..count {
        let len = len(number, longest);
        frame.clear();
        frame.extend_from_slice(&(len as u32).to_be_bytes());
        frame.extend((0..len).map(|at| byte(number, at)));
        to.write_all(&frame)?;
    }
    Ok(())
}
