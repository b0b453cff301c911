//! Why an interface queue cannot be had: of the several causes that an errno has, the one that it was.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use zcrx_sys::recv::Receiver;
use zcrx_sys::ring::{Ring, RingBuilder, RingFd};
use zcrx_sys::zcrx::{interface_index, Area, Device, Ifq, IfqBuilder};
use zcrx_sys::{CauseKind, Errno, Error, Fact};

use common::nic::Nic;

mod common;

const QUEUE: u32 = 1;

fn builder(interface: u32, queue: u32) -> IfqBuilder {
    Ifq::builder(Device::Queue { interface, queue })
}

fn loopback() -> IfqBuilder {
    builder(interface_index("lo").unwrap(), 0)
}

fn area() -> Area {
    Area::new(1 << 20).unwrap()
}

fn ring() -> Option<Ring> {
    common::ring(&RingBuilder::new(8))
}

/// A ring, if a registration by this process gets as far as the interface.
fn ring_of_a_kernel_that_has_it() -> Option<Ring> {
    if !common::is_root() {
        common::skip((u32::MAX, 0), &"needs CAP_NET_ADMIN");
        return None;
    }
    if common::kernel() < (6, 15) {
        common::skip((6, 15), &"no zero-copy receive in this kernel");
        return None;
    }
    ring()
}

/// Why `builder` cannot register.
fn refusal(builder: IfqBuilder, ring: RingFd<'_>) -> Error {
    let result = builder.register(ring, area());
    result.expect_err("it was to be refused")
}

fn assert_found(error: &Error, kind: CauseKind, fact: Option<(&'static str, u64)>) {
    assert_eq!(error.kind(), Some(kind), "{error}");
    let fact = fact.map(|(name, value)| Fact { name, value });
    assert_eq!(error.found(), fact, "{error}");
    assert_eq!(error.causes().len(), 1, "{error}");
}

#[test]
fn header_split_that_is_off() {
    let Some(nic) = Nic::claim() else { return };
    let ring = ring().unwrap();
    nic.ethtool("-G snic0 tcp-data-split off");
    let error = refusal(builder(nic.index(), QUEUE), ring.as_ring_fd());
    assert_eq!(error.errno(), Some(Errno::INVAL));
    assert_found(&error, CauseKind::HeaderSplit, None);
    nic.ethtool("-G snic0 tcp-data-split on");
    builder(nic.index(), QUEUE)
        .register(ring.as_ring_fd(), area())
        .unwrap();
}

#[test]
fn a_queue_that_another_has() {
    let Some(nic) = Nic::claim() else { return };
    let (owner, ring) = (ring().unwrap(), ring().unwrap());
    let taken = builder(nic.index(), QUEUE)
        .register(owner.as_ring_fd(), area())
        .unwrap();
    let error = refusal(builder(nic.index(), QUEUE), ring.as_ring_fd());
    assert_eq!(error.errno(), Some(Errno::EXIST));
    assert_found(&error, CauseKind::QueueTaken, None);
    assert!(error.is_taken_queue());

    // The same errno, but waiting would be in vain.
    let (fd, flags, index) = (ring.as_raw_fd(), ring.setup_flags(), nic.index());
    let elsewhere = thread::spawn(move || {
        // SAFETY: the descriptor is that of a ring set up with these flags; it outlives the thread.
        let ring = unsafe { RingFd::from_raw(fd, flags) };
        refusal(builder(index, QUEUE), ring)
    });
    let error = elsewhere.join().unwrap();
    assert_eq!(error.errno(), Some(Errno::EXIST));
    assert_found(&error, CauseKind::OtherThread, None);
    assert!(!error.is_taken_queue());
    drop(taken);
}

#[test]
fn a_queue_that_is_not_there() {
    let Some(nic) = Nic::claim() else { return };
    let ring = ring().unwrap();
    for (channels, queue) in [(4, 4), (2, 2), (2, 3), (1, 1), (1, u32::MAX - 1)] {
        nic.ethtool(&format!("-L snic0 combined {channels}"));
        let error = refusal(builder(nic.index(), queue), ring.as_ring_fd());
        assert_eq!(error.errno(), Some(Errno::RANGE));
        let fact = Some(("receive queues", channels));
        assert_found(&error, CauseKind::NoQueue, fact);
    }
}

/// Calls bpf(2); answers the descriptor that it made.
///
/// # Safety
///
/// What the attributes point to must be what the command takes.
unsafe fn bpf(command: u32, attributes: &[u64]) -> OwnedFd {
    let (at, len) = (attributes.as_ptr(), size_of_val(attributes));
    // SAFETY: the attributes are live and as long as said; the rest is the caller's promise.
    let raw = unsafe { libc::syscall(libc::SYS_bpf, command, at, len) };
    assert!(raw >= 0, "bpf: {}", std::io::Error::last_os_error());
    // SAFETY: a new descriptor that nothing else owns.
    unsafe { OwnedFd::from_raw_fd(raw as i32) }
}

/// Attaches a program to the interface that lets every packet pass, until the answer is dropped.
fn attach_xdp(interface: u32) -> OwnedFd {
    const PROG_LOAD: u32 = 5;
    const LINK_CREATE: u32 = 28;
    const TYPE_XDP: u64 = 6;
    const ATTACH_XDP: u64 = 37;
    const GENERIC_MODE: u64 = 2;
    const HAS_FRAGS: u64 = 1 << 5; // split headers want that
    let program = [0x2_0000_00b7_u64, 0x95]; // r0 = XDP_PASS; exit
    let (program, license) = (program.as_ptr() as u64, c"GPL".as_ptr() as u64);
    let load = [TYPE_XDP | 2 << 32, program, license, 0, 0, HAS_FRAGS << 32];
    // SAFETY: the attributes point to two instructions and a string, which live during the call.
    let program = unsafe { bpf(PROG_LOAD, &load) };
    let link = [
        program.as_raw_fd() as u64 | u64::from(interface) << 32,
        ATTACH_XDP | GENERIC_MODE << 32,
    ];
    // SAFETY: this command's attributes point to nothing.
    unsafe { bpf(LINK_CREATE, &link) }
}

#[test]
fn an_xdp_program_is_found_and_not_waited_out() {
    let Some(nic) = Nic::claim() else { return };
    let program = attach_xdp(nic.index());
    let start = Instant::now();
    let receiver = Receiver::builder()
        .source(nic.queue(QUEUE))
        .taken_queue_wait(Duration::from_secs(120))
        .build();
    let error = receiver.expect_err("it was to be refused");
    assert!(start.elapsed() < Duration::from_secs(60));
    assert_eq!(error.errno(), Some(Errno::EXIST));
    assert_eq!(error.kind(), Some(CauseKind::XdpProgram), "{error}");
    let fact = error.found().unwrap();
    assert!(fact.name == "XDP program id" && fact.value > 0, "{error}");
    assert!(!error.is_taken_queue());
    drop(program);
    let _ = Receiver::builder()
        .source(nic.queue(QUEUE))
        .build()
        .unwrap();
}

/// Leaves the kernel with single pages to hand out, none beside another.
fn fragment_memory() {
    const PAGE: usize = 4096;
    const LEN: usize = 64 << 20;
    // Huge pages would make areas of this process contiguous.
    // SAFETY: takes no pointers.
    let disabled = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
    assert_eq!(disabled, 0);
    let (access, kind) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE,
    );
    // SAFETY: a new mapping, at an address that the kernel picks.
    let base = unsafe { libc::mmap(std::ptr::null_mut(), LEN, access, kind, -1, 0) };
    assert_ne!(base, libc::MAP_FAILED);
    for offset in (0..LEN).step_by(2 * PAGE) {
        // SAFETY: the page lies in the mapping above, which nothing else uses. It stays mapped until the
        // process ends, and with it every other page.
        let freed = unsafe { libc::madvise(base.byte_add(offset), PAGE, libc::MADV_DONTNEED) };
        assert_eq!(freed, 0);
    }
}

#[test]
fn chunks_that_the_area_is_too_scattered_for() {
    let Some(nic) = Nic::claim() else { return };
    fragment_memory();
    let ring = ring().unwrap();
    let builder = builder(nic.index(), QUEUE).chunk_len(64 << 10);
    let error = refusal(builder, ring.as_ring_fd());
    assert_eq!(error.errno(), Some(Errno::RANGE));
    assert!(
        error.causes()[0].cause.contains("not contiguous"),
        "{error}"
    );
    assert!(error.causes()[0].remedy.contains("huge pages"), "{error}");
}

#[test]
fn an_interface_without_a_nic_behind_it() {
    let Some(ring) = ring_of_a_kernel_that_has_it() else {
        return;
    };
    let error = refusal(loopback(), ring.as_ring_fd());
    assert_eq!(error.errno(), Some(Errno::OPNOTSUPP));
    assert_found(&error, CauseKind::NoDmaDevice, None);
}

#[test]
fn an_interface_that_is_not_there() {
    let Some(ring) = ring_of_a_kernel_that_has_it() else {
        return;
    };
    for index in [i32::MAX as u32, i32::MAX as u32 + 1, u32::MAX] {
        let error = refusal(builder(index, 0), ring.as_ring_fd());
        assert_eq!(error.errno(), Some(Errno::NODEV), "index {index}");
        assert_found(&error, CauseKind::NoInterface, None);
    }
}

/// Runs `what` in a thread whose loss of privileges harms no other test.
fn in_a_thread(what: impl FnOnce() + Send + 'static) {
    thread::spawn(what).join().unwrap();
}

#[test]
fn a_process_that_may_not() {
    if common::kernel() < (6, 15) {
        return common::skip((6, 15), &"no zero-copy receive in this kernel");
    }
    in_a_thread(|| {
        if common::is_root() {
            common::drop_capability(common::CAP_NET_ADMIN);
        }
        let Some(ring) = ring() else { return };
        let error = refusal(loopback(), ring.as_ring_fd());
        assert_eq!(error.errno(), Some(Errno::PERM));
        assert_found(&error, CauseKind::Privilege, None);
    });
}

#[test]
fn a_process_that_may_in_its_own_user_namespace_only() {
    const INSIDE: &str = "ZCRX_TEST_INSIDE";
    if common::kernel() < (6, 15) {
        return common::skip((6, 15), &"no zero-copy receive in this kernel");
    }
    if std::env::var_os(INSIDE).is_some() {
        let ring = ring().unwrap();
        let error = refusal(loopback(), ring.as_ring_fd());
        assert_eq!(error.errno(), Some(Errno::PERM));
        assert_found(&error, CauseKind::UserNamespace, None);
        return;
    }
    // A process of several threads cannot enter one, so this test runs once more, inside, and as root there.
    let name = "a_process_that_may_in_its_own_user_namespace_only";
    let again = Command::new("unshare")
        .arg("-r") // as root of the new namespace
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env(INSIDE, "1")
        .output();
    match again {
        Ok(output) if String::from_utf8_lossy(&output.stdout).contains("running 1 test") => {
            assert!(output.status.success(), "{output:?}");
        }
        other => common::skip((u32::MAX, 0), &format!("no user namespaces: {other:?}")),
    }
}

#[test]
fn an_area_that_may_not_be_locked() {
    let Some(nic) = Nic::claim() else { return };
    let index = nic.index();
    in_a_thread(move || {
        common::drop_capability(common::CAP_IPC_LOCK);
        let ring = ring().unwrap();
        // SAFETY: for rlimit all zeros are a value.
        let mut limit: libc::rlimit = unsafe { std::mem::zeroed() };
        // SAFETY: limit is an exclusively borrowed local.
        let got = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &mut limit) };
        assert_eq!(got, 0);
        let len = usize::try_from(limit.rlim_cur).unwrap() + (1 << 20);
        let result = builder(index, QUEUE).register(ring.as_ring_fd(), Area::new(len).unwrap());
        let error = result.unwrap_err();
        assert_eq!(error.errno(), Some(Errno::NOMEM));
        let fact = Some(("locked-memory limit bytes", limit.rlim_cur));
        assert_found(&error, CauseKind::LockedMemory, fact);
    });
}

#[test]
fn a_kernel_that_is_too_old() {
    if common::kernel() >= (6, 15) {
        return; // The others show what it has.
    }
    let Some(ring) = common::ring(&RingBuilder::new(8)) else {
        return;
    };
    let error = refusal(loopback(), ring.as_ring_fd());
    assert_eq!(error.errno(), Some(Errno::INVAL));
    assert_found(&error, CauseKind::OldKernel, None);
}
