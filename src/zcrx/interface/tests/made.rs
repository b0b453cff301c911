//! Messages made by hand: absurd ones, several in one datagram, and what no kernel at hand says.

use super::*;
use crate::zcrx::interface::message::{Attributes, Request};

/// A message with this length in its header, whatever it is in truth.
fn message(len: u32, kind: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(len.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend([0, 0]);
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

#[test]
fn absurd_lengths_end_the_reading() {
    for len in [0, 1, 15, 21, u32::MAX, u32::MAX - 3] {
        assert_eq!(
            answer(&message(len, 16, 1, b"four"), 1, 16),
            Answer::Nothing,
            "{len}"
        );
    }
    assert_eq!(answer(&message(16, 16, 1, b""), 1, 16), Answer::Object(b""));
    // Padding of the last message may be missing; that of others is passed over.
    assert_eq!(
        answer(&message(17, 16, 1, b"x"), 1, 16),
        Answer::Object(b"x")
    );
    let mut two = message(17, 16, 1, b"xpad");
    two.extend(message(17, 16, 2, b"y"));
    assert_eq!(answer(&two, 2, 16), Answer::Object(b"y"));

    let attribute = |len: u16| [len.to_ne_bytes(), 7_u16.to_ne_bytes()].concat();
    for len in [0, 1, 3, 5, 8, u16::MAX] {
        assert_eq!(Attributes::nested(&attribute(len)).count(), 0, "{len}");
    }
    assert!(Attributes::nested(&attribute(4)).eq([(7, &b""[..])]));
    assert_eq!(
        Attributes::after(9, &[0; 8]).count(),
        0,
        "the fixed part is missing"
    );
}

#[test]
fn of_several_messages_the_one_that_answers_is_found() {
    const NOOP: u16 = 1;
    const ERROR: u16 = 2;
    const DONE: u16 = 3;
    let acknowledgement = message(20, ERROR, 7, &[0; 4]);
    let object = message(20, 30, 7, b"good");
    let done = message(20, DONE, 7, &[0; 4]);
    let several = [
        message(16, NOOP, 7, b""),
        message(20, 30, 6, b"late"),
        message(20, 31, 7, b"else"),
        acknowledgement.clone(),
        object.clone(),
        message(20, 30, 7, b"more"),
        done.clone(),
    ];
    assert_eq!(answer(&several.concat(), 7, 30), Answer::Object(b"good"));
    assert_eq!(answer(&[done, object].concat(), 7, 30), Answer::End);
    // Families have numbers from 16 on, of two bytes.
    for (kind, other) in [(30, 16), (16, 17), (0x123, 0x23), (0x123, 0x122)] {
        let both = [
            message(20, other, 7, b"else"),
            message(20, kind, 7, b"good"),
        ];
        assert_eq!(answer(&both.concat(), 7, kind), Answer::Object(b"good"));
        assert_eq!(answer(&both[0], 7, kind), Answer::Nothing);
    }
    let overrun = message(16, 4, 7, b"");
    let both = [overrun, message(20, 30, 7, b"good")].concat();
    assert_eq!(answer(&both, 7, 30), Answer::Object(b"good"));
    assert_eq!(answer(&acknowledgement, 7, 30), Answer::Nothing);
    // For what is to be acknowledged, that is the answer.
    assert_eq!(answer(&acknowledgement, 7, ERROR), Answer::Object(&[0; 4]));
    let refused = message(20, ERROR, 7, &(-1_i32).to_ne_bytes());
    assert_eq!(answer(&refused, 7, ERROR), Answer::Refused(Errno::PERM));
    // An error without a number, and one without an errno.
    assert_eq!(
        answer(&message(19, ERROR, 7, b"abc"), 7, 30),
        Answer::Nothing
    );
    assert_eq!(
        answer(&message(20, ERROR, 7, &[1, 0, 0, 0]), 7, 30),
        Answer::Nothing
    );
    let worst = answer(&message(20, ERROR, 7, &i32::MIN.to_ne_bytes()), 7, 30) == Answer::Nothing;
    assert!(!worst, "every negative number is an error");
}

/// What the parts of a request look like in an answer.
fn object(request: Request, read: impl Fn(&[u8])) {
    let mut request = request;
    let bytes = request.numbered(5).to_vec();
    assert_eq!(word(&bytes, 0) as usize, bytes.len());
    assert_eq!(asked(&bytes).0, 5);
    read(&bytes[16..]);
}

#[test]
fn what_newer_kernels_tell_is_read_or_passed_over() {
    let generic = || Request::new(40, &[0; 4]);
    // A lease holds a queue, a device and perhaps a namespace; an AF_XDP socket is an empty nest.
    let queue = generic()
        .with(999, b"unknown")
        .with_nested(8, 1, &2_u32.to_ne_bytes());
    object(queue, |payload| {
        let leased = Queue {
            leased: true,
            ..Queue::default()
        };
        assert_eq!(Queue::read(payload), leased);
    });
    object(generic().with(7 | 0x8000, b"").with(5, b""), |payload| {
        let queue = Queue::read(payload);
        assert!(queue.af_xdp && queue.provider == Some(Provider::Dmabuf));
    });
    // A value of another size, or not known, tells nothing.
    let rings = generic()
        .with(6, &[1, 0])
        .with(11, &[3])
        .with(17, &128_u32.to_ne_bytes());
    object(rings, |payload| {
        let rings = Rings {
            rx_entries: None,
            data_split: None,
            hds_thresh: Some(128),
        };
        assert_eq!(Rings::read(payload), rings);
    });
    // Said to be unknown is not the same as a value that is not known.
    for (split, data_split) in [
        (0, Some(DataSplit::Unknown)),
        (1, Some(DataSplit::Disabled)),
        (2, Some(DataSplit::Enabled)),
        (9, None),
    ] {
        object(generic().with(11, &[split]), |payload| {
            assert_eq!(Rings::read(payload).data_split, data_split);
        });
    }
    let many = u32::MAX.to_ne_bytes();
    object(generic().with(6, &many).with(9, &many), |payload| {
        assert_eq!(Channels::read(payload), Some(u32::MAX));
    });
    let (own, combined) = (3_u32.to_ne_bytes(), 4_u32.to_ne_bytes());
    object(generic().with(6, &own).with(9, &combined), |payload| {
        assert_eq!(Channels::read(payload), Some(7));
    });
    object(
        Link::request(2).with_nested(18, 1, b"netkit\0"),
        |payload| {
            assert!(Link::read(payload).unwrap().netkit);
        },
    );
    object(
        Link::request(2).with_nested(18, 1, b"netkit2\0"),
        |payload| {
            assert!(!Link::read(payload).unwrap().netkit);
        },
    );
}

/// The value of `IFLA_XDP`.
fn xdp(attributes: &[(u16, u32)]) -> Option<u32> {
    let mut nest = Vec::new();
    for (kind, value) in attributes {
        nest.extend(8_u16.to_ne_bytes());
        nest.extend(kind.to_ne_bytes());
        nest.extend(value.to_ne_bytes());
    }
    let mut payload = std::vec![0; 16];
    payload.extend((4 + nest.len() as u16).to_ne_bytes());
    payload.extend(43_u16.to_ne_bytes());
    payload.extend(nest);
    Link::read(&payload).unwrap().xdp_program
}

#[test]
fn xdp_programs_of_several_modes_are_one_finding() {
    let (mode, driver, generic) = (2, 5, 6);
    // With several there is none that is "the" program (IFLA_XDP_PROG_ID).
    assert_eq!(xdp(&[(generic, 31), (driver, 7), (mode, 4)]), Some(31));
    assert_eq!(xdp(&[(driver, 7), (generic, 31), (mode, 4)]), Some(31));
    assert_eq!(xdp(&[(generic, 7), (driver, 31), (mode, 4)]), Some(31));
    assert_eq!(xdp(&[(mode, 0)]), Some(0));
    assert_eq!(xdp(&[]), None, "cut short");
    assert_eq!(xdp(&[(generic, 31)]), None, "cut short");
}

/// The kernel sends back the request that it refuses.
#[test]
fn a_request_has_the_bytes_that_a_kernel_got() {
    let refused = captured("refused");
    let mut request = Queue::request(22, 2, 2);
    assert_eq!(request.numbered(asked(&refused).0), &refused[20..]);

    // Of an interface's rings, as 7.3 answers it with. Without 0x80, "nested", it does not.
    let rings = [
        0x20, 0, 0, 0, 0x17, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, // header
        15, 1, 0, 0, 12, 0, 1, 0x80, 8, 0, 1, 0, 2, 0, 0, 0,
    ];
    assert_eq!(Rings::request(23, 2).numbered(2), rings);
}

/// What sets something is acknowledged, or the caller would wait for an answer in vain.
#[cfg(feature = "nic")]
#[test]
fn a_request_that_sets_asks_to_be_acknowledged() {
    for (thresh, set) in [
        (None, &[2][..]),
        (Some(7), &[2, 0, 0, 0, 8, 0, 17, 0, 7, 0, 0, 0]),
    ] {
        let mut request = Rings::set(23, 9, DataSplit::Enabled, thresh);
        let bytes = request.numbered(4).to_vec();
        assert_eq!(word(&bytes, 0) as usize, bytes.len());
        let (kind, flags) = (word(&bytes, 4) & 0xffff, word(&bytes, 4) >> 16);
        assert_eq!((kind, flags), (23, 1 | 4), "NLM_F_REQUEST, NLM_F_ACK");
        let device = [12, 0, 1, 0x80, 8, 0, 1, 0, 9, 0, 0, 0];
        assert_eq!(bytes[16..32], [&[16, 1, 0, 0][..], &device].concat());
        // The split, padded, and the threshold where there is one.
        assert_eq!(bytes[32..36], [5, 0, 11, 0]);
        assert_eq!(bytes[36..][..set.len()], *set);
        assert_eq!(bytes.len(), 36 + set.len().next_multiple_of(4));
    }
}
