//! As `denials`, for zero-copy receive: what the kernel refuses of an instance, or no longer refuses but this process
//! cannot use, costs neither memory nor chunks.

use std::io::Write;
use std::time::{Duration, Instant};

use zcrx_sys::recv::{End, Event, Receiver, Source, Wait, Wanted};
use zcrx_sys::ring::{Ring, RingBuilder, Sqe};
use zcrx_sys::zcrx::{interface_index, Area, Device, Ifq, IfqBuilder, Notification, RefillRegion};
use zcrx_sys::{uapi, Errno, Error};

use common::denial::{self, deny, in_a_thread, DUPLICATE, QUERY};
use common::nic::{Nic, V6};
use common::rings::LONG;
use common::streams::{sender, Streams, MIB, QUEUE};

mod common;

const PAGE: usize = 4096;
const REGISTER: denial::Calls = denial::register(uapi::IORING_REGISTER_ZCRX_IFQ);

fn area() -> Area {
    Area::new(16 * PAGE).unwrap()
}

/// A ring, and the kernel's refusal of `builder` on it.
fn refusal(ring: &Ring, builder: IfqBuilder) -> Error {
    builder.register(ring.as_ring_fd(), area()).unwrap_err()
}

/// Whether this kernel has zero-copy receive without a device, and lets this process have it; says so if not.
fn has_no_device() -> bool {
    let Some(ring) = common::ring(&RingBuilder::new(8)) else {
        return false;
    };
    match Ifq::builder(Device::None).register(ring.as_ring_fd(), area()) {
        Ok(_) => true,
        Err(error) => {
            let since = if common::is_root() {
                (7, 1)
            } else {
                (u32::MAX, 0)
            };
            common::skip(since, &error);
            false
        }
    }
}

/// A number that no kernel answers has no advice; that of a process without a descriptor left has.
#[test]
fn registration_of_an_instance() {
    if !has_no_device() {
        return;
    }
    for (calls, errno, advice) in [
        (REGISTER, Errno::BADFD, None),
        (DUPLICATE, Errno::MFILE, Some("ulimit -n")),
    ] {
        in_a_thread(move || {
            let ring = RingBuilder::new(8).build().unwrap();
            deny(calls, errno);
            let error = refusal(&ring, Ifq::builder(Device::None));
            assert_eq!(error.errno(), Some(errno));
            match advice {
                Some(advice) => assert!(error.to_string().contains(advice), "{error}"),
                None => assert!(error.causes().is_empty(), "{error}"),
            }
        });
    }
}

/// The kernel has the area by then: it is left to it, and the ring goes on.
#[test]
fn mapping_what_the_kernel_registered() {
    if !has_no_device() {
        return;
    }
    in_a_thread(|| {
        let mut ring = RingBuilder::new(8).build().unwrap();
        let region = denial::with(libc::SYS_mmap, 3, libc::MAP_SHARED as u32 | POPULATE);
        deny(region, Errno::NOMEM);
        let builder = Ifq::builder(Device::None).refill_region(RefillRegion::Kernel);
        let error = refusal(&ring, builder);
        assert_eq!(error.errno(), Some(Errno::NOMEM), "{error}");
        ring.push(Sqe::nop()).unwrap();
        let _ = ring.submit_and_wait(1).unwrap();
        assert_eq!(ring.completions().count(), 1);
    });
}
const POPULATE: u32 = libc::MAP_POPULATE as u32;

/// What a kernel cannot be asked about it is taken not to have, before it is tried.
#[test]
fn a_kernel_that_answers_no_questions() {
    in_a_thread(|| {
        let Some(ring) = common::ring(&RingBuilder::new(8)) else {
            return;
        };
        deny(QUERY, Errno::INVAL);
        let interface = interface_index("lo").unwrap();
        let queue = || {
            Ifq::builder(Device::Queue {
                interface,
                queue: 0,
            })
        };
        for (builder, text) in [
            (Ifq::builder(Device::None), "without a device (7.1 can)"),
            (
                queue().chunk_len(8 * PAGE as u32),
                "other than a page (7.0 has)",
            ),
            (queue().notifications(1), "does not notify"),
        ] {
            let error = refusal(&ring, builder);
            assert_eq!(error.errno(), None);
            assert!(error.to_string().contains(text), "{error}");
        }
    });
}

#[test]
fn a_notification_that_has_not_come_is_armed_already() {
    let Some(nic) = Nic::claim() else { return };
    let ring = RingBuilder::new(8).build().unwrap();
    let device = Device::Queue {
        interface: nic.index(),
        queue: QUEUE,
    };
    let ifq = Ifq::builder(device)
        .notifications(1)
        .register(ring.as_ring_fd(), Area::new(MIB).unwrap())
        .unwrap();
    assert!(!ifq.arm(Notification::Copied).unwrap());
    assert!(!ifq.arm(Notification::AllocFailed).unwrap());
}

#[test]
fn owned_chunks_without_a_descriptor() {
    if !has_no_device() {
        return;
    }
    in_a_thread(|| {
        let ring = RingBuilder::new(8).build().unwrap();
        let builder = Ifq::builder(Device::None);
        let ifq = builder.register(ring.as_ring_fd(), area()).unwrap();
        deny(DUPLICATE, Errno::MFILE);
        let error = ifq.recycler(None).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::MFILE));
        assert!(error.to_string().contains("ulimit -n"), "{error}");
    });
}

/// Memory that was to grow and cannot is told of once, and the stream goes on with what there is.
#[test]
fn memory_that_cannot_grow() {
    const LEN: usize = 64 * PAGE;
    // A length that nothing else is mapped with.
    const AREA: usize = 11 * PAGE;
    if !has_no_device() {
        return;
    }
    in_a_thread(|| {
        let builder = Receiver::builder().area_len(AREA).grow_to(1 << 20);
        let mut receiver = builder.source(Source::NoDevice).build().unwrap();
        let (mut out, incoming) = common::pair();
        let sender = std::thread::spawn(move || out.write_all(&common::stream(1, LEN)).unwrap());
        receiver.add(incoming).unwrap();
        deny(denial::with(libc::SYS_mmap, 1, AREA as u32), Errno::NOMEM);
        let (mut held, mut position, mut end) = (Vec::new(), 0, None);
        while end.is_none() {
            let wait = receiver.wait(Some(LONG)).unwrap();
            assert_ne!(wait, Wait::TimedOut, "after {position} bytes");
            while let Some(event) = receiver.next_event() {
                match event {
                    Event::Data { chunk, .. } => {
                        assert!(common::is_piece(1, position, receiver.bytes(&chunk)));
                        position += u64::from(chunk.len());
                        held.push(chunk);
                    }
                    Event::Ended { end: how, .. } => end = Some(how),
                    other => panic!("{other:?}"),
                }
            }
            if wait == Wait::Starved {
                for chunk in held.drain(..) {
                    receiver.recycle(chunk).unwrap();
                }
            }
        }
        sender.join().unwrap();
        assert_eq!((end, position), (Some(End::Eof), LEN as u64));
        let [fallback] = receiver.fallbacks() else {
            panic!("{:?}", receiver.fallbacks())
        };
        assert_eq!(fallback.wanted, Wanted::Area(AREA));
        assert_eq!(fallback.error.errno(), Some(Errno::NOMEM));
    });
}

/// A kernel that cannot be asked may have requests that stall, so a receiver looks for sockets with unread bytes. One
/// that was not stalled is then started again in vain, which must cost nothing.
#[test]
fn requests_that_are_taken_for_stalled_lose_nothing() {
    in_a_thread(|| {
        let Some(nic) = Nic::claim() else { return };
        deny(QUERY, Errno::INVAL);
        let mut receiver = common::streams::receiver(&nic, Receiver::builder(), V6);
        let mut streams = Streams::default();
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut sent = 0;
        while receiver.counters().stalls < 3 {
            assert!(Instant::now() < deadline, "{:?}", receiver.counters());
            let sending = sender(V6, 2, MIB);
            sent += 2;
            streams.run(&mut receiver, |streams| streams.ended.len() == sent);
            sending.join().unwrap().unwrap();
        }
        assert!(streams
            .ended
            .iter()
            .all(|end| *end == (End::Eof, MIB as u64)));
        assert_eq!(receiver.counters().outstanding, 0);
    });
}

/// A refill ring of four and a kernel that is not known to flush it: chunks that find it full wait for their turn.
#[test]
fn chunks_that_find_the_refill_ring_full_go_back_later() {
    in_a_thread(|| {
        let Some(nic) = Nic::claim() else { return };
        deny(QUERY, Errno::INVAL);
        let builder = Receiver::builder().refill_entries(4).area_len(64 * PAGE);
        let mut receiver = common::streams::receiver(&nic, builder, V6);
        let sending = sender(V6, 4, MIB);
        let mut streams = Streams::default();
        streams.run(&mut receiver, |streams| streams.ended.len() == 4);
        sending.join().unwrap().unwrap();
        assert_eq!(streams.ended, [(End::Eof, MIB as u64); 4]);
        let counters = receiver.counters();
        assert_eq!((counters.flushes, counters.outstanding), (0, 0));
        assert!(counters.refill_full > 0, "{counters:?}");
    });
}
