//! The walk over a completion queue: arbitrary bytes, head, tail and layout, against a naive reference.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use zcrx_sys::ring::{CompletionQueue, Cqe, CqeLayout, MalformedCqe};

use crate::input::Input;
use crate::Seed;

/// The queue's memory: on the heap, so that a sanitizer sees what lies outside.
struct Memory {
    head: Box<AtomicU32>,
    tail: Box<AtomicU32>,
    slots: Box<[u64]>,
}

/// What the reference saw: user_data, res, flags and the words behind a wide entry.
type Seen = Result<(u64, i32, u32, Option<[u64; 2]>), (u64, u32)>;

/// The reference. It counts in 64 bits and looks at bytes, and knows the rules from the kernel's header alone:
/// bit 5 marks a filler and bit 15 an entry of two slots, both in a mixed queue only.
struct Reference {
    layout: CqeLayout,
    entries: u64,
    /// Slots read so far, and the head that it began with.
    read: u64,
    start: u32,
}

impl Reference {
    fn head(&self) -> u32 {
        (u64::from(self.start) + self.read) as u32
    }

    /// Slots that are ready, if the tail makes sense.
    fn ready(&self, tail: u32) -> Option<u64> {
        let ready = (u64::from(tail) + (1 << 32) - u64::from(self.head())) % (1 << 32);
        (ready <= self.entries).then_some(ready)
    }

    /// The next entry of `ready`, which is counted down.
    fn next(&mut self, bytes: &[u8], ready: &mut u64) -> Option<Seen> {
        let size = if self.layout == CqeLayout::Wide {
            32
        } else {
            16
        };
        while *ready > 0 {
            let slot = (u64::from(self.start) + self.read) % self.entries;
            let at = (slot * size) as usize;
            let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
            let half = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
            let (data, res, flags) = (word(at), half(at + 8) as i32, half(at + 12));
            let mixed = self.layout == CqeLayout::Mixed;
            let (skip, wide) = (flags >> 5 & 1 == 1, flags >> 15 & 1 == 1);
            let fits = *ready >= 2 && slot + 1 < self.entries;
            let steps = if mixed && !skip && wide && fits { 2 } else { 1 };
            self.read += steps;
            *ready -= steps;
            if mixed && skip {
                continue;
            }
            if mixed && wide && !fits {
                return Some(Err((data, flags)));
            }
            let has_more = self.layout == CqeLayout::Wide || mixed && wide;
            let extra = has_more.then(|| [word(at + 16), word(at + 24)]);
            return Some(Ok((data, res, flags, extra)));
        }
        None
    }
}

fn seen(entry: Result<Cqe, MalformedCqe>) -> Seen {
    match entry {
        Ok(cqe) => Ok((cqe.user_data(), cqe.res(), cqe.flags(), cqe.extra())),
        Err(malformed) => Err((malformed.user_data, malformed.flags)),
    }
}

/// The crate sets the flag exactly if there are extra words; the reference leaves it as it found it.
fn same(ours: Option<Seen>, reference: Option<Seen>) {
    let normal = |seen: Seen| {
        seen.map(|(data, res, flags, extra)| {
            let wide = u32::from(extra.is_some()) << 15;
            (data, res, flags & !(1 << 15) | wide, extra)
        })
    };
    assert_eq!(ours, reference.map(normal));
}

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let layout = [CqeLayout::Mixed, CqeLayout::Wide, CqeLayout::Narrow][input.below(3) as usize];
    let entries = 1_u32 << input.below(6);
    let start = input.edge();
    let words = entries as usize * layout.slot_size() / 8;
    let mut memory = Memory {
        head: Box::new(AtomicU32::new(start)),
        tail: Box::new(AtomicU32::new(start)),
        slots: vec![0; words].into(),
    };
    let mut reference = Reference {
        layout,
        entries: entries.into(),
        read: 0,
        start,
    };
    let slots = NonNull::from(&mut memory.slots[..]).cast::<u64>();
    // SAFETY: the memory outlives the queue, which is the only consumer; slots are written between its calls
    // alone, through the same pointer.
    let mut queue = unsafe {
        CompletionQueue::from_raw_parts(
            NonNull::from(&*memory.head),
            NonNull::from(&*memory.tail),
            slots.cast(),
            entries,
            layout,
        )
    };
    // At first all slots are written, later some.
    let mut fresh = words;
    while !input.is_empty() {
        for _ in 0..fresh {
            // A few of the flags that matter, or anything.
            let (at, word) = match input.u8() {
                kind @ 0..=127 => {
                    let flags = u64::from(kind & 1) << 15 | u64::from(kind & 2) << 4;
                    (
                        kind as usize / 8 * 2 + 1,
                        flags << 32 | input.u64() & !(0x8020 << 32),
                    )
                }
                kind => (kind as usize - 128, input.u64()),
            };
            // SAFETY: the index lies inside the array, which nobody else uses just now.
            unsafe { slots.add(at % words).write(word) };
        }
        fresh = input.below(8) as usize;
        let tail = match input.u8() {
            near @ 0..=199 => reference
                .head()
                .wrapping_add(u32::from(near) % (entries + 2)),
            _ => input.edge(),
        };
        memory.tail.store(tail, Ordering::Release);
        // SAFETY: the whole array, which is not written while the copy is made.
        let all = unsafe { std::slice::from_raw_parts(slots.cast::<u8>().as_ptr(), words * 8) };
        let all = all.to_vec();
        walk(&mut queue, &mut reference, &all, tail, input.u8());
        assert_eq!(memory.head.load(Ordering::Acquire), reference.head());
    }
}

/// Reads what is there, or a part of it, in one of the two ways.
fn walk(queue: &mut CompletionQueue, reference: &mut Reference, all: &[u8], tail: u32, how: u8) {
    let ready = reference.ready(tail);
    let mut left = ready.unwrap_or(0);
    // A part, or more than there can be.
    let most = if how & 1 == 0 {
        u64::from(how >> 2)
    } else {
        reference.entries + 2
    };
    if how & 2 == 0 {
        let mut walk = queue.drain();
        for _ in 0..most {
            let (ours, expected) = (walk.next(), reference.next(all, &mut left));
            same(ours.map(seen), expected);
        }
    } else {
        assert_eq!(u64::from(queue.refresh()), left);
        for _ in 0..most {
            let (ours, expected) = (queue.next_entry(), reference.next(all, &mut left));
            same(ours.map(seen), expected);
        }
        queue.publish();
    }
    assert_eq!(queue.is_broken(), ready.is_none());
    assert!(how & 1 == 0 || left == 0, "a walk reaches the tail");
}

pub fn seeds() -> Vec<Seed> {
    let slot = |kind: u8, n: u8| [vec![kind], vec![n; 8]].concat();
    let queue = |layout: u8, log2: u8, words: usize, kind: u8| {
        let mut bytes = vec![layout, log2, 0x20, 3];
        for n in 0..words {
            bytes.extend(slot(kind + ((n as u8 * 4) & 0x78), n as u8));
        }
        // Everything at once, then a part at a time.
        bytes.extend([2, 4, 1]);
        bytes.extend(slot(128, 1));
        bytes.extend(slot(129, 1));
        bytes.extend([0, 3, 8, 0, 4, 3, 0, 255, 64, 0, 1]);
        bytes
    };
    vec![
        ("mixed", queue(0, 2, 8, 1)),
        ("fillers", queue(0, 2, 8, 2)),
        ("wide", queue(1, 1, 8, 0)),
        ("narrow", queue(2, 2, 8, 0)),
        ("one_slot", queue(0, 0, 2, 1)),
    ]
}
