//! [`claim`]: a NIC's queues set up for zero-copy receive, step by step, and as they were before on drop.

use core::ops::Range;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::vec::Vec;

use super::change::{Card, Change, Setting};
use super::flow::Flow;
use super::lock::Lock;
use super::record::Place;
use super::step::{barred, check_flows, rule_failed};
use super::step::{CHANNELS, HEADER_SPLIT, LOCK, NTUPLE, OPEN, RSS};
use super::{rules, ClaimError};
use crate::cause::CauseKind;
use crate::errno::Errno;
use crate::error::Error;
use crate::recv::Source;
use crate::zcrx::interface::{DataSplit, InterfaceState};
use crate::zcrx::{interface_index, preflight};

/// A NIC's receive queue that is set up, or several that are, for zero-copy receive. On drop, everything is as it was before.
///
/// Drop the [`Receiver`](crate::recv::Receiver) first: while a queue is in use, its settings cannot be taken back.
/// Dropping the claim waits up to five seconds for that, which is for receivers that have just closed, and leaves
/// what it then cannot take back; [`release`](Self::release) tells what that was.
///
/// ```no_run
/// use zcrx_sys::nic::{self, Flow};
///
/// let record = "/run/program.claim";
/// if std::path::Path::new(record).exists() {
///     nic::undo(record)?; // the last owner was killed
/// }
/// let claim = nic::claim_recorded("eth0", &Flow::both(9999), record)?;
/// // ... receive ...
/// claim.release()?; // as dropping does, and says what could not be taken back
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Claim {
    pub(super) card: Card,
    pub(super) interface: u32,
    pub(super) queues: Range<u32>,
    pub(super) changes: Vec<Change>,
    /// The file that has the changes, too.
    pub(super) record: Option<(PathBuf, Place)>,
    pub(super) _lock: Lock,
}

/// Sets up the last receive queue of the interface called `name` for zero-copy receive of `flows`. Takes
/// CAP_NET_ADMIN. For several queues see [`ClaimBuilder`](super::ClaimBuilder).
///
/// The steps are those of the kernel's documentation, each only if it is needed: two combined channels at least,
/// header split on and its threshold 0, RSS away from the queue before anything is registered there, flow rules
/// on, and one rule for each flow. RSS contexts of the administrator's own are left alone.
///
/// Nothing is left of a process that is killed to take its changes back; see [`claim_recorded`].
///
/// # Errors
///
/// Which step failed and why; all steps before it were taken back. No or the same flow twice, and port 0, are
/// refused, and an interface that another claim of this network namespace has. So is one that could not have
/// zero-copy receive after all steps, for a reason that [`inspect`](super::inspect) tells.
pub fn claim(name: &str, flows: &[Flow]) -> Result<Claim, ClaimError> {
    make(name, &[flows.to_vec()], None)
}

/// As [`claim`], with a file at `path` that has each change before it is made. When everything is as it was
/// before, the file is gone; if the process is killed first, [`undo`](super::undo) takes the changes back from it.
///
/// The file is for its owner's eyes alone. Put it where nobody else may write, in [`RECORD_DIR`](super::RECORD_DIR)
/// for instance: who undoes it does as it says.
///
/// # Errors
///
/// As those of [`claim`]. The file cannot be written, or is there already (`EEXIST`): then it is that of a claim
/// whose owner was killed, and `undo` comes first.
///
/// ```no_run
/// use zcrx_sys::nic::{self, Flow};
///
/// let claim = nic::claim_recorded("eth0", &Flow::both(9999), "/run/my-server.claim")?;
/// println!("receiving on queue {}", claim.queue());
/// # Ok::<(), nic::ClaimError>(())
/// ```
pub fn claim_recorded(
    name: &str,
    flows: &[Flow],
    path: impl AsRef<Path>,
) -> Result<Claim, ClaimError> {
    make(name, &[flows.to_vec()], Some(path.as_ref()))
}

/// Claims as many queues as there are lists of flows.
pub(super) fn make(
    name: &str,
    flows: &[Vec<Flow>],
    record: Option<&Path>,
) -> Result<Claim, ClaimError> {
    check_flows(flows)?;
    let interface = interface_index(name)?;
    let lock = Lock::take(interface)
        .map_err(errno)
        .map_err(LOCK.failed(interface))?;
    let card = Card::open(interface).map_err(OPEN.failed(interface))?;
    let mut claim = Claim {
        card,
        interface,
        queues: 0..0,
        changes: Vec::new(),
        record: None,
        _lock: lock,
    };
    if let Some(path) = record {
        claim.record_to(path)?;
    }
    claim.set_up(flows).map_err(|error| {
        let left = claim.undo(Duration::ZERO); // Nobody had the time to register.
        ClaimError::new(error, left)
    })?;
    Ok(claim)
}

pub(super) fn errno(error: io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

impl Claim {
    /// The number of the queue; of the first if there are several.
    pub fn queue(&self) -> u32 {
        self.queues.start
    }

    /// The numbers of all queues, in the order of their flows.
    pub fn queues(&self) -> Range<u32> {
        self.queues.clone()
    }

    /// The queue, or the first, for a [`ReceiverBuilder`](crate::recv::ReceiverBuilder::source).
    pub fn source(&self) -> Source {
        self.source_of(self.queue())
    }

    /// All queues, each for a receiver of its own, in the order of their flows.
    pub fn sources(&self) -> Vec<Source> {
        self.queues().map(|queue| self.source_of(queue)).collect()
    }

    fn source_of(&self, queue: u32) -> Source {
        let interface = self.interface;
        Source::Queue { interface, queue }
    }

    /// What was changed, in order.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    fn set_up(&mut self, flows: &[Vec<Flow>]) -> Result<(), Error> {
        self.check(None)?;
        self.channels(flows.len())?;
        self.queues()
            .try_for_each(|queue| self.check(Some(queue)))?;
        self.header_split()?;
        self.rss()?;
        self.ntuple()?;
        for (queue, flows) in self.queues().zip(flows) {
            flows.iter().try_for_each(|&flow| self.rule(flow, queue))?;
        }
        Ok(())
    }

    /// Notes what is about to change: should it fail half-way, or the process be killed, it is taken back, too.
    fn note(&mut self, setting: Setting) -> Result<(), Error> {
        self.changes.push(Change(setting));
        self.update_record()
    }

    /// Sees to it that there is a queue besides `count`, and takes the last ones.
    fn channels(&mut self, count: usize) -> Result<(), Error> {
        let failed = CHANNELS.failed(self.interface);
        let count = u32::try_from(count).map_err(|_| failed(Errno::INVAL))?;
        let least = count.checked_add(1).ok_or(failed(Errno::INVAL))?;
        let mut channels = self.card.ethtool.channels().map_err(&failed)?;
        if channels.receive_queues() < least {
            self.queues = 1..least;
            self.note(Setting::Channels {
                before: channels.combined,
                after: least,
            })?;
            let ethtool = &self.card.ethtool;
            ethtool.set_combined_channels(least).map_err(&failed)?;
            channels = ethtool.channels().map_err(&failed)?;
        }
        let queues = channels.receive_queues();
        if queues < least {
            return Err(failed(Errno::OPNOTSUPP));
        }
        self.queues = queues - count..queues;
        Ok(())
    }

    /// Refuses what no step mends, on `queue` or on the interface as a whole.
    fn check(&self, queue: Option<u32>) -> Result<(), Error> {
        use CauseKind::{HeaderSplit, HeaderSplitThreshold, NoQueue};
        let state = InterfaceState::read(self.interface, queue);
        let is_mended = |kind| match kind {
            HeaderSplit | HeaderSplitThreshold => true,
            NoQueue => queue.is_none(),
            _ => false,
        };
        // The first queue alone is never claimed.
        let mut obstacles = preflight::obstacles(queue.unwrap_or(1), &state).into_iter();
        match obstacles.find(|known| !is_mended(known.kind)) {
            None => Ok(()),
            Some(known) => Err(barred(self.interface, known)),
        }
    }

    /// Asks for header split also where it is on: zero-copy receive wants it from the administrator, and does not
    /// take it for granted where a driver has it on by itself.
    fn header_split(&mut self) -> Result<(), Error> {
        let failed = HEADER_SPLIT.failed(self.interface);
        let rings = self.card.settings.rings().map_err(&failed)?;
        let before = rings.data_split.unwrap_or(DataSplit::Unknown);
        if before != DataSplit::Enabled {
            self.note(Setting::HeaderSplit { before })?;
        }
        let thresh = rings.hds_thresh.filter(|&bytes| bytes > 0);
        if let Some(before) = thresh {
            self.note(Setting::Threshold { before })?;
        }
        let settings = &mut self.card.settings;
        let set = settings.set_header_split(DataSplit::Enabled, thresh.map(|_| 0));
        set.map_err(&failed)
    }

    fn rss(&mut self) -> Result<(), Error> {
        let failed = RSS.failed(self.interface);
        let before = self.card.ethtool.rss().map_err(&failed)?;
        if !before.iter().any(|entry| self.queues.contains(entry)) {
            return Ok(());
        }
        let mut others = (0..self.queues.start).cycle();
        let away = |&entry: &u32| match self.queues.contains(&entry) {
            true => others.next().unwrap_or(0),
            false => entry,
        };
        let after: Vec<u32> = before.iter().map(away).collect();
        self.note(Setting::Rss {
            before,
            queues: self.queues(),
        })?;
        self.card.ethtool.set_rss(&after).map_err(&failed)
    }

    fn ntuple(&mut self) -> Result<(), Error> {
        let failed = NTUPLE.failed(self.interface);
        if self.card.ethtool.ntuple().map_err(&failed)? {
            return Ok(());
        }
        self.note(Setting::Ntuple)?;
        self.card.ethtool.set_ntuple(true).map_err(&failed)
    }

    fn rule(&mut self, flow: Flow, queue: u32) -> Result<(), Error> {
        let failed = rule_failed(self.interface, flow, queue);
        if rules::exists(&self.card.ethtool, flow).map_err(&failed)? {
            return Err(failed(Errno::EXIST));
        }
        let rule = |location| Setting::Rule {
            location,
            flow,
            queue,
        };
        self.note(rule(None))?;
        let location = rules::insert(&self.card.ethtool, flow, queue).map_err(&failed)?;
        self.changes.pop();
        self.note(rule(Some(location)))
    }
}
