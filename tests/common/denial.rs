//! A kernel that refuses: system calls of one thread that fail with an error number of the test's choice.

use libc::{c_long, sock_filter};

use zcrx_sys::{uapi, Errno};

/// Calls of one number, or those of them that have a value in one argument.
#[derive(Clone, Copy)]
pub struct Calls {
    number: c_long,
    /// Which argument, and the low half of its value.
    with: Option<(u32, u32)>,
}

pub const SETUP: Calls = all(libc::SYS_io_uring_setup);
pub const ENTER: Calls = all(libc::SYS_io_uring_enter);

/// All calls of that number.
pub const fn all(number: c_long) -> Calls {
    Calls { number, with: None }
}

/// Calls whose argument `which`, from 0, is `value`.
pub const fn with(number: c_long, which: u32, value: u32) -> Calls {
    let with = Some((which, value));
    Calls { number, with }
}

/// Register calls of that opcode. (The flag says that the ring is named by its slot.)
pub const fn register(opcode: u32) -> Calls {
    with(libc::SYS_io_uring_register, 1, opcode)
}

pub const QUERY: Calls = register(uapi::IORING_REGISTER_QUERY);

/// New descriptors for files that are open already.
pub const DUPLICATE: Calls = with(libc::SYS_fcntl, 1, libc::F_DUPFD_CLOEXEC as u32);

/// Has the kernel answer `errno` to such calls of this thread from now on. Of several refusals of a call the last
/// one holds.
pub fn deny(calls: Calls, errno: Errno) {
    const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const IF_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
    const NUMBER: u32 = 0; // Where it lies in seccomp_data, as do the arguments, of 8 bytes each.
    const ARGUMENTS: u32 = if cfg!(target_endian = "little") {
        16
    } else {
        20
    };
    // Without an argument to look at, the number is looked at twice.
    let (place, value) = match calls.with {
        Some((which, value)) => (ARGUMENTS + 8 * which, value),
        None => (NUMBER, calls.number as u32),
    };
    let line = |code: u32, jt, jf, k| sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let mut filter = [
        line(LOAD, 0, 0, NUMBER),
        line(IF_EQUAL, 0, 3, calls.number as u32),
        line(LOAD, 0, 0, place),
        line(IF_EQUAL, 0, 1, value),
        line(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | errno.raw() as u32),
        line(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: takes no pointers; the thread cannot gain privileges any more, which a filter needs.
    let no_new_privileges = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(no_new_privileges, 0);
    // SAFETY: program and filter are live, and copied by the call.
    let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
}

/// Runs `test` in a thread of its own, under the caller's name (which skips are reported by).
pub fn in_a_thread<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let name = std::thread::current().name().unwrap_or("?").to_string();
    let thread = std::thread::Builder::new().name(name);
    match thread.spawn(test).unwrap().join() {
        Ok(answer) => answer,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Runs `test` in a thread of its own to whose calls the kernel answers `errno`, once for each errno.
pub fn for_each<E: Copy + Send + 'static>(cases: &[(Errno, E)], calls: Calls, test: fn(Errno, E)) {
    for &(errno, expected) in cases {
        in_a_thread(move || {
            deny(calls, errno);
            test(errno, expected);
        });
    }
}
