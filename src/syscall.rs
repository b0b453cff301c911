//! The three io_uring system calls. Nothing else in the crate makes one of them.

use core::ffi::c_void;

use libc::{c_int, c_long};

use crate::errno::Errno;
use crate::fd::Fd;
use crate::uapi::{io_uring_getevents_arg, io_uring_params, IORING_ENTER_EXT_ARG};

fn result(value: c_long) -> Result<u32, Errno> {
    if value < 0 {
        Err(Errno::last())
    } else {
        // The kernel returns counts and descriptors here, all within 31 bits.
        Ok(value as u32)
    }
}

/// `io_uring_setup(2)`: creates a ring of `entries` submission entries. The kernel fills `params`.
pub(crate) fn setup(entries: u32, params: &mut io_uring_params) -> Result<Fd, Errno> {
    let params: *mut io_uring_params = params;
    // SAFETY: params points to a whole io_uring_params that is exclusively borrowed, which is all
    // that the kernel reads and writes without NO_MMAP, and the builder never sets NO_MMAP.
    let fd = result(unsafe { libc::syscall(libc::SYS_io_uring_setup, entries as c_long, params) })?;
    // SAFETY: the kernel just created this descriptor for us; nobody else knows of it.
    Ok(unsafe { Fd::from_raw(fd as c_int) })
}

/// `io_uring_enter(2)`: submits, waits, runs task work. Answers the number of entries submitted.
///
/// `fd` is the ring's descriptor, or with `ENTER_REGISTERED_RING` the slot of this thread that the ring is
/// registered in.
///
/// # Safety
///
/// - The submission entries that the ring's tail publishes must be ones whose memory promises hold
///   (see the submission queue).
/// - `flags` must not have `ENTER_EXT_ARG`.
#[inline]
pub(crate) unsafe fn enter(
    fd: c_int,
    to_submit: u32,
    min_complete: u32,
    flags: u32,
) -> Result<u32, Errno> {
    // SAFETY: the caller vouches for what the published entries point to. The argument is null, of which
    // the kernel reads nothing, nor the length that would come after it.
    result(unsafe {
        libc::syscall(
            libc::SYS_io_uring_enter,
            fd as c_long,
            to_submit as c_long,
            min_complete as c_long,
            flags as c_long,
            core::ptr::null::<c_void>(),
        )
    })
}

/// As [`enter`], with limits for the wait (`ENTER_EXT_ARG`, kernel 5.11).
///
/// # Safety
///
/// - As for [`enter`].
/// - The pointers in `argument` must be null or readable as what they stand for.
#[inline]
pub(crate) unsafe fn enter_within(
    fd: c_int,
    to_submit: u32,
    min_complete: u32,
    flags: u32,
    argument: &io_uring_getevents_arg,
) -> Result<u32, Errno> {
    // SAFETY: the caller vouches for what the published entries and the argument point to; the argument
    // itself is borrowed, and read during the call alone.
    result(unsafe {
        libc::syscall(
            libc::SYS_io_uring_enter,
            fd as c_long,
            to_submit as c_long,
            min_complete as c_long,
            (flags | IORING_ENTER_EXT_ARG) as c_long,
            core::ptr::from_ref(argument),
            size_of::<io_uring_getevents_arg>(),
        )
    })
}

/// `io_uring_register(2)`: everything that is not submission or waiting.
///
/// # Safety
///
/// `arg` and `nr_args` must be what `opcode` expects, readable and, where the kernel answers in place,
/// writable and not otherwise borrowed. Memory that the kernel keeps using after the call (buffer
/// rings, areas, regions) must stay valid for as long as it may.
pub(crate) unsafe fn register(
    fd: c_int,
    opcode: u32,
    arg: *mut c_void,
    nr_args: u32,
) -> Result<u32, Errno> {
    // SAFETY: the caller vouches for `arg` as the opcode uses it.
    result(unsafe {
        libc::syscall(
            libc::SYS_io_uring_register,
            fd as c_long,
            opcode as c_long,
            arg,
            nr_args as c_long,
        )
    })
}
