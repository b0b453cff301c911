//! What is received, and by whom.

use std::fmt;

pub const PAGE: u32 = 4096;

/// How the bytes come.
#[derive(Clone, Copy)]
pub struct Case {
    pub mtu: u32,
    /// Bytes of a buffer of the NIC's, where an application's memory is what it fills.
    pub chunk: u32,
    pub connections: u32,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            mtu,
            chunk,
            connections,
        } = self;
        let chunk = match *chunk {
            PAGE => "a page".to_string(),
            chunk => format!("{} KiB", chunk >> 10),
        };
        let s = if *connections == 1 { "" } else { "s" };
        write!(
            f,
            "MTU {mtu}, chunks of {chunk}, {connections} connection{s}"
        )
    }
}

/// A star around MTU 4096, a page and one connection, and its far corners.
pub fn all() -> impl Iterator<Item = Case> {
    const LARGE: u32 = 32 << 10;
    let cases = [
        (4096, PAGE, 1),
        (1500, PAGE, 1),
        (9000, PAGE, 1),
        (4096, LARGE, 1),
        (4096, PAGE, 64),
        (4096, PAGE, 1000),
        (9000, LARGE, 64),
        (1500, PAGE, 1000),
    ];
    cases.into_iter().map(|(mtu, chunk, connections)| Case {
        mtu,
        chunk,
        connections,
    })
}

/// Who receives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Epoll,
    Buffers,
    Zcrx,
    Liburing,
}

impl Subject {
    pub const ALL: [Self; 4] = [Self::Epoll, Self::Buffers, Self::Zcrx, Self::Liburing];

    pub fn name(self) -> &'static str {
        match self {
            Self::Epoll => "epoll",
            Self::Buffers => "zcrx-sys, provided buffers",
            Self::Zcrx => "zcrx-sys",
            Self::Liburing => "liburing",
        }
    }

    /// Whether the NIC is to fill the application's memory.
    pub fn is_zero_copy(self) -> bool {
        matches!(self, Self::Zcrx | Self::Liburing)
    }

    /// The program, and the words that come before the numbers.
    pub fn program(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Epoll => ("./lab_receive", &["epoll"]),
            Self::Buffers => ("./lab_receive", &["buffers"]),
            Self::Zcrx => ("./lab_receive", &["zcrx"]),
            Self::Liburing => ("./zcrx", &[]),
        }
    }
}
