//! State of real interfaces, as the running kernel tells it.

use std::io::Write;
use std::time::{Duration, Instant};

use super::message::Request;
use super::socket::Socket;
use super::{InterfaceState, Link};
use crate::errno::Errno;

const LOOPBACK: u32 = 1; // in every network namespace

pub(super) fn skip(reason: &str) {
    let thread = std::thread::current();
    let line = std::format!("SKIP {}: {reason}\n", thread.name().unwrap_or("?"));
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Moves the calling thread into a network namespace of its own, or says why it cannot.
fn leave_network() -> bool {
    // SAFETY: takes no pointers.
    let left = unsafe { libc::unshare(libc::CLONE_NEWNET) } == 0;
    if !left {
        skip("a network namespace of its own takes CAP_SYS_ADMIN");
    }
    left
}

/// Sets MTU and flags of loopback, as `ip link set lo mtu MTU up` does.
fn configure_loopback(mtu: u32, up: bool) {
    let mut fixed = [0; 16];
    fixed[4] = LOOPBACK as u8;
    fixed[8] = u8::from(up);
    fixed[12] = 1; // IFF_UP is what is to be changed
    set_link(Request::new(16, &fixed).with(4, &mtu.to_ne_bytes()));
}

/// Sends a request that is answered by an acknowledgement alone, or by an error.
fn set_link(request: Request) {
    let mut socket = Socket::open(libc::NETLINK_ROUTE).unwrap();
    // Without NLM_F_ACK nothing comes back if all went well.
    let answer = socket.ask(request, Link::ANSWER, |_| ());
    assert_eq!(answer, Err(Errno::AGAIN), "{answer:?}");
}

#[test]
fn loopback_is_virtual_and_of_one_queue() {
    let state = InterfaceState::read(LOOPBACK, Some(0));
    assert_eq!(state.exists, Some(true));
    let link = state.link.unwrap();
    assert!(!link.has_parent && !link.netkit && link.mtu.is_some());
    assert_eq!(link.xdp_program, Some(0));
    assert_eq!(state.rings, None, "it has no rings");
    let Some(queue) = state.queue else {
        return skip("this kernel does not tell of queues (6.8), or loopback is down");
    };
    assert!(queue.provider.is_none() && !queue.leased && !queue.af_xdp);
    let past = InterfaceState::read(LOOPBACK, Some(1));
    assert_eq!((past.has_queue, past.queue), (Some(false), None));
    assert_eq!(past.link, Some(link));
    let no_queue = InterfaceState::read(LOOPBACK, None);
    assert_eq!((no_queue.has_queue, no_queue.queue), (None, None));
}

#[test]
fn an_interface_that_is_not_there_is_told_as_such() {
    let missing = InterfaceState {
        exists: Some(false),
        ..InterfaceState::default()
    };
    for index in [0, i32::MAX as u32, i32::MAX as u32 + 1, u32::MAX] {
        assert_eq!(
            InterfaceState::read(index, Some(0)),
            missing,
            "index {index}"
        );
    }
}

#[test]
fn settings_are_told_as_they_are_now() {
    if !leave_network() {
        return;
    }
    let down = InterfaceState::read(LOOPBACK, Some(0));
    assert!(!down.link.unwrap().up);
    assert_eq!((down.has_queue, down.queue), (None, None));
    configure_loopback(9000, true);
    let state = InterfaceState::read(LOOPBACK, Some(0));
    assert!(state.link.unwrap().up);
    assert_eq!(state.mtu(), Some(9000));
    assert_eq!(state.rx_ring_entries(), None);
    // The interfaces of the namespace that was left are not those of this one.
    assert_eq!(InterfaceState::read(LOOPBACK + 1, None).exists, Some(false));
}

#[test]
fn an_xdp_program_is_seen() {
    if !leave_network() {
        return;
    }
    let program = match load_xdp_program() {
        Ok(program) => program,
        Err(errno) => return skip(&std::format!("no XDP program can be loaded: {errno}")),
    };
    let mut fixed = [0; 16];
    fixed[4] = LOOPBACK as u8;
    // IFLA_XDP with IFLA_XDP_FD
    set_link(Request::new(16, &fixed).with_nested(43, 1, &program.as_raw().to_ne_bytes()));
    let link = InterfaceState::read(LOOPBACK, None).link.unwrap();
    assert!(link.xdp_program > Some(0), "{link:?}");
}

/// A program that lets every packet pass.
fn load_xdp_program() -> Result<crate::Fd, Errno> {
    const LOAD: i64 = 5; // BPF_PROG_LOAD
    const XDP: u32 = 6; // BPF_PROG_TYPE_XDP
    let instructions: [u64; 2] = [0x2_0000_00b7, 0x95]; // r0 = XDP_PASS; exit
    let license = c"GPL";
    let mut attributes = [0_u64; 16];
    attributes[0] = u64::from(XDP) | 2 << 32;
    attributes[1] = instructions.as_ptr() as u64;
    attributes[2] = license.as_ptr() as u64;
    let size = size_of_val(&attributes);
    // SAFETY: the attributes are live, and point to two instructions and a string, which the call copies.
    let raw = unsafe { libc::syscall(libc::SYS_bpf, LOAD, attributes.as_ptr(), size) };
    if raw < 0 {
        return Err(Errno::last());
    }
    // SAFETY: the kernel just created this descriptor for us; nobody else knows of it.
    Ok(unsafe { crate::Fd::from_raw(raw as i32) })
}

#[test]
fn reading_it_takes_far_less_than_20_ms() {
    let once = |_| {
        let start = Instant::now();
        let state = InterfaceState::read(LOOPBACK, Some(0));
        assert_eq!(state.exists, Some(true));
        start.elapsed()
    };
    let best = (0..50).map(once).min().unwrap();
    assert!(best < Duration::from_millis(20), "{best:?}");
}
