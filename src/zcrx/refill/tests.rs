use super::*;
use crate::twin::RefillTwin;
use crate::zcrx::Offset;

fn at(n: u64) -> u64 {
    (3 << 48) + n * 4096
}

fn chunk(n: u64, pool: PoolId) -> Chunk {
    // SAFETY: there is no memory behind this pool, and nothing reads the chunk's bytes.
    unsafe { Chunk::from_raw_parts(Offset::from_raw(at(n)), 100 + n as u32, pool) }
}

#[test]
fn entries_arrive_in_order_over_many_laps_and_the_wrap() {
    let pool = PoolId::unique().unwrap();
    for start in [0, u32::MAX - 9, u32::MAX] {
        let mut twin = RefillTwin::new(8, start);
        // SAFETY: the twin outlives the ring and keeps to the kernel's side.
        let mut ring = unsafe { twin.ring(pool) };
        let (mut sent, mut got) = (0, 0);
        for round in 0..200u64 {
            let before = twin.published();
            for _ in 0..round % 11 {
                match ring.push(chunk(sent, pool)) {
                    Ok(()) => sent += 1,
                    Err(full) => {
                        assert_eq!(full, Unreturned::Full(chunk(sent, pool)), "handed back");
                        assert_eq!(sent - got, 8, "full means all eight");
                    }
                }
            }
            assert_eq!(twin.published(), before, "nothing is seen before publish");
            ring.publish();
            assert_eq!(
                (u64::from(ring.unconsumed()), ring.unpublished()),
                (sent - got, 0)
            );
            for _ in 0..round % 7 {
                let Some(entry) = twin.consume() else { break };
                assert_eq!(entry.off, at(got));
                assert_eq!((entry.len, entry.__pad), (100 + got as u32, 0));
                got += 1;
            }
        }
        assert!(got > 400, "{got} entries went round");
    }
}

#[test]
fn many_are_returned_until_one_cannot_be() {
    let (pool, other) = (PoolId::unique().unwrap(), PoolId::unique().unwrap());
    let mut twin = RefillTwin::new(8, u32::MAX - 2);
    // SAFETY: the twin outlives the ring and keeps to the kernel's side.
    let mut ring = unsafe { twin.ring(pool) };
    ring.push(chunk(0, pool)).unwrap();
    let mut more = (1..11_u32).map(|n| chunk(n.into(), pool));
    let full = ring.push_all(&mut more).unwrap_err();
    assert_eq!(full, Unreturned::Full(chunk(8, pool)));
    assert_eq!((ring.unpublished(), more.len()), (8, 2));
    ring.publish();
    for n in 0..8 {
        assert_eq!(twin.consume().unwrap().off, at(n));
    }
    assert_eq!(ring.push_all(&mut more), Ok(()));
    let mut foreign = [chunk(11, other), chunk(12, pool)].into_iter();
    let handed_back = ring.push_all(&mut foreign);
    assert_eq!(handed_back, Err(Unreturned::OtherPool(chunk(11, other))));
    assert_eq!((ring.unpublished(), foreign.len()), (2, 1));
}

#[test]
fn entries_that_are_no_power_of_two_are_refused() {
    let pool = PoolId::unique().unwrap();
    let word = AtomicU32::new(0);
    for entries in [0, 3, 32769, u32::MAX] {
        let refused = std::panic::catch_unwind(|| {
            let (at, word) = (NonNull::dangling(), NonNull::from(&word));
            // SAFETY: the words live; of the entries none is used, because there are none.
            unsafe { RefillRing::from_raw_parts(word, word, at, entries, pool) }.entries()
        });
        assert!(refused.is_err(), "{entries}");
    }
}

#[test]
fn a_ring_that_begins_with_a_head_that_makes_no_sense_has_no_room() {
    let pool = PoolId::unique().unwrap();
    for head in [1, 9, 1 << 31, u32::MAX - 8] {
        let mut twin = RefillTwin::new(8, 0);
        twin.set_head(head);
        // SAFETY: the twin outlives the ring and keeps to the kernel's side.
        let mut ring = unsafe { twin.ring(pool) };
        let full = ring.push(chunk(0, pool)).unwrap_err();
        assert_eq!(full, Unreturned::Full(chunk(0, pool)), "head {head}");
    }
}

#[test]
fn a_head_past_what_was_published_gives_no_room() {
    let pool = PoolId::unique().unwrap();
    let mut twin = RefillTwin::new(2, 0);
    // SAFETY: the twin outlives the ring and keeps to the kernel's side.
    let mut ring = unsafe { twin.ring(pool) };
    ring.push(chunk(0, pool)).unwrap();
    ring.push(chunk(1, pool)).unwrap();
    assert_eq!((ring.entries(), ring.unpublished()), (2, 2));
    twin.set_head(1); // nothing is published yet
    assert_eq!(
        ring.push(chunk(2, pool)),
        Err(Unreturned::Full(chunk(2, pool)))
    );
}

#[test]
fn a_chunk_of_another_pool_is_handed_back() {
    let (ours, theirs) = (PoolId::unique().unwrap(), PoolId::unique().unwrap());
    let mut twin = RefillTwin::new(2, 0);
    // SAFETY: the twin outlives the ring and keeps to the kernel's side.
    let mut ring = unsafe { twin.ring(ours) };
    let back = ring.push(chunk(1, theirs)).unwrap_err();
    assert_eq!(back, Unreturned::OtherPool(chunk(1, theirs)));
    assert_eq!(ring.unpublished(), 0);
}

#[test]
fn a_head_that_makes_no_sense_gives_no_room() {
    let pool = PoolId::unique().unwrap();
    let mut twin = RefillTwin::new(2, 0);
    // SAFETY: the twin outlives the ring and keeps to the kernel's side.
    let mut ring = unsafe { twin.ring(pool) };
    ring.push(chunk(0, pool)).unwrap();
    ring.push(chunk(1, pool)).unwrap();
    ring.publish();
    for head in [3, 9, u32::MAX] {
        twin.set_head(head);
        assert!(
            matches!(ring.push(chunk(2, pool)), Err(Unreturned::Full(_))),
            "head {head}"
        );
    }
    twin.set_head(1);
    ring.push(chunk(2, pool)).unwrap();
    assert!(matches!(
        ring.push(chunk(3, pool)),
        Err(Unreturned::Full(_))
    ));
}
