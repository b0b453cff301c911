//! Arbitrary structs from the kernel, in answer to a registration: taken if and only if everything in them lies
//! inside of the memory that the registration was about; and what is taken can be used.

use std::fs::File;
use std::os::fd::OwnedFd;

use zcrx_sys::fuzzing::{Registered, Registration};
use zcrx_sys::ring::Cqe;
use zcrx_sys::Fd;

use crate::input::Input;
use crate::Seed;

const PAGE: u64 = 4096;
/// Bytes at the start of the region that the kernel has written to.
const CONTENT: usize = 64;

/// A descriptor that is no ring's.
fn no_ring() -> Fd {
    thread_local!(static NULL: File = File::open("/dev/null").expect("/dev/null"));
    OwnedFd::from(NULL.with(|null| null.try_clone().expect("a descriptor"))).into()
}

fn answer(input: &mut Input) -> Registration {
    let mut answer = Registration {
        area_pages: 1 + usize::from(input.below(3)),
        region_pages: 1 + usize::from(input.below(3)),
        ..Default::default()
    };
    // Good at first, as kernel 7.3 or an older one gives it; then some of it is spoiled.
    let layout = input.u8();
    let (tail, rqes) = if layout & 1 == 0 { (64, 128) } else { (4, 64) };
    answer.reg.rq_entries = 1 << (layout >> 1 & 7);
    (answer.reg.offsets.tail, answer.reg.offsets.rqes) = (tail, rqes);
    if layout & 0x80 != 0 {
        answer.stats_offset = Some(answer.region_pages * PAGE as usize - 16);
    }
    for _ in 0..input.below(8) {
        let field = input.below(12);
        match field {
            0 => answer.reg.rq_entries = input.edge(),
            1 => answer.reg.offsets.head = input.edge(),
            2 => answer.reg.offsets.tail = input.edge(),
            3 => answer.reg.offsets.rqes = input.edge(),
            4 => answer.reg.rx_buf_len = input.edge(),
            5 => answer.reg.zcrx_id = input.u32(),
            6 => answer.area.rq_area_token = u64::from(input.u16()) << 48,
            7 => answer.area.rq_area_token = input.u64(),
            // What the crate does not read.
            8 => (answer.area.addr, answer.area.len) = (input.u64(), input.u64()),
            9 => (answer.reg.area_ptr, answer.reg.region_ptr) = (input.u64(), input.u64()),
            10 => answer.stats_offset = Some(input.edge() as usize),
            _ => answer.reg.if_idx = input.u32(),
        }
    }
    answer
}

/// Whether an answer makes sense, by arithmetic in 128 bits.
fn makes_sense(answer: &Registration) -> bool {
    let (reg, offsets) = (&answer.reg, &answer.reg.offsets);
    let region = answer.region_pages as u128 * u128::from(PAGE);
    let area = answer.area_pages as u128 * u128::from(PAGE);
    let token = u128::from(answer.area.rq_area_token);
    let chunk = u128::from(if reg.rx_buf_len == 0 {
        PAGE as u32
    } else {
        reg.rx_buf_len
    });
    let entries = u128::from(reg.rq_entries);
    let [head, tail, first] = [offsets.head, offsets.tail, offsets.rqes].map(u128::from);
    let end = first + entries * 16;
    let ring = head % 4 == 0 && tail % 4 == 0 && first % 8 == 0 && head != tail;
    let order = head + 4 <= first && tail + 4 <= first && end <= region;
    let stats = answer.stats_offset.map_or(true, |stats| {
        let stats = stats as u128;
        stats % 8 == 0 && stats >= end && stats + 16 <= region
    });
    let power = |n: u128| n.count_ones() == 1;
    // 1024 areas at most.
    let id = token % (1 << 48) == 0 && token >> 48 < 1024;
    id && power(chunk) && chunk <= area && power(entries) && ring && order && stats
}

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let answer = answer(&mut input);
    let mut content = [0; CONTENT];
    let given = input.bytes(CONTENT);
    content[..given.len()].copy_from_slice(given);
    match answer.accept(no_ring(), &content) {
        Ok(registered) => {
            assert!(makes_sense(&answer), "taken, but makes no sense");
            in_use(registered, &answer);
        }
        Err(how) => assert!(!makes_sense(&answer), "makes sense, but is refused: {how}"),
    }
}

/// Uses all that an accepted answer names, and looks at every byte of the region.
fn in_use(mut registered: Registered, answer: &Registration) {
    let reg = &answer.reg;
    let mut expected = registered.region();
    let word = |at: u32, bytes: &[u8]| {
        u32::from_ne_bytes(bytes[at as usize..][..4].try_into().expect("four"))
    };
    let (head, tail) = (
        word(reg.offsets.head, &expected),
        word(reg.offsets.tail, &expected),
    );
    let ifq = &mut registered.ifq;
    assert_eq!((ifq.zcrx_id(), ifq.areas()), (reg.zcrx_id, 1));
    assert_eq!(ifq.refill_entries(), reg.rq_entries);
    assert_eq!(ifq.area_len(), answer.area_pages as u64 * PAGE);
    let copies = ifq.copies();
    assert_eq!(copies.is_some(), answer.stats_offset.is_some());

    // As many chunks as there is room for, and one more.
    let room = reg.rq_entries.saturating_sub(tail.wrapping_sub(head));
    for n in 0..=room {
        let within = u64::from(n) % ifq.area_len();
        let offset = answer.area.rq_area_token | within;
        let cqe = Cqe::wide(1, 1, 2, [offset, 0]);
        // SAFETY: nothing writes to the area, and the bytes are only read.
        let chunk = unsafe { ifq.take(&cqe) }.expect("lies in the area");
        assert_eq!(ifq.bytes(&chunk), [0]);
        assert_eq!(ifq.recycle(chunk).is_ok(), n < room, "{n} of {room}");
        if n < room {
            let slot = tail.wrapping_add(n) % reg.rq_entries;
            let at = reg.offsets.rqes as usize + slot as usize * 16;
            expected[at..at + 8].copy_from_slice(&offset.to_ne_bytes());
            expected[at + 8..at + 16].copy_from_slice(&1_u64.to_le_bytes());
        }
    }
    ifq.publish();
    let at = reg.offsets.tail as usize;
    expected[at..at + 4].copy_from_slice(&tail.wrapping_add(room).to_ne_bytes());
    assert_eq!(ifq.unconsumed(), tail.wrapping_add(room).wrapping_sub(head));
    assert!(
        registered.region() == expected,
        "a byte that was not named was written"
    );
}

pub fn seeds() -> Vec<Seed> {
    let spoiled = |layout: u8, spoils: &[&[u8]]| {
        let mut bytes = vec![2, 0, layout, spoils.len() as u8];
        bytes.extend(spoils.concat());
        bytes
    };
    // An edge: 4096 less, or more, so many.
    let (less, more) = (|n: u8| [0x80 | 12, n], |n: u8| [0x40 | 12, n]);
    let set = |field: u8, [kind, n]: [u8; 2]| vec![field, kind, n];
    let one_page = |chunk: u8| vec![0, 0, 0, 1, 4, chunk, 0];
    let heads = [1, 0, 0, 0, 255, 255, 255, 254, 1, 0, 0, 0];
    vec![
        ("newest", spoiled(0x8c, &[])),
        ("older", spoiled(0x0b, &[])),
        ("tight", spoiled(0x80, &[&set(3, less(32))])),
        (
            "into_statistics",
            spoiled(0x82, &[&set(3, less(40)), &set(2, less(48))]),
        ),
        (
            "past_the_end",
            spoiled(0x00, &[&set(3, less(8)), &set(4, more(0))]),
        ),
        ("chunk_is_the_area", one_page(0xac)),
        ("chunk_is_longer", one_page(0xad)),
        ("token", spoiled(0x06, &[&[6, 255, 3], &[5, 1, 2, 3, 4]])),
        (
            "heads",
            [&spoiled(0x06, &[])[..], &heads, &[0; 52], &heads].concat(),
        ),
    ]
}
