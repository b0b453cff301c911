//! [`inspect`]: what a NIC's settings are; [`interfaces`]: which interfaces there are.

use core::ffi::CStr;

use std::string::{String, ToString};
use std::vec::Vec;

use super::ethtool::{Channels, Ethtool};
use super::rules;
use super::step::{LIST, OPEN};
use crate::errno::Errno;
use crate::error::{Error, Reason};
use crate::zcrx::interface::{self, DataSplit, InterfaceState, Provider, Settings};
use crate::zcrx::interface_index;

/// The most queues that are asked about; NICs have some hundreds.
const MOST_QUEUES: u32 = 4096;

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

/// The state of one receive queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueState {
    /// The id of the NAPI instance that serves the queue, as `SO_INCOMING_NAPI_ID` tells it of a socket (kernel
    /// 6.8). `None` also while the interface is down.
    pub napi_id: Option<u32>,
    /// Who has the queue (kernel 6.8). `None` also while the interface is down.
    pub holder: Option<Holder>,
    /// Whether RSS sends packets to the queue, so that other flows than a receiver's own arrive there.
    pub rss: Option<bool>,
    told: Option<interface::Queue>,
}

/// The state of an interface and of its receive queues, as far as zero-copy receive depends on it.
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
    /// Whether flow rules are switched on (`ntuple-filters`).
    pub ntuple: Option<bool>,
    /// How many flow rules there are.
    pub rules: Option<u32>,
    /// The receive queues by their numbers, from 0. Also of an interface that does not tell how many it has, if
    /// the kernel does.
    pub queues: Vec<QueueState>,
    state: InterfaceState,
}

/// Reads the state of the interface called `name`, in the network namespace of the calling thread, and of its
/// receive queues. It takes no privilege, about fifty system calls and two for each queue: well below a
/// millisecond for sixteen.
///
/// # Errors
///
/// There is no such interface.
///
/// ```
/// let loopback = zcrx_sys::nic::inspect("lo").unwrap();
/// for (number, queue) in loopback.queues.iter().enumerate() {
///     println!("queue {number}: NAPI id {:?}, held by {:?}", queue.napi_id, queue.holder);
///     for obstacle in loopback.obstacles(number as u32) {
///         println!("  {obstacle}");
///     }
/// }
/// ```
pub fn inspect(name: &str) -> Result<Inspection, Error> {
    let interface = interface_index(name)?;
    let state = InterfaceState::read(interface, None);
    if state.exists == Some(false) {
        return Err(OPEN.failed(interface)(Errno::NODEV)); // It has just gone.
    }
    let (link, rings) = (state.link, state.rings);
    let ethtool = Ethtool::open(interface).ok();
    let ethtool = ethtool.as_ref();
    let channels = ethtool.and_then(|ethtool| ethtool.channels().ok());
    let rss = ethtool.and_then(|ethtool| ethtool.rss().ok());
    Ok(Inspection {
        name: name.to_string(),
        interface,
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
        ntuple: ethtool.and_then(|ethtool| ethtool.ntuple().ok()),
        rules: ethtool.and_then(|ethtool| rules::count(ethtool).ok()),
        queues: queues(interface, state.receive_queues, rss.as_deref()),
        state,
    })
}

/// `count` queues, or as many as the kernel tells of.
fn queues(interface: u32, count: Option<u32>, rss: Option<&[u32]>) -> Vec<QueueState> {
    let mut queues = Vec::new();
    let mut settings = Settings::open(interface);
    for number in 0..count.unwrap_or(MOST_QUEUES).min(MOST_QUEUES) {
        let told = match &mut settings {
            Ok(settings) => settings.queue(number).ok(),
            Err(_) => None,
        };
        if count.is_none() && told.is_none() {
            break;
        }
        queues.push(QueueState {
            napi_id: told.and_then(|queue| queue.napi),
            holder: told.map(holder),
            rss: rss.map(|table| table.contains(&number)),
            told,
        });
    }
    queues
}

fn holder(queue: interface::Queue) -> Holder {
    match queue.provider {
        _ if queue.leased => Holder::Lease,
        _ if queue.af_xdp => Holder::AfXdp,
        Some(Provider::IoUring) => Holder::IoUring,
        Some(Provider::Dmabuf) => Holder::Dmabuf,
        None => Holder::Driver,
    }
}

impl Inspection {
    /// The state with that of `queue`.
    pub(super) fn state_with(&self, queue: u32) -> InterfaceState {
        let known = self.queues.get(queue as usize);
        let past = known.is_none() && !self.queues.is_empty();
        InterfaceState {
            has_queue: past.then_some(false),
            queue: known.and_then(|queue| queue.told),
            ..self.state
        }
    }
}

/// The names of the interfaces in the network namespace of the calling thread, in the order of their indices. A
/// name that is not UTF-8 has U+FFFD in place of what is not, and is not found by it.
///
/// # Errors
///
/// The kernel does not tell, for want of memory or descriptors.
///
/// ```
/// assert!(zcrx_sys::nic::interfaces()?.iter().any(|name| name == "lo"));
/// # Ok::<(), zcrx_sys::Error>(())
/// ```
pub fn interfaces() -> Result<Vec<String>, Error> {
    // SAFETY: takes nothing.
    let list = unsafe { libc::if_nameindex() };
    if list.is_null() {
        return Err(Error::new(&LIST, [], Reason::Kernel(Errno::last()), &[]));
    }
    let mut named = Vec::new();
    // SAFETY: the list is ours until it is freed. It ends with an entry without a name, and each before that has
    // one, a string that ends with a zero byte; nobody writes to any of it.
    unsafe {
        let mut entry = list;
        while !(*entry).if_name.is_null() {
            let name = CStr::from_ptr((*entry).if_name).to_string_lossy();
            named.push(((*entry).if_index, name.into_owned()));
            entry = entry.add(1);
        }
        libc::if_freenameindex(list);
    }
    named.sort_unstable();
    Ok(named.into_iter().map(|(_, name)| name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_a_queue_is_told_in_setup() {
        let queue = |provider, leased, af_xdp| interface::Queue {
            provider,
            leased,
            af_xdp,
            ..interface::Queue::default()
        };
        for (queue, whose) in [
            (queue(None, false, false), Holder::Driver),
            (
                queue(Some(Provider::IoUring), false, false),
                Holder::IoUring,
            ),
            (queue(Some(Provider::Dmabuf), false, false), Holder::Dmabuf),
            (queue(None, false, true), Holder::AfXdp),
            // Whoever leased it may have a provider on it.
            (queue(Some(Provider::IoUring), true, false), Holder::Lease),
        ] {
            assert_eq!(holder(queue), whose);
        }
    }
}
