//! A completion queue in plain memory with the kernel's side of it: the same entries for everyone who is measured.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use zcrx_sys::ring::{CompletionQueue, CqeLayout};
use zcrx_sys::uapi::{IORING_CQE_F_32, IORING_CQE_F_MORE, IORING_CQE_F_SKIP};

/// Entries between two drains.
pub const BATCH: u32 = 64;
/// Slots of the queues.
pub const SLOTS: u32 = 256;

/// Which entries are wide.
#[derive(Clone, Copy, Debug)]
pub enum Pattern {
    /// None.
    Narrow,
    /// All.
    Wide,
    /// Every second one.
    Alternating,
    /// Every second one on average; the state of a generator, the same in each run.
    Random(u32),
}

/// The drains that are measured. `c/count.c` has the same.
pub const DRAINS: [(&str, CqeLayout, Pattern); 6] = [
    ("narrow", CqeLayout::Narrow, Pattern::Narrow),
    ("wide", CqeLayout::Wide, Pattern::Wide),
    ("mixed, all 16", CqeLayout::Mixed, Pattern::Narrow),
    ("mixed, all 32", CqeLayout::Mixed, Pattern::Wide),
    ("mixed, alternating", CqeLayout::Mixed, Pattern::Alternating),
    ("mixed, random", CqeLayout::Mixed, Pattern::Random(1)),
];

impl Pattern {
    fn is_wide(&mut self, n: u32) -> bool {
        match self {
            Self::Narrow => false,
            Self::Wide => true,
            Self::Alternating => n % 2 == 1,
            Self::Random(state) => {
                // xorshift32
                *state ^= *state << 13;
                *state ^= *state >> 17;
                *state ^= *state << 5;
                *state & 0x8000 != 0
            }
        }
    }
}

/// The producer of a queue. Its memory is never freed: a program measures and ends.
#[derive(Debug)]
pub struct MemoryRing {
    /// Written by the consumer.
    pub head: NonNull<AtomicU32>,
    /// Written here.
    pub tail: NonNull<AtomicU32>,
    /// [`SLOTS`] slots.
    pub slots: NonNull<[u64; 2]>,
    layout: CqeLayout,
}

#[repr(C, align(64))]
#[derive(Default)]
struct Word(AtomicU32);

impl MemoryRing {
    /// An empty queue of [`SLOTS`] slots.
    pub fn new(layout: CqeLayout) -> Self {
        let words: &'static [Word; 2] = Box::leak(Box::default());
        let halves = SLOTS as usize * layout.slot_size() / 16;
        let slots: &'static mut [[u64; 2]] = Box::leak(vec![[0; 2]; halves].into());
        // SAFETY: the memory lives for ever and nobody else has it.
        unsafe {
            Self::over(
                NonNull::from(&words[0].0),
                NonNull::from(&words[1].0),
                NonNull::from(slots).cast(),
                layout,
            )
        }
    }

    /// The producer of a queue that exists.
    ///
    /// # Safety
    ///
    /// All three must be valid for as long as this is used, the slots for reads and writes of [`SLOTS`] of them;
    /// nobody else may write the tail or the slots.
    pub unsafe fn over(
        head: NonNull<AtomicU32>,
        tail: NonNull<AtomicU32>,
        slots: NonNull<[u64; 2]>,
        layout: CqeLayout,
    ) -> Self {
        Self {
            head,
            tail,
            slots,
            layout,
        }
    }

    /// The consumer that `zcrx-sys` lays over the queue: one at a time.
    ///
    /// # Safety
    ///
    /// Nothing may be posted while a walk over the queue goes on.
    pub unsafe fn queue(&self) -> CompletionQueue {
        // SAFETY: the memory is valid (new, or the promise of over), and keeps to the kernel's rules.
        unsafe {
            CompletionQueue::from_raw_parts(
                self.head,
                self.tail,
                self.slots.cast(),
                SLOTS,
                self.layout,
            )
        }
    }

    /// Posts [`BATCH`] entries as the kernel would.
    pub fn post_batch(&mut self, pattern: &mut Pattern) {
        for n in 0..BATCH {
            let wide = pattern.is_wide(n);
            self.post(n, wide);
        }
    }

    fn post(&mut self, n: u32, wide: bool) {
        // SAFETY: valid (new, or the promise of over). Relaxed: only this writes it.
        let tail_word = unsafe { self.tail.as_ref() };
        let mut tail = tail_word.load(Ordering::Relaxed);
        let mixed = self.layout == CqeLayout::Mixed;
        if mixed && wide && tail % SLOTS == SLOTS - 1 {
            self.put(tail, 0, [0, u64::from(IORING_CQE_F_SKIP) << 32]);
            tail = tail.wrapping_add(1);
        }
        let two = mixed && wide;
        let flags = IORING_CQE_F_MORE | if two { IORING_CQE_F_32 } else { 0 };
        self.put(tail, 0, [7, u64::from(flags) << 32 | 4096]);
        if wide {
            self.put(tail, 1, [u64::from(n) << 12, 0]);
        }
        // Release: pairs with the consumers' loads of the tail.
        tail_word.store(tail.wrapping_add(1 + u32::from(two)), Ordering::Release);
    }

    fn put(&mut self, at: u32, half: usize, words: [u64; 2]) {
        let halves = self.layout.slot_size() / 16;
        let at = (at % SLOTS) as usize * halves + half;
        assert!(at < SLOTS as usize * halves);
        // SAFETY: inside of the slots (just checked); no consumer reads what is not published.
        unsafe { self.slots.add(at).write(words) };
    }
}
