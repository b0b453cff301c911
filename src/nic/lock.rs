//! [`Lock`]: one claim of an interface at a time.

use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait for processes that start while a lock is released.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(1);

/// A socket bound to a name that only one in the network namespace can have; the kernel frees it if the process is
/// killed.
///
/// What another thread has forked has a copy of the socket until it runs its program, and so has the name. That can
/// be after the lock was released: which is why that shuts the socket down, as all copies can tell, and who finds it
/// so waits for the name.
#[derive(Debug)]
pub(super) struct Lock(UnixDatagram);

impl Lock {
    /// Takes the lock of an interface, unless another claim has it (`AddrInUse`).
    pub(super) fn take(interface: u32) -> io::Result<Self> {
        let start = Instant::now();
        Self::take_with(interface, || {
            thread::sleep(PAUSE);
            start.elapsed() < PATIENCE
        })
    }

    /// Waits for a lock that was released as long as `wait` says so.
    fn take_with(interface: u32, mut wait: impl FnMut() -> bool) -> io::Result<Self> {
        let address = SocketAddr::from_abstract_name(std::format!("zcrx-sys/nic/{interface}"))?;
        loop {
            match UnixDatagram::bind_addr(&address) {
                Err(error) if error.kind() == ErrorKind::AddrInUse => {
                    if !is_released(&address)? || !wait() {
                        return Err(error);
                    }
                }
                bound => return bound.map(Self),
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Should it fail, then a lock that some process still has a copy of counts as taken.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// Whether the socket of that name takes nothing any more, or is gone by now.
fn is_released(address: &SocketAddr) -> io::Result<bool> {
    let probe = UnixDatagram::unbound()?;
    probe.set_nonblocking(true)?;
    let sent = probe
        .send_to_addr(&[], address)
        .map_err(|error| error.kind());
    Ok(matches!(
        sent,
        Err(ErrorKind::BrokenPipe | ErrorKind::ConnectionRefused)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of no interface, and no other process's.
    fn unused(test: u32) -> u32 {
        u32::MAX - 2 * std::process::id() - test
    }

    #[test]
    fn one_has_it_at_a_time() {
        let interface = unused(0);
        for _ in 0..20 {
            // More than a socket takes that nobody reads.
            let _lock = Lock::take(interface).unwrap();
            for _ in 0..20 {
                let refused = Lock::take(interface).unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::AddrInUse);
            }
        }
    }

    #[test]
    fn copies_in_processes_that_start_are_waited_for() {
        let interface = unused(1);
        let lock = Lock::take(interface).unwrap();
        let copy = lock.0.try_clone().unwrap(); // as one that was forked has
        drop(lock);
        let refused = Lock::take_with(interface, || false).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AddrInUse);
        let (mut copy, mut waits) = (Some(copy), 0);
        Lock::take_with(interface, || {
            copy = None;
            waits += 1;
            thread::sleep(PAUSE); // for what another test forks meanwhile
            waits < 5000
        })
        .unwrap();
        assert!(waits > 0);
    }
}
