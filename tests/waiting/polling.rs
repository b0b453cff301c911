//! A receiver that is polled: with waits that have no time.

use std::io::Write;
use std::time::{Duration, Instant};

use zcrx_sys::recv::{Event, Receiver, Source, Wait};

use super::common;

fn a_wait_without_time_tells_what_is_there(source: Source) {
    let Some(mut receiver) = common::receiver(Receiver::builder(), source) else {
        return;
    };
    let (mut out, incoming) = common::pair();
    receiver.add(incoming).unwrap();
    for _ in 0..1000 {
        assert_eq!(receiver.wait(Some(Duration::ZERO)).unwrap(), Wait::TimedOut);
        assert!(receiver.next_event().is_none());
    }
    out.write_all(b"hello").unwrap();
    let start = Instant::now();
    let chunk = loop {
        let waited = receiver.wait(Some(Duration::ZERO)).unwrap();
        match receiver.next_event() {
            Some(Event::Data { chunk, .. }) => {
                assert_eq!(waited, Wait::Ready);
                break chunk;
            }
            None => assert!(start.elapsed() < Duration::from_secs(20), "nothing came"),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(receiver.bytes(&chunk), b"hello");
    receiver.recycle(chunk).unwrap();
    assert_eq!(receiver.wait(Some(Duration::ZERO)).unwrap(), Wait::TimedOut);
}

#[test]
fn a_wait_without_time_tells_what_is_there_of_buffers() {
    a_wait_without_time_tells_what_is_there(Source::Buffers);
}

#[test]
fn a_wait_without_time_tells_what_is_there_without_a_device() {
    a_wait_without_time_tells_what_is_there(Source::NoDevice);
}
