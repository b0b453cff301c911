//! Control operations on a registered instance (`IORING_REGISTER_ZCRX_CTRL`, kernel 6.19).

use libc::c_int;

use super::causes;
use crate::error::{Attempt, Error, Reason};
use crate::syscall;
use crate::uapi::{self, zcrx_ctrl};

static FLUSH: Attempt = Attempt {
    what: "flush the refill ring",
    arguments: &["zcrx instance"],
};

/// `ZCRX_CTRL_FLUSH_RQ`.
pub(super) fn flush(ring: c_int, zcrx_id: u32) -> Result<(), Error> {
    let mut ctrl = zcrx_ctrl {
        zcrx_id,
        op: uapi::ZCRX_CTRL_FLUSH_RQ,
        ..zcrx_ctrl::default()
    };
    // SAFETY: the argument is a live, exclusively borrowed zcrx_ctrl, which is what this opcode reads;
    // a flush names no other memory, and writes nothing to this process but the refill ring's head.
    let flushed = unsafe {
        syscall::register(
            ring,
            uapi::IORING_REGISTER_ZCRX_CTRL,
            core::ptr::from_mut(&mut ctrl).cast(),
            0,
        )
    };
    flushed.map(drop).map_err(|errno| {
        Error::new(
            &FLUSH,
            [u64::from(zcrx_id)],
            Reason::Kernel(errno),
            causes::of_control(errno),
        )
    })
}
