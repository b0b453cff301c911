use std::sync::Arc;

use loom::thread;

use super::*;
use crate::sync::model;
use crate::twin::RefillTwin;
use crate::zcrx::{Offset, PoolId};

#[test]
fn each_chunk_without_an_owner_goes_back_once() {
    // The ring has room for all of them, or for one at a time.
    for entries in [4, 1] {
        model(3, move || {
            let pool = PoolId::unique().unwrap();
            let mut twin = RefillTwin::new(entries, u32::MAX);
            // SAFETY: the twin outlives the ring and keeps to the kernel's side.
            let mut ring = unsafe { twin.ring(pool) };
            let orphans = Arc::new(Orphans::new());
            let threads = [0, 1].map(|n| {
                let orphans = orphans.clone();
                // SAFETY: there is no memory behind this pool, and nothing reads the chunk's bytes.
                let chunk = unsafe { Chunk::from_raw_parts(Offset::from_raw(n), 1, pool) };
                thread::spawn(move || orphans.add(chunk))
            });
            let mut seen = Vec::new();
            let mut publish = |ring: &mut RefillRing| {
                orphans.return_to(ring);
                ring.publish();
                seen.extend(core::iter::from_fn(|| twin.consume()).map(|entry| entry.off));
            };
            publish(&mut ring);
            for thread in threads {
                thread.join().unwrap();
            }
            while !orphans.is_empty() {
                publish(&mut ring);
            }
            seen.sort_unstable();
            assert_eq!(seen, [0, 1]);
        });
    }
}
