//! Every system call of a ring and of provided buffers, refused with each error number that it has an advice for:
//! the error says what was tried, with the number and the advice, and what was to be done can be done later.

use std::io::Write;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use zcrx_sys::recv::{BufferRing, Event, Receiver, Source, Wait};
use zcrx_sys::ring::{BusyPoll, CqeLayout, NapiTracking, Ring, RingBuilder, Sqe};
use zcrx_sys::zcrx::{Area, HUGE_PAGE};
use zcrx_sys::{uapi, Errno, Error};

use common::denial::{self, deny, for_each, in_a_thread, DUPLICATE, ENTER, SETUP};

mod common;

const PAGE: usize = 4096;

/// The advice of an error; `None` for one that has none, and says no more than the number's own name.
type Advice = Option<&'static str>;

#[track_caller]
fn assert_advises(error: &Error, tried: &str, errno: Errno, advice: Advice) {
    let text = error.to_string();
    assert_eq!(error.errno(), Some(errno), "{text}");
    assert!(text.starts_with(&format!("cannot {tried}")), "{text}");
    match advice {
        Some(advice) => assert!(text.contains(advice), "no {advice:?} in {text}"),
        None => assert!(error.causes().is_empty(), "{text}"),
    }
}

/// A ring of a layout that needs no trial of the kernel, which would be refused as well.
fn small_ring() -> Ring {
    RingBuilder::new(8)
        .layout(CqeLayout::Narrow)
        .build()
        .unwrap()
}

#[test]
fn setting_up_a_ring() {
    let cases = [
        (Errno::INVAL, Some("older than 6.0")),
        (Errno::NOMEM, Some("ask for fewer entries")),
        (Errno::MFILE, Some("ulimit -n")),
        (Errno::NFILE, Some("ulimit -n")),
        (Errno::BUSY, None),
    ];
    for_each(&cases, SETUP, |errno, advice| {
        let wide = RingBuilder::new(8).layout(CqeLayout::Wide);
        assert_advises(&wide.build().unwrap_err(), "set up a ring", errno, advice);
    });
    in_a_thread(|| {
        deny(SETUP, Errno::INVAL);
        let mixed = RingBuilder::new(8).layout(CqeLayout::Mixed);
        let advice = Some("mixed completions need kernel 6.18");
        let error = mixed.build().unwrap_err();
        assert_advises(&error, "set up a ring", Errno::INVAL, advice);
    });
}

#[test]
fn mapping_a_ring() {
    // The rings lie at the file's beginning, as anonymous memory does: told by flags, the entries by their place.
    let flags = (libc::MAP_SHARED | libc::MAP_POPULATE) as u32;
    let rings = denial::with(libc::SYS_mmap, 3, flags);
    let entries = denial::with(libc::SYS_mmap, 5, uapi::IORING_OFF_SQES as u32);
    for mapping in [rings, entries] {
        for_each(&[(Errno::NOMEM, ())], mapping, |errno, ()| {
            let narrow = RingBuilder::new(8).layout(CqeLayout::Narrow);
            let advice = Some("ask for fewer entries");
            assert_advises(&narrow.build().unwrap_err(), "set up a ring", errno, advice);
        });
    }
}

#[test]
fn enabling_a_ring() {
    in_a_thread(|| {
        let narrow = RingBuilder::new(8).layout(CqeLayout::Narrow);
        let disabled = narrow.build_disabled().unwrap();
        deny(
            denial::register(uapi::IORING_REGISTER_ENABLE_RINGS),
            Errno::BADFD,
        );
        let error = disabled.enable().unwrap_err();
        assert_advises(&error, "enable a ring on this thread", Errno::BADFD, None);
    });
}

/// What could not be submitted stays in the queue.
#[test]
fn entering_a_ring() {
    let cases = [
        (Errno::EXIST, Some("on the thread that enabled it")),
        (Errno::AGAIN, Some("read completions and try again")),
        (Errno::NOMEM, Some("read completions and try again")),
        (Errno::BADR, Some("ask for more completion entries")),
        (Errno::BUSY, Some("flush the overflow")),
        (Errno::BADF, None),
    ];
    for (errno, advice) in cases {
        in_a_thread(move || {
            let mut ring = small_ring();
            ring.push(Sqe::nop()).unwrap();
            deny(ENTER, errno);
            for error in [
                ring.submit().unwrap_err(),
                ring.submit_and_wait(1).unwrap_err(),
                ring.submit_and_wait_for(1, Duration::ZERO).unwrap_err(),
                ring.flush_overflow().unwrap_err(),
            ] {
                assert_advises(&error, "enter the ring", errno, advice);
            }
            assert_eq!(ring.pending(), 1);
        });
    }
}

#[test]
fn a_receiver_that_cannot_enter_says_so() {
    in_a_thread(|| {
        let builder = Receiver::builder().layout(CqeLayout::Wide);
        let Some(mut receiver) = common::receiver(builder, Source::Buffers) else {
            return;
        };
        receiver.add(common::pair().1).unwrap();
        deny(ENTER, Errno::NOMEM);
        let error = receiver.wait(Some(Duration::ZERO)).unwrap_err();
        assert_advises(&error, "enter the ring", Errno::NOMEM, Some("try again"));
    });
}

#[test]
fn a_signal_ends_a_wait_and_nothing_else() {
    in_a_thread(|| {
        let builder = Receiver::builder().layout(CqeLayout::Wide);
        let Some(mut receiver) = common::receiver(builder, Source::Buffers) else {
            return;
        };
        let mut ring = small_ring();
        deny(ENTER, Errno::INTR);
        assert_eq!(receiver.wait(None).unwrap(), Wait::Interrupted);
        ring.flush_overflow().unwrap();
    });
}

#[test]
fn busy_polling() {
    type Case = (NapiTracking, Advice);
    let cases: [(Errno, Case); 5] = [
        (
            Errno::INVAL,
            (NapiTracking::Dynamic, Some("older than 6.9")),
        ),
        (
            Errno::INVAL,
            (NapiTracking::Static, Some("older than 6.13")),
        ),
        (
            Errno::OPNOTSUPP,
            (NapiTracking::Dynamic, Some("CONFIG_NET_RX_BUSY_POLL")),
        ),
        (
            Errno::ACCES,
            (NapiTracking::Static, Some("among its restrictions")),
        ),
        (Errno::NOMEM, (NapiTracking::Dynamic, None)),
    ];
    let napi = denial::register(uapi::IORING_REGISTER_NAPI);
    for_each(&cases, napi, |errno, (tracking, advice)| {
        let error = small_ring()
            .busy_poll(BusyPoll {
                timeout: Duration::from_micros(50),
                prefer: false,
                tracking,
            })
            .unwrap_err();
        assert_advises(&error, "have waits poll the network card", errno, advice);
    });
}

#[test]
fn registering_descriptors() {
    in_a_thread(|| {
        let mut ring = small_ring();
        let own = denial::register(uapi::IORING_REGISTER_RING_FDS);
        let eventfd = denial::register(uapi::IORING_REGISTER_EVENTFD);
        deny(own, Errno::NOMEM);
        deny(eventfd, Errno::NOMEM);
        let error = ring.register_descriptor().unwrap_err();
        assert_advises(&error, "register", Errno::NOMEM, None);
        let error = ring
            .register_eventfd(common::pair().0.as_raw_fd())
            .unwrap_err();
        assert_advises(&error, "", Errno::NOMEM, None);
        // It goes on by its own number.
        ring.push(Sqe::nop()).unwrap();
        assert_eq!(ring.submit().unwrap(), 1);
    });
}

#[test]
fn registering_provided_buffers() {
    let cases = [
        (Errno::INVAL, Some("older than 5.19")),
        (Errno::EXIST, Some("pick another number")),
        (Errno::NOMEM, Some("fewer or shorter buffers")),
        (Errno::BADF, None),
    ];
    let register = denial::register(uapi::IORING_REGISTER_PBUF_RING);
    for_each(&cases, register, |errno, advice| {
        let (ring, area) = (small_ring(), Area::new(4 * PAGE).unwrap());
        let error = BufferRing::register(ring.as_ring_fd(), 0, area, PAGE as u32).unwrap_err();
        assert_advises(&error, "register a ring of provided buffers", errno, advice);
    });
}

/// If the kernel does not let go of a ring of buffers, it goes on writing to them: their memory stays theirs.
#[test]
fn buffers_that_the_kernel_keeps_are_kept_for_it() {
    const LEN: usize = 8 << 20;
    in_a_thread(|| {
        let mut ring = small_ring();
        let area = Area::new(LEN).unwrap();
        let buffers = BufferRing::register(ring.as_ring_fd(), 0, area, 1 << 20).unwrap();
        let busy = denial::register(uapi::IORING_UNREGISTER_PBUF_RING);
        deny(busy, Errno::BUSY);
        drop(buffers);
        // A mapping of the size that was given up would land in its place.
        let others = vec![0_u8; LEN - PAGE];
        let (mut out, incoming) = common::pair();
        out.write_all(b"where to?").unwrap();
        ring.push(Sqe::recv_provided(incoming.as_raw_fd(), 0, 0))
            .unwrap();
        let _ = ring.submit_and_wait(1).unwrap();
        let cqe = ring.completions().next().unwrap().unwrap();
        assert_eq!(cqe.result(), Ok(9));
        assert!(others.iter().all(|&byte| byte == 0));
    });
}

#[test]
fn mapping_areas() {
    const MAP: &str = "map an area";
    // A length that nobody else asks for.
    const ODD: usize = 4099 * PAGE;
    in_a_thread(|| {
        deny(denial::with(libc::SYS_mmap, 1, ODD as u32), Errno::NOMEM);
        let error = Area::new(ODD).unwrap_err();
        assert_advises(&error, MAP, Errno::NOMEM, Some("ulimit -v"));
    });
    in_a_thread(|| {
        let fork = denial::with(libc::SYS_madvise, 2, libc::MADV_DONTFORK as u32);
        deny(fork, Errno::INVAL);
        let error = Area::new(PAGE).unwrap_err();
        assert_advises(&error, MAP, Errno::INVAL, Some("ulimit -v"));
    });
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_HUGETLB | libc::MAP_HUGE_2MB;
    let huge = denial::with(libc::SYS_mmap, 3, flags as u32);
    let cases = [
        (Errno::NOMEM, Some("vm.nr_hugepages")),
        (Errno::AGAIN, Some("ulimit -v")),
    ];
    for_each(&cases, huge, |errno, advice| {
        let error = Area::huge_pages(HUGE_PAGE).unwrap_err();
        assert_advises(&error, MAP, errno, advice);
    });
    let collapse = denial::with(libc::SYS_madvise, 2, libc::MADV_COLLAPSE as u32);
    let cases = [
        (Errno::INVAL, Some("older than 6.1")),
        (Errno::AGAIN, Some("no contiguous memory is free")),
    ];
    for_each(&cases, collapse, |errno, advice| {
        let error = Area::transparent_huge_pages(HUGE_PAGE).unwrap_err();
        assert_advises(&error, MAP, errno, advice);
    });
}

#[test]
fn a_descriptor_that_is_no_dmabuf() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    // SAFETY: nobody writes to a socket's memory, because it has none.
    let error = unsafe { Area::dmabuf(OwnedFd::from(socket).into(), PAGE) }.unwrap_err();
    let advice = Some("no dmabuf of that length");
    assert_advises(&error, "map an area", Errno::NODEV, advice);
}

/// A chunk that cannot be made an owned one, for want of a descriptor, is handed back, and goes back.
#[test]
fn owning_a_chunk() {
    for calls in [denial::all(libc::SYS_eventfd2), DUPLICATE] {
        in_a_thread(move || {
            let builder = Receiver::builder().layout(CqeLayout::Wide);
            let Some(mut receiver) = common::receiver(builder, Source::Buffers) else {
                return;
            };
            let (mut out, incoming) = common::pair();
            receiver.add(incoming).unwrap();
            out.write_all(b"mine").unwrap();
            assert_eq!(receiver.wait(None).unwrap(), Wait::Ready);
            let Some(Event::Data { chunk, .. }) = receiver.next_event() else {
                panic!("no data")
            };
            deny(calls, Errno::MFILE);
            let refused = receiver.own(chunk).unwrap_err();
            assert_eq!(refused.error.errno(), Some(Errno::MFILE));
            assert!(refused.to_string().contains("ulimit -n"), "{refused}");
            assert_eq!(receiver.bytes(&refused.chunk), b"mine");
            receiver.recycle(refused.chunk).unwrap();
            assert_eq!(receiver.counters().outstanding, 0);
        });
    }
}
