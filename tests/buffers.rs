//! Rings of provided buffers by themselves.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use zcrx_sys::recv::BufferRing;
use zcrx_sys::ring::{CqeLayout, RingBuilder, Sqe};
use zcrx_sys::zcrx::{Area, NotData};
use zcrx_sys::Errno;

mod common;

#[test]
fn bad_arguments_are_refused_by_name() {
    let Some(ring) = common::ring(&RingBuilder::new(4).layout(CqeLayout::Narrow)) else {
        return;
    };
    let register = |bytes, buffer_len| {
        BufferRing::register(ring.as_ring_fd(), 3, Area::new(bytes).unwrap(), buffer_len)
    };
    for (bytes, buffer_len, text) in [
        (4096, 0, "buffer bytes must be from 1 to 2147483647"),
        (4096, 1 << 31, "buffer bytes must be from 1 to 2147483647"),
        (4096, 8192, "buffers must be a power of two from 1 to 32768"),
        (
            3 * 4096,
            4096,
            "buffers must be a power of two from 1 to 32768",
        ),
        (1 << 16, 1, "buffers must be a power of two from 1 to 32768"),
    ] {
        let error = register(bytes, buffer_len).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
        assert!(
            error.starts_with("cannot register a ring of provided buffers (group 3, "),
            "{error}"
        );
    }
    let taken = register(1 << 15, 1).unwrap();
    let error = register(4096, 4096).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::EXIST));
    assert!(error.to_string().contains("pick another number"), "{error}");
    drop(taken);
    register(4096, 4096).unwrap();
}

/// A receive that was woken 128 times for nothing moves to a worker thread of the kernel, which picks a buffer
/// and waits for data with its address in hand. Dropping the ring of buffers meanwhile must not let that
/// address become anybody else's memory.
#[test]
fn a_worker_of_the_kernels_never_writes_to_memory_of_somebody_else() {
    const LEN: usize = 8 << 20;
    let Some(mut ring) = common::ring(&RingBuilder::new(8).layout(CqeLayout::Narrow)) else {
        return;
    };
    let area = Area::new(LEN).unwrap();
    let buffers = BufferRing::register(ring.as_ring_fd(), 0, area, 1 << 20).unwrap();
    let (mut out, incoming) = common::pair();
    ring.push(Sqe::recv_provided(incoming.as_raw_fd(), 0, 0))
        .unwrap();
    ring.submit().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !has_worker() {
        if Instant::now() > deadline {
            return common::skip((u32::MAX, 0), &"this kernel moves no receive to a worker");
        }
        // Somebody else takes what the request was woken for.
        out.write_all(b"x").unwrap();
        // SAFETY: one byte at a live local. Without waiting: the request may have been quicker.
        let _ = unsafe {
            let fd = incoming.as_raw_fd();
            libc::recv(fd, [0_u8].as_mut_ptr().cast(), 1, libc::MSG_DONTWAIT)
        };
        let _ = ring
            .submit_and_wait_for(0, Duration::from_millis(1))
            .unwrap();
        let won = ring.completions().next();
        if let Some(won) = won {
            assert_eq!(won.unwrap().result(), Ok(1)); // the request was quicker: once more
            ring.push(Sqe::recv_provided(incoming.as_raw_fd(), 0, 0))
                .unwrap();
        }
    }
    drop(buffers);
    // A mapping of the size that was given up lands in its place, if that is free.
    let others = vec![0_u8; LEN - 4096];
    out.write_all(&[0x41; 5000]).unwrap();
    let _ = ring
        .submit_and_wait_for(1, Duration::from_secs(10))
        .unwrap();
    let result = ring
        .completions()
        .next()
        .expect("the data ends the request")
        .unwrap()
        .result();
    assert!(
        others.iter().all(|&byte| byte == 0),
        "the kernel wrote to memory that is not its own"
    );
    assert!(
        matches!(result, Err(Errno::FAULT | Errno::NOBUFS)),
        "{result:?}"
    );
}

/// Whether the kernel has a worker thread for this process's rings.
fn has_worker() -> bool {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")));
    names.flatten().any(|name| name.starts_with("iou-wrk"))
}

/// The end of a stream, and a piece that finds no buffer, carry none.
#[test]
fn a_completion_without_a_buffer_is_no_data() {
    let Some(mut ring) = common::ring(&RingBuilder::new(8).layout(CqeLayout::Narrow)) else {
        return;
    };
    let area = Area::new(4096).unwrap();
    let buffers = BufferRing::register(ring.as_ring_fd(), 0, area, 4096).unwrap();
    let (mut out, incoming) = common::pair();
    out.write_all(&[1; 5000]).unwrap();
    let mut receive = || {
        ring.push(Sqe::recv_provided(incoming.as_raw_fd(), 0, 0))
            .unwrap();
        let _ = ring.submit_and_wait(1).unwrap();
        ring.completions().next().unwrap().unwrap()
    };
    let first = receive();
    // SAFETY: the completion is that of a receive from this group; taken once.
    let chunk = unsafe { buffers.take(&first) }.unwrap();
    assert_eq!(buffers.bytes(&chunk), [1; 4096]);
    let dry = receive();
    assert_eq!(dry.result(), Err(Errno::NOBUFS));
    // SAFETY: as above.
    assert_eq!(unsafe { buffers.take(&dry) }, Err(NotData::Terminal));
}
