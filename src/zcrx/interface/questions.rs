//! The questions that tell an interface's state, each with the reading of its answer; all unprivileged.
//!
//! Their numbers are those of the kernel's uapi headers, which never change. Where one came later than kernel
//! 6.0 it says so; an older kernel leaves the attribute out.

use super::message::{u16_value, u32_value, Attributes, Request};

/// Command, version, two bytes reserved.
const GENERIC: usize = 4; // struct genlmsghdr
const VERSION: u8 = 1; // ETHTOOL_GENL_VERSION, NETDEV_FAMILY_VERSION; any does for the other families.

/// The number of a generic family, which requests to it have as their type (linux/genetlink.h).
pub(super) struct Family;

impl Family {
    pub(super) const ETHTOOL: &'static [u8] = b"ethtool\0";
    /// Kernel 6.3.
    pub(super) const NETDEV: &'static [u8] = b"netdev\0";
    pub(super) const ANSWER: u16 = 16; // GENL_ID_CTRL
    const GET: u8 = 3; // CTRL_CMD_GETFAMILY
    const ID: u16 = 1; // CTRL_ATTR_FAMILY_ID
    const NAME: u16 = 2; // CTRL_ATTR_FAMILY_NAME

    /// `name` ends with a zero byte.
    #[inline]
    pub(super) fn request(name: &[u8]) -> Request {
        Request::new(Self::ANSWER, &[Self::GET, VERSION, 0, 0]).with(Self::NAME, name)
    }

    #[inline]
    pub(super) fn read(payload: &[u8]) -> Option<u16> {
        Attributes::after(GENERIC, payload).find_map(|(kind, value)| match kind {
            Self::ID => u16_value(value),
            _ => None,
        })
    }
}

/// What rtnetlink tells of an interface (linux/if_link.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Link {
    /// Switched on by the administrator (`ip link set INTERFACE up`).
    pub(crate) up: bool,
    /// Most bytes of a packet, without the link layer's header.
    pub(crate) mtu: Option<u32>,
    /// Whether a device is behind it. Virtual interfaces have none.
    pub(crate) has_parent: bool,
    /// The id of an XDP program that is attached, in whatever mode; 0 if none is.
    pub(crate) xdp_program: Option<u32>,
    /// Whether it is a netkit device: virtual, but its queues from 1 on are leased from a NIC (kernel 7.1).
    pub(crate) netkit: bool,
}

impl Link {
    pub(super) const ANSWER: u16 = 16; // RTM_NEWLINK
    const GET: u16 = 18; // RTM_GETLINK
    const FIXED: usize = 16; // struct ifinfomsg: index at 4, flags at 8
    const UP: u32 = libc::IFF_UP as u32;
    const MTU: u16 = 4; // IFLA_MTU
    const INFO: u16 = 18; // IFLA_LINKINFO
    const INFO_KIND: u16 = 1; // IFLA_INFO_KIND
    const EXTENT: u16 = 29; // IFLA_EXT_MASK
    const SKIP_STATISTICS: u32 = 8; // RTEXT_FILTER_SKIP_STATS
    const XDP: u16 = 43; // IFLA_XDP
    const XDP_ATTACHED: u16 = 2; // IFLA_XDP_ATTACHED
    const XDP_FIRST_ID: u16 = 4; // IFLA_XDP_PROG_ID; those of each mode follow
    const XDP_LAST_ID: u16 = 7; // IFLA_XDP_HW_PROG_ID
    const PARENT_NAME: u16 = 56; // IFLA_PARENT_DEV_NAME

    #[inline]
    pub(super) fn request(interface: i32) -> Request {
        let mut fixed = [0; Self::FIXED];
        fixed[4..8].copy_from_slice(&interface.to_ne_bytes());
        Request::new(Self::GET, &fixed).with(Self::EXTENT, &Self::SKIP_STATISTICS.to_ne_bytes())
    }

    /// `None` if the payload is not that of a link at all.
    #[inline]
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let flags = u32_value(payload.get(8..12)?)?;
        let mut link = Self {
            up: flags & Self::UP != 0,
            ..Self::default()
        };
        for (kind, value) in Attributes::after(Self::FIXED, payload) {
            match kind {
                Self::MTU => link.mtu = u32_value(value),
                Self::XDP => link.xdp_program = Self::xdp_program(value),
                Self::PARENT_NAME => link.has_parent = true,
                Self::INFO => {
                    link.netkit = Attributes::nested(value)
                        .any(|(kind, name)| kind == Self::INFO_KIND && name == b"netkit\0");
                }
                _ => {}
            }
        }
        Some(link)
    }

    /// The kernel says in any case whether something is attached, and gives the ids of what is.
    #[inline]
    fn xdp_program(value: &[u8]) -> Option<u32> {
        let (mut told, mut program) = (false, 0);
        for (kind, value) in Attributes::nested(value) {
            match kind {
                Self::XDP_ATTACHED => told = true,
                Self::XDP_FIRST_ID..=Self::XDP_LAST_ID => program = u32_value(value)?.max(program),
                _ => {}
            }
        }
        told.then_some(program)
    }
}

/// Header split (`tcp-data-split`): whether payload gets buffers of its own; the kernel's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataSplit {
    /// Not set, and the driver does not say what it does.
    Unknown = 0,
    /// Off.
    Disabled = 1,
    /// On, set by the administrator or by the driver itself; zero-copy receive takes the former only.
    Enabled = 2,
}

/// What ethtool tells of an interface's rings (linux/ethtool_netlink.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rings {
    /// Entries of each receive ring: so many buffers the NIC holds for each queue.
    pub(crate) rx_entries: Option<u32>,
    /// `None` for a value of newer kernels.
    pub(crate) data_split: Option<DataSplit>,
    /// From how many bytes of a packet on headers are split off. `None` where there is no such setting.
    pub(crate) hds_thresh: Option<u32>,
}

impl Rings {
    const GET: u8 = 15; // ETHTOOL_MSG_RINGS_GET
    #[cfg(feature = "nic")]
    const SET: u8 = 16; // ETHTOOL_MSG_RINGS_SET
    const RX: u16 = 6; // ETHTOOL_A_RINGS_RX
    const DATA_SPLIT: u16 = 11; // ETHTOOL_A_RINGS_TCP_DATA_SPLIT
    const HDS_THRESH: u16 = 17; // ETHTOOL_A_RINGS_HDS_THRESH, kernel 6.14

    #[inline]
    pub(super) fn request(family: u16, interface: u32) -> Request {
        ethtool(family, Self::GET, interface)
    }

    /// Sets header split, and its threshold where one is given: a driver without the setting refuses any.
    #[cfg(feature = "nic")]
    #[inline]
    pub(super) fn set(
        family: u16,
        interface: u32,
        split: DataSplit,
        thresh: Option<u32>,
    ) -> Request {
        let request = ethtool(family, Self::SET, interface).with(Self::DATA_SPLIT, &[split as u8]);
        let request = match thresh {
            Some(bytes) => request.with(Self::HDS_THRESH, &bytes.to_ne_bytes()),
            None => request,
        };
        request.acknowledged()
    }

    #[inline]
    pub(super) fn read(payload: &[u8]) -> Self {
        let mut rings = Self {
            rx_entries: None,
            data_split: Some(DataSplit::Unknown),
            hds_thresh: None,
        };
        for (kind, value) in Attributes::after(GENERIC, payload) {
            match kind {
                Self::RX => rings.rx_entries = u32_value(value),
                Self::DATA_SPLIT => {
                    rings.data_split = match value {
                        [0] => Some(DataSplit::Unknown),
                        [1] => Some(DataSplit::Disabled),
                        [2] => Some(DataSplit::Enabled),
                        _ => None,
                    }
                }
                Self::HDS_THRESH => rings.hds_thresh = u32_value(value),
                _ => {}
            }
        }
        rings
    }
}

/// What ethtool tells of an interface's channels: how many receive queues it has.
pub(super) struct Channels;

impl Channels {
    const GET: u8 = 17; // ETHTOOL_MSG_CHANNELS_GET
    const RX: u16 = 6; // ETHTOOL_A_CHANNELS_RX_COUNT
    const COMBINED: u16 = 9; // ETHTOOL_A_CHANNELS_COMBINED_COUNT

    #[inline]
    pub(super) fn request(family: u16, interface: u32) -> Request {
        ethtool(family, Self::GET, interface)
    }

    #[inline]
    pub(super) fn read(payload: &[u8]) -> Option<u32> {
        Attributes::after(GENERIC, payload)
            .filter(|(kind, _)| [Self::RX, Self::COMBINED].contains(kind))
            .filter_map(|(_, value)| u32_value(value))
            .reduce(u32::saturating_add)
    }
}

/// A request to family "ethtool" about an interface.
#[inline]
fn ethtool(family: u16, command: u8, interface: u32) -> Request {
    const DEVICE: u16 = 1; // ETHTOOL_A_RINGS_HEADER, ETHTOOL_A_CHANNELS_HEADER
    const INDEX: u16 = 1; // ETHTOOL_A_HEADER_DEV_INDEX
    let index = interface.to_ne_bytes();
    Request::new(family, &[command, VERSION, 0, 0]).with_nested(DEVICE, INDEX, &index)
}

/// Whose memory a queue's buffers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    /// Zero-copy receive through io_uring.
    IoUring,
    /// A dmabuf, bound by netlink ("device memory TCP").
    Dmabuf,
}

/// What the kernel tells of one receive queue of an interface that is up (linux/netdev.h, kernel 6.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Queue {
    /// Who provides its buffers, if not the driver.
    pub(crate) provider: Option<Provider>,
    /// Whether it is leased to a virtual interface.
    pub(crate) leased: bool,
    /// Whether an AF_XDP socket has it.
    pub(crate) af_xdp: bool,
    /// The id of the NAPI instance that serves it, as `SO_INCOMING_NAPI_ID` tells it of a socket.
    pub(crate) napi: Option<u32>,
}

impl Queue {
    const GET: u8 = 10; // NETDEV_CMD_QUEUE_GET
    const ID: u16 = 1; // NETDEV_A_QUEUE_ID
    const INTERFACE: u16 = 2; // NETDEV_A_QUEUE_IFINDEX
    const TYPE: u16 = 3; // NETDEV_A_QUEUE_TYPE
    const RECEIVE: u32 = 0; // NETDEV_QUEUE_TYPE_RX
    const NAPI: u16 = 4; // NETDEV_A_QUEUE_NAPI_ID
    const DMABUF: u16 = 5; // NETDEV_A_QUEUE_DMABUF, kernel 6.12
    const IO_URING: u16 = 6; // NETDEV_A_QUEUE_IO_URING, kernel 6.15
    const AF_XDP: u16 = 7; // NETDEV_A_QUEUE_XSK, kernel 6.15
    const LEASE: u16 = 8; // NETDEV_A_QUEUE_LEASE, kernel 7.1

    #[inline]
    pub(super) fn request(family: u16, interface: u32, queue: u32) -> Request {
        Request::new(family, &[Self::GET, VERSION, 0, 0])
            .with(Self::INTERFACE, &interface.to_ne_bytes())
            .with(Self::TYPE, &Self::RECEIVE.to_ne_bytes())
            .with(Self::ID, &queue.to_ne_bytes())
    }

    #[inline]
    pub(super) fn read(payload: &[u8]) -> Self {
        let mut queue = Self::default();
        for (kind, value) in Attributes::after(GENERIC, payload) {
            match kind {
                Self::NAPI => queue.napi = u32_value(value),
                Self::DMABUF => queue.provider = Some(Provider::Dmabuf),
                Self::IO_URING => queue.provider = Some(Provider::IoUring),
                Self::AF_XDP => queue.af_xdp = true,
                Self::LEASE => queue.leased = true,
                _ => {}
            }
        }
        queue
    }
}
