//! [`OwnedChunk`]: received bytes that any thread can hold and drop, to come back to their [`Recycler`].

#[cfg(feature = "bytes")]
mod bytes;
mod recycler;

use alloc::boxed::Box;
use core::ops::Deref;
use core::ptr::{self, NonNull};

use static_assertions::assert_impl_all;

pub use recycler::Recycler;

use super::chunk::Chunk;
use crate::fd::Fd;
use crate::sync::{fence, AtomicPtr, AtomicUsize, Ordering};

/// Memory that chunks lie in, kept for as long as one of them is out.
pub(crate) trait ChunkMemory: Send + Sync {
    /// Where the chunk's bytes begin.
    ///
    /// # Safety
    ///
    /// The chunk must be of this memory's pool.
    unsafe fn address(&self, chunk: &Chunk) -> NonNull<u8>;

    /// Takes a chunk whose owner is gone, if anybody else can use its place. In any thread; no system call.
    fn take_back(&self, chunk: Chunk);
}

/// What a [`Recycler`] and its chunks share. It is not counted by each chunk, which would cost two more atomic
/// operations: whoever lets go last, once the recycler is gone, is found by `remaining`.
struct Home {
    /// Chunks that came back, last first; or one of the marks below.
    returned: AtomicPtr<Node>,
    /// Once closed: the chunks that are still out, and the recycler until it is dropped.
    remaining: AtomicUsize,
    /// Signalled by whoever returns a chunk while the owner sleeps.
    eventfd: Option<Fd>,
    memory: Box<dyn ChunkMemory>,
}

/// The place of a chunk in the list of those that came back. Used again, so that in the long run owning a chunk
/// allocates nothing.
struct Node {
    chunk: Option<Chunk>,
    next: *mut Node,
}

/// Instead of an empty list: the owner sleeps, and is to be woken. (No node has such an address.)
const ASLEEP: *mut Node = ptr::null_mut::<Node>().wrapping_byte_add(1);
/// Instead of a list: the owner is gone.
const CLOSED: *mut Node = ptr::null_mut::<Node>().wrapping_byte_add(2);

/// Received bytes that belong to whoever holds this: any thread may read them, keep them, and drop them.
///
/// Dropped, they go back to the [`Recycler`] that made this, with one atomic operation and no system call (but for
/// a wake-up, if the owner sleeps for want of buffers); its owner returns them to the kernel.
///
/// As long as one lives, so does the memory that it lies in, and the ring that it came from stays open: with it
/// the queue of the NIC stays taken.
pub struct OwnedChunk {
    bytes: NonNull<u8>,
    len: u32,
    node: NonNull<Node>,
    home: NonNull<Home>,
}

// SAFETY: nobody writes to the bytes while this lives, and what dropping it does to the home is atomic.
unsafe impl Send for OwnedChunk {}
// SAFETY: sharing it allows for reading the bytes, nothing else.
unsafe impl Sync for OwnedChunk {}
assert_impl_all!(OwnedChunk: Send, Sync, Unpin);

impl Deref for OwnedChunk {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: these are the bytes of a chunk, which the kernel leaves alone until it is returned, and
        // that happens after this was dropped. The home keeps the memory.
        unsafe { core::slice::from_raw_parts(self.bytes.as_ptr(), self.len as usize) }
    }
}

impl AsRef<[u8]> for OwnedChunk {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl core::fmt::Debug for OwnedChunk {
    #[inline]
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "OwnedChunk({} bytes)", self.len)
    }
}

impl Drop for OwnedChunk {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the home lives until the last chunk is back and the recycler gone; this one is not back.
        let home = unsafe { self.home.as_ref() };
        // Relaxed: only the value matters; what it points to is not read.
        let mut last = home.returned.load(Ordering::Relaxed);
        loop {
            if last == CLOSED || last == ASLEEP {
                // SAFETY: as above.
                match unsafe { self.drop_aside(last) } {
                    Some(now) => {
                        last = now;
                        continue; // which can be a mark again
                    }
                    None => return,
                }
            }
            // SAFETY: the node is this chunk's own until it is in the list.
            unsafe { (*self.node.as_ptr()).next = last };
            // Release: pairs with the Acquire of Recycler::collect, so that the node is seen whole, and our reads
            // of the bytes come before their reuse.
            let pushed = home.returned.compare_exchange_weak(
                last,
                self.node.as_ptr(),
                Ordering::Release,
                Ordering::Relaxed,
            );
            match pushed {
                // From here on the home may be gone.
                Ok(_) => return,
                Err(now) => last = now,
            }
        }
    }
}

impl OwnedChunk {
    /// What to do about an owner that is gone, or asleep. Answers what is in the place of the list now, if the
    /// chunk is still to be returned.
    ///
    /// # Safety
    ///
    /// This chunk must not be back yet; `None` is the last that is done with it.
    #[cold]
    #[inline]
    unsafe fn drop_aside(&self, mark: *mut Node) -> Option<*mut Node> {
        // SAFETY: the chunk is not back (caller), so the home lives.
        let home = unsafe { self.home.as_ref() };
        if mark == ASLEEP {
            // Woken before the chunk is returned, because afterwards there may be no home to do it with. If the
            // owner goes to sleep again meanwhile, it is woken again. Relaxed: nothing is handed over here.
            let (asleep, relaxed) = (ASLEEP, Ordering::Relaxed);
            let home_is = home
                .returned
                .compare_exchange(asleep, ptr::null_mut(), relaxed, relaxed);
            if home_is.is_ok() {
                home.signal();
            }
            return Some(home.returned.load(Ordering::Relaxed));
        }
        // Acquire: pairs with the Release with which the owner put the mark there, so that `remaining` is seen.
        fence(Ordering::Acquire);
        // SAFETY: the node is this chunk's own, a box, and used no more after this.
        let mut node = unsafe { Box::from_raw(self.node.as_ptr()) };
        if let Some(chunk) = node.chunk.take() {
            home.memory.take_back(chunk);
        }
        // SAFETY: this chunk is one of those that remain, and counted off once.
        unsafe { Home::let_go(self.home, 1) };
        None
    }
}

impl Home {
    /// Wakes the owner.
    #[inline]
    fn signal(&self) {
        if let Some(eventfd) = &self.eventfd {
            let one = 1_u64;
            // SAFETY: writes the 8 bytes of a live local to a descriptor that self owns. An eventfd that is full
            // is one that was signalled.
            let _ = unsafe { libc::write(eventfd.as_raw(), ptr::from_ref(&one).cast(), 8) };
        }
    }

    /// Counts `count` of those that remain off, once the home is closed.
    ///
    /// # Safety
    ///
    /// They must be counted in it, and not use the home any more.
    #[inline]
    unsafe fn let_go(home: NonNull<Self>, count: usize) {
        // SAFETY: those that are not counted off keep it alive (caller).
        let remaining = unsafe { &home.as_ref().remaining };
        // AcqRel: whoever is last drops the home after all others have done what they did.
        if remaining.fetch_sub(count, Ordering::AcqRel) == count {
            // SAFETY: it came from a box, and nobody is left.
            drop(unsafe { Box::from_raw(home.as_ptr()) });
        }
    }
}

#[cfg(all(loom, test))]
mod models;
#[cfg(test)]
mod tests;
