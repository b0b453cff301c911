//! The ring on the running kernel: layouts, fillers, waiting, overflow, and each kind of entry.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use zcrx_sys::recv::BufferRing;
use zcrx_sys::ring::{mixed_completions_are_sound, BusyPoll, NapiTracking};
use zcrx_sys::ring::{Cqe, CqeLayout, DisabledRing, Ring, RingBuilder, Sqe, Woken};
use zcrx_sys::uapi;
use zcrx_sys::zcrx::Area;
use zcrx_sys::{Errno, Fd};

mod common;

/// As long as nothing takes.
const LONG: Duration = Duration::from_secs(20);

/// Runs until `count` completions arrived, and returns them in order.
fn complete(ring: &mut Ring, count: usize) -> Vec<Cqe> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let _ = ring.submit_and_wait(1).unwrap();
        seen.extend(ring.completions().map(|cqe| cqe.expect("well-formed")));
    }
    seen
}

/// Whether `fd` becomes readable in so many milliseconds.
fn readable_within(fd: RawFd, milliseconds: i32) -> bool {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one pollfd, exclusively borrowed.
    unsafe { libc::poll(&mut poll, 1, milliseconds) == 1 }
}

#[test]
fn every_layout_completes_nops_in_order() {
    for layout in [CqeLayout::Narrow, CqeLayout::Wide, CqeLayout::Mixed] {
        let Some(mut ring) = common::ring(&RingBuilder::new(8).layout(layout)) else {
            continue;
        };
        assert_eq!(ring.layout(), layout);
        for lap in 0..100 {
            for i in 0..8 {
                ring.push(Sqe::nop().user_data(lap * 8 + i)).unwrap();
            }
            let seen = complete(&mut ring, 8);
            for (i, cqe) in seen.iter().enumerate() {
                assert_eq!(cqe.user_data(), lap * 8 + i as u64);
                assert_eq!(cqe.result(), Ok(0));
                assert_eq!(cqe.extra().is_some(), layout == CqeLayout::Wide);
            }
        }
    }
}

/// The smallest ring whose wide completions must wrap: 16 slots walked by 1, 2, 1, 2, ... so that
/// a wide one meets the last slot again and again, and the kernel posts its filler there.
#[test]
fn mixed_completions_wrap_with_a_filler_for_1000_laps() {
    let builder = RingBuilder::new(1)
        .completion_entries(4)
        .layout(CqeLayout::Mixed);
    let Some(mut ring) = common::ring(&builder) else {
        return;
    };
    let slots = ring.completion_entries();
    assert_eq!(
        slots, 4,
        "the smallest queue in which a filler and a wide entry fit"
    );
    let (mut sent, mut walked, mut fillers) = (0u64, 0u32, 0u32);
    while walked < 1000 * slots {
        let wide = sent % 3 != 0;
        let extra = [sent.wrapping_mul(0x9e37_79b9_7f4a_7c15), !sent];
        let sqe = if wide { Sqe::nop32(extra) } else { Sqe::nop() };
        ring.push(sqe.user_data(sent)).unwrap();
        let seen = complete(&mut ring, 1);
        assert_eq!(seen.len(), 1, "a filler must not be delivered");
        assert_eq!(seen[0].user_data(), sent);
        assert_eq!(seen[0].extra(), wide.then_some(extra));
        if wide && walked % slots == slots - 1 {
            fillers += 1;
            walked += 1;
        }
        walked += 1 + u32::from(wide);
        sent += 1;
    }
    assert!(
        fillers > 100,
        "only {fillers} fillers in 1000 laps: the wrap was not exercised"
    );
    assert_eq!(ring.dropped_completions(), 0);
}

#[test]
fn overflow_is_seen_and_flushed() {
    for layout in [CqeLayout::Wide, CqeLayout::Mixed] {
        let builder = RingBuilder::new(4).completion_entries(4).layout(layout);
        let Some(mut ring) = common::ring(&builder) else {
            continue;
        };
        for i in 0..12 {
            ring.push(Sqe::nop32([i, 0]).user_data(i)).unwrap();
            ring.submit().unwrap();
        }
        assert!(ring.has_overflow());
        let mut seen = Vec::new();
        while seen.len() < 12 {
            let before = seen.len();
            seen.extend(ring.completions().map(|cqe| cqe.unwrap().user_data()));
            ring.flush_overflow().unwrap();
            assert!(
                seen.len() > before || !ring.has_overflow(),
                "a flush made no progress"
            );
        }
        assert_eq!(seen, (0..12).collect::<Vec<_>>(), "in order, none lost");
        assert!(!ring.has_overflow());
    }
}

#[test]
fn a_wait_ends_by_time() {
    let Some(mut ring) = common::ring(&RingBuilder::new(2)) else {
        return;
    };
    let woken = ring
        .submit_and_wait_for(1, Duration::from_millis(5))
        .unwrap();
    assert_eq!(woken, Woken::TimedOut);
    // With an entry in the same call the kernel reports the entry instead.
    ring.push_timeout(Duration::from_millis(5), 0, 9).unwrap();
    let seen = complete(&mut ring, 1);
    assert_eq!(
        (seen[0].user_data(), seen[0].result()),
        (9, Err(Errno::TIME))
    );
}

#[test]
fn a_wide_completion_counts_as_two_in_a_mixed_queue() {
    for (layout, nops) in [(CqeLayout::Mixed, 1), (CqeLayout::Wide, 2)] {
        let Some(mut ring) = common::ring(&RingBuilder::new(8).layout(layout)) else {
            continue;
        };
        for _ in 0..nops {
            ring.push(Sqe::nop32([0; 2])).unwrap();
        }
        ring.submit().unwrap();
        let woken = ring.submit_and_wait_for(2, LONG).unwrap();
        assert_eq!((woken, ring.completions().count()), (Woken::Returned, nops));
    }
}

#[test]
fn a_full_submission_queue_hands_the_entry_back() {
    let Some(mut ring) = common::ring(&RingBuilder::new(2)) else {
        return;
    };
    for i in 0..2 {
        ring.push(Sqe::nop().user_data(i)).unwrap();
    }
    let full = ring.push(Sqe::nop().user_data(2)).unwrap_err();
    assert_eq!(ring.pending(), 2);
    assert_eq!(ring.submit().unwrap(), 2);
    ring.push(full.0).unwrap();
    let seen: Vec<_> = complete(&mut ring, 3).iter().map(Cqe::user_data).collect();
    assert_eq!(seen, [0, 1, 2]);
}

#[test]
fn accept_send_cancel_and_close() {
    let Some(mut ring) = common::ring(&RingBuilder::new(8)) else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ring.push(Sqe::accept_multishot(listener.as_raw_fd()).user_data(1))
        .unwrap();
    ring.submit().unwrap();
    let mut peers = Vec::new();
    for _ in 0..3 {
        peers.push(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        let seen = complete(&mut ring, 1);
        assert!(seen[0].more(), "accept stays armed");
        let fd = seen[0].result().unwrap() as i32;
        // SAFETY: the accept completion gives a new descriptor that nothing else owns.
        let accepted = unsafe { Fd::from_raw(fd) };
        let greeting = b"hello";
        // SAFETY: a static string is readable for ever and never written.
        let send = unsafe { Sqe::send(fd, greeting.as_ptr(), 5) };
        ring.push(send.user_data(2)).unwrap();
        assert_eq!(complete(&mut ring, 1)[0].result(), Ok(5));
        ring.push(Sqe::close(accepted).user_data(3)).unwrap();
        assert_eq!(complete(&mut ring, 1)[0].result(), Ok(0));
        let mut text = String::new();
        peers.last_mut().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello", "sent, then closed");
    }
    ring.push(Sqe::cancel(1).user_data(4)).unwrap();
    let mut seen = complete(&mut ring, 2);
    seen.sort_by_key(Cqe::user_data);
    assert_eq!(
        (seen[0].user_data(), seen[0].result()),
        (1, Err(Errno::CANCELED))
    );
    assert!(!seen[0].more());
    assert_eq!((seen[1].user_data(), seen[1].result()), (4, Ok(0)));
    ring.push(Sqe::cancel(1).user_data(5)).unwrap();
    assert_eq!(complete(&mut ring, 1)[0].result(), Err(Errno::NOENT));
}

#[test]
fn the_descriptor_is_readable_when_completions_are_there() {
    let Some(mut ring) = common::ring(&RingBuilder::new(2)) else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ring.push(Sqe::accept_multishot(listener.as_raw_fd()))
        .unwrap();
    ring.submit().unwrap();
    let fd = ring.as_raw_fd();
    assert!(!readable_within(fd, 0), "nothing yet");
    let _peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert!(readable_within(fd, 10_000), "readable once a peer came");
    assert!(ring.has_task_work());
    let accepted = complete(&mut ring, 1)[0].result().unwrap();
    // SAFETY: the accept completion gives a new descriptor that nothing else owns.
    drop(unsafe { Fd::from_raw(accepted as i32) });
}

#[test]
fn bad_arguments_are_refused_by_name() {
    let cases = [
        (
            RingBuilder::new(0),
            "submission entries must be from 1 to 32768",
        ),
        (
            RingBuilder::new(32769),
            "submission entries must be from 1 to 32768",
        ),
        (
            RingBuilder::new(u32::MAX),
            "submission entries must be from 1 to 32768",
        ),
        (
            RingBuilder::new(4).completion_entries(0),
            "completion entries must be from 1 to 65536",
        ),
        (
            RingBuilder::new(4).completion_entries(65537),
            "completion entries must be from 1 to",
        ),
        (
            RingBuilder::new(4).completion_entries(3),
            "not be fewer than the submission entries",
        ),
    ];
    for (builder, text) in cases {
        let error = builder.build().unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
        assert!(
            error.starts_with("cannot set up a ring (submission entries "),
            "{error}"
        );
    }
    let Some(ring) = common::ring(&RingBuilder::new(1).completion_entries(1)) else {
        return;
    };
    assert_eq!(ring.entries(), 1);
    assert!(ring.completion_entries() <= 2);
}

#[test]
fn a_ring_is_built_on_one_thread_and_owned_by_another() {
    let Some(_) = common::ring(&RingBuilder::new(1)) else {
        return;
    };
    let disabled = RingBuilder::new(4).build_disabled().unwrap();
    std::thread::spawn(move || {
        let mut ring = disabled.enable().unwrap();
        ring.push(Sqe::nop().user_data(5)).unwrap();
        assert_eq!(complete(&mut ring, 1)[0].user_data(), 5);
    })
    .join()
    .unwrap();
}

#[test]
fn a_registered_ring_works_as_before() {
    let Some(mut ring) = common::ring(&RingBuilder::new(8)) else {
        return;
    };
    let number = ring.as_raw_fd();
    for _ in 0..2 {
        ring.register_descriptor().unwrap(); // the second does nothing
        assert_eq!(ring.as_raw_fd(), number);
        assert_eq!(ring.as_ring_fd().as_raw(), number);
        ring.push(Sqe::nop()).unwrap();
        assert_eq!(ring.submit().unwrap(), 1);
        assert_eq!(complete(&mut ring, 1).len(), 1);
        ring.flush_overflow().unwrap();
        let woken = ring.submit_and_wait_for(1, Duration::from_millis(5));
        assert_eq!(woken, Ok(Woken::TimedOut));
    }
}

/// With another file under the ring's number, only the slot still leads to the ring.
#[test]
fn a_registered_ring_is_entered_by_its_slot() {
    let Some(mut ring) = common::ring(&RingBuilder::new(8)) else {
        return;
    };
    ring.register_descriptor().unwrap();
    let number = ring.as_raw_fd();
    let own = ring.as_fd().try_clone_to_owned().unwrap();
    let other = std::fs::File::open("/dev/null").unwrap();
    let replace = |by: RawFd| {
        // SAFETY: takes no pointers. The number is this ring's alone, and gets its own file back below.
        let done = unsafe { libc::dup2(by, number) };
        assert_eq!(done, number);
    };
    replace(other.as_raw_fd());
    ring.push(Sqe::nop()).unwrap();
    let submitted = ring.submit();
    let waited = ring.submit_and_wait_for(1, LONG);
    replace(own.as_raw_fd());
    assert_eq!((submitted, waited), (Ok(1), Ok(Woken::Returned)));
}

#[test]
fn sixteen_rings_of_a_thread_can_be_registered() {
    let Some(_) = common::ring(&RingBuilder::new(1)) else {
        return;
    };
    // A thread of its own has no ring but these.
    let in_a_thread = || {
        let mut rings: Vec<_> = (0..17)
            .map(|_| RingBuilder::new(2).build().unwrap())
            .collect();
        for ring in &mut rings[..16] {
            ring.register_descriptor().unwrap();
        }
        let error = rings[16].register_descriptor().unwrap_err();
        assert_eq!(error.errno(), Some(Errno::BUSY));
        assert!(error.to_string().contains("16 rings"), "{error}");
        rings.swap_remove(3); // makes room for the last, which takes its place here
        rings[3].register_descriptor().unwrap();
        for ring in &mut rings {
            ring.push(Sqe::nop()).unwrap();
            assert_eq!(complete(ring, 1).len(), 1);
        }
    };
    std::thread::spawn(in_a_thread).join().unwrap();
}

/// A ring that is still open holds the files of its requests: a socket's peer sees no end of the stream.
#[test]
fn a_registered_ring_closes_when_it_is_dropped() {
    let Some(mut ring) = common::ring(&RingBuilder::new(8)) else {
        return;
    };
    let (mut peer, socket) = common::pair();
    peer.set_read_timeout(Some(LONG)).unwrap();
    ring.register_descriptor().unwrap();
    let never = libc::POLLPRI as u32;
    ring.push(Sqe::poll_add_multishot(socket.as_raw_fd(), never))
        .unwrap();
    assert_eq!(ring.submit().unwrap(), 1);
    drop(socket);
    let ended = readable_within(peer.as_raw_fd(), 100);
    assert!(!ended, "the ring does not hold the socket");
    drop(ring);
    // Teardown may interrupt a read; this one goes on then.
    assert_eq!(peer.read_to_end(&mut Vec::new()).unwrap(), 0);
}

/// Has a ring that is not enabled yet allow nothing but to be enabled, and no-ops.
fn restrict(disabled: &DisabledRing) {
    let allow = |kind: u32, what: u32| {
        let mut restriction = uapi::io_uring_restriction {
            opcode: kind as u16,
            ..Default::default()
        };
        restriction.__bindgen_anon_1.sqe_op = what as u8;
        restriction
    };
    let mut restrictions = [
        allow(
            uapi::IORING_RESTRICTION_REGISTER_OP,
            uapi::IORING_REGISTER_ENABLE_RINGS,
        ),
        allow(uapi::IORING_RESTRICTION_SQE_OP, uapi::IORING_OP_NOP),
    ];
    // SAFETY: the restrictions are as many as said, and copied by the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_io_uring_register,
            disabled.as_raw_fd(),
            uapi::IORING_REGISTER_RESTRICTIONS,
            restrictions.as_mut_ptr(),
            restrictions.len(),
        )
    };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn a_ring_can_be_restricted_and_what_it_refuses_says_so() {
    let Some(_) = common::ring(&RingBuilder::new(1)) else {
        return;
    };
    let disabled = RingBuilder::new(8).build_disabled().unwrap();
    restrict(&disabled);
    let mut ring = disabled.enable().unwrap();
    let mut refused = vec![
        ring.register_eventfd(0),
        ring.register_eventfd_async(0),
        ring.unregister_eventfd(),
        ring.register_descriptor(),
    ];
    // Kernels that know the call at all look at the restrictions first.
    if common::kernel() >= (6, 9) {
        let how = BusyPoll {
            timeout: Duration::ZERO,
            prefer: false,
            tracking: NapiTracking::Dynamic,
        };
        refused.extend([
            ring.busy_poll(how).map(drop),
            ring.stop_busy_poll(),
            ring.add_napi_id(u32::MAX),
            ring.remove_napi_id(u32::MAX),
        ]);
    }
    for result in refused {
        let error = result.unwrap_err();
        assert_eq!(error.errno(), Some(Errno::ACCES), "{error}");
        let text = error.to_string();
        assert!(text.contains("among its restrictions"), "{text}");
    }
    for (sqe, result) in [(Sqe::cancel_all(), Err(Errno::ACCES)), (Sqe::nop(), Ok(0))] {
        ring.push(sqe).unwrap();
        assert_eq!(complete(&mut ring, 1)[0].result(), result);
    }
}

#[test]
fn mixed_completions_are_used_where_they_are_sound_and_refused_for_buffers_elsewhere() {
    let Some(ring) = common::ring(&RingBuilder::new(4)) else {
        return;
    };
    let sound = mixed_completions_are_sound();
    assert_eq!(
        ring.layout() == CqeLayout::Mixed,
        sound,
        "{:?}",
        ring.layout()
    );
    let Some(mixed) = common::ring(&RingBuilder::new(4).layout(CqeLayout::Mixed)) else {
        return;
    };
    let area = Area::new(1 << 16).unwrap();
    match BufferRing::register(mixed.as_ring_fd(), 0, area, 4096) {
        Ok(_) => assert!(sound),
        Err(error) => {
            assert!(!sound, "{error}");
            assert!(
                error
                    .to_string()
                    .contains("use a ring with the wide layout"),
                "{error}"
            );
        }
    }
}

/// What `mixed_completions_are_sound` tries, on a larger ring and seen from the outside: with a full
/// queue behind a filler, each completion comes once.
#[test]
fn a_full_mixed_queue_repeats_nothing() {
    if !mixed_completions_are_sound() {
        return common::skip_mixed(&"this kernel repeats completions");
    }
    let builder = RingBuilder::new(8)
        .completion_entries(8)
        .layout(CqeLayout::Mixed);
    let Some(mut ring) = common::ring(&builder) else {
        return;
    };
    for fill in 0..8 {
        for i in 0..20 {
            let sqe = if i % 5 == fill % 5 {
                Sqe::nop32([i, i])
            } else {
                Sqe::nop()
            };
            ring.push(sqe.user_data(i)).unwrap();
            ring.submit().unwrap();
        }
        let mut seen = Vec::new();
        while seen.len() < 20 {
            seen.extend(ring.completions().map(|cqe| cqe.unwrap().user_data()));
            ring.flush_overflow().unwrap();
        }
        seen.extend(ring.completions().map(|cqe| cqe.unwrap().user_data()));
        assert_eq!(seen, (0..20).collect::<Vec<_>>());
    }
}
