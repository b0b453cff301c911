//! Flow rules, which send chosen packets to a chosen queue (`ethtool -N`).

use std::boxed::Box;

use super::ethtool::Ethtool;
use super::flow::{Family, Flow};
use crate::errno::Errno;

const COUNT: u32 = 0x2e; // ETHTOOL_GRXCLSRLCNT
const GET: u32 = 0x2f; // ETHTOOL_GRXCLSRULE
const LIST: u32 = 0x30; // ETHTOOL_GRXCLSRLALL
const DELETE: u32 = 0x31; // ETHTOOL_SRXCLSRLDEL
const INSERT: u32 = 0x32; // ETHTOOL_SRXCLSRLINS
const TCP_V4: u32 = 0x01; // TCP_V4_FLOW
const TCP_V6: u32 = 0x05; // TCP_V6_FLOW
const SPECIAL: u64 = 0x8000_0000; // RX_CLS_LOC_SPECIAL: the driver picks locations
const ANYWHERE: u32 = 0xffff_ffff; // RX_CLS_LOC_ANY

/// The longest list of rules that is read.
const MOST_RULES: usize = 16 << 10;

/// `union ethtool_flow_union`: the header that is compared, and which of its bits are.
type Header = [u8; 52];

/// `struct ethtool_rx_flow_spec`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Spec {
    kind: u32,
    value: Header,
    value_extension: [u8; 20],
    mask: Header,
    mask_extension: [u8; 20],
    queue: u64,
    location: u32,
}

impl Spec {
    const NONE: Self = Self {
        kind: 0,
        value: [0; 52],
        value_extension: [0; 20],
        mask: [0; 52],
        mask_extension: [0; 20],
        queue: 0,
        location: 0,
    };

    /// That of a rule which sends `flow` to `queue`.
    fn new(flow: Flow, queue: u32) -> Self {
        // After two addresses and the source port: struct ethtool_tcpip4_spec, struct ethtool_tcpip6_spec.
        let (kind, port) = match flow.family() {
            Family::V4 => (TCP_V4, 10),
            Family::V6 => (TCP_V6, 34),
        };
        let mut spec = Self {
            kind,
            queue: queue.into(),
            ..Self::NONE
        };
        spec.value[port..port + 2].copy_from_slice(&flow.port().to_be_bytes());
        spec.mask[port..port + 2].fill(0xff);
        spec
    }

    /// Whether it selects the same packets.
    fn selects_as(&self, other: &Self) -> bool {
        (self.kind, self.value, self.mask) == (other.kind, other.value, other.mask)
    }
}

/// `struct ethtool_rxnfc`, with room for `N` locations.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Message<const N: usize> {
    command: u32,
    kind: u32,
    data: u64,
    spec: Spec,
    count: u32,
    locations: [u32; N],
}

// Of 32-bit targets, x86 alone aligns 64-bit words to four bytes, and its kernel's structs do so, too.
const _: () =
    assert!(align_of::<u64>() != 8 || size_of::<Spec>() == 168 && size_of::<Message<1>>() == 192);

impl<const N: usize> Message<N> {
    const fn new(command: u32) -> Self {
        Self {
            command,
            kind: 0,
            data: 0,
            spec: Spec::NONE,
            count: N as u32,
            locations: [0; N],
        }
    }

    fn send(&mut self, ethtool: &Ethtool) -> Result<(), Errno> {
        // The kernel's struct ends where one location would.
        const { assert!(N > 0) };
        // SAFETY: the command reads and writes one ethtool_rxnfc, and after it no more locations than `count` said at
        // first, which is N or less; all of it is exclusively borrowed.
        unsafe { ethtool.call(core::ptr::from_mut(self).cast()) }
    }
}

/// How many rules there are.
pub(super) fn count(ethtool: &Ethtool) -> Result<u32, Errno> {
    let mut message = Message::<1>::new(COUNT);
    message.send(ethtool)?;
    Ok(message.count)
}

/// Whether a rule is there that selects just this flow, wherever it sends it.
pub(super) fn exists(ethtool: &Ethtool, flow: Flow) -> Result<bool, Errno> {
    let wanted = Spec::new(flow, 0);
    let (taken, _) = list(ethtool)?;
    for &location in used(&taken) {
        match get(ethtool, location) {
            Ok(spec) if spec.selects_as(&wanted) => return Ok(true),
            Ok(_) | Err(Errno::NOENT | Errno::INVAL) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(false)
}

/// Adds a rule that sends `flow` to `queue`; answers its location.
pub(super) fn insert(ethtool: &Ethtool, flow: Flow, queue: u32) -> Result<u32, Errno> {
    let (taken, table) = list(ethtool)?;
    let mut message = Message::<1>::new(INSERT);
    message.spec = Spec::new(flow, queue);
    message.spec.location = if table & SPECIAL != 0 {
        ANYWHERE
    } else {
        // As ethtool does: the last one, where it goes before no other rule.
        let mut free = (0..(table & !SPECIAL) as u32).rev();
        free.find(|location| !used(&taken).contains(location))
            .ok_or(Errno::NOSPC)?
    };
    message.send(ethtool)?;
    Ok(message.spec.location)
}

/// Deletes the rule that sends `flow` to `queue`, if it is still what is at `location`; or wherever it is, if that
/// is not known.
pub(super) fn delete(
    ethtool: &Ethtool,
    location: Option<u32>,
    flow: Flow,
    queue: u32,
) -> Result<(), Errno> {
    let Some(location) = location else {
        let (taken, _) = list(ethtool)?;
        let mut taken = used(&taken).iter();
        return taken.try_for_each(|&location| delete(ethtool, Some(location), flow, queue));
    };
    let ours = Spec::new(flow, queue);
    match get(ethtool, location) {
        Ok(spec) if spec.selects_as(&ours) && spec.queue == ours.queue => {}
        Ok(_) | Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(errno),
    }
    let mut message = Message::<1>::new(DELETE);
    message.spec.location = location;
    message.send(ethtool)
}

fn get(ethtool: &Ethtool, location: u32) -> Result<Spec, Errno> {
    let mut message = Message::<1>::new(GET);
    message.spec.location = location;
    message.send(ethtool)?;
    Ok(message.spec)
}

/// The locations that are taken, and how many there are, with `SPECIAL` if the driver picks them.
fn list(ethtool: &Ethtool) -> Result<(Box<Message<MOST_RULES>>, u64), Errno> {
    let mut count = Message::<1>::new(COUNT);
    count.send(ethtool)?;
    if count.count as usize > MOST_RULES {
        return Err(Errno::TOOBIG);
    }
    let mut list = Box::new(Message::new(LIST));
    // Not the room that there is: some drivers search until they have found as many.
    list.count = count.count;
    list.send(ethtool)?;
    // The flag comes with the count alone, the table's size with either, depending on the driver.
    let size = (count.data & !SPECIAL).max(list.data & !SPECIAL);
    Ok((list, size | count.data & SPECIAL))
}

fn used(list: &Message<MOST_RULES>) -> &[u32] {
    let count = list.count as usize;
    list.locations.get(..count).unwrap_or(&list.locations)
}
