use std::sync::atomic::AtomicUsize as Count;
use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::thread;

use super::*;
use crate::sync::{model, reads, track, writes};
use crate::zcrx::{Offset, PoolId};

/// What became of the memory, and of the chunks that came back after the recycler was gone.
#[derive(Default)]
struct Fate {
    taken_back: Count,
    dropped: Count,
    /// Read by each use of the memory, and written when it is dropped.
    memory: UnsafeCell<()>,
    /// Written by the owner before it goes, and read by those who find it gone.
    last_words: UnsafeCell<()>,
}

// SAFETY: the cells have no content; loom finds out if they are used in a way that would not do if they had.
unsafe impl Send for Fate {}
// SAFETY: as above.
unsafe impl Sync for Fate {}

/// Memory of a few chunks of 16 bytes, in which loom sees who reads what, and when it is used and dropped.
struct Watched {
    bytes: Box<[[u8; 16]]>,
    fate: Arc<Fate>,
}

impl ChunkMemory for Watched {
    unsafe fn address(&self, chunk: &Chunk) -> NonNull<u8> {
        NonNull::from(&self.bytes[chunk.offset().raw() as usize]).cast()
    }

    fn take_back(&self, chunk: Chunk) {
        self.fate.memory.with(|_| ());
        // SAFETY: the chunk is of this memory.
        let at = unsafe { self.address(&chunk) };
        // As the kernel does, once another end has returned it.
        writes(at);
        // Whatever the owner did comes before this.
        self.fate.last_words.with(|_| ());
        self.fate.taken_back.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // After everybody else's use.
        self.fate.memory.with_mut(|_| ());
        self.fate.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// The owner's end: it gathers what comes back, and has the kernel write to it again.
struct Owner {
    recycler: Recycler,
    pool: PoolId,
    fate: Arc<Fate>,
    /// The other side of the recycler's eventfd.
    eventfd: Fd,
    returned: usize,
}

impl Owner {
    fn new(chunks: usize) -> Self {
        let fate = Arc::new(Fate::default());
        let memory = Watched {
            bytes: (0..chunks).map(|_| [7; 16]).collect(),
            fate: fate.clone(),
        };
        track(NonNull::from(&memory.bytes[0]), chunks);
        let pool = PoolId::unique().unwrap();
        // SAFETY: takes no pointers.
        let raw = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        // SAFETY: a new descriptor that nothing else owns.
        let theirs = unsafe { Fd::from_raw(raw) };
        let eventfd = Fd::duplicate(theirs.as_raw()).unwrap();
        Self {
            recycler: Recycler::new(pool, Box::new(memory), Some(theirs)),
            pool,
            fate,
            eventfd,
            returned: 0,
        }
    }

    fn own(&mut self, n: u64) -> OwnedChunk {
        // SAFETY: the bytes lie in the memory of this pool, and no other chunk is made for them meanwhile.
        let chunk = unsafe { Chunk::from_raw_parts(Offset::from_raw(n), 16, self.pool) };
        self.recycler.own(chunk).unwrap()
    }

    /// Makes a chunk and drops it in a thread, which reads it before.
    fn drop_elsewhere(&mut self, n: u64) -> thread::JoinHandle<()> {
        let owned = self.own(n);
        thread::spawn(move || {
            reads(owned.bytes);
            assert_eq!(*owned, [7; 16]);
        })
    }

    /// Gathers one chunk, if one is back.
    fn gather(&mut self) -> bool {
        let Some(chunk) = self.recycler.next_returned() else {
            return false;
        };
        // SAFETY: the chunk is of this memory.
        let at = unsafe { self.recycler.home().memory.address(&chunk) };
        // As the kernel does, once it has the chunk.
        writes(at);
        self.returned += 1;
        true
    }

    fn is_signalled(&self) -> bool {
        let mut count = 0_u64;
        let (fd, at) = (self.eventfd.as_raw(), ptr::from_mut(&mut count).cast());
        // SAFETY: reads into a live local of 8 bytes.
        unsafe { libc::read(fd, at, 8) == 8 }
    }

    /// Goes away. To be judged when all threads are done.
    fn go(self) -> (Arc<Fate>, usize) {
        self.fate.last_words.with_mut(|_| ());
        drop(self.recycler);
        (self.fate, self.returned)
    }
}

fn judge((fate, returned): (Arc<Fate>, usize), chunks: usize) {
    let taken_back = fate.taken_back.load(Ordering::Relaxed);
    assert_eq!(returned + taken_back, chunks, "each comes back once");
    let dropped = fate.dropped.load(Ordering::Relaxed);
    assert_eq!(dropped, 1, "the memory is dropped once");
}

#[test]
fn chunks_dropped_in_two_threads_come_back_once_and_unused() {
    model(3, || {
        let mut owner = Owner::new(2);
        let threads = [owner.drop_elsewhere(0), owner.drop_elsewhere(1)];
        while owner.recycler.outstanding() > 0 {
            if !owner.gather() {
                thread::yield_now();
            }
        }
        let judged = owner.go();
        for thread in threads {
            thread.join().unwrap();
        }
        judge(judged, 2);
    });
}

#[test]
fn a_node_that_is_used_again_meanwhile_confuses_nobody() {
    model(3, || {
        let mut owner = Owner::new(3);
        let first = owner.own(2);
        let thread = owner.drop_elsewhere(0);
        drop(first);
        owner.gather();
        // In the place that chunk 2 or 0 had in the list, which the thread may be about to put before its own.
        drop(owner.own(1));
        while owner.recycler.outstanding() > 0 {
            if !owner.gather() {
                thread::yield_now();
            }
        }
        let judged = owner.go();
        thread.join().unwrap();
        judge(judged, 3);
    });
}

#[test]
fn an_owner_that_sleeps_is_woken() {
    model(2, || {
        let mut owner = Owner::new(2);
        let threads = [owner.drop_elsewhere(0), owner.drop_elsewhere(1)];
        while owner.recycler.outstanding() > 0 {
            if !owner.gather() && owner.recycler.will_sleep() {
                // loom gives up on a thread that yields for ever: a wake-up was missed.
                while !owner.is_signalled() {
                    thread::yield_now();
                }
            }
        }
        let judged = owner.go();
        for thread in threads {
            thread.join().unwrap();
        }
        judge(judged, 2);
    });
}

#[test]
fn an_owner_that_goes_meanwhile_leaves_nothing_behind() {
    // Awake; asleep, as those who drop chunks must think; woken by something else than a chunk.
    for (sleeps, gathers) in [(false, true), (true, false), (true, true)] {
        model(3, move || {
            let mut owner = Owner::new(3);
            let mut chunks = 2;
            if !sleeps {
                // One is back already.
                drop(owner.own(2));
                chunks += 1;
            }
            let threads = [owner.drop_elsewhere(0), owner.drop_elsewhere(1)];
            if sleeps {
                owner.recycler.will_sleep();
            }
            if gathers {
                owner.gather();
            }
            let judged = owner.go();
            for thread in threads {
                thread.join().unwrap();
            }
            judge(judged, chunks);
        });
    }
}
