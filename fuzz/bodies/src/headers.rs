//! Offsets, tokens, indices and entries, against C code that uses the kernel header's own macros and structs.

use zcrx_sys::ring::{CompletionQueue, CqeLayout};
use zcrx_sys::twin::{CompletionTwin, RefillTwin};
use zcrx_sys::zcrx::{Chunk, Offset, PoolId};
use zcrx_sys::Index;

use crate::input::Input;
use crate::Seed;

/// What C makes of a completion, in the order of `struct decoded` in headers.c.
#[repr(C)]
#[derive(Debug, Default, PartialEq, Eq)]
struct Decoded {
    user_data: u64,
    offset: u64,
    within: u64,
    res: i32,
    area_id: u32,
    buffer_id: u32,
    more: u32,
    has_buffer: u32,
    socket_nonempty: u32,
}

extern "C" {
    /// Reads 32 bytes at `cqe`.
    fn c_decode(cqe: *const u64, decoded: *mut Decoded);
    fn c_is_token(token: u64) -> i32;
    fn c_fits(offset: u64, len: u32, area_len: u64) -> i32;
    fn c_slot(index: u32, entries: u32) -> u32;
    fn c_distance(tail: u32, head: u32) -> u32;
    /// Writes 16 bytes at `rqe`.
    fn c_refill_entry(rqe: *mut u8, offset: u64, len: u32);
}

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    while !input.is_empty() {
        match input.below(4) {
            0 => decode(&mut input),
            1 => token(&mut input),
            2 => index(&mut input),
            _ => refill(&mut input),
        }
    }
}

fn decode(input: &mut Input) {
    let words: [u64; 4] = std::array::from_fn(|_| input.u64());
    let mut c = Decoded::default();
    // SAFETY: 32 bytes are read, and one struct is written that is laid out as C lays it out.
    unsafe { c_decode(words.as_ptr(), &mut c) };
    let mut posts = CompletionTwin::new(CqeLayout::Wide, 1, 0);
    posts.put(0, [words[0], words[1]]);
    posts.put(1, [words[2], words[3]]);
    posts.commit(1);
    // SAFETY: the twin outlives the queue, and writes nothing any more.
    let mut queue: CompletionQueue = unsafe { posts.queue() };
    let cqe = queue.drain().next().expect("one").expect("wide");
    let offset = Offset::from_raw(cqe.extra().expect("wide")[0]);
    let ours = Decoded {
        user_data: cqe.user_data(),
        offset: offset.raw(),
        within: offset.within(),
        res: cqe.res(),
        area_id: offset.area_id().into(),
        buffer_id: cqe.buffer_id().unwrap_or(0).into(),
        more: cqe.more().into(),
        has_buffer: cqe.buffer_id().is_some().into(),
        socket_nonempty: cqe.socket_nonempty().into(),
    };
    assert_eq!(ours, c);
}

fn token(input: &mut Input) {
    let kind = input.u8();
    let raw = if kind & 1 == 0 {
        input.u64()
    } else {
        u64::from(input.u16()) << 48 | u64::from(input.edge())
    };
    let (offset, len) = (Offset::from_raw(raw), input.edge());
    // As long as it has to be, one less, or anything.
    let area_len = match kind >> 1 & 3 {
        0 => input.u64(),
        1 => (offset.within() + u64::from(len)).saturating_sub(1),
        _ => offset.within() + u64::from(len),
    };
    // SAFETY: arithmetic.
    let (is_token, fits) = unsafe { (c_is_token(raw) != 0, c_fits(raw, len, area_len) != 0) };
    assert_eq!(Offset::of_area(raw).is_some(), is_token);
    assert_eq!(offset.fits(len, area_len), fits);
}

fn index(input: &mut Input) {
    let (entries, head, more) = (1_u32 << input.below(32), input.edge(), input.edge());
    let index = Index::new(head);
    let tail = index.advanced(more);
    // SAFETY: arithmetic.
    let (slot, distance) = unsafe { (c_slot(tail.get(), entries), c_distance(tail.get(), head)) };
    assert_eq!(tail.slot(entries - 1), slot);
    assert_eq!((tail.distance_from(index), more), (distance, distance));
}

fn refill(input: &mut Input) {
    let (offset, len) = (input.u64(), input.u32());
    thread_local!(static POOL: PoolId = PoolId::unique().expect("fewer than 2³²"));
    let pool = POOL.with(|pool| *pool);
    let mut twin = RefillTwin::new(1, input.edge());
    // SAFETY: the twin outlives the ring, and its side is called between the ring's calls.
    let mut ring = unsafe { twin.ring(pool) };
    // SAFETY: there is no memory behind the pool, and nothing reads the chunk's bytes.
    let chunk = unsafe { Chunk::from_raw_parts(Offset::from_raw(offset), len, pool) };
    ring.push(chunk).expect("room");
    ring.publish();
    let entry = twin.consume().expect("published");
    let ours = [
        entry.off.to_ne_bytes(),
        (u64::from(entry.__pad) << 32 | u64::from(entry.len)).to_le_bytes(),
    ];
    let mut c = [0xff; 16];
    // SAFETY: 16 bytes are written.
    unsafe { c_refill_entry(c.as_mut_ptr(), offset, len) };
    assert_eq!(ours.concat(), c);
}

pub fn seeds() -> Vec<Seed> {
    let words = |words: [u64; 4]| {
        words
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect::<Vec<_>>()
    };
    let all_flags = words([7, 0x1234_ffff_0000_1000, 3 << 48 | 0x2010, 0]);
    vec![
        (
            "completion",
            [vec![0], all_flags, vec![0], words([u64::MAX; 4])].concat(),
        ),
        (
            "token",
            vec![
                1, 1, 255, 3, 0, 0, 0x0c, 0, 1, 3, 1, 0, 0x20, 1, 0x80, 16, 1, 131, 255, 255, 0x20,
                1, 0x80, 31,
            ],
        ),
        ("index", vec![2, 3, 0x20, 2, 0, 5, 2, 31, 0x20, 0, 0x20, 0]),
        (
            "refill",
            [vec![3], words([9 << 48 | 4096, u64::MAX, 0, 0])].concat(),
        ),
    ]
}
