//! A compiler for programs that use this crate.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/promises");

/// The errors that the compiler finds in `program`, a library: the line that each is in, and its code.
pub(crate) fn errors(program: &str) -> Vec<(usize, String)> {
    let library = library();
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition=2021", "--crate-type=lib", "--crate-name=promise"]);
    // What it makes replaces what was there by that name: a file of ours, and never a device.
    rustc.args(["--emit=metadata", "--out-dir", FOLDER]);
    rustc.args(["--error-format=json", "-"]);
    let dependencies = library.parent().expect("it is in a folder").display();
    rustc.args(["-L", &format!("dependency={dependencies}")]);
    rustc.args(["--extern", &format!("zcrx_sys={}", library.display())]);
    let rustc = rustc.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut rustc = rustc.spawn().expect("rustc is there");
    let mut source = rustc.stdin.take().expect("it is piped");
    source.write_all(program.as_bytes()).unwrap();
    drop(source);
    let output = rustc.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).expect("rustc writes UTF-8");
    let mut errors: Vec<_> = said.lines().filter_map(error).collect();
    // Of a type that is not Send, it can say so for each of its parts.
    errors.dedup();
    assert_eq!(output.status.success(), errors.is_empty(), "{said}");
    errors
}

/// Line and code of the error that a line of the compiler's output tells of.
fn error(line: &str) -> Option<(usize, String)> {
    let message: Value = serde_json::from_str(line).expect("it is JSON");
    let spans = message["spans"].as_array()?;
    let main = spans.iter().find(|span| span["is_primary"] == true)?;
    let line = usize::try_from(main["line_start"].as_u64()?).ok()?;
    let code = message["code"]["code"].as_str().unwrap_or("without a code");
    (message["level"] == "error").then(|| (line, code.to_owned()))
}

/// This crate, as programs are compiled against it.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        cargo.args(["check", "--quiet", "--lib", "--features=nic"]);
        cargo.args([
            "--message-format=json-render-diagnostics",
            "--target-dir",
            FOLDER,
        ]);
        // What the tests themselves are compiled with (a sanitizer, for instance) is nothing to them.
        cargo
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        let output = cargo
            .stderr(Stdio::inherit())
            .output()
            .expect("cargo is there");
        assert!(output.status.success(), "{cargo:?} failed");
        let said = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
        let mut artifacts = said.lines().filter_map(artifact);
        artifacts.next_back().expect("cargo tells what it made")
    })
}

/// The file that a line of cargo's output tells of, if it is the one of this crate.
fn artifact(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).expect("it is JSON");
    let is_ours =
        message["target"]["src_path"] == concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs");
    let file = message["filenames"].get(0)?.as_str()?;
    is_ours.then(|| file.into())
}
