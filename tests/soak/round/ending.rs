//! The end of a round, and what is then to be so.

use std::sync::atomic::Ordering;
use std::time::Instant;

use zcrx_sys::recv::End;

use super::{Fate, Presence, Round};
use crate::board::{Sent, LONG};
use crate::hand::{Hand, Told};
use crate::partner::{Ask, Say};
use crate::plan::{Close, Options, Over};

/// Chunks that are filled to see that they are there; more take too long.
const MOST_FILLED: u64 = 64;

impl Round<'_> {
    /// Sees that all chunks are back, when no stream is open: by the receiver's own count, and by filling them once
    /// more. A queue's the card may hold.
    pub(super) fn assert_all_back(&mut self) {
        let counters = self.hand.receiver.counters();
        assert!(self.was_shared || counters.outstanding == 0, "{counters:?}");
        let chunks = self.hand.options.chunks * (1 + counters.areas_added);
        if self.board.plan.over != Over::Queue && chunks <= MOST_FILLED {
            self.hand.fill(chunks);
            let grown = self.hand.receiver.counters().areas_added;
            assert_eq!(
                grown, counters.areas_added,
                "it grew, though chunks were to be free"
            );
        }
    }

    /// Ends the round when all streams have ended.
    pub(super) fn end(mut self) -> u64 {
        self.be_alone();
        self.calm();
        for told in self.hand.hand_over(Some(self.listener)) {
            assert!(
                matches!(told, Told::Ended(None, End::Cancelled, _)),
                "{told:?}"
            );
        }
        self.hand.settle();
        self.assert_all_back();
        self.finish()
    }

    /// Ends the round with everything in flight.
    pub(super) fn drop_everything(mut self) -> u64 {
        self.hand = Hand::new(
            Options::spare(),
            &self.board,
            self.board.plan.options,
            &self.crew.keepers,
        );
        for partner in 0..self.partners.len() {
            self.part(partner, Ask::Vanish);
        }
        let start = Instant::now();
        while self
            .partners
            .iter()
            .any(|&presence| presence != Presence::Away)
        {
            assert!(start.elapsed() < LONG, "a partner does not end");
            for (which, partner) in self.crew.partners.iter().enumerate() {
                let left = |say| matches!(say, Say::Left(_));
                if partner.says.try_iter().any(left) {
                    self.partners[which] = Presence::Away;
                }
                partner.returned.try_iter().for_each(drop);
            }
            std::thread::yield_now();
        }
        self.calm();
        self.hand.settle();
        for fate in self.fates.iter_mut().filter(|fate| fate.is_none()) {
            *fate = Some(Fate::Lost);
        }
        self.finish()
    }

    fn calm(&self) {
        if let Some(card) = &self.crew.card {
            card.calm();
        }
    }

    fn finish(self) -> u64 {
        let Self {
            crew,
            board,
            hand,
            started,
            fates,
            ..
        } = self;
        drop(hand);
        board.wait_for_senders(started);
        if let Some(card) = &crew.card {
            card.wait_until_empty();
        }
        for (index, fate) in fates.into_iter().enumerate().take(started) {
            let stream = &board.streams[index];
            let sent = stream
                .outcome
                .lock()
                .unwrap()
                .clone()
                .expect("it has ended");
            let close = board.plan.streams[index].close;
            let answer = Sent::Answered(board.plan.streams[index].len);
            let agreed = match fate.expect("all have ended") {
                Fate::Whole => {
                    sent == if close == Close::Half {
                        answer
                    } else {
                        Sent::Whole
                    }
                }
                Fate::Reset => sent == Sent::Reset,
                Fate::GivenUp | Fate::Lost | Fate::Foreign => true,
            };
            assert!(
                agreed,
                "stream {index} ended {fate:?}, for its sender {sent:?}"
            );
            let received = stream.received.load(Ordering::Relaxed);
            assert!(
                received <= stream.sent.load(Ordering::Relaxed),
                "stream {index}"
            );
        }
        let received = board
            .streams
            .iter()
            .map(|stream| stream.received.load(Ordering::Relaxed));
        received.sum()
    }
}
