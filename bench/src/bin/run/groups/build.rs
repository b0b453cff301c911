//! Clean release builds of a program that sends one NOP through a ring, from sources that are already here.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::bench::{last_line, Bench};
use crate::samples::{failure, interleave, Subject};

const UNITS: [&str; 2] = ["seconds", "KiB added"];

pub fn run(bench: &mut Bench) {
    let minimal = bench.top.join("bench/minimal");
    let target = bench.programs.join("minimal");
    bench.progress("an empty program");
    let empty = fetch(bench, &minimal)
        .and_then(|()| build(bench, &minimal.join("empty"), &target, &[], None));
    let empty = match empty {
        Ok((_, bytes)) => bytes,
        Err(reason) => return bench.miss("build", "", "", &reason),
    };
    let sample = |package: &str, options: &'static [&str], headers: Option<PathBuf>| {
        let (package, target) = (minimal.join(package), target.clone());
        move |bench: &Bench| {
            let (seconds, bytes) = build(bench, &package, &target, options, headers.as_deref())?;
            Ok(vec![seconds, (bytes - empty) / 1024.0])
        }
    };
    let default = "default features";
    let mut subjects = vec![
        Subject::new(default, "io-uring", sample("io-uring", &[], None)),
        Subject::new(default, "zcrx-sys", sample("zcrx-sys", &[], None)),
    ];
    let core = sample("zcrx-sys", &["--no-default-features"], None);
    subjects.push(Subject::new("no default features", "zcrx-sys", core));
    let rounds = bench.rounds(7);
    interleave(bench, "build", &UNITS, rounds, &subjects);
    let generated = headers(bench).map(|headers| {
        let sample = sample("zcrx-sys", &["--features", "bindgen"], Some(headers));
        Subject::new("bindgen", "zcrx-sys", sample)
    });
    match generated {
        Ok(subject) => {
            let rounds = bench.rounds(3);
            interleave(bench, "build", &UNITS, rounds, &[subject]);
        }
        Err(reason) => bench.miss("build", "bindgen", "zcrx-sys", &reason),
    }
    let _ = fs::remove_dir_all(target);
}

/// Gets what the builds need, which are then made offline.
fn fetch(bench: &Bench, minimal: &Path) -> Result<(), String> {
    for package in ["zcrx-sys", "io-uring"] {
        let output = bench
            .command(120, "cargo")
            .args(["fetch", "--locked", "--quiet"])
            .current_dir(minimal.join(package))
            .output()
            .map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(format!(
                "cannot fetch what {package} needs: {}",
                failure(&output)
            ));
        }
    }
    Ok(())
}

/// Builds `package` from nothing; seconds, and bytes of the stripped program.
fn build(
    bench: &Bench,
    package: &Path,
    target: &Path,
    options: &[&str],
    headers: Option<&Path>,
) -> Result<(f64, f64), String> {
    let _ = fs::remove_dir_all(target);
    let started = Instant::now();
    let output = bench
        .command(300, "cargo")
        .args(["build", "--release", "--offline", "--locked", "--quiet"])
        .args(options)
        .current_dir(package)
        .env("CARGO_TARGET_DIR", target)
        .envs(headers.map(|headers| (OsStr::new("ZCRX_SYS_INCLUDE"), headers)))
        .output()
        .map_err(|error| error.to_string())?;
    let seconds = started.elapsed().as_secs_f64();
    if !output.status.success() {
        return Err(format!("it cannot be built: {}", failure(&output)));
    }
    let program = fs::metadata(target.join("release/minimal"));
    let program = program.map_err(|error| error.to_string())?;
    Ok((seconds, program.len() as f64))
}

/// The newest kernel headers.
fn headers(bench: &Bench) -> Result<PathBuf, String> {
    let output = bench
        .command(300, bench.top.join("tests/lab/fetch"))
        .arg("--headers")
        .output()
        .map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(last_line(&output.stdout).into()),
        false => Err(format!("no kernel headers: {}", failure(&output))),
    }
}
