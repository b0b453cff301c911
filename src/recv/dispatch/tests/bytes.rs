//! What is taken as bytes at once, and what has to be looked at.

use super::*;
use crate::uapi::IORING_CQE_F_BUFFER;

#[test]
fn what_came_counts_towards_the_limit() {
    let mut own = setup();
    let request = Request::new(Operation::ZeroCopy, Some(5));
    let id = own.active(Role::Stream(request));
    for payload in [&b"two"[..], b"to"] {
        let chunk = chunk(own.packet(id, payload));
        own.recycle(chunk).unwrap();
    }
    assert!(own.terminal(id, 0).is_none());
    assert_eq!(own.ended(), Some((id, End::LimitReached)));
}

/// A listener's completion counts no bytes, whatever its result.
#[test]
fn only_what_carries_bytes_is_taken_as_such() {
    let mut own = setup();
    let (stream, listener) = (own.stream(), own.active(Role::Listener));
    let data = |id: SocketId, res, flags| Cqe::wide(id.user_data(), res, flags, [0; 2]);
    for cqe in [
        data(listener, 5, IORING_CQE_F_MORE),
        data(stream, 5, 0),
        data(stream, 0, IORING_CQE_F_MORE),
        data(stream, -1, IORING_CQE_F_MORE),
        Cqe::narrow(stream.user_data(), 5, IORING_CQE_F_MORE),
        Cqe::wide(NOTIFIED, 5, IORING_CQE_F_MORE, [0; 2]),
    ] {
        assert_eq!(own.take_bytes(&cqe), None, "{cqe:?}");
    }
    assert_eq!(own.counters().chunks, 0);
    let (_, chunk) = own.take_bytes(&data(stream, 5, IORING_CQE_F_MORE)).unwrap();
    assert_eq!((chunk.len(), own.counters().bytes), (5, 5));
    let request = own.table.receiving(stream).unwrap();
    assert_eq!(request.received(), 5);
}

/// A receiver over provided buffers, with a stream whose request is in the kernel.
fn provided(limit: Option<u64>) -> (Receiver, SocketId) {
    let mut receiver = Receiver::builder().source(Source::Buffers).build().unwrap();
    let id = receiver.table.insert(Socket {
        fd: Fd::duplicate(2).unwrap(),
        role: Role::Stream(Request::new(Operation::Provided, limit)),
        phase: Phase::Active,
        looked_at: 0,
    });
    (receiver, id)
}

/// The last completion of a request over provided buffers can carry one, too, and one can carry nothing in it.
#[test]
fn provided_buffers_that_need_a_decision_are_told_apart() {
    let (mut receiver, id) = provided(None);
    let completion = |res, flags| Cqe::narrow(id.user_data(), res, IORING_CQE_F_BUFFER | flags);
    assert_eq!(receiver.take_bytes(&completion(5, 0)), None);
    assert_eq!(receiver.take_bytes(&completion(0, IORING_CQE_F_MORE)), None);
    let taken = receiver.take_bytes(&completion(5, IORING_CQE_F_MORE));
    assert_eq!(taken.unwrap().1.len(), 5);
    receiver.table.remove(id);
}

#[test]
fn bytes_come_before_the_end_that_they_came_with() {
    let (mut receiver, id) = provided(Some(5));
    let last = Cqe::narrow(id.user_data(), 5, IORING_CQE_F_BUFFER);
    receiver.on_entry(Ok(last));
    assert_eq!(chunk(receiver.next_event()).len(), 5);
    let end = receiver.next_event();
    assert!(
        matches!(
            end,
            Some(Event::Ended {
                end: End::LimitReached,
                ..
            })
        ),
        "{end:?}"
    );
}
