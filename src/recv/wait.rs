//! Waiting: chunks go back, paused requests are submitted again, in the order that loses nothing.

use alloc::vec::Vec;
use core::time::Duration;

use super::builder::Batch;
use super::clock;
use super::event::{Event, Wait};
use super::notified::Unarmed;
use super::receiver::Receiver;
use super::table::{Phase, Role, SocketId, NOBODY};
use crate::error::Error;
use crate::ring::{QueueFull, Sqe, Woken};
use crate::zcrx::Chunk;

/// How long a socket waits for buffers, if nobody returns any, before it is tried again; more if the coarse clock ticks
/// slower than that.
const DRY_RETRY: Duration = Duration::from_millis(1);
/// How long a receiver that is dropped waits for the kernel to let go.
const LAST_WAIT: Duration = Duration::from_secs(1);

impl Receiver {
    /// Returns recycled chunks, submits what is to be submitted, and waits for something to happen, at
    /// most for `timeout` if there is one. With no time it polls.
    ///
    /// # Errors
    ///
    /// The kernel's, when it cannot be entered; none is expected on the thread that built the receiver.
    #[inline]
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Wait, Error> {
        let mut left = timeout;
        // A wait that gathers can be over sooner than it says.
        let start = self.batch.map(|_| clock::fine());
        loop {
            if self.prepare()? || !self.may_sleep()? {
                return Ok(Wait::Ready);
            }
            // A wait is cut into naps where something has to be looked at even if nothing happens.
            let nap = match (left, self.longest_nap()) {
                (Some(left), Some(longest)) => Some(left.min(longest)),
                (left, longest) => left.or(longest),
            };
            if nap != Some(Duration::ZERO) && self.batch.is_none() {
                self.look_for_work()?;
            }
            let woken = match (self.batch, nap) {
                (_, Some(Duration::ZERO)) => self.poll()?,
                (Some(Batch { chunks, min_wait }), nap) => {
                    self.ring.submit_and_wait_batch(chunks, min_wait, nap)?
                }
                (None, Some(nap)) => self.ring.submit_and_wait_for(1, nap)?,
                (None, None) => self.ring.submit_and_wait(1)?,
            };
            match (woken, nap) {
                (Woken::TimedOut, Some(nap)) => {
                    if !self.dry.is_empty() {
                        self.retry_dry |= self.back_off_is_over(nap);
                        return Ok(Wait::Starved);
                    }
                    left = match start {
                        None => left.map(|left| left.saturating_sub(nap)),
                        Some(start) => {
                            let waited = clock::fine().saturating_sub(start);
                            timeout.map(|timeout| timeout.saturating_sub(waited))
                        }
                    };
                    if left == Some(Duration::ZERO) {
                        return Ok(Wait::TimedOut);
                    }
                }
                (Woken::Interrupted, _) => return Ok(Wait::Interrupted),
                _ => return Ok(Wait::Ready),
            }
        }
    }

    /// Runs what the kernel has put off. A wait for a completion with no time would have it set a timer, too: on an idle
    /// receiver in a virtual machine that took 18 µs, where this takes 0.2.
    fn poll(&mut self) -> Result<Woken, Error> {
        let woken = self.ring.submit_and_wait(0)?;
        Ok(match self.ring.has_completions() {
            true => woken,
            false => Woken::TimedOut,
        })
    }

    /// Whether dry sockets are due for another try, after a nap: who polls, and naps for no time, would otherwise have the
    /// kernel refuse them all the time.
    #[cold]
    fn back_off_is_over(&mut self, nap: Duration) -> bool {
        let now = clock::coarse();
        let over = nap >= DRY_RETRY || now.saturating_sub(self.dry_tried) >= DRY_RETRY;
        if over {
            self.dry_tried = now;
        }
        over
    }

    /// Brings the kernel up to date before a wait; whether there are events, so that no wait is needed.
    #[inline]
    fn prepare(&mut self) -> Result<bool, Error> {
        self.give_back();
        if !self.events.is_empty() || self.refresh() {
            return Ok(true);
        }
        self.ring.check()?;
        // The queue is drained and its head published: the right moment to let in what waits in the
        // kernel, and to submit again what was refused meanwhile. Not the other way round: as long as
        // one completion waits, the kernel posts no other.
        if self.ring.has_overflow() {
            self.ring.flush_overflow()?;
            if self.refresh() {
                return Ok(true);
            }
        }
        self.check_for_stalls();
        self.rearm_notifications();
        self.submit_due()?;
        Ok(false)
    }

    /// How long nothing has to be looked at.
    #[inline]
    pub(super) fn longest_nap(&self) -> Option<Duration> {
        if !self.dry.is_empty() || !self.backlog.is_empty() || self.pool.unpublished() > 0 {
            Some(DRY_RETRY)
        } else if !self.unarmed.is_empty() {
            Some(Unarmed::INTERVAL)
        } else {
            self.stall_check.interval(self.counters.chunks)
        }
    }

    /// Gives read completions back and looks for new ones; whether there are any.
    #[inline]
    pub(super) fn refresh(&mut self) -> bool {
        self.ring.refresh_completions() > 0
    }

    #[cold]
    #[inline(never)]
    pub(super) fn make_room_for(&mut self, chunk: Chunk) {
        self.counters.refill_full += 1;
        self.pool.publish();
        self.flush();
        if let Err(full) = self.pool.push(chunk) {
            // The kernel has not got round to it. The chunk is returned with a later wait.
            self.backlog.push(full.into_chunk());
        }
    }

    /// Has the kernel take back what was published, where it can be told to. An error changes nothing:
    /// it goes on taking buffers as the device asks for them.
    #[inline]
    fn flush(&mut self) {
        if self.can_flush && self.pool.unconsumed() > 0 {
            self.counters.flushes += 1;
            self.can_flush = self.pool.flush().is_ok();
        }
        self.unflushed = 0;
    }

    /// Shows the kernel all recycled chunks.
    #[inline]
    fn give_back(&mut self) {
        self.collect_owned();
        if !self.backlog.is_empty() {
            for chunk in core::mem::take(&mut self.backlog) {
                match self.pool.push(chunk) {
                    Ok(()) => {}
                    Err(full) => self.backlog.push(full.into_chunk()),
                }
            }
        }
        self.pool.publish();
        if self.pool.unpublished() > 0 {
            self.flush();
            self.pool.publish();
        }
        let wanted = !self.dry.is_empty() || !self.backlog.is_empty();
        if self.unflushed >= self.flush_at || wanted {
            self.flush();
        }
    }

    /// Submits cancellations, and what is paused and may go on. What the kernel has no memory for stays
    /// listed for the next wait.
    #[inline]
    fn submit_due(&mut self) -> Result<(), Error> {
        while let Some(&id) = self.cancel.last() {
            self.push(Sqe::cancel(id.user_data()).user_data(NOBODY))?;
            self.cancel.pop();
        }
        if self.retry_dry {
            self.rearm.append(&mut self.dry);
            self.retry_dry = false;
        }
        while let Some(&id) = self.rearm.last() {
            if let Some(sqe) = self.arm(id) {
                self.push(sqe.user_data(id.user_data()))?;
                self.table.get_mut(id).expect("just armed").phase = Phase::Active;
            }
            self.rearm.pop();
        }
        Ok(())
    }

    /// Cancels all requests and waits, not for long, until the kernel has let go of each; whether it has. The
    /// kernel does the same when the ring is closed, only later.
    #[inline]
    pub(super) fn end_everything(&mut self) -> bool {
        self.growth.step = 0; // what runs dry now is not to grow
        let ended = self.cancel_everything();
        // Others may share the memory: what was returned here goes back.
        self.give_back();
        ended
    }

    #[inline]
    fn cancel_everything(&mut self) -> bool {
        self.cancel_many();
        let cancelled = self.push(Sqe::cancel_all().user_data(NOBODY));
        let start = clock::coarse();
        while cancelled.is_ok() && clock::coarse().saturating_sub(start) < LAST_WAIT {
            self.discard_events();
            let overflow = self.ring.has_overflow();
            let in_kernel = self
                .table
                .iter_mut()
                .any(|(_, socket)| socket.phase.is_in_kernel());
            if !in_kernel && !overflow {
                return true;
            }
            let more = if overflow {
                self.ring.flush_overflow()
            } else {
                self.ring.submit_and_wait_for(1, DRY_RETRY).map(drop)
            };
            if more.is_err() {
                break;
            }
        }
        self.discard_events();
        false
    }

    /// Cancels the requests of sockets one by one, where there are so many that it matters: to cancel all at once
    /// the kernel goes, for each one that it finds, through those that it found before and that have not left yet.
    /// With ten thousand that took 0.8 s. What cannot be done here is left to that.
    #[inline]
    fn cancel_many(&mut self) {
        const MANY: usize = 256;
        let sockets = self.table.iter_mut();
        let in_kernel = sockets.filter(|(_, socket)| socket.phase.is_in_kernel());
        let ids: Vec<SocketId> = in_kernel.map(|(id, _)| id).collect();
        if ids.len() <= MANY {
            return;
        }
        for batch in ids.chunks(MANY) {
            for id in batch {
                let cancel = Sqe::cancel(id.user_data()).user_data(NOBODY);
                if self.push(cancel).is_err() {
                    return;
                }
            }
            // Two completions for each: its own, and that of its cancellation.
            let both = 2 * batch.len() as u32;
            if self.ring.submit_and_wait_for(both, DRY_RETRY).is_err() {
                return;
            }
            self.discard_events();
        }
    }

    /// Reads what came and returns it: others may share the memory.
    #[inline]
    fn discard_events(&mut self) {
        while let Some(event) = self.next_event() {
            if let Event::Data { chunk, .. } = event {
                self.recycle(chunk).expect("the pool takes its own chunk");
            }
        }
    }

    /// The submission of a paused socket; `None` if it has ended meanwhile.
    #[inline]
    fn arm(&mut self, id: SocketId) -> Option<Sqe> {
        let socket = self.table.get_mut(id)?;
        if !matches!(socket.phase, Phase::Paused(_)) {
            return None;
        }
        let fd = socket.fd.as_raw();
        Some(match &mut socket.role {
            Role::Stream(request) => self.pool.arm(fd, request),
            Role::Listener => Sqe::accept_multishot(fd),
        })
    }

    /// Pushes a submission, making room first if there is none.
    #[inline]
    pub(super) fn push(&mut self, sqe: Sqe) -> Result<(), Error> {
        let Err(QueueFull(sqe)) = self.ring.push(sqe) else {
            return Ok(());
        };
        // The kernel takes all it is given unless it has no memory for it, which is an error.
        self.ring.submit()?;
        self.ring.push(sqe).map_err(|_| self.ring.busy())
    }
}

#[cfg(test)]
mod tests;
