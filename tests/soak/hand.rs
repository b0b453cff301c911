//! One receiver, and what its owner does with what arrives: checks it, keeps it, passes it on.

use std::collections::HashMap;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zcrx_sys::recv::{End, Event, Receiver, SocketId, Wait};
use zcrx_sys::zcrx::Chunk;
use zcrx_sys::Fd;

use super::board::{Board, LONG};
use super::common;
use super::keeper::Kept;
use super::plan::Options;
use super::random::Random;

/// A stream on its way from one receiver to another.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    pub index: usize,
    pub position: u64,
    /// Whether it is to be closed when it has ended, rather than received from again.
    pub given_up: bool,
    /// Where its limit is reached.
    until: Option<u64>,
}

impl Stream {
    pub fn new(index: usize) -> Self {
        Self {
            index,
            position: 0,
            given_up: false,
            until: None,
        }
    }
}

/// What a receiver had to tell that is not data.
#[derive(Debug)]
pub enum Told {
    Accepted(Fd),
    /// A stream, or the listener.
    Ended(Option<Stream>, End, Fd),
}

/// Chunks that came from elsewhere, and chunks to be returned elsewhere.
pub type Exchange = Sender<(u64, u64, Chunk)>;

pub struct Hand {
    pub receiver: Receiver,
    pub open: HashMap<SocketId, Stream>,
    board: Arc<Board>,
    pub options: Options,
    random: Random,
    /// With the seed of the stream and the position in it.
    kept: Vec<(u64, u64, Chunk)>,
    keeps_everything: bool,
    keepers: Vec<Sender<Kept>>,
    /// Another that shares the instance, and so takes chunks back too.
    pub other: Option<Exchange>,
}

impl Hand {
    pub fn new(
        receiver: Receiver,
        board: &Arc<Board>,
        options: Options,
        keepers: &[Sender<Kept>],
    ) -> Self {
        Self {
            receiver,
            open: HashMap::new(),
            board: board.clone(),
            options,
            random: Random::for_purpose(board.plan.seed, 100),
            kept: Vec::new(),
            keeps_everything: false,
            keepers: keepers.to_vec(),
            other: None,
        }
    }

    /// Receives from a stream.
    pub fn take(&mut self, mut stream: Stream, fd: Fd) {
        let limit = self.board.plan.streams[stream.index].limit;
        stream.until = limit.map(|limit| stream.position + limit);
        let added = match limit {
            Some(limit) => self.receiver.add_limited(fd, limit),
            None => self.receiver.add(fd),
        };
        let id = added.unwrap_or_else(|rejected| panic!("{stream:?}: {rejected}"));
        self.open.insert(id, stream);
    }

    /// The stream that an accepted connection is.
    pub fn identify(&self, connection: Fd) -> (Stream, Fd) {
        let socket = TcpStream::from(connection);
        let index = self.board.stream_from(socket.peer_addr().unwrap().port());
        let progress = &self.board.streams[index];
        let known = progress.accepted.swap(true, Ordering::AcqRel);
        assert!(!known, "stream {index} was accepted twice");
        (
            Stream::new(index),
            Fd::from(std::os::fd::OwnedFd::from(socket)),
        )
    }

    /// Waits for a moment, and handles what is there: answers what is for the caller to handle.
    pub fn go_on(&mut self, moment: Duration) -> Vec<Told> {
        let wait = self.receiver.wait(Some(moment)).unwrap();
        if matches!(wait, Wait::Starved | Wait::TimedOut) {
            self.keep_everything(false);
            self.let_go();
        }
        let mut told = Vec::new();
        while let Some(event) = self.receiver.next_event() {
            match event {
                Event::Data { socket, chunk } => self.on_data(socket, chunk),
                Event::Accepted { connection, .. } => told.push(Told::Accepted(connection)),
                Event::Ended { socket, end, fd } => {
                    let stream = self.open.remove(&socket);
                    if let (Some(stream), End::LimitReached) = (&stream, end) {
                        assert_eq!(Some(stream.position), stream.until, "{stream:?}");
                    }
                    told.push(Told::Ended(stream, end, fd));
                }
                Event::Notified(_) => {}
                other => panic!("{other:?}"),
            }
        }
        told
    }

    fn on_data(&mut self, socket: SocketId, chunk: Chunk) {
        let stream = self
            .open
            .get_mut(&socket)
            .expect("data of a stream that has ended");
        let (index, at) = (stream.index, stream.position);
        let seed = self.board.plan.stream_seed(index);
        let right = common::is_piece(seed, at, self.receiver.bytes(&chunk));
        assert!(
            right,
            "wrong bytes at {at} of stream {index}, of {} bytes",
            chunk.len()
        );
        stream.position += u64::from(chunk.len());
        let past = stream.until.is_some_and(|until| stream.position > until);
        assert!(!past, "more than was asked for: {stream:?}");
        let received = &self.board.streams[index].received;
        received.store(stream.position, Ordering::Relaxed);

        let choice = self.random.below(100);
        if self.keeps_everything || choice < self.options.kept {
            self.kept.push((seed, at, chunk));
            if self.kept.len() as u64 > self.options.most_kept && !self.keeps_everything {
                self.let_go();
            }
        } else if choice < self.options.kept + self.options.owned {
            let keeper = self.random.below(self.keepers.len() as u64) as usize;
            let chunk = self.receiver.own(chunk).unwrap();
            self.keepers[keeper]
                .send(Kept::Chunk(seed, at, chunk))
                .unwrap();
        } else {
            self.give_back(seed, at, chunk);
        }
    }

    fn give_back(&mut self, seed: u64, at: u64, chunk: Chunk) {
        match &self.other {
            Some(other) if self.random.once_in(4) => other.send((seed, at, chunk)).unwrap(),
            _ => self.receiver.recycle(chunk).unwrap(),
        }
    }

    /// From now on chunks are kept, here and in other threads; or no longer.
    pub fn keep_everything(&mut self, keep: bool) {
        if std::mem::replace(&mut self.keeps_everything, keep) == keep {
            return;
        }
        for keeper in &self.keepers {
            keeper
                .send(if keep {
                    Kept::Everything
                } else {
                    Kept::Nothing(None)
                })
                .unwrap();
        }
    }

    /// Takes back what another has received.
    pub fn take_back(&mut self, (seed, at, chunk): (u64, u64, Chunk)) {
        let right = common::is_piece(seed, at, self.receiver.bytes(&chunk));
        assert!(right, "another's chunk has wrong bytes at {at}");
        self.receiver.recycle(chunk).unwrap();
    }

    /// Returns all that is kept, in any order, after another look at it.
    pub fn let_go(&mut self) {
        while !self.kept.is_empty() {
            let which = self.random.below(self.kept.len() as u64) as usize;
            let (seed, at, chunk) = self.kept.swap_remove(which);
            let right = common::is_piece(seed, at, self.receiver.bytes(&chunk));
            assert!(right, "a chunk that was kept has wrong bytes at {at}");
            self.give_back(seed, at, chunk);
        }
    }

    /// Cancels everything, and waits for the ends; answers the streams and the listener, to go on with elsewhere.
    pub fn hand_over(&mut self, listener: Option<SocketId>) -> Vec<Told> {
        let mut told = Vec::new();
        for &id in self.open.keys().chain(&listener) {
            assert!(self.receiver.cancel(id));
        }
        let start = Instant::now();
        while self.receiver.sockets() > 0 {
            told.extend(self.go_on(Duration::from_millis(20)));
            assert!(
                start.elapsed() < LONG,
                "not all let go: {:?}",
                self.receiver.counters()
            );
        }
        // Ends that were known before the last wait are told after it.
        told.extend(self.go_on(Duration::ZERO));
        assert!(
            self.open.is_empty(),
            "not told of the end of {:?}",
            self.open
        );
        told
    }

    /// Sees that all chunks come back, when no stream is open.
    pub fn settle(&mut self) {
        self.keep_everything(false);
        self.let_go();
        for keeper in &self.keepers {
            let (done, is_done) = std::sync::mpsc::channel();
            keeper.send(Kept::Nothing(Some(done))).unwrap();
            is_done.recv().unwrap();
        }
        let told = self.go_on(Duration::ZERO);
        assert!(told.is_empty(), "{told:?}");
    }

    /// Receives a byte into each of `chunks` chunks, and so sees that none is missing. No stream may be open.
    pub fn fill(&mut self, chunks: u64) {
        let (mut out, incoming) = common::pair();
        out.set_nodelay(true).unwrap();
        let id = self.receiver.add(incoming).unwrap();
        let start = Instant::now();
        for count in 1..=chunks {
            out.write_all(b"x").unwrap();
            while (self.kept.len() as u64) < count {
                let wait = self.receiver.wait(Some(Duration::from_millis(20))).unwrap();
                let some = self.receiver.next_event();
                match some {
                    Some(Event::Data { chunk, .. }) => self.kept.push((0, 0, chunk)),
                    Some(other) => panic!("{other:?}"),
                    None => {}
                }
                let missing = start.elapsed() > LONG;
                assert!(!missing, "chunk {count} of {chunks} is missing: {wait:?}");
            }
        }
        for (_, _, chunk) in self.kept.drain(..) {
            self.receiver.recycle(chunk).unwrap();
        }
        assert!(self.receiver.cancel(id));
        while self.receiver.sockets() > 0 {
            let _ = self.receiver.wait(Some(Duration::from_millis(20))).unwrap();
            while self.receiver.next_event().is_some() {}
        }
        while self.receiver.next_event().is_some() {}
    }

    /// Before it ends without having returned anything: what is kept goes to one that stays.
    pub fn leave_behind(&mut self) {
        if let Some(other) = &self.other {
            self.kept
                .drain(..)
                .for_each(|kept| other.send(kept).unwrap());
        }
    }
}
