//! Looking for work a little longer before going to sleep.
//!
//! To wake a sleeping receiver costs the sender's CPU an interrupt to another one, on a virtual machine two
//! exits. Where data comes every ten microseconds, that is what bounds the rate: on loopback, with 128 KiB
//! buffers, a receiver that looks for 20 µs first got 1.6 to 2 times the rate of one that sleeps at once.

use core::time::Duration;

use super::clock;
use super::receiver::Receiver;
use crate::error::Error;

/// When to look, and for how long.
#[derive(Debug)]
pub(super) struct Spin {
    span: Duration,
    /// Waits to go to sleep at once in.
    skip: u32,
    /// How many that are after the next look in vain: so a receiver that has little to do hardly looks.
    penalty: u32,
}

impl Spin {
    const LONGEST_PENALTY: u32 = 63;

    #[inline]
    pub(super) fn new(span: Duration) -> Self {
        Self {
            span,
            skip: 0,
            penalty: 1,
        }
    }

    /// Looks until `found` says yes or the time is up.
    #[inline]
    fn look(&mut self, found: impl Fn() -> bool) {
        if self.span.is_zero() {
            return;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        let start = clock::fine();
        loop {
            // The clock costs as much as some looks.
            for _ in 0..16 {
                if found() {
                    self.penalty = 1;
                    return;
                }
                core::hint::spin_loop();
            }
            if clock::fine().saturating_sub(start) >= self.span {
                break;
            }
        }
        self.skip = self.penalty;
        self.penalty = (self.penalty * 2).min(Self::LONGEST_PENALTY);
    }
}

impl Receiver {
    /// Looks for work that the kernel has put off for this thread: it says so in shared memory, so that a look
    /// is no system call.
    #[inline]
    pub(super) fn look_for_work(&mut self) -> Result<(), Error> {
        // What was pushed must be on its way, or there is nothing to look for.
        self.ring.submit()?;
        let ring = &self.ring;
        self.spin
            .look(|| ring.has_task_work() || ring.has_completions());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::*;

    /// How often `looks` waits in a row look at all, when nothing is ever found.
    fn looks_in_vain(spin: &mut Spin, waits: u32) -> u32 {
        let looked = Cell::new(0);
        for _ in 0..waits {
            let first = Cell::new(true);
            spin.look(|| {
                looked.set(looked.get() + u32::from(first.replace(false)));
                false
            });
        }
        looked.get()
    }

    #[test]
    fn looking_in_vain_gets_rare_and_finding_makes_it_frequent_again() {
        let mut spin = Spin::new(Duration::from_nanos(1));
        assert!(
            looks_in_vain(&mut spin, 1000) < 25,
            "a receiver with nothing to do kept looking"
        );
        // The penalty runs out, work is found: from then on every wait looks.
        let found = Cell::new(0);
        for _ in 0..200 {
            spin.look(|| {
                found.set(found.get() + 1);
                true
            });
        }
        assert!(
            found.get() >= 200 - Spin::LONGEST_PENALTY,
            "{}",
            found.get()
        );
    }

    #[test]
    fn no_time_means_no_look() {
        let mut spin = Spin::new(Duration::ZERO);
        assert_eq!(looks_in_vain(&mut spin, 10), 0);
    }

    #[test]
    fn what_was_pushed_is_looked_for() {
        let mut own = crate::recv::dispatch::tests::setup();
        own.spin = Spin::new(Duration::from_secs(2));
        own.ring.push(crate::ring::Sqe::nop()).unwrap();
        own.look_for_work().unwrap();
        assert!(own.ring.has_completions(), "submitted, and done by now");
        assert_eq!(own.spin.skip, 0, "found before the time was up");
    }
}
