//! `receive --claim` on the software NIC in its default state, with no command by hand: every setting is as before
//! when it has ended, and when it was killed and `doctor --undo` has run.

use std::io::Write;
use std::net::TcpStream;
use std::process::{Child, Command, Output};

use zcrx_sys::nic;

use crate::common::nic::{at_peer, Nic};
use crate::common::programs::{doctor, json, listening, receive, signal};
use crate::default::{settings, Default, SNIC};

/// What a claim of the NIC with one queue changes.
const CHANGES: [&str; 6] = [
    "combined channels: 1 -> 2",
    "tcp-data-split: off -> on",
    "RSS: 64 of 128 entries moved from queue 1 to others",
    "ntuple-filters: off -> on",
    "flow rule 0: flow-type tcp4 dst-port 9999 action 1",
    "flow rule 1: flow-type tcp6 dst-port 9999 action 1",
];

fn claiming(arguments: &[&str]) -> Command {
    let mut receive = receive(&["--listen", "[::]:9999", "--nic", SNIC, "--claim", "--json"]);
    receive.args(arguments);
    receive
}

/// `receive --send` at the other end of the cable.
fn send(to: &'static str) {
    let status =
        at_peer(move || receive(&["--send", to, "--bytes", "4M", "--connections", "2"]).status());
    assert!(status.join().unwrap().unwrap().success());
}

/// A connection from the other end, and some bytes.
fn connect() -> TcpStream {
    let stream = at_peer(|| TcpStream::connect("10.0.0.1:9999").unwrap());
    let mut stream = stream.join().unwrap();
    stream.write_all(&[7; 50_000]).unwrap();
    stream
}

fn ended(child: Child) -> Output {
    child.wait_with_output().unwrap()
}

#[test]
fn receive_claims_a_nic_in_its_default_state() {
    let Some(default) = Default::with_channels(1) else {
        return;
    };
    let (child, address, _errors) = listening(claiming(&["--connections", "4"]));
    assert_eq!(address, "[::]:9999");
    let before = default.nic.counters(1);
    send("10.0.0.1:9999");
    send("[fd00::1]:9999");
    let output = ended(child);
    assert!(output.status.success(), "{output:?}");
    let report = json(&output);
    let interface = default.nic.index();
    assert_eq!(
        report["source"],
        format!("queue 1 of interface {interface}")
    );
    assert_eq!(report["bytes"], 8 << 20);
    assert_eq!(report["claim"]["changes"], serde_json::json!(CHANGES));
    assert_eq!(report["claim"]["astray"], serde_json::json!([]));
    default.assert_as_before();
    assert!(std::fs::read_dir(nic::RECORD_DIR).unwrap().next().is_none());
    default.nic.ethtool("-L snic0 combined 2"); // The counters are those of a queue that is open.
    let after = default.nic.counters(1);
    assert!(
        after.since(&before, "provider_bytes") >= 8 << 20,
        "{after:?}"
    );
    assert_eq!(after.since(&before, "copied_bytes"), 0, "{after:?}");
}

/// A card that is just plugged in has been set by nobody: not even by the set-up of these tests.
#[test]
fn receive_claims_a_card_as_its_driver_brings_it_up() {
    let Some(nic) = Nic::claim() else {
        return;
    };
    nic.control("remove", SNIC);
    nic.control("add", SNIC);
    nic.ip("link set snic0 up");
    nic.ip("addr add 10.0.0.1/24 dev snic0");
    nic.ip("addr add fd00::1/64 dev snic0 nodad");
    let before = settings(&nic);
    let (child, _, _errors) = listening(claiming(&["--connections", "2"]));
    send("10.0.0.1:9999");
    let output = ended(child);
    assert!(output.status.success(), "{output:?}");
    let report = json(&output);
    assert!(
        report["source"].as_str().unwrap().starts_with("queue "),
        "{report}"
    );
    assert_eq!(
        (&report["bytes"], &report["copied_bytes"]),
        (&(4 << 20).into(), &0.into())
    );
    assert_eq!(settings(&nic), before);
}

#[test]
fn receive_gives_a_claimed_nic_back_when_it_is_interrupted() {
    let Some(default) = Default::with_channels(4) else {
        return;
    };
    for number in [libc::SIGINT, libc::SIGTERM] {
        let options = ["--connections", "2", "--no-verify"];
        let (child, _, _errors) = listening(claiming(&options));
        let _stream = connect();
        assert_ne!(settings(&default.nic), default.before);
        signal(&child, number);
        let output = ended(child);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(json(&output)["interrupted"], true);
        default.assert_as_before();
    }
}

#[test]
fn doctor_undoes_what_a_killed_receive_has_claimed() {
    let Some(default) = Default::with_channels(1) else {
        return;
    };
    let (mut child, _, _errors) = listening(claiming(&["--connections", "2"]));
    let _stream = connect();
    let during = settings(&default.nic);
    assert_ne!(during, default.before);
    let living = doctor(&["--undo"]).output().unwrap();
    assert_eq!(living.status.code(), Some(2), "{living:?}");
    assert!(String::from_utf8_lossy(&living.stderr).contains("the claim's owner lives"));
    let second = claiming(&["--record", "/tmp/second"]).output().unwrap();
    assert_eq!(second.status.code(), Some(2), "{second:?}");
    assert_eq!(settings(&default.nic), during);

    child.kill().unwrap();
    child.wait().unwrap();
    let again = claiming(&[]).output().unwrap();
    assert_eq!(again.status.code(), Some(2), "{again:?}");
    assert!(
        String::from_utf8_lossy(&again.stderr).contains("doctor --undo"),
        "{again:?}"
    );
    assert_eq!(settings(&default.nic), during);

    // As of one that was killed while it wrote there.
    std::fs::write("/run/zcrx-sys/snic0.new", "zcrx-sys nic").unwrap();
    let undone = doctor(&["--undo"]).output().unwrap();
    assert!(undone.status.success(), "{undone:?}");
    let said = String::from_utf8(undone.stdout).unwrap();
    let lines: Vec<_> = said.lines().map(str::trim).collect();
    assert_eq!(lines[0], "/run/zcrx-sys/snic0: 6 changes taken back");
    assert!(lines[1..].iter().eq(CHANGES.iter().rev()), "{said}");
    assert!(std::fs::read_dir(nic::RECORD_DIR).unwrap().next().is_none());
    default.assert_as_before();
    let nothing = doctor(&["--undo"]).output().unwrap();
    assert!(nothing.status.success(), "{nothing:?}");
    assert!(String::from_utf8_lossy(&nothing.stdout).contains("no record of a claim"));
}

#[test]
fn doctor_undoes_the_claim_of_a_card_that_is_gone() {
    let Some(default) = Default::with_channels(4) else {
        return;
    };
    let (mut child, _, _errors) = listening(claiming(&["--connections", "2"]));
    child.kill().unwrap();
    child.wait().unwrap();
    default.nic.control("remove", SNIC);
    let undone = doctor(&["--undo"]).output().unwrap();
    assert!(undone.status.success(), "{undone:?}");
    assert!(std::fs::read_dir(nic::RECORD_DIR).unwrap().next().is_none());
}

#[test]
fn receive_ends_well_when_its_claimed_nic_is_pulled_out() {
    let Some(default) = Default::with_channels(4) else {
        return;
    };
    let options = ["--connections", "2", "--no-verify"];
    let (child, _, _errors) = listening(claiming(&options));
    let _stream = connect();
    default.nic.control("remove", SNIC);
    signal(&child, libc::SIGINT);
    let output = ended(child);
    assert!(output.status.success(), "{output:?}");
    assert!(std::fs::read_dir(nic::RECORD_DIR).unwrap().next().is_none());
}
