//! The queues that are claimed, and to which of them a connection's packets come.

use std::fs::DirBuilder;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use zcrx_sys::nic::{self, ArrivalError, Claim, ClaimBuilder, Flow};
use zcrx_sys::recv::Source;

use crate::listeners::ports;
use crate::options::Options;

/// A claim that all threads ask.
pub struct Queues(Mutex<Claim>);

impl Queues {
    /// Claims as many queues of `name` as the options say, each for a port.
    pub fn claim(name: &str, listen: SocketAddr, options: &Options) -> Result<Self, String> {
        let record = match &options.record {
            Some(file) => file.clone(),
            None => record(name).map_err(|error| {
                format!(
                    "cannot make {}: {error}: name a file with --record",
                    nic::RECORD_DIR
                )
            })?,
        };
        let ports = ports(listen, options.queues).map_err(|error| error.to_string())?;
        let builder = ClaimBuilder::new(name).record(&record);
        let builder = ports.fold(builder, |builder, port| builder.queue(Flow::both(port)));
        let claim = builder.claim();
        let claim = claim.map_err(|error| format!("{error} (record: {})", record.display()))?;
        eprintln!("claimed queues of {name}:");
        claim
            .changes()
            .iter()
            .for_each(|change| eprintln!("  {change}"));
        Ok(Self(Mutex::new(claim)))
    }

    pub fn sources(&self) -> Vec<Source> {
        self.with(|claim| claim.sources())
    }

    pub fn changes(&self) -> Vec<String> {
        self.with(|claim| claim.changes().iter().map(ToString::to_string).collect())
    }

    /// Which of the claimed queues, from 0, a connection arrives on.
    pub fn arrival(&self, stream: &TcpStream) -> Result<usize, ArrivalError> {
        self.with(|claim| {
            let queue = claim.arrival(stream)?;
            Ok((queue - claim.queue()) as usize)
        })
    }

    /// Puts everything back.
    pub fn release(self) -> Result<(), String> {
        let claim = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        claim.release().map_err(|error| error.to_string())
    }

    fn with<T>(&self, ask: impl FnOnce(&mut Claim) -> T) -> T {
        ask(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The file that `doctor --undo` finds without being told.
fn record(name: &str) -> io::Result<PathBuf> {
    let directory = Path::new(nic::RECORD_DIR);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    Ok(directory.join(name))
}
