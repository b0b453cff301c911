//! One of the threads: a receiver over the memory of all.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use zcrx_sys::recv::{End, Event, Receiver, SocketId, Source};
use zcrx_sys::Fd;

use crate::generator::Count;
use crate::inbox::{Address, Closed, Inbox};

/// What all threads have in common, beside the queue.
pub struct Shared<'a> {
    /// The inbox of each thread.
    pub addresses: Vec<Address>,
    /// As the first thread's receiver knows it.
    pub listener: SocketId,
    /// Connections that are still to end, if the server ends by itself.
    pub left: Option<AtomicU32>,
    pub over: AtomicBool,
    pub interrupted: &'a AtomicBool,
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
}

/// What a thread has done.
#[derive(Debug, Default)]
pub struct Tally {
    pub connections: u64,
    pub bytes: u64,
    pub chunks: u64,
    /// Chunks that are not back.
    pub outstanding: u64,
    pub failures: Vec<String>,
}

struct Member<'a> {
    shared: &'a Shared<'a>,
    receiver: Receiver,
    /// Whether it is the one that has the listener.
    accepts: bool,
    /// Connections that were accepted here, for all threads in turn.
    accepted: usize,
    inbox: Inbox,
    /// By `SocketId::index`.
    counts: Vec<Count>,
    tally: Tally,
}

/// Receives until all threads are to end. One that fails takes the others along.
pub fn receive(receiver: Result<Receiver, String>, inbox: Closed, shared: &Shared<'_>) -> Tally {
    let opened = receiver.and_then(|mut receiver| Ok((inbox.open(&mut receiver)?, receiver)));
    let tally = match opened {
        Err(error) => Tally {
            failures: vec![error],
            ..Tally::default()
        },
        Ok((inbox, receiver)) => {
            let mut member = Member {
                shared,
                accepts: receiver.source() != Source::Imported,
                receiver,
                accepted: 0,
                inbox,
                counts: Vec::new(),
                tally: Tally::default(),
            };
            let received = member.receive();
            member.tally.failures.extend(received.err());
            member.tally.outstanding = member.receiver.counters().outstanding;
            member.tally
        }
    };
    if !tally.failures.is_empty() {
        shared.end();
    }
    tally
}

impl Member<'_> {
    fn receive(&mut self) -> Result<(), String> {
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

    fn on_event(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Data { socket, chunk } => {
                if !self.inbox.is_bell(socket) {
                    let bytes = self.receiver.bytes(&chunk);
                    self.counts[socket.index()].add(bytes);
                    self.tally.bytes += bytes.len() as u64;
                    self.tally.chunks += 1;
                }
                let returned = self.receiver.recycle(chunk);
                returned.map_err(|error| error.to_string())?;
            }
            Event::Accepted { connection, .. } => {
                // Its own turn comes by way of the inbox, too.
                let turn = self.accepted % self.shared.addresses.len();
                self.shared.addresses[turn].hand(connection.into());
                self.accepted += 1;
            }
            Event::Ended { socket, end, .. } if self.is_listener(socket) => {
                return Err(format!("the listener failed: {end}"));
            }
            Event::Ended { socket, .. } if self.inbox.is_bell(socket) => {}
            Event::Ended { socket, end, fd } => self.finish(socket, end, fd),
            _ => {}
        }
        Ok(())
    }

    /// Ids are each receiver's own, and the first thread's is the one that accepts.
    fn is_listener(&self, socket: SocketId) -> bool {
        self.accepts && socket == self.shared.listener
    }

    fn add(&mut self, stream: TcpStream) -> Result<(), String> {
        self.tally.connections += 1;
        let added = self.receiver.add(stream);
        let socket = added.map_err(|error| error.to_string())?;
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
        if end != End::Eof {
            self.tally.failures.push(end.to_string());
        } else if let Err(error) = answered {
            self.tally.failures.push(format!("not answered: {error}"));
        }
        // Relaxed: it counts, and orders nothing.
        let last = |left: &AtomicU32| left.fetch_sub(1, Ordering::Relaxed) == 1;
        if self.shared.left.as_ref().is_some_and(last) {
            self.shared.end();
        }
    }
}
