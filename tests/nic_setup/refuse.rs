//! A kernel that refuses one call, for each step of a claim a driver that refuses it; or before which the process
//! is killed.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

const NOTIFICATION_RECEIVE: u64 = 0xc050_2100; // SECCOMP_IOCTL_NOTIF_RECV
const NOTIFICATION_SEND: u64 = 0xc018_2101; // SECCOMP_IOCTL_NOTIF_SEND

/// Runs `first` and then `then` in a thread of its own. Of the calls that `first` makes to netlink and to
/// ethtool's ioctl, number `nth` (from 0) fails with EIO. Answers what they did, and whether a call failed.
pub(crate) fn refusing<A, B: Send>(
    nth: usize,
    first: impl FnOnce() -> A + Send,
    then: impl FnOnce(A) -> B + Send,
) -> (B, bool) {
    striking(nth, || -libc::EIO, first, then)
}

/// As `refusing`, but before that call the process is killed.
pub(crate) fn killing<A, B: Send>(
    nth: usize,
    first: impl FnOnce() -> A + Send,
    then: impl FnOnce(A) -> B + Send,
) {
    let kill = || {
        // SAFETY: a signal to this process.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        unreachable!("killed")
    };
    striking(nth, kill, first, then);
}

fn striking<A, B: Send>(
    nth: usize,
    strike: impl Fn() -> i32,
    first: impl FnOnce() -> A + Send,
    then: impl FnOnce(A) -> B + Send,
) -> (B, bool) {
    let armed = AtomicBool::new(true);
    let (give, take) = mpsc::channel();
    thread::scope(|scope| {
        let armed = &armed;
        let caller = scope.spawn(move || {
            give.send(listen_to_this_thread()).unwrap();
            let first = first();
            armed.store(false, Ordering::Relaxed); // It is read before the next call goes on.
            then(first)
        });
        let struck = answer_calls(&take.recv().unwrap(), nth, armed, strike);
        (caller.join().unwrap(), struck)
    })
}

/// Has the kernel ask, before each such call of this thread, through the descriptor that it answers.
fn listen_to_this_thread() -> OwnedFd {
    const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    const IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    const NUMBER: u32 = 0; // Within seccomp_data.
    const REQUEST: u32 = if cfg!(target_endian = "little") {
        24
    } else {
        28
    }; // The second argument, low half.
    let line = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut filter = [
        line(LOAD, 0, 0, NUMBER),
        line(IF_EQUAL, 3, 0, libc::SYS_sendto as u32),
        line(IF_EQUAL, 0, 3, libc::SYS_ioctl as u32),
        line(LOAD, 0, 0, REQUEST),
        line(IF_EQUAL, 0, 1, libc::SIOCETHTOOL as u32),
        line(RETURN, 0, 0, libc::SECCOMP_RET_USER_NOTIF),
        line(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: program and filter live during the call, which copies them.
    let listener = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &program,
        )
    };
    assert!(listener >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: a new descriptor that nothing else owns.
    unsafe { OwnedFd::from_raw_fd(listener as i32) }
}

/// Answers until the thread has ended; whether a call was refused.
fn answer_calls(
    listener: &OwnedFd,
    nth: usize,
    armed: &AtomicBool,
    strike: impl Fn() -> i32,
) -> bool {
    let (mut calls, mut struck) = (0, false);
    loop {
        let mut poll = libc::pollfd {
            fd: listener.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: poll is an exclusively borrowed local.
        assert_eq!(unsafe { libc::poll(&mut poll, 1, 60_000) }, 1);
        if poll.revents & libc::POLLIN == 0 {
            return struck; // POLLHUP: no thread has the filter any more.
        }
        // SAFETY: for a struct of numbers all zeros are a value, and the one that the kernel wants to find.
        let mut asked: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: asked is an exclusively borrowed local of the type that the command writes.
        let got = unsafe { libc::ioctl(poll.fd, NOTIFICATION_RECEIVE as _, &mut asked) };
        assert_eq!(got, 0, "{}", std::io::Error::last_os_error());
        let strikes = armed.load(Ordering::Relaxed) && calls == nth;
        struck |= strikes;
        calls += 1;
        let mut answer = libc::seccomp_notif_resp {
            id: asked.id,
            val: 0,
            error: if strikes { strike() } else { 0 },
            flags: if strikes {
                0
            } else {
                libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32
            },
        };
        // SAFETY: answer is an exclusively borrowed local of the type that the command reads.
        let sent = unsafe { libc::ioctl(poll.fd, NOTIFICATION_SEND as _, &mut answer) };
        assert_eq!(sent, 0, "{}", std::io::Error::last_os_error());
    }
}
