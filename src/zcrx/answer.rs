//! What registration answered, and the checks that it passes before any of it is used.

use core::ptr::NonNull;

use super::area::Area;
use super::areas::Areas;
use super::chunk::PoolId;
use super::ifq::Ifq;
use super::instance::Instance;
use super::refill::RefillRing;
use super::share::Producer;
use super::token::Offset;
use crate::errno::Errno;
use crate::error::Reason;
use crate::fd::Fd;
use crate::lock::Lock;
use crate::mapping::{page_size, Mapping};
use crate::shared::Vacant;
use crate::sync::AtomicU32;
use crate::uapi::{
    io_uring_region_desc, io_uring_zcrx_area_reg, io_uring_zcrx_ifq_reg, io_uring_zcrx_rqe,
    zcrx_stats,
};

/// What the kernel wrote into the structs of a registration.
pub(crate) struct Answer {
    pub(crate) reg: io_uring_zcrx_ifq_reg,
    pub(crate) area: io_uring_zcrx_area_reg,
    pub(crate) region: io_uring_region_desc,
}

/// The memory that a registration is about, and where the statistics were asked for.
pub(crate) struct Memory {
    pub(crate) area: Area,
    pub(crate) region: Mapping,
    pub(crate) stats_offset: Option<usize>,
}

/// What an instance needs that can fail: had before the kernel is asked, because there is no way back from its
/// answer.
pub(crate) struct Prepared {
    /// The instance's own reference to the ring.
    pub(crate) ring: Fd,
    pool: PoolId,
    areas: Areas,
    home: Vacant<Instance>,
}

impl Prepared {
    #[inline]
    pub(crate) fn new(ring: Fd) -> Result<Self, Errno> {
        Ok(Self {
            ring,
            // After 2³² pools.
            pool: PoolId::unique().ok_or(Errno::OVERFLOW)?,
            areas: Areas::new()?,
            home: Vacant::new()?,
        })
    }
}

/// What an answer that passed all checks says.
struct Checked {
    refill: RefillRing,
    area_id: u16,
    stats: Option<NonNull<zcrx_stats>>,
}

impl Answer {
    /// Makes the instance of the registration that this answers.
    ///
    /// From the system call on the kernel may write to area and region. If its answer is of no use, both
    /// stay mapped for good, because the registration lasts as long as the ring.
    #[inline]
    pub(crate) fn accept(self, prepared: Prepared, memory: Memory) -> Result<Ifq, Reason> {
        let Prepared {
            ring,
            pool,
            areas,
            home,
        } = prepared;
        let Checked {
            refill,
            area_id,
            stats,
        } = match self.check(&memory, pool) {
            Ok(checked) => checked,
            Err(how) => {
                core::mem::forget(memory);
                return Err(Reason::Answer(how));
            }
        };
        let readable = memory.area.dmabuf_fd().is_none();
        if let Err(area) = areas.insert(&mut areas.adding(), area_id, memory.area) {
            core::mem::forget((area, memory.region));
            return Err(Reason::Answer("the area's id is past the highest"));
        }
        let instance = home.fill(Instance {
            pool,
            chunk_len: self.chunk_len(),
            readable,
            areas,
            producer: Lock::new(None),
            #[cfg(feature = "alloc")]
            orphans: super::kept::Orphans::new(),
            stats,
            _region: memory.region,
        });
        let producer = Producer::Own(refill);
        Ok(Ifq::over(ring, self.reg.zcrx_id, producer, instance))
    }

    /// Checks every offset and size that the kernel gave against the memory it is about.
    #[inline]
    fn check(&self, memory: &Memory, pool: PoolId) -> Result<Checked, &'static str> {
        let area_len = memory.area.len();
        let start =
            Offset::of_area(self.area.rq_area_token).ok_or("the area's token is not an area id")?;
        let chunk_len = self.chunk_len();
        if !chunk_len.is_power_of_two() || chunk_len as usize > area_len {
            return Err("the chunk length is no power of two within the area");
        }
        let entries = self.reg.rq_entries;
        if !entries.is_power_of_two() {
            return Err("the refill entries are no power of two");
        }
        let offsets = &self.reg.offsets;
        let (head, tail, first) = (
            offsets.head as usize,
            offsets.tail as usize,
            offsets.rqes as usize,
        );
        let (region, outside) = (
            &memory.region,
            "an offset lies outside of the refill region",
        );
        let khead: NonNull<AtomicU32> = region.at(head, 1).ok_or(outside)?;
        let ktail: NonNull<AtomicU32> = region.at(tail, 1).ok_or(outside)?;
        let rqes = region.at(first, entries as usize).ok_or(outside)?;
        if head == tail || head.max(tail) + size_of::<AtomicU32>() > first {
            return Err("head, tail and entries of the refill ring overlap");
        }
        let end = first + entries as usize * size_of::<io_uring_zcrx_rqe>();
        let stats = match memory.stats_offset {
            Some(offset) if offset < end => return Err("the entries reach into the statistics"),
            Some(offset) => Some(region.at(offset, 1).ok_or(outside)?),
            None => None,
        };
        // SAFETY: the pointers lie inside the region, aligned, and apart from each other (checked
        // above). The Ifq owns the region and is the only producer; the kernel reads published
        // entries and writes the head alone.
        let refill = unsafe { RefillRing::from_raw_parts(khead, ktail, rqes, entries, pool) };
        Ok(Checked {
            refill,
            area_id: start.area_id(),
            stats,
        })
    }

    /// Kernels before 7.0 leave the field at 0 and use pages.
    #[inline]
    fn chunk_len(&self) -> u32 {
        match self.reg.rx_buf_len {
            0 => page_size() as u32,
            len => len,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 4096;

    /// A good answer for an area of four pages and a region of one.
    fn good() -> Answer {
        let mut reg = io_uring_zcrx_ifq_reg {
            rq_entries: 64,
            ..Default::default()
        };
        (reg.offsets.head, reg.offsets.tail, reg.offsets.rqes) = (0, 64, 128);
        Answer {
            reg,
            area: Default::default(),
            region: Default::default(),
        }
    }

    fn check(answer: &Answer) -> Result<(), &'static str> {
        let memory = Memory {
            area: Area::new(4 * PAGE).unwrap(),
            region: Mapping::anonymous(PAGE, false).unwrap(),
            stats_offset: Some(PAGE - 16),
        };
        answer.check(&memory, PoolId::unique().unwrap()).map(drop)
    }

    #[test]
    fn a_good_answer_passes() {
        assert_eq!(check(&good()), Ok(()));
        let mut old = good(); // before kernel 7.3
        (old.reg.offsets.tail, old.reg.offsets.rqes) = (4, 64);
        assert_eq!(check(&old), Ok(()));
        assert_eq!(
            old.chunk_len() as usize,
            page_size(),
            "it does not say how long chunks are"
        );
        let mut tight = good(); // as close together, and as large, as can be
        (tight.reg.offsets.tail, tight.reg.offsets.rqes) = (4, 8);
        tight.reg.rx_buf_len = 4 * PAGE as u32;
        assert_eq!(check(&tight), Ok(()));
        tight.reg.rq_entries = 128; // these end where the statistics begin
        tight.reg.offsets.rqes = (PAGE - 16 - 128 * 16) as u32;
        assert_eq!(check(&tight), Ok(()));
    }

    #[test]
    fn nothing_wild_gets_through() {
        type Spoil = fn(&mut Answer);
        let cases: &[(Spoil, &str)] = &[
            (|a| a.reg.rq_entries = 0, "power of two"),
            (|a| a.reg.rq_entries = 63, "power of two"),
            (|a| a.reg.rq_entries = 1 << 31, "outside"),
            (|a| a.reg.rq_entries = 256, "outside"),
            (|a| a.reg.offsets.head = u32::MAX - 3, "outside"),
            (|a| a.reg.offsets.tail = PAGE as u32, "outside"),
            (|a| a.reg.offsets.head = 2, "outside"),
            (|a| a.reg.offsets.rqes = u32::MAX - 7, "outside"),
            (|a| a.reg.offsets.rqes = 132, "outside"),
            (|a| a.reg.offsets.tail = 0, "overlap"),
            (|a| a.reg.offsets.tail = 128, "overlap"),
            (|a| a.reg.offsets.rqes = 64, "overlap"),
            (
                |a| a.reg.offsets.rqes = (PAGE - 64 * 16) as u32,
                "statistics",
            ),
            (|a| a.reg.rx_buf_len = 12288, "chunk length"),
            (|a| a.reg.rx_buf_len = 32768, "chunk length"),
            (|a| a.area.rq_area_token = 4096, "token"),
        ];
        for (i, (spoil, text)) in cases.iter().enumerate() {
            let mut answer = good();
            spoil(&mut answer);
            let how = check(&answer).expect_err("must be refused");
            assert!(how.contains(text), "case {i}: {how}");
        }
    }
}
