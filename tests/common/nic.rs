//! The software NIC (tests/lab/nic) as tests use it: `snic0` here, its other end `snic1` in network
//! namespace `peer`, both set up by tests/lab/guest. Each test has it alone and finds it as new.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use zcrx_sys::recv::Source;
use zcrx_sys::zcrx::interface_index;

use netlink::Attributes;

mod netlink;

const DEBUG: &str = "/sys/kernel/debug/softnic";
const IP: &str = "/usr/sbin/ip";
const ETHTOOL: &str = "/usr/sbin/ethtool";

pub const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
pub const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1));

/// The NIC, for one test at a time.
pub struct Nic {
    _alone: MutexGuard<'static, ()>,
}

impl Nic {
    /// The NIC with four queues, header split on, all flows on queue 0, MTU 1500 and no fault. `None`, after
    /// saying so, where there is none.
    pub fn claim() -> Option<Self> {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE
            .lock()
            .unwrap_or_else(|test_that_failed| test_that_failed.into_inner());
        if !fs::exists(DEBUG).unwrap_or(false) {
            super::skip(
                (u32::MAX, 0),
                &"there is no software NIC here: run tests/lab/run",
            );
            return None;
        }
        let nic = Self { _alone: alone };
        nic.set_up();
        Some(nic)
    }

    /// Sets it up as [`claim`](Self::claim) says, after putting it in if it was pulled out.
    pub fn set_up(&self) {
        if !fs::exists(format!("{DEBUG}/snic0")).unwrap() {
            self.control("add", "snic0");
        }
        // Taking it down costs it this one.
        let addresses = fs::read_to_string("/proc/thread-self/net/if_inet6").unwrap();
        if !addresses.contains("fd000000000000000000000000000001") {
            self.configure();
        }
        for fault in [
            "lose",
            "duplicate",
            "reorder",
            "linear",
            "foreign",
            "alloc_fail",
        ] {
            self.fault(fault, "off");
        }
        self.fault("fault_queue", "-1");
        self.fault("foreign_from", "-1");
        self.fault("link", "up");
        self.fault("prefill", "0");
        self.fault("lacks", "nothing");
        for step in ["alloc_errno", "stop_errno", "start_errno"] {
            self.fault(step, "0");
        }
        self.delete_rules();
        self.ethtool("-X snic0 default");
        self.ethtool("-L snic0 combined 4");
        self.ethtool("-G snic0 rx 1024 tcp-data-split on");
        self.header_split_above(0);
        self.ethtool("-X snic0 equal 1");
        self.mtu(1500);
    }

    /// Addresses and link of a `snic0` that was just added, or taken down.
    fn configure(&self) {
        run(IP, "link set snic0 up");
        run(IP, "addr replace 10.0.0.1/24 dev snic0");
        run(IP, "addr replace fd00::1/64 dev snic0 nodad");
    }

    /// Queue `queue`, for a receiver.
    pub fn queue(&self, queue: u32) -> Source {
        Source::Queue {
            interface: self.index(),
            queue,
        }
    }

    pub fn index(&self) -> u32 {
        interface_index("snic0").unwrap()
    }

    /// Steers TCP to `port`, over IPv4 and IPv6, to `queue`.
    pub fn steer(&self, port: u16, queue: u32) {
        for family in ["tcp4", "tcp6"] {
            self.ethtool(&format!(
                "-N snic0 flow-type {family} dst-port {port} action {queue}"
            ));
        }
    }

    pub fn delete_rules(&self) {
        let listing = run(ETHTOOL, "-n snic0");
        for rule in listing
            .lines()
            .filter_map(|line| line.strip_prefix("Filter: "))
        {
            self.ethtool(&format!("-N snic0 delete {}", rule.trim()));
        }
    }

    /// `ethtool` with these words; answers its output.
    pub fn ethtool(&self, words: &str) -> String {
        run(ETHTOOL, words)
    }

    /// `ip` with these words.
    pub fn ip(&self, words: &str) {
        run(IP, words);
    }

    /// The MTU of both ends.
    pub fn mtu(&self, bytes: u32) {
        run(IP, &format!("link set snic0 mtu {bytes}"));
        run(IP, &format!("-n peer link set snic1 mtu {bytes}"));
    }

    /// Has the card split headers from data in packets longer than `bytes` only (`hds-thresh`, which ethtool 6.14
    /// cannot set).
    pub fn header_split_above(&self, bytes: u32) {
        const RINGS_SET: u8 = 16;
        const HEADER: u16 = 1;
        const HEADER_DEV_NAME: u16 = 2;
        const HDS_THRESH: u16 = 17;
        let header = Attributes::default().text(HEADER_DEV_NAME, "snic0");
        let rings = Attributes::default().nest(HEADER, &header);
        netlink::request("ethtool", RINGS_SET, &rings.number(HDS_THRESH, bytes)).unwrap();
    }

    /// Leases `queue` to a new netkit device, until the answer is dropped.
    pub fn lease(&self, queue: u32) -> Lease {
        const QUEUE_CREATE: u8 = 16;
        const QUEUE_ID: u16 = 1;
        const QUEUE_IFINDEX: u16 = 2;
        const QUEUE_TYPE: u16 = 3;
        const QUEUE_LEASE: u16 = 8;
        const LEASE_IFINDEX: u16 = 1;
        const LEASE_QUEUE: u16 = 2;
        const RECEIVE: u32 = 0;
        // The kernel gives queues of a card to the peer of a pair, which is the one that it makes first.
        run(
            IP,
            "link add nk0 numrxqueues 2 type netkit mode l2 peer name nk1 numrxqueues 2",
        );
        let lease = Lease {
            interface: interface_index("nk1").unwrap(),
            queue: 1,
        };
        let physical = Attributes::default()
            .number(QUEUE_ID, queue)
            .number(QUEUE_TYPE, RECEIVE);
        let physical = Attributes::default()
            .number(LEASE_IFINDEX, self.index())
            .nest(LEASE_QUEUE, &physical);
        let request = Attributes::default()
            .number(QUEUE_IFINDEX, lease.interface)
            .number(QUEUE_TYPE, RECEIVE)
            .nest(QUEUE_LEASE, &physical);
        netlink::request("netdev", QUEUE_CREATE, &request).unwrap();
        lease
    }

    /// Writes to one of the NIC's switches, `lose` or `link` for instance.
    pub fn fault(&self, switch: &str, value: &str) {
        self.control(&format!("snic0/{switch}"), value);
    }

    /// How often a fault has struck.
    pub fn hits(&self, fault: &str) -> u64 {
        let text = fs::read_to_string(format!("{DEBUG}/snic0/{fault}")).unwrap();
        text.split_whitespace().last().unwrap().parse().unwrap()
    }

    /// Writes to a file of the whole driver: `remove`, `add`.
    pub fn control(&self, file: &str, value: &str) {
        fs::write(format!("{DEBUG}/{file}"), value)
            .unwrap_or_else(|error| panic!("{value:?} to {file}: {error}"));
    }

    /// The driver's counters of one queue, without the queue's name before theirs.
    pub fn counters(&self, queue: u32) -> Counters {
        let prefix = format!("rx{queue}_");
        let listing = run(ETHTOOL, "-S snic0");
        let lines = listing
            .lines()
            .filter_map(|line| line.trim().strip_prefix(&prefix));
        let pairs = lines.filter_map(|line| line.split_once(": "));
        Counters(
            pairs
                .map(|(name, value)| (name.into(), value.parse().unwrap()))
                .collect(),
        )
    }

    /// Chunks that the driver took from an application's area and that are not back.
    fn outstanding(&self) -> u64 {
        fs::read_to_string(format!("{DEBUG}/outstanding"))
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    }

    /// Waits until no application has one of the queues. Teardown of a ring is asynchronous.
    pub fn wait_for_queues(&self) {
        let taken = || {
            let queues = fs::read_to_string(format!("{DEBUG}/snic0/queues"));
            queues.is_ok_and(|queues| queues.contains("provider=1"))
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while taken() {
            assert!(Instant::now() < deadline, "a queue is still taken");
            std::thread::yield_now();
        }
    }

    /// Waits until all of the driver's buffers are back. Teardown of a ring is asynchronous.
    pub fn wait_for_buffers(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.outstanding() > 0 {
            assert!(
                Instant::now() < deadline,
                "{} chunks never came back",
                self.outstanding()
            );
            std::thread::yield_now();
        }
    }
}

impl Drop for Nic {
    /// Each test that passed leaves no buffer behind, and no queue that is taken.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.wait_for_buffers();
            self.wait_for_queues();
        }
    }
}

/// A netkit pair, one of whose queues is a queue of the card.
pub struct Lease {
    /// The device that has it.
    pub interface: u32,
    /// Its number there.
    pub queue: u32,
}

impl Drop for Lease {
    fn drop(&mut self) {
        run(IP, "link del nk0");
    }
}

/// A queue's counters at one moment.
#[derive(Debug)]
pub struct Counters(HashMap<String, u64>);

impl Counters {
    pub fn get(&self, name: &str) -> u64 {
        *self
            .0
            .get(name)
            .unwrap_or_else(|| panic!("no counter {name} among {self:?}"))
    }

    /// How far counter `name` went since `before`.
    pub fn since(&self, before: &Self, name: &str) -> u64 {
        self.get(name) - before.get(name)
    }
}

/// Runs `what` in a thread at the other end of the cable.
pub fn at_peer<T: Send + 'static>(
    what: impl FnOnce() -> T + Send + 'static,
) -> std::thread::JoinHandle<T> {
    std::thread::spawn(move || {
        enter_peer();
        what()
    })
}

/// Moves the calling thread into the peer's network namespace.
pub fn enter_peer() {
    let namespace = fs::File::open("/run/netns/peer").unwrap();
    // SAFETY: takes no pointers; the descriptor is a namespace's, and open.
    let moved = unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) };
    assert_eq!(moved, 0, "{}", std::io::Error::last_os_error());
}

fn run(program: &str, words: &str) -> String {
    let output = Command::new(program)
        .args(words.split_whitespace())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program} {words}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
