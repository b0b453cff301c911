//! The work of `zcrx-sys` whose instructions are counted, one function a case. Run by `bench/callgrind`.

use zcrx_bench::counting::count;
use zcrx_bench::memory_ring::{MemoryRing, BATCH, DRAINS};
use zcrx_bench::nop::{measured_nop_zcrx_sys, zcrx_sys};
use zcrx_sys::ring::{CompletionQueue, CqeLayout, Layout, Mixed, Narrow, Wide};
use zcrx_sys::twin::{CompletionTwin, InstanceTwin, RefillTwin};
use zcrx_sys::zcrx::{Chunk, Ifq, Offset, PoolId, Recycler, RefillRing};

fn main() {
    for (case, layout, mut pattern) in DRAINS {
        let mut posts = MemoryRing::new(layout);
        // SAFETY: posting and draining take turns.
        let mut queue = unsafe { posts.queue() };
        count("drain", case, "entry", BATCH, || {
            posts.post_batch(&mut pattern);
            assert_ne!(measured_drain(&mut queue), 0);
        });
    }
    for batch in [1, 8, 64] {
        refill(batch);
    }
    received(CqeLayout::Wide, 1, "drain and refill", "wide", |q, ifq| {
        measured_drain_and_refill(q, ifq)
    });
    for (layout, name) in [(CqeLayout::Wide, "wide"), (CqeLayout::Mixed, "mixed")] {
        for areas in [1, 64] {
            let plural = if areas == 1 { "area" } else { "areas" };
            let case = format!("{name}, {areas} {plural}");
            received(layout, areas, "chunk", &case, |queue, ifq| {
                measured_chunk(queue, ifq)
            });
            let mut recycler = None;
            received(layout, areas, "owned chunk", &case, move |queue, ifq| {
                let recycler =
                    recycler.get_or_insert_with(|| ifq.recycler(None).expect("a descriptor"));
                measured_owned_chunk(queue, ifq, recycler)
            });
        }
    }
    // Not on a kernel without rings.
    if let Ok(mut ring) = zcrx_sys() {
        count("nop", "batch 32", "op", 32, || {
            assert_eq!(measured_nop_zcrx_sys(&mut ring, 32), 32);
        });
    }
}

/// All entries that are there.
#[no_mangle]
#[inline(never)]
fn measured_drain(queue: &mut CompletionQueue) -> u64 {
    match queue.layout() {
        CqeLayout::Narrow => drain::<Narrow>(queue),
        CqeLayout::Wide => drain::<Wide>(queue),
        CqeLayout::Mixed => drain::<Mixed>(queue),
    }
}

fn drain<L: Layout>(queue: &mut CompletionQueue) -> u64 {
    let mut sum = 0;
    for cqe in queue.drain_as::<L>().expect("asked for by its layout") {
        let Ok(cqe) = cqe else { return 0 };
        sum += cqe.user_data();
        if let Some([offset, _]) = cqe.extra() {
            sum += offset;
        }
    }
    sum
}

/// 64 buffers, published in batches.
fn refill(batch: usize) {
    let pool = PoolId::unique().expect("ids");
    let mut twin = RefillTwin::new(4 * BATCH, 0);
    // SAFETY: the twin outlives the ring.
    let mut ring = unsafe { twin.ring(pool) };
    let offsets: Vec<u64> = (0..u64::from(BATCH)).map(|n| n << 12).collect();
    let case = format!("batch {batch}");
    count("refill", &case, "buffer", BATCH, || {
        match batch {
            1 => measured_refill_one_by_one(&mut ring, pool, &offsets, 4096),
            _ => measured_refill(&mut ring, pool, &offsets, 4096, batch),
        }
        let mut taken = 0;
        while twin.consume().is_some() {
            taken += 1;
        }
        assert_eq!(taken, BATCH);
    });
}

#[no_mangle]
#[inline(never)]
fn measured_refill(ring: &mut RefillRing, pool: PoolId, offsets: &[u64], len: u32, batch: usize) {
    // SAFETY: there is no memory behind this pool, and nothing reads the chunk's bytes.
    let chunk = |&offset| unsafe { Chunk::from_raw_parts(Offset::from_raw(offset), len, pool) };
    for batch in offsets.chunks(batch) {
        if ring.push_all(&mut batch.iter().map(chunk)).is_err() {
            return;
        }
        ring.publish();
    }
}

#[no_mangle]
#[inline(never)]
fn measured_refill_one_by_one(ring: &mut RefillRing, pool: PoolId, offsets: &[u64], len: u32) {
    for &offset in offsets {
        // SAFETY: as above.
        let chunk = unsafe { Chunk::from_raw_parts(Offset::from_raw(offset), len, pool) };
        if ring.push(chunk).is_err() {
            return;
        }
        ring.publish();
    }
}

/// Counts `drain` over chunks that an instance in this process receives.
fn received(
    layout: CqeLayout,
    areas: u32,
    group: &str,
    case: &str,
    mut drain: impl FnMut(&mut CompletionQueue, &mut Ifq) -> u64,
) {
    let (mut kernel, mut ifq) = InstanceTwin::new(BATCH / areas, 4 * BATCH).expect("memory");
    for _ in 1..areas {
        kernel.add_area(&ifq, BATCH / areas).expect("memory");
    }
    let mut posts = CompletionTwin::new(layout, 4 * BATCH, 0);
    // SAFETY: posts outlives the queue, and keeps to the kernel's side.
    let mut queue = unsafe { posts.queue() };
    count(group, case, "chunk", BATCH, || {
        for n in 0..BATCH {
            kernel.receive(&mut posts, 7, &[n as u8; 64]).expect("room");
        }
        let sum = drain(&mut queue, &mut ifq);
        assert!(sum == u64::from(BATCH) || sum == u64::from(BATCH * (BATCH - 1) / 2));
        assert_eq!(kernel.refill().returned, BATCH);
    });
}

/// Each chunk decoded with all checks, and returned; answers how many.
#[no_mangle]
#[inline(never)]
fn measured_drain_and_refill(queue: &mut CompletionQueue, ifq: &mut Ifq) -> u64 {
    let mut chunks = 0;
    let mut burst = ifq.burst();
    for cqe in queue.drain_as::<Wide>().expect("a wide queue") {
        let Ok(cqe) = cqe else { return 0 };
        // SAFETY: all completions are those of requests for this instance; each is taken once.
        if let Ok(chunk) = unsafe { burst.take(&cqe) } {
            chunks += 1;
            if burst.recycle(chunk).is_err() {
                return 0;
            }
        }
    }
    chunks
}

/// Each chunk decoded with all checks, its first byte read, and returned; answers the sum of the bytes.
#[no_mangle]
#[inline(never)]
fn measured_chunk(queue: &mut CompletionQueue, ifq: &mut Ifq) -> u64 {
    match queue.layout() {
        CqeLayout::Wide => chunk::<Wide>(queue, ifq),
        _ => chunk::<Mixed>(queue, ifq),
    }
}

fn chunk<L: Layout>(queue: &mut CompletionQueue, ifq: &mut Ifq) -> u64 {
    let mut sum = 0;
    let mut burst = ifq.burst();
    for cqe in queue.drain_as::<L>().expect("asked for by its layout") {
        let Ok(cqe) = cqe else { return 0 };
        // SAFETY: as above.
        if let Ok(chunk) = unsafe { burst.take(&cqe) } {
            sum += u64::from(burst.bytes(&chunk)[0]);
            if burst.recycle(chunk).is_err() {
                return 0;
            }
        }
    }
    sum
}

/// As [`measured_chunk`], but each chunk is owned, dropped, and gathered before it is returned.
#[no_mangle]
#[inline(never)]
fn measured_owned_chunk(
    queue: &mut CompletionQueue,
    ifq: &mut Ifq,
    recycler: &mut Recycler,
) -> u64 {
    let mut sum = 0;
    for cqe in queue.drain() {
        let Ok(cqe) = cqe else { return 0 };
        // SAFETY: as above.
        if let Ok(chunk) = unsafe { ifq.take(&cqe) } {
            let Ok(owned) = recycler.own(chunk) else {
                return 0;
            };
            sum += u64::from(owned[0]);
        }
    }
    while let Some(chunk) = recycler.next_returned() {
        if ifq.recycle(chunk).is_err() {
            return 0;
        }
    }
    ifq.publish();
    sum
}
