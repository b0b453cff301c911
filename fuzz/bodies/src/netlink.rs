//! Arbitrary datagrams as answers to netlink requests: read without a panic and to an end, and as a second reader
//! reads them that was written for this.

use zcrx_sys::fuzzing::{attributes, netlink_answer, netlink_readings, NetlinkAnswer};
use zcrx_sys::Errno;

use crate::input::Input;
use crate::Seed;

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes([bytes[at], bytes[at + 1]])
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four"))
}

/// Position and end of each message that is whole; it stops at the first that is not.
fn messages(datagram: &[u8]) -> Vec<(usize, usize)> {
    let (mut at, mut all) = (0_usize, Vec::new());
    while at + 16 <= datagram.len() {
        let len = word(datagram, at) as usize;
        if len < 16 || len > datagram.len() - at {
            break;
        }
        all.push((at, at + len));
        at += len.div_ceil(4) * 4;
    }
    all
}

fn reference(datagram: &[u8], sequence: u32, kind: u16) -> NetlinkAnswer<'_> {
    for (at, end) in messages(datagram) {
        if word(datagram, at + 8) != sequence {
            continue;
        }
        match half(datagram, at + 4) {
            1 | 4 => {}
            2 if end - at < 20 => return NetlinkAnswer::Nothing,
            2 => {
                let code = word(datagram, at + 16) as i32;
                if code < 0 {
                    return NetlinkAnswer::Refused(Errno::from_raw(code.wrapping_neg()));
                }
                // Who asked for acknowledgements has one.
                if kind == 2 {
                    return NetlinkAnswer::Object(&datagram[at + 16..end]);
                }
            }
            other if other == kind => return NetlinkAnswer::Object(&datagram[at + 16..end]),
            0..=15 => return NetlinkAnswer::End,
            _ => {}
        }
    }
    NetlinkAnswer::Nothing
}

fn reference_attributes(fixed: usize, payload: &[u8]) -> Vec<(u16, &[u8])> {
    let (mut at, mut all) = (fixed, Vec::new());
    while at + 4 <= payload.len() {
        let len = usize::from(half(payload, at));
        if len < 4 || len > payload.len() - at {
            break;
        }
        all.push((half(payload, at + 2) % 0x4000, &payload[at + 4..at + len]));
        at += len.div_ceil(4) * 4;
    }
    all
}

/// The last attribute of a kind, if it is a 32-bit number.
fn last(payload: &[u8], fixed: usize, kind: u16) -> Option<u32> {
    let all = reference_attributes(fixed, payload);
    let (_, value) = all.into_iter().rev().find(|(other, _)| *other == kind)?;
    (value.len() == 4).then(|| word(value, 0))
}

fn check_payload(payload: &[u8]) {
    for fixed in [0, 4, 16] {
        assert_eq!(
            attributes(fixed, payload),
            reference_attributes(fixed, payload)
        );
    }
    let readings = netlink_readings(payload);
    assert_eq!(readings.rx_entries, last(payload, 4, 6));
    assert_eq!(readings.napi, last(payload, 4, 4));
    // The flags end at the twelfth byte.
    assert_eq!(
        readings.mtu,
        (payload.len() >= 12).then(|| last(payload, 16, 4))
    );
    let all = reference_attributes(4, payload);
    let counts = all
        .iter()
        .filter(|(kind, value)| [6, 9].contains(kind) && value.len() == 4);
    let sum = counts.map(|(_, value)| u64::from(word(value, 0)));
    let sum = sum.fold(None, |sum, n| Some(sum.unwrap_or(0) + n));
    assert_eq!(
        readings.channels,
        sum.map(|sum| sum.min(u32::MAX.into()) as u32)
    );
    let family = all
        .iter()
        .find(|(kind, value)| *kind == 1 && value.len() == 2);
    let first = all.iter().find(|(kind, _)| *kind == 1);
    if family == first {
        assert_eq!(readings.family, family.map(|(_, value)| half(value, 0)));
    }
}

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (sequence, kind) = (u32::from(input.u8()), u16::from(input.u8()));
    let datagram = input.rest();
    let answer = netlink_answer(datagram, sequence, kind);
    assert_eq!(answer, reference(datagram, sequence, kind));
    if let NetlinkAnswer::Object(payload) = answer {
        check_payload(payload);
    }
    check_payload(datagram);
}

pub fn seeds() -> Vec<Seed> {
    let attribute = |kind: u16, value: &[u8]| {
        let len = 4 + value.len();
        let mut bytes = [(len as u16).to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(len.next_multiple_of(4), 0);
        bytes
    };
    let message = |kind: u16, payload: &[u8]| {
        let mut bytes = (16 + payload.len() as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let asked = |messages: &[Vec<u8>]| [&[7, 16][..], &messages.concat()].concat();
    let family = [
        vec![1, 1, 0, 0],
        attribute(2, b"netdev\0"),
        attribute(1, &[30, 0]),
    ]
    .concat();
    let xdp = attribute(
        43,
        &[attribute(2, &[4]), attribute(4, &[9, 0, 0, 0])].concat(),
    );
    let info = attribute(18, &attribute(1, b"netkit\0"));
    let link = [
        vec![0; 16],
        attribute(4, &1500_u32.to_ne_bytes()),
        xdp,
        info,
    ]
    .concat();
    let rings = [
        vec![15, 1, 0, 0],
        attribute(6, &[0, 4, 0, 0]),
        attribute(11, &[2]),
    ]
    .concat();
    let channels = [
        vec![17, 1, 0, 0],
        attribute(6, &[255; 4]),
        attribute(9, &[2, 0, 0, 0]),
    ]
    .concat();
    let refused = (-95_i32).to_ne_bytes();
    vec![
        ("family", asked(&[message(16, &family)])),
        ("link", asked(&[message(16, &link)])),
        ("rings", asked(&[message(20, &[]), message(16, &rings)])),
        ("channels", asked(&[message(16, &channels)])),
        (
            "refused",
            asked(&[message(2, &[0; 4]), message(2, &refused)]),
        ),
        (
            "end",
            asked(&[message(1, &[]), message(4, b"x"), message(3, &[0; 4])]),
        ),
        ("cut", asked(&[message(16, &family)[..22].to_vec()])),
    ]
}
