//! The record of a claim: a text file from which its changes can be taken back when its owner has been killed.
//!
//! A line each for where it holds (boot, network namespace, interface, queues) and for each change, in order; the
//! last line tells a whole record from one whose writing was cut short.

use core::ops::Range;

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::{FromStr, Split};
use std::string::{String, ToString};
use std::vec::Vec;

use super::change::{Change, Setting};
use super::flow::{Family, Flow};
use crate::zcrx::interface::DataSplit;

const FIRST: &str = "zcrx-sys nic record 1";
const LAST: &str = "end";
/// The location of a rule that was being added.
const ANYWHERE: &str = "anywhere";

/// Where a claim's changes hold. An interface's number is its own as long as the system runs, within its network
/// namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) boot: String,
    pub(super) namespace: u64,
}

impl Place {
    /// That of the calling thread.
    pub(super) fn here() -> io::Result<Self> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        let namespace = fs::metadata("/proc/thread-self/ns/net")?.ino();
        let boot = boot.trim().to_string();
        Ok(Self { boot, namespace })
    }
}

/// What is in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) place: Place,
    pub(super) interface: u32,
    pub(super) queues: Range<u32>,
    pub(super) changes: Vec<Change>,
}

impl Record {
    /// Writes it to a file that is not there yet, for its owner's eyes alone.
    pub(super) fn create(&self, path: &Path) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        let written = file.write_all(self.to_text().as_bytes());
        if written.is_err() {
            let _ = fs::remove_file(path); // Of two errors the first is the one to tell.
        }
        written
    }

    /// Has the file at `path` say this from now on: at any time it is a whole record, the old one or this.
    pub(super) fn replace(&self, path: &Path) -> io::Result<()> {
        let new = newer(path);
        remove_if_there(&new)?;
        self.create(&new)?;
        fs::rename(new, path)
    }

    /// Removes the file at `path`, and what an owner left that was killed while it replaced it.
    pub(super) fn remove(path: &Path) -> io::Result<()> {
        remove_if_there(&newer(path))?;
        fs::remove_file(path)
    }

    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(path)?;
        Self::from_text(&text).ok_or_else(|| {
            let what = "it is not a whole record of a claim";
            io::Error::new(io::ErrorKind::InvalidData, what)
        })
    }

    fn to_text(&self) -> String {
        let Place { boot, namespace } = &self.place;
        let mut text = std::format!(
            "{FIRST}\nboot {boot}\nnamespace {namespace}\ninterface {}\nqueues {}\n",
            self.interface,
            words(&self.queues)
        );
        for Change(setting) in &self.changes {
            text += &line(setting);
            text.push('\n');
        }
        text + LAST + "\n"
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        lines.next().filter(|&first| first == FIRST)?;
        let mut value = |name| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let boot = value("boot")?.to_string();
        let namespace = value("namespace")?.parse().ok()?;
        let interface = value("interface")?.parse().ok()?;
        let mut queues = value("queues")?.split(' ');
        let queues = range(&mut queues).filter(|_| queues.next().is_none())?;
        let mut changes = Vec::new();
        loop {
            match lines.next()? {
                LAST => break,
                line => changes.push(Change(setting(line)?)),
            }
        }
        lines.next().is_none().then_some(Self {
            place: Place { boot, namespace },
            interface,
            queues,
            changes,
        })
    }
}

/// Where the file's next contents are written.
fn newer(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".new");
    name.into()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn line(setting: &Setting) -> String {
    match setting {
        Setting::Channels { before, after } => std::format!("channels {before} {after}"),
        Setting::HeaderSplit { before } => std::format!("header-split {}", *before as u8),
        Setting::Threshold { before } => std::format!("threshold {before}"),
        Setting::Rss { before, queues } => {
            let mut line = std::format!("rss {}", words(queues));
            for entry in before {
                line.push(' ');
                line += &entry.to_string();
            }
            line
        }
        Setting::Ntuple => "ntuple".to_string(),
        Setting::Rule {
            location,
            flow,
            queue,
        } => {
            let version = if flow.family() == Family::V4 { 4 } else { 6 };
            let location = location.map_or(ANYWHERE.to_string(), |location| location.to_string());
            std::format!("rule {location} {version} {} {queue}", flow.port())
        }
    }
}

fn setting(line: &str) -> Option<Setting> {
    let mut words = line.split(' ');
    let kind = words.next()?;
    let setting = match kind {
        "channels" => Setting::Channels {
            before: number(&mut words)?,
            after: number(&mut words)?,
        },
        "header-split" => Setting::HeaderSplit {
            before: match number::<u8>(&mut words)? {
                0 => DataSplit::Unknown,
                1 => DataSplit::Disabled,
                _ => return None,
            },
        },
        "threshold" => Setting::Threshold {
            before: number(&mut words)?,
        },
        "rss" => Setting::Rss {
            queues: range(&mut words)?,
            before: words
                .by_ref()
                .map(|word| word.parse().ok())
                .collect::<Option<_>>()?,
        },
        "ntuple" => Setting::Ntuple,
        "rule" => Setting::Rule {
            location: match words.next()? {
                ANYWHERE => None,
                location => Some(location.parse().ok()?),
            },
            flow: {
                let family = match number::<u8>(&mut words)? {
                    4 => Family::V4,
                    6 => Family::V6,
                    _ => return None,
                };
                Flow::new(family, number(&mut words)?)
            },
            queue: number(&mut words)?,
        },
        _ => return None,
    };
    words.next().is_none().then_some(setting)
}

/// The first of some queues, and the last.
fn words(queues: &Range<u32>) -> String {
    std::format!("{} {}", queues.start, queues.end.saturating_sub(1))
}

fn range(words: &mut Split<'_, char>) -> Option<Range<u32>> {
    let (first, last) = (number::<u32>(words)?, number::<u32>(words)?);
    (first <= last).then_some(first..last.checked_add(1)?)
}

fn number<T: FromStr>(words: &mut Split<'_, char>) -> Option<T> {
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests;
