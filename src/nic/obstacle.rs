//! [`Obstacle`]: what stands in the way of zero-copy receive, with the command that mends it.

use core::fmt;

use std::string::{String, ToString};
use std::vec::Vec;

use super::inspect::Inspection;
use crate::cause::{CauseKind, Known};
use crate::zcrx::preflight;

/// Something that stands in the way of zero-copy receive, or of receiving what is meant to come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Obstacle {
    /// What registration fails for, if it does; `None` for what it succeeds with all the same, but then no flow
    /// of its own comes to the queue, or flows of others do.
    pub kind: Option<CauseKind>,
    /// What it is, as a clause.
    pub cause: &'static str,
    /// What to do about it: a command, or a clause in the imperative.
    pub remedy: String,
    /// The command that mends it, ready for a shell; `None` if no command does.
    pub command: Option<String>,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.cause, self.remedy)
    }
}

/// Drivers with queue management in kernel 7.3. Each tells of header split, except where mlx5_core leaves it open.
const DRIVERS: [&str; 4] = ["bnxt_en", "fbnic", "gve", "mlx5_core"];

impl Inspection {
    /// What stands in the way of zero-copy receive on `queue`, each with what to do about it, in the order in
    /// which it is to be done. Empty if registration is expected to succeed.
    ///
    /// Left aside is what no interface tells of: the privilege to register, whether the driver has zero-copy
    /// receive (one that does not tell of header split has not), and whether header split is on because somebody
    /// has asked for it, as registration wants. [`claim`](super::claim) asks for it in any case.
    ///
    /// ```
    /// let loopback = zcrx_sys::nic::inspect("lo")?;
    /// let obstacles = loopback.obstacles(0);
    /// assert!(obstacles[0].to_string().contains("virtual"));
    /// assert_eq!(obstacles[0].command, None); // Nothing makes a NIC of it.
    /// # Ok::<(), zcrx_sys::Error>(())
    /// ```
    pub fn obstacles(&self, queue: u32) -> Vec<Obstacle> {
        let state = self.state_with(queue);
        let known = preflight::obstacles(queue, &state);
        let is_virtual = |known: &&&Known| known.kind == CauseKind::NoDmaDevice;
        if let Some(known) = known.iter().find(is_virtual) {
            // Nothing that is set on it can help, and nothing else need be told.
            return std::vec![self.known(known)];
        }
        if self.driver_splits_no_headers() {
            return std::vec![Obstacle {
                kind: Some(CauseKind::NoQueueManagement),
                cause: "the driver has no header split, as each has that does zero-copy receive",
                remedy: "use a NIC whose driver has zero-copy receive".to_string(),
                command: None,
            }];
        }
        let mut found = Vec::new();
        found.extend(self.single_queue());
        found.extend(known.into_iter().map(|known| self.known(known)));
        let rss = self.queues.get(queue as usize).and_then(|queue| queue.rss);
        if rss == Some(true) && self.receive_queues > Some(1) {
            let cause = "RSS sends flows of others to the queue";
            found.push(mended(cause, self.rss_command(queue)));
        }
        if self.ntuple == Some(false) {
            let cause = "no flow can be steered to the queue while flow rules are switched off";
            found.push(mended(
                cause,
                std::format!("ethtool -K {} ntuple on", self.word()),
            ));
        }
        found
    }

    /// Of a virtual interface the driver behind it counts, which is another.
    fn driver_splits_no_headers(&self) -> bool {
        let physical = self.state_with(0).link.is_some_and(|link| link.has_parent);
        let untold = self.header_split.is_none() && self.header_split_threshold.is_none();
        let driver = self.driver.as_deref();
        physical && untold && driver.is_some_and(|driver| !DRIVERS.contains(&driver))
    }

    /// The only queue cannot be had alone: all other flows come there, too.
    fn single_queue(&self) -> Option<Obstacle> {
        if self.receive_queues != Some(1) {
            return None;
        }
        let cause = "the only receive queue takes all flows";
        Some(match self.most_channels {
            Some(0 | 1) => Obstacle {
                kind: None,
                cause,
                remedy: "use a NIC with several queues".to_string(),
                command: None,
            },
            _ => mended(cause, std::format!("ethtool -L {} combined 2", self.word())),
        })
    }

    fn known(&self, known: &Known) -> Obstacle {
        let name = self.word();
        let threshold = self.header_split_threshold > Some(0);
        let command = match known.kind {
            CauseKind::InterfaceDown => Some(std::format!("ip link set dev {name} up")),
            CauseKind::XdpProgram => Some(std::format!("ip link set dev {name} xdp off")),
            CauseKind::HeaderSplit if threshold => Some(std::format!(
                "ethtool -G {name} tcp-data-split on hds-thresh 0"
            )),
            CauseKind::HeaderSplit => Some(std::format!("ethtool -G {name} tcp-data-split on")),
            CauseKind::HeaderSplitThreshold => Some(std::format!("ethtool -G {name} hds-thresh 0")),
            _ => None,
        };
        Obstacle {
            kind: Some(known.kind),
            cause: known.cause.cause,
            remedy: known.cause.remedy.replace("INTERFACE", &name),
            command,
        }
    }

    /// `ethtool` can leave out queues in the middle by their weights alone.
    fn rss_command(&self, queue: u32) -> String {
        let (name, queues) = (self.word(), self.receive_queues.unwrap_or(0));
        if queue > 0 && queue + 1 == queues {
            return std::format!("ethtool -X {name} equal {queue}");
        }
        let mut command = std::format!("ethtool -X {name} weight");
        for other in 0..queues {
            command += if other == queue { " 0" } else { " 1" };
        }
        command
    }

    /// The interface's name as a word of a shell's: it may hold any byte but spaces, `/` and `:`.
    fn word(&self) -> String {
        quoted(&self.name)
    }
}

fn mended(cause: &'static str, command: String) -> Obstacle {
    Obstacle {
        kind: None,
        cause,
        remedy: command.clone(),
        command: Some(command),
    }
}

fn quoted(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.@-".contains(&byte);
    match name.bytes().all(plain) {
        true => name.to_string(),
        false => std::format!("'{}'", name.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_a_setup_run_no_name_of_an_interface() {
        for (name, word) in [
            ("eth0", "eth0"),
            ("enp3s0f1.100@2-x_", "enp3s0f1.100@2-x_"),
            ("a;reboot", "'a;reboot'"),
            ("$(id)", "'$(id)'"),
            ("it's", r"'it'\''s'"),
            ("\u{e9}", "'\u{e9}'"),
        ] {
            assert_eq!(quoted(name), word);
        }
    }

    #[test]
    fn any_queue_can_be_left_out_of_rss_in_setup() {
        let mut inspection = super::super::inspect("lo").unwrap();
        inspection.name = "eth0".to_string();
        inspection.receive_queues = Some(4);
        for (queue, command) in [
            (0, "ethtool -X eth0 weight 0 1 1 1"),
            (2, "ethtool -X eth0 weight 1 1 0 1"),
            (3, "ethtool -X eth0 equal 3"),
        ] {
            assert_eq!(inspection.rss_command(queue), command);
        }
    }
}
