//! `nop SUBJECT BATCH`: nanoseconds per NOP, in a pipeline of batches. Run by `bench/run`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use zcrx_bench::nop::{io_uring, measured_nop_io_uring, measured_nop_zcrx_sys, zcrx_sys};

/// How long it is measured.
const SPAN: Duration = Duration::from_millis(150);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let subject = arguments.next().ok_or("whose ring?")?;
    let batch: u32 = arguments.next().ok_or("which batch?")?.parse()?;
    let nanoseconds = match subject.as_str() {
        "zcrx-sys" | "zcrx-sys-registered" => {
            let mut ring = zcrx_sys()?;
            if subject.ends_with("registered") {
                ring.register_descriptor()?;
            }
            time(batch, || measured_nop_zcrx_sys(&mut ring, batch))
        }
        "io-uring" => {
            let mut ring = io_uring()?;
            time(batch, || measured_nop_io_uring(&mut ring, batch))
        }
        other => return Err(format!("nobody is called {other}").into()),
    };
    println!("{nanoseconds}");
    Ok(())
}

/// Nanoseconds for each op of rounds of `batch`. `c/nop.c` does the same.
fn time(batch: u32, mut round: impl FnMut() -> u32) -> f64 {
    let rounds = 256_u32.div_ceil(batch);
    let mut run = |span: Duration| {
        let (start, mut ops) = (Instant::now(), 0_u64);
        while start.elapsed() < span {
            for _ in 0..rounds {
                assert_eq!(black_box(round()), batch);
            }
            ops += u64::from(rounds * batch);
        }
        start.elapsed().as_nanos() as f64 / ops as f64
    };
    run(SPAN / 8); // to get warm
    run(SPAN)
}
