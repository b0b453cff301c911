//! One thread: a receiver, its listener, and the connections that arrive on its queue.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use zcrx_sys::recv::{End, Event, Receiver, SocketId, Source};
use zcrx_sys::Fd;

use crate::claim::Queues;
use crate::generator::Count;
use crate::inbox::{Address, Closed, Inbox};

/// What all threads have in common.
pub struct Shared<'a> {
    pub queues: Option<&'a Queues>,
    /// The inbox of each thread.
    pub addresses: Vec<Address>,
    /// Connections that are still to end, if the server ends by itself.
    pub left: Option<AtomicU32>,
    pub over: AtomicBool,
    pub interrupted: &'a AtomicBool,
    pub area: Option<usize>,
}

impl Shared<'_> {
    /// Has all threads end.
    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.addresses.iter().for_each(Address::ring);
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed) || self.interrupted.load(Ordering::Relaxed)
    }

    fn one_ended(&self) {
        // Relaxed: it counts, and orders nothing.
        let last = |left: &AtomicU32| left.fetch_sub(1, Ordering::Relaxed) == 1;
        if self.left.as_ref().is_some_and(last) {
            self.end();
        }
    }

    /// The thread of the queue that a connection arrives on, or why there is none.
    fn owner(&self, here: usize, stream: &TcpStream) -> Result<usize, String> {
        match self.queues {
            Some(queues) => queues.arrival(stream).map_err(|error| error.to_string()),
            None => Ok(here), // Any thread is as good as another.
        }
    }
}

/// What a thread has done.
#[derive(Debug, Default)]
pub struct Tally {
    pub source: String,
    /// Why from nothing better.
    pub fallback_reasons: Vec<String>,
    pub connections: u64,
    /// Connections accepted here that arrive on another thread's queue.
    pub handed_over: u64,
    /// Connections that arrive on no claimed queue, so that their payload is copied; and why.
    pub astray: Vec<String>,
    pub copied_bytes: Option<u64>,
    pub bytes: u64,
    pub chunks: u64,
    /// Chunks that are not back.
    pub outstanding: u64,
    pub failures: Vec<String>,
}

struct Worker<'a> {
    index: usize,
    shared: &'a Shared<'a>,
    receiver: Receiver,
    listener: SocketId,
    inbox: Inbox,
    /// By `SocketId::index`.
    counts: Vec<Count>,
    tally: Tally,
}

/// Serves until all threads are to end. One that fails takes the others along.
pub fn serve(
    index: usize,
    source: Option<Source>,
    listener: TcpListener,
    inbox: Closed,
    shared: &Shared<'_>,
) -> Tally {
    let served = Worker::new(index, source, listener, inbox, shared).map(|mut worker| {
        let served = worker.serve();
        worker.tally.failures.extend(served.err());
        worker.tally()
    });
    let tally = served.unwrap_or_else(|error| Tally {
        failures: vec![error],
        ..Tally::default()
    });
    if !tally.failures.is_empty() {
        shared.end();
    }
    tally
}

/// From that queue, or by the best way there is.
fn receiver(source: Option<Source>, area: Option<usize>) -> Result<Receiver, zcrx_sys::Error> {
    let mut builder = Receiver::builder();
    if let Some(queue) = source {
        builder = builder.source(queue); // Who claims a queue wants that one.
    }
    if let Some(bytes) = area {
        builder = builder.area_len(bytes);
    }
    builder.build()
}

impl<'a> Worker<'a> {
    fn new(
        index: usize,
        source: Option<Source>,
        listener: TcpListener,
        inbox: Closed,
        shared: &'a Shared<'a>,
    ) -> Result<Self, String> {
        let mut receiver = receiver(source, shared.area).map_err(|error| error.to_string())?;
        let fallbacks = receiver.fallbacks().iter();
        let tally = Tally {
            source: receiver.source().to_string(),
            fallback_reasons: fallbacks.map(ToString::to_string).collect(),
            ..Tally::default()
        };
        let listener = receiver
            .listen(listener)
            .map_err(|error| error.to_string())?;
        let inbox = inbox.open(&mut receiver)?;
        Ok(Self {
            index,
            shared,
            receiver,
            listener,
            inbox,
            counts: Vec::new(),
            tally,
        })
    }

    fn serve(&mut self) -> Result<(), String> {
        while !self.shared.is_over() {
            self.inbox.wait(&mut self.receiver)?;
            while let Some(event) = self.receiver.next_event() {
                self.on_event(event)?;
            }
            while let Some(stream) = self.inbox.next() {
                self.add(stream)?;
            }
        }
        Ok(())
    }

    fn tally(self) -> Tally {
        Tally {
            outstanding: self.receiver.counters().outstanding,
            copied_bytes: self.receiver.copies().map(|copies| copies.bytes),
            ..self.tally
        }
    }

    fn on_event(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Data { socket, chunk } => {
                if !self.inbox.is_bell(socket) {
                    let bytes = self.receiver.bytes(&chunk);
                    self.counts[socket.index()].add(bytes);
                    self.tally.bytes += bytes.len() as u64;
                    self.tally.chunks += 1;
                }
                self.receiver
                    .recycle(chunk)
                    .map_err(|error| error.to_string())?;
            }
            Event::Accepted { connection, .. } => self.accept(connection.into())?,
            Event::Ended { socket, end, .. } if socket == self.listener => {
                return Err(format!("the listener failed: {end}"));
            }
            Event::Ended { socket, .. } if self.inbox.is_bell(socket) => {}
            Event::Ended { socket, end, fd } => self.finish(socket, end, fd),
            _ => {}
        }
        Ok(())
    }

    /// Takes a connection, or gives it to the thread whose queue it arrives on.
    fn accept(&mut self, stream: TcpStream) -> Result<(), String> {
        match self.shared.owner(self.index, &stream) {
            Ok(owner) if owner != self.index => {
                self.tally.handed_over += 1;
                self.shared.addresses[owner].hand(stream);
                return Ok(());
            }
            Ok(_) => {}
            Err(reason) => self.tally.astray.push(reason),
        }
        self.add(stream)
    }

    fn add(&mut self, stream: TcpStream) -> Result<(), String> {
        self.tally.connections += 1;
        let socket = self
            .receiver
            .add(stream)
            .map_err(|error| error.to_string())?;
        if self.counts.len() <= socket.index() {
            self.counts.resize(socket.index() + 1, Count::default());
        }
        self.counts[socket.index()] = Count::default();
        Ok(())
    }

    /// Answers, and closes the connection.
    fn finish(&mut self, socket: SocketId, end: End, fd: Fd) {
        let answer = self.counts[socket.index()].answer();
        let answered = TcpStream::from(fd).write_all(answer.as_bytes());
        match (end, answered) {
            (End::Eof, Ok(())) => {}
            (End::Eof, Err(error)) => self.tally.failures.push(format!("not answered: {error}")),
            (end, _) => self.tally.failures.push(end.to_string()),
        }
        self.shared.one_ended();
    }
}
