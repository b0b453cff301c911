//! The record of a claim: a text file from which its changes can be taken back when its owner has been killed.
//!
//! A line each for where it holds (boot, network namespace, interface, queue) and for each change, in order; the
//! last line tells a whole record from one whose writing was cut short.

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
    pub(super) queue: u32,
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
            "{FIRST}\nboot {boot}\nnamespace {namespace}\ninterface {}\nqueue {}\n",
            self.interface,
            self.queue
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
        let queue = value("queue")?.parse().ok()?;
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
            queue,
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
        Setting::Rss { before, queue } => {
            let mut line = std::format!("rss {queue}");
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
            queue: number(&mut words)?,
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

fn number<T: FromStr>(words: &mut Split<'_, char>) -> Option<T> {
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let flow = Flow::new(Family::V6, 9999);
        let settings = [
            Setting::Channels {
                before: 1,
                after: 2,
            },
            Setting::HeaderSplit {
                before: DataSplit::Disabled,
            },
            Setting::Threshold { before: 256 },
            Setting::Rss {
                before: std::vec![0, 1, 0, 1],
                queue: 1,
            },
            Setting::Ntuple,
            Setting::Rule {
                location: Some(63),
                flow,
                queue: 1,
            },
            Setting::Rule {
                location: None,
                flow,
                queue: 1,
            },
        ];
        Record {
            place: Place::here().unwrap(),
            interface: 3,
            queue: 1,
            changes: settings.into_iter().map(Change).collect(),
        }
    }

    #[test]
    fn a_setup_is_read_back_as_it_was_recorded() {
        let mut record = record();
        assert_eq!(Record::from_text(&record.to_text()), Some(record.clone()));
        record.changes = std::vec![Change(Setting::HeaderSplit {
            before: DataSplit::Unknown,
        })];
        assert_eq!(Record::from_text(&record.to_text()), Some(record));
    }

    #[test]
    fn a_record_of_a_setup_that_was_cut_short_or_spoiled_is_refused() {
        let text = record().to_text();
        for end in 0..text.len() {
            assert_eq!(Record::from_text(&text[..end]), None, "{:?}", &text[..end]);
        }
        for (good, bad) in [
            ("record 1", "record 2"),
            ("queue 1", "queue -1"),
            ("queue 1", "queue 4294967296"),
            ("channels 1 2", "channels 1"),
            ("channels 1 2", "channels 1 2 3"),
            ("header-split 1", "header-split 2"),
            ("rss 1", "rss -1"),
            ("0 1 0 1", "0 1 x 1"),
            ("ntuple", "ntuples"),
            ("63 6 9999", "63 5 9999"),
            ("anywhere", "somewhere"),
            ("9999", "65536"),
            ("end\n", "end\nend\n"),
            ("end\n", "\nend\n"),
        ] {
            let spoiled = text.replace(good, bad);
            assert_ne!(spoiled, text, "{good}");
            assert_eq!(Record::from_text(&spoiled), None, "{bad}");
        }
    }

    #[test]
    fn a_file_that_is_no_record_of_a_setup_is_an_error() {
        let path = std::env::temp_dir().join(std::format!("no-record-{}", std::process::id()));
        fs::write(&path, "shopping list\n").unwrap();
        let error = Record::read(&path).unwrap_err();
        fs::remove_file(&path).unwrap();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains("not a whole record"), "{error}");
    }
}
