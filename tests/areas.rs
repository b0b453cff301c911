//! Several areas of one instance, and what an area can be made of.

use std::io::Write;
use std::os::fd::AsRawFd;

use zcrx_sys::ring::{CqeLayout, Ring, RingBuilder, Sqe};
use zcrx_sys::zcrx::{Area, Chunk, Device, Ifq, NotData, HUGE_PAGE, MAX_AREAS};
use zcrx_sys::{Errno, Reason};

mod common;

const PAGE: usize = 4096;

/// An instance without a device, with one area of `pages`, where areas can be added; or says why not.
fn instance(pages: usize) -> Option<(Ring, Ifq)> {
    if common::kernel() < (7, 3) {
        common::skip((7, 3), &"this kernel cannot add areas");
        return None;
    }
    let ring = common::ring(&RingBuilder::new(8).completion_entries(256))?;
    match Ifq::builder(Device::None).register(ring.as_ring_fd(), Area::new(pages * PAGE).unwrap()) {
        Ok(ifq) => Some((ring, ifq)),
        Err(error) => {
            common::skip((7, 3), &error);
            None
        }
    }
}

/// Receives `count` pages of stream 3, from byte `position` on, and keeps their chunks.
fn receive(
    ring: &mut Ring,
    ifq: &Ifq,
    out: &mut std::net::TcpStream,
    position: &mut u64,
    count: usize,
) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    while chunks.len() < count {
        out.write_all(common::piece(3, *position, PAGE)).unwrap();
        let wanted = *position + PAGE as u64;
        while *position < wanted {
            let _ = ring.submit_and_wait(1).unwrap();
            for cqe in ring.completions() {
                // SAFETY: the completion is that of the only request, for this instance; taken once.
                let chunk = unsafe { ifq.take(&cqe.unwrap()) }.unwrap();
                assert!(common::is_piece(3, *position, ifq.bytes(&chunk)));
                *position += u64::from(chunk.len());
                chunks.push(chunk);
            }
        }
    }
    chunks
}

#[test]
fn chunks_of_every_area_are_told_apart_and_go_back() {
    let Some((mut ring, mut ifq)) = instance(2) else {
        return;
    };
    let (mut out, incoming) = common::pair();
    ring.push(Sqe::recv_zc(incoming.as_raw_fd(), ifq.zcrx_id(), 0))
        .unwrap();
    let _ = ring.submit_and_wait(0).unwrap();
    for pages in [3, 1, 4] {
        ifq.add_area(Area::new(pages * PAGE).unwrap()).unwrap();
    }
    assert_eq!((ifq.areas(), ifq.area_len()), (4, 10 * PAGE as u64));
    let mut position = 0;
    for _ in 0..5 {
        // More than fits into the first area; all of it is held at a time.
        let chunks = receive(&mut ring, &ifq, &mut out, &mut position, 9);
        let mut ids: Vec<u16> = chunks
            .iter()
            .map(|chunk| chunk.offset().area_id())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        assert!(ids.len() >= 3 && ids.iter().all(|&id| id < 4), "{ids:?}");
        for chunk in chunks {
            ifq.recycle(chunk).unwrap();
        }
        ifq.publish();
        ifq.flush().unwrap();
        assert_eq!(ifq.unconsumed(), 0, "the kernel knew each of them");
    }
}

#[test]
fn a_dry_request_goes_on_in_an_area_that_is_added() {
    let Some((mut ring, ifq)) = instance(1) else {
        return;
    };
    let (mut out, incoming) = common::pair();
    let arm = || Sqe::recv_zc(incoming.as_raw_fd(), ifq.zcrx_id(), 0);
    ring.push(arm()).unwrap();
    let mut position = 0;
    let held = receive(&mut ring, &ifq, &mut out, &mut position, 1);
    out.write_all(common::piece(3, position, PAGE)).unwrap();
    let _ = ring.submit_and_wait(1).unwrap();
    let cqe = ring.completions().next().unwrap().unwrap();
    assert_eq!(cqe.result(), Err(Errno::NOMEM));
    // SAFETY: nothing is taken of a terminal completion, which is what is tested.
    assert_eq!(unsafe { ifq.take(&cqe) }, Err(NotData::Terminal));
    ifq.add_area(Area::new(PAGE).unwrap()).unwrap();
    ring.push(arm()).unwrap();
    let _ = ring.submit_and_wait(1).unwrap();
    let cqe = ring.completions().next().unwrap().unwrap();
    // SAFETY: the completion is that of the only request, for this instance; taken once.
    let chunk = unsafe { ifq.take(&cqe) }.unwrap();
    assert!(common::is_piece(3, position, ifq.bytes(&chunk)));
    assert_eq!(
        (held[0].offset().area_id(), chunk.offset().area_id()),
        (0, 1)
    );
}

#[test]
fn there_are_1024_areas_and_not_one_more() {
    let Some((_ring, ifq)) = instance(1) else {
        return;
    };
    for _ in 1..MAX_AREAS {
        ifq.add_area(Area::new(PAGE).unwrap()).unwrap();
    }
    let error = ifq.add_area(Area::new(PAGE).unwrap()).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::INVAL), "{error}");
    assert_eq!(ifq.areas() as usize, MAX_AREAS);
}

#[test]
fn what_cannot_be_added_is_refused_by_name() {
    let Some((ring, ifq)) = instance(1) else {
        return;
    };
    // SAFETY: nothing is ever done with memory that is refused. (There is none at these addresses.)
    let past = unsafe { Area::from_raw_parts(PAGE as *mut u8, (4 << 30) + PAGE) }.unwrap();
    let error = ifq.add_area(past).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("area bytes must not exceed 4 GiB"),
        "{error}"
    );
    // SAFETY: the buffer is this test's, and nobody writes to it.
    let buffer = unsafe { Area::dmabuf(common::dmabuf::udmabuf(PAGE), PAGE) };
    match buffer {
        Ok(buffer) => {
            let error = ifq.add_area(buffer).unwrap_err();
            assert!(matches!(error.reason(), Reason::Argument { .. }), "{error}");
            assert!(error.to_string().contains("of the same kind"), "{error}");
        }
        Err(error) => panic!("{error}"),
    }
    drop(ring);
    assert_eq!(ifq.areas(), 1);
}

#[test]
fn an_area_is_of_what_the_caller_says() {
    let area = Area::transparent_huge_pages(2 * HUGE_PAGE);
    let in_huge_pages = |area: &Area| area.len() / HUGE_PAGE;
    match area {
        Ok(area) => assert_eq!(in_huge_pages(&area), 2),
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("vm.nr_hugepages"), "{text}");
            common::skip((6, 1), &text);
        }
    }
    for len in [0, 1, PAGE, HUGE_PAGE - 1, HUGE_PAGE + PAGE, usize::MAX] {
        for error in [Area::huge_pages(len), Area::transparent_huge_pages(len)] {
            let error = error.unwrap_err().to_string();
            assert!(
                error.contains("bytes must be a multiple of the page size"),
                "{error}"
            );
        }
    }
    let mut memory = vec![0_u8; 3 * PAGE];
    let start = memory.as_mut_ptr();
    let page = start.wrapping_add(start.align_offset(PAGE));
    for (start, len, text) in [
        (page, 0, "and not 0"),
        (page, 1, "multiple of the page size"),
        (page, PAGE + 1, "multiple of the page size"),
        (page.wrapping_add(1), PAGE, "begin at a page"),
        (std::ptr::null_mut(), PAGE, "begin at a page"),
        (page, 1 << 48, "48 bits"),
    ] {
        // SAFETY: no area comes of these, which is what is tested.
        let error = unsafe { Area::from_raw_parts(start, len) }.unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    }
    // SAFETY: the memory outlives the area, and nobody uses it meanwhile.
    let area = unsafe { Area::from_raw_parts(page, 2 * PAGE) }.unwrap();
    assert_eq!(area.len(), 2 * PAGE);
}

#[test]
fn memory_of_the_callers_receives() {
    if common::kernel() < (7, 1) {
        return common::skip((7, 1), &"no zero-copy receive without a device");
    }
    let Some(mut ring) = common::ring(&RingBuilder::new(8).layout(CqeLayout::Wide)) else {
        return;
    };
    let mut memory = vec![0_u8; 5 * PAGE];
    let start = memory.as_mut_ptr();
    let page = start.wrapping_add(start.align_offset(PAGE));
    // SAFETY: the memory outlives the instance and the ring, and nobody else touches it before they are dropped.
    let area = unsafe { Area::from_raw_parts(page, 4 * PAGE) }.unwrap();
    let ifq = match Ifq::builder(Device::None).register(ring.as_ring_fd(), area) {
        Ok(ifq) => ifq,
        Err(error) => return common::skip((7, 1), &error),
    };
    let (mut out, incoming) = common::pair();
    ring.push(Sqe::recv_zc(incoming.as_raw_fd(), ifq.zcrx_id(), 0))
        .unwrap();
    let mut position = 0;
    let chunks = receive(&mut ring, &ifq, &mut out, &mut position, 4);
    for chunk in &chunks {
        let address = ifq.bytes(chunk).as_ptr() as usize - page as usize;
        assert_eq!(address as u64, chunk.offset().within());
    }
    drop((chunks, ifq, ring));
}
