//! Network interfaces: their index, and their state, as far as zero-copy receive depends on it.

#[cfg(feature = "twin")]
pub(crate) mod fuzzing;
#[cfg(test)]
mod live;
mod message;
mod name;
mod questions;
#[cfg(feature = "nic")]
mod settings;
mod socket;
// The answers that were captured are those of a little-endian machine.
#[cfg(all(test, target_endian = "little"))]
mod tests;

pub use name::interface_index;
#[cfg_attr(
    not(feature = "nic"),
    allow(unused_imports, reason = "`Provider` is for inspection")
)]
pub(crate) use questions::{DataSplit, Link, Provider, Queue, Rings};

#[cfg(feature = "nic")]
pub(crate) use settings::Settings;

use self::questions::{Channels, Family};
use self::socket::Socket;
use crate::errno::Errno;

/// What can be told of an interface, and of one of its receive queues, without privileges.
///
/// Each part that the kernel or the driver does not tell is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct InterfaceState {
    /// Whether this network namespace has it.
    pub(crate) exists: Option<bool>,
    /// What every interface has.
    pub(crate) link: Option<Link>,
    /// Its rings, and with them header split.
    pub(crate) rings: Option<Rings>,
    /// How many receive queues it has.
    pub(crate) receive_queues: Option<u32>,
    /// Whether it has the queue that was asked about. `None` also while it is down.
    pub(crate) has_queue: Option<bool>,
    /// That queue. `None` also while the interface is down.
    pub(crate) queue: Option<Queue>,
}

impl InterfaceState {
    /// Reads the state of the interface with index `interface` in the network namespace of the calling
    /// thread, and of its receive queue `queue`.
    ///
    /// Six questions on two sockets, which takes well below a millisecond, and never more than a tenth of a
    /// second for each if the kernel fails to answer.
    #[inline]
    pub(crate) fn read(interface: u32, queue: Option<u32>) -> Self {
        let mut state = Self::default();
        state.ask_route(interface);
        if state.exists != Some(false) {
            if let Ok(mut socket) = Socket::open(libc::NETLINK_GENERIC) {
                state.ask_ethtool(&mut socket, interface);
                if let Some(queue) = queue {
                    state.ask_netdev(&mut socket, interface, queue);
                }
            }
        }
        state
    }

    /// The interface's MTU in bytes: packets of up to so many arrive.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn mtu(&self) -> Option<u32> {
        self.link?.mtu
    }

    /// Buffers that the NIC holds for each of its queues.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn rx_ring_entries(&self) -> Option<u32> {
        self.rings?.rx_entries
    }

    #[inline]
    fn ask_route(&mut self, interface: u32) {
        // The kernel's indices are positive ints; others it takes for a question by name.
        let Some(index) = i32::try_from(interface).ok().filter(|&index| index > 0) else {
            self.exists = Some(false);
            return;
        };
        let link = Socket::open(libc::NETLINK_ROUTE)
            .and_then(|mut socket| socket.ask(Link::request(index), Link::ANSWER, Link::read));
        self.exists = match link {
            Ok(Some(_)) => Some(true),
            Err(Errno::NODEV) => Some(false),
            _ => None,
        };
        self.link = link.ok().flatten();
    }

    #[inline]
    fn ask_ethtool(&mut self, socket: &mut Socket, interface: u32) {
        let Some(family) = family(socket, Family::ETHTOOL) else {
            return;
        };
        let rings = Rings::request(family, interface);
        self.rings = socket.ask(rings, family, Rings::read).ok();
        let channels = Channels::request(family, interface);
        let queues = socket.ask(channels, family, Channels::read);
        self.receive_queues = queues.ok().flatten();
    }

    #[inline]
    fn ask_netdev(&mut self, socket: &mut Socket, interface: u32, queue: u32) {
        let Some(family) = family(socket, Family::NETDEV) else {
            return;
        };
        let request = Queue::request(family, interface, queue);
        let queue = socket.ask(request, family, Queue::read);
        self.has_queue = match queue {
            Ok(_) => Some(true),
            // Nothing else can be wrong with the request than the queue's number.
            Err(Errno::INVAL) => Some(false),
            Err(_) => None,
        };
        self.queue = queue.ok();
    }
}

#[inline]
fn family(socket: &mut Socket, name: &[u8]) -> Option<u16> {
    let answer = socket.ask(Family::request(name), Family::ANSWER, Family::read);
    answer.ok().flatten()
}
