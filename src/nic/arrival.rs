//! [`Claim::arrival`]: to which of the claimed queues a socket's packets come.

use core::fmt;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use super::claim::Claim;
use crate::errno::Errno;

/// A socket's packets do not come to a claimed queue, or that cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArrivalError {
    /// They come to another queue of the interface: its payload has to be copied.
    OtherQueue {
        /// The queue that was claimed; the first if several were.
        claimed: u32,
        /// The queue that they come to.
        queue: u32,
    },
    /// They come over another interface: its payload has to be copied.
    OtherInterface {
        /// The queue that was claimed; the first if several were.
        claimed: u32,
        /// The id of the NAPI instance that they come by.
        napi_id: u32,
    },
    /// None has come by a NIC: over loopback perhaps, or none at all. A connection has one once it is accepted.
    None,
    /// The kernel does not tell: by which NAPI instance they come (built without `CONFIG_NET_RX_BUSY_POLL`), or
    /// which one serves the queue (before 6.8); or the interface is down, or gone.
    Untold(Errno),
}

impl fmt::Display for ArrivalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherQueue { claimed, queue } => write!(
                f,
                "it arrives on queue {queue}, not on the claimed queue {claimed}: claim its flow, and see that \
                 no other rule takes it (ethtool -n INTERFACE)"
            ),
            Self::OtherInterface { claimed, napi_id } => write!(
                f,
                "it arrives over another interface (NAPI id {napi_id}), not on the claimed queue {claimed}: see \
                 that it is routed to the claimed one (ip route)"
            ),
            Self::None => {
                f.write_str("nothing has arrived by a NIC: it comes over loopback, or has not begun")
            }
            Self::Untold(errno) => write!(f, "the kernel does not tell where it arrives: {errno}"),
        }
    }
}

impl core::error::Error for ArrivalError {}

impl Claim {
    /// Checks that the packets of `socket` come to the claimed queue, or one of them: [`arrival`](Self::arrival) tells
    /// which.
    ///
    /// # Errors
    ///
    /// Where they come instead, or why that cannot be told. Such a socket is received from all the same, but its
    /// payload has to be copied.
    ///
    /// ```no_run
    /// use std::net::TcpListener;
    /// use zcrx_sys::nic::{self, Flow};
    ///
    /// let mut claim = nic::claim("eth0", &Flow::both(9999))?;
    /// let (connection, peer) = TcpListener::bind("[::]:9999")?.accept()?;
    /// if let Err(error) = claim.check_arrival(&connection) {
    ///     eprintln!("{peer}: {error}");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check_arrival(&mut self, socket: impl AsFd) -> Result<(), ArrivalError> {
        self.arrival(socket).map(drop)
    }

    /// The claimed queue that the packets of `socket` come to: the last one which it got came by the NAPI instance that
    /// serves it. Three system calls, two more for each further queue that is claimed, and two for each queue if it came
    /// by none of them. Where one instance serves several queues, these cannot be told apart.
    ///
    /// With a receiver for each queue, that is the one to give the socket to: any other has to copy its payload, or
    /// ends it as [`ForeignBuffer`](crate::recv::End::ForeignBuffer).
    ///
    /// # Errors
    ///
    /// As those of [`check_arrival`](Self::check_arrival).
    pub fn arrival(&mut self, socket: impl AsFd) -> Result<u32, ArrivalError> {
        let arrived = incoming_napi_id(socket.as_fd()).map_err(ArrivalError::Untold)?;
        if arrived == 0 {
            return Err(ArrivalError::None);
        }
        for queue in self.queues() {
            if self.napi_id(queue)? == arrived {
                return Ok(queue);
            }
        }
        let claimed = self.queue();
        let channels = self.card.ethtool.channels();
        let queues = channels.map_err(ArrivalError::Untold)?.receive_queues();
        let ours = self.queues();
        let mut others = (0..queues).filter(|queue| !ours.contains(queue));
        Err(
            match others.find(|&queue| self.napi_id(queue) == Ok(arrived)) {
                Some(queue) => ArrivalError::OtherQueue { claimed, queue },
                None => ArrivalError::OtherInterface {
                    claimed,
                    napi_id: arrived,
                },
            },
        )
    }

    fn napi_id(&mut self, queue: u32) -> Result<u32, ArrivalError> {
        let told = self.card.settings.queue(queue);
        let told = told.and_then(|queue| queue.napi.ok_or(Errno::NODATA));
        told.map_err(ArrivalError::Untold)
    }
}

/// The id of the NAPI instance by which the socket's last packet came; 0 if none did.
fn incoming_napi_id(socket: BorrowedFd<'_>) -> Result<u32, Errno> {
    let mut id = 0_u32;
    let mut len = size_of::<u32>() as libc::socklen_t;
    // SAFETY: id and len are exclusively borrowed locals; the call writes no more than len bytes to the former.
    let got = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_INCOMING_NAPI_ID,
            core::ptr::from_mut(&mut id).cast(),
            &mut len,
        )
    };
    if got < 0 {
        return Err(Errno::last());
    }
    Ok(id)
}
