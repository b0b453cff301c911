use super::*;
use crate::ring::RingFd;
use crate::twin::InstanceTwin;
use crate::uapi::{IORING_CQE_F_MORE, IORING_SETUP_CQE32, IORING_SETUP_CQE_MIXED};
use crate::uapi::{IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_SINGLE_ISSUER};
use crate::zcrx::device::unfit;

const PAGE: u64 = 4096;

/// What a completion of `res` bytes at `offset` is taken for.
fn take(ifq: &Ifq, offset: u64, res: i32, flags: u32) -> Result<Chunk, NotData> {
    // SAFETY: no reference is out, and what is made of the chunk reads nothing that is written meanwhile.
    unsafe { ifq.take(&Cqe::wide(9, res, flags, [offset, 0])) }
}

#[test]
fn an_instance_says_how_large_it_is() {
    let (mut kernel, mut ifq) = InstanceTwin::new(4, 16).unwrap();
    assert_eq!((ifq.zcrx_id(), ifq.refill_entries()), (0, 16));
    assert_eq!((ifq.areas(), ifq.area_len()), (1, 4 * PAGE));
    assert_eq!(u64::from(ifq.chunk_len()), PAGE);
    kernel.add_area(&ifq, 2).unwrap();
    assert_eq!((ifq.areas(), ifq.area_len()), (2, 6 * PAGE));
    assert_eq!(ifq.first_area_len() as u64, 4 * PAGE);
    assert!(ifq.can_copy());
    for n in 0..2 {
        let chunk = take(&ifq, n * PAGE, 1, IORING_CQE_F_MORE).unwrap();
        ifq.recycle(chunk).unwrap();
    }
    assert_eq!((ifq.unpublished(), ifq.unconsumed()), (2, 0));
    ifq.publish();
    assert_eq!((ifq.unpublished(), ifq.unconsumed()), (0, 2));
}

#[test]
fn only_bytes_of_an_area_are_data() {
    let (mut kernel, ifq) = InstanceTwin::new(4, 16).unwrap();
    kernel.add_area(&ifq, 1).unwrap();
    let second = 1 << 48;
    for offset in [0, 4 * PAGE - 5, second + PAGE - 5] {
        let chunk = take(&ifq, offset, 5, IORING_CQE_F_MORE).unwrap();
        assert_eq!(
            (chunk.offset().raw(), ifq.bytes(&chunk)),
            (offset, &[0; 5][..])
        );
    }
    for (offset, res, flags) in [
        (0, 0, IORING_CQE_F_MORE),
        (0, -libc::ENOMEM, IORING_CQE_F_MORE),
        (0, 0, 0),
        (0, 5, 0),
    ] {
        let taken = take(&ifq, offset, res, flags);
        assert_eq!(taken, Err(NotData::Terminal), "{res} {flags}");
    }
    // SAFETY: as above.
    let narrow = unsafe { ifq.take(&Cqe::narrow(9, 5, IORING_CQE_F_MORE)) };
    assert_eq!(narrow, Err(NotData::Terminal));
    for (offset, how) in [
        (4 * PAGE - 4, OutOfArea::PastEnd),
        (second + PAGE, OutOfArea::PastEnd),
        (second - 1, OutOfArea::PastEnd),
        (2 * second, OutOfArea::UnknownArea),
        (u64::MAX, OutOfArea::UnknownArea),
    ] {
        let taken = take(&ifq, offset, 5, IORING_CQE_F_MORE);
        assert_eq!(taken, Err(NotData::OutOfArea(how)), "{offset:#x}");
    }
    let told = std::format!("{}", NotData::OutOfArea(OutOfArea::PastEnd));
    assert_eq!(told, std::format!("{}", OutOfArea::PastEnd));
    assert!(std::format!("{}", NotData::Terminal).contains("no buffer"));
}

#[test]
#[should_panic = "another pool"]
fn a_chunk_of_another_instance_is_not_read() {
    let [(_, ours), (_, theirs)] = [(); 2].map(|()| InstanceTwin::new(1, 1).unwrap());
    let chunk = take(&theirs, 0, 1, IORING_CQE_F_MORE).unwrap();
    let _ = ours.bytes(&chunk);
}

#[test]
fn a_ring_must_defer_its_work_and_have_room() {
    let unfit = |flags| {
        // SAFETY: the descriptor is open, and nothing is asked of it.
        unfit(unsafe { RingFd::from_raw(2, flags) })
    };
    let deferred = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    for wide in [IORING_SETUP_CQE32, IORING_SETUP_CQE_MIXED] {
        assert_eq!(unfit(deferred | wide), None);
        let how = unfit(IORING_SETUP_SINGLE_ISSUER | wide).unwrap();
        assert!(how.contains("DEFER_TASKRUN"), "{how}");
    }
    assert!(unfit(deferred).unwrap().contains("narrow"));
}
