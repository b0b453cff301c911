//! What the user may still lock, found out by trying to.

use zcrx_sys::ring::RingBuilder;
use zcrx_sys::zcrx::{Area, Device, Ifq};
use zcrx_sys::Errno;

use super::common;

/// Pages that the user may lock while it is tried how many can be.
const LIMIT: usize = 64;
const PAGE: usize = 4096;

/// Has this thread's registrations count against RLIMIT_MEMLOCK, though nothing exceeds it.
pub fn count_what_is_locked() {
    common::drop_capability(common::CAP_IPC_LOCK);
    limit(libc::RLIM_INFINITY);
}

/// Pages of the longest area that can be registered under a limit of [`LIMIT`]: fewer if any were still locked.
pub fn room() -> usize {
    limit((LIMIT * PAGE) as libc::rlim_t);
    let ring = RingBuilder::new(1).build().unwrap();
    let registers = |pages: &usize| {
        let area = Area::new(pages * PAGE).unwrap();
        let builder = Ifq::builder(Device::None).refill_entries(1);
        let result = builder.register(ring.as_ring_fd(), area);
        if let Err(error) = &result {
            assert_eq!(error.errno(), Some(Errno::NOMEM), "{error}");
        }
        result.is_ok()
    };
    let room = (1..=LIMIT).rev().find(registers).unwrap_or(0);
    limit(libc::RLIM_INFINITY);
    room
}

fn limit(bytes: libc::rlim_t) {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: reads one rlimit, a live local.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &limit) };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
}
