//! `nic::inspect` and `nic::claim`: here what they say of virtual interfaces and of bad arguments, on any machine.

use std::net::Shutdown;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::thread;
use std::time::Instant;

use zcrx_sys::nic::{self, ClaimBuilder, ClaimError, Family, Flow, Inspection};
use zcrx_sys::zcrx::interface_index;
use zcrx_sys::{CauseKind, Errno, Reason};

mod arrival;
mod card;
#[path = "../common/mod.rs"]
mod common;
mod default;
mod record;
mod refuse;
mod refused;
mod several;

/// What stands in the way of `queue`, by kind.
pub(crate) fn kinds(inspection: &Inspection, queue: u32) -> Vec<Option<CauseKind>> {
    let obstacles = inspection.obstacles(queue);
    obstacles.iter().map(|obstacle| obstacle.kind).collect()
}

/// Runs `test` in a network namespace of its own, if this process may make one.
fn in_another_network(test: impl FnOnce() + Send) {
    // SAFETY: takes no pointers.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        return common::skip((u32::MAX, 0), &"a network namespace of its own takes root");
    }
    test();
}

/// Whether there is an `ip`, and with these words it went well.
pub(crate) fn ip(words: &str) -> bool {
    let mut ip = Command::new("/usr/sbin/ip");
    let output = ip.args(words.split(' ')).output();
    output.is_ok_and(|output| output.status.success())
}

pub(crate) fn refusal(name: &str, flows: &[Flow]) -> ClaimError {
    let error = nic::claim(name, flows).expect_err("it was to be refused");
    assert!(error.left.is_empty(), "{error}");
    error
}

#[test]
fn setup_inspects_loopback_without_privilege() {
    thread::spawn(|| {
        common::drop_capability(common::CAP_NET_ADMIN);
        let loopback = nic::inspect("lo").unwrap();
        assert_eq!((loopback.up, loopback.xdp_program), (Some(true), Some(0)));
        assert!(loopback.mtu > Some(0));
        assert_eq!((loopback.header_split, loopback.ring_entries), (None, None));
        assert_eq!((loopback.receive_queues, loopback.rules), (None, None));
        assert_eq!(kinds(&loopback, 0), [Some(CauseKind::NoDmaDevice)]);
    })
    .join()
    .unwrap();
}

#[test]
fn setup_inspects_virtual_interfaces() {
    in_another_network(|| {
        // The lab's guests have no modules of the kernel, and netkit is built in.
        let (driver, queue) = if ip("link add virt0 numrxqueues 2 type veth peer name virt1") {
            ("veth", 1)
        } else if ip("link add virt0 type netkit peer name virt1") {
            ("netkit", 0)
        } else {
            return common::skip((u32::MAX, 0), &"neither veth nor netkit here");
        };
        let down = nic::inspect("virt0").unwrap();
        assert_eq!(down.driver.as_deref(), Some(driver));
        assert_eq!(down.up, Some(false));
        assert!(down.queues.iter().all(|queue| queue.holder.is_none()));
        assert!(ip("link set virt0 up"));
        let up = nic::inspect("virt0").unwrap();
        assert_eq!((up.up, up.ntuple), (Some(true), Some(false)));
        // Nothing that is set on it would help, so nothing else is told.
        assert_eq!(kinds(&up, queue), [Some(CauseKind::NoDmaDevice)]);
        let obstacle = &up.obstacles(queue)[0];
        let text = obstacle.to_string();
        assert!(text.contains("virtual: use a NIC"), "{text}");
        assert_eq!(obstacle.command, None);
    });
}

/// No more than a number to look at: how long it takes is the machine's affair.
pub(crate) fn print_time_to_inspect(name: &str) {
    let queues = nic::inspect(name).unwrap().queues.len();
    let once = |_| {
        let start = Instant::now();
        drop(nic::inspect(name).unwrap());
        start.elapsed()
    };
    let mut times: Vec<_> = (0..21).map(once).collect();
    times.sort_unstable();
    let line = format!(
        "MEASURED inspection of {name}, {queues} queues, median of 21: {:?}\n",
        times[10]
    );
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
}

#[test]
fn setup_inspection_of_loopback_is_printed() {
    print_time_to_inspect("lo");
}

#[test]
fn setup_lists_every_interface() {
    let listed = nic::interfaces().unwrap();
    let mut names: Vec<_> = std::fs::read_dir("/sys/class/net")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| interface_index(name).is_ok()) // "bonding_masters", where there is bonding
        .collect();
    names.sort_by_key(|name| interface_index(name).unwrap());
    assert_eq!(listed, names);
}

#[test]
fn setup_refuses_names_of_no_interface() {
    for name in [
        "",
        "nosuchif0",
        "l\0o",
        "\u{fffd}/..",
        &"x".repeat(1 << 16),
        "lo ",
    ] {
        let error = nic::inspect(name).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::NODEV), "{name:?}: {error}");
        let error = refusal(name, &Flow::both(1));
        assert_eq!(error.error.errno(), Some(Errno::NODEV), "{name:?}: {error}");
    }
}

#[test]
fn setup_refuses_flows_that_make_no_sense() {
    let flow = Flow::new(Family::V4, 80);
    for (flows, word) in [
        (&[][..], "at least one"),
        (&[Flow::new(Family::V6, 0)], "above 0"),
        (&[flow, Flow::new(Family::V6, 80), flow], "differ"),
    ] {
        let error = refusal("lo", flows);
        assert!(
            matches!(error.error.reason(), Reason::Argument { name: "flows", must } if must.contains(word))
        );
    }
    let none = ClaimBuilder::new("lo");
    let one = none.clone().queue([flow]);
    for (claim, word) in [
        (&none, "at least one"),
        (&one.clone().queue([]), "at least one for each queue"),
        (&one.queue([flow]), "differ"),
    ] {
        let error = claim.claim().unwrap_err().error;
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn setup_refuses_virtual_interfaces() {
    let error = refusal("lo", &Flow::both(80));
    assert!(error.to_string().contains("no DMA device"), "{error}");
}

#[test]
fn setup_refuses_a_second_claim_of_an_interface() {
    in_another_network(|| {
        // What a claim holds; a real one is made in the lab.
        let name = format!("zcrx-sys/nic/{}", interface_index("lo").unwrap());
        let address = SocketAddr::from_abstract_name(name).unwrap();
        let claim = UnixDatagram::bind_addr(&address).unwrap();
        let error = refusal("lo", &Flow::both(80));
        assert!(error.to_string().contains("another claim"), "{error}");
        claim.shutdown(Shutdown::Both).unwrap(); // for the copy that a process has which another test starts
        drop(claim);
        let error = refusal("lo", &Flow::both(80));
        assert!(!error.to_string().contains("another claim"), "{error}");
    });
}
