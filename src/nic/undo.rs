//! Taking back what a claim has changed: when it drops, and when its owner was killed, from its record.

use std::io;
use std::path::{self, Path};
use std::thread;
use std::time::{Duration, Instant};
use std::vec::Vec;

use super::change::{Card, Change};
use super::claim::{errno, Claim};
use super::lock::Lock;
use super::record::{Place, Record};
use super::step::{record_failed, UNDO};
use super::ClaimError;
use crate::errno::Errno;
use crate::error::Error;
use crate::zcrx::interface::Provider;

/// How long to wait for a queue whose receiver has closed: the kernel frees it in its own time, as a rule within
/// milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(1);

/// Where the examples of this crate put their records, each by its interface's name: `receive --claim` writes one,
/// and `doctor --undo` finds it. Whoever makes the directory sees to it that nobody else may write there.
pub const RECORD_DIR: &str = "/run/zcrx-sys";

/// Takes back what a claim has changed whose owner was killed, from the file that
/// [`claim_recorded`](super::claim_recorded) wrote. Takes CAP_NET_ADMIN.
///
/// Answers what was taken back, which is nothing if the system has been started anew since: then the settings are
/// gone, too. The file is gone after that.
///
/// # Errors
///
/// - The file cannot be read, or is no whole record (`InvalidData`).
/// - It is of another network namespace (`InvalidInput`).
/// - The claim's owner lives (`AddrInUse`).
/// - A change cannot be taken back. The file holds from then on what is left.
pub fn undo(path: impl AsRef<Path>) -> io::Result<Vec<Change>> {
    let path = path.as_ref();
    let record = Record::read(path)?;
    let here = Place::here()?;
    if record.place.boot != here.boot {
        Record::remove(path)?;
        return Ok(Vec::new());
    }
    if record.place.namespace != here.namespace {
        let what = "the record is of another network namespace: undo it there";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    let lock = Lock::take(record.interface).map_err(|error| match error.kind() {
        kind @ io::ErrorKind::AddrInUse => io::Error::new(kind, "the claim's owner lives: end it"),
        _ => error,
    })?;
    let claim = Claim {
        card: Card::open(record.interface)?,
        interface: record.interface,
        queues: record.queues.clone(),
        changes: record.changes.clone(),
        record: Some((path.to_path_buf(), here)),
        _lock: lock,
    };
    match claim.release() {
        Ok(()) => Ok(record.changes),
        Err(left) => Err(left.into()),
    }
}

impl Claim {
    /// Begins a record at `path`, where there must be none.
    pub(super) fn record_to(&mut self, path: &Path) -> Result<(), Error> {
        let failed = |error| record_failed(self.interface)(errno(error));
        let (path, place) = (
            path::absolute(path).map_err(failed)?,
            Place::here().map_err(failed)?,
        );
        let record = self.as_recorded(&place, &self.changes);
        record.create(&path).map_err(failed)?;
        self.record = Some((path, place));
        Ok(())
    }

    /// Brings the record up to date, if there is one.
    pub(super) fn update_record(&self) -> Result<(), Error> {
        let Some((path, place)) = &self.record else {
            return Ok(());
        };
        let record = self.as_recorded(place, &self.changes);
        let failed = |error| record_failed(self.interface)(errno(error));
        record.replace(path).map_err(failed)
    }

    /// Takes back what was changed, as dropping does.
    ///
    /// # Errors
    ///
    /// What could not be taken back, in the order in which it was changed, and why the first of it could not.
    pub fn release(mut self) -> Result<(), ClaimError> {
        let left = self.undo(PATIENCE);
        match left.first() {
            None => Ok(()),
            Some(&(_, errno)) => {
                let error = UNDO.failed(self.interface)(errno);
                Err(ClaimError::new(error, left))
            }
        }
    }

    fn as_recorded(&self, place: &Place, changes: &[Change]) -> Record {
        Record {
            place: place.clone(),
            interface: self.interface,
            queues: self.queues(),
            changes: changes.to_vec(),
        }
    }

    /// Takes back all changes, the last first; answers those that could not be.
    pub(super) fn undo(&mut self, patience: Duration) -> Vec<(Change, Errno)> {
        let mut left = Vec::new();
        let mut is_free = None;
        while let Some(change) = self.changes.pop() {
            // First no more flows to the queue, then its receiver is waited for, then others may use it again.
            let undone = if change.is_rule()
                || *is_free.get_or_insert_with(|| self.wait_for_queues(patience))
            {
                change.undo(&mut self.card)
            } else {
                Err(Errno::BUSY)
            };
            if let Err(errno) = undone {
                left.push((change, errno));
            }
        }
        left.reverse();
        if let Some((path, place)) = self.record.take() {
            // Nobody is there to be told, and a record that says too much does no harm: what is so already is
            // left alone.
            let _ = match left.is_empty() {
                true => Record::remove(&path),
                false => {
                    let left: Vec<_> = left.iter().map(|(change, _)| change.clone()).collect();
                    self.as_recorded(&place, &left).replace(&path)
                }
            };
        }
        left
    }

    /// Waits until no zero-copy receiver has one of the queues; answers whether that came.
    fn wait_for_queues(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        for queue in self.queues() {
            while self.is_taken(queue) {
                if Instant::now() >= deadline {
                    return false;
                }
                thread::sleep(PAUSE); // The kernel does not tell when it has freed a queue.
            }
        }
        true
    }

    /// Whether a zero-copy receiver has it. One that is not there, or whose interface is not, nobody can have.
    fn is_taken(&mut self, queue: u32) -> bool {
        let queue = self.card.settings.queue(queue);
        queue.is_ok_and(|queue| queue.provider == Some(Provider::IoUring))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.undo(PATIENCE);
    }
}
