//! Completions of 16 and 32 bytes in one queue.

use zcrx_sys::recv::BufferRing;
use zcrx_sys::ring::mixed_completions_are_sound;
use zcrx_sys::ring::{CqeLayout, RingBuilder, Sqe, Woken};
use zcrx_sys::zcrx::Area;

use super::common::rings::LONG;
use super::{common, complete};

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
