//! Memory that grows when it runs out, and what a receiver settles for.

use std::io::Write;
use std::time::Duration;

use zcrx_sys::recv::{Event, Pages, Receiver, Source, Wait, Wanted};
use zcrx_sys::zcrx::Area;

mod common;

const PAGE: usize = 4096;

/// Receives and holds everything until the pool is dry and nothing helps; answers how many bytes that was.
fn hold_all(receiver: &mut Receiver) -> u64 {
    let (mut out, incoming) = common::pair();
    out.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    receiver.add(incoming).unwrap();
    let sender = std::thread::spawn(move || {
        let _ = out.write_all(&common::stream(1, 64 * PAGE));
    });
    let (mut held, mut position) = (Vec::new(), 0);
    loop {
        let wait = receiver.wait(Some(Duration::from_secs(20))).unwrap();
        while let Some(event) = receiver.next_event() {
            let Event::Data { chunk, .. } = event else {
                panic!("{event:?}")
            };
            assert!(common::is_piece(1, position, receiver.bytes(&chunk)));
            position += u64::from(chunk.len());
            held.push(chunk);
        }
        if wait == Wait::Starved {
            break;
        }
    }
    for chunk in held {
        receiver.recycle(chunk).unwrap();
    }
    // The rest is not waited for.
    drop(sender);
    position
}

#[test]
fn a_pool_that_runs_dry_grows_up_to_its_limit() {
    let builder = || Receiver::builder().area_len(8 * PAGE);
    let Some(mut receiver) = common::receiver(builder(), Source::NoDevice) else {
        return;
    };
    let fixed = hold_all(&mut receiver);
    assert_eq!(receiver.counters().areas_added, 0);
    let growing = builder().grow_to(33 * PAGE as u64);
    let Some(mut receiver) = common::receiver(growing, Source::NoDevice) else {
        return;
    };
    let grown = hold_all(&mut receiver);
    if common::kernel() < (7, 3) {
        assert_eq!(grown, fixed);
        let [fallback] = receiver.fallbacks() else {
            panic!("{:?}", receiver.fallbacks())
        };
        assert_eq!(fallback.wanted, Wanted::Area(8 * PAGE));
        assert!(fallback.to_string().contains("7.3"), "{fallback}");
        return;
    }
    assert_eq!(
        receiver.counters().areas_added,
        3,
        "8 pages and three times as many make 32"
    );
    assert!(grown > 2 * fixed, "{grown} bytes, {fixed} without growing");
    assert!(
        receiver.fallbacks().is_empty(),
        "{:?}",
        receiver.fallbacks()
    );
}

#[test]
fn preferred_chunks_that_cannot_be_had_are_told_of() {
    let builder = Receiver::builder().prefer_chunk_len(32 << 10);
    let Some(receiver) = common::receiver(builder, Source::NoDevice) else {
        return;
    };
    // Without a device there are no chunks but pages, whatever the area is made of.
    let tried: Vec<_> = receiver
        .fallbacks()
        .iter()
        .map(|fallback| fallback.wanted)
        .collect();
    let chunks = |pages| Wanted::Chunks {
        len: 32 << 10,
        pages,
    };
    assert_eq!(tried, [chunks(Pages::Huge), chunks(Pages::Transparent)]);
    for fallback in receiver.fallbacks() {
        assert!(
            fallback
                .to_string()
                .starts_with("not chunks of 32768 bytes in"),
            "{fallback}"
        );
    }
}

#[test]
fn a_receiver_over_the_callers_area() {
    let area = || Area::new(64 * PAGE).unwrap();
    let error = Receiver::builder()
        .source(Source::Buffers)
        .build_over(area())
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("only zero-copy receive takes an area"),
        "{error}"
    );
    if common::kernel() < (7, 1) {
        return common::skip((7, 1), &"no zero-copy receive without a device");
    }
    let mut receiver = match Receiver::builder().build_over(area()) {
        Ok(receiver) => receiver,
        Err(error) => return common::skip((7, 1), &error),
    };
    assert_eq!(receiver.source(), Source::NoDevice);
    assert!(hold_all(&mut receiver) > 0);
}
