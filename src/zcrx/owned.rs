//! [`OwnedChunk`]: received bytes that any thread can hold and drop; [`Recycler`]: where they come back to.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Deref;
use core::ptr::{self, NonNull};

use static_assertions::assert_impl_all;

use super::chunk::{Chunk, PoolId, Unreturned};
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

/// The owner's end of [owned chunks](OwnedChunk): it makes them, and gathers those that were dropped.
///
/// It belongs to whoever returns chunks to the kernel, usually the ring's thread.
pub struct Recycler {
    home: NonNull<Home>,
    pool: PoolId,
    /// Chunks made and not handed back to the owner yet.
    out: usize,
    /// Gathered, and not handed back yet.
    back: *mut Node,
    /// Nodes to use again.
    spare: Vec<NonNull<Node>>,
}

// SAFETY: the home and all nodes that it refers to are this value's own, or shared as their atomics allow; none is
// tied to a thread.
unsafe impl Send for Recycler {}

impl Recycler {
    /// Chunks of `pool`, which lie in `memory`. `eventfd` is signalled when the owner is to be woken.
    #[inline]
    pub(crate) fn new(pool: PoolId, memory: Box<dyn ChunkMemory>, eventfd: Option<Fd>) -> Self {
        let home = Box::new(Home {
            returned: AtomicPtr::new(ptr::null_mut()),
            remaining: AtomicUsize::new(0),
            eventfd,
            memory,
        });
        Self {
            home: NonNull::from(Box::leak(home)),
            pool,
            out: 0,
            back: ptr::null_mut(),
            spare: Vec::new(),
        }
    }

    /// Makes an owned chunk of `chunk`.
    ///
    /// # Errors
    ///
    /// [`Unreturned::OtherPool`] hands back a chunk of another pool.
    #[inline]
    pub fn own(&mut self, chunk: Chunk) -> Result<OwnedChunk, Unreturned> {
        if !chunk.is_from(self.pool) {
            return Err(Unreturned::OtherPool(chunk));
        }
        // SAFETY: the home is self's; the chunk is of its pool (checked).
        let bytes = unsafe { self.home.as_ref().memory.address(&chunk) };
        let len = chunk.len();
        let node = self.spare.pop().unwrap_or_else(|| {
            NonNull::from(Box::leak(Box::new(Node {
                chunk: None,
                next: ptr::null_mut(),
            })))
        });
        // SAFETY: the node is new or spare, so it is self's alone.
        unsafe { (*node.as_ptr()).chunk = Some(chunk) };
        self.out += 1;
        Ok(OwnedChunk {
            bytes,
            len,
            node,
            home: self.home,
        })
    }

    /// A chunk that was dropped, to be returned to its pool; `None` if all that were have been handed back.
    #[inline]
    pub fn next_returned(&mut self) -> Option<Chunk> {
        if self.back.is_null() {
            self.collect();
        }
        let node = NonNull::new(self.back)?;
        // SAFETY: the node is in the list that was gathered, which is self's alone.
        let chunk = unsafe {
            self.back = (*node.as_ptr()).next;
            (*node.as_ptr()).chunk.take()
        };
        self.out -= 1;
        self.spare.push(node);
        chunk
    }

    /// Chunks that are out, or dropped and not handed back yet.
    #[inline]
    pub fn outstanding(&self) -> usize {
        self.out
    }

    /// Asks to be woken (by the eventfd) when the next chunk is dropped; `false` if one was already, so that
    /// there is no reason to sleep.
    #[inline]
    pub fn will_sleep(&mut self) -> bool {
        if !self.back.is_null() {
            return false; // gathered, and not handed back yet
        }
        // Relaxed: nothing is handed over. One variable is all there is, so no wake-up is missed: a chunk is
        // dropped before this, and seen, or after it, and sees the mark.
        let (none, relaxed) = (ptr::null_mut(), Ordering::Relaxed);
        let returned = &self.home().returned;
        match returned.compare_exchange(none, ASLEEP, relaxed, relaxed) {
            Ok(_) => true,
            Err(now) => now == ASLEEP,
        }
    }

    #[inline]
    fn home(&self) -> &Home {
        // SAFETY: the home lives at least until self is dropped.
        unsafe { self.home.as_ref() }
    }

    /// Gathers what was dropped.
    #[inline]
    fn collect(&mut self) {
        // Relaxed: a look; what is there is taken by the exchange.
        if self.home().returned.load(Ordering::Relaxed).is_null() {
            return;
        }
        // Acquire: pairs with the Release of OwnedChunk::drop.
        let list = self
            .home()
            .returned
            .swap(ptr::null_mut(), Ordering::Acquire);
        if list != ASLEEP {
            self.back = list;
        }
    }
}

impl Drop for Recycler {
    #[inline]
    fn drop(&mut self) {
        // Relaxed: nobody reads it before the mark is there, which is put with Release.
        self.home().remaining.store(self.out + 1, Ordering::Relaxed);
        // AcqRel: pairs with the Release of OwnedChunk::drop, for the list, and with its Acquire, for the count.
        let list = self.home().returned.swap(CLOSED, Ordering::AcqRel);
        let mut gone = 1;
        for mut next in [
            self.back,
            if list == ASLEEP {
                ptr::null_mut()
            } else {
                list
            },
        ] {
            while let Some(node) = NonNull::new(next) {
                // SAFETY: the node was gathered, so it is self's alone; it came from a box.
                let mut node = unsafe { Box::from_raw(node.as_ptr()) };
                next = node.next;
                gone += 1;
                if let Some(chunk) = node.chunk.take() {
                    self.home().memory.take_back(chunk);
                }
            }
        }
        for node in self.spare.drain(..) {
            // SAFETY: spare nodes are self's alone, and came from boxes.
            drop(unsafe { Box::from_raw(node.as_ptr()) });
        }
        // SAFETY: self and the chunks that are back are counted, and use the home no more.
        unsafe { Home::let_go(self.home, gone) };
    }
}

impl core::fmt::Debug for Recycler {
    #[inline]
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Recycler({} out)", self.out)
    }
}

#[cfg(all(loom, test))]
mod models;
#[cfg(test)]
mod tests;
