//! A process that runs out of descriptors. One test in a process of its own, because the limit is the process's.

use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use zcrx_sys::recv::{Event, Receiver, Source};

mod common;

fn set_limit(descriptors: u64) {
    let limit = libc::rlimit {
        rlim_cur: descriptors,
        rlim_max: 4096,
    };
    // SAFETY: limit is a live local.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
    assert_eq!(set, 0);
}

#[test]
fn a_listener_outlives_a_shortage_of_descriptors() {
    set_limit(1024);
    let Some(mut receiver) = common::receiver(Receiver::builder(), Source::Buffers) else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    receiver.listen(listener).unwrap();
    let peers: Vec<_> = (0..8)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    // Four connections' worth of descriptors is left.
    let used = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64 - 1;
    set_limit(used + 4);
    let mut accepted = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(20);
    while accepted.len() < peers.len() {
        assert!(
            Instant::now() < deadline,
            "only {} were accepted",
            accepted.len()
        );
        let _ = receiver.wait(Some(Duration::from_millis(50))).unwrap();
        while let Some(event) = receiver.next_event() {
            match event {
                Event::Accepted { connection, .. } => accepted.push(connection),
                other => panic!("the listener did not stay: {other:?}"),
            }
        }
        if receiver.counters().pool_dry > 3 {
            set_limit(1024);
        }
    }
    assert!(
        receiver.counters().pool_dry > 3,
        "it was never told of the shortage"
    );
}
