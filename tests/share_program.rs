//! The program `share` as its users run it.

use std::process::Output;

use serde_json::{json, Value};

use common::nic::{at_peer, Nic};
use common::programs::{json, listening, refuses, share};
use common::streams::assert_placed;

mod common;

/// What a run reports that ended well; `None`, after saying why, where nothing can be shared.
fn report(output: &Output) -> Option<Value> {
    if output.status.code() == Some(3) {
        let since = if common::is_root() {
            (7, 1)
        } else {
            (u32::MAX, 0)
        };
        common::skip(since, &String::from_utf8_lossy(&output.stderr).trim());
        return None;
    }
    assert!(output.status.success(), "{output:?}");
    let report = json(output);
    assert_eq!(
        (&report["failures"], &report["interrupted"]),
        (&json!([]), &json!(false))
    );
    Some(report)
}

/// Of each thread.
fn each<'a>(report: &'a Value, what: &str) -> Vec<&'a Value> {
    let threads = report["threads"].as_array().unwrap();
    threads.iter().map(|thread| &thread[what]).collect()
}

#[test]
fn threads_of_share_receive_into_one_memory() {
    let arguments = [
        "--threads",
        "3",
        "--bytes",
        "6M",
        "--connections",
        "6",
        "--json",
    ];
    let output = share(&arguments).output().unwrap();
    let Some(report) = report(&output) else {
        return;
    };
    assert_eq!(each(&report, "connections"), [&json!(2); 3], "{report}");
    assert_eq!(each(&report, "bytes"), [&json!(2 << 20); 3], "{report}");
    assert_eq!(report["source"], "zero-copy receive without a device");
}

#[test]
fn little_memory_is_enough_for_the_threads_of_share() {
    let arguments = [
        "--area",
        "128K",
        "--bytes",
        "8M",
        "--connections",
        "4",
        "--json",
    ];
    let output = share(&arguments).output().unwrap();
    if let Some(report) = report(&output) {
        assert_eq!(each(&report, "bytes"), [&json!(4 << 20); 2], "{report}");
    }
}

#[test]
fn share_says_why_it_cannot() {
    // Loopback has no queue, on any kernel.
    let arguments = ["--nic", "lo:0", "--listen", "127.0.0.1:0"];
    let output = share(&arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        errors.contains("cannot register zero-copy receive on an interface queue"),
        "{errors}"
    );
}

#[test]
fn share_names_bad_input_with_its_remedy() {
    let cases: &[(&[&str], &str)] = &[
        (&["--nic", "lo:0"], "--listen"),
        (
            &["--nic", "lo", "--listen", "[::]:9999"],
            "it takes IF:QUEUE",
        ),
        (
            &["--nic", "nosuchif0:1", "--listen", "[::]:9999"],
            "list them with ip link",
        ),
        (&["--threads", "0"], "not in 1..=256"),
        (&["--send", "127.0.0.1:1"], "cannot send to 127.0.0.1:1: "),
    ];
    refuses(share, cases);
}

#[test]
fn threads_of_share_receive_from_one_queue_without_a_copy() {
    let Some(nic) = Nic::claim() else {
        return;
    };
    nic.steer(9999, 1);
    let before = nic.counters(1);
    let mut server = share(&["--nic", "snic0:1", "--listen", "[::]:9999", "--json"]);
    server.args(["--area", "16M", "--connections", "4"]);
    let (child, _, _errors) = listening(server);
    let send = [
        "--send",
        "[fd00::1]:9999",
        "--bytes",
        "8M",
        "--connections",
        "4",
    ];
    let sent = at_peer(move || share(&send).output())
        .join()
        .unwrap()
        .unwrap();
    assert!(sent.status.success(), "{sent:?}");
    let report = report(&child.wait_with_output().unwrap()).unwrap();
    assert_eq!(each(&report, "connections"), [&json!(2); 2], "{report}");
    assert_eq!(each(&report, "bytes"), [&json!(4 << 20); 2], "{report}");
    let queue = format!("queue 1 of interface {}", nic.index());
    assert_eq!(report["source"], queue);
    assert_placed(&nic, &before, 8 << 20);
}
