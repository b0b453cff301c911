//! The example programs, as their users run them.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

macro_rules! examples {
    ($($name:ident)*) => {$(
        pub fn $name(arguments: &[&str]) -> Command {
            static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
            example(&PROGRAM, stringify!($name), arguments)
        }
    )*};
}

examples! { receive doctor queues share upload frames }

/// The program of that name: in the directory `ZCRX_EXAMPLES` (in the lab), or built here. Builds it, because `cargo
/// test --test` alone would leave an old one in place.
fn example(program: &OnceLock<PathBuf>, name: &str, arguments: &[&str]) -> Command {
    let program = program.get_or_init(|| {
        if let Some(directory) = std::env::var_os("ZCRX_EXAMPLES") {
            return PathBuf::from(directory).join(name);
        }
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--example", name]);
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        // With those that this was built with, so that nothing is built twice.
        for (name, is_on) in [
            ("nic", cfg!(feature = "nic")),
            ("bytes", cfg!(feature = "bytes")),
            ("tokio", cfg!(feature = "tokio")),
        ] {
            if is_on {
                cargo.args(["--features", name]);
            }
        }
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success(), "{cargo:?}");
        let tests = std::env::current_exe().unwrap();
        let profile = tests.parent().unwrap().parent().unwrap();
        profile.join("examples").join(name)
    });
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// Requires that `program` refuses each of these arguments, and says the text that is beside them.
pub fn refuses(program: fn(&[&str]) -> Command, cases: &[(&[&str], &str)]) {
    for (arguments, text) in cases {
        let output = program(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(
            errors.contains(text),
            "{arguments:?}: no {text:?} in {errors}"
        );
    }
}

/// What a program that was given `--json` printed.
pub fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error} in {:?}", String::from_utf8_lossy(&output.stdout)))
}

/// Starts a listening receiver; answers it with the address that it listens on, once it does.
pub fn listening(mut receive: Command) -> (Child, String, BufReader<ChildStderr>) {
    receive.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = receive.spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while errors.read_line(&mut said).unwrap() > 0 {
        let line = said.lines().last().unwrap();
        if let Some(address) = line.strip_prefix("listening on ") {
            return (child, address.to_string(), errors);
        }
    }
    panic!("{said}{}", child.wait().unwrap());
}

/// Sends `signal` to a child that was not waited for.
pub fn signal(child: &Child, signal: i32) {
    // SAFETY: takes no pointers; nobody else can have the id of a child before it is waited for.
    assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
}
