use super::*;
use crate::ring::{CompletionQueue, CqeLayout, Layout, Mixed, Wide};
use crate::twin::{CompletionTwin, InstanceTwin};
use crate::uapi::IORING_CQE_F_MORE;
use crate::zcrx::OutOfArea;

const PAGE: u64 = 4096;

fn cqe(offset: u64, res: i32, flags: u32) -> Cqe {
    Cqe::wide(9, res, flags, [offset, 0])
}

/// Drains `queue` and returns every chunk; answers the sum of all first bytes.
fn drain<L: Layout>(queue: &mut CompletionQueue, ifq: &mut Ifq) -> u64 {
    let (mut burst, mut sum) = (ifq.burst(), 0);
    for cqe in queue.drain_as::<L>().unwrap() {
        // SAFETY: all are completions of the twin's, each taken once.
        let chunk = unsafe { burst.take(&cqe.unwrap()) }.unwrap();
        sum += u64::from(burst.bytes(&chunk)[0]);
        burst.recycle(chunk).unwrap();
    }
    sum
}

#[test]
fn what_is_received_goes_back_over_laps_of_both_rings_and_several_areas() {
    for layout in [CqeLayout::Wide, CqeLayout::Mixed] {
        let (mut kernel, mut ifq) = InstanceTwin::new(6, 8).unwrap();
        kernel.add_area(&ifq, 5).unwrap();
        let mut posts = CompletionTwin::new(layout, 32, u32::MAX - 20);
        // SAFETY: posts outlives the queue, and keeps to the kernel's side.
        let mut queue = unsafe { posts.queue() };
        for round in 0..200_u64 {
            let received = 1 + round % 8;
            for n in 0..received {
                kernel.receive(&mut posts, 7, &[n as u8 + 1; 64]).unwrap();
            }
            let sum = match layout {
                CqeLayout::Wide => drain::<Wide>(&mut queue, &mut ifq),
                _ => drain::<Mixed>(&mut queue, &mut ifq),
            };
            assert_eq!(sum, received * (received + 1) / 2);
            assert_eq!(ifq.unpublished(), 0, "published when it was dropped");
            assert_eq!(u64::from(kernel.refill().returned), received);
            assert_eq!(kernel.outstanding(), 0);
        }
    }
}

#[test]
fn only_bytes_of_an_area_are_data() {
    let (mut kernel, mut ifq) = InstanceTwin::new(4, 16).unwrap();
    kernel.add_area(&ifq, 1).unwrap();
    let burst = ifq.burst();
    let second = 1 << 48;
    // SAFETY: no reference is out, and what is made of the chunk reads nothing that is written meanwhile.
    let take = |offset, res, flags| unsafe { burst.take(&cqe(offset, res, flags)) };
    for offset in [0, 4 * PAGE - 5, second, second + PAGE - 5] {
        let chunk = take(offset, 5, IORING_CQE_F_MORE).unwrap();
        assert_eq!((chunk.offset().raw(), chunk.len()), (offset, 5));
        assert_eq!(burst.bytes(&chunk), [0; 5]);
    }
    for (offset, res, flags) in [
        (0, 0, IORING_CQE_F_MORE),
        (PAGE, 0, IORING_CQE_F_MORE),
        (PAGE, -10, IORING_CQE_F_MORE),
        (0, i32::MIN, IORING_CQE_F_MORE),
        (0, 5, 0),
    ] {
        assert_eq!(take(offset, res, flags), Err(NotData::Terminal), "{res}");
    }
    for (offset, len, how) in [
        (4 * PAGE - 4, 5, OutOfArea::PastEnd),
        (4 * PAGE, 1, OutOfArea::PastEnd),
        (0, i32::MAX, OutOfArea::PastEnd),
        (second + PAGE, 1, OutOfArea::PastEnd),
        (2 * second, 1, OutOfArea::UnknownArea),
        (u64::MAX, 1, OutOfArea::UnknownArea),
    ] {
        let taken = take(offset, len, IORING_CQE_F_MORE);
        assert_eq!(taken, Err(NotData::OutOfArea(how)), "{offset:#x}");
    }
    // SAFETY: as above.
    let narrow = unsafe { burst.take(&Cqe::narrow(9, 5, IORING_CQE_F_MORE)) };
    assert_eq!(narrow, Err(NotData::Terminal));
}

#[test]
fn a_chunk_that_cannot_be_returned_is_handed_back() {
    let [(_kernel, mut ours), (_other, mut theirs)] =
        [(); 2].map(|()| InstanceTwin::new(4, 2).unwrap());
    // SAFETY: as above.
    let take = |burst: &Burst<'_>, n| unsafe { burst.take(&cqe(n * PAGE, 1, IORING_CQE_F_MORE)) };
    let foreign = take(&theirs.burst(), 3).unwrap();
    let mut burst = ours.burst();
    for n in 0..2 {
        let chunk = take(&burst, n).unwrap();
        burst.recycle(chunk).unwrap();
    }
    let foreign = burst.recycle(foreign).unwrap_err();
    assert!(matches!(foreign, Unreturned::OtherPool(_)));
    let third = take(&burst, 2).unwrap();
    let Err(Unreturned::Full(third)) = burst.recycle(third) else {
        panic!("the ring has two entries");
    };
    assert_eq!((third.offset().raw(), third.len()), (2 * PAGE, 1));
    drop(burst);
    assert_eq!((ours.unpublished(), ours.unconsumed()), (0, 2));
}

#[test]
#[should_panic = "another pool"]
fn a_chunk_of_another_instance_is_not_read() {
    let [(_, mut ours), (_, mut theirs)] = [(); 2].map(|()| InstanceTwin::new(1, 1).unwrap());
    // SAFETY: as above.
    let chunk = unsafe { theirs.burst().take(&cqe(0, 1, IORING_CQE_F_MORE)) }.unwrap();
    let _ = ours.burst().bytes(&chunk);
}

#[test]
fn a_burst_that_is_forgotten_loses_what_it_returned_and_nothing_else() {
    let (mut kernel, mut ifq) = InstanceTwin::new(4, 4).unwrap();
    let mut posts = CompletionTwin::new(CqeLayout::Wide, 8, 0);
    // SAFETY: posts outlives the queue, and keeps to the kernel's side.
    let mut queue = unsafe { posts.queue() };
    // The first is pushed, because the burst has no slots yet. The second is put into one.
    for bytes in [&b"returned"[..], b"lost"] {
        kernel.receive(&mut posts, 7, bytes).unwrap();
    }
    {
        let mut burst = ifq.burst();
        for cqe in queue.drain().flatten() {
            // SAFETY: as in drain().
            let chunk = unsafe { burst.take(&cqe) }.unwrap();
            burst.recycle(chunk).unwrap();
        }
        core::mem::forget(burst);
    }
    kernel.receive(&mut posts, 7, &[1; 5]).unwrap();
    assert_eq!(drain::<Wide>(&mut queue, &mut ifq), 1);
    assert_eq!((kernel.refill().returned, kernel.outstanding()), (2, 1));
}

#[test]
fn chunks_of_a_shared_instance_go_through_its_batch() {
    use crate::zcrx::share::{Batch, Producer};
    let (mut kernel, mut ifq) = InstanceTwin::new(80, 128).unwrap();
    let shared = Producer::Shared(Batch::new().unwrap());
    let Producer::Own(ring) = core::mem::replace(&mut ifq.producer, shared) else {
        panic!("nobody else knew of it");
    };
    *ifq.instance.producer.lock() = Some(ring);
    let mut posts = CompletionTwin::new(CqeLayout::Wide, 128, 0);
    // SAFETY: posts outlives the queue, and keeps to the kernel's side.
    let mut queue = unsafe { posts.queue() };
    for _ in 0..70 {
        kernel.receive(&mut posts, 7, &[1; 9]).unwrap();
    }
    assert_eq!(drain::<Wide>(&mut queue, &mut ifq), 70);
    assert_eq!((ifq.unpublished(), kernel.refill().returned), (0, 70));
}
