//! What a test needs of the kernel it runs on, and how it says so.
//!
//! A test that cannot run prints one line `SKIP <test>: <reason>` straight to standard error (past
//! the test harness's capture, so that `tests/run` can count it) and returns. Where the kernel's
//! version promises the capability, the same lack is a failure.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]

pub mod denial;
pub mod dmabuf;
pub mod nic;
pub mod programs;
pub mod rings;
pub mod streams;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::OnceLock;

use zcrx_sys::recv::{Receiver, ReceiverBuilder, Source};
use zcrx_sys::ring::{Ring, RingBuilder};
use zcrx_sys::{Errno, Error};

/// Version of the running kernel, such as `(6, 18)`.
pub fn kernel() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("procfs is there");
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Says why the running test cannot run here, or fails if kernel `since` promises that it can.
pub fn skip(since: (u32, u32), reason: &dyn std::fmt::Display) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("?");
    let (major, minor) = kernel();
    assert!(
        (major, minor) < since,
        "kernel {major}.{minor} promises what {test} needs since {}.{}, but: {reason}",
        since.0,
        since.1
    );
    let line = format!("SKIP {test}: {reason}\n");
    std::io::stderr()
        .write_all(line.as_bytes())
        .expect("stderr is open");
}

/// As `skip`, for what needs a kernel that does not repeat mixed completions: 7.3.3, which a version
/// of two numbers cannot say.
pub fn skip_mixed(reason: &dyn std::fmt::Display) {
    skip((7, 4), reason);
}

/// The ring that `builder` makes, or `None` after saying why this kernel cannot make it.
pub fn ring(builder: &RingBuilder) -> Option<Ring> {
    match builder.build() {
        Ok(ring) => Some(ring),
        Err(error) => {
            let since = if mixed_is_missing(&error) {
                (6, 18)
            } else {
                (6, 0)
            };
            skip(since, &error);
            None
        }
    }
}

fn mixed_is_missing(error: &Error) -> bool {
    error.errno() == Some(Errno::INVAL)
        && error
            .causes()
            .iter()
            .any(|cause| cause.cause.contains("mixed"))
}

/// The receiver that `builder` makes over `source`, or `None` after saying why it cannot be had here.
pub fn receiver(builder: ReceiverBuilder, source: Source) -> Option<Receiver> {
    match builder.source(source).build() {
        Ok(receiver) => Some(receiver),
        Err(error) => {
            let since = match source {
                Source::Buffers => (6, 0),
                // No kernel promises it to a process that may not ask.
                _ if error.errno() == Some(Errno::PERM) && !is_root() => (u32::MAX, 0),
                _ => (7, 1),
            };
            skip(since, &error);
            None
        }
    }
}

pub fn is_root() -> bool {
    // SAFETY: takes nothing, touches nothing.
    unsafe { libc::geteuid() == 0 }
}

/// A connected pair of TCP sockets on loopback.
pub fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let out = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (out, listener.accept().unwrap().0)
}

/// Closes a connection with a reset instead of an end of stream.
pub fn reset(stream: TcpStream) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0, // with 0 seconds, close() sends a reset
    };
    set_option(&stream, libc::SO_LINGER, &linger);
}

/// Has a socket take little that nobody has read.
pub fn hold_little(stream: &TcpStream) {
    set_option(stream, libc::SO_RCVBUF, &(64 << 10) as &i32);
}

/// Sets an option of all sockets, whose value is of the kernel's type.
fn set_option<T>(stream: &TcpStream, option: i32, value: &T) {
    let (at, len) = (std::ptr::from_ref(value).cast(), size_of::<T>() as u32);
    // SAFETY: reads len bytes at at, which are those of a live value.
    let set = unsafe { libc::setsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, option, at, len) };
    assert_eq!(set, 0);
}

/// The streams' period, a prime: pieces that are whole pages apart never look alike for 256 MiB.
const PERIOD: usize = 65_521;

/// The period and 64 KiB more, so that every piece of up to 64 KiB is one slice.
fn pattern() -> &'static [u8] {
    static PATTERN: OnceLock<Vec<u8>> = OnceLock::new();
    PATTERN.get_or_init(|| {
        let byte = |i: usize| ((i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
        (0..PERIOD)
            .map(byte)
            .cycle()
            .take(PERIOD + (64 << 10))
            .collect()
    })
}

/// Up to 64 KiB of stream `seed`, from `position` on.
pub fn piece(seed: u64, position: u64, len: usize) -> &'static [u8] {
    let start = ((seed * 40_503 + position) % PERIOD as u64) as usize;
    &pattern()[start..start + len.min(64 << 10)]
}

/// Byte `position` of stream `seed`.
pub fn byte(seed: u64, position: u64) -> u8 {
    piece(seed, position, 1)[0]
}

/// The first `len` bytes of stream `seed`.
pub fn stream(seed: u64, len: usize) -> Vec<u8> {
    let starts = (0..len).step_by(64 << 10);
    starts
        .flat_map(|start| piece(seed, start as u64, len - start))
        .copied()
        .collect()
}

/// Whether `bytes` are those of stream `seed` from `position` on.
pub fn is_piece(seed: u64, position: u64, bytes: &[u8]) -> bool {
    let pieces = bytes.chunks(64 << 10).zip((0..).step_by(64 << 10));
    let mut same = pieces.map(|(bytes, at)| bytes == piece(seed, position + at, bytes.len()));
    same.all(|same| same)
}

/// Takes capability `number` from the calling thread.
pub fn drop_capability(number: u32) {
    let header = [0x2008_0522_u32, 0]; // _LINUX_CAPABILITY_VERSION_3, this thread
    let mut sets = [0_u32; 6]; // effective, permitted, inheritable; low words, then high words
                               // SAFETY: version 3 reads a header of two words and writes two triples of words.
    let got = unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()) };
    assert_eq!(got, 0);
    let word = number as usize / 32 * 3;
    sets[word] &= !(1 << (number % 32));
    sets[word + 1] &= !(1 << (number % 32));
    // SAFETY: as above, only read.
    let set = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
}

pub const CAP_NET_ADMIN: u32 = 12;
pub const CAP_IPC_LOCK: u32 = 14;
