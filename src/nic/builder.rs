//! [`ClaimBuilder`]: which queues are claimed, and for what.

use std::path::PathBuf;
use std::string::String;
use std::vec::Vec;

use super::claim::make;
use super::flow::Flow;
use super::{Claim, ClaimError};

/// What a [`Claim`] is to be, if it is to have several queues: one for each thread, as a rule.
///
/// ```no_run
/// use zcrx_sys::nic::{ClaimBuilder, Flow};
/// use zcrx_sys::recv::Receiver;
///
/// let claim = ClaimBuilder::new("eth0")
///     .queue(Flow::both(9000))
///     .queue(Flow::both(9001))
///     .record("/run/my-server.claim")
///     .claim()?;
/// std::thread::scope(|scope| {
///     for source in claim.sources() {
///         scope.spawn(move || {
///             let receiver = Receiver::builder().source(source).build()?;
///             // ... receives what comes to its own port ...
///             Ok::<_, zcrx_sys::Error>(receiver.counters())
///         });
///     }
/// });
/// claim.release()?;
/// # Ok::<(), zcrx_sys::nic::ClaimError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it claims"]
pub struct ClaimBuilder {
    name: String,
    queues: Vec<Vec<Flow>>,
    record: Option<PathBuf>,
}

impl ClaimBuilder {
    /// A claim of queues of the interface called `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            queues: Vec::new(),
            record: None,
        }
    }

    /// One queue more, and the flows that are to come to it. The interface's last queues are taken, in this order, and
    /// at least one is left for everything else.
    pub fn queue(mut self, flows: impl IntoIterator<Item = Flow>) -> Self {
        self.queues.push(flows.into_iter().collect());
        self
    }

    /// Has each change in a file before it is made, as [`claim_recorded`](super::claim_recorded) does.
    pub fn record(mut self, path: impl Into<PathBuf>) -> Self {
        self.record = Some(path.into());
        self
    }

    /// Claims the queues.
    ///
    /// # Errors
    ///
    /// As those of [`claim`](super::claim) and [`claim_recorded`](super::claim_recorded).
    pub fn claim(&self) -> Result<Claim, ClaimError> {
        make(&self.name, &self.queues, self.record.as_deref())
    }
}
