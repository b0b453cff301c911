//! Settings that are changed by netlink, which is those that ioctl does not know.

use super::message::ERROR;
use super::questions::{DataSplit, Family, Queue, Rings};
use super::socket::Socket;
use crate::errno::Errno;

/// An interface's settings, in the network namespace that the thread was in when this was opened.
#[derive(Debug)]
pub(crate) struct Settings {
    socket: Socket,
    ethtool: u16,
    /// `None` before kernel 6.3.
    netdev: Option<u16>,
    interface: u32,
}

impl Settings {
    pub(crate) fn open(interface: u32) -> Result<Self, Errno> {
        let mut socket = Socket::open(libc::NETLINK_GENERIC)?;
        let mut family = |name| {
            let number = socket.ask(Family::request(name), Family::ANSWER, Family::read)?;
            number.ok_or(Errno::NODATA)
        };
        let (ethtool, netdev) = (family(Family::ETHTOOL)?, family(Family::NETDEV).ok());
        Ok(Self {
            socket,
            ethtool,
            netdev,
            interface,
        })
    }

    pub(crate) fn rings(&mut self) -> Result<Rings, Errno> {
        let request = Rings::request(self.ethtool, self.interface);
        self.socket.ask(request, self.ethtool, Rings::read)
    }

    /// Sets header split, and its threshold in bytes where one is given. Takes CAP_NET_ADMIN.
    pub(crate) fn set_header_split(
        &mut self,
        split: DataSplit,
        thresh: Option<u32>,
    ) -> Result<(), Errno> {
        let request = Rings::set(self.ethtool, self.interface, split, thresh);
        self.socket.ask(request, ERROR, |_| ())
    }

    pub(crate) fn queue(&mut self, queue: u32) -> Result<Queue, Errno> {
        let netdev = self.netdev.ok_or(Errno::OPNOTSUPP)?;
        let request = Queue::request(netdev, self.interface, queue);
        self.socket.ask(request, netdev, Queue::read)
    }
}
