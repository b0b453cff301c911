//! What the kernel tells about an instance: counted, passed on, and asked for again.

use core::time::Duration;

use super::clock;
use super::event::Event;
use super::pool::Pool;
use super::receiver::Receiver;
use crate::ring::Cqe;
use crate::zcrx::Notification;

/// Notifications that have fired, and are to be armed again.
#[derive(Debug, Default)]
pub(super) struct Unarmed {
    fired: [Option<Notification>; 2],
    /// Chunks returned and not flushed, when the NIC last found no buffer.
    unflushed: u32,
    /// When the last ones were armed.
    armed: Duration,
}

impl Unarmed {
    /// How soon each is armed again: what goes on all the time is told of a hundred times a second.
    pub(super) const INTERVAL: Duration = Duration::from_millis(10);

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.fired == [None; 2]
    }
}

impl Receiver {
    /// Takes in the completion of a notification.
    #[inline]
    pub(super) fn on_notification(&mut self, cqe: &Cqe) -> Option<Event> {
        let notification = Notification::of(cqe)?;
        let place = match notification {
            Notification::AllocFailed => {
                self.counters.alloc_failures += 1;
                // What was returned since the last time may help, once the kernel has taken it. If nothing was, more
                // memory does. (For a queue, what the kernel has taken by itself still counts as unflushed.)
                let before = core::mem::replace(&mut self.unarmed.unflushed, self.unflushed);
                if self.unflushed == before && self.pool.unconsumed() == 0 {
                    self.grow();
                }
                0
            }
            _ => {
                self.counters.copy_notifications += u64::from(notification == Notification::Copied);
                1
            }
        };
        self.unarmed.fired[place] = Some(notification);
        Some(Event::Notified(notification))
    }

    /// Arms what has fired, if it is time.
    #[inline]
    pub(super) fn rearm_notifications(&mut self) {
        if self.unarmed.is_empty() {
            return;
        }
        let now = clock::coarse();
        if now.saturating_sub(self.unarmed.armed) < Unarmed::INTERVAL {
            return;
        }
        self.unarmed.armed = now;
        let Pool::Zcrx(ifq) = &self.pool else { return };
        for notification in core::mem::take(&mut self.unarmed.fired)
            .into_iter()
            .flatten()
        {
            // An error means that there will be no more of these, which is no loss of data.
            let _ = ifq.arm(notification);
        }
    }
}
