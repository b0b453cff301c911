//! The steps of a round's plan.

use std::time::Instant;

use super::{Presence, Round};
use crate::board::{Sent, LONG};
use crate::hand::Hand;
use crate::partner::Ask;
use crate::plan::{Action, Options, Over};

impl Round<'_> {
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Pause => self.board.wait_until_stuck(),
            Action::Hoard => self.hand.keep_everything(true),
            Action::Cancel { which, again } => self.cancel(which, again),
            Action::Relisten => drop(self.hand.receiver.cancel(self.listener)),
            Action::Rebuild(options) => self.rebuild(options),
            Action::Join(partner) => self.join(partner),
            Action::Leave(partner) => self.part(partner, Ask::Leave),
            Action::Vanish(partner) => self.part(partner, Ask::Vanish),
            Action::Card(action) => self.crew.card.as_ref().expect("over a queue").order(action),
            Action::Drop => unreachable!("the round is over"),
        }
    }

    fn cancel(&mut self, which: u64, again: bool) {
        let mut open: Vec<_> = self.hand.open.iter_mut().collect();
        open.sort_by_key(|(_, stream)| stream.index);
        if open.is_empty() {
            return;
        }
        let which = (which % open.len() as u64) as usize;
        let (&id, stream) = &mut open[which];
        stream.given_up |= !again;
        assert!(self.hand.receiver.cancel(id));
    }

    /// A reset is sent once: the card can have lost it.
    pub(super) fn give_up_what_was_reset(&mut self) {
        if self.crew.card.is_none() {
            return;
        }
        for partner in 0..self.partners.len() {
            self.part(partner, Ask::Leave);
        }
        for (&id, stream) in &mut self.hand.open {
            let outcome = self.board.streams[stream.index].outcome.lock().unwrap();
            if *outcome == Some(Sent::Reset) && !stream.given_up {
                stream.given_up = true;
                assert!(self.hand.receiver.cancel(id));
            }
        }
    }

    fn join(&mut self, partner: usize) {
        if self.partners[partner] != Presence::Away {
            return;
        }
        let export = self.hand.receiver.export().unwrap();
        let join = Ask::Join(self.board.clone(), export, self.board.plan.options);
        self.crew.partners[partner].ask.send(join).unwrap();
        self.partners[partner] = Presence::Here;
        self.was_shared = true;
    }

    pub(super) fn part(&mut self, partner: usize, how: Ask) {
        if self.partners[partner] == Presence::Here {
            self.crew.partners[partner].ask.send(how).unwrap();
            self.partners[partner] = Presence::Leaving;
        }
    }

    /// Sees off all partners.
    pub(super) fn be_alone(&mut self) {
        for partner in 0..self.partners.len() {
            self.part(partner, Ask::Leave);
        }
        let start = Instant::now();
        while self
            .partners
            .iter()
            .any(|&presence| presence != Presence::Away)
        {
            self.go_on();
            assert!(start.elapsed() < LONG, "a partner does not leave");
        }
        // What came between its last word and the look at what it returned.
        self.go_on();
    }

    fn rebuild(&mut self, options: Options) {
        self.be_alone();
        let board = self.board.clone();
        let told = self.hand.hand_over(Some(self.listener));
        self.hand.settle();
        self.assert_all_back();
        // One after the other: a queue has one receiver.
        drop(std::mem::replace(
            &mut self.hand,
            Hand::new(Options::spare(), &board, options, &[]),
        ));
        let receiver = options.receiver(board.plan.over);
        self.hand = Hand::new(receiver, &board, options, &self.crew.keepers);
        self.was_shared = false;
        if board.plan.over == Over::Queue {
            self.foreign_up_to = self.started;
        }
        for told in told {
            self.hear(told);
        }
    }
}
