//! A zcrx instance, whole: areas with their reference counts, and the consumer of its refill ring.

use alloc::vec::Vec;
use core::ptr::NonNull;

use libc::c_int;

use super::CompletionTwin;
use crate::errno::Errno;
use crate::fd::Fd;
use crate::index::Index;
use crate::mapping::{page_size, Mapping};
use crate::sync::{AtomicU32, Ordering};
use crate::uapi::{
    io_uring_zcrx_ifq_reg, io_uring_zcrx_rqe, IORING_CQE_F_MORE, IORING_ZCRX_AREA_SHIFT,
};
use crate::zcrx::{Answer, Area, Ifq, Memory, Offset, Prepared};

/// Where things lie in the region, with cache lines of 64 bytes (`io_fill_zcrx_offsets` of 7.3).
const HEAD: u32 = 0;
const TAIL: u32 = 64;
const RQES: u32 = 128;

/// Why a packet was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// No chunk of the area is free: a request would end with ENOMEM.
    NoChunk,
    /// The completion queue is full: a request would end with ENOSPC.
    NoSlot,
}

/// What became of the entries that were in the refill ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refilled {
    /// References given back.
    pub returned: u32,
    /// Entries for a chunk that the application held no reference on: returned once too often.
    pub excess: u32,
    /// Entries that name no chunk, or whose padding is not zero.
    pub malformed: u32,
}

/// The kernel's side of one zcrx instance (`struct io_zcrx_ifq`).
///
/// Memory is shared with the [`Ifq`] that it made as the kernel shares it: each side maps it for itself.
#[derive(Debug)]
pub struct InstanceTwin {
    region: Mapping,
    entries: u32,
    head: Index,
    chunk_len: usize,
    areas: Vec<AreaTwin>,
}

#[derive(Debug)]
struct AreaTwin {
    view: Mapping,
    /// References that the application holds on each chunk (`user_refs`).
    references: Vec<u32>,
    /// Chunks that nobody holds, last freed first (`freelist`).
    free: Vec<u32>,
}

impl InstanceTwin {
    /// An instance with one area of `chunks` pages and `entries` refill entries (a power of two), and the
    /// application's end of it. Its ring's descriptor is not one: control operations fail with EOPNOTSUPP.
    ///
    /// # Errors
    ///
    /// No memory or descriptor is left.
    ///
    /// # Panics
    ///
    /// If the arguments are none that the kernel would take.
    pub fn new(chunks: u32, entries: u32) -> Result<(Self, Ifq), Errno> {
        let mut reg = io_uring_zcrx_ifq_reg {
            rq_entries: entries,
            rx_buf_len: page_size() as u32,
            ..Default::default()
        };
        (reg.offsets.head, reg.offsets.tail, reg.offsets.rqes) = (HEAD, TAIL, RQES);
        let len = RQES as usize + entries as usize * size_of::<io_uring_zcrx_rqe>();
        let (ring, region, ours) = shared_memory(len.next_multiple_of(page_size()))?;
        let (_, area, area_view) = shared_memory(chunks as usize * page_size())?;
        let answer = Answer {
            reg,
            area: Default::default(),
            region: Default::default(),
        };
        let memory = Memory {
            area: Area::of(area, page_size()),
            region,
            stats_offset: None,
        };
        let ifq = answer.accept(Prepared::new(ring)?, memory);
        let twin = Self {
            region: ours,
            entries,
            head: Index::new(0),
            chunk_len: page_size(),
            areas: [AreaTwin::new(area_view, chunks)].into(),
        };
        Ok((
            twin,
            ifq.map_err(drop)
                .expect("arguments that the kernel would take"),
        ))
    }

    /// Adds an area of `chunks` pages (`zcrx_ctrl_add_area`), for whose chunks `ifq` is to have been made by this.
    ///
    /// # Errors
    ///
    /// No memory or descriptor is left, or no area id.
    pub fn add_area(&mut self, ifq: &Ifq, chunks: u32) -> Result<(), Errno> {
        let (_, area, view) = shared_memory(chunks as usize * self.chunk_len)?;
        let id = u16::try_from(self.areas.len()).map_err(|_| Errno::INVAL)?;
        ifq.insert_area(id, Area::of(area, page_size()))
            .map_err(|_| Errno::INVAL)?;
        self.areas.push(AreaTwin::new(view, chunks));
        Ok(())
    }

    /// Receives a packet with at most a chunk of payload: puts it into a free chunk and posts the completion
    /// of request `user_data` (`io_zcrx_recv_frag`).
    ///
    /// # Errors
    ///
    /// [`Dropped`] if there is no chunk or no slot.
    ///
    /// # Panics
    ///
    /// If the payload is empty or longer than a chunk.
    pub fn receive(
        &mut self,
        queue: &mut CompletionTwin,
        user_data: u64,
        payload: &[u8],
    ) -> Result<(), Dropped> {
        assert!((1..=self.chunk_len).contains(&payload.len()));
        let (id, area) = (0_u64..)
            .zip(&mut self.areas)
            .find(|(_, area)| !area.free.is_empty())
            .ok_or(Dropped::NoChunk)?;
        let chunk = *area.free.last().expect("just seen");
        let within = chunk as usize * self.chunk_len;
        let at: NonNull<u8> = area.view.at(within, payload.len()).expect("inside");
        // SAFETY: the bytes lie inside the view. Nobody else reads or writes them: no reference on the chunk
        // is out, so the application has no chunk for it.
        unsafe { at.copy_from_nonoverlapping(NonNull::from(payload).cast(), payload.len()) };
        let offset = id << IORING_ZCRX_AREA_SHIFT | within as u64;
        let posted = queue.post(
            user_data,
            payload.len() as i32,
            IORING_CQE_F_MORE,
            Some([offset, 0]),
        );
        if !posted {
            return Err(Dropped::NoSlot);
        }
        area.free.pop();
        area.references[chunk as usize] += 1;
        Ok(())
    }

    /// Takes everything that is in the refill ring (`zcrx_flush_rq`).
    pub fn refill(&mut self) -> Refilled {
        let word = |offset: u32| -> NonNull<AtomicU32> {
            let at = self.region.at(offset as usize, 1);
            at.expect("the region holds its header")
        };
        let (khead, ktail) = (word(HEAD), word(TAIL));
        let rqes: NonNull<io_uring_zcrx_rqe> = self
            .region
            .at(RQES as usize, self.entries as usize)
            .expect("the region holds its entries");
        let mut refilled = Refilled::default();
        // SAFETY: the word lies inside the view that self owns. Acquire: pairs with RefillRing::publish.
        let tail = Index::new(unsafe { ktail.as_ref() }.load(Ordering::Acquire));
        for _ in 0..tail.distance_from(self.head).min(self.entries) {
            let slot = self.head.slot(self.entries - 1) as usize;
            // SAFETY: the slot lies inside the view; the producer published it and leaves it alone until
            // the head passes it.
            let rqe = unsafe { rqes.add(slot).read() };
            self.head = self.head.advanced(1);
            self.take_back(&rqe, &mut refilled);
        }
        // SAFETY: as above. Release: pairs with the Acquire of RefillRing's head.
        unsafe { khead.as_ref() }.store(self.head.get(), Ordering::Release);
        refilled
    }

    /// One refill entry (`io_parse_rqe`, `io_zcrx_put_niov_uref`).
    fn take_back(&mut self, rqe: &io_uring_zcrx_rqe, refilled: &mut Refilled) {
        let offset = Offset::from_raw(rqe.off);
        let chunk = offset.within() / self.chunk_len as u64;
        let area = self.areas.get_mut(offset.area_id() as usize);
        let references = area.and_then(|area| {
            let references = area.references.get_mut(usize::try_from(chunk).ok()?)?;
            Some((references, &mut area.free))
        });
        match references {
            Some((references, free)) if rqe.__pad == 0 => match references.checked_sub(1) {
                Some(left) => {
                    *references = left;
                    refilled.returned += 1;
                    if left == 0 {
                        free.push(chunk as u32);
                    }
                }
                None => refilled.excess += 1,
            },
            _ => refilled.malformed += 1,
        }
    }

    /// References that the application holds and has not given back.
    pub fn outstanding(&self) -> u64 {
        let references = self.areas.iter().flat_map(|area| &area.references);
        references.copied().map(u64::from).sum()
    }
}

impl AreaTwin {
    fn new(view: Mapping, chunks: u32) -> Self {
        Self {
            view,
            references: (0..chunks).map(|_| 0).collect(),
            free: (0..chunks).rev().collect(),
        }
    }
}

/// `len` bytes of memory, mapped twice, and its descriptor.
fn shared_memory(len: usize) -> Result<(Fd, Mapping, Mapping), Errno> {
    // SAFETY: the name is a string that ends with a zero byte.
    let fd: c_int = unsafe { libc::memfd_create(c"zcrx-twin".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(Errno::last());
    }
    // SAFETY: the descriptor was just made, and nobody else knows of it.
    let fd = unsafe { Fd::from_raw(fd) };
    // SAFETY: takes no pointers.
    if unsafe { libc::ftruncate(fd.as_raw(), len as libc::off_t) } < 0 {
        return Err(Errno::last());
    }
    let theirs = Mapping::shared(fd.as_raw(), len, 0)?;
    let ours = Mapping::shared(fd.as_raw(), len, 0)?;
    Ok((fd, theirs, ours))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::CqeLayout;

    #[test]
    fn chunks_of_many_areas_go_round() {
        let (mut kernel, mut ifq) = InstanceTwin::new(1, 64).unwrap();
        for _ in 1..40 {
            kernel.add_area(&ifq, 1).unwrap();
        }
        let mut posts = CompletionTwin::new(CqeLayout::Wide, 64, 0);
        // SAFETY: posts outlives the queue and keeps to the kernel's side.
        let mut queue = unsafe { posts.queue() };
        for n in 0..40 {
            kernel.receive(&mut posts, 9, &[n]).unwrap();
        }
        assert_eq!(kernel.receive(&mut posts, 9, &[0]), Err(Dropped::NoChunk));
        for (n, cqe) in (0..).zip(queue.drain()) {
            // SAFETY: the completion is for this instance, and taken once.
            let chunk = unsafe { ifq.take(&cqe.unwrap()) }.unwrap();
            assert_eq!(
                (chunk.offset().area_id(), ifq.bytes(&chunk)),
                (n.into(), &[n][..])
            );
            ifq.recycle(chunk).unwrap();
        }
        ifq.publish();
        assert_eq!(kernel.refill().returned, 40);
    }

    #[test]
    fn bytes_go_round() {
        let (mut kernel, mut ifq) = InstanceTwin::new(4, 8).unwrap();
        let mut posts = CompletionTwin::new(CqeLayout::Mixed, 16, u32::MAX - 2);
        // SAFETY: posts outlives the queue and keeps to the kernel's side.
        let mut queue = unsafe { posts.queue() };
        for lap in 0..100_u8 {
            let mut sent = 0;
            while kernel.receive(&mut posts, 9, &[lap, sent]).is_ok() {
                sent += 1;
            }
            assert_eq!((sent, kernel.outstanding()), (4, 4));
            for (n, cqe) in (0..).zip(queue.drain()) {
                // SAFETY: the completion is for this instance, and taken once.
                let chunk = unsafe { ifq.take(&cqe.unwrap()) }.unwrap();
                assert_eq!(ifq.bytes(&chunk), [lap, n]);
                ifq.recycle(chunk).unwrap();
            }
            ifq.publish();
            let returned = Refilled {
                returned: 4,
                ..Default::default()
            };
            assert_eq!((kernel.refill(), kernel.outstanding()), (returned, 0));
        }
    }
}
