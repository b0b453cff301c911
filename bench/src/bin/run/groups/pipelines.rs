//! What one thread, or two, do in a loop, by the clock.

use crate::bench::Bench;
use crate::samples::{interleave, number, Subject};

/// NOPs through real rings.
pub fn nop(bench: &mut Bench) {
    let c = bench.build_c();
    let sample = |program: &'static str, subject: &'static str, batch: &'static str| {
        let c = c.clone();
        move |bench: &Bench| {
            if program == "c_nop" {
                c.clone()?;
            }
            let mut command = bench.command(30, "taskset");
            command.args([
                "-c",
                &bench.processors[bench.processors.len() - 1].to_string(),
            ]);
            let nanoseconds = number(
                command
                    .arg(bench.programs.join(program))
                    .args([subject, batch]),
            )?;
            Ok(vec![nanoseconds])
        }
    };
    let mut subjects = Vec::new();
    for batch in ["1", "32", "128"] {
        let case = format!("batch {batch}");
        let mut add = |name, program| {
            subjects.push(Subject::new(&case, name, sample(program, name, batch)));
        };
        add("liburing", "c_nop");
        add("io-uring", "nop");
        add("zcrx-sys", "nop");
    }
    let case = "batch 1, registered descriptor";
    let c = sample("c_nop", "liburing-registered", "1");
    subjects.push(Subject::new(case, "liburing", c));
    let ours = sample("nop", "zcrx-sys-registered", "1");
    subjects.push(Subject::new(case, "zcrx-sys", ours));
    let rounds = bench.rounds(9);
    interleave(bench, "nop", &["ns per op"], rounds, &subjects);
}

/// One thread returns buffers, another takes them as the kernel does.
pub fn refill_contended(bench: &mut Bench) {
    let batches = ["1", "8", "64"].map(|batch| {
        Subject::new(format!("batch {batch}"), "zcrx-sys", move |bench| {
            let program = bench.programs.join("contended");
            Ok(vec![number(bench.command(30, program).arg(batch))?])
        })
    });
    let rounds = bench.rounds(9);
    interleave(
        bench,
        "refill-contended",
        &["ns per buffer"],
        rounds,
        &batches,
    );
}
