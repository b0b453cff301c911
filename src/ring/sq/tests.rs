use std::vec::Vec;

use super::*;
use crate::index::Index;
use crate::sync::{AtomicU32, Ordering};

/// The kernel's side: it takes entries in the order of their slots.
struct Kernel {
    head: AtomicU32,
    tail: AtomicU32,
    slots: Vec<io_uring_sqe>,
    /// The slots, as both sides get at them.
    array: NonNull<io_uring_sqe>,
    spans: Vec<__kernel_timespec>,
}

impl Kernel {
    fn new(entries: usize, start: u32) -> Self {
        let mut slots: Vec<_> = (0..entries).map(|_| io_uring_sqe::default()).collect();
        Self {
            head: AtomicU32::new(start),
            tail: AtomicU32::new(start),
            array: NonNull::from(&mut slots[..]).cast(),
            slots,
            spans: (0..entries).map(|_| Default::default()).collect(),
        }
    }

    /// The application's side, which must not outlive this.
    fn queue(&mut self) -> SubmissionQueue {
        let (head, tail) = (NonNull::from(&self.head), NonNull::from(&self.tail));
        let entries = self.slots.len() as u32;
        SubmissionQueue {
            // SAFETY: all are self's, which outlives the queue.
            ring: unsafe { Producer::from_raw_parts(head, tail, self.array, entries) },
            spans: NonNull::from(&mut self.spans[..]).cast(),
        }
    }

    /// The entry at `position`.
    fn read(&self, position: Index) -> io_uring_sqe {
        let slot = position.slot(self.slots.len() as u32 - 1) as usize;
        // SAFETY: the slot lies inside the array; whoever reads it has seen that it was written.
        unsafe { self.array.add(slot).read() }
    }

    /// The `user_data` of up to `most` entries that are published.
    fn take(&self, most: usize) -> Vec<u64> {
        let next = || {
            let head = Index::new(self.head.load(Ordering::Relaxed));
            if head.get() == self.tail.load(Ordering::Acquire) {
                return None;
            }
            self.head.store(head.advanced(1).get(), Ordering::Release);
            Some(self.read(head).user_data)
        };
        core::iter::from_fn(next).take(most).collect()
    }
}

#[test]
fn entries_are_taken_in_order_over_many_laps_and_the_wrap() {
    for start in [0, u32::MAX - 9] {
        let mut kernel = Kernel::new(4, start);
        let mut queue = kernel.queue();
        assert_eq!((queue.entries(), queue.pending()), (4, 0));
        let (mut pushed, mut taken) = (0, 0);
        for round in 0..60 {
            let before = kernel.tail.load(Ordering::Relaxed);
            for _ in 0..round % 7 {
                match queue.push(Sqe::nop().user_data(pushed)) {
                    Ok(()) => pushed += 1,
                    Err(QueueFull(sqe)) => {
                        assert_eq!(sqe.into_raw().user_data, pushed, "handed back");
                        assert_eq!(pushed - taken, 4, "full means all four");
                    }
                }
            }
            let published = kernel.tail.load(Ordering::Relaxed);
            assert_eq!(published, before, "nothing is seen before publish");
            let waiting = queue.publish();
            assert_eq!(u64::from(waiting), pushed - taken);
            let most = round as usize % 5;
            for user_data in kernel.take(most) {
                assert_eq!(user_data, taken);
                taken += 1;
            }
            assert_eq!(u64::from(queue.pending()), pushed - taken);
        }
        assert!(taken > 100, "{taken}");
    }
}

#[test]
fn each_timeout_has_a_span_of_its_own() {
    let mut kernel = Kernel::new(2, u32::MAX);
    let mut queue = kernel.queue();
    let spans = [Duration::new(1, 2), Duration::new(3, 4)];
    for (span, n) in spans.into_iter().zip(7..) {
        queue.push_timeout(span, 5, n).unwrap();
    }
    let full = queue.push_timeout(spans[0], 0, 0).unwrap_err();
    assert_eq!(full.0, spans[0]);
    assert!(std::format!("{full}").contains("submit, then push again"));
    for (slot, span, user_data) in [(1, spans[0], 7), (0, spans[1], 8)] {
        let sqe = kernel.read(Index::new(slot));
        let said = (sqe.opcode, sqe.fd, sqe.len, sqe.user_data);
        assert_eq!(said, (11, -1, 1, user_data), "IORING_OP_TIMEOUT, one span");
        // SAFETY: these are the members that a timeout uses; of both unions every value is valid.
        let (off, addr) = unsafe { (sqe.__bindgen_anon_1.off, sqe.__bindgen_anon_2.addr) };
        assert_eq!(off, 5);
        // SAFETY: the address is that of a span that was written.
        let at = unsafe { (addr as usize as *const __kernel_timespec).read() };
        assert_eq!(
            (at.tv_sec as u64, at.tv_nsec as u32),
            (span.as_secs(), span.subsec_nanos())
        );
    }
}
