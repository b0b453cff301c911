//! The rival: the same job by `epoll` and `read` with a buffer of 64 KiB.

use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use indicatif::ProgressBar;

use crate::options::Options;
use crate::pattern::Pattern;
use crate::report::{thread_cpu, Outcome};

const BUFFER: usize = 64 << 10;

struct Connection {
    stream: TcpStream,
    port: u16,
    received: u64,
}

struct Epoll(OwnedFd);

impl Epoll {
    fn new() -> std::io::Result<Self> {
        // SAFETY: takes no pointers.
        match unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) } {
            -1 => Err(std::io::Error::last_os_error()),
            // SAFETY: a new descriptor that nothing else owns.
            fd => Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) })),
        }
    }

    fn watch(&self, fd: RawFd) -> std::io::Result<()> {
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: fd as u64,
        };
        // SAFETY: event is a live, exclusively borrowed local.
        match unsafe { libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    }

    /// Descriptors that can be read, within 100 ms.
    fn wait(&self, events: &mut [libc::epoll_event; 64]) -> usize {
        let fd = self.0.as_raw_fd();
        // SAFETY: events is exclusively borrowed and as long as said.
        let n = unsafe { libc::epoll_wait(fd, events.as_mut_ptr(), events.len() as i32, 100) };
        n.max(0) as usize
    }
}

/// Serves `options.connections` connections on `listener` until they have ended or `stop` is set.
pub fn serve(
    listener: &TcpListener,
    options: &Options,
    pattern: &Pattern,
    progress: &ProgressBar,
    stop: &AtomicBool,
) -> std::io::Result<Outcome> {
    let epoll = Epoll::new()?;
    epoll.watch(listener.as_raw_fd())?;
    let mut outcome = Outcome {
        source: "epoll and read".into(),
        ..Outcome::default()
    };
    // By descriptor.
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut buffer = vec![0; BUFFER];
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 64];
    let (cpu, mut started) = (thread_cpu(), None);
    while outcome.received.len() < options.connections as usize && !stop.load(Ordering::Relaxed) {
        let ready = epoll.wait(&mut events);
        for event in &events[..ready] {
            started.get_or_insert_with(Instant::now);
            let fd = event.u64 as usize;
            if fd == listener.as_raw_fd() as usize {
                let (stream, peer) = listener.accept()?;
                stream.set_nonblocking(true)?;
                let at = stream.as_raw_fd();
                epoll.watch(at)?;
                connections.resize_with(connections.len().max(at as usize + 1), || None);
                let connection = Connection {
                    stream,
                    port: peer.port(),
                    received: 0,
                };
                connections[at as usize] = Some(connection);
                continue;
            }
            let slot = &mut connections[fd];
            let connection = slot.as_mut().expect("watched");
            match connection.stream.read(&mut buffer) {
                Ok(0) => {
                    outcome.received.push(connection.received);
                    *slot = None;
                }
                Ok(n) => {
                    if options.verify() {
                        let (port, at) = (connection.port, connection.received);
                        outcome.mismatches += pattern.mismatches(port, at, &buffer[..n]);
                    }
                    connection.received += n as u64;
                    outcome.bytes += n as u64;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => {
                    outcome.failures.push(error.to_string());
                    outcome.received.push(connection.received);
                    *slot = None;
                }
            }
        }
        progress.set_position(outcome.bytes);
    }
    outcome.seconds = started.map_or(0.0, |at| at.elapsed().as_secs_f64());
    outcome.cpu_seconds = thread_cpu() - cpu;
    outcome.interrupted = stop.load(Ordering::Relaxed);
    Ok(outcome)
}
