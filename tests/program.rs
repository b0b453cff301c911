//! The program `receive` as its users run it: output for programs, exit status, signals, bad input.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr};

use serde_json::Value;
use sha2::{Digest, Sha256};

use common::programs::{json, receive, refuses, signal};

mod common;

/// Starts a receiver that listens on loopback; answers it with its address.
fn listening(arguments: &[&str]) -> (Child, String, BufReader<ChildStderr>) {
    let mut receive = receive(&["--listen", "127.0.0.1:0", "--json"]);
    receive.args(arguments);
    common::programs::listening(receive)
}

#[test]
fn the_main_job_reports_to_a_program() {
    let output = receive(&["--bytes", "9M", "--connections", "3", "--json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let report = json(&output);
    assert_eq!(report["bytes"], 9 << 20);
    for zero in ["mismatches", "missing", "outstanding"] {
        assert_eq!(report[zero], 0, "{report}");
    }
    assert!(report["chunks"].as_u64().unwrap() > 0);
    assert_eq!(report["returned"], report["chunks"]);
    assert!(report["kernel"].is_string() && report["source"].is_string());
    assert!(report["fallback_reasons"].is_array());
    assert!(report["seconds"].as_f64().unwrap() > 0.0);
    assert!(report["receiver_cpu_seconds_per_gb"].as_f64().unwrap() > 0.0);
}

#[test]
fn the_table_names_source_and_result() {
    let output = receive(&["--bytes", "1M", "--source", "buffers"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let table = String::from_utf8(output.stdout).unwrap();
    for text in [
        "kernel ",
        "provided buffers",
        "1048576 in ",
        "GB/s",
        "s/GB",
        "every byte arrived",
    ] {
        assert!(table.contains(text), "no {text:?} in:\n{table}");
    }
}

#[test]
fn any_senders_bytes_are_hashed_in_order_of_accept() {
    let (child, address, _errors) = listening(&["--connections", "2", "--hash"]);
    let mut digests = Vec::new();
    for seed in 0..2 {
        let bytes = common::stream(seed, 1_000_003);
        TcpStream::connect(&address)
            .unwrap()
            .write_all(&bytes)
            .unwrap();
        digests.push(format!("{:x}", Sha256::digest(&bytes)));
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(json(&output)["sha256"], Value::from(digests));
}

#[test]
fn its_own_sender_is_verified_from_another_process() {
    let (child, address, _errors) = listening(&["--connections", "5"]);
    let sender = receive(&["--send", &address, "--bytes", "7M", "--connections", "5"]).status();
    assert!(sender.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let report = json(&output);
    assert_eq!(
        (&report["bytes"], &report["mismatches"]),
        (&(7 << 20).into(), &0.into())
    );
}

#[test]
fn wrong_bytes_fail_the_run_and_are_counted() {
    let (child, address, _errors) = listening(&[]);
    // Zeros are wrong wherever the pattern is not zero: about 255 of 256.
    TcpStream::connect(&address)
        .unwrap()
        .write_all(&[0; 100_000])
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let wrong = json(&output)["mismatches"].as_u64().unwrap();
    assert!((99_000..=100_000).contains(&wrong), "{wrong}");
}

#[test]
fn a_peer_that_resets_fails_the_run_by_name() {
    let (child, address, _errors) = listening(&["--no-verify"]);
    common::reset(TcpStream::connect(&address).unwrap());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let failure = json(&output)["failures"][0].as_str().unwrap().to_string();
    // The reset races with accept: it is seen there, or by the receive.
    assert!(
        failure == "connection 0: ECONNRESET (connection reset by peer)"
            || failure.starts_with("connection 0: gone at accept"),
        "{failure}"
    );
}

#[test]
fn an_interrupt_ends_with_the_report() {
    for number in [libc::SIGINT, libc::SIGTERM] {
        let (child, address, _errors) = listening(&["--connections", "2", "--no-verify"]);
        let mut peer = TcpStream::connect(&address).unwrap();
        peer.write_all(&[1; 5000]).unwrap();
        signal(&child, number);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let report = json(&output);
        assert_eq!(
            (&report["interrupted"], &report["outstanding"]),
            (&true.into(), &0.into())
        );
    }
}

#[test]
fn bad_input_is_named_with_its_remedy() {
    let cases: &[(&[&str], &str)] = &[
        (&["--source", "nic"], "--source nic needs --nic IF:QUEUE"),
        (
            &["--nic", "lo"],
            "--nic takes IF:QUEUE, eth0:1 for instance",
        ),
        (&["--nic", "lo:x"], "--nic takes IF:QUEUE"),
        (
            &["--source", "nic", "--nic", "nosuchif0:0"],
            "list them with ip link",
        ),
        (
            &["--area", "0", "--source", "buffers"],
            "must be a multiple of the page size, and not 0",
        ),
        (
            &["--area", "5000", "--source", "buffers"],
            "must be a multiple of the page size",
        ),
        (
            &["--chunk", "0", "--source", "buffers"],
            "buffer bytes must be from 1",
        ),
        (
            &["--cq-entries", "0"],
            "completion entries must be from 1 to 65536",
        ),
        (
            &["--cq-entries", "70000"],
            "completion entries must be from 1 to 65536",
        ),
        (&["--connections", "0"], "--connections"),
        (&["--bytes", "much"], "a number, with K, M or G"),
        (&["--bytes", "99999999999G"], "too large"),
        (&["--listen", "nowhere"], "--listen"),
        (&["--claim"], "--nic <IF:QUEUE>"),
        (&["--claim", "--nic", "lo"], "--listen <ADDR>"),
        (&["--record", "file"], "--claim"),
        (&["--listen", "192.0.2.1:1"], "cannot listen on 192.0.2.1:1"),
    ];
    refuses(receive, cases);
}

#[test]
fn a_source_that_cannot_be_had_is_an_error_only_if_it_was_insisted_on() {
    let insisted = receive(&["--source", "nic", "--nic", "lo:0", "--bytes", "1M"])
        .output()
        .unwrap();
    assert_eq!(insisted.status.code(), Some(2), "{insisted:?}");
    assert!(String::from_utf8(insisted.stderr)
        .unwrap()
        .contains("cannot register"));
    let preferred = receive(&["--nic", "lo:0", "--bytes", "1M", "--json"])
        .output()
        .unwrap();
    assert!(preferred.status.success(), "{preferred:?}");
    let reasons = json(&preferred)["fallback_reasons"]
        .as_array()
        .unwrap()
        .len();
    assert!(reasons >= 1);
}

#[test]
fn a_claim_that_makes_no_sense_is_named_with_its_remedy() {
    let record = std::env::temp_dir().join(format!("program-claim-{}", std::process::id()));
    let cases: &[(&[&str], &str)] = match cfg!(feature = "nic") {
        false => &[(&["--nic", "lo"], "--claim takes feature nic")],
        true => &[
            (&["--nic", "lo:0"], "--nic takes the interface alone"),
            (&["--nic", "lo", "--source", "buffers"], "of no use"),
            (&["--nic", "lo"], "no DMA device"),
            (&["--nic", "nosuchif0"], "list them with ip link"),
            (
                &["--nic", "a-name-that-is-too-long"],
                "list them with ip link",
            ),
            (&["--nic", ""], "list them with ip link"),
            (&["--nic", "../x"], "list them with ip link"),
        ],
    };
    for (arguments, text) in cases {
        let mut receive = receive(&["--listen", "127.0.0.1:0", "--claim", "--record"]);
        let output = receive.arg(&record).args(*arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(
            errors.contains(text),
            "{arguments:?}: no {text:?} in {errors}"
        );
        assert!(!record.exists(), "{arguments:?}");
    }
}
