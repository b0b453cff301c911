use super::*;
use crate::ring::CqeLayout;
use crate::twin::{CompletionTwin, InstanceTwin, RefillTwin};
use crate::zcrx::{Offset, PoolId};

#[test]
fn chunks_without_an_owner_wait_for_room_and_go_back_once() {
    let pool = PoolId::unique().unwrap();
    let mut twin = RefillTwin::new(2, u32::MAX);
    // SAFETY: the twin outlives the ring and keeps to the kernel's side.
    let mut ring = unsafe { twin.ring(pool) };
    let orphans = Orphans::new();
    assert!(orphans.is_empty());
    for n in 0..3 {
        // SAFETY: there is no memory behind this pool, and nothing reads the chunk's bytes.
        orphans.add(unsafe { Chunk::from_raw_parts(Offset::from_raw(n), 1, pool) });
    }
    let mut seen = Vec::new();
    for left in [true, false] {
        orphans.return_to(&mut ring);
        ring.publish();
        seen.extend(core::iter::from_fn(|| twin.consume()).map(|entry| entry.off));
        assert_eq!(!orphans.is_empty(), left);
    }
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2]);
}

#[test]
fn owned_chunks_that_outlive_their_recycler_go_back_with_the_next_publish() {
    let (mut kernel, mut ifq) = InstanceTwin::new(2, 8).unwrap();
    let mut posts = CompletionTwin::new(CqeLayout::Wide, 8, 0);
    // SAFETY: posts outlives the queue and keeps to the kernel's side.
    let mut queue = unsafe { posts.queue() };
    kernel.receive(&mut posts, 9, b"kept").unwrap();
    let cqe = queue.drain().next().unwrap().unwrap();
    // SAFETY: the completion is for this instance, and taken once.
    let chunk = unsafe { ifq.take(&cqe) }.unwrap();
    let mut recycler = ifq.recycler(None).unwrap();
    let owned = recycler.own(chunk).unwrap();
    drop(recycler);
    ifq.publish();
    assert_eq!((kernel.refill().returned, &*owned), (0, &b"kept"[..]));
    drop(owned);
    ifq.publish();
    assert_eq!((kernel.refill().returned, kernel.outstanding()), (1, 0));
}
