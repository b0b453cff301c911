//! Waiting: chunks go back, paused requests are submitted again, in the order that loses nothing.

use core::time::Duration;

use super::receiver::{Receiver, Wait};
use super::table::{Phase, Role};
use crate::error::Error;
use crate::ring::{QueueFull, Sqe, Woken};
use crate::zcrx::Chunk;

/// How long a socket waits for buffers, if nobody returns any, before it is tried again.
const DRY_RETRY: Duration = Duration::from_millis(1);

impl Receiver {
    /// Returns recycled chunks, submits what is to be submitted, and waits for something to happen, at
    /// most for `timeout` if there is one.
    ///
    /// # Errors
    ///
    /// The kernel's, when it cannot be entered; none is expected on the thread that built the receiver.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Wait, Error> {
        self.give_back();
        if !self.events.is_empty() || self.refresh() {
            return Ok(Wait::Ready);
        }
        // The queue is drained and its head published: the right moment to let in what waits in the
        // kernel, and to submit again what was refused meanwhile. Not the other way round: as long as
        // one completion waits, the kernel posts no other.
        if self.ring.has_overflow() {
            self.ring.flush_overflow()?;
            if self.refresh() {
                return Ok(Wait::Ready);
            }
        }
        self.submit_paused();
        let starved = !self.dry.is_empty();
        let timeout = match timeout {
            Some(timeout) if starved => Some(timeout.min(DRY_RETRY)),
            None if starved => Some(DRY_RETRY),
            other => other,
        };
        let woken = match timeout {
            Some(timeout) => self.ring.submit_and_wait_for(1, timeout)?,
            None => self.ring.submit_and_wait(1)?,
        };
        Ok(match woken {
            Woken::Interrupted => Wait::Interrupted,
            Woken::TimedOut if starved => {
                self.retry_dry = true;
                Wait::Starved
            }
            Woken::TimedOut => Wait::TimedOut,
            Woken::Returned => Wait::Ready,
        })
    }

    /// Gives read completions back and looks for new ones; whether there are any.
    pub(super) fn refresh(&mut self) -> bool {
        let queue = self.ring.completion_queue();
        queue.publish();
        queue.refresh() > 0
    }

    #[cold]
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
    fn flush(&mut self) {
        if self.can_flush && self.pool.unconsumed() > 0 {
            self.counters.flushes += 1;
            self.can_flush = self.pool.flush().is_ok();
        }
        self.unflushed = 0;
    }

    /// Shows the kernel all recycled chunks.
    fn give_back(&mut self) {
        if !self.backlog.is_empty() {
            for chunk in core::mem::take(&mut self.backlog) {
                match self.pool.push(chunk) {
                    Ok(()) => {}
                    Err(full) => self.backlog.push(full.into_chunk()),
                }
            }
        }
        self.pool.publish();
        let wanted = !self.dry.is_empty() || !self.backlog.is_empty();
        if self.unflushed >= self.flush_at || (wanted && self.unflushed > 0) {
            self.flush();
        }
    }

    /// Submits what is paused and may go on.
    fn submit_paused(&mut self) {
        let mut due = core::mem::take(&mut self.rearm);
        if self.retry_dry {
            due.append(&mut self.dry);
            self.retry_dry = false;
        }
        for id in due.drain(..) {
            let Some(socket) = self.table.get_mut(id) else {
                continue;
            };
            if !matches!(socket.phase, Phase::Paused(_)) {
                continue;
            }
            socket.phase = Phase::Active;
            let fd = socket.fd.as_raw();
            let sqe = match &mut socket.role {
                Role::Stream(request) => self.pool.arm(fd, request),
                Role::Listener => Sqe::accept_multishot(fd),
            };
            self.push(sqe.user_data(id.user_data()));
        }
        // Keeps the allocation for the next round.
        self.rearm = due;
    }

    /// Pushes a submission, making room first if there is none.
    pub(super) fn push(&mut self, sqe: Sqe) {
        let mut sqe = sqe;
        while let Err(QueueFull(back)) = self.ring.submissions().push(sqe) {
            sqe = back;
            // The kernel takes all it is given unless it has no memory; then it will have some again.
            let _ = self.ring.submit();
        }
    }
}
