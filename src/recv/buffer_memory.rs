//! The memory of provided buffers, which can outlive their ring.

use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::zcrx::{Area, Chunk};

/// The buffers, which last as long as the ring of them and whatever holds their bytes.
#[derive(Debug)]
pub(super) struct BufferMemory {
    area: ManuallyDrop<Area>,
    /// Whether the kernel may still write to a buffer: then the addresses are given to nobody else.
    retire: AtomicBool,
}

impl BufferMemory {
    #[inline]
    pub(super) fn new(area: Area) -> Self {
        Self {
            area: ManuallyDrop::new(area),
            retire: AtomicBool::new(false),
        }
    }

    /// Where the first buffer begins.
    #[inline]
    pub(super) fn base(&self) -> u64 {
        self.area.base().as_ptr() as usize as u64
    }

    /// Where a chunk's bytes begin.
    ///
    /// # Safety
    ///
    /// The chunk must be of these buffers.
    #[inline]
    pub(super) unsafe fn address(&self, chunk: &Chunk) -> NonNull<u8> {
        // SAFETY: the chunk's offset was checked against the area when it was taken (caller).
        unsafe { self.area.base().add(chunk.offset().within() as usize) }
    }

    /// Keeps the addresses from being used again, once the last holder is gone.
    #[inline]
    pub(super) fn retire(&self) {
        // Relaxed: it is read by the last holder, who sees all that came before the others let go.
        self.retire.store(true, Ordering::Relaxed);
    }
}

impl Drop for BufferMemory {
    fn drop(&mut self) {
        // SAFETY: the area is taken out once, here.
        let area = unsafe { ManuallyDrop::take(&mut self.area) };
        if *self.retire.get_mut() {
            area.retire();
        }
    }
}
