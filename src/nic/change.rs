//! [`Change`]: a setting that a claim changed, and how to take it back.

use core::fmt;
use core::ops::Range;

use std::vec::Vec;

use super::ethtool::Ethtool;
use super::flow::Flow;
use super::rules;
use crate::errno::Errno;
use crate::zcrx::interface::{DataSplit, Settings};

/// The two ways to an interface's settings.
#[derive(Debug)]
pub(super) struct Card {
    pub(super) ethtool: Ethtool,
    pub(super) settings: Settings,
}

impl Card {
    pub(super) fn open(interface: u32) -> Result<Self, Errno> {
        Ok(Self {
            ethtool: Ethtool::open(interface)?,
            settings: Settings::open(interface)?,
        })
    }
}

/// A setting of a NIC that a [`Claim`](super::Claim) changed.
///
/// `Display` gives it in one line, in ethtool's words: `combined channels: 1 -> 2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change(pub(super) Setting);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    Channels {
        before: u32,
        after: u32,
    },
    HeaderSplit {
        before: DataSplit,
    },
    Threshold {
        before: u32,
    },
    Rss {
        before: Vec<u32>,
        queues: Range<u32>,
    },
    Ntuple,
    Rule {
        /// `None` while it is being added.
        location: Option<u32>,
        flow: Flow,
        queue: u32,
    },
}

impl Change {
    /// Whether it can be taken back while the queue is in use.
    pub(super) fn is_rule(&self) -> bool {
        matches!(self.0, Setting::Rule { .. })
    }

    /// Sets it to what it was before. What is so already, perhaps because the change failed, is left alone; an
    /// interface that is gone has nothing to be taken back.
    pub(super) fn undo(&self, card: &mut Card) -> Result<(), Errno> {
        match self.try_undo(card) {
            Err(Errno::NODEV) => Ok(()),
            result => result,
        }
    }

    fn try_undo(&self, Card { ethtool, settings }: &mut Card) -> Result<(), Errno> {
        match self.0 {
            Setting::Channels { before, .. } => {
                if ethtool.channels()?.combined == before {
                    return Ok(());
                }
                ethtool.set_combined_channels(before)
            }
            Setting::HeaderSplit { before } => {
                if settings.rings()?.data_split == Some(before) {
                    return Ok(());
                }
                settings.set_header_split(before, None)
            }
            Setting::Threshold { before } => {
                let rings = settings.rings()?;
                match rings.data_split {
                    Some(split) if rings.hds_thresh != Some(before) => {
                        settings.set_header_split(split, Some(before))
                    }
                    _ => Ok(()),
                }
            }
            Setting::Rss { ref before, .. } => {
                if ethtool.rss()? == *before {
                    return Ok(());
                }
                // Of a table that an administrator has set, the kernel takes care when channels change.
                match is_default(before, ethtool.channels()?.receive_queues()) {
                    true => ethtool.set_rss(&[]),
                    false => ethtool.set_rss(before),
                }
            }
            Setting::Ntuple if ethtool.ntuple()? => ethtool.set_ntuple(false),
            Setting::Ntuple => Ok(()),
            Setting::Rule {
                location,
                flow,
                queue,
            } => rules::delete(ethtool, location, flow, queue),
        }
    }
}

/// Whether it is the table that the kernel makes for so many queues (`ethtool_rxfh_indir_default`).
fn is_default(table: &[u32], queues: u32) -> bool {
    queues > 0
        && table
            .iter()
            .zip((0..queues).cycle())
            .all(|(&entry, queue)| entry == queue)
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Setting::Channels { before, after } => {
                write!(f, "combined channels: {before} -> {after}")
            }
            Setting::HeaderSplit { before } => {
                let before = match before {
                    DataSplit::Unknown => "auto",
                    DataSplit::Disabled => "off",
                    DataSplit::Enabled => "on",
                };
                write!(f, "tcp-data-split: {before} -> on")
            }
            Setting::Threshold { before } => write!(f, "hds-thresh: {before} -> 0"),
            Setting::Rss { before, queues } => {
                let moved = before.iter().filter(|&entry| queues.contains(entry));
                let (entries, all) = (moved.count(), before.len());
                write!(f, "RSS: {entries} of {all} entries moved from ")?;
                match queues.end.wrapping_sub(queues.start) {
                    1 => write!(f, "queue {} to others", queues.start),
                    _ => write!(f, "queues {} to {} to others", queues.start, queues.end - 1),
                }
            }
            Setting::Ntuple => f.write_str("ntuple-filters: off -> on"),
            Setting::Rule {
                location,
                flow,
                queue,
            } => {
                f.write_str("flow rule")?;
                if let Some(location) = location {
                    write!(f, " {location}")?;
                }
                write!(f, ": {flow} action {queue}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_rss_table_is_known_in_setup() {
        assert!(is_default(&[0, 1, 2, 0, 1, 2, 0, 1], 3));
        assert!(is_default(&[0, 0], 1));
        assert!(!is_default(&[0, 0], 2));
        assert!(!is_default(&[0, 0], 0));
        assert!(!is_default(&[1, 0], 2));
    }

    #[test]
    fn what_was_changed_in_setup_is_said_in_ethtools_words() {
        let split = |before| Change(Setting::HeaderSplit { before });
        for (change, words) in [
            (split(DataSplit::Unknown), "tcp-data-split: auto -> on"),
            (split(DataSplit::Disabled), "tcp-data-split: off -> on"),
            (split(DataSplit::Enabled), "tcp-data-split: on -> on"),
        ] {
            assert_eq!(std::format!("{change}"), words);
        }
    }
}
