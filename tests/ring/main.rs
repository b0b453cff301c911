//! The ring on the running kernel: layouts, fillers, waiting, overflow, and each kind of entry.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use zcrx_sys::ring::{Cqe, CqeLayout, QueueFull, Ring, RingBuilder, Sqe, Woken};
use zcrx_sys::uapi;
use zcrx_sys::{Errno, Fd};

#[path = "../common/mod.rs"]
mod common;
mod mixed;
mod refused;
mod registered;

use common::rings::readable_within;

/// Runs until `count` completions arrived, and returns them in order.
fn complete(ring: &mut Ring, count: usize) -> Vec<Cqe> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let _ = ring.submit_and_wait(1).unwrap();
        seen.extend(ring.completions().map(|cqe| cqe.expect("well-formed")));
    }
    seen
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
fn all_requests_of_a_descriptor_are_cancelled_and_no_others() {
    let Some(mut ring) = common::ring(&RingBuilder::new(8)) else {
        return;
    };
    let (quiet, other) = (common::pair(), common::pair());
    for (fd, user_data) in [(&quiet.1, 1), (&quiet.1, 2), (&other.1, 3)] {
        let poll = Sqe::poll_add_multishot(fd.as_raw_fd(), libc::POLLIN as u32);
        ring.push(poll.user_data(user_data)).unwrap();
    }
    ring.push(Sqe::cancel_fd(quiet.1.as_raw_fd()).user_data(9))
        .unwrap();
    let mut ended = Vec::new();
    while ended.len() < 3 {
        ended.extend(
            complete(&mut ring, 1)
                .iter()
                .map(|cqe| (cqe.user_data(), cqe.result())),
        );
    }
    ended.sort_by_key(|&(user_data, _)| user_data);
    let cancelled = Err(Errno::CANCELED);
    assert_eq!(ended, [(1, cancelled), (2, cancelled), (9, Ok(2))]);
}

#[test]
fn entries_filled_by_hand_are_pushed_or_handed_back() {
    let Some(mut ring) = common::ring(&RingBuilder::new(2)) else {
        return;
    };
    for user_data in 0..u64::from(ring.entries()) {
        let raw = Sqe::nop().user_data(user_data).into_raw();
        // SAFETY: a NOP names nothing.
        assert!(unsafe { ring.push_raw(raw) }.is_ok());
    }
    let raw = Sqe::nop().user_data(7).into_raw();
    // SAFETY: as above.
    let Err(QueueFull(refused)) = (unsafe { ring.push_raw(raw) }) else {
        panic!("it was taken")
    };
    assert_eq!(refused.user_data, 7);
    let seen: Vec<_> = complete(&mut ring, 2)
        .iter()
        .map(|cqe| cqe.user_data())
        .collect();
    assert_eq!(seen, [0, 1]);
}

/// Every kernel that this crate runs on maps both rings at once, and tells how many completions it kept back.
#[test]
fn features_are_those_of_the_kernel() {
    let Some(ring) = common::ring(&RingBuilder::new(2)) else {
        return;
    };
    let (map, keep) = (uapi::IORING_FEAT_SINGLE_MMAP, uapi::IORING_FEAT_NODROP);
    assert_eq!(ring.features() & (map | keep), map | keep);
}
