//! Rings beside each other, which share nothing: as many chunks per CPU second as one makes.

use std::hint::black_box;

use zcrx_bench::cpu::thread_seconds;

use crate::rig::{Rig, BATCH};
use crate::{count, in_turns, print, Result};

const DRAINS: u32 = 4000;

pub fn run(rounds: usize) -> Result<()> {
    let counts = [1, 2, 4, 8];
    let numbers = in_turns(rounds, &counts, chunks_per_cpu_second)?;
    for (&rings, numbers) in counts.iter().zip(&numbers) {
        print(
            &count(rings, "ring"),
            "million chunks per CPU second",
            numbers,
        );
    }
    Ok(())
}

/// Of all threads together; with the twin's work, which is the same for each chunk.
fn chunks_per_cpu_second(rings: usize) -> Result<f64> {
    let one = || -> std::result::Result<f64, String> {
        let mut rig = Rig::new(1, 1024, 1024).map_err(|error| error.to_string())?;
        let mut start = 0.0;
        for drain in 0..DRAINS + 10 {
            if drain == 10 {
                start = thread_seconds(); // its memory is there
            }
            rig.post();
            black_box(rig.drain(true));
            assert_eq!(rig.refill(), BATCH);
        }
        Ok(thread_seconds() - start)
    };
    let seconds = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..rings).map(|_| scope.spawn(one)).collect();
        let each = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        each.sum::<std::result::Result<f64, String>>()
    })?;
    Ok(rings as f64 * f64::from(DRAINS * BATCH) / seconds / 1e6)
}
