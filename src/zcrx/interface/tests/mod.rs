//! Answers that real kernels gave, read whole, cut short and spoiled.

mod made;

use std::vec::Vec;

use super::message::{answer, Answer};
use super::questions::{Channels, DataSplit, Family, Link, Provider, Queue, Rings};
use crate::errno::Errno;

/// A datagram of captured.txt.
fn captured(name: &str) -> Vec<u8> {
    let mut lines = include_str!("captured.txt").lines();
    let hex = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let digits = hex.expect("a captured answer has that name").as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

const NAMES: [&str; 10] = [
    "link",
    "ethtool",
    "netdev",
    "split_on",
    "split_off",
    "channels",
    "free",
    "bound",
    "refused",
    "xdp",
];

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// The sequence that a datagram answers, and its type.
fn asked(datagram: &[u8]) -> (u32, u16) {
    (word(datagram, 8), word(datagram, 4) as u16)
}

fn payload(datagram: &[u8]) -> &[u8] {
    let (sequence, kind) = asked(datagram);
    match answer(datagram, sequence, kind) {
        Answer::Object(payload) => payload,
        other => panic!("{other:?}"),
    }
}

/// Everything that reads a payload, whatever it is one of.
type Readings = (Option<u16>, Option<Link>, Rings, Option<u32>, Queue);
fn read_all(payload: &[u8]) -> Readings {
    let (family, link) = (Family::read(payload), Link::read(payload));
    let channels = Channels::read(payload);
    (
        family,
        link,
        Rings::read(payload),
        channels,
        Queue::read(payload),
    )
}

#[test]
fn what_a_kernel_tells_is_read() {
    let nic = Link {
        up: true,
        mtu: Some(1500),
        has_parent: true,
        xdp_program: Some(0),
        netkit: false,
    };
    assert_eq!(Link::read(payload(&captured("link"))), Some(nic));
    let veth = Link {
        has_parent: false,
        xdp_program: Some(98),
        ..nic
    };
    assert_eq!(Link::read(payload(&captured("xdp"))), Some(veth));
    assert_eq!(Family::read(payload(&captured("ethtool"))), Some(23));
    assert_eq!(Family::read(payload(&captured("netdev"))), Some(22));
    let on = Rings {
        rx_entries: Some(1024),
        data_split: Some(DataSplit::Enabled),
        hds_thresh: Some(0),
    };
    assert_eq!(Rings::read(payload(&captured("split_on"))), on);
    let off = Rings {
        data_split: Some(DataSplit::Disabled),
        ..on
    };
    assert_eq!(Rings::read(payload(&captured("split_off"))), off);
    assert_eq!(Channels::read(payload(&captured("channels"))), Some(4));
    let free = Queue {
        napi: Some(0x2002),
        ..Queue::default()
    };
    assert_eq!(Queue::read(payload(&captured("free"))), free);
    let bound = Queue {
        provider: Some(Provider::IoUring),
        ..free
    };
    assert_eq!(Queue::read(payload(&captured("bound"))), bound);
    let refused = captured("refused");
    assert_eq!(
        answer(&refused, asked(&refused).0, 22),
        Answer::Refused(Errno::INVAL)
    );
}

#[test]
fn an_answer_is_whole_and_to_the_request_or_nothing() {
    for name in NAMES {
        let datagram = captured(name);
        let (sequence, kind) = asked(&datagram);
        for len in 0..datagram.len() {
            let cut = answer(&datagram[..len], sequence, kind);
            assert_eq!(cut, Answer::Nothing, "{name}, {len} bytes of it");
        }
        for other in [sequence + 1, sequence.wrapping_neg(), 0] {
            assert_eq!(answer(&datagram, other, kind), Answer::Nothing, "{name}");
        }
        if name != "refused" {
            assert_eq!(
                answer(&datagram, sequence, kind + 1),
                Answer::Nothing,
                "{name}"
            );
        }
    }
}

/// `None` or the same.
fn is_part<T: PartialEq>(part: Option<T>, whole: Option<T>) -> bool {
    part.is_none() || part == whole
}

#[test]
fn what_is_left_of_a_payload_is_read_as_it_was() {
    for name in NAMES.into_iter().filter(|&name| name != "refused") {
        let datagram = captured(name);
        let whole = payload(&datagram);
        let (family, link, rings, channels, queue) = read_all(whole);
        for len in 0..whole.len() {
            let (f, l, r, c, q) = read_all(&whole[..len]);
            let agrees = match name {
                "ethtool" | "netdev" => is_part(f, family),
                "channels" => is_part(c, channels),
                "link" | "xdp" => match (l, link.unwrap()) {
                    (None, _) => len < 12,
                    (Some(l), link) => {
                        l.up == link.up
                            && l.has_parent <= link.has_parent
                            && is_part(l.mtu, link.mtu)
                            && is_part(l.xdp_program, link.xdp_program)
                    }
                },
                "free" | "bound" => {
                    is_part(q.provider, queue.provider) && is_part(q.napi, queue.napi)
                }
                _ => {
                    is_part(r.rx_entries, rings.rx_entries)
                        && is_part(r.hds_thresh, rings.hds_thresh)
                        && [Some(DataSplit::Unknown), rings.data_split].contains(&r.data_split)
                }
            };
            assert!(agrees, "{name}, {len} bytes of it: {:?}", (f, l, r, c, q));
        }
    }
}

#[test]
fn spoiled_bytes_do_no_harm() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for name in NAMES {
        let good = captured(name);
        let (sequence, kind) = asked(&good);
        let try_out = |bytes: &[u8]| {
            if let Answer::Object(payload) = answer(bytes, sequence, kind) {
                let _ = read_all(payload);
            }
            let _ = read_all(bytes);
        };
        for at in 0..good.len() {
            for value in [0, 1, 3, 4, 5, 0x7f, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] = value;
                try_out(&bad);
            }
        }
        for _ in 0..2000 {
            let mut bad = good.clone();
            for _ in 0..1 + next() % 8 {
                let at = next() as usize % bad.len();
                bad[at] = next() as u8;
            }
            try_out(&bad);
        }
    }
}
