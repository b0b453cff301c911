//! Two compilers, asked the same questions.
//!
//! No program is run, so that a target is judged as well whose programs this machine cannot run, or not link: each
//! compiler puts its answers into section `layouts` of an object file, and the sections are compared.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::common::skip;

/// A number that both compilers know.
pub(crate) struct Question {
    /// What it is, for people.
    what: String,
    /// Constant expressions for it.
    c: String,
    rust: String,
}

impl Question {
    pub(crate) fn new(
        what: impl Into<String>,
        c: impl Into<String>,
        rust: impl Into<String>,
    ) -> Self {
        let (what, c, rust) = (what.into(), c.into(), rust.into());
        Self { what, c, rust }
    }
}

/// What the compilers compile for: an option for each, or none for what they run on.
pub(crate) struct Target {
    pub(crate) rustc: &'static [&'static str],
    pub(crate) cc: &'static [&'static str],
}

impl Target {
    pub(crate) const NATIVE: Self = Self {
        rustc: &[],
        cc: &[],
    };
}

/// The headers' folder, or `None` after saying that there can be no judgement. With headers nothing is left out.
pub(crate) fn headers() -> Option<PathBuf> {
    let folder = env::var_os("ZCRX_SYS_INCLUDE").map(PathBuf::from);
    if folder.is_none() {
        skip((u32::MAX, 0), &"ZCRX_SYS_INCLUDE names no kernel headers");
    }
    folder
}

/// What the compilers do not agree on. `source` is what the Rust expressions are about.
pub(crate) fn disagreements(
    target: &Target,
    headers: &Path,
    source: &str,
    questions: &[Question],
) -> Vec<String> {
    let thread = std::thread::current();
    let test = thread.name().expect("libtest names threads after tests");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test.replace("::", "-"));
    fs::create_dir_all(&folder).unwrap();
    let c = answers(cc(target, headers), &folder, "c", &c_program(questions));
    let rust = answers(
        rustc(target),
        &folder,
        "rs",
        &rust_program(source, questions),
    );
    assert_eq!((rust.len(), c.len()), (questions.len(), questions.len()));
    let pairs = questions.iter().zip(rust.into_iter().zip(c));
    let differing = pairs.filter(|(_, (rust, c))| rust != c);
    differing
        .map(|(question, (rust, c))| format!("{}: {rust} in Rust, {c} in C", question.what))
        .collect()
}

fn cc(target: &Target, headers: &Path) -> Command {
    let mut cc = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
    cc.args(["-c", "-std=gnu11", "-ffreestanding"]);
    cc.args(target.cc).arg("-I").arg(headers);
    cc
}

fn rustc(target: &Target) -> Command {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args([
        "--emit=obj",
        "--crate-type=lib",
        "--edition=2021",
        "-Ccodegen-units=1",
    ]);
    rustc.args(target.rustc);
    rustc
}

/// What `compiler` makes of `program`.
fn answers(mut compiler: Command, folder: &Path, language: &str, program: &str) -> Vec<u64> {
    let source = folder.join(format!("layouts.{language}"));
    let object = folder.join(format!("{language}.o"));
    let section = folder.join(format!("{language}.section"));
    fs::write(&source, program).unwrap();
    run(compiler.arg(&source).arg("-o").arg(&object));
    let mut objcopy = Command::new("objcopy");
    objcopy.args(["-O", "binary", "--only-section", "layouts"]);
    run(objcopy.arg(&object).arg(&section));
    let bytes = fs::read(&section).unwrap();
    let words = bytes.chunks_exact(8);
    assert!(words.remainder().is_empty());
    let words = words.map(|word| u64::from_ne_bytes(word.try_into().expect("8 bytes")));
    words.collect()
}

/// Negative numbers become the same 64 bits in both languages.
fn c_program(questions: &[Question]) -> String {
    let answers: String = questions
        .iter()
        .map(|Question { what, c, .. }| format!("    (unsigned long long)({c}), // {what}\n"))
        .collect();
    let includes: String = HEADERS.map(|name| format!("#include <{name}>\n")).concat();
    format!(
        "{includes}
__attribute__((section(\"layouts\"), used))
static const unsigned long long answers[] = {{\n{answers}}};\n"
    )
}

fn rust_program(source: &str, questions: &[Question]) -> String {
    let answers: String = questions
        .iter()
        .map(|Question { what, rust, .. }| format!("    ({rust}) as u64, // {what}\n"))
        .collect();
    format!(
        "#![no_std]
#![allow(warnings)]
use core::mem::{{align_of, offset_of, size_of}};
{source}
#[used]
#[link_section = \"layouts\"]
static ANSWERS: [u64; {}] = [\n{answers}];\n",
        questions.len()
    )
}

const HEADERS: [&str; 13] = [
    "stddef.h",
    "linux/bpf.h",
    "linux/capability.h",
    "linux/ethtool.h",
    "linux/ethtool_netlink.h",
    "linux/genetlink.h",
    "linux/if_link.h",
    "linux/io_uring.h",
    "linux/io_uring/query.h",
    "linux/io_uring/zcrx.h",
    "linux/netdev.h",
    "linux/netlink.h",
    "linux/rtnetlink.h",
];

fn run(command: &mut Command) {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{said}");
}
