use std::vec::Vec;

use super::*;
use crate::lock::Lock;
use crate::shared::Vacant;
use crate::twin::{InstanceTwin, RefillTwin};
use crate::zcrx::areas::Areas;
use crate::zcrx::kept::Orphans;
use crate::zcrx::{Offset, PoolId};

/// An instance whose refill ring is `ring`, and shared.
pub(super) fn instance(ring: RefillRing, pool: PoolId) -> Shared<Instance> {
    Vacant::new().unwrap().fill(Instance {
        pool,
        chunk_len: 4096,
        readable: true,
        areas: Areas::new().unwrap(),
        producer: Lock::new(Some(ring)),
        orphans: Orphans::new(),
        stats: None,
        _region: Mapping::inherited(4096).unwrap(),
    })
}

/// Chunk `n` of an instance that has no memory.
pub(super) fn chunk(n: u64, pool: PoolId) -> Chunk {
    // SAFETY: there is no memory behind this pool, and nothing reads the chunk's bytes.
    unsafe { Chunk::from_raw_parts(Offset::from_raw(n << 12), 1, pool) }
}

/// The kernel's end of a ring of `entries`, an instance that shares it, and an end's batch.
fn setup(entries: u32) -> (RefillTwin, Shared<Instance>, Batch) {
    let pool = PoolId::unique().unwrap();
    let mut twin = RefillTwin::new(entries, u32::MAX - 1);
    // SAFETY: the twin is returned, and dropped after the instance; it keeps to the kernel's side.
    let ring = unsafe { twin.ring(pool) };
    (twin, instance(ring, pool), Batch::new().unwrap())
}

/// The numbers of the chunks that the kernel sees.
fn consume(twin: &mut RefillTwin, most: usize) -> Vec<u64> {
    core::iter::from_fn(|| twin.consume())
        .take(most)
        .map(|entry| entry.off >> 12)
        .collect()
}

#[test]
fn a_batch_reaches_the_kernel_when_it_is_full_and_in_order() {
    let (mut twin, instance, mut batch) = setup(256);
    for n in 0..64 {
        batch.push(&instance, chunk(n, instance.pool)).unwrap();
        assert_eq!((u64::from(batch.len()), twin.published()), (n + 1, 0));
    }
    batch.push(&instance, chunk(64, instance.pool)).unwrap();
    assert_eq!(batch.len(), 1);
    assert_eq!(consume(&mut twin, 99), (0..64).collect::<Vec<_>>());
    batch.hand_over(&instance);
    assert_eq!((batch.len(), consume(&mut twin, 9)), (0, [64].into()));
}

#[test]
fn what_the_ring_has_no_room_for_stays_in_order() {
    let (mut twin, instance, mut batch) = setup(4);
    for n in 0..7 {
        batch.push(&instance, chunk(n, instance.pool)).unwrap();
    }
    batch.hand_over(&instance);
    assert_eq!((batch.len(), twin.published()), (3, 4));
    assert_eq!(consume(&mut twin, 2), [0, 1]);
    batch.hand_over(&instance);
    assert_eq!(batch.len(), 1);
    batch.push(&instance, chunk(7, instance.pool)).unwrap();
    assert_eq!(consume(&mut twin, 9), [2, 3, 4, 5]);
    batch.hand_over(&instance);
    assert_eq!((batch.len(), consume(&mut twin, 9)), (0, [6, 7].into()));
}

#[test]
fn a_chunk_that_finds_ring_and_batch_full_is_handed_back() {
    let (mut twin, instance, mut batch) = setup(2);
    for n in 0..66 {
        batch.push(&instance, chunk(n, instance.pool)).unwrap();
    }
    let full = batch.push(&instance, chunk(66, instance.pool));
    assert_eq!(full, Err(Unreturned::Full(chunk(66, instance.pool))));
    let other = || chunk(0, PoolId::unique().unwrap());
    let refused = batch.push(&instance, other());
    assert!(matches!(refused, Err(Unreturned::OtherPool(_))));
    assert_eq!(consume(&mut twin, 9), [0, 1]);
    batch.push(&instance, chunk(66, instance.pool)).unwrap();
    assert_eq!((batch.len(), consume(&mut twin, 9)), (63, [2, 3].into()));
}

/// Chunks without an owner go with the next batch, also with an empty one.
#[test]
fn chunks_without_an_owner_go_back_with_any_end() {
    let (mut twin, instance, mut batch) = setup(4);
    batch.hand_over(&instance);
    assert_eq!(consume(&mut twin, 9), []);
    instance.orphans.add(chunk(9, instance.pool));
    batch.hand_over(&instance);
    assert_eq!(consume(&mut twin, 9), [9]);
    assert!(!instance.has_orphans());
}

/// As [`Ifq::export`], without a kernel that makes a descriptor of it.
fn share(ifq: &mut Ifq) -> Ifq {
    let batch = || Producer::Shared(Batch::new().unwrap());
    if let Producer::Own(refill) = core::mem::replace(&mut ifq.producer, batch()) {
        *ifq.instance.producer.lock() = Some(refill);
    }
    let ring = Fd::duplicate(ifq.ring.as_raw()).unwrap();
    Ifq::over(ring, 3, batch(), ifq.instance.clone())
}

#[test]
fn either_end_returns_chunks_and_sees_what_the_kernel_has_not_taken() {
    let (mut kernel, mut ours) = InstanceTwin::new(4, 8).unwrap();
    assert!(!ours.is_shared());
    let mut theirs = share(&mut ours);
    assert!(ours.is_shared() && theirs.is_shared());
    assert_eq!((ours.refill_entries(), theirs.refill_entries()), (8, 8));
    assert_eq!((ours.zcrx_id(), theirs.zcrx_id()), (0, 3));
    for end in [&mut ours, &mut theirs] {
        let pool = end.pool;
        end.recycle(chunk(0, pool)).unwrap();
        end.recycle(chunk(1, pool)).unwrap();
        assert_eq!((end.unpublished(), end.unconsumed()), (2, 0));
        end.publish();
        assert_eq!((end.unpublished(), end.unconsumed()), (0, 2));
        // The kernel knows of no reference on them.
        assert_eq!(kernel.refill().excess, 2);
    }
    assert_eq!(ours.unconsumed(), 0);
}

#[test]
fn an_end_that_goes_away_leaves_nothing_behind() {
    let (mut kernel, mut ours) = InstanceTwin::new(4, 8).unwrap();
    let mut theirs = share(&mut ours);
    let pool = theirs.pool;
    theirs.recycle(chunk(2, pool)).unwrap();
    drop(theirs);
    assert_eq!(kernel.refill().excess, 1);
}
