//! The same job by `epoll` and `read` with a buffer of 64 KiB, to be measured against.

use std::collections::HashMap;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Instant;

use crate::options::Options;
use crate::pattern::Pattern;
use crate::report::{thread_cpu, Outcome};

const BUFFER: usize = 64 << 10;

/// Serves `options.connections` connections on `listener` until all have ended.
pub fn serve(
    listener: &TcpListener,
    options: &Options,
    pattern: &Pattern,
) -> std::io::Result<Outcome> {
    // SAFETY: takes no pointers.
    let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    let watch = |fd: RawFd| {
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: fd as u64,
        };
        // SAFETY: event is a live, exclusively borrowed local.
        match unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    watch(listener.as_raw_fd())?;
    let mut outcome = Outcome {
        source: "epoll and read".into(),
        ..Outcome::default()
    };
    let mut streams: HashMap<RawFd, (TcpStream, u16, u64)> = HashMap::new();
    let mut ended = 0;
    let mut buffer = vec![0; BUFFER];
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 64];
    let (cpu, mut started) = (thread_cpu(), None);
    while ended < options.connections {
        // SAFETY: events is exclusively borrowed and as long as said.
        let n = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), events.len() as i32, -1) };
        started.get_or_insert_with(Instant::now);
        for event in &events[..n.max(0) as usize] {
            let fd = event.u64 as RawFd;
            if fd == listener.as_raw_fd() {
                let (stream, peer) = listener.accept()?;
                stream.set_nonblocking(true)?;
                watch(stream.as_raw_fd())?;
                streams.insert(stream.as_raw_fd(), (stream, peer.port(), 0));
                continue;
            }
            let (stream, port, received) = streams.get_mut(&fd).expect("watched");
            match stream.read(&mut buffer) {
                Ok(0) => {
                    streams.remove(&fd);
                    ended += 1;
                }
                Ok(n) => {
                    if options.verify() {
                        outcome.mismatches += pattern.mismatches(*port, *received, &buffer[..n]);
                    }
                    *received += n as u64;
                    outcome.bytes += n as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
    outcome.seconds = started.map_or(0.0, |at| at.elapsed().as_secs_f64());
    outcome.cpu_seconds = thread_cpu() - cpu;
    // SAFETY: epoll is ours, and closed once.
    unsafe { libc::close(epoll) };
    Ok(outcome)
}
