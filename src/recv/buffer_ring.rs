//! [`BufferRing`]: provided buffers, what a [`Receiver`](super::Receiver) falls back to where there is
//! no zero-copy receive. One copy more, no privileges, kernel 5.19.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU16, Ordering};

use super::buffer_memory::BufferMemory;
use crate::errno::Errno;
use crate::error::{Attempt, Cause, Error, Reason};
use crate::fd::Fd;
use crate::mapping::{page_size, Mapping};
use crate::ring::{Cqe, RingFd};
use crate::shared::{Shared, Vacant};
use crate::syscall;
use crate::uapi::{self, io_uring_buf, io_uring_buf_reg};
use crate::zcrx::{Area, Chunk, NotData, Offset, OutOfArea, PoolId, Unreturned};

static REGISTER: Attempt = Attempt {
    what: "register a ring of provided buffers",
    arguments: &["group", "buffers", "buffer bytes"],
};

/// Most buffers of a ring: head and tail have 16 bits, and full must differ from empty.
pub const MAX_BUFFERS: u32 = 32768;

/// A ring of equally long buffers that the kernel picks from as data arrives.
///
/// The kernel writes to these buffers by their address, whenever a request on the ring picks one, or has
/// picked one and still waits for data: a worker thread of the kernel does that. So the value keeps the ring
/// open and unregisters itself when it drops, and its addresses are never given to anybody else, unless
/// somebody [vouches](Self::assume_unused) that no request has picked one: the memory is freed, the range of
/// addresses stays taken.
///
/// | access | ordering | pairs with (kernel 7.3, `io_uring/kbuf.c`) |
/// |---|---|---|
/// | store of `ktail` | Release | `io_ring_buffer_select`: `smp_load_acquire(&br->tail)` |
#[derive(Debug)]
pub struct BufferRing {
    ring: Fd,
    group: u16,
    /// Shared: written here, read by the kernel. It lies over the unused field of entry 0.
    ktail: NonNull<AtomicU16>,
    entries: NonNull<io_uring_buf>,
    mask: u16,
    /// Next entry to write. Ahead of `ktail` until published.
    tail: u16,
    buffer_len: u32,
    pub(super) pool: PoolId,
    /// What the entries lie in; taken out by drop alone.
    ring_memory: Option<Mapping>,
    pub(super) memory: Shared<BufferMemory>,
    unused: bool,
}

impl BufferRing {
    /// Registers `area`, cut into buffers of `buffer_len` bytes, as group `group` of `ring`.
    ///
    /// The number of buffers has to be a power of two, at most [`MAX_BUFFERS`].
    ///
    /// # Errors
    ///
    /// An argument out of range; a group that is taken (EEXIST); no memory.
    #[inline]
    pub fn register(
        ring: RingFd<'_>,
        group: u16,
        area: Area,
        buffer_len: u32,
    ) -> Result<Self, Error> {
        let buffers = area.len() as u64 / u64::from(buffer_len.max(1));
        let arguments = [u64::from(group), buffers, u64::from(buffer_len)];
        let failed = |reason, causes| Error::new(&REGISTER, arguments, reason, causes);
        let refuse = |name, must| Err(failed(Reason::Argument { name, must }, &[]));
        // A completion's length is a positive i32.
        if buffer_len == 0 || buffer_len > i32::MAX as u32 {
            return refuse("buffer bytes", "be from 1 to 2147483647");
        }
        let count = match u16::try_from(buffers) {
            Ok(count) if count.is_power_of_two() && u32::from(count) <= MAX_BUFFERS => count,
            _ => return refuse("buffers", "be a power of two from 1 to 32768"),
        };
        if let Some(how) = ring.repeats_completions() {
            return Err(failed(Reason::Unsupported(how), &[]));
        }
        let kernel = |errno| failed(Reason::Kernel(errno), causes_of(errno));
        let pool = PoolId::unique()
            .ok_or_else(|| failed(Reason::Unsupported("no pool id is left"), &[]))?;
        let ring = Fd::duplicate(ring.as_raw()).map_err(kernel)?;
        let len = (usize::from(count) * size_of::<io_uring_buf>()).next_multiple_of(page_size());
        let mapping = Mapping::anonymous(len, false).map_err(kernel)?;
        let memory = Vacant::new().map_err(kernel)?.fill(BufferMemory::new(area));
        let inside = "a fresh mapping holds its own entries";
        let entries = mapping.at(0, usize::from(count)).expect(inside);
        let ktail = mapping
            .at(core::mem::offset_of!(io_uring_buf, resv), 1)
            .expect(inside);
        let mut reg = io_uring_buf_reg {
            ring_addr: mapping.base().as_ptr() as usize as u64,
            ring_entries: u32::from(count),
            bgid: group,
            ..Default::default()
        };
        // SAFETY: reg is a live, exclusively borrowed local. The ring of entries that it names stays
        // mapped until drop() has unregistered it, or for good.
        unsafe {
            syscall::register(
                ring.as_raw(),
                uapi::IORING_REGISTER_PBUF_RING,
                core::ptr::from_mut(&mut reg).cast(),
                1,
            )
        }
        .map_err(kernel)?;
        let mut this = Self {
            ring,
            group,
            ktail,
            entries,
            mask: count - 1,
            tail: 0,
            buffer_len,
            pool,
            ring_memory: Some(mapping),
            memory,
            unused: false,
        };
        for id in 0..count {
            this.write(id);
        }
        this.publish();
        Ok(this)
    }

    /// Says that no request will write to the buffers any more, so that dropping this can give their addresses
    /// back.
    ///
    /// # Safety
    ///
    /// No request that receives from this group may be in the kernel now or later.
    #[inline]
    pub unsafe fn assume_unused(&mut self) {
        self.unused = true;
    }

    /// The group that submissions name.
    #[inline]
    pub fn group(&self) -> u16 {
        self.group
    }

    /// Number of buffers.
    #[inline]
    pub fn buffers(&self) -> u32 {
        u32::from(self.mask) + 1
    }

    /// Bytes in one buffer.
    #[inline]
    pub fn buffer_len(&self) -> u32 {
        self.buffer_len
    }

    /// Takes the buffer that a completion of a receive carries.
    ///
    /// # Safety
    ///
    /// `cqe` must be the completion of a receive from this group, on the ring that it is registered
    /// with, and each completion may be taken once.
    ///
    /// # Errors
    ///
    /// [`NotData`] if the completion carries no buffer of this ring.
    #[inline]
    pub unsafe fn take(&self, cqe: &Cqe) -> Result<Chunk, NotData> {
        let Some(id) = cqe.buffer_id() else {
            return Err(NotData::Terminal);
        };
        let len = cqe.result().unwrap_or(0);
        if id > self.mask || len > self.buffer_len {
            return Err(NotData::OutOfArea(OutOfArea::PastEnd));
        }
        let offset = Offset::from_raw(u64::from(id) * u64::from(self.buffer_len));
        // SAFETY: the buffer lies in the area (checked above). That the kernel gave it to us, and that
        // this is the only chunk for it, is the caller's promise about `cqe`. A chunk of length 0 is
        // made only for the pool, which returns it unread.
        Ok(unsafe { Chunk::from_raw_parts(offset, len, self.pool) })
    }

    /// The bytes that a chunk of this ring refers to.
    ///
    /// # Panics
    ///
    /// If the chunk came from another pool.
    #[inline]
    #[track_caller]
    pub fn bytes<'a>(&'a self, chunk: &'a Chunk) -> &'a [u8] {
        assert!(
            chunk.is_from(self.pool),
            "the chunk belongs to another pool"
        );
        // SAFETY: take() checked offset and length against this area, which self keeps. Fresh mappings are zeroed,
        // so all bytes are initialised. The kernel writes to a buffer only after it was returned, which takes
        // the chunk by value and so ends this borrow.
        unsafe {
            let start = self.memory.address(chunk);
            core::slice::from_raw_parts(start.as_ptr(), chunk.len() as usize)
        }
    }

    /// Returns a chunk; the kernel sees it with the next [`publish`](Self::publish). There is a slot
    /// for every buffer, so the ring is never full.
    ///
    /// # Errors
    ///
    /// [`Unreturned::OtherPool`] hands back a chunk of another pool.
    #[inline]
    pub fn push(&mut self, chunk: Chunk) -> Result<(), Unreturned> {
        if !chunk.is_from(self.pool) {
            return Err(Unreturned::OtherPool(chunk));
        }
        // The id fits: take() made the offset from one.
        self.write((chunk.offset().within() / u64::from(self.buffer_len)) as u16);
        Ok(())
    }

    /// Shows the kernel all buffers returned so far. Once per batch.
    #[inline]
    pub fn publish(&mut self) {
        // SAFETY: ktail points into the mapping that self owns.
        let ktail = unsafe { self.ktail.as_ref() };
        // Release: pairs with the kernel's acquire in io_ring_buffer_select. It orders the entries
        // before the tail, and our reads of the buffers before the kernel's next writes.
        ktail.store(self.tail, Ordering::Release);
    }

    #[inline]
    fn write(&mut self, id: u16) {
        let offset = usize::from(id) * self.buffer_len as usize;
        let slot = self.tail & self.mask;
        // SAFETY: slot <= mask lies inside the entries. The kernel does not read it: each buffer is
        // either with us or in the ring, so fewer than all slots lie between its head and our tail.
        // Fields are written one by one, because the last one of entry 0 is the shared tail.
        unsafe {
            let entry = self.entries.add(usize::from(slot)).as_ptr();
            (*entry).addr = self.memory.base() + offset as u64;
            (*entry).len = self.buffer_len;
            (*entry).bid = id;
        }
        self.tail = self.tail.wrapping_add(1);
    }
}

impl Drop for BufferRing {
    #[inline]
    fn drop(&mut self) {
        let mut reg = io_uring_buf_reg {
            bgid: self.group,
            ..Default::default()
        };
        // SAFETY: reg is a live, exclusively borrowed local; unregistering names no other memory.
        let unregistered = unsafe {
            syscall::register(
                self.ring.as_raw(),
                uapi::IORING_UNREGISTER_PBUF_RING,
                core::ptr::from_mut(&mut reg).cast(),
                1,
            )
        };
        if unregistered.is_err() {
            // The kernel goes on picking these buffers, and reads the ring of them.
            core::mem::forget((self.ring_memory.take(), self.memory.clone()));
        }
        if !self.unused {
            self.memory.retire();
        }
    }
}

fn causes_of(errno: Errno) -> &'static [Cause] {
    match errno {
        Errno::INVAL => &[Cause {
            cause: "the kernel is older than 5.19",
            remedy: "use a newer kernel",
        }],
        Errno::EXIST => &[
            Cause {
                cause: "the ring has a group of that number",
                remedy: "pick another number",
            },
            Cause {
                cause: "another thread than the ring's owner called",
                remedy: "register on the thread that enabled the ring",
            },
        ],
        Errno::NOMEM => &[Cause {
            cause: "no memory is left",
            remedy: "ask for fewer or shorter buffers",
        }],
        _ => &[],
    }
}
