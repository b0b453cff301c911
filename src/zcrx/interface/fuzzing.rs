//! The way in to the reading of netlink answers, for the fuzz targets.

use alloc::vec::Vec;

use super::message::{self, Answer, Attributes};
use super::questions::{Channels, Family, Link, Queue, Rings};
use crate::errno::Errno;

/// What a datagram says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetlinkAnswer<'a> {
    /// The payload of the object that was asked for.
    Object(&'a [u8]),
    /// The kernel refused.
    Refused(Errno),
    /// The end of a list.
    End,
    /// Nothing to this request.
    Nothing,
}

/// The answer to request `sequence` in `datagram`, whose objects come in messages of type `kind`.
pub fn netlink_answer(datagram: &[u8], sequence: u32, kind: u16) -> NetlinkAnswer<'_> {
    match message::answer(datagram, sequence, kind) {
        Answer::Object(payload) => NetlinkAnswer::Object(payload),
        Answer::Refused(errno) => NetlinkAnswer::Refused(errno),
        Answer::End => NetlinkAnswer::End,
        Answer::Nothing => NetlinkAnswer::Nothing,
    }
}

/// The attributes after the first `fixed` bytes of a payload.
pub fn attributes(fixed: usize, payload: &[u8]) -> Vec<(u16, &[u8])> {
    Attributes::after(fixed, payload).collect()
}

/// What each question reads out of a payload, whatever it is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readings {
    /// The number of a family.
    pub family: Option<u16>,
    /// A link's MTU; `None` inside if it has none.
    pub mtu: Option<Option<u32>>,
    /// The id of a link's XDP program.
    pub xdp_program: Option<u32>,
    /// Whether a link is a netkit device.
    pub netkit: bool,
    /// Entries of a receive ring.
    pub rx_entries: Option<u32>,
    /// How many receive queues there are.
    pub channels: Option<u32>,
    /// The NAPI instance of a queue.
    pub napi: Option<u32>,
}

/// Reads a payload as the answer to each question.
pub fn netlink_readings(payload: &[u8]) -> Readings {
    let link = Link::read(payload);
    Readings {
        family: Family::read(payload),
        mtu: link.map(|link| link.mtu),
        xdp_program: link.and_then(|link| link.xdp_program),
        netkit: link.is_some_and(|link| link.netkit),
        rx_entries: Rings::read(payload).rx_entries,
        channels: Channels::read(payload),
        napi: Queue::read(payload).napi,
    }
}
