//! What the kernel runs out of (buffers, completion slots, refill entries), and that nothing is lost by it.

use std::io::Write;
use std::time::{Duration, Instant};

use zcrx_sys::recv::{End, Event, Receiver, Source, Wait};
use zcrx_sys::ring::{mixed_completions_are_sound, CqeLayout};
use zcrx_sys::zcrx::Chunk;

use super::{common, small, transfer, Seen};

over_every_source! {
    an_area_smaller_than_the_transfer_is_enough
    a_completion_queue_of_8_loses_nothing
    the_smallest_completion_queue_goes_on
    a_refill_ring_of_4_loses_nothing
    held_chunks_starve_and_resume
    polling_while_starved_seldom_asks_the_kernel
}

fn an_area_smaller_than_the_transfer_is_enough(source: Source) {
    let Some(mut receiver) = common::receiver(small(source), source) else {
        return;
    };
    transfer(&mut receiver, 3, 2 << 20);
    assert!(
        receiver.counters().pool_dry > 0,
        "the pool never ran dry: {:?}",
        receiver.counters()
    );
}

fn a_completion_queue_of_8_loses_nothing(source: Source) {
    let builder = Receiver::builder().completion_entries(8);
    let Some(mut receiver) = common::receiver(builder, source) else {
        return;
    };
    assert_eq!(receiver.completion_entries(), 8);
    transfer(&mut receiver, 20, 200_000);
    if source == Source::NoDevice {
        assert!(
            receiver.counters().cq_full > 0,
            "never full: {:?}",
            receiver.counters()
        );
    }
}

/// In two slots a mixed queue takes a wide completion only from an even position, and each refusal moves it by one.
fn the_smallest_completion_queue_goes_on(source: Source) {
    let sound = mixed_completions_are_sound();
    let layouts = [None, sound.then_some(CqeLayout::Mixed)];
    for (entries, layout) in [1, 2, 4]
        .into_iter()
        .flat_map(|n| layouts.map(|layout| (n, layout)))
    {
        let mut builder = Receiver::builder().completion_entries(entries);
        if let Some(layout) = layout {
            builder = builder.layout(layout);
        }
        let Some(mut receiver) = common::receiver(builder, source) else {
            return;
        };
        let sockets: Vec<_> = (0..3).map(|_| common::pair()).collect();
        let mut outs = Vec::new();
        for (out, incoming) in sockets {
            receiver.add(incoming).unwrap();
            outs.push(out);
        }
        for out in &mut outs {
            out.write_all(&common::stream(1, 20_000)).unwrap();
        }
        let start = Instant::now();
        while receiver.counters().bytes < 60_000 {
            let stuck = start.elapsed() > Duration::from_secs(20);
            assert!(!stuck, "of {entries}: {:?}", receiver.counters());
            let _ = receiver.wait(Some(Duration::from_secs(1))).unwrap();
            while let Some(event) = receiver.next_event() {
                let Event::Data { chunk, .. } = event else {
                    panic!("{event:?}")
                };
                receiver.recycle(chunk).unwrap();
            }
        }
    }
}

fn a_refill_ring_of_4_loses_nothing(source: Source) {
    let builder = small(source).refill_entries(4);
    let Some(mut receiver) = common::receiver(builder, source) else {
        return;
    };
    // Hold eight chunks at a time and return them at once, twice as many as the ring takes.
    let (mut out, incoming) = common::pair();
    receiver.add(incoming).unwrap();
    let sender = std::thread::spawn(move || out.write_all(&common::stream(1, 1 << 20)).unwrap());
    let (mut held, mut position, mut ended) = (Vec::new(), 0, false);
    while !ended {
        let _ = receiver.wait(Some(Duration::from_secs(20))).unwrap();
        while let Some(event) = receiver.next_event() {
            match event {
                Event::Data { chunk, .. } => held.push(chunk),
                Event::Ended { end, .. } => ended = end == End::Eof,
                other => panic!("{other:?}"),
            }
        }
        if held.len() >= 8 || ended || receiver.counters().pool_dry > 0 {
            for chunk in held.drain(..) {
                for &byte in receiver.bytes(&chunk) {
                    assert_eq!(byte, common::byte(1, position));
                    position += 1;
                }
                receiver.recycle(chunk).unwrap();
            }
        }
    }
    sender.join().unwrap();
    assert_eq!(position, 1 << 20);
    let counters = receiver.counters();
    assert_eq!(counters.outstanding, 0);
    if source == Source::NoDevice {
        assert!(
            counters.refill_full > 0 && counters.flushes > 0,
            "{counters:?}"
        );
    }
}

fn held_chunks_starve_and_resume(source: Source) {
    let Some(mut receiver) = common::receiver(small(source), source) else {
        return;
    };
    let (mut out, incoming) = common::pair();
    receiver.add(incoming).unwrap();
    let sender = std::thread::spawn(move || out.write_all(&common::stream(2, 1 << 20)).unwrap());
    let mut held: Vec<Chunk> = Vec::new();
    let mut starved = 0;
    // No chunk goes back until the receiver has said three times that it starves.
    while starved < 3 {
        match receiver.wait(Some(Duration::from_secs(20))).unwrap() {
            Wait::Starved => starved += 1,
            Wait::TimedOut => panic!("a starved receiver must say so"),
            Wait::Ready | Wait::Interrupted => {}
        }
        while let Some(event) = receiver.next_event() {
            let Event::Data { chunk, .. } = event else {
                panic!("{event:?}")
            };
            held.push(chunk);
        }
    }
    assert_eq!(receiver.counters().outstanding, held.len() as u64);
    assert!(held.len() >= 8, "only {} buffers were used", held.len());
    let mut got: Vec<u8> = Vec::new();
    for chunk in &held {
        got.extend_from_slice(receiver.bytes(chunk));
    }
    // Returned in another order than they came.
    while let Some(chunk) = held.pop() {
        receiver.recycle(chunk).unwrap();
    }
    let mut seen = Seen::default();
    seen.run(&mut receiver, |seen| !seen.ends.is_empty());
    sender.join().unwrap();
    got.extend(seen.bytes.into_values().next().unwrap());
    assert!(got == common::stream(2, 1 << 20), "bytes differ");
}

/// Whoever polls would otherwise have it refuse a request with each call.
fn polling_while_starved_seldom_asks_the_kernel(source: Source) {
    let Some(mut receiver) = common::receiver(small(source), source) else {
        return;
    };
    let (mut out, incoming) = common::pair();
    receiver.add(incoming).unwrap();
    let sender = std::thread::spawn(move || out.write_all(&common::stream(3, 1 << 20)).unwrap());
    let mut held: Vec<Chunk> = Vec::new();
    let mut poll = |receiver: &mut Receiver, timeout| {
        let waited = receiver.wait(Some(timeout)).unwrap();
        while let Some(event) = receiver.next_event() {
            let Event::Data { chunk, .. } = event else {
                panic!("{event:?}")
            };
            held.push(chunk);
        }
        waited
    };
    while poll(&mut receiver, Duration::from_secs(20)) != Wait::Starved {}
    let (before, start, mut polls) = (receiver.counters().pool_dry, Instant::now(), 0);
    while polls < 2000 || start.elapsed() < Duration::from_millis(20) {
        polls += 1;
        let _ = poll(&mut receiver, Duration::ZERO);
    }
    let (tries, took) = (receiver.counters().pool_dry - before, start.elapsed());
    assert!(tries > 0, "none in {took:?}");
    assert!(
        u128::from(tries) <= took.as_millis() + 2,
        "{tries} in {took:?}, {polls} polls"
    );
    for chunk in held {
        receiver.recycle(chunk).unwrap();
    }
    let mut seen = Seen::default();
    seen.run(&mut receiver, |seen| !seen.ends.is_empty());
    sender.join().unwrap();
}

/// Kernel 7.1 forgets a request that ran out of completion slots, or of buffers, after it had delivered some: the
/// data stays in the socket, and nothing comes. (7.3 does not, nor does a 7.2 with the repair.)
#[test]
fn a_stalled_request_is_found_and_started_again() {
    let builder = Receiver::builder()
        .completion_entries(8)
        .area_len(16 * 4096);
    let Some(mut receiver) = common::receiver(builder, Source::NoDevice) else {
        return;
    };
    // The last bytes of a stream are what nothing comes after to wake the request.
    for _ in 0..10 {
        transfer(&mut receiver, 4, 300_000);
    }
    let stalls = receiver.counters().stalls;
    match common::kernel() {
        (7, 1) => assert!(stalls > 0, "{:?}", receiver.counters()),
        (7, 2) => {}
        _ => assert_eq!(stalls, 0, "{:?}", receiver.counters()),
    }
}
