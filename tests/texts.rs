//! What values say of themselves, and what can be had from them: each text is one that a program prints.

use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use zcrx_sys::recv::{BufferRing, End, Pages, Receiver, Source, Wanted};
use zcrx_sys::ring::{CqeLayout, QueueFull, Ring, RingBuilder, Sqe};
use zcrx_sys::zcrx::{Area, NotData, Notification, OutOfArea, Support, Unreturned};
use zcrx_sys::{Errno, Fd};

mod common;

fn some_ring() -> Ring {
    let builder = RingBuilder::new(2);
    builder.layout(CqeLayout::Narrow).build().unwrap()
}

#[test]
fn every_end_of_a_stream() {
    for (end, text) in [
        (End::Eof, "end of stream"),
        (End::LimitReached, "limit reached"),
        (End::ForeignBuffer, "another pool's memory"),
        (End::NotPlaced, "did not place its packets into the dmabuf"),
        (End::NotPlainTcp, "not a plain TCP socket"),
        (End::Cancelled, "cancelled"),
        (
            End::Failed(Errno::CONNRESET),
            "ECONNRESET (connection reset by peer)",
        ),
        (End::Malformed, "the kernel's interface does not have"),
    ] {
        let said = end.to_string();
        assert!(said.contains(text), "{end:?}: {said}");
    }
}

#[test]
fn every_thing_that_was_wanted() {
    let queue = Source::Queue {
        interface: 2,
        queue: 7,
    };
    let chunks = |pages| Wanted::Chunks { len: 8192, pages };
    for (wanted, text) in [
        (Wanted::Source(queue), "queue 7 of interface 2"),
        (
            Wanted::Source(Source::NoDevice),
            "zero-copy receive without a device",
        ),
        (Wanted::Source(Source::Buffers), "provided buffers"),
        (
            Wanted::Source(Source::Imported),
            "another receiver's instance",
        ),
        (
            chunks(Pages::Ordinary),
            "chunks of 8192 bytes in ordinary pages",
        ),
        (
            chunks(Pages::Huge),
            "chunks of 8192 bytes in reserved huge pages",
        ),
        (
            chunks(Pages::Transparent),
            "chunks of 8192 bytes in transparent huge pages",
        ),
        (Wanted::Area(4096), "another area of 4096 bytes"),
        (Wanted::Batches, "waits for a batch"),
        (Wanted::BusyPolling, "busy polling"),
    ] {
        assert_eq!(wanted.to_string(), text);
    }
}

#[test]
fn why_a_completion_is_no_data() {
    for (why, text) in [
        (NotData::Terminal, "carries no buffer"),
        (NotData::OutOfArea(OutOfArea::UnknownArea), "not registered"),
        (
            NotData::OutOfArea(OutOfArea::PastEnd),
            "past the end of the area",
        ),
    ] {
        let said = why.to_string();
        assert!(said.contains(text), "{why:?}: {said}");
    }
}

#[test]
fn a_queue_that_is_full() {
    let mut ring = some_ring();
    while ring.push(Sqe::nop()).is_ok() {}
    let refused = ring.push(Sqe::nop().user_data(7)).unwrap_err();
    assert!(refused.to_string().contains("submit, then push again"));
    let said = format!("{refused:?}");
    assert!(said.contains("user_data: 7"), "{said}");
    let QueueFull(span) = ring.push_timeout(Duration::from_secs(3), 0, 0).unwrap_err();
    assert_eq!(span, Duration::from_secs(3));
}

#[test]
fn numbers_of_notifications() {
    use zcrx_sys::ring::Cqe;
    for number in 0..4 {
        let notification = Notification::of(&Cqe::narrow(0, number, 0)).unwrap();
        assert_eq!(notification.number(), number as u32);
    }
    let unknown = Notification::of(&Cqe::narrow(0, 77, 0));
    assert_eq!(unknown, Some(Notification::Other(77)));
}

/// Statistics came with events, both in 7.2.
#[test]
fn a_kernel_with_statistics_tells_of_events() {
    let support = Support::query();
    let since = common::kernel() >= (7, 2);
    assert_eq!(support.events().is_some(), since);
    assert_eq!(support.has_statistics(), since);
}

#[test]
fn descriptors_are_the_same_by_every_way() {
    let narrow = RingBuilder::new(2).layout(CqeLayout::Narrow);
    let disabled = narrow.build_disabled().unwrap();
    assert_eq!(disabled.as_fd().as_raw_fd(), disabled.as_raw_fd());
    let number = disabled.as_raw_fd();
    let ring = disabled.enable().unwrap();
    assert_eq!(
        (ring.as_fd().as_raw_fd(), ring.as_raw_fd()),
        (number, number)
    );
    let (_out, incoming) = common::pair();
    let number = incoming.as_raw_fd();
    let fd = Fd::from(incoming);
    assert_eq!((fd.as_raw_fd(), fd.as_raw()), (number, number));
    assert_eq!(format!("{fd:?}"), format!("Fd({number})"));
    let mut receiver = Receiver::builder().source(Source::Buffers).build().unwrap();
    let socket = receiver.add(fd).unwrap();
    assert_eq!(receiver.descriptor(socket), Some(number));
    // A connection that is not known to the kernel yet ends at once, and its number means no socket then.
    assert!(receiver.cancel(socket));
    assert_eq!(receiver.descriptor(socket), None);
    assert!(receiver.as_fd().as_raw_fd() > 2);
}

/// The number alone would be the same for whoever comes next in its place.
#[test]
fn socket_ids_are_told_apart_by_generation() {
    let mut receiver = Receiver::builder().source(Source::Buffers).build().unwrap();
    let mut said = Vec::new();
    for _ in 0..2 {
        let socket = receiver.add(common::pair().1).unwrap();
        said.push(format!("{socket:?}"));
        assert!(receiver.cancel(socket));
    }
    assert!(said[0].starts_with("0.") && said[1].starts_with("0."));
    assert_ne!(said[0], said[1]);
}

#[test]
fn provided_buffers_cannot_be_shared() {
    let mut receiver = Receiver::builder().source(Source::Buffers).build().unwrap();
    let error = receiver.export().unwrap_err();
    assert!(
        error.to_string().contains("belong to their ring"),
        "{error}"
    );
    let error = std::io::Error::from(error);
    assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
}

/// A chunk of one pool goes back to that one alone.
#[test]
fn a_chunk_of_another_ring_of_buffers_is_handed_back() {
    use std::io::Write;
    let mut ring = some_ring();
    let register = |ring: &Ring, group| {
        let area = Area::new(4096).unwrap();
        BufferRing::register(ring.as_ring_fd(), group, area, 4096).unwrap()
    };
    let (first, mut second) = (register(&ring, 1), register(&ring, 2));
    let (mut out, incoming) = common::pair();
    out.write_all(b"first's").unwrap();
    ring.push(Sqe::recv_provided(incoming.as_raw_fd(), first.group(), 0))
        .unwrap();
    let _ = ring.submit_and_wait(1).unwrap();
    let cqe = ring.completions().next().unwrap().unwrap();
    // SAFETY: the completion is that of the only receive, from this group; taken once.
    let chunk = unsafe { first.take(&cqe) }.unwrap();
    let Err(Unreturned::OtherPool(chunk)) = second.push(chunk) else {
        panic!("it was taken")
    };
    assert_eq!(first.bytes(&chunk), b"first's");
}
