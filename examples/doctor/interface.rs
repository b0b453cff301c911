//! One interface: can it, and if not, what mends it.

use serde_json::{json, Value};
use zcrx_sys::nic::{self, Inspection, Obstacle, QueueState};
use zcrx_sys::CauseKind;

/// Whether zero-copy receive is to be had on a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing that can be seen stands in the way.
    Ready,
    /// It is, once some commands have run.
    Mendable,
    /// Somebody has the queue.
    Taken,
    /// It is not, whatever is set.
    Impossible,
}

impl Verdict {
    fn of(obstacles: &[Obstacle]) -> Self {
        use CauseKind::{AfXdpSocket, QueueLeased, QueueTaken};
        let taken = |obstacle: &Obstacle| {
            matches!(obstacle.kind, Some(QueueTaken | QueueLeased | AfXdpSocket))
        };
        let hopeless = |obstacle: &Obstacle| obstacle.command.is_none() && !taken(obstacle);
        match obstacles {
            [] => Self::Ready,
            _ if obstacles.iter().any(hopeless) => Self::Impossible,
            _ if obstacles.iter().any(taken) => Self::Taken,
            _ => Self::Mendable,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Mendable => "mendable",
            Self::Taken => "taken",
            Self::Impossible => "impossible",
        }
    }
}

/// An interface, and the queue of it that is to receive.
pub struct Interface {
    pub inspection: Inspection,
    pub queue: u32,
    pub obstacles: Vec<Obstacle>,
    pub verdict: Verdict,
}

impl Interface {
    /// That of the command line: `IF` or `IF:QUEUE`.
    pub fn named(argument: &str) -> Result<Self, String> {
        // A colon is the one thing that no name has in it.
        match argument.split_once(':') {
            None => Self::examine(argument, None),
            Some((name, queue)) => match queue.parse() {
                Ok(queue) => Self::examine(name, Some(queue)),
                Err(_) => Err(format!("{argument}: after the colon goes a queue's number")),
            },
        }
    }

    pub fn examine(name: &str, queue: Option<u32>) -> Result<Self, String> {
        let inspection = nic::inspect(name).map_err(|error| format!("{name}: {error}"))?;
        let last = inspection.receive_queues.unwrap_or(1).saturating_sub(1);
        let queue = queue.unwrap_or(last);
        let obstacles = inspection.obstacles(queue);
        let verdict = Verdict::of(&obstacles);
        Ok(Self {
            inspection,
            queue,
            obstacles,
            verdict,
        })
    }

    pub fn to_json(&self) -> Value {
        let seen = &self.inspection;
        let obstacles: Vec<_> = self.obstacles.iter().map(obstacle).collect();
        let queues: Vec<_> = seen.queues.iter().map(queue).collect();
        json!({
            "name": seen.name,
            "index": seen.interface,
            "verdict": self.verdict.name(),
            "queue": self.queue,
            "obstacles": obstacles,
            "driver": seen.driver,
            "up": seen.up,
            "mtu": seen.mtu,
            "xdp_program": seen.xdp_program,
            "receive_queues": seen.receive_queues,
            "most_channels": seen.most_channels,
            "ring_entries": seen.ring_entries,
            "tcp_data_split": seen.header_split,
            "hds_thresh": seen.header_split_threshold,
            "ntuple": seen.ntuple,
            "rules": seen.rules,
            "queues": queues,
        })
    }
}

fn obstacle(obstacle: &Obstacle) -> Value {
    json!({
        "kind": obstacle.kind.map(|kind| format!("{kind:?}")),
        "cause": obstacle.cause,
        "remedy": obstacle.remedy,
        "command": obstacle.command,
    })
}

fn queue(queue: &QueueState) -> Value {
    json!({
        "napi_id": queue.napi_id,
        "holder": queue.holder.map(|holder| format!("{holder:?}")),
        "rss": queue.rss,
    })
}
