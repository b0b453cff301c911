//! One round: its plan carried out, every byte checked, every stream followed to its end.

use std::collections::VecDeque;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zcrx_sys::recv::{End, SocketId};
use zcrx_sys::{Errno, Fd};

use super::board::{Board, LONG};
use super::card::{self, Card};
use super::common::nic::V4;
use super::common::streams::PORT;
use super::hand::{Hand, Stream, Told};
use super::keeper::Kept;
use super::partner::{Ask, Partner, Say};
use super::peer;
use super::plan::{Action, Close, Over, Plan, Step};

mod acting;
mod ending;

/// The threads that rounds use, which last as long as the process.
pub struct Crew {
    pub peer: Sender<peer::Order>,
    pub keepers: Vec<Sender<Kept>>,
    pub partners: Vec<Partner>,
    pub card: Option<Card>,
}

/// After which time without any movement the next step comes early.
const STILL: Duration = Duration::from_millis(60);
const MOMENT: Duration = Duration::from_millis(5);

/// How a stream went for the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Whole,
    Reset,
    /// Closed before its end, as planned.
    GivenUp,
    /// Dropped with a receiver.
    Lost,
    /// What it had unread lay in the memory of a receiver that is gone.
    Foreign,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Away,
    Here,
    Leaving,
}

struct Round<'a> {
    crew: &'a Crew,
    board: Arc<Board>,
    hand: Hand,
    listener: SocketId,
    address: SocketAddr,
    partners: Vec<Presence>,
    /// Whether the present receiver's instance was ever shared: then it does not know what others returned.
    was_shared: bool,
    steps: VecDeque<Step>,
    started: usize,
    fates: Vec<Option<Fate>>,
    /// Streams before this one may have unread bytes in the memory of a receiver that is gone.
    foreign_up_to: usize,
}

/// Carries out `plan`; answers how many bytes were received.
pub fn run(plan: Plan, crew: &Crew) -> u64 {
    let board = Arc::new(Board::new(plan));
    let mut round = Round::new(&board, crew);
    let mut last = (u64::MAX, 0, Instant::now());
    while round.fates.contains(&None) {
        round.start_what_is_due();
        let now = (board.time(), board.moves.load(Ordering::Relaxed));
        if now != (last.0, last.1) {
            last = (now.0, now.1, Instant::now());
        }
        assert!(last.2.elapsed() < LONG, "nothing moves: {}", round.state());
        let is_still = last.2.elapsed() > STILL;
        if let Some(step) = round
            .steps
            .front()
            .filter(|step| is_still || step.at <= now.0)
        {
            let action = step.action;
            round.steps.pop_front();
            last.2 = Instant::now();
            if matches!(action, Action::Drop) {
                return round.drop_everything();
            }
            round.act(action);
        } else if is_still {
            round.give_up_what_was_reset();
        }
        round.go_on();
    }
    round.end()
}

impl<'a> Round<'a> {
    fn new(board: &Arc<Board>, crew: &'a Crew) -> Self {
        let plan = &board.plan;
        let listener = match plan.over {
            Over::Queue => TcpListener::bind((V4, PORT)),
            _ => TcpListener::bind("127.0.0.1:0"),
        };
        let listener = listener.unwrap();
        let address = listener.local_addr().unwrap();
        let receiver = plan.options.receiver(plan.over);
        let mut hand = Hand::new(receiver, board, plan.options, &crew.keepers);
        Self {
            crew,
            listener: hand.receiver.listen(listener).unwrap(),
            hand,
            address,
            partners: vec![Presence::Away; crew.partners.len()],
            was_shared: false,
            steps: plan.steps.iter().copied().collect(),
            started: 0,
            fates: vec![None; plan.streams.len()],
            foreign_up_to: 0,
            board: board.clone(),
        }
    }

    /// For whoever has to find out what went wrong.
    fn state(&self) -> String {
        let mut text = format!(
            "{:?}, steps {:?}",
            self.hand.receiver.counters(),
            self.steps
        );
        for (index, fate) in self.fates[..self.started].iter().enumerate() {
            if fate.is_none() {
                text += &format!("\n  stream {index}: {:?}", self.board.streams[index]);
            }
        }
        for stream in self.hand.open.values() {
            text += &format!("\n  receiving from {stream:?}");
        }
        if self.crew.card.is_some() {
            text += &card::state();
        }
        text
    }

    fn start_what_is_due(&mut self) {
        let time = self.board.time();
        let streams = &self.board.plan.streams;
        while self.started < streams.len() && streams[self.started].at <= time {
            let order = peer::Order {
                board: self.board.clone(),
                index: self.started,
                to: self.address,
            };
            self.crew.peer.send(order).unwrap();
            self.started += 1;
        }
    }

    /// Handles whatever there is.
    fn go_on(&mut self) {
        for told in self.hand.go_on(MOMENT) {
            self.hear(told);
        }
        for (which, partner) in self.crew.partners.iter().enumerate() {
            for say in partner.says.try_iter() {
                match say {
                    Say::Told(told) => self.hear(told),
                    Say::Left(lost) => {
                        self.partners[which] = Presence::Away;
                        for stream in lost {
                            self.settle_fate(stream, Fate::Lost);
                        }
                    }
                }
            }
            for chunk in partner.returned.try_iter() {
                self.hand.take_back(chunk);
            }
        }
    }

    fn hear(&mut self, told: Told) {
        match told {
            Told::Accepted(connection) => {
                let (stream, fd) = self.hand.identify(connection);
                self.give(stream, fd);
            }
            Told::Ended(None, end, fd) => {
                assert_eq!(end, End::Cancelled, "the listener");
                self.listener = self.hand.receiver.listen(fd).unwrap();
            }
            Told::Ended(Some(stream), end, fd) => self.on_end(stream, end, fd),
        }
    }

    /// Has somebody receive from it: the one it is planned for, or this receiver.
    fn give(&mut self, stream: Stream, fd: Fd) {
        let partner = self.board.plan.streams[stream.index].partner;
        match partner.filter(|&partner| self.partners[partner] == Presence::Here) {
            Some(partner) => self.crew.partners[partner]
                .ask
                .send(Ask::Take(stream, fd))
                .unwrap(),
            None => self.hand.take(stream, fd),
        }
    }

    fn on_end(&mut self, stream: Stream, end: End, fd: Fd) {
        let plan = self.board.plan.streams[stream.index];
        let fate = match end {
            End::Eof => {
                assert_eq!(stream.position, plan.len, "{stream:?}");
                if plan.close == Close::Half {
                    let answer = stream.position.to_le_bytes();
                    TcpStream::from(fd).write_all(&answer).unwrap();
                }
                Fate::Whole
            }
            End::Cancelled | End::LimitReached if !stream.given_up => return self.give(stream, fd),
            End::Cancelled | End::LimitReached => Fate::GivenUp,
            End::Failed(Errno::CONNRESET) if plan.close == Close::Reset => Fate::Reset,
            End::ForeignBuffer if stream.index < self.foreign_up_to => Fate::Foreign,
            end => panic!("{stream:?} ended: {end:?}"),
        };
        self.settle_fate(stream, fate);
    }

    fn settle_fate(&mut self, stream: Stream, fate: Fate) {
        let before = self.fates[stream.index].replace(fate);
        assert_eq!(before, None, "{stream:?} has ended twice");
        self.board.streams[stream.index]
            .ended
            .store(true, Ordering::Relaxed);
    }
}
