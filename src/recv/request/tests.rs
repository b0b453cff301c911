use super::*;

const fn data(res: i32) -> Completion {
    Completion {
        res,
        more: true,
        buffer: true,
    }
}

const fn terminal(res: i32) -> Completion {
    Completion {
        res,
        more: false,
        buffer: false,
    }
}

fn end(operation: Operation, completion: Completion) -> Outcome {
    Request::new(operation, None).on_completion(completion)
}

#[test]
fn every_terminal_result_of_zero_copy() {
    let cases = [
        (0, Next::Ended(End::Eof)),
        (-libc::ENOSPC, Next::Rearm(Pause::CqFull)),
        (-libc::ENOMEM, Next::Rearm(Pause::PoolDry)),
        (-libc::EFAULT, Next::Ended(End::ForeignBuffer)),
        (-libc::EPROTONOSUPPORT, Next::Ended(End::NotPlainTcp)),
        (-libc::ECANCELED, Next::Ended(End::Cancelled)),
        (-libc::EINTR, Next::Rearm(Pause::Interrupted)),
        (-libc::EAGAIN, Next::Rearm(Pause::Interrupted)),
        (-libc::ENOTSOCK, Next::Ended(End::Failed(Errno::NOTSOCK))),
        (-libc::EBADF, Next::Ended(End::Failed(Errno::BADF))),
        (-libc::ENOTCONN, Next::Ended(End::Failed(Errno::NOTCONN))),
        (
            -libc::ECONNRESET,
            Next::Ended(End::Failed(Errno::CONNRESET)),
        ),
        (-libc::EINVAL, Next::Ended(End::Failed(Errno::INVAL))),
        (
            i32::MIN,
            Next::Ended(End::Failed(Errno::from_raw(i32::MIN))),
        ),
    ];
    for (res, next) in cases {
        let outcome = end(Operation::ZeroCopy, terminal(res));
        assert_eq!(outcome, Outcome { buffer: None, next }, "res {res}");
        // A wide terminal completion has extra words; they are no buffer all the same.
        let wide = Completion {
            buffer: true,
            ..terminal(res)
        };
        assert_eq!(end(Operation::ZeroCopy, wide).buffer, None, "res {res}");
    }
}

#[test]
fn data_that_cannot_be_reached_ends_the_stream() {
    for (operation, completion) in [
        (
            Operation::ZeroCopy,
            Completion {
                res: 5,
                more: false,
                buffer: true,
            },
        ),
        (
            Operation::ZeroCopy,
            Completion {
                res: 5,
                more: true,
                buffer: false,
            },
        ),
        (
            Operation::Provided,
            Completion {
                res: 5,
                more: true,
                buffer: false,
            },
        ),
    ] {
        let next = Next::Ended(End::Malformed);
        assert_eq!(end(operation, completion), Outcome { buffer: None, next });
    }
}

#[test]
fn the_last_completion_of_a_provided_receive_may_carry_data() {
    let last = Completion {
        res: 7,
        more: false,
        buffer: true,
    };
    let next = Next::Rearm(Pause::Interrupted);
    assert_eq!(
        end(Operation::Provided, last),
        Outcome {
            buffer: Some(7),
            next
        }
    );
    let dry = end(Operation::Provided, terminal(-libc::ENOBUFS));
    assert_eq!(
        dry,
        Outcome {
            buffer: None,
            next: Next::Rearm(Pause::PoolDry)
        }
    );
    // A buffer that was picked for nothing has to go back.
    let eof = end(
        Operation::Provided,
        Completion {
            res: 0,
            more: false,
            buffer: true,
        },
    );
    assert_eq!(
        eof,
        Outcome {
            buffer: Some(0),
            next: Next::Ended(End::Eof)
        }
    );
}

#[test]
fn a_limit_is_told_from_the_end_of_the_stream_by_our_own_count() {
    let mut request = Request::new(Operation::ZeroCopy, Some(100));
    assert_eq!(request.arm(), 100);
    let first = request.on_completion(data(60));
    assert_eq!((first.buffer, first.next), (Some(60), Next::Active));
    let mut short = request;
    assert_eq!(short.on_completion(terminal(0)).next, Next::Ended(End::Eof));
    assert_eq!(request.on_completion(data(40)).next, Next::Active);
    assert_eq!(
        request.on_completion(terminal(0)).next,
        Next::Ended(End::LimitReached)
    );
    assert_eq!(request.received(), 100);
}

#[test]
fn a_paused_request_goes_on_with_what_is_left() {
    let mut request = Request::new(Operation::ZeroCopy, Some(100));
    let _ = request.arm();
    let _ = request.on_completion(data(30));
    let paused = request.on_completion(terminal(-libc::ENOSPC));
    assert_eq!(paused.next, Next::Rearm(Pause::CqFull));
    assert_eq!(request.arm(), 70);
    // Paused with nothing left: a length of 0 would ask the kernel for everything.
    let _ = request.on_completion(data(70));
    let over = request.on_completion(terminal(-libc::ENOMEM));
    assert_eq!(over.next, Next::Ended(End::LimitReached));
}

#[test]
fn a_limit_beyond_32_bits_takes_several_submissions() {
    let limit = (1 << 33) + 5;
    let mut request = Request::new(Operation::ZeroCopy, Some(limit));
    let mut submissions = 0;
    loop {
        let armed = request.arm();
        submissions += 1;
        assert_ne!(armed, 0);
        let mut left = armed;
        while left > 0 {
            let piece = left.min(i32::MAX as u32);
            assert_eq!(request.on_completion(data(piece as i32)).next, Next::Active);
            left -= piece;
        }
        match request.on_completion(terminal(0)).next {
            Next::Rearm(Pause::Interrupted) => {}
            Next::Ended(End::LimitReached) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((submissions, request.received()), (3, limit));
}

#[test]
fn more_than_was_asked_for_is_malformed() {
    let mut request = Request::new(Operation::ZeroCopy, Some(10));
    let _ = request.arm();
    let over = request.on_completion(data(11));
    assert_eq!(over.next, Next::Ended(End::Malformed));
}

#[test]
fn a_limit_is_one_from_the_start() {
    let mut unlimited = Request::new(Operation::Provided, None);
    assert!(!unlimited.is_limited());
    assert_eq!(unlimited.arm(), 0, "all there is");
    let mut limited = Request::new(Operation::Provided, Some(1));
    assert!(limited.is_limited());
    let _ = limited.arm();
    let _ = limited.on_completion(data(1));
    assert!(limited.is_limited(), "also when it is reached");
}

#[test]
fn an_end_says_what_it_was() {
    for (end, words) in [
        (End::Eof, "end of stream"),
        (End::LimitReached, "limit"),
        (End::ForeignBuffer, "another queue"),
        (End::NotPlaced, "dmabuf"),
        (End::NotPlainTcp, "not a plain TCP socket"),
        (End::Cancelled, "cancelled"),
        (End::Failed(Errno::CONNRESET), "ECONNRESET"),
        (End::Malformed, "interface does not have"),
    ] {
        let told = std::format!("{end}");
        assert!(told.contains(words), "{told}");
    }
}

#[cfg(feature = "std")]
#[test]
fn ends_are_errors_of_the_standard_library() {
    use std::io;
    use std::string::ToString;
    let reset = io::Error::from(End::Failed(Errno::CONNRESET));
    assert_eq!(reset.raw_os_error(), Some(libc::ECONNRESET));
    for (end, kind) in [
        (End::Eof, io::ErrorKind::UnexpectedEof),
        (End::Cancelled, io::ErrorKind::ConnectionAborted),
        (End::Malformed, io::ErrorKind::InvalidData),
        (End::LimitReached, io::ErrorKind::Other),
    ] {
        let error = io::Error::from(end);
        assert_eq!((error.kind(), error.to_string()), (kind, end.to_string()));
        assert!(error.get_ref().is_some_and(|inner| inner.is::<End>()));
    }
}
