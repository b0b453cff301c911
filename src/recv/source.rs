//! Where a [`Receiver`](super::Receiver)'s bytes come from, and what it settled for.

use crate::error::Error;

/// Where a receiver's bytes come from, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A receive queue of a NIC: no copy. Kernel 6.15, CAP_NET_ADMIN, a driver that supports it.
    Queue {
        /// The interface's index; see [`interface_index`](crate::zcrx::interface_index).
        interface: u32,
        /// The number of the queue, from 0.
        queue: u32,
    },
    /// Zero-copy receive without a device: any TCP socket; the kernel copies. Kernel 7.1, CAP_NET_ADMIN.
    NoDevice,
    /// Provided buffers: any TCP socket; the kernel copies. Kernel 6.0, no privileges.
    Buffers,
    /// The instance of another receiver, which [exported](super::Receiver::export) it. Kernel 6.19, CAP_NET_ADMIN.
    Imported,
}

impl core::fmt::Display for Source {
    #[inline]
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Queue { interface, queue } => {
                write!(f, "queue {queue} of interface {interface}")
            }
            Self::NoDevice => f.write_str("zero-copy receive without a device"),
            Self::Buffers => f.write_str("provided buffers"),
            Self::Imported => f.write_str("another receiver's instance"),
        }
    }
}

/// What memory an area is taken from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pages {
    /// Ordinary pages.
    #[default]
    Ordinary,
    /// Reserved 2 MiB pages ([`Area::huge_pages`](crate::zcrx::Area::huge_pages)).
    Huge,
    /// Ordinary memory made into 2 MiB pages
    /// ([`Area::transparent_huge_pages`](crate::zcrx::Area::transparent_huge_pages)).
    Transparent,
}

/// What a receiver was to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wanted {
    /// A source.
    Source(Source),
    /// Chunks of so many bytes, in such pages.
    Chunks {
        /// Bytes in one.
        len: u32,
        /// What the area was to be made of.
        pages: Pages,
    },
    /// Another area, of so many bytes, when buffers ran out.
    Area(usize),
    /// Waits that [gather](super::ReceiverBuilder::batch).
    Batches,
    /// Waits that [poll the network card](super::ReceiverBuilder::busy_poll).
    BusyPolling,
}

impl core::fmt::Display for Wanted {
    #[inline]
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Source(source) => source.fmt(f),
            Self::Chunks { len, pages } => {
                let pages = match pages {
                    Pages::Ordinary => "ordinary pages",
                    Pages::Huge => "reserved huge pages",
                    Pages::Transparent => "transparent huge pages",
                };
                write!(f, "chunks of {len} bytes in {pages}")
            }
            Self::Area(len) => write!(f, "another area of {len} bytes"),
            Self::Batches => f.write_str("waits for a batch"),
            Self::BusyPolling => f.write_str("busy polling"),
        }
    }
}

/// Something that was wanted and could not be had.
#[derive(Clone, Debug)]
pub struct Fallback {
    /// What.
    pub wanted: Wanted,
    /// Why not.
    pub error: Error,
}

impl core::fmt::Display for Fallback {
    #[inline]
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "not {}: {}", self.wanted, self.error)
    }
}
