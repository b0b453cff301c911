//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use zcrx_sys::recv::Source;
use zcrx_sys::ring::CqeLayout;
use zcrx_sys::zcrx::interface_index;

use crate::size::size;

/// Receives TCP data by the best way that this kernel has, and checks every byte.
///
/// Without arguments a sender thread pushes 2 GiB of a pattern over loopback. With --listen it serves
/// real peers, with --nic straight from a queue of a network card.
///
/// Exit status: 0 if everything arrived and was right, 1 if not, 2 if it could not be set up.
#[derive(Parser, Debug, Clone)]
#[command(version)]
pub struct Options {
    /// Where received bytes come from: the best that works, a NIC's queue, no device, provided
    /// buffers, or (the rival) epoll and read with 64 KiB
    #[arg(long, value_enum, default_value = "auto")]
    pub source: SourceName,

    /// Serve peers on this address, until --connections of them have closed
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,

    /// Be the sender only: push the pattern to a receiver at this address
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["listen", "compare"])]
    pub send: Option<SocketAddr>,

    /// The interface and queue to receive from; with --claim the interface alone
    #[arg(long, value_name = "IF:QUEUE")]
    pub nic: Option<String>,

    /// Set the last queue of --nic up for what comes to --listen, and put everything back at the end
    #[arg(long, requires_all = ["nic", "listen"])]
    pub claim: bool,

    /// Where --claim notes what it changes, for `doctor --undo` if this program is killed (default:
    /// /run/zcrx-sys/IF)
    #[arg(long, value_name = "FILE", requires = "claim")]
    pub record: Option<PathBuf>,

    /// Bytes to send over loopback, in all
    #[arg(long, value_name = "SIZE", default_value = "2G", value_parser = size)]
    pub bytes: u64,

    /// Number of connections
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: u32,

    /// Memory for received data
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub area: Option<u64>,

    /// Add areas when buffers run out, as long as all have no more than this (kernel 7.3)
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "0")]
    pub grow_to: u64,

    /// Bytes in one buffer
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub chunk: Option<u64>,

    /// Bytes in one buffer, if they can be had: from huge pages, reserved or not
    #[arg(long, value_name = "SIZE", value_parser = size, conflicts_with_all = ["chunk", "huge_pages"])]
    pub prefer_chunk: Option<u64>,

    /// Take the area from reserved 2 MiB pages
    #[arg(long)]
    pub huge_pages: bool,

    /// Slots of the completion queue
    #[arg(long, value_name = "N")]
    pub cq_entries: Option<u32>,

    /// Entries of the refill ring
    #[arg(long, value_name = "N")]
    pub refill_entries: Option<u32>,

    /// Layout of the completion queue
    #[arg(long, value_enum)]
    pub layout: Option<Layout>,

    /// Do not compare the bytes with the pattern
    #[arg(long)]
    pub no_verify: bool,

    /// Print the SHA-256 of each connection's bytes; any sender will do, so the pattern is not expected
    #[arg(long)]
    pub hash: bool,

    /// Run against epoll and read, in turns, and print both with the ratio
    #[arg(long, conflicts_with_all = ["listen", "hash"])]
    pub compare: bool,

    /// Print one JSON object instead of the table
    #[arg(long)]
    pub json: bool,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceName {
    Auto,
    Nic,
    Nodev,
    Buffers,
    Epoll,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    Mixed,
    Wide,
    Narrow,
}

impl From<Layout> for CqeLayout {
    fn from(layout: Layout) -> Self {
        match layout {
            Layout::Mixed => Self::Mixed,
            Layout::Wide => Self::Wide,
            Layout::Narrow => Self::Narrow,
        }
    }
}

impl Options {
    /// Whether the received bytes are compared with the pattern.
    pub fn verify(&self) -> bool {
        !self.no_verify && !self.hash
    }

    /// The queue that --nic names.
    pub fn queue(&self) -> Result<Option<Source>, String> {
        let Some(nic) = &self.nic else {
            return match self.source {
                SourceName::Nic => Err("--source nic needs --nic IF:QUEUE".into()),
                _ => Ok(None),
            };
        };
        let parsed = nic
            .rsplit_once(':')
            .and_then(|(name, queue)| Some((name, queue.parse().ok()?)));
        let Some((name, queue)) = parsed else {
            return Err(format!(
                "--nic takes IF:QUEUE, eth0:1 for instance, not {nic:?}"
            ));
        };
        let interface = interface_index(name).map_err(|error| format!("--nic {nic}: {error}"))?;
        Ok(Some(Source::Queue { interface, queue }))
    }
}
