//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

use crate::size::size;

/// A server with a thread and a receiver for each queue of a network card. It counts the bytes of each connection and
/// answers, at the end of the stream, how many they were and their sum.
///
/// With --nic it claims the card's last queues and has flows steered to them: the first queue gets what comes to the
/// port of --listen, the next one what comes to the port after it, and so on. A connection that arrives on the queue of
/// another thread is handed to that thread. At the end the card is as it was before; if this program is killed, `doctor
/// --undo` sees to that.
///
/// Without --nic as many threads share one port (SO_REUSEPORT) and receive by the best way there is, and without
/// --listen a thread of this program sends to them over loopback.
///
/// Exit status: 0 if all went well, 1 if not, 2 if it could not be set up.
#[derive(Parser, Debug, Clone)]
#[command(version)]
pub struct Options {
    /// Claim queues of this interface
    #[arg(long, value_name = "IF", requires = "listen")]
    pub nic: Option<String>,

    /// How many queues to claim, and threads to run (with --send: how many ports to send to, one after the other)
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub queues: u16,

    /// Serve peers on this address, until --connections of them have ended, or else until Ctrl-C
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,

    /// Be the sender only, to such a server at this address, and check its answers
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["listen", "nic"])]
    pub send: Option<SocketAddr>,

    /// Bytes to send, in all
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = size)]
    pub bytes: u64,

    /// Number of connections (to send by: four for each queue)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: Option<u32>,

    /// Memory for received data, for each thread
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub area: Option<u64>,

    /// Where the claim is noted, for `doctor --undo` if this program is killed (default: /run/zcrx-sys/IF)
    #[arg(long, value_name = "FILE", requires = "nic")]
    pub record: Option<PathBuf>,

    /// Print one JSON object instead of the table
    #[arg(long)]
    pub json: bool,
}

impl Options {
    /// Connections to send by.
    pub fn senders(&self) -> u32 {
        self.connections.unwrap_or(u32::from(self.queues) * 4)
    }

    /// Connections to serve, if the server is to end by itself.
    pub fn served(&self) -> Option<u32> {
        match self.listen {
            Some(_) => self.connections,
            None => Some(self.senders()),
        }
    }
}
