use loom::thread;

use super::*;
use crate::sync::model;
use crate::twin::RefillTwin;
use crate::zcrx::Offset;

const CHUNKS: u64 = 3;

fn chunk(n: u64, pool: PoolId) -> Chunk {
    // SAFETY: there is no memory behind this pool, and nothing reads the chunk's bytes.
    unsafe { Chunk::from_raw_parts(Offset::from_raw(n << 12), 100 + n as u32, pool) }
}

/// Takes all chunks, in order, while they come.
fn consume_all(twin: &mut RefillTwin) {
    for n in 0..CHUNKS {
        let entry = loop {
            match twin.consume() {
                Some(entry) => break entry,
                None => thread::yield_now(),
            }
        };
        assert_eq!((entry.off, entry.len), (n << 12, 100 + n as u32));
    }
    assert!(twin.consume().is_none(), "none twice");
}

/// More chunks than the ring has entries, published so many at a time, past the wrap of the indices.
fn produce(entries: u32, start: u32, batch: u32) {
    model(2, move || {
        let pool = PoolId::unique().unwrap();
        let mut twin = RefillTwin::new(entries, start);
        // SAFETY: the twin outlives the ring (it is dropped after the join) and keeps to the kernel's side.
        let mut ring = unsafe { twin.ring(pool) };
        let kernel = thread::spawn(move || {
            consume_all(&mut twin);
            twin
        });
        let mut sent = 0;
        while sent < CHUNKS {
            match ring.push(chunk(sent, pool)) {
                Ok(()) => {
                    sent += 1;
                    if ring.unpublished() == batch {
                        ring.publish();
                    }
                }
                Err(back) => {
                    assert_eq!(back, Unreturned::Full(chunk(sent, pool)));
                    ring.publish();
                    thread::yield_now();
                }
            }
        }
        ring.publish();
        let _twin = kernel.join().unwrap();
        assert_eq!(ring.unconsumed(), 0);
    });
}

#[test]
fn each_entry_is_seen_whole_and_once_and_no_slot_is_written_too_early() {
    for start in [u32::MAX - 1, 0] {
        produce(2, start, 1);
        produce(2, start, 2);
    }
    produce(1, u32::MAX - 1, 1);
}
