//! Arbitrary completions, decoded by an instance with several areas: what is accepted lies inside, is the bytes
//! that were put there, and can be returned.

use std::cell::RefCell;

use zcrx_sys::ring::{Cqe, CqeLayout};
use zcrx_sys::twin::{CompletionTwin, InstanceTwin};
use zcrx_sys::zcrx::{Ifq, NotData, OutOfArea};

use crate::input::Input;
use crate::Seed;

/// Pages of each area.
const AREAS: [u64; 5] = [3, 1, 2, 8, 1];
const REFILL_ENTRIES: u32 = 64;

/// Made once: each input finds it as the one before did, except for references, which nothing depends on.
struct Instance {
    kernel: InstanceTwin,
    ifq: Ifq,
    page: u64,
}

impl Instance {
    fn new() -> Self {
        let (mut kernel, ifq) = InstanceTwin::new(AREAS[0] as u32, REFILL_ENTRIES).expect("memory");
        for pages in &AREAS[1..] {
            kernel.add_area(&ifq, *pages as u32).expect("memory");
        }
        let mut posts = CompletionTwin::new(CqeLayout::Wide, 64, 0);
        let page = ifq.chunk_len().into();
        // Every page of every area gets its own content.
        for n in 0..AREAS.iter().sum() {
            let payload: Vec<u8> = (0..page).map(|at| content(n * page + at)).collect();
            kernel
                .receive(&mut posts, 0, &payload)
                .expect("a free chunk");
        }
        Self { kernel, ifq, page }
    }
}

/// What is `at` bytes into all areas, laid end to end.
fn content(at: u64) -> u8 {
    (at ^ at >> 8 ^ at >> 12) as u8
}

thread_local!(static INSTANCE: RefCell<Instance> = RefCell::new(Instance::new()));

pub fn run(bytes: &[u8]) {
    INSTANCE.with(|instance| on(&mut instance.borrow_mut(), bytes));
}

fn on(instance: &mut Instance, bytes: &[u8]) {
    let mut input = Input::new(bytes);
    while !input.is_empty() {
        let mut returned = 0;
        for _ in 0..REFILL_ENTRIES {
            if input.is_empty() {
                break;
            }
            returned += u32::from(completion(instance, &mut input));
        }
        instance.ifq.publish();
        let refilled = instance.kernel.refill();
        assert_eq!(refilled.returned + refilled.excess, returned);
        assert_eq!(refilled.malformed, 0, "the kernel knows what was accepted");
    }
}

/// Decodes one completion; whether it was a chunk, which was returned.
fn completion(instance: &mut Instance, input: &mut Input) -> bool {
    let kind = input.u8();
    let offset = match kind & 3 {
        0 => input.u64(),
        // Near the edges of an area, of one that is there or is not.
        near => {
            let id = u64::from(if near == 3 {
                input.u16()
            } else {
                input.below(7).into()
            });
            let delta = i64::from(input.u16() as i16) + 1;
            let within = u64::from(input.below(10)) * instance.page;
            id << 48 | within.wrapping_add_signed(delta) & ((1 << 48) - 1)
        }
    };
    let res = match kind >> 2 & 3 {
        0 => input.u32() as i32,
        1 => instance.page as i32,
        _ => input.u16().into(),
    };
    let flags = match kind >> 4 & 3 {
        0 => input.u32(),
        _ => 1 << 1, // F_MORE
    };
    let cqe = match kind >> 6 {
        0 => Cqe::narrow(7, res, flags),
        _ => Cqe::wide(7, res, flags, [offset, input.u8().into()]),
    };
    let expected = reference(instance.page, &cqe, offset, kind >> 6 != 0);
    // SAFETY: the kernel's side is a twin that overwrites nothing, so that bytes are there to be read whoever has
    // a reference on them.
    let chunk = match (unsafe { instance.ifq.take(&cqe) }, expected) {
        (Err(how), Err(expected)) => {
            assert_eq!(how, expected);
            return false;
        }
        (Ok(chunk), Ok(_)) => chunk,
        (ours, expected) => panic!("{ours:?} instead of {expected:?}"),
    };
    let start = expected.expect("just seen");
    assert_eq!((chunk.offset().raw(), chunk.len()), (offset, res as u32));
    let received = instance.ifq.bytes(&chunk);
    assert_eq!(received.len(), res as usize);
    for (at, byte) in (start..).zip(received) {
        assert_eq!(*byte, content(at));
    }
    instance.ifq.recycle(chunk).expect("room");
    true
}

/// Where the bytes begin in all areas laid end to end, by arithmetic in 128 bits.
fn reference(page: u64, cqe: &Cqe, offset: u64, wide: bool) -> Result<u64, NotData> {
    let (res, more) = (i128::from(cqe.res()), cqe.flags() >> 1 & 1 == 1);
    if !wide || !more || res <= 0 {
        return Err(NotData::Terminal);
    }
    let (id, within) = ((offset / (1 << 48)) as usize, offset % (1 << 48));
    let Some(pages) = AREAS.get(id) else {
        return Err(NotData::OutOfArea(OutOfArea::UnknownArea));
    };
    if i128::from(within) + res > i128::from(pages * page) {
        return Err(NotData::OutOfArea(OutOfArea::PastEnd));
    }
    Ok(AREAS[..id].iter().sum::<u64>() * page + within)
}

pub fn seeds() -> Vec<Seed> {
    let raw = |offset: u64, res: i32, flags: u32| {
        let mut bytes = vec![0x80];
        bytes.extend(offset.to_le_bytes());
        bytes.extend(res.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        bytes.push(0);
        bytes
    };
    // A page at the start of a page, one byte less and one more.
    let near = |id: u8, page: u8, delta: i16| {
        let [low, high] = (delta - 1).to_le_bytes();
        vec![0x95, id, low, high, page, 0]
    };
    vec![
        ("first", raw(0, 4096, 2)),
        (
            "last",
            [near(3, 7, -1), near(3, 7, 0), near(3, 7, 1)].concat(),
        ),
        ("each", (0..7).flat_map(|id| near(id, 0, 0)).collect()),
        (
            "terminal",
            [raw(0, 0, 0), raw(0, -105, 0), raw(0, 9, 0)].concat(),
        ),
        (
            "highest",
            [raw(u64::MAX, i32::MAX, 2), raw((1 << 48) - 1, 1, 2)].concat(),
        ),
    ]
}
