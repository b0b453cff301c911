//! [`inspect`]: what a NIC's settings are, and what they keep from zero-copy receive.

use core::fmt;

use std::string::{String, ToString};
use std::vec::Vec;

use super::ethtool::{Channels, Ethtool};
use super::rules;
use crate::cause::{CauseKind, Known};
use crate::error::Error;
use crate::zcrx::interface::{DataSplit, InterfaceState, Provider, Queue};
use crate::zcrx::{interface_index, preflight};

/// Who has a receive queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Holder {
    /// The driver: anybody may have it.
    Driver,
    /// A zero-copy receiver of io_uring.
    IoUring,
    /// Somebody who bound a dmabuf to it ("device memory TCP").
    Dmabuf,
    /// An AF_XDP socket.
    AfXdp,
    /// A virtual interface that it is leased to (netkit, kernel 7.1).
    Lease,
}

/// The state of an interface and of one of its receive queues, as far as zero-copy receive depends on it.
///
/// What the kernel or the driver does not tell is `None`. It is a moment's state: anybody with the privilege may
/// change it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// The interface's name.
    pub name: String,
    /// Its index.
    pub interface: u32,
    /// The queue that was asked about.
    pub queue: u32,
    /// The driver's name.
    pub driver: Option<String>,
    /// Whether the interface is switched on.
    pub up: Option<bool>,
    /// Most bytes of a packet, without the link layer's header.
    pub mtu: Option<u32>,
    /// The id of an XDP program that is attached; 0 if none is.
    pub xdp_program: Option<u32>,
    /// How many receive queues there are.
    pub receive_queues: Option<u32>,
    /// How many combined channels, and so receive queues, there may be.
    pub most_channels: Option<u32>,
    /// Entries of each receive ring: so many buffers the NIC holds for each queue.
    pub ring_entries: Option<u32>,
    /// Whether headers are split from data (`tcp-data-split`).
    pub header_split: Option<bool>,
    /// From how many bytes of a packet on (`hds-thresh`, kernel 6.14).
    pub header_split_threshold: Option<u32>,
    /// The id of the NAPI instance that serves the queue, as `SO_INCOMING_NAPI_ID` tells it of a socket.
    /// `None` also while the interface is down.
    pub napi_id: Option<u32>,
    /// Who has the queue. `None` also while the interface is down.
    pub holder: Option<Holder>,
    /// Whether RSS sends packets to the queue, so that other flows than the receiver's arrive there.
    pub rss: Option<bool>,
    /// Whether flow rules are switched on (`ntuple-filters`).
    pub ntuple: Option<bool>,
    /// How many flow rules there are.
    pub rules: Option<u32>,
    state: InterfaceState,
}

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
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.cause, self.remedy)
    }
}

/// Reads the state of the interface called `name`, in the network namespace of the calling thread, and of its
/// receive queue `queue`. It takes no privilege, and well below a millisecond.
///
/// # Errors
///
/// There is no such interface.
///
/// ```
/// let loopback = zcrx_sys::nic::inspect("lo", 0).unwrap();
/// for obstacle in loopback.obstacles() {
///     println!("{obstacle}");
/// }
/// ```
pub fn inspect(name: &str, queue: u32) -> Result<Inspection, Error> {
    let interface = interface_index(name)?;
    let state = InterfaceState::read(interface, Some(queue));
    let (link, rings) = (state.link, state.rings);
    let ethtool = Ethtool::open(interface).ok();
    let ethtool = ethtool.as_ref();
    let channels = ethtool.and_then(|ethtool| ethtool.channels().ok());
    Ok(Inspection {
        name: name.to_string(),
        interface,
        queue,
        driver: ethtool.and_then(|ethtool| ethtool.driver().ok()),
        up: link.map(|link| link.up),
        mtu: link.and_then(|link| link.mtu),
        xdp_program: link.and_then(|link| link.xdp_program),
        receive_queues: state.receive_queues,
        most_channels: channels.map(|Channels { max_combined, .. }| max_combined),
        ring_entries: rings.and_then(|rings| rings.rx_entries),
        header_split: rings.and_then(|rings| match rings.data_split? {
            DataSplit::Unknown => None,
            split => Some(split == DataSplit::Enabled),
        }),
        header_split_threshold: rings.and_then(|rings| rings.hds_thresh),
        napi_id: state.queue.and_then(|queue| queue.napi),
        holder: state.queue.map(holder),
        rss: ethtool.and_then(|ethtool| Some(ethtool.rss().ok()?.contains(&queue))),
        ntuple: ethtool.and_then(|ethtool| ethtool.ntuple().ok()),
        rules: ethtool.and_then(|ethtool| rules::count(ethtool).ok()),
        state,
    })
}

fn holder(queue: Queue) -> Holder {
    match queue.provider {
        _ if queue.leased => Holder::Lease,
        _ if queue.af_xdp => Holder::AfXdp,
        Some(Provider::IoUring) => Holder::IoUring,
        Some(Provider::Dmabuf) => Holder::Dmabuf,
        None => Holder::Driver,
    }
}

impl Inspection {
    /// What stands in the way of zero-copy receive on the queue, each with what to do about it, in the order in
    /// which it is to be done. Empty if registration is expected to succeed, the privilege to register and the
    /// driver's support left aside: no interface tells of that.
    pub fn obstacles(&self) -> Vec<Obstacle> {
        let known = preflight::obstacles(self.queue, &self.state);
        let virtual_one = |known: &&&Known| known.kind == CauseKind::NoDmaDevice;
        if let Some(known) = known.iter().find(virtual_one) {
            // Nothing that is set on it can help.
            return std::vec![self.obstacle(known)];
        }
        let mut found = Vec::new();
        if self.receive_queues == Some(1) {
            found.push(Obstacle {
                kind: None,
                cause: "the only receive queue takes all flows",
                remedy: std::format!("ethtool -L {} combined 2", self.name),
            });
        }
        found.extend(known.into_iter().map(|known| self.obstacle(known)));
        if self.rss == Some(true) && self.receive_queues > Some(1) {
            found.push(Obstacle {
                kind: None,
                cause: "RSS sends flows of others to the queue",
                remedy: self.rss_command(),
            });
        }
        if self.ntuple == Some(false) {
            found.push(Obstacle {
                kind: None,
                cause: "no flow can be steered to the queue while flow rules are switched off",
                remedy: std::format!("ethtool -K {} ntuple on", self.name),
            });
        }
        found
    }

    fn obstacle(&self, known: &Known) -> Obstacle {
        Obstacle {
            kind: Some(known.kind),
            cause: known.cause.cause,
            remedy: known.cause.remedy.replace("INTERFACE", &self.name),
        }
    }

    /// `ethtool` can leave out queues in the middle by their weights alone.
    fn rss_command(&self) -> String {
        let queues = self.receive_queues.unwrap_or(0);
        if self.queue > 0 && self.queue + 1 == queues {
            return std::format!("ethtool -X {} equal {}", self.name, self.queue);
        }
        let mut command = std::format!("ethtool -X {} weight", self.name);
        for queue in 0..queues {
            command += if queue == self.queue { " 0" } else { " 1" };
        }
        command
    }
}
