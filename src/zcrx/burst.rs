//! [`Burst`]: the chunks of one drain, in a tight loop.

use super::chunk::{Chunk, PoolId, Unreturned};
use super::ifq::{data_of, Ifq, NotData};
use super::lookup::Lookup;
use super::refill::RefillSlots;
use super::share::Producer;
use super::token::Offset;
use crate::ring::Cqe;

/// Takes and returns the chunks of one drain as [`Ifq`] does, for fewer instructions: what each chunk needs is copied
/// out of the instance once, and a compiler keeps it in registers.
///
/// Dropped, it [publishes](Ifq::publish) what was returned. Forgotten, it loses some of that for the area.
///
/// ```no_run
/// # use zcrx_sys::ring::Ring;
/// # use zcrx_sys::zcrx::Ifq;
/// # fn drain(ring: &mut Ring, ifq: &mut Ifq) {
/// let mut sum = 0_u64;
/// let mut burst = ifq.burst();
/// ring.completions().for_each(|cqe| {
///     let Ok(cqe) = cqe else { return };
///     // SAFETY: this ring has no other request than RECV_ZC for this instance; each is taken once.
///     if let Ok(chunk) = unsafe { burst.take(&cqe) } {
///         sum += u64::from(burst.bytes(&chunk)[0]);
///         burst.recycle(chunk).expect("a refill ring with an entry for each buffer is never full");
///     }
/// });
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a burst that is dropped at once returns nothing"]
pub struct Burst<'a> {
    lookup: Lookup,
    pool: PoolId,
    /// Those of the instance's own refill ring; none if others share it, so that all goes the instance's way.
    slots: RefillSlots,
    ifq: &'a mut Ifq,
}

impl<'a> Burst<'a> {
    #[inline]
    pub(super) fn new(ifq: &'a mut Ifq) -> Self {
        Self {
            lookup: ifq.lookup,
            pool: ifq.pool,
            slots: slots_of(ifq),
            ifq,
        }
    }

    /// As [`Ifq::take`].
    ///
    /// # Safety
    ///
    /// As [`Ifq::take`].
    ///
    /// # Errors
    ///
    /// As [`Ifq::take`].
    #[inline(always)]
    pub unsafe fn take(&self, cqe: &Cqe) -> Result<Chunk, NotData> {
        let (offset, len) = data_of(cqe)?;
        // SAFETY: the lookup is that of the instance, which the Ifq holds.
        if let Err(how) = unsafe { self.lookup.find(offset, len) } {
            self.ifq.find_again(how, offset, len)?;
        }
        // SAFETY: as in Ifq::take, whose promise the caller gives.
        Ok(unsafe { Chunk::from_raw_parts(offset, len, self.pool) })
    }

    /// As [`Ifq::bytes`].
    ///
    /// # Panics
    ///
    /// As [`Ifq::bytes`].
    #[inline(always)]
    #[track_caller]
    pub fn bytes<'c>(&'c self, chunk: &'c Chunk) -> &'c [u8] {
        // SAFETY: the lookup is that of the instance, which the Ifq holds; and the chunk cannot be returned while it is
        // borrowed.
        unsafe { self.lookup.bytes(chunk, self.pool) }
    }

    /// As [`Ifq::recycle`].
    ///
    /// # Errors
    ///
    /// As [`Ifq::recycle`].
    #[inline(always)]
    pub fn recycle(&mut self, chunk: Chunk) -> Result<(), Unreturned> {
        if chunk.is_from(self.pool) && !self.slots.is_empty() {
            // SAFETY: the refill ring lives as long as the instance, there is a slot, and while this burst borrows the
            // instance nobody else goes on with these.
            unsafe { self.slots.put(chunk) };
            return Ok(());
        }
        let (offset, len, pool) = chunk.into_parts();
        let (slots, result) = recycle_slowly(self.ifq, self.slots, offset, len, pool);
        self.slots = slots;
        result
    }
}

impl Drop for Burst<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        finish(self.ifq, self.slots);
    }
}

/// Not in place: a drop that is more than a call is not inlined where a panic unwinds, and then the whole burst is kept in
/// memory for it.
#[inline(never)]
fn finish(ifq: &mut Ifq, slots: RefillSlots) {
    go_on(ifq, slots);
    ifq.publish();
}

/// With the parts of a chunk, and not as a method: what is passed by address is kept in memory.
#[cold]
#[inline(never)]
fn recycle_slowly(
    ifq: &mut Ifq,
    slots: RefillSlots,
    offset: Offset,
    len: u32,
    pool: PoolId,
) -> (RefillSlots, Result<(), Unreturned>) {
    // SAFETY: these are the parts of a chunk that the caller has taken apart.
    let chunk = unsafe { Chunk::from_raw_parts(offset, len, pool) };
    go_on(ifq, slots);
    let result = ifq.recycle(chunk);
    (slots_of(ifq), result)
}

#[inline]
fn slots_of(ifq: &Ifq) -> RefillSlots {
    match &ifq.producer {
        Producer::Own(refill) => refill.slots(),
        Producer::Shared(_) => RefillSlots::NONE,
    }
}

/// Gives back what [`slots_of`] gave.
#[inline]
fn go_on(ifq: &mut Ifq, slots: RefillSlots) {
    if let Producer::Own(refill) = &mut ifq.producer {
        // SAFETY: they are this ring's: an instance that a burst borrows does not change its producer.
        unsafe { refill.go_on(slots) };
    }
}

#[cfg(test)]
mod tests;
