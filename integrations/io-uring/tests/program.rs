//! The program itself, as it is run by hand.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_zcrx-on-io-uring"));
    program.args(arguments).output().unwrap()
}

#[test]
fn the_program_checks_what_it_sends_itself() {
    let output = run(&["--connections", "2", "--megabytes", "3"]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    for text in [
        "receiving by ",
        "3145728 bytes, end of stream",
        "6291456 bytes, ",
        "0 bytes wrong",
    ] {
        assert!(said.contains(text), "no {text:?} in:\n{said}");
    }
}

#[test]
fn the_program_refuses_what_is_no_queue() {
    for (queue, text) in [
        ("lo", "--nic takes IF:QUEUE"),
        ("lo:x", "invalid digit"),
        ("nosuchif0:1", "list them with ip link"),
    ] {
        let output = run(&["--nic", queue]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(text), "no {text:?} in {said}");
    }
}
