//! The software NIC, from its default state on: each command that `doctor` names is run, until it says ready.

use std::process::Command;

use serde_json::Value;
use zcrx_sys::recv::Receiver;

use crate::common::nic::Nic;
use crate::default::{Default, SNIC};
use crate::examine;

/// Runs a command in a shell.
fn run(nic: &Nic, command: &str) {
    // The lab's ethtool is older than that setting.
    let command = match command.strip_suffix(" hds-thresh 0") {
        Some(rest) => {
            nic.header_split_above(0);
            rest
        }
        None => command,
    };
    if command == "ethtool -G snic0" {
        return;
    }
    let shell = format!("/usr/sbin/{command}"); // Past the ones of busybox.
    let status = Command::new("/bin/sh").args(["-c", &shell]).status();
    assert!(status.unwrap().success(), "{command}");
}

/// Whether the kernel says what `doctor` says, by a registration.
fn assert_as_the_kernel_says(nic: &Nic, interface: &Value) {
    let queue = nic.queue(interface["queue"].as_u64().unwrap() as u32);
    let built = Receiver::builder().source(queue).area_len(1 << 20).build();
    let obstacles = interface["obstacles"].as_array().unwrap();
    let kinds: Vec<_> = obstacles
        .iter()
        .filter_map(|obstacle| obstacle["kind"].as_str())
        .collect();
    match built {
        Ok(receiver) => {
            assert_eq!(kinds, [""; 0], "{interface}");
            drop(receiver);
            nic.wait_for_queues();
        }
        Err(error) => {
            let kind = format!("{:?}", error.kind().unwrap());
            assert!(kinds.contains(&kind.as_str()), "{error}, but {interface}");
        }
    }
}

/// Has the NIC down; it is up again for the next test, however this one ends.
struct Down;

impl Down {
    fn new(nic: &Nic) -> Self {
        run(nic, "ip link set dev snic0 down");
        Self
    }
}

impl Drop for Down {
    fn drop(&mut self) {
        for words in ["link set snic0 up", "addr add fd00::1/64 dev snic0 nodad"] {
            let mut ip = Command::new("/usr/sbin/ip"); // IPv6 addresses went when it was down.
            let _ = ip.args(words.split(' ')).status();
        }
    }
}

#[test]
fn doctor_mends_a_nic_command_by_command() {
    let Some(default) = Default::with_channels(1) else {
        return;
    };
    let nic = &default.nic;
    nic.header_split_above(256);
    let _down = Down::new(nic);
    let mut commands = Vec::new();
    let ready = loop {
        let report = examine(&[SNIC]);
        let interface = report["interfaces"][0].clone();
        assert_eq!(interface["driver"], "softnic");
        assert_as_the_kernel_says(nic, &interface);
        if interface["verdict"] == "ready" {
            assert_eq!(
                (&report["ready"], &report["obstacle"]),
                (&true.into(), &Value::Null)
            );
            break interface;
        }
        assert_eq!(interface["verdict"], "mendable", "{interface}");
        let command = interface["obstacles"][0]["command"].as_str().unwrap();
        run(nic, command);
        assert!(
            !commands.contains(&command.to_string()),
            "{command} mended nothing"
        );
        commands.push(command.into());
    };
    assert_eq!(
        commands,
        [
            "ethtool -L snic0 combined 2",
            "ip link set dev snic0 up",
            "ethtool -G snic0 tcp-data-split on hds-thresh 0",
            "ethtool -X snic0 equal 1",
            "ethtool -K snic0 ntuple on",
        ]
    );
    assert_eq!(
        (&ready["queue"], &ready["queues"][1]["rss"]),
        (&1.into(), &false.into())
    );
}

#[test]
fn doctor_tells_who_has_a_queue() {
    let Some(nic) = Nic::claim() else {
        return;
    };
    nic.ethtool("-X snic0 equal 3");
    let receiver = Receiver::builder().source(nic.queue(3)).build().unwrap();
    let taken = examine(&["snic0:3"]);
    let interface = &taken["interfaces"][0];
    assert_eq!(interface["verdict"], "taken", "{interface}");
    assert_eq!(interface["queues"][3]["holder"], "IoUring");
    assert!(interface["queues"][3]["napi_id"].as_u64().unwrap() > 0);
    drop(receiver);
    nic.wait_for_queues();
    assert_eq!(examine(&["snic0:3"])["interfaces"][0]["verdict"], "ready");
    let middle = examine(&["snic0:1"])["interfaces"][0].clone();
    assert_eq!(
        middle["obstacles"][0]["command"],
        "ethtool -X snic0 weight 1 0 1 1"
    );
    let past = examine(&["snic0:4"])["interfaces"][0].clone();
    assert_eq!(past["verdict"], "impossible", "{past}");
}
