//! Time on the processors, and which of them a thread runs on.

use std::mem;

/// Seconds of processor time, in user and kernel mode, that this process took so far.
pub fn process_seconds() -> f64 {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// Seconds of processor time that this thread took so far.
pub fn thread_seconds() -> f64 {
    clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn clock(id: libc::clockid_t) -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: time is a live local, exclusively borrowed.
    let result = unsafe { libc::clock_gettime(id, &mut time) };
    assert_eq!(result, 0, "a clock that every Linux has");
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Processors that this process may run on.
pub fn allowed() -> Vec<usize> {
    // SAFETY: a cpu_set_t is an array of integers, for which all zero is a value.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: set is exclusively borrowed and as long as said.
    let result = unsafe { libc::sched_getaffinity(0, mem::size_of_val(&set), &mut set) };
    let all = 0..libc::CPU_SETSIZE as usize;
    // SAFETY: the number is below the size of the set.
    all.filter(|&cpu| result == 0 && unsafe { libc::CPU_ISSET(cpu, &set) })
        .collect()
}

/// Keeps this thread, and what it starts, on one processor. A kernel that refuses leaves it as it was.
pub fn pin(cpu: usize) {
    // SAFETY: as in allowed().
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    assert!(cpu < libc::CPU_SETSIZE as usize);
    // SAFETY: the number is below the size of the set.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: set is live and as long as said.
    let _ = unsafe { libc::sched_setaffinity(0, mem::size_of_val(&set), &set) };
}
