//! The command line.

use std::net::SocketAddr;

use clap::Parser;
use zcrx_sys::recv::Source;
use zcrx_sys::zcrx::interface_index;

use crate::size::size;

/// Several threads, each with a ring and a receiver of its own, share one queue of a network card and its memory: the
/// first one registers the queue, exports it and accepts connections, the others import it, and connections are given
/// to all of them in turn. Each thread answers, at the end of a stream, how many bytes came and their sum.
///
/// Without --nic they share memory that the kernel copies into (kernel 7.1); without --listen a thread of this program
/// sends to them over loopback.
///
/// Exit status: 0 if all went well, 1 if not, 2 for what is no use to ask, 3 if nothing can be shared here, because the
/// kernel is too old or the process lacks CAP_NET_ADMIN: the error says which.
#[derive(Parser, Debug, Clone)]
#[command(version)]
pub struct Options {
    /// The queue that they share, set up beforehand (`doctor` names the commands)
    #[arg(long, value_name = "IF:QUEUE", requires = "listen", value_parser = queue)]
    pub nic: Option<Source>,

    /// How many threads
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: u16,

    /// Serve peers on this address, until --connections of them have ended, or else until Ctrl-C
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,

    /// Be the sender only, to such a server at this address, and check its answers
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["listen", "nic"])]
    pub send: Option<SocketAddr>,

    /// Bytes to send, in all
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = size)]
    pub bytes: u64,

    /// Number of connections (to send by: eight)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: Option<u32>,

    /// Memory for received data, for all threads together
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub area: Option<u64>,

    /// Print one JSON object instead of the table
    #[arg(long)]
    pub json: bool,
}

impl Options {
    /// Connections to send by.
    pub fn senders(&self) -> u32 {
        self.connections.unwrap_or(8)
    }

    /// Connections to serve, if the server is to end by itself.
    pub fn served(&self) -> Option<u32> {
        match self.listen {
            Some(_) => self.connections,
            None => Some(self.senders()),
        }
    }
}

fn queue(text: &str) -> Result<Source, String> {
    let parsed = text.rsplit_once(':');
    let parsed = parsed.and_then(|(name, queue)| Some((name, queue.parse().ok()?)));
    let Some((name, queue)) = parsed else {
        return Err("it takes IF:QUEUE, eth0:1 for instance".into());
    };
    let interface = interface_index(name).map_err(|error| error.to_string())?;
    Ok(Source::Queue { interface, queue })
}
