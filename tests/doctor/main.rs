//! The program `doctor` as its users run it, and `receive --claim`, whose traces it removes: here what they say
//! on any machine.

use std::io::ErrorKind;
use std::os::unix::process::CommandExt;

use serde_json::Value;
use zcrx_sys::nic;

use common::programs::{doctor, json};

mod claim;
#[path = "../common/mod.rs"]
mod common;
#[path = "../nic_setup/default.rs"]
mod default;
mod faults;
mod mend;

/// What `doctor` says of `interfaces`, or of all.
pub(crate) fn examine(interfaces: &[&str]) -> Value {
    let output = doctor(&["--json"]).args(interfaces).output().unwrap();
    let report = json(&output);
    let status = i32::from(report["ready"] != true);
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    report
}

fn assert_features(report: &Value) {
    for (name, since) in [
        ("queue", (6, 15)),
        ("flush", (6, 19)),
        ("export", (6, 19)),
        ("large_chunks", (7, 0)),
        ("no_device", (7, 1)),
        ("notifications", (7, 2)),
        ("statistics", (7, 2)),
        ("areas", (7, 3)),
    ] {
        // What is not in a kernel, although its version has it, was left out when it was built.
        let expected = common::kernel() >= since && report["obstacle"]["kind"] != "NotBuiltIn";
        assert_eq!(report["features"][name], expected, "{name} in {report}");
    }
}

#[test]
fn doctor_is_right_about_this_machine() {
    let report = examine(&[]);
    assert_features(&report);
    assert!(report["kernel"]
        .as_str()
        .unwrap()
        .starts_with(char::is_numeric));
    let interfaces = report["interfaces"].as_array().unwrap();
    let names: Vec<_> = interfaces
        .iter()
        .map(|interface| &interface["name"])
        .collect();
    assert_eq!(names, nic::interfaces().unwrap().iter().collect::<Vec<_>>());
    let loopback = interfaces
        .iter()
        .find(|interface| interface["name"] == "lo")
        .unwrap();
    assert_eq!(loopback["verdict"], "impossible");
    assert_eq!(loopback["obstacles"][0]["kind"], "NoDmaDevice");
    // A NIC of a virtual machine has no header split, and nothing makes up for it.
    let of_virtio = |interface: &&Value| interface["driver"] == "virtio_net";
    for interface in interfaces.iter().filter(of_virtio) {
        assert_eq!(interface["verdict"], "impossible", "{interface}");
        assert_eq!(
            interface["obstacles"][0]["kind"], "NoQueueManagement",
            "{interface}"
        );
    }
}

#[test]
fn doctor_fits_on_a_screen() {
    let output = doctor(&["lo"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let screen = String::from_utf8(output.stdout).unwrap();
    for text in [
        "zero-copy receive from a NIC's queue (since 6.15)",
        "CAP_NET_ADMIN",
        "cannot, on queue 0: the interface has no DMA device, because it is virtual: use a NIC",
        "Without a NIC: ",
    ] {
        assert!(screen.contains(text), "no {text:?} in:\n{screen}");
    }
    assert!(screen.lines().count() <= 24, "{screen}");
}

#[test]
fn doctor_tells_a_process_what_it_lacks() {
    if !common::is_root() {
        return common::skip((u32::MAX, 0), &"it takes root to become nobody");
    }
    let mut doctor = doctor(&["--json"]);
    let output = match doctor.uid(65534).output() {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return common::skip((u32::MAX, 0), &"nobody may not run a program from here");
        }
        output => output.unwrap(),
    };
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report = json(&output);
    assert_eq!(report["limits"]["cap_net_admin"], false, "{report}");
    assert_features(&report);
    if report["features"]["queue"] == true {
        assert_eq!(report["obstacle"]["kind"], "Privilege", "{report}");
        assert!(
            report["obstacle"]["error"]
                .as_str()
                .unwrap()
                .contains("setcap"),
            "{report}"
        );
    }
}

#[test]
fn doctor_names_bad_input_with_its_remedy() {
    let spoiled = std::env::temp_dir().join(format!("doctor-spoiled-{}", std::process::id()));
    std::fs::write(&spoiled, "zcrx-sys nic record 1\n").unwrap();
    let cases: &[(&[&str], &str)] = &[
        (&["nosuchif0"], "list them with ip link"),
        (&["a-name-that-is-too-long"], "list them with ip link"),
        (&[""], "list them with ip link"),
        (&["\u{1b}[2J"], "\\u{1b}[2J: cannot find"),
        (&["lo:x"], "after the colon goes a queue's number"),
        (&["--undo", "/nonexistent"], "/nonexistent: No such file"),
        (&["--undo", spoiled.to_str().unwrap()], "not a whole record"),
        (&["--undo", "/nonexistent", "--json"], "cannot be used with"),
    ];
    for (arguments, text) in cases {
        let output = doctor(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(
            errors.contains(text),
            "{arguments:?}: no {text:?} in {errors}"
        );
    }
    std::fs::remove_file(spoiled).unwrap();
}
