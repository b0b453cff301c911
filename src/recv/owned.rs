//! Owned chunks of a receiver: made by [`Receiver::own`], dropped anywhere, returned by the receiver.

use alloc::boxed::Box;
use core::ptr::NonNull;

use libc::c_int;

use super::buffer_memory::BufferMemory;
use super::buffer_ring::BufferRing;
use super::receiver::Receiver;
use super::table::WAKER;
use crate::errno::Errno;
use crate::error::{Attempt, Cause, Error, Reason};
use crate::fd::Fd;
use crate::ring::Sqe;
use crate::shared::Shared;
use crate::zcrx::{Chunk, ChunkMemory, OwnedChunk, Recycler, Unreturned};

static WAKE: Attempt = Attempt {
    what: "make a descriptor to be woken by",
    arguments: &[],
};

/// A receiver's owned chunks.
#[derive(Debug)]
pub(super) struct Owned {
    recycler: Recycler,
    /// Added to by whoever drops a chunk while the receiver sleeps and is short of them.
    eventfd: Fd,
    /// Whether the ring watches it.
    pub(super) is_watched: bool,
}

/// A chunk that could not be made an owned one, handed back.
#[derive(Debug)]
pub struct NotOwned {
    /// The chunk.
    pub chunk: Chunk,
    /// Why.
    pub error: Error,
}

impl core::fmt::Display for NotOwned {
    #[inline]
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.error.fmt(f)
    }
}

impl core::error::Error for NotOwned {}

impl Receiver {
    /// Makes received bytes owned: `Send + Sync`, to be read, kept and dropped by any thread. Dropped, the chunk
    /// comes back to this receiver, which returns it to the kernel with its next wait.
    ///
    /// A receiver that sleeps is woken for it if a quarter of its memory or more is out.
    ///
    /// # Errors
    ///
    /// [`NotOwned`] hands back a chunk of another receiver; with the first one, no descriptor is left.
    ///
    /// ```
    /// # use std::io::Write;
    /// # use std::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let mut peer = TcpStream::connect(listener.local_addr()?)?;
    /// # let (connection, _) = listener.accept()?;
    /// use zcrx_sys::recv::{Event, Receiver};
    ///
    /// peer.write_all(b"to be kept")?;
    /// let mut receiver = Receiver::builder().build()?;
    /// receiver.add(connection)?;
    /// let kept = loop {
    ///     let _ = receiver.wait(None)?;
    ///     if let Some(Event::Data { chunk, .. }) = receiver.next_event() {
    ///         break receiver.own(chunk)?;
    ///     }
    /// };
    /// drop(receiver); // what it lies in stays
    /// let length = std::thread::spawn(move || kept.len()).join().unwrap();
    /// assert_eq!(length, 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn own(&mut self, chunk: Chunk) -> Result<OwnedChunk, NotOwned> {
        if let Err(error) = self.start_owning() {
            return Err(NotOwned { chunk, error });
        }
        let owned = self.owned.as_mut().expect("just made");
        owned.recycler.own(chunk).map_err(|other: Unreturned| {
            let another = Reason::Argument {
                name: "chunk",
                must: "be one of this receiver's",
            };
            NotOwned {
                chunk: other.into_chunk(),
                error: Error::new(&OWN, [], another, &[]),
            }
        })
    }

    /// Makes what the first owned chunk needs, if it is not there. Answers the eventfd that tells of those that come
    /// back while the receiver sleeps.
    #[inline]
    pub(super) fn start_owning(&mut self) -> Result<c_int, Error> {
        if let Some(owned) = &self.owned {
            return Ok(owned.eventfd.as_raw());
        }
        let eventfd = eventfd()?;
        let theirs = Fd::duplicate(eventfd.as_raw()).map_err(no_descriptor)?;
        let owned = Owned {
            recycler: self.pool.recycler(theirs)?,
            eventfd,
            is_watched: false,
        };
        Ok(self.owned.insert(owned).eventfd.as_raw())
    }

    /// Takes in what was dropped.
    #[inline]
    pub(super) fn collect_owned(&mut self) {
        while let Some(chunk) = self
            .owned
            .as_mut()
            .and_then(|owned| owned.recycler.next_returned())
        {
            self.recycle(chunk).expect("the pool takes its own chunk");
        }
    }

    /// Whether the receiver may sleep: not if a chunk has come back that may be waited for. If it may, it is woken
    /// by the next one that does.
    #[inline]
    pub(super) fn may_sleep(&mut self) -> Result<bool, Error> {
        // Whether others are short, who share the memory, cannot be seen from here.
        let short = self.pool.is_shared()
            || self.counters.outstanding >= self.short_at
            || !self.dry.is_empty();
        let Some(owned) = self
            .owned
            .as_mut()
            .filter(|owned| short && owned.recycler.outstanding() > 0)
        else {
            return Ok(true);
        };
        if !owned.is_watched {
            let watch = Sqe::poll_add_multishot(owned.eventfd.as_raw(), libc::POLLIN as u32);
            self.push(watch.user_data(WAKER))?;
        }
        let owned = self.owned.as_mut().expect("looked at above");
        owned.is_watched = true;
        Ok(owned.recycler.will_sleep())
    }
}

/// A new eventfd that nobody waits in.
pub(super) fn eventfd() -> Result<Fd, Error> {
    // SAFETY: takes no pointers.
    let raw = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if raw < 0 {
        return Err(no_descriptor(Errno::last()));
    }
    // SAFETY: the descriptor was just made, and nobody else knows of it.
    Ok(unsafe { Fd::from_raw(raw) })
}

#[cold]
fn no_descriptor(errno: Errno) -> Error {
    let causes = &[Cause {
        cause: "no file descriptor is left",
        remedy: "raise the limit (ulimit -n)",
    }];
    Error::new(&WAKE, [], Reason::Kernel(errno), causes)
}

static OWN: Attempt = Attempt {
    what: "own a chunk",
    arguments: &[],
};

impl BufferRing {
    /// A maker of [owned chunks](OwnedChunk) of these buffers. It adds to `eventfd` to wake its owner, when
    /// [asked to](Recycler::will_sleep). What it hands back is to be [pushed](Self::push).
    #[inline]
    pub fn recycler(&self, eventfd: Option<Fd>) -> Recycler {
        Recycler::new(self.pool, Box::new(Kept(self.memory.clone())), eventfd)
    }
}

/// The buffers, for as long as a chunk is out.
struct Kept(Shared<BufferMemory>);

impl ChunkMemory for Kept {
    #[inline]
    unsafe fn address(&self, chunk: &Chunk) -> NonNull<u8> {
        // SAFETY: the chunk is of these buffers (caller).
        unsafe { self.0.address(chunk) }
    }

    /// The ring of buffers is gone with its owner.
    #[inline]
    fn take_back(&self, _: Chunk) {}
}
