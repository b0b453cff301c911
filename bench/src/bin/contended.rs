//! `contended BATCH`: nanoseconds per buffer that one thread returns, published in batches, while another thread
//! takes them out of the refill ring as the kernel does. Run by `bench/run`.

use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use zcrx_bench::cpu;
use zcrx_sys::uapi::io_uring_zcrx_rqe;
use zcrx_sys::zcrx::{Chunk, Offset, PoolId, RefillRing};

const ENTRIES: u32 = 4096;
/// Most that the kernel takes at a time (`PP_ALLOC_CACHE_REFILL`).
const TAKEN: u32 = 64;
/// How long it is measured.
const SPAN: Duration = Duration::from_millis(150);

/// A word in a cache line of its own, as the kernel lays the ring out from 7.3 on.
#[repr(align(64))]
struct Word(AtomicU32);

/// The ring's memory.
struct Memory {
    head: Word,
    tail: Word,
    entries: Box<[UnsafeCell<io_uring_zcrx_rqe>]>,
}

// SAFETY: an entry is written by the producer before the tail passes it, and read after that; see both.
unsafe impl Sync for Memory {}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let batch = std::env::args().nth(1).ok_or("usage: contended BATCH")?;
    let batch: u32 = batch.parse()?;
    let [producer, consumer, ..] = cpu::allowed()[..] else {
        return Err("it takes two processors".into());
    };
    let memory = Memory {
        head: Word(AtomicU32::new(0)),
        tail: Word(AtomicU32::new(0)),
        entries: (0..ENTRIES).map(|_| UnsafeCell::default()).collect(),
    };
    let done = AtomicBool::new(false);
    let nanoseconds = std::thread::scope(|scope| {
        scope.spawn(|| {
            cpu::pin(consumer);
            consume(&memory, &done);
        });
        cpu::pin(producer);
        produce(&memory, batch, SPAN / 4); // to get warm
        let nanoseconds = produce(&memory, batch, SPAN);
        done.store(true, Ordering::Relaxed);
        nanoseconds
    });
    println!("{nanoseconds}");
    Ok(())
}

/// Returns chunks for `span`; answers the nanoseconds for each.
fn produce(memory: &Memory, batch: u32, span: Duration) -> f64 {
    let pool = PoolId::unique().expect("ids");
    let entries = NonNull::from(&memory.entries[0]).cast();
    let (head, tail) = (NonNull::from(&memory.head.0), NonNull::from(&memory.tail.0));
    // SAFETY: the memory lives through this function; the consumer writes the head alone, and reads what was
    // published.
    let mut ring = unsafe { RefillRing::from_raw_parts(head, tail, entries, ENTRIES, pool) };
    let (started, mut returned) = (Instant::now(), 0_u64);
    while started.elapsed() < span {
        // A look at the clock now and then.
        for _ in 0..ENTRIES / batch {
            (0..batch).for_each(|n| give(&mut ring, pool, u64::from(n) << 12));
            ring.publish();
        }
        returned += u64::from(ENTRIES / batch * batch);
    }
    started.elapsed().as_nanos() as f64 / returned as f64
}

#[inline]
fn give(ring: &mut RefillRing, pool: PoolId, offset: u64) {
    // SAFETY: there is no memory behind this pool, and nothing reads the chunk's bytes.
    let mut chunk = unsafe { Chunk::from_raw_parts(Offset::from_raw(offset), 4096, pool) };
    while let Err(full) = ring.push(chunk) {
        chunk = full.into_chunk();
        ring.publish();
        spin_loop();
    }
}

/// Takes entries until told to stop (`io_zcrx_ring_refill`).
fn consume(memory: &Memory, done: &AtomicBool) {
    let (mut head, mut sum) = (0_u32, 0_u64);
    while !done.load(Ordering::Relaxed) {
        // Acquire: pairs with RefillRing::publish.
        let tail = memory.tail.0.load(Ordering::Acquire);
        let count = tail.wrapping_sub(head).min(TAKEN);
        if count == 0 {
            spin_loop();
            continue;
        }
        for n in 0..count {
            let slot = head.wrapping_add(n) % ENTRIES;
            // SAFETY: the entry was published, and is left alone until the head passes it.
            sum = sum.wrapping_add(unsafe { (*memory.entries[slot as usize].get()).off });
        }
        head = head.wrapping_add(count);
        // Release: pairs with the load of the head in RefillRing.
        memory.head.0.store(head, Ordering::Release);
    }
    std::hint::black_box(sum);
}
