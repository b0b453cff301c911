//! Threads that share a receiver's instance for a while, each with a receiver of its own.

use std::sync::mpsc::{channel, Receiver as Inbox, Sender, TryRecvError};
use std::sync::Arc;
use std::time::Duration;

use zcrx_sys::recv::Receiver;
use zcrx_sys::zcrx::{Chunk, Export};
use zcrx_sys::Fd;

use super::board::Board;
use super::hand::{Exchange, Hand, Stream, Told};
use super::keeper::Kept;
use super::plan::Options;

/// What a partner is to do.
pub enum Ask {
    Join(Arc<Board>, Export, Options),
    Take(Stream, Fd),
    /// Hand all streams back.
    Leave,
    /// Drop them and everything else.
    Vanish,
}

/// What a partner says to the receiver's owner.
#[derive(Debug)]
pub enum Say {
    Told(Told),
    /// It has ended, without having ended these streams.
    Left(Vec<Stream>),
}

/// What a partner is reached by, and what it says.
pub struct Partner {
    pub ask: Sender<Ask>,
    pub says: Inbox<Say>,
    pub returned: Inbox<(u64, u64, Chunk)>,
}

impl Partner {
    pub fn start(keepers: Vec<Sender<Kept>>) -> Self {
        let (ask, asked) = channel();
        let (say, says) = channel();
        let (give_back, returned) = channel();
        std::thread::spawn(move || {
            while let Ok(Ask::Join(board, export, options)) = asked.recv() {
                let streams = serve(&board, &export, options, &keepers, &asked, &say, &give_back);
                drop((board, export));
                say.send(Say::Left(streams)).unwrap();
            }
        });
        Self {
            ask,
            says,
            returned,
        }
    }
}

/// Receives until it is told to leave; answers the streams that are lost thereby.
fn serve(
    board: &Arc<Board>,
    export: &Export,
    options: Options,
    keepers: &[Sender<Kept>],
    asked: &Inbox<Ask>,
    say: &Sender<Say>,
    give_back: &Exchange,
) -> Vec<Stream> {
    let receiver = options.apply(Receiver::builder()).import(export).unwrap();
    let mut hand = Hand::new(receiver, board, options, keepers);
    hand.other = Some(give_back.clone());
    loop {
        for told in hand.go_on(Duration::from_millis(5)) {
            say.send(Say::Told(told)).unwrap();
        }
        match asked.try_recv() {
            Ok(Ask::Take(stream, fd)) => hand.take(stream, fd),
            Ok(Ask::Leave) => {
                for told in hand.hand_over(None) {
                    say.send(Say::Told(told)).unwrap();
                }
                hand.let_go();
                return Vec::new();
            }
            Ok(Ask::Vanish) => {
                hand.leave_behind();
                return hand.open.values().copied().collect();
            }
            Ok(Ask::Join(..)) => unreachable!("it has joined"),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => panic!("the round has failed"),
        }
    }
}
