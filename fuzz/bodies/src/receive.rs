//! The receive state machine over arbitrary sequences of completions, driven as a receiver drives it. The
//! kernel keeps its own rules on what is in flight, and either the interface's on what it says, or none.

mod kernel;

use zcrx_sys::fuzzing::{after, Action, Phase};
use zcrx_sys::recv::{Completion, End, Next, Operation, Pause, Request};
use zcrx_sys::Errno;

use self::kernel::Kernel;
use crate::input::Input;
use crate::Seed;

/// One socket, as the receiver keeps it, and what came of it.
struct Socket {
    request: Request,
    limit: Option<u64>,
    phase: Phase,
    /// What was handed out.
    buffers: u64,
    bytes: u64,
    ended: Option<End>,
}

impl Socket {
    fn submit(&mut self, kernel: &mut Kernel) {
        let left = self.limit.map(|limit| limit.saturating_sub(self.bytes));
        let len = self.request.arm();
        match left {
            None => assert_eq!(len, 0, "no limit"),
            Some(left) => assert_eq!(
                u64::from(len),
                left.min(u32::MAX.into()),
                "what is left of the limit"
            ),
        }
        assert!(left.is_none() || len > 0, "0 would ask for everything");
        kernel.submit(len);
        self.phase = Phase::Active;
    }

    fn on_completion(&mut self, completion: Completion, kernel: &Kernel) {
        let before = self.request;
        let outcome = self.request.on_completion(completion);
        if let Some(len) = outcome.buffer {
            assert_eq!(len, completion.res.max(0) as u32);
            self.buffers += 1;
            self.bytes += u64::from(len);
        }
        assert_eq!(
            (self.buffers, self.bytes),
            (kernel.buffers, kernel.delivered),
            "each buffer once"
        );
        assert_eq!(self.request.received(), self.bytes);
        let exceeded = self.limit.is_some_and(|limit| self.bytes > limit);
        let had = self.limit.is_some_and(|limit| before.received() > limit);
        if exceeded && !had {
            assert_eq!(
                outcome.next,
                Next::Ended(End::Malformed),
                "more than was asked for"
            );
        }
        let lost = completion.res > 0 && outcome.buffer.is_none();
        if lost {
            assert_eq!(
                outcome.next,
                Next::Ended(End::Malformed),
                "a hole in the stream"
            );
        }
        let action = after(self.phase, outcome.next, completion.more);
        if kernel.honest {
            self.expect(completion, outcome.next, kernel.satisfied);
        }
        self.act(action, completion.more, lost || exceeded);
    }

    /// What an honest completion means, from the interface alone.
    fn expect(&self, completion: Completion, next: Next, satisfied: bool) {
        let full = self.limit == Some(self.bytes);
        let failed = (completion.res < 0).then(|| Errno::from_raw(completion.res.wrapping_neg()));
        let expected = match failed {
            _ if completion.more => Next::Active,
            _ if full => Next::Ended(End::LimitReached),
            Some(Errno::NOSPC) => Next::Rearm(Pause::CqFull),
            Some(Errno::NOMEM) | Some(Errno::NOBUFS) => Next::Rearm(Pause::PoolDry),
            Some(Errno::INTR) | Some(Errno::AGAIN) => Next::Rearm(Pause::Interrupted),
            Some(Errno::FAULT) => Next::Ended(End::ForeignBuffer),
            Some(Errno::PROTONOSUPPORT) => Next::Ended(End::NotPlainTcp),
            Some(Errno::CANCELED) => Next::Ended(End::Cancelled),
            Some(errno) => Next::Ended(End::Failed(errno)),
            // All that one submission can ask for was delivered, and more is wanted.
            None if satisfied => Next::Rearm(Pause::Interrupted),
            None if completion.res == 0 => Next::Ended(End::Eof),
            None => Next::Rearm(Pause::Interrupted),
        };
        assert_eq!(next, expected, "{completion:?}");
    }

    /// Does as a receiver does. No request is forgotten: the socket waits for the kernel exactly if the kernel
    /// has a request of it.
    fn act(&mut self, action: Action, more: bool, spoiled: bool) {
        let cancelled = matches!(self.phase, Phase::Cancelling);
        match action {
            Action::Nothing => assert!(more, "nobody would ever hear of it again"),
            Action::Pause(pause) => {
                assert!(!more, "the kernel still has the request");
                assert!(!cancelled, "the caller wants no more of it");
                self.phase = Phase::Paused(pause);
            }
            Action::CancelAndEnd(end) => {
                assert!(more, "there is nothing to cancel");
                self.phase = Phase::Ending(end);
            }
            Action::End(end) => {
                assert!(!more, "the kernel still has the request");
                let restarted = matches!(self.phase, Phase::Restarting);
                assert!(!restarted || end != End::Cancelled, "it was to go on");
                self.ended = Some(end);
            }
        }
        let fatal = matches!(self.phase, Phase::Ending(End::Malformed));
        assert!(
            !spoiled || fatal || self.ended.is_some(),
            "the stream has a hole, and goes on"
        );
        assert!(!fatal || self.ended.is_none() || self.ended == Some(End::Malformed));
    }

    /// As the receiver's own cancel(), and its restart of what has stalled.
    fn cancel(&mut self, restart: bool) {
        match self.phase {
            Phase::Active if restart => self.phase = Phase::Restarting,
            Phase::Active | Phase::Restarting if !restart => self.phase = Phase::Cancelling,
            Phase::Paused(_) if !restart => self.ended = Some(End::Cancelled),
            _ => {}
        }
    }
}

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let setup = input.u8();
    let operation = [Operation::ZeroCopy, Operation::Provided][usize::from(setup & 1)];
    let limit = match setup >> 2 & 3 {
        0 => None,
        1 => Some(u64::from(input.u16()) + 1),
        2 => Some(u64::from(input.edge()).max(1)),
        _ => Some(u64::from(input.edge()) << 4 | 1),
    };
    let mut kernel = Kernel {
        operation,
        honest: setup & 2 == 0,
        flight: None,
        satisfied: false,
        delivered: 0,
        buffers: 0,
    };
    let mut socket = Socket {
        request: Request::new(operation, limit),
        limit,
        phase: Phase::Paused(Pause::Interrupted),
        buffers: 0,
        bytes: 0,
        ended: None,
    };
    while !input.is_empty() && socket.ended.is_none() {
        let in_kernel = !matches!(socket.phase, Phase::Paused(_));
        assert_eq!(in_kernel, kernel.flight.is_some(), "{:?}", socket.phase);
        match input.u8() {
            what @ 0..=15 => socket.cancel(what & 1 == 0),
            _ if in_kernel => {
                let completion = kernel.complete(&mut input);
                socket.on_completion(completion, &kernel);
            }
            _ => socket.submit(&mut kernel),
        }
    }
    if let Some(End::LimitReached) = socket.ended {
        assert!(limit.is_some_and(|limit| socket.bytes >= limit));
    }
    assert!(!kernel.honest || limit.map_or(true, |limit| socket.bytes <= limit));
}

pub fn seeds() -> Vec<Seed> {
    // Submit or complete; each completion is a kind, and what that takes.
    let go = 16;
    let data = |len: u16| [vec![go, 0], (len - 1).to_le_bytes().to_vec()].concat();
    let error = |n: u8| vec![go, 180 + n];
    let eof = vec![go, 161];
    let limit = 99_u16.to_le_bytes();
    let all_errors: Vec<_> = (0..10)
        .flat_map(|n| [vec![go], error(n)].concat())
        .collect();
    vec![
        (
            "stream",
            [vec![0, go], data(5), data(4096), eof.clone()].concat(),
        ),
        (
            "limit",
            [
                vec![4],
                limit.to_vec(),
                vec![go],
                data(60),
                data(40),
                eof.clone(),
            ]
            .concat(),
        ),
        (
            "paused",
            [
                vec![4],
                limit.to_vec(),
                vec![go],
                data(30),
                error(0),
                vec![go],
                data(70),
            ]
            .concat(),
        ),
        ("errors", [vec![0], all_errors].concat()),
        (
            "cancelled",
            [vec![0, go], data(5), vec![1], data(9), error(7)].concat(),
        ),
        (
            "restarted",
            [
                vec![0, go],
                data(5),
                vec![0],
                error(7),
                vec![go],
                data(5),
                eof,
            ]
            .concat(),
        ),
        (
            "long",
            vec![
                12,
                5 << 5 | 31,
                0,
                go,
                go,
                1,
                0x20,
                1,
                go,
                1,
                0x20,
                1,
                go,
                1,
                0x20,
                1,
                go,
                go,
            ],
        ),
        (
            "provided",
            [vec![1, go], data(5), vec![go, 2, 9, 0, go, go, 160]].concat(),
        ),
        (
            "limit_then_error",
            vec![6, 99, 0, go, go, 4, 100, go, 7, 244, go, go],
        ),
        (
            "anything",
            vec![2, go, go, 0, 1, 0, 0, 0, go, 4, 200, go, 5, 3, go, 7, 1],
        ),
    ]
}
