use loom::thread;

use super::tests::{chunk, instance};
use super::*;
use crate::sync::model;
use crate::twin::RefillTwin;
use crate::zcrx::PoolId;

/// Returns chunks `numbers` as an end of the instance does: into a batch, and then handed over.
fn give_back(instance: &Shared<Instance>, numbers: core::ops::Range<u64>) {
    let mut batch = Batch::new().unwrap();
    for n in numbers {
        batch.push(instance, chunk(n, instance.pool)).unwrap();
    }
    while batch.len() > 0 {
        batch.hand_over(instance);
        if batch.len() > 0 {
            thread::yield_now(); // The ring is full.
        }
    }
}

#[test]
fn what_two_ends_return_arrives_once_and_in_the_order_of_each() {
    // The first ring has room for all, the second makes them wait.
    for (entries, preemptions) in [(4, 2), (2, 2)] {
        model(preemptions, move || {
            let pool = PoolId::unique().unwrap();
            let mut twin = RefillTwin::new(entries, u32::MAX - 1);
            // SAFETY: the twin outlives the ring and keeps to the kernel's side.
            let ring = unsafe { twin.ring(pool) };
            let ours = instance(ring, pool);
            let theirs = ours.clone();
            let end = thread::spawn(move || give_back(&theirs, 0..2));
            let kernel = thread::spawn(move || {
                let mut seen = [0, 2];
                while seen != [2, 3] {
                    let Some(entry) = twin.consume() else {
                        thread::yield_now();
                        continue;
                    };
                    let n = entry.off >> 12;
                    let next = &mut seen[usize::from(n >= 2)];
                    assert_eq!(n, *next);
                    *next += 1;
                }
                assert!(twin.consume().is_none(), "none twice");
                twin
            });
            give_back(&ours, 2..3);
            end.join().unwrap();
            let _twin = kernel.join().unwrap();
        });
    }
}
