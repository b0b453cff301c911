//! The receiving side: one `Receiver`, all connections, every byte looked at.

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use sha2::{Digest, Sha256};
use zcrx_sys::recv::{End, Event, Pages, Receiver, SocketId, Source};
use zcrx_sys::Fd;

use crate::claim::Claim;
use crate::options::{Options, SourceName};
use crate::pattern::Pattern;
use crate::report::{thread_cpu, Outcome};

/// What is known of one connection.
struct Connection {
    /// Place in the order of accept.
    index: usize,
    /// The peer's port, which seeds its pattern.
    port: u16,
    received: u64,
    hash: Option<Sha256>,
}

/// A receiver with the options of the command line, on the queue that was claimed if one was.
pub fn receiver(options: &Options, claimed: Option<Source>) -> Result<Receiver, String> {
    let mut builder = Receiver::builder();
    let (source, queue) = match claimed {
        Some(queue) => (SourceName::Nic, Some(queue)), // Who claims a queue wants that one.
        None => (options.source, options.queue()?),
    };
    builder = match (source, queue) {
        (SourceName::Auto, queue) => builder.auto(queue),
        (SourceName::Nic, queue) => builder.source(queue.ok_or("--source nic needs --nic")?),
        (SourceName::Nodev, _) => builder.source(Source::NoDevice),
        (SourceName::Epoll, _) => return Err("--source epoll has no receiver".into()),
        (SourceName::Buffers, _) => builder.source(Source::Buffers),
    };
    if let Some(bytes) = options.area {
        builder = builder.area_len(usize::try_from(bytes).map_err(|_| "--area is too large")?);
    }
    if let Some(bytes) = options.chunk {
        builder = builder.chunk_len(u32::try_from(bytes).map_err(|_| "--chunk is too large")?);
    }
    if let Some(bytes) = options.prefer_chunk {
        let bytes = u32::try_from(bytes).map_err(|_| "--prefer-chunk is too large")?;
        builder = builder.prefer_chunk_len(bytes);
    }
    if let Some(entries) = options.cq_entries {
        builder = builder.completion_entries(entries);
    }
    if let Some(entries) = options.refill_entries {
        builder = builder.refill_entries(entries);
    }
    if let Some(layout) = options.layout {
        builder = builder.layout(layout.into());
    }
    builder
        .grow_to(options.grow_to)
        .pages(if options.huge_pages {
            Pages::Huge
        } else {
            Pages::Ordinary
        })
        .build()
        .map_err(|error| error.to_string())
}

/// Serves `options.connections` connections on `listener` until they have ended or `stop` is set.
pub fn serve(
    mut receiver: Receiver,
    listener: TcpListener,
    options: &Options,
    pattern: &Pattern,
    progress: &ProgressBar,
    stop: &AtomicBool,
    claim: Option<&mut Claim>,
) -> Result<Outcome, String> {
    let mut outcome = Outcome::of(&receiver);
    outcome.claim = claim.as_deref().map(Claim::changes);
    let mut server = Server {
        connections: Vec::new(),
        outcome,
        accepted: 0,
        ended: 0,
        options,
        pattern,
        claim,
    };
    let listener = receiver
        .listen(listener)
        .map_err(|error| error.to_string())?;
    let (cpu, mut started) = (thread_cpu(), Instant::now());
    while server.ended < options.connections as usize && !stop.load(Ordering::Relaxed) {
        // The time-out is for the signal, which another thread takes.
        let _ = receiver
            .wait(Some(Duration::from_millis(100)))
            .map_err(|error| error.to_string())?;
        while let Some(event) = receiver.next_event() {
            if server.accepted == 0 {
                started = Instant::now();
            }
            server.on_event(&mut receiver, listener, event)?;
        }
        progress.set_position(server.outcome.bytes);
    }
    server.outcome.seconds = started.elapsed().as_secs_f64();
    server.outcome.cpu_seconds = thread_cpu() - cpu;
    server.outcome.interrupted = stop.load(Ordering::Relaxed);
    server.outcome.count(&receiver);
    Ok(server.outcome)
}

struct Server<'a> {
    /// By `SocketId::index`.
    connections: Vec<Option<Connection>>,
    outcome: Outcome,
    accepted: usize,
    ended: usize,
    options: &'a Options,
    pattern: &'a Pattern,
    claim: Option<&'a mut Claim>,
}

impl Server<'_> {
    fn on_event(
        &mut self,
        receiver: &mut Receiver,
        listener: SocketId,
        event: Event,
    ) -> Result<(), String> {
        match event {
            Event::Data { socket, chunk } => {
                let connection = self.connections[socket.index()]
                    .as_mut()
                    .expect("accepted before");
                let bytes = receiver.bytes(&chunk);
                if self.options.verify() {
                    let (port, at) = (connection.port, connection.received);
                    self.outcome.mismatches += self.pattern.mismatches(port, at, bytes);
                }
                if let Some(hash) = &mut connection.hash {
                    hash.update(bytes);
                }
                connection.received += bytes.len() as u64;
                self.outcome.bytes += bytes.len() as u64;
                receiver
                    .recycle(chunk)
                    .expect("the chunk is this receiver's");
            }
            Event::Accepted { connection, .. } => self.accept(receiver, listener, connection)?,
            Event::Ended { socket, end, .. } if socket == listener => match end {
                End::Cancelled => {}
                end => return Err(format!("the listener failed: {end}")),
            },
            Event::Ended { socket, end, .. } => {
                let connection = self.connections[socket.index()]
                    .take()
                    .expect("accepted before");
                self.finish(connection, end);
            }
            // What befalls the memory is counted, and shown in the report.
            _ => {}
        }
        Ok(())
    }

    fn accept(
        &mut self,
        receiver: &mut Receiver,
        listener: SocketId,
        connection: Fd,
    ) -> Result<(), String> {
        if self.accepted == self.options.connections as usize {
            return Ok(()); // more peers than asked for: dropping the descriptor closes it
        }
        let index = self.accepted;
        self.accepted += 1;
        if self.accepted == self.options.connections as usize {
            receiver.cancel(listener);
        }
        let stream = TcpStream::from(connection);
        let port = match stream.peer_addr() {
            Ok(peer) => peer.port(),
            Err(error) => {
                // Reset before it was looked at.
                self.ended += 1;
                self.outcome
                    .failures
                    .push(format!("connection {index}: gone at accept: {error}"));
                return Ok(());
            }
        };
        if let Some(reason) = self.claim.as_mut().and_then(|claim| claim.astray(&stream)) {
            let astray = format!("connection {index}: {reason}");
            self.outcome.astray.push(astray);
        }
        let socket = receiver.add(stream).map_err(|error| error.to_string())?;
        if self.connections.len() <= socket.index() {
            self.connections.resize_with(socket.index() + 1, || None);
        }
        let hash = self.options.hash.then(Sha256::new);
        self.connections[socket.index()] = Some(Connection {
            index,
            port,
            received: 0,
            hash,
        });
        Ok(())
    }

    fn finish(&mut self, connection: Connection, end: End) {
        self.ended += 1;
        if end != End::Eof {
            self.outcome
                .failures
                .push(format!("connection {}: {end}", connection.index));
        }
        self.outcome
            .received
            .resize(self.outcome.received.len().max(connection.index + 1), 0);
        self.outcome.received[connection.index] = connection.received;
        if let Some(hash) = connection.hash {
            let digests = &mut self.outcome.sha256;
            digests.resize(digests.len().max(connection.index + 1), String::new());
            digests[connection.index] = format!("{:x}", hash.finalize());
        }
    }
}
