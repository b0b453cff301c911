//! The zcrx layer by itself, as a runtime with a ring of its own would use it: no `Receiver` here.

use std::io::Write;
use std::os::fd::AsRawFd;

use zcrx_sys::ring::{mixed_completions_are_sound, Cqe, CqeLayout, Ring, RingBuilder, RingFd, Sqe};
use zcrx_sys::zcrx::{Area, Chunk, Device, Ifq, IfqBuilder, NotData, RefillRegion, Unreturned};
use zcrx_sys::{Errno, Error};

mod common;

const PAGE: usize = 4096;

/// Registers without a device, or says why this kernel cannot.
fn register(builder: IfqBuilder, ring: RingFd<'_>, pages: usize) -> Option<Ifq> {
    match builder.register(ring, Area::new(pages * PAGE).unwrap()) {
        Ok(ifq) => Some(ifq),
        Err(error) => {
            let may_not_ask = error.errno() == Some(Errno::PERM) && !common::is_root();
            common::skip(if may_not_ask { (u32::MAX, 0) } else { (7, 1) }, &error);
            None
        }
    }
}

/// Receives one stream of `len` bytes and checks it; every chunk is returned, a batch at a time.
fn receive(ring: &mut Ring, ifq: &mut Ifq, len: usize) {
    let (mut out, incoming) = common::pair();
    let sender = std::thread::spawn(move || out.write_all(&common::stream(5, len)).unwrap());
    let arm = || Sqe::recv_zc(incoming.as_raw_fd(), ifq.zcrx_id(), 0).user_data(5);
    ring.push(arm()).unwrap();
    let (mut position, mut chunks) = (0, Vec::<Chunk>::new());
    loop {
        let _ = ring.submit_and_wait(1).unwrap();
        let cqes: Vec<Cqe> = ring.completions().map(|cqe| cqe.unwrap()).collect();
        let mut ended = None;
        for cqe in cqes {
            assert_eq!(cqe.user_data(), 5);
            // SAFETY: the completion is that of the only request, for this instance; taken once.
            match unsafe { ifq.take(&cqe) } {
                Ok(chunk) => chunks.push(chunk),
                Err(NotData::Terminal) => ended = Some(cqe.result()),
                Err(other) => panic!("{other}"),
            }
        }
        for chunk in chunks.drain(..) {
            for &byte in ifq.bytes(&chunk) {
                assert_eq!(byte, common::byte(5, position), "at {position}");
                position += 1;
            }
            if let Err(full) = ifq.recycle(chunk) {
                ifq.publish();
                ifq.flush().unwrap();
                ifq.recycle(full.into_chunk()).unwrap();
            }
        }
        ifq.publish();
        ifq.flush().unwrap();
        assert_eq!(ifq.unconsumed(), 0, "a flush consumes everything");
        match ended {
            None => {}
            Some(Ok(0)) => break,
            Some(Err(Errno::NOSPC | Errno::NOMEM)) => {
                ring.flush_overflow().unwrap();
                let again = Sqe::recv_zc(incoming.as_raw_fd(), ifq.zcrx_id(), 0).user_data(5);
                ring.push(again).unwrap();
            }
            Some(other) => panic!("{other:?}"),
        }
    }
    sender.join().unwrap();
    assert_eq!(position, len as u64);
}

#[test]
fn both_refill_regions_on_both_layouts_receive() {
    for layout in [CqeLayout::Wide, CqeLayout::Mixed] {
        if layout == CqeLayout::Mixed && !mixed_completions_are_sound() {
            common::skip_mixed(&"mixed completions are not sound here");
            continue;
        }
        for region in [RefillRegion::User, RefillRegion::Kernel] {
            let builder = RingBuilder::new(8).completion_entries(512).layout(layout);
            let Some(mut ring) = common::ring(&builder) else {
                continue;
            };
            let builder = Ifq::builder(Device::None)
                .refill_entries(64)
                .refill_region(region);
            let Some(mut ifq) = register(builder, ring.as_ring_fd(), 128) else {
                return;
            };
            assert_eq!(ifq.chunk_len() as usize, PAGE);
            assert_eq!(ifq.refill_entries(), 64);
            receive(&mut ring, &mut ifq, 3 << 20);
            if let Some(copies) = ifq.copies() {
                assert!(copies.bytes > 0 && copies.fragments > 0, "{copies:?}");
            }
        }
    }
}

#[test]
fn another_librarys_ring_will_do() {
    let Some(mut ring) = common::ring(&RingBuilder::new(8).completion_entries(512)) else {
        return;
    };
    // SAFETY: the descriptor is that of a ring set up with these flags, and it outlives the borrow.
    let foreign = unsafe { RingFd::from_raw(ring.as_raw_fd(), ring.setup_flags()) };
    let Some(mut ifq) = register(Ifq::builder(Device::None), foreign, 128) else {
        return;
    };
    receive(&mut ring, &mut ifq, 1 << 20);
}

#[test]
fn bytes_stay_readable_after_the_ring_is_dropped() {
    let Some(mut ring) = common::ring(&RingBuilder::new(8)) else {
        return;
    };
    let Some(mut ifq) = register(Ifq::builder(Device::None), ring.as_ring_fd(), 16) else {
        return;
    };
    let (mut out, incoming) = common::pair();
    out.write_all(b"still here").unwrap();
    ring.push(Sqe::recv_zc(incoming.as_raw_fd(), ifq.zcrx_id(), 0))
        .unwrap();
    let _ = ring.submit_and_wait(1).unwrap();
    let cqe = ring.completions().next().unwrap().unwrap();
    // SAFETY: the completion is that of the only request, for this instance; taken once.
    let chunk = unsafe { ifq.take(&cqe) }.unwrap();
    drop(ring);
    assert_eq!(ifq.bytes(&chunk), b"still here");
    ifq.recycle(chunk).unwrap();
}

#[test]
fn a_full_refill_ring_and_another_instance_hand_the_chunk_back() {
    let Some(mut ring) = common::ring(&RingBuilder::new(8)) else {
        return;
    };
    let builder = || Ifq::builder(Device::None).refill_entries(1);
    let Some(mut ifq) = register(builder(), ring.as_ring_fd(), 16) else {
        return;
    };
    // Two instances on one ring (kernel 6.16).
    let Some(mut other) = register(builder(), ring.as_ring_fd(), 16) else {
        return;
    };
    assert_ne!(ifq.zcrx_id(), other.zcrx_id());
    let (mut out, incoming) = common::pair();
    ring.push(Sqe::recv_zc(incoming.as_raw_fd(), ifq.zcrx_id(), 0))
        .unwrap();
    let mut chunks = Vec::new();
    while chunks.len() < 2 {
        out.write_all(b"x").unwrap();
        let _ = ring.submit_and_wait(1).unwrap();
        for cqe in ring.completions() {
            // SAFETY: the completion is that of the only request, for this instance; taken once.
            chunks.push(unsafe { ifq.take(&cqe.unwrap()) }.unwrap());
        }
    }
    let foreign = other.recycle(chunks.pop().unwrap()).unwrap_err();
    assert!(matches!(foreign, Unreturned::OtherPool(_)), "{foreign}");
    ifq.recycle(foreign.into_chunk()).unwrap();
    let full = ifq.recycle(chunks.pop().unwrap()).unwrap_err();
    assert!(
        matches!(full, Unreturned::Full(_)) && full.to_string().contains("flush"),
        "{full}"
    );
    ifq.publish();
    ifq.flush().unwrap();
    ifq.recycle(full.into_chunk()).unwrap();
}

#[test]
fn nothing_but_data_is_taken() {
    let Some(ring) = common::ring(&RingBuilder::new(8)) else {
        return;
    };
    let Some(ifq) = register(Ifq::builder(Device::None), ring.as_ring_fd(), 2) else {
        return;
    };
    let more = zcrx_sys::uapi::IORING_CQE_F_MORE;
    let cases = [
        (Cqe::narrow(0, 100, more), NotData::Terminal),
        (Cqe::wide(0, 100, 0, [0, 0]), NotData::Terminal),
        (Cqe::wide(0, 0, more, [0, 0]), NotData::Terminal),
        (Cqe::wide(0, -12, more, [0, 0]), NotData::Terminal),
    ];
    for (cqe, expected) in cases {
        // SAFETY: no chunk comes of these, which is what is tested.
        assert_eq!(unsafe { ifq.take(&cqe) }, Err(expected));
    }
    for (offset, len) in [
        (2 * PAGE as u64, 1),
        (0, 2 * PAGE as i32 + 1),
        (1 << 48, 1),
        (u64::MAX, 1),
    ] {
        // SAFETY: as above.
        let taken = unsafe { ifq.take(&Cqe::wide(0, len, more, [offset, 0])) };
        assert!(
            matches!(taken, Err(NotData::OutOfArea(_))),
            "{offset:#x} {taken:?}"
        );
    }
}

/// What registration on `device` with `area` bytes is refused with.
fn refusal(ring: RingFd<'_>, builder: IfqBuilder, area: usize) -> Error {
    builder
        .register(ring, Area::new(area).unwrap())
        .unwrap_err()
}

#[test]
fn bad_arguments_are_refused_by_name() {
    let Some(ring) = common::ring(&RingBuilder::new(8)) else {
        return;
    };
    let queue = |interface, queue| Ifq::builder(Device::Queue { interface, queue });
    let cases = [
        (
            queue(1, 0).refill_entries(0),
            "refill entries must be from 1 to 32768",
        ),
        (
            queue(1, 0).refill_entries(32769),
            "refill entries must be from 1 to 32768",
        ),
        (
            queue(1, 0).refill_entries(u32::MAX),
            "refill entries must be from 1 to 32768",
        ),
        (queue(0, 0), "interface must be an interface's index"),
        (queue(1, u32::MAX), "queue must be a queue's number"),
        (
            queue(1, 0).chunk_len(0),
            "chunk bytes must be a power of two",
        ),
        (
            queue(1, 0).chunk_len(2048),
            "chunk bytes must be a power of two and at least a page",
        ),
        (
            queue(1, 0).chunk_len(12288),
            "chunk bytes must be a power of two",
        ),
        (
            queue(1, 0).chunk_len(16384),
            "area bytes must be a multiple of the chunk length",
        ),
    ];
    for (builder, text) in cases {
        let error = refusal(ring.as_ring_fd(), builder, 3 * PAGE).to_string();
        assert!(error.contains(text), "{error}");
        assert!(error.contains("area bytes 12288"), "{error}");
    }
    for len in [0, 1, PAGE - 1, PAGE + 1] {
        let error = Area::new(len).unwrap_err().to_string();
        assert!(
            error.contains("bytes must be a multiple of the page size, and not 0"),
            "{error}"
        );
    }
    let error = Area::huge_pages(PAGE).unwrap_err().to_string();
    assert!(error.contains("page bytes 2097152"), "{error}");
    let error = Area::new(1 << 48).unwrap_err().to_string();
    assert!(error.contains("48 bits"), "{error}");
    let error = Area::huge_pages(1 << 40).unwrap_err().to_string();
    assert!(error.contains("vm.nr_hugepages"), "{error}");
}

#[test]
fn an_unfit_ring_is_refused_with_what_it_lacks() {
    let Some(ring) = common::ring(&RingBuilder::new(8).layout(CqeLayout::Narrow)) else {
        return;
    };
    let error = refusal(ring.as_ring_fd(), Ifq::builder(Device::None), PAGE).to_string();
    assert!(error.contains("mixed or the wide layout"), "{error}");
    // SAFETY: the descriptor is a ring's. Its flags are not these, but nothing is registered.
    let bare = unsafe { RingFd::from_raw(ring.as_raw_fd(), 0) };
    let error = refusal(bare, Ifq::builder(Device::None), PAGE).to_string();
    assert!(error.contains("DEFER_TASKRUN"), "{error}");
}

#[test]
fn the_kernels_refusals_come_with_causes_and_remedies() {
    if !common::is_root() {
        return common::skip((u32::MAX, 0), &"needs CAP_NET_ADMIN");
    }
    let Some(ring) = common::ring(&RingBuilder::new(8)) else {
        return;
    };
    if common::kernel() < (6, 15) {
        return common::skip((6, 15), &"no zero-copy receive in this kernel");
    }
    let queue = |interface, queue| Ifq::builder(Device::Queue { interface, queue });
    let lo = zcrx_sys::zcrx::interface_index("lo").unwrap();
    let cases = [
        (queue(lo, 0), Errno::OPNOTSUPP, "no DMA device"),
        (queue(lo, 99), Errno::OPNOTSUPP, "it is virtual"),
        (queue(999_999, 0), Errno::NODEV, "ip link"),
    ];
    for (builder, errno, text) in cases {
        let error = refusal(ring.as_ring_fd(), builder, PAGE);
        assert_eq!(error.errno(), Some(errno), "{error}");
        assert!(error.to_string().contains(text), "{error}");
        assert!(!error.causes().is_empty());
    }
}

#[test]
fn no_device_is_refused_where_the_kernel_lacks_it() {
    let Some(ring) = common::ring(&RingBuilder::new(8)) else {
        return;
    };
    if common::kernel() >= (7, 1) {
        // Promised: `register` fails the test if it cannot be had.
        let _ = register(Ifq::builder(Device::None), ring.as_ring_fd(), 1);
        return;
    }
    let error = refusal(ring.as_ring_fd(), Ifq::builder(Device::None), PAGE);
    assert_eq!(error.errno(), None, "refused before the kernel was asked");
    assert!(
        error.to_string().contains("without a device (7.1 can)"),
        "{error}"
    );
}

#[test]
fn a_second_thread_is_told_that_it_is_not_the_owner() {
    let Some(ring) = common::ring(&RingBuilder::new(8)) else {
        return;
    };
    if common::kernel() < (6, 15) {
        return common::skip((6, 15), &"no zero-copy receive in this kernel");
    }
    let (fd, flags) = (ring.as_raw_fd(), ring.setup_flags());
    let lo = zcrx_sys::zcrx::interface_index("lo").unwrap();
    let error = std::thread::spawn(move || {
        // SAFETY: the descriptor is that of a ring set up with these flags; it outlives the thread.
        let foreign = unsafe { RingFd::from_raw(fd, flags) };
        let builder = Ifq::builder(Device::Queue {
            interface: lo,
            queue: 0,
        });
        refusal(foreign, builder, PAGE)
    })
    .join()
    .unwrap();
    assert_eq!(error.errno(), Some(Errno::EXIST));
    assert!(
        error
            .to_string()
            .contains("the thread that enabled the ring"),
        "{error}"
    );
}
