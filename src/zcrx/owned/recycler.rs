//! [`Recycler`]: where owned chunks come from, and come back to.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ptr::{self, NonNull};

use super::{ChunkMemory, Home, Node, OwnedChunk, ASLEEP, CLOSED};
use crate::fd::Fd;
use crate::sync::{AtomicPtr, AtomicUsize, Ordering};
use crate::zcrx::{Chunk, PoolId, Unreturned};

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
    pub(super) spare: Vec<NonNull<Node>>,
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
    pub(super) fn home(&self) -> &Home {
        // SAFETY: the home lives at least until self is dropped.
        unsafe { self.home.as_ref() }
    }

    /// Gathers what was dropped.
    #[inline]
    pub(super) fn collect(&mut self) {
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
