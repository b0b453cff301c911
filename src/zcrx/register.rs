//! Registration: what is checked before the kernel is asked, and the call itself.

use super::adding::{describe, unfit_area};
use super::answer::{Answer, Memory, Prepared};
use super::area::Area;
use super::causes::{self, Refused, RefusedArea};
use super::device::{unfit, Device, RefillRegion};
use super::ifq::Ifq;
use super::notification;
use super::query::Support;
use crate::cause::Diagnosis;
use crate::errno::Errno;
use crate::error::{Attempt, Error, Reason};
use crate::fd::Fd;
use crate::mapping::{page_size, Mapping};
use crate::ring::RingFd;
use crate::syscall;
use crate::uapi::{self, io_uring_region_desc, io_uring_zcrx_ifq_reg, zcrx_event_desc, zcrx_stats};

static ON_QUEUE: Attempt = Attempt {
    what: "register zero-copy receive on an interface queue",
    arguments: &["interface", "queue", "refill entries", "area bytes"],
};
static NO_DEVICE: Attempt = Attempt {
    what: "register zero-copy receive without a device",
    arguments: &["refill entries", "area bytes"],
};

/// Most entries of a refill ring (`IO_RQ_MAX_ENTRIES`).
pub const MAX_REFILL_ENTRIES: u32 = 32768;

/// Room that is left for the refill ring's header: it took 64 bytes up to kernel 7.2 and 128 in 7.3.
/// Kernels that can be asked (6.19) are; this is for those that cannot, and for those to come.
const HEADER_ROOM: usize = 512;

/// Options of an [`Ifq`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it registers"]
pub struct IfqBuilder {
    device: Device,
    refill_entries: u32,
    refill_region: RefillRegion,
    chunk_len: Option<u32>,
    notifications: Option<u64>,
}

impl IfqBuilder {
    #[inline]
    pub(super) fn new(device: Device) -> Self {
        Self {
            device,
            refill_entries: 4096,
            refill_region: RefillRegion::default(),
            chunk_len: None,
            notifications: None,
        }
    }

    /// Entries of the refill ring, from 1 to [`MAX_REFILL_ENTRIES`], rounded up to a power of two.
    /// 4096 if never called. One for each chunk that is out at a time never runs full.
    #[inline]
    pub fn refill_entries(mut self, entries: u32) -> Self {
        self.refill_entries = entries;
        self
    }

    /// Who allocates the refill ring's memory.
    #[inline]
    pub fn refill_region(mut self, region: RefillRegion) -> Self {
        self.refill_region = region;
        self
    }

    /// Asks for buffers of `bytes`, a power of two of at least a page (`rx_buf_len`, kernel 7.0). The
    /// driver has to support it, and the area to be contiguous in pieces of that length.
    #[inline]
    pub fn chunk_len(mut self, bytes: u32) -> Self {
        self.chunk_len = Some(bytes);
        self
    }

    /// Has the kernel [notify](super::Notification) this ring of what happens to the instance, in completions
    /// that carry `user_data` (kernel 7.2; registration fails on one that cannot). Choose one that no request on
    /// that ring has: a notification's result is a small number, which a completion of another kind could mean.
    #[inline]
    pub fn notifications(mut self, user_data: u64) -> Self {
        self.notifications = Some(user_data);
        self
    }

    /// Registers the instance with `ring`, on the thread that owns the ring.
    ///
    /// # Errors
    ///
    /// Arguments out of range and a ring that cannot carry zero-copy completions are refused before the
    /// kernel is asked; the kernel's own refusals come with their causes. Nothing is left behind, except
    /// that a kernel whose answer cannot be used keeps its registration until the ring is closed.
    #[inline]
    pub fn register(self, ring: RingFd<'_>, area: Area) -> Result<Ifq, Error> {
        self.try_register(ring, area).map_err(|(error, _)| error)
    }

    /// As [`register`](Self::register); hands the area back if the kernel did not take it.
    #[inline]
    pub(crate) fn try_register(
        &self,
        ring: RingFd<'_>,
        area: Area,
    ) -> Result<Ifq, (Error, Option<Area>)> {
        let support = Support::query();
        if let Err(error) = self.check(ring, &area, &support) {
            return Err((error, Some(area)));
        }
        let refused = self.refused(ring, &area);
        let error = |reason| self.error(&refused, reason);
        let region_len = self.region_len(&support);
        // All that can fail on this side comes first.
        let prepared = Fd::duplicate(ring.as_raw())
            .and_then(Prepared::new)
            .and_then(|prepared| Ok((prepared, self.own_region(region_len)?)));
        let (prepared, own_region) = match prepared {
            Ok(prepared) => prepared,
            Err(errno) => return Err((error(Reason::Kernel(errno)), Some(area))),
        };
        let stats_offset = support
            .has_statistics()
            .then(|| region_len - size_of::<zcrx_stats>());
        let asked = self.ask(
            &prepared.ring,
            &area,
            own_region.as_ref(),
            region_len,
            stats_offset,
        );
        let answer = match asked {
            Ok(answer) => answer,
            Err(errno) => return Err((error(Reason::Kernel(errno)), Some(area))),
        };
        let region = match own_region {
            Some(region) => Ok(region),
            None => Mapping::shared(
                prepared.ring.as_raw(),
                region_len,
                answer.region.mmap_offset,
            ),
        };
        let accepted = match region {
            Ok(region) => {
                let memory = Memory {
                    area,
                    region,
                    stats_offset,
                };
                answer.accept(prepared, memory)
            }
            Err(errno) => {
                // Registered all the same: the area belongs to the kernel until the ring is closed.
                core::mem::forget(area);
                Err(Reason::Kernel(errno))
            }
        };
        accepted.map_err(|reason| (error(reason), None))
    }

    /// The refill ring's memory, if this process allocates it.
    #[inline]
    fn own_region(&self, len: usize) -> Result<Option<Mapping>, Errno> {
        match self.refill_region {
            RefillRegion::User => Mapping::anonymous(len, false).map(Some),
            RefillRegion::Kernel => Ok(None),
        }
    }

    #[inline]
    fn check(&self, ring: RingFd<'_>, area: &Area, support: &Support) -> Result<(), Error> {
        let refused = self.refused(ring, area);
        let refuse = |name, must| Err(self.error(&refused, Reason::Argument { name, must }));
        if !(1..=MAX_REFILL_ENTRIES).contains(&self.refill_entries) {
            return refuse("refill entries", "be from 1 to 32768");
        }
        match self.device {
            Device::Queue { interface: 0, .. } => {
                return refuse("interface", "be an interface's index, which is never 0")
            }
            Device::Queue {
                queue: u32::MAX, ..
            } => return refuse("queue", "be a queue's number"),
            _ => {}
        }
        if let Some(chunk) = self.chunk_len {
            if !chunk.is_power_of_two() || (chunk as usize) < page_size() {
                return refuse("chunk bytes", "be a power of two and at least a page");
            }
        }
        let chunk_len = self.chunk_len.unwrap_or(page_size() as u32);
        if let Some(must) = unfit_area(area, chunk_len) {
            return refuse("area bytes", must);
        }
        if let Some(missing) = unfit(ring).or_else(|| ring.repeats_completions()) {
            return Err(self.error(&refused, Reason::Unsupported(missing)));
        }
        // Asked, not inferred: a kernel that has the mode also has the question (6.19).
        if self.device == Device::None && !support.has_no_device() {
            let missing = "this kernel cannot receive into an area without a device (7.1 can)";
            return Err(self.error(&refused, Reason::Unsupported(missing)));
        }
        // The field was reserved before. Kernels that cannot be asked do not have it.
        if chunk_len as usize != page_size() && !support.has_large_chunks() {
            let missing = "this kernel has no chunks other than a page (7.0 has)";
            return Err(self.error(&refused, Reason::Unsupported(missing)));
        }
        if self.notifications.is_some() && !support.has_notifications() {
            let missing = "this kernel does not notify of what happens to an area (7.2 can)";
            return Err(self.error(&refused, Reason::Unsupported(missing)));
        }
        Ok(())
    }

    #[inline]
    fn region_len(&self, support: &Support) -> usize {
        // A kernel that says it needs more than a page for two words is not believed; registration then says
        // whether it was right.
        let header = support
            .zcrx()
            .and_then(|zcrx| {
                zcrx.rq_hdr_size
                    .checked_next_multiple_of(zcrx.rq_hdr_alignment)
            })
            .map_or(HEADER_ROOM, |aligned| {
                HEADER_ROOM.max(aligned as usize).min(page_size())
            });
        let entries = self.refill_entries.next_power_of_two() as usize;
        let entries = entries * size_of::<uapi::io_uring_zcrx_rqe>();
        (header + entries + size_of::<zcrx_stats>()).next_multiple_of(page_size())
    }

    /// The system call.
    #[inline]
    fn ask(
        &self,
        ring: &Fd,
        area: &Area,
        region: Option<&Mapping>,
        region_len: usize,
        stats_offset: Option<usize>,
    ) -> Result<Answer, Errno> {
        let mut area_reg = describe(area);
        let mut region_reg = io_uring_region_desc {
            size: region_len as u64,
            ..Default::default()
        };
        if let Some(region) = region {
            region_reg.user_addr = region.base().as_ptr() as usize as u64;
            region_reg.flags = uapi::IORING_MEM_REGION_TYPE_USER;
        }
        let mut events = zcrx_event_desc::default();
        let mut reg = io_uring_zcrx_ifq_reg {
            rq_entries: self.refill_entries,
            area_ptr: core::ptr::from_mut(&mut area_reg) as usize as u64,
            region_ptr: core::ptr::from_mut(&mut region_reg) as usize as u64,
            // Chunks of a page are what the kernel has by itself, and all that it had before 7.0.
            rx_buf_len: self
                .chunk_len
                .filter(|&len| len as usize != page_size())
                .unwrap_or(0),
            ..Default::default()
        };
        match self.device {
            Device::Queue { interface, queue } => {
                reg.if_idx = interface;
                reg.if_rxq = queue;
            }
            Device::None => reg.flags = uapi::ZCRX_REG_NODEV,
        }
        if let Some(offset) = stats_offset {
            events.flags = uapi::ZCRX_EVENT_DESC_FLAG_STATS;
            events.stats_offset = offset as u64;
        }
        if let Some(user_data) = self.notifications {
            events.user_data = user_data;
            events.type_mask = notification::ALL;
        }
        if stats_offset.is_some() || self.notifications.is_some() {
            reg.event_desc = core::ptr::from_mut(&mut events) as usize as u64;
        }
        // SAFETY: reg and the structs it points to are live, exclusively borrowed locals, which the
        // kernel reads and fills during the call. What it keeps using afterwards, the area and the
        // region, is pinned by it and stays mapped: register() passes both into the Ifq, which keeps
        // the ring open, or leaks them.
        unsafe {
            syscall::register(
                ring.as_raw(),
                uapi::IORING_REGISTER_ZCRX_IFQ,
                core::ptr::from_mut(&mut reg).cast(),
                1,
            )
        }?;
        Ok(Answer {
            reg,
            area: area_reg,
            region: region_reg,
        })
    }

    /// What is refused, for the error that says why.
    #[inline]
    fn refused(&self, ring: RingFd<'_>, area: &Area) -> Refused {
        Refused {
            ring: ring.as_raw(),
            device: self.device,
            area: RefusedArea::new(area, self.chunk_len),
        }
    }

    #[inline]
    fn error(&self, refused: &Refused, reason: Reason) -> Error {
        let diagnosis = match reason {
            Reason::Kernel(errno) => causes::of_registration(errno, refused),
            _ => Diagnosis::Possible(&[]),
        };
        let (entries, bytes) = (u64::from(self.refill_entries), refused.area.len as u64);
        match self.device {
            Device::Queue { interface, queue } => {
                let arguments = [u64::from(interface), u64::from(queue), entries, bytes];
                Error::diagnosed(&ON_QUEUE, arguments, reason, diagnosis)
            }
            Device::None => Error::diagnosed(&NO_DEVICE, [entries, bytes], reason, diagnosis),
        }
    }
}
