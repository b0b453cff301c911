use super::*;
use crate::mapping::{page_size, Mapping};
use crate::ring::{CqeLayout, Ring, RingBuilder};
use crate::twin::{CompletionTwin, InstanceTwin};
use crate::uapi::{
    io_uring_sqe, io_uring_zcrx_ifq_reg, IORING_CQE_BUFFER_SHIFT, IORING_CQE_F_BUFFER,
};
use crate::uapi::{IORING_OP_RECV, IORING_OP_RECV_ZC, IORING_RECV_MULTISHOT};
use crate::zcrx::{Answer, Area, Memory, Prepared};

/// An instance whose area the kernel cannot write to, with these statistics.
pub(in crate::recv) fn instance_over_dmabuf(copies: Copies) -> Ifq {
    let page = page_size();
    // SAFETY: the name is a string that ends with a zero byte.
    let raw = unsafe { libc::memfd_create(c"dmabuf".as_ptr(), libc::MFD_CLOEXEC) };
    // SAFETY: a new descriptor that nothing else owns.
    let fd = unsafe { Fd::from_raw(raw) };
    // SAFETY: takes no pointers.
    assert_eq!(unsafe { libc::ftruncate(raw, page as libc::off_t) }, 0);
    let mut reg = io_uring_zcrx_ifq_reg {
        rq_entries: 8,
        ..Default::default()
    };
    (reg.offsets.tail, reg.offsets.rqes) = (64, 128);
    let region = Mapping::anonymous(page, false).unwrap();
    let stats_offset = page - 16;
    let words = region.at::<[u64; 2]>(stats_offset, 1).unwrap();
    // SAFETY: the words lie inside the region, which nobody else knows of.
    unsafe { words.write([copies.fragments, copies.bytes]) };
    let memory = Memory {
        // SAFETY: nobody else knows of the file, and a mapping of it shows what it holds.
        area: unsafe { Area::dmabuf(fd, page) }.unwrap(),
        region,
        stats_offset: Some(stats_offset),
    };
    let answer = Answer {
        reg,
        area: Default::default(),
        region: Default::default(),
    };
    let prepared = Prepared::new(Fd::duplicate(2).unwrap()).unwrap();
    answer.accept(prepared, memory).map_err(drop).unwrap()
}

/// Four buffers of a page, and the ring that they are of.
fn buffers() -> (Ring, Pool) {
    let ring = RingBuilder::new(8)
        .layout(CqeLayout::Narrow)
        .build()
        .unwrap();
    let page = page_size();
    let area = Area::new(4 * page).unwrap();
    let buffers = BufferRing::register(ring.as_ring_fd(), 7, area, page as u32).unwrap();
    (ring, Pool::Buffers(buffers))
}

/// The entry that arms a request with such a limit.
fn armed(pool: &Pool, limit: Option<u64>) -> io_uring_sqe {
    let mut request = Request::new(pool.operation(), limit);
    pool.arm(5, &mut request).into_raw()
}

#[test]
fn an_instance_is_received_into_without_buffers_of_its_own() {
    let (mut kernel, ifq) = InstanceTwin::new(4, 8).unwrap();
    let mut pool = Pool::Zcrx(ifq);
    assert_eq!((pool.operation(), pool.chunks()), (Operation::ZeroCopy, 4));
    assert!(pool.can_copy() && !pool.is_shared() && pool.copies().is_none());
    for (limit, len) in [(None, 0), (Some(7), 7), (Some(1 << 40), u32::MAX)] {
        let sqe = armed(&pool, limit);
        assert_eq!((sqe.opcode, sqe.fd), (IORING_OP_RECV_ZC as u8, 5));
        assert_eq!(
            (sqe.len, u32::from(sqe.ioprio)),
            (len, IORING_RECV_MULTISHOT)
        );
    }
    let mut posts = CompletionTwin::new(CqeLayout::Wide, 8, 0);
    // SAFETY: posts outlives the queue and keeps to the kernel's side.
    let mut queue = unsafe { posts.queue() };
    for n in 0..3 {
        kernel.receive(&mut posts, 9, &[n, n]).unwrap();
    }
    for (n, cqe) in (0..).zip(queue.drain()) {
        let cqe = cqe.unwrap();
        assert!(pool.is_carried_by(&cqe));
        // SAFETY: the completion is for this instance, and taken once.
        let chunk = unsafe { pool.take(&cqe) }.unwrap();
        assert_eq!(pool.bytes(&chunk), [n, n]);
        pool.push(chunk).unwrap();
    }
    assert!(!pool.is_carried_by(&Cqe::narrow(9, 2, IORING_CQE_F_BUFFER)));
    assert_eq!((pool.unpublished(), pool.unconsumed()), (3, 0));
    pool.publish();
    assert_eq!((pool.unpublished(), pool.unconsumed()), (0, 3));
    assert!(pool.flush().is_err(), "there is no kernel to be told");
    assert!(pool.export().is_err());
    assert_eq!((kernel.refill().returned, pool.unconsumed()), (3, 0));
}

#[test]
fn buffers_are_picked_and_a_limit_is_never_overrun() {
    let (_ring, mut pool) = buffers();
    let page = page_size() as u32;
    assert_eq!((pool.operation(), pool.chunks()), (Operation::Provided, 4));
    assert!(pool.can_copy() && !pool.is_shared() && pool.copies().is_none());
    for (limit, len, ioprio) in [
        (None, 0, IORING_RECV_MULTISHOT),
        (Some(7), 7, 0),
        (Some(1 << 40), page, 0),
    ] {
        let sqe = armed(&pool, limit);
        assert_eq!((sqe.opcode, sqe.fd), (IORING_OP_RECV as u8, 5));
        assert_eq!((sqe.len, u32::from(sqe.ioprio)), (len, ioprio));
        // SAFETY: of this union every value is valid.
        assert_eq!(unsafe { sqe.__bindgen_anon_4.buf_group }, 7);
    }
    let carrying = Cqe::narrow(9, 5, IORING_CQE_F_BUFFER | 2 << IORING_CQE_BUFFER_SHIFT);
    assert!(pool.is_carried_by(&carrying));
    assert!(!pool.is_carried_by(&Cqe::wide(9, 5, 0, [0; 2])));
    // SAFETY: nobody else takes buffer 2, which no request has written to.
    let chunk = unsafe { pool.take(&carrying) }.unwrap();
    assert_eq!(pool.bytes(&chunk), [0; 5]);
    pool.push(chunk).unwrap();
    pool.publish();
    // The kernel takes buffers as it needs them, and need not be told.
    assert_eq!((pool.unpublished(), pool.unconsumed()), (0, 0));
    pool.flush().unwrap();
    let error = pool.export().unwrap_err();
    assert!(matches!(error.reason(), Reason::Unsupported(_)));
}

#[test]
fn a_dmabuf_takes_no_copies_and_says_what_was_copied() {
    let copies = Copies {
        fragments: 3,
        bytes: 4000,
    };
    let pool = Pool::Zcrx(instance_over_dmabuf(copies));
    assert!(!pool.can_copy());
    assert_eq!(pool.copies(), Some(copies));
}
