//! The program `queues` as its users run it: over loopback on any machine, and on queues that it claims in the lab.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Output};

use serde_json::{json, Value};
use zcrx_sys::nic;

use common::nic::at_peer;
use common::programs::{doctor, json, listening, queues, refuses, signal};
use default::{settings, Default, SNIC};

mod common;
#[path = "nic_setup/default.rs"]
mod default;

/// Of each thread.
fn each<'a>(report: &'a Value, what: &str) -> Vec<&'a Value> {
    let threads = report["threads"].as_array().unwrap();
    threads.iter().map(|thread| &thread[what]).collect()
}

fn sum(report: &Value, what: &str) -> u64 {
    let numbers = each(report, what)
        .into_iter()
        .map(|value| value.as_u64().unwrap());
    numbers.sum()
}

/// Serves the port 9999 of the software NIC, and 10000, by two queues that it claims.
fn on_the_nic(arguments: &[&str]) -> Command {
    let mut queues = queues(&[
        "--listen",
        "[::]:9999",
        "--nic",
        SNIC,
        "--json",
        "--area",
        "16M",
    ]);
    queues.args(arguments);
    queues
}

/// `queues --send` at the other end of the cable.
fn send(to: &'static str, connections: &'static str) {
    let arguments = ["--send", to, "--bytes", "8M", "--connections", connections];
    let output = at_peer(move || queues(&arguments).output())
        .join()
        .unwrap()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn ended(child: Child) -> Output {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

#[test]
fn threads_of_queues_share_a_port_on_loopback() {
    let arguments = [
        "--queues",
        "3",
        "--bytes",
        "9M",
        "--connections",
        "12",
        "--json",
    ];
    let output = queues(&arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let report = json(&output);
    assert_eq!(each(&report, "bytes").len(), 3);
    assert_eq!(
        (&report["bytes"], sum(&report, "bytes")),
        (&json!(9 << 20), 9 << 20)
    );
    assert_eq!(
        (sum(&report, "connections"), sum(&report, "outstanding")),
        (12, 0)
    );
    assert_eq!(
        (&report["claim"], &report["interrupted"]),
        (&Value::Null, &json!(false))
    );
    assert!(each(&report, "source")
        .iter()
        .all(|source| source.is_string()));
}

#[test]
fn the_table_of_queues_has_every_thread() {
    let output = queues(&["--bytes", "1M", "--connections", "1"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let table = String::from_utf8(output.stdout).unwrap();
    for text in [
        "thread 0: ",
        "thread 1: ",
        "1 connections, 1048576 bytes in ",
        "all:      1048576 bytes",
    ] {
        assert!(table.contains(text), "no {text:?} in:\n{table}");
    }
}

#[test]
fn any_peer_of_queues_is_answered_until_it_is_interrupted() {
    let (child, address, _errors) = listening(queues(&["--listen", "127.0.0.1:0", "--json"]));
    for bytes in [&b"abc"[..], b"", &[1; 100_000]] {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let answer = std::io::read_to_string(stream).unwrap();
        let sum: u64 = bytes.iter().map(|&byte| u64::from(byte)).sum();
        assert_eq!(answer, format!("{} bytes, sum {sum}\n", bytes.len()));
    }
    signal(&child, libc::SIGINT);
    let report = json(&ended(child));
    assert_eq!(
        (&report["interrupted"], &report["bytes"]),
        (&json!(true), &json!(100_003))
    );
}

#[test]
fn queues_names_bad_input_with_its_remedy() {
    let cases: &[(&[&str], &str)] = &[
        (&["--nic", "eth0"], "--listen"),
        (&["--queues", "0"], "not in 1..=256"),
        (&["--bytes", "1T"], "a number, with K, M or G"),
        (
            &[
                "--nic",
                "nosuchif0",
                "--listen",
                "[::]:9999",
                "--record",
                "/tmp/none",
            ],
            "list them with ip link",
        ),
        (&["--nic", "lo", "--listen", "[::]:0"], "a port above 0"),
        (
            &["--nic", "lo", "--listen", "127.0.0.1:65535"],
            "as many after it",
        ),
        (&["--listen", "192.0.2.1:9"], "cannot listen on 192.0.2.1:9"),
        (&["--send", "127.0.0.1:1"], "cannot send to 127.0.0.1:1: "),
        (&["--record", "/tmp/none"], "--nic"),
    ];
    refuses(queues, cases);
}

#[test]
fn queues_claims_two_and_each_thread_receives_its_own_without_a_copy() {
    let Some(default) = Default::with_channels(1) else {
        return;
    };
    let (child, _, _errors) = listening(on_the_nic(&["--connections", "8"]));
    let before = [1, 2].map(|queue| default.nic.counters(queue));
    send("10.0.0.1:9999", "4");
    send("[fd00::1]:9999", "4");
    let placed = [1, 2].map(|queue| default.nic.counters(queue));
    let report = json(&ended(child));
    default.assert_as_before();
    assert!(std::fs::read_dir(nic::RECORD_DIR).unwrap().next().is_none());
    let index = default.nic.index();
    let source = |queue| format!("queue {queue} of interface {index}");
    assert_eq!(
        each(&report, "source"),
        [&json!(source(1)), &json!(source(2))]
    );
    for (what, value) in [
        ("connections", json!(4)),
        ("bytes", json!(8 << 20)),
        ("handed_over", json!(0)),
        ("astray", json!([])),
    ] {
        assert_eq!(each(&report, what), [&value, &value], "{what} in {report}");
    }
    let changes = report["claim"]["changes"].as_array().unwrap();
    assert_eq!(
        (changes.len(), &changes[0]),
        (8, &json!("combined channels: 1 -> 3"))
    );
    for (before, after) in before.iter().zip(&placed) {
        assert!(
            after.since(before, "provider_bytes") >= 8 << 20,
            "{after:?}"
        );
        assert_eq!(after.since(before, "copied_bytes"), 0, "{after:?}");
    }
}

#[test]
fn a_connection_that_arrives_on_another_threads_queue_is_handed_over() {
    let Some(default) = Default::with_channels(4) else {
        return;
    };
    let (child, _, _errors) = listening(on_the_nic(&["--connections", "4"]));
    // Somebody turns the rules round: the first queue's flows come to the second, and the second one's nowhere special.
    default.nic.delete_rules();
    default.nic.steer(9999, 3);
    send("10.0.0.1:9999", "4");
    let report = json(&ended(child));
    assert_eq!(
        each(&report, "handed_over"),
        [&json!(2), &json!(0)],
        "{report}"
    );
    assert_eq!(
        each(&report, "connections"),
        [&json!(0), &json!(4)],
        "{report}"
    );
    let astray = each(&report, "astray")[1].as_array().unwrap();
    assert_eq!(astray.len(), 2, "{report}");
    assert!(
        astray[0].as_str().unwrap().contains("it arrives on queue"),
        "{report}"
    );
    default.nic.delete_rules();
    default.assert_as_before();
}

#[test]
fn queues_gives_the_nic_back_when_it_is_interrupted() {
    let Some(default) = Default::with_channels(2) else {
        return;
    };
    let (child, _, _errors) = listening(on_the_nic(&[]));
    send("10.0.0.1:9999", "3");
    assert_ne!(settings(&default.nic), default.before);
    signal(&child, libc::SIGTERM);
    let report = json(&ended(child));
    assert_eq!(
        (&report["interrupted"], &report["bytes"]),
        (&json!(true), &json!(8 << 20))
    );
    default.assert_as_before();
}

#[test]
fn doctor_undoes_what_a_killed_queues_has_claimed() {
    let Some(default) = Default::with_channels(1) else {
        return;
    };
    let (mut child, _, _errors) = listening(on_the_nic(&[]));
    send("10.0.0.1:9999", "2");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_ne!(settings(&default.nic), default.before);
    let undone = doctor(&["--undo"]).output().unwrap();
    assert!(undone.status.success(), "{undone:?}");
    let said = String::from_utf8(undone.stdout).unwrap();
    assert!(
        said.starts_with("/run/zcrx-sys/snic0: 8 changes taken back"),
        "{said}"
    );
    default.assert_as_before();
}
