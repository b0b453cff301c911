//! The `io-uring` crate: multishot receives into a ring of provided buffers.

use std::alloc::{alloc_zeroed, Layout};
use std::io::Error;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::{BufRingEntry, Fd};
use io_uring::{cqueue, opcode, IoUring};

use crate::{BUFFER, BUFFERS};

/// Provided buffers. Their memory is never freed: the program ends with it.
struct Buffers {
    entries: *mut BufRingEntry,
    memory: *mut u8,
    tail: u16,
}

impl Buffers {
    fn new(ring: &IoUring) -> Result<Self, Error> {
        let page = |bytes| Layout::from_size_align(bytes, 4096).expect("a size that fits");
        let count = usize::from(BUFFERS);
        // SAFETY: neither size is 0.
        let (entries, memory) = unsafe {
            (
                alloc_zeroed(page(count * size_of::<BufRingEntry>())).cast::<BufRingEntry>(),
                alloc_zeroed(page(count * BUFFER)),
            )
        };
        assert!(!entries.is_null() && !memory.is_null(), "out of memory");
        // SAFETY: the entries stay.
        unsafe {
            let submitter = ring.submitter();
            submitter.register_buf_ring_with_flags(entries as u64, BUFFERS, 0, 0)?;
        }
        let mut buffers = Self {
            entries,
            memory,
            tail: 0,
        };
        (0..BUFFERS).for_each(|id| buffers.put(id));
        buffers.publish();
        Ok(buffers)
    }

    fn put(&mut self, id: u16) {
        assert!(id < BUFFERS);
        let slot = usize::from(self.tail & (BUFFERS - 1));
        // SAFETY: the slot lies inside the ring, and is not published.
        let entry = unsafe { &mut *self.entries.add(slot) };
        // SAFETY: so does the buffer in its memory.
        entry.set_addr(unsafe { self.memory.add(usize::from(id) * BUFFER) } as u64);
        entry.set_len(BUFFER as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&self) {
        // SAFETY: the word lies in the ring; the kernel reads it atomically.
        let tail = unsafe { &*BufRingEntry::tail(self.entries).cast::<AtomicU16>() };
        tail.store(self.tail, Ordering::Release);
    }
}

fn arm(ring: &mut IoUring, stream: &TcpStream, index: u64) -> Result<(), Error> {
    let receive = opcode::RecvMulti::new(Fd(stream.as_raw_fd()), 0).build();
    // SAFETY: the request names no memory.
    unsafe { ring.submission().push(&receive.user_data(index)) }.map_err(Error::other)
}

pub fn receive(streams: Vec<TcpStream>) -> Result<u64, Box<dyn std::error::Error>> {
    let mut ring = IoUring::builder()
        .setup_cqsize(1024)
        .setup_submit_all()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .setup_no_sqarray()
        .build(256)?;
    let mut buffers = Buffers::new(&ring)?;
    for (index, stream) in streams.iter().enumerate() {
        arm(&mut ring, stream, index as u64)?;
    }
    let (mut open, mut bytes) = (streams.len(), 0);
    let mut again = Vec::new();
    while open > 0 {
        ring.submit_and_wait(1)?;
        for cqe in ring.completion() {
            match cqe.result() {
                0 => open -= 1,
                len if len > 0 => bytes += len as u64,
                error if error == -libc::ENOBUFS => {}
                error => return Err(Error::from_raw_os_error(-error).into()),
            }
            if let Some(id) = cqueue::buffer_select(cqe.flags()) {
                buffers.put(id);
            }
            if cqe.result() != 0 && !cqueue::more(cqe.flags()) {
                again.push(cqe.user_data());
            }
        }
        buffers.publish();
        for index in again.drain(..) {
            arm(&mut ring, &streams[index as usize], index)?;
        }
    }
    Ok(bytes)
}
