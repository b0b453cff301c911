//! Every argument of a receiver's builder at its extremes: each is taken, or refused in the caller's terms. What
//! the other builders refuse is tested beside them.

use std::time::Duration;

use zcrx_sys::recv::{Pages, Receiver, ReceiverBuilder, Source, Wait};
use zcrx_sys::ring::{BusyPoll, CqeLayout, NapiTracking};
use zcrx_sys::zcrx::{RefillRegion, HUGE_PAGE};

mod common;

const PAGE: usize = 4096;

/// Builds over `source`; a receiver that can be had must work, and one that cannot must say what was wrong.
fn try_build(builder: ReceiverBuilder, source: Source) {
    let text = format!("{builder:?}");
    match builder.source(source).build() {
        Ok(mut receiver) => {
            let (mut out, incoming) = common::pair();
            receiver.add(incoming).unwrap();
            std::io::Write::write_all(&mut out, b"works").unwrap();
            let waited = receiver.wait(Some(Duration::from_secs(20))).unwrap();
            assert!(
                matches!(waited, Wait::Ready | Wait::Starved),
                "{text}: {waited:?}"
            );
        }
        Err(error) => {
            let text = format!("{text}: {error}");
            assert!(text.contains("cannot ") && text.contains(": "), "{text}");
            assert!(!error.attempt().what.is_empty(), "{text}");
        }
    }
}

#[test]
fn every_option_at_its_extremes() {
    let new = Receiver::builder;
    let mut builders = Vec::new();
    for len in [0, 1, PAGE - 1, PAGE, PAGE + 1, 1 << 20, 1 << 48, usize::MAX] {
        builders.push(new().area_len(len));
        builders.push(new().area_len(len).pages(Pages::Huge));
        builders.push(new().area_len(len).pages(Pages::Transparent));
        builders.push(new().area_len(len).prefer_chunk_len(HUGE_PAGE as u32));
    }
    builders.push(new().area_len((4 << 30) + PAGE)); // mapped at most, never filled
    for len in [0, 1, 4095, 4096, 4097, 8192, 1 << 31, u32::MAX] {
        builders.push(new().chunk_len(len));
        builders.push(new().prefer_chunk_len(len));
        builders.push(new().chunk_len(len).area_len(usize::MAX));
    }
    for entries in [0, 1, 2, 32768, 32769, 65536, 65537, u32::MAX] {
        builders.push(new().completion_entries(entries));
        builders.push(new().refill_entries(entries));
        builders.push(
            new()
                .refill_entries(entries)
                .refill_region(RefillRegion::Kernel),
        );
    }
    for layout in [CqeLayout::Narrow, CqeLayout::Wide, CqeLayout::Mixed] {
        builders.push(new().layout(layout).completion_entries(1));
    }
    for bytes in [0, 1, u64::MAX] {
        builders.push(new().grow_to(bytes));
    }
    for span in [
        Duration::ZERO,
        Duration::from_nanos(1),
        Duration::from_millis(1),
    ] {
        builders.push(new().spin(span).taken_queue_wait(span));
    }
    for chunks in [0, 1, 65536, u32::MAX] {
        for min_wait in [Duration::ZERO, Duration::from_millis(1), Duration::MAX] {
            builders.push(new().batch(chunks, min_wait));
        }
    }
    for timeout in [Duration::ZERO, Duration::from_millis(10), Duration::MAX] {
        let (prefer, tracking) = (false, NapiTracking::Dynamic);
        builders.push(new().busy_poll(BusyPoll {
            timeout,
            prefer,
            tracking,
        }));
    }
    for builder in builders {
        for source in [
            Source::Buffers,
            Source::NoDevice,
            Source::Queue {
                interface: 0,
                queue: 0,
            },
            Source::Queue {
                interface: u32::MAX,
                queue: u32::MAX,
            },
        ] {
            try_build(builder.clone().taken_queue_wait(Duration::ZERO), source);
        }
    }
}

#[test]
fn no_source_is_built_that_cannot_be_registered() {
    let error = Receiver::builder()
        .source(Source::Imported)
        .build()
        .unwrap_err();
    assert!(
        error.to_string().contains("ReceiverBuilder::import"),
        "{error}"
    );
}

#[test]
fn waits_of_any_length_end_when_something_happens() {
    let mut receiver = Receiver::builder().source(Source::Buffers).build().unwrap();
    for timeout in [Duration::ZERO, Duration::from_nanos(1)] {
        assert_eq!(receiver.wait(Some(timeout)).unwrap(), Wait::TimedOut);
    }
    for timeout in [
        Some(Duration::MAX),
        Some(Duration::from_secs(u64::MAX / 2)),
        None,
    ] {
        let (mut out, incoming) = common::pair();
        receiver.add(incoming).unwrap();
        std::io::Write::write_all(&mut out, b"x").unwrap();
        assert_eq!(receiver.wait(timeout).unwrap(), Wait::Ready);
        while receiver.next_event().is_some() {}
    }
}
