//! Instructions under callgrind, in user mode.

use std::path::PathBuf;

use zcrx_bench::Measurement;

use crate::bench::{last_line, Bench};
use crate::samples::failure;

/// Groups of the results: those that rivals are in, and those of this crate alone.
const GROUPS: [&str; 4] = ["drain", "refill", "drain and refill", "nop"];
const OURS: [&str; 2] = ["chunk", "owned chunk"];

pub fn run(bench: &mut Bench) {
    let programs = bench.programs.clone();
    count(bench, "zcrx-sys", Ok(programs.join("count_ours")));
    count(bench, "by hand", Ok(programs.join("count_hand")));
    count(bench, "io-uring", Ok(programs.join("count_io_uring")));
    let optimized = with_link_time_optimization(bench);
    count(bench, "io-uring, LTO", optimized);
    let c = bench.build_c().map(|()| programs.join("c_count"));
    count(bench, "liburing", c);
}

fn count(bench: &mut Bench, subject: &str, program: Result<PathBuf, String>) {
    if bench.is_stopped() {
        return;
    }
    bench.progress(subject);
    match program.and_then(|program| callgrind(bench, subject, program)) {
        Ok(counts) => counts.into_iter().for_each(|count| bench.add(count)),
        Err(reason) => {
            let ours = OURS.iter().filter(|_| subject == "zcrx-sys");
            for group in GROUPS.iter().chain(ours) {
                bench.miss(group, "", subject, &reason);
            }
        }
    }
}

fn callgrind(bench: &Bench, subject: &str, program: PathBuf) -> Result<Vec<Measurement>, String> {
    let output = bench
        .command(120, bench.top.join("bench/callgrind"))
        .arg(program)
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(failure(&output));
    }
    let parse = |line: &str| {
        let mut words = line.split('\t').map(str::to_string);
        let (group, case, unit) = (words.next()?, words.next()?, words.next()?);
        let value = words.next()?.parse().ok()?;
        Some(Measurement {
            group,
            case,
            subject: subject.into(),
            unit,
            value,
            runs: 1,
            range: (value, value),
        })
    };
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .map(|line| parse(line).ok_or_else(|| format!("callgrind printed {line:?}")))
        .collect()
}

/// Without it, each entry that the crate hands out is copied by a call, because that function is not inlined into
/// other crates; whoever sets LTO does not pay that.
fn with_link_time_optimization(bench: &Bench) -> Result<PathBuf, String> {
    bench.progress("building the io-uring crate with link-time optimization");
    let target = bench.top.join("bench/target/lto");
    let output = bench
        .command(600, "cargo")
        .args(["build", "--release", "--quiet", "--bin", "count_io_uring"])
        .args(["--no-default-features", "--features", "rivals"])
        .current_dir(bench.top.join("bench"))
        .env("CARGO_PROFILE_RELEASE_LTO", "fat")
        .env("CARGO_TARGET_DIR", &target)
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("it cannot be built: {}", last_line(&output.stderr)));
    }
    Ok(target.join("release/count_io_uring"))
}
