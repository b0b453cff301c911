//! `--claim`: a queue of the NIC that is set up for the listener's port, and as it was before at the end.

#[cfg(feature = "nic")]
pub use with::Claim;
#[cfg(not(feature = "nic"))]
pub use without::Claim;

#[cfg(feature = "nic")]
mod with {
    use std::fs::DirBuilder;
    use std::net::{SocketAddr, TcpStream};
    use std::os::unix::fs::DirBuilderExt;
    use std::path::{Path, PathBuf};

    use zcrx_sys::nic::{self, Family, Flow};
    use zcrx_sys::recv::Source;

    use crate::options::{Options, SourceName};

    #[derive(Debug)]
    pub struct Claim(nic::Claim);

    impl Claim {
        /// Claims a queue of --nic for what comes to `address`, and tells what that changes.
        pub fn new(options: &Options, address: SocketAddr) -> Result<Self, String> {
            let name = options.nic.as_deref().unwrap_or_default();
            if name.contains(':') {
                return Err("--claim picks the queue: --nic takes the interface alone".into());
            }
            if !matches!(options.source, SourceName::Auto | SourceName::Nic) {
                return Err("--claim is of no use to another --source than nic".into());
            }
            let record = record(options.record.as_deref(), name)?;
            let claim = nic::claim_recorded(name, &flows(address), &record)
                .map_err(|error| format!("{error} (record: {})", record.display()))?;
            eprintln!("claimed queue {} of {name}", claim.queue());
            for change in claim.changes() {
                eprintln!("  {change}");
            }
            Ok(Self(claim))
        }

        pub fn source(&self) -> Source {
            self.0.source()
        }

        pub fn changes(&self) -> Vec<String> {
            self.0.changes().iter().map(ToString::to_string).collect()
        }

        /// Why `stream` is not received without a copy, if it is not.
        pub fn astray(&mut self, stream: &TcpStream) -> Option<String> {
            let error = self.0.check_arrival(stream).err()?;
            Some(error.to_string())
        }

        /// Puts everything back.
        pub fn release(self) -> Result<(), String> {
            self.0.release().map_err(|error| error.to_string())
        }
    }

    /// The file that `doctor --undo` finds without being told.
    fn record(named: Option<&Path>, name: &str) -> Result<PathBuf, String> {
        if let Some(path) = named {
            return Ok(path.into());
        }
        let directory = Path::new(nic::RECORD_DIR);
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(directory);
        made.map_err(|error| {
            let directory = directory.display();
            format!("cannot make {directory}: {error}: name another file with --record")
        })?;
        Ok(directory.join(name))
    }

    fn flows(address: SocketAddr) -> Vec<Flow> {
        let port = address.port();
        match address {
            SocketAddr::V4(_) => vec![Flow::new(Family::V4, port)],
            SocketAddr::V6(mapped) if mapped.ip().to_ipv4_mapped().is_some() => {
                vec![Flow::new(Family::V4, port)]
            }
            // It takes connections over IPv4, too.
            SocketAddr::V6(any) if any.ip().is_unspecified() => Flow::both(port).to_vec(),
            SocketAddr::V6(_) => vec![Flow::new(Family::V6, port)],
        }
    }
}

/// A program that was built without feature `nic`.
#[cfg(not(feature = "nic"))]
mod without {
    use std::net::{SocketAddr, TcpStream};

    use zcrx_sys::recv::Source;

    use crate::options::Options;

    /// There is none.
    #[derive(Debug)]
    pub enum Claim {}

    impl Claim {
        pub fn new(_: &Options, _: SocketAddr) -> Result<Self, String> {
            Err("--claim takes feature nic: cargo run --features nic --example receive".into())
        }

        pub fn source(&self) -> Source {
            match *self {}
        }

        pub fn changes(&self) -> Vec<String> {
            match *self {}
        }

        pub fn astray(&mut self, _: &TcpStream) -> Option<String> {
            match *self {}
        }

        pub fn release(self) -> Result<(), String> {
            match self {}
        }
    }
}
