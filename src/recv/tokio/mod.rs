//! A [`Receiver`] in a tokio runtime: each connection is a stream of [owned chunks](OwnedChunk), with back-pressure.
//!
//! A [`Driver`] owns the receiver and runs as a task of its own; a [`Handle`] gives it sockets, each of which becomes a
//! [`Connection`], or a [`Reader`] for parsers. All of them belong to one thread, as the ring does: spawn them on a
//! `LocalSet`. What crosses threads are the chunks. The runtime needs its I/O and time drivers (`enable_all`).
//!
//! Sockets are accepted, connected and written to by whatever means one likes, for instance tokio's:
//!
//! ```
//! use std::io::Write;
//! use tokio::net::TcpListener;
//! use tokio::task::{spawn_local, LocalSet};
//! use zcrx_sys::recv::tokio::Driver;
//! use zcrx_sys::recv::Receiver;
//!
//! let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! LocalSet::new().block_on(&runtime, async {
//!     let driver = Driver::new(Receiver::builder().build()?)?;
//!     let handle = driver.handle();
//!     let driver = spawn_local(driver.run());
//!
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let mut peer = std::net::TcpStream::connect(listener.local_addr()?)?;
//!     peer.write_all(b"without a copy, or with one")?;
//!     drop(peer);
//!
//!     let (socket, _) = listener.accept().await?;
//!     let mut connection = handle.add(socket.into_std()?)?; // a `try_clone` of it is for writing
//!     let mut text = Vec::new();
//!     while let Some(chunk) = connection.next().await {
//!         text.extend_from_slice(&chunk?);
//!     }
//!     assert_eq!(text, b"without a copy, or with one");
//!
//!     drop((connection, handle));
//!     driver.await??; // ends with the last of them
//!     Ok::<_, Box<dyn std::error::Error>>(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod connection;
mod reader;
mod shared;
mod watch;

use std::cell::RefCell;
use std::future::{poll_fn, Future};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use ::tokio::io::unix::AsyncFd;
use ::tokio::io::Interest;
use ::tokio::{task, time};

use super::owned::eventfd;
use super::receiver::Receiver;
use crate::errno::Errno;
use crate::error::{Attempt, Error, Reason};
use crate::fd::Fd;

pub use connection::{Connection, Handle};
pub use reader::Reader;
use shared::{Shared, Turn};
use watch::Watch;

#[cfg(doc)]
use crate::zcrx::OwnedChunk;

static WATCH: Attempt = Attempt {
    what: "watch a receiver from a tokio runtime",
    arguments: &[],
};

/// Drives a [`Receiver`] as a task of a tokio runtime.
///
/// Dropped, or at the end of [`run`](Self::run), it closes the receiver: connections that are left end with
/// [`End::Cancelled`](super::End::Cancelled) after the chunks that they still have. As the receiver does, it then waits
/// until the kernel has let go of the sockets, a second at most and usually no time.
#[derive(Debug)]
#[must_use = "nothing is received unless it runs"]
pub struct Driver {
    /// Readable when there may be something to do.
    watch: AsyncFd<Fd>,
    shared: Rc<RefCell<Shared>>,
}

impl Driver {
    /// A driver of `receiver`, in the current runtime.
    ///
    /// # Errors
    ///
    /// No descriptor is left for the five that it takes; the kernel's refusals.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, and in one without an I/O driver.
    pub fn new(mut receiver: Receiver) -> Result<Self, Error> {
        // So that no chunk can fail to be owned later on.
        let owned = receiver.start_owning()?;
        let eventfd = eventfd()?;
        receiver.register_eventfd(eventfd.as_raw())?;
        let watching = || {
            let watch = Watch::new([eventfd, Fd::duplicate(owned)?])?;
            let waiter = watch.waiter()?;
            Ok((watch, waiter))
        };
        let (watch, waiter) = watching().map_err(watch_error)?;
        #[allow(
            deprecated,
            reason = "what replaces it needs tokio 1.53; it is sound for what owns its descriptor"
        )]
        let waiter = AsyncFd::with_interest(waiter, Interest::READABLE).map_err(runtime_error)?;
        let limit = receiver.pool.chunks() / 8;
        let driver = Self {
            watch: waiter,
            shared: Rc::new(RefCell::new(Shared::new(receiver, watch))),
        };
        Ok(driver.queue_limit(usize::try_from(limit).unwrap_or(usize::MAX)))
    }

    /// Pauses a connection's request when its queue holds `chunks` (at least 1; default: an eighth of all), until half
    /// of them were taken.
    ///
    /// Queued chunks occupy the area, whatever is in them: when slow connections have all of it, they hold up the
    /// others. So that a fast peer cannot bring this about alone, without a copy a request asks for as many bytes as
    /// `chunks` hold, and provided buffers are received one by one, which costs: 64 fast connections on loopback got
    /// two thirds of the rate for it. (What comes in shorter pieces can take more chunks: a cancelled request ends when
    /// the kernel has gone through the packets that it found, on 7.3.4 up to 400 of them.)
    pub fn queue_limit(self, chunks: usize) -> Self {
        self.shared.borrow_mut().set_limit(chunks);
        self
    }

    /// What connections are made with.
    pub fn handle(&self) -> Handle {
        Handle::new(&self.shared)
    }

    /// Receives for all connections, until they and all handles are dropped. To be spawned on the same thread
    /// (`spawn_local`), or joined with what uses the connections.
    ///
    /// # Errors
    ///
    /// The kernel's, as [`Receiver::wait`].
    pub async fn run(self) -> Result<(), Error> {
        loop {
            let turn = self.shared.borrow_mut().turn();
            self.wake_connections();
            match turn? {
                Turn::Over => return Ok(()),
                Turn::Busy => {
                    // Those for what this turn has completed are among them. Another turn looks for what they may
                    // have told of otherwise.
                    self.shared.borrow().forget_signals();
                    task::yield_now().await;
                }
                // Work that the last entry left over gives no further signal.
                Turn::Idle(_) if self.shared.borrow().has_work() => task::yield_now().await,
                Turn::Idle(nap) => self.sleep(nap).await?,
            }
        }
    }

    fn wake_connections(&self) {
        loop {
            let waker = self.shared.borrow_mut().next_waker();
            match waker {
                Some(waker) => waker.wake(),
                None => break,
            }
        }
    }

    /// Waits for a signal of the kernel's or of a connection's, for `nap` at most.
    async fn sleep(&self, nap: Option<Duration>) -> Result<(), Error> {
        let mut nap = pin!(nap.map(time::sleep));
        let woken = poll_fn(|context| {
            let _before = self.shared.borrow_mut().set_driver(context.waker().clone());
            if self.shared.borrow().is_due() {
                return Poll::Ready(Ok(()));
            }
            if let Poll::Ready(ready) = self.watch.poll_read_ready(context) {
                return Poll::Ready(ready.map(|mut guard| guard.clear_ready()));
            }
            match nap.as_mut().as_pin_mut() {
                Some(nap) => nap.poll(context).map(Ok),
                None => Poll::Pending,
            }
        });
        woken.await.map_err(runtime_error)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let receiver = self.shared.borrow_mut().close();
        drop(receiver);
        self.wake_connections();
    }
}

#[cold]
fn watch_error(errno: Errno) -> Error {
    Error::new(&WATCH, [], Reason::Kernel(errno), &[])
}

#[cold]
fn runtime_error(error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(number) => watch_error(Errno::from_raw(number)),
        None => Error::new(
            &WATCH,
            [],
            Reason::Answer("the runtime is shutting down"),
            &[],
        ),
    }
}
