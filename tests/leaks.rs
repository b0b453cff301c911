//! Nothing is left behind: no descriptor, no mapping and no address, whether things worked or were refused.
//! One test in a process of its own, because it counts what the process has.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use zcrx_sys::recv::{Event, Receiver, Source};
use zcrx_sys::ring::{CqeLayout, RingBuilder};
use zcrx_sys::zcrx::{Area, Device, Ifq};

mod common;

/// Open descriptors and mappings of this process, and the pages of addresses that these take: ranges without
/// memory lie side by side, and so look like one mapping.
fn count() -> (usize, usize, usize) {
    let fds = std::fs::read_dir("/proc/self/fd").unwrap().count();
    let maps = std::fs::read_to_string("/proc/self/maps")
        .unwrap()
        .lines()
        .count();
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages = statm.split(' ').next().unwrap().parse().unwrap();
    (fds, maps, pages)
}

/// Accepts more connections than the completion queue holds, and drops all with most of them in the kernel.
fn drop_with_accepts_that_overflow() {
    let builder = Receiver::builder()
        .source(Source::Buffers)
        .completion_entries(2);
    let mut receiver = builder.build().unwrap();
    let mut peers = Vec::new();
    for _ in 0..8 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        receiver.listen(listener).unwrap();
        peers.extend([(); 2].map(|()| TcpStream::connect(address).unwrap()));
    }
    let _ = receiver.wait(Some(Duration::from_secs(20))).unwrap();
    let _ = receiver.wait(Some(Duration::from_secs(20))).unwrap();
}

fn everything_once() {
    drop_with_accepts_that_overflow();
    let layouts = [None, Some(CqeLayout::Wide), Some(CqeLayout::Mixed)];
    for source in [
        Source::Buffers,
        Source::NoDevice,
        Source::Queue {
            interface: 1,
            queue: 0,
        },
    ] {
        for layout in layouts {
            let mut builder = Receiver::builder().source(source).area_len(1 << 20);
            if let Some(layout) = layout {
                builder = builder.layout(layout);
            }
            let Ok(mut receiver) = builder.build() else {
                continue;
            };
            let (mut out, incoming) = common::pair();
            receiver.add(incoming).unwrap();
            let (_held_open, idle) = common::pair();
            receiver.add(idle).unwrap();
            out.write_all(&common::stream(1, 100_000)).unwrap();
            let _ = receiver.wait(Some(Duration::from_secs(20))).unwrap();
            while let Some(event) = receiver.next_event() {
                match event {
                    Event::Data { chunk, .. } => receiver.recycle(chunk).unwrap(),
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    let ring = RingBuilder::new(8).build().unwrap();
    for device in [
        Device::None,
        Device::Queue {
            interface: 1,
            queue: 0,
        },
    ] {
        let builder = Ifq::builder(device).refill_entries(0);
        assert!(builder
            .register(ring.as_ring_fd(), Area::new(4096).unwrap())
            .is_err());
    }
    let _ = RingBuilder::new(8).build_disabled().unwrap();
}

#[test]
fn nothing_is_left_behind() {
    let Some(_) = common::ring(&RingBuilder::new(8)) else {
        return;
    };
    // The first rounds settle what the process maps once: heaps, locale, thread stacks.
    for _ in 0..3 {
        everything_once();
    }
    let before = count();
    for _ in 0..30 {
        everything_once();
    }
    let after = count();
    assert_eq!(after.0, before.0, "descriptors");
    assert!(
        after.1 <= before.1 + 2,
        "mappings: {} before, {} after",
        before.1,
        after.1
    );
    // Buffers that the kernel did not let go of in time keep theirs; if all did, it would be five times as many.
    assert!(
        after.2 <= before.2 + (64 << 20) / 4096,
        "pages: {} before, {} after",
        before.2,
        after.2
    );
}
