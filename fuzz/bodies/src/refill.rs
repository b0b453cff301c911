//! Sequences of operations on a refill ring, whose kernel may write any head, against a model that counts
//! in 64 bits; while the kernel is honest, also against a plain queue.

use std::collections::VecDeque;

use zcrx_sys::twin::RefillTwin;
use zcrx_sys::zcrx::{Chunk, Offset, PoolId, RefillRing, Unreturned};

use crate::input::Input;
use crate::Seed;

/// Offset and length of a chunk, which are all that an entry says.
type Entry = (u64, u32);

/// Positions here never wrap: they begin at `start`, which is below 2³², and count on from there.
struct Model {
    slots: Vec<Entry>,
    tail: u64,
    published: u64,
    /// The head that the producer last believed.
    believed: u64,
    /// The head of the kernel's own count, and the word that it wrote.
    consumed: u64,
    khead: u32,
    /// What an honest kernel has not consumed yet; `None` once it has lied.
    queue: Option<VecDeque<Entry>>,
}

impl Model {
    fn entries(&self) -> u64 {
        self.slots.len() as u64
    }

    /// A head is believed if it lies between the last one and what was published.
    fn look_at_head(&mut self) {
        let between = self.believed..=self.published;
        // Of the positions that the word can mean, at most one lies there: the ring has less than 2³² entries.
        if let Some(head) = between.clone().find(|head| *head as u32 == self.khead) {
            self.believed = head;
        }
    }

    fn push(&mut self, entry: Entry) -> bool {
        if self.tail - self.believed >= self.entries() {
            self.look_at_head();
        }
        if self.tail - self.believed >= self.entries() {
            return false;
        }
        let slot = self.tail % self.entries();
        self.slots[slot as usize] = entry;
        self.tail += 1;
        if let Some(queue) = &mut self.queue {
            queue.push_back(entry);
        }
        true
    }

    fn consume(&mut self) -> Option<Entry> {
        if self.consumed == self.published {
            return None;
        }
        let entry = self.slots[(self.consumed % self.entries()) as usize];
        self.consumed += 1;
        self.khead = self.consumed as u32;
        if let Some(queue) = &mut self.queue {
            assert_eq!(queue.pop_front(), Some(entry), "the model's own queue");
        }
        Some(entry)
    }
}

fn push(ring: &mut RefillRing, model: &mut Model, entry: Entry, pool: PoolId) {
    // SAFETY: there is no memory behind the pool, and nothing reads the chunk's bytes.
    let chunk = |pool| unsafe { Chunk::from_raw_parts(Offset::from_raw(entry.0), entry.1, pool) };
    match (ring.push(chunk(pool)), model.push(entry)) {
        (Ok(()), true) => {}
        (Err(Unreturned::Full(back)), false) => assert_eq!(back, chunk(pool), "handed back"),
        (ours, model) => panic!("{ours:?}, where the model says {model}"),
    }
}

fn consume(twin: &mut RefillTwin, model: &mut Model) {
    assert_eq!(
        u64::from(twin.published()),
        model.published - model.consumed
    );
    let entry = twin.consume();
    let ours = entry.map(|entry| (entry.off, entry.len));
    assert_eq!(ours, model.consume());
    assert_eq!(entry.map_or(0, |entry| entry.__pad), 0);
}

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let entries = 1_u32 << input.below(5);
    let start = match input.u8() {
        near @ 0..=199 => u32::MAX - u32::from(near),
        _ => input.u32(),
    };
    let (pool, other) = thread_pools();
    let mut twin = RefillTwin::new(entries, start);
    // SAFETY: the twin outlives the ring, and its kernel's side is only ever called between the ring's calls.
    let mut ring = unsafe { twin.ring(pool) };
    let start = u64::from(start);
    let mut model = Model {
        slots: vec![(0, 0); entries as usize],
        tail: start,
        published: start,
        believed: start,
        consumed: start,
        khead: start as u32,
        queue: Some(VecDeque::new()),
    };
    let mut sent = 0;
    while !input.is_empty() {
        let operation = input.u8();
        let times = operation >> 3;
        match operation & 7 {
            0..=2 => {
                for _ in 0..=times {
                    sent += 1;
                    push(
                        &mut ring,
                        &mut model,
                        (sent << 40 | sent, sent as u32),
                        pool,
                    );
                }
            }
            3 => {
                ring.publish();
                model.published = model.tail;
            }
            4 => (0..=times).for_each(|_| consume(&mut twin, &mut model)),
            5 => {
                model.look_at_head();
                let left = (model.published - model.believed) as u32;
                assert_eq!(ring.unconsumed(), left);
            }
            6 => {
                // SAFETY: as in push().
                let chunk = unsafe { Chunk::from_raw_parts(Offset::from_raw(9), 9, other) };
                assert!(matches!(ring.push(chunk), Err(Unreturned::OtherPool(_))));
            }
            _ => {
                model.khead = match times {
                    // Around what makes sense.
                    0..=15 => (model.published as u32)
                        .wrapping_add(8)
                        .wrapping_sub(times.into()),
                    16..=23 => (model.believed as u32)
                        .wrapping_add(4)
                        .wrapping_sub(u32::from(times) - 16),
                    24 => model.tail as u32,
                    _ => input.edge(),
                };
                model.queue = None;
                twin.set_head(model.khead);
            }
        }
        assert_eq!(ring.entries(), entries);
        assert_eq!(u64::from(ring.unpublished()), model.tail - model.published);
    }
    // Nothing is lost: what was published arrives.
    while model.consumed < model.published && model.published - model.consumed <= model.entries() {
        consume(&mut twin, &mut model);
    }
}

/// Ids are never used twice, so that each thread takes two and keeps them.
fn thread_pools() -> (PoolId, PoolId) {
    let id = || PoolId::unique().expect("fewer than 2³² were made");
    thread_local!(static POOLS: std::cell::OnceCell<(PoolId, PoolId)> = const { std::cell::OnceCell::new() });
    POOLS.with(|pools| *pools.get_or_init(|| (id(), id())))
}

pub fn seeds() -> Vec<Seed> {
    let (push, publish, take, look, other, lie) = (
        |n: u8| (n - 1) << 3,
        3,
        |n: u8| (n - 1) << 3 | 4,
        5,
        6,
        |n: u8| n << 3 | 7,
    );
    let lap = [
        push(5),
        publish,
        take(3),
        look,
        push(4),
        publish,
        take(6),
        look,
    ];
    vec![
        ("laps", [&[2, 6][..], &lap, &lap, &lap, &lap].concat()),
        (
            "full",
            vec![
                1,
                1,
                push(2),
                push(1),
                publish,
                push(1),
                take(1),
                push(2),
                publish,
                take(4),
            ],
        ),
        (
            "one",
            vec![
                0,
                0,
                push(1),
                publish,
                take(1),
                push(1),
                push(1),
                publish,
                look,
                take(2),
            ],
        ),
        (
            "lies",
            vec![
                2,
                3,
                push(4),
                publish,
                lie(5),
                push(4),
                lie(9),
                push(2),
                lie(24),
                push(8),
                take(8),
            ],
        ),
        (
            "unpublished",
            vec![
                1,
                4,
                push(2),
                lie(24),
                push(2),
                look,
                publish,
                push(1),
                look,
            ],
        ),
        ("other", vec![1, 4, other, push(1), other, publish, look]),
    ]
}
