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
    // SAFETY: the caller vouches for what the published entries point to. There is no argument.
    unsafe { enter_raw(fd, to_submit, min_complete, flags, core::ptr::null(), 0) }
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
    let (flags, size) = (
        flags | IORING_ENTER_EXT_ARG,
        size_of::<io_uring_getevents_arg>(),
    );
    // SAFETY: the caller vouches for what the published entries and the argument point to; the argument
    // itself is borrowed, and read during the call alone.
    unsafe { enter_raw(fd, to_submit, min_complete, flags, argument, size) }
}

/// The call itself. Where this crate knows how, it is one instruction: a call by way of libc moves each argument over by
/// one, and the answer through a variable of the thread.
///
/// # Safety
///
/// As for [`enter`], and [`enter_within`] if `flags` has `ENTER_EXT_ARG`; `argument` must then have `size` bytes.
#[inline(always)]
unsafe fn enter_raw(
    fd: c_int,
    to_submit: u32,
    min_complete: u32,
    flags: u32,
    argument: *const io_uring_getevents_arg,
    size: usize,
) -> Result<u32, Errno> {
    let number = libc::SYS_io_uring_enter;
    #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
    {
        let answer: c_long;
        // SAFETY: the registers are those of system calls on this machine (syscall(2)): of others the kernel changes
        // only rcx and r11, and it leaves the stack alone. As to memory, the caller vouches for what it is given.
        unsafe {
            core::arch::asm!(
                "syscall",
                inlateout("rax") number => answer,
                in("rdi") fd,
                in("rsi") to_submit,
                in("rdx") min_complete,
                in("r10") flags,
                in("r8") argument,
                in("r9") size,
                lateout("rcx") _,
                lateout("r11") _,
                options(nostack, preserves_flags),
            );
        }
        answered(answer)
    }
    #[cfg(target_arch = "aarch64")]
    {
        let answer: c_long;
        // SAFETY: the registers are those of system calls on this machine (syscall(2)); the kernel changes no other, and
        // leaves the stack alone. As to memory, the caller vouches for what it is given.
        unsafe {
            core::arch::asm!(
                "svc 0",
                in("x8") number,
                inlateout("x0") c_long::from(fd) => answer,
                in("x1") c_long::from(to_submit),
                in("x2") c_long::from(min_complete),
                in("x3") c_long::from(flags),
                in("x4") argument,
                in("x5") size,
                options(nostack, preserves_flags),
            );
        }
        answered(answer)
    }
    #[cfg(not(any(
        all(target_arch = "x86_64", target_pointer_width = "64"),
        target_arch = "aarch64"
    )))]
    // SAFETY: as above.
    result(unsafe {
        libc::syscall(
            number,
            fd as c_long,
            to_submit as c_long,
            min_complete as c_long,
            flags as c_long,
            argument,
            size,
        )
    })
}

/// What the kernel's own answer means: a count, or the negative of an error's number.
#[cfg(any(
    all(target_arch = "x86_64", target_pointer_width = "64"),
    target_arch = "aarch64"
))]
#[inline(always)]
fn answered(answer: c_long) -> Result<u32, Errno> {
    // Within 31 bits either way.
    match Errno::from_result(answer as i32) {
        Some(errno) => Err(errno),
        None => Ok(answer as u32),
    }
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
