//! `epoll` and `read`.

use std::io::{Error, ErrorKind, Read};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::BUFFER;

pub fn receive(mut streams: Vec<TcpStream>) -> Result<u64, Box<dyn std::error::Error>> {
    // SAFETY: takes no pointers.
    let raw = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    if raw < 0 {
        return Err(Error::last_os_error().into());
    }
    // SAFETY: a new descriptor that nothing else owns.
    let epoll = unsafe { OwnedFd::from_raw_fd(raw) };
    for (index, stream) in streams.iter().enumerate() {
        stream.set_nonblocking(true)?;
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: index as u64,
        };
        let (epoll, fd) = (epoll.as_raw_fd(), stream.as_raw_fd());
        // SAFETY: event is a live, exclusively borrowed local.
        if unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event) } < 0 {
            return Err(Error::last_os_error().into());
        }
    }
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 64];
    let mut buffer = vec![0; BUFFER];
    let (mut open, mut bytes) = (streams.len(), 0);
    while open > 0 {
        // SAFETY: events is exclusively borrowed and as long as said.
        let ready = unsafe { libc::epoll_wait(epoll.as_raw_fd(), events.as_mut_ptr(), 64, -1) };
        for event in &events[..ready.max(0) as usize] {
            let stream = &mut streams[event.u64 as usize];
            match stream.read(&mut buffer) {
                Ok(0) => {
                    let (epoll, fd) = (epoll.as_raw_fd(), stream.as_raw_fd());
                    let none = std::ptr::null_mut();
                    // SAFETY: the operation reads no event.
                    unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_DEL, fd, none) };
                    open -= 1;
                }
                Ok(len) => bytes += len as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(bytes)
}
