//! The table of areas: how many there are, and how large they are.

use std::hint::black_box;
use std::time::Instant;

use crate::rig::{Rig, BATCH};
use crate::{count, in_turns, print, Result};

/// Pages in all areas together, and places that chunks lie at, whatever the number of areas: data caches see the
/// same work.
const PAGES: u64 = 4096;
const PLACES: usize = 4096;
const DRAINS: u32 = 200;

pub fn run(rounds: usize) -> Result<()> {
    let counts = [1, 4, 16, 64, 256, 1024];
    let rigs = counts.map(|areas| Rig::new(areas, PAGES / areas, PLACES));
    let mut rigs = rigs.into_iter().collect::<Result<Vec<_>>>()?;
    let name = |i: usize| count(counts[i] as usize, "area");
    measure(rounds, &mut rigs, true, name)?;
    measure(rounds, &mut rigs, false, |i| {
        format!("{}, lookup alone", name(i))
    })
}

/// Where chunks lie is found out and nothing there is read, because what large memory costs the processor is
/// not the crate's affair.
pub fn run_lookup(rounds: usize) -> Result<()> {
    let mib = [4, 64, 1024, 4096, 8192];
    let rigs = mib.map(|mib| Rig::new(1, mib << 8, PLACES));
    let mut rigs = rigs.into_iter().collect::<Result<Vec<_>>>()?;
    measure(rounds, &mut rigs, false, |i| {
        format!("area of {} MiB, lookup alone", mib[i])
    })
}

fn measure(
    rounds: usize,
    rigs: &mut [Rig],
    touch: bool,
    name: impl Fn(usize) -> String,
) -> Result<()> {
    let cases: Vec<usize> = (0..rigs.len()).collect();
    let mut once = |i: usize| Ok(cost(&mut rigs[i], touch));
    in_turns(1, &cases, &mut once)?; // once, so that memory is there
    let numbers = in_turns(rounds, &cases, once)?;
    for (i, numbers) in numbers.iter().enumerate() {
        print(&name(i), "ns per chunk", numbers);
    }
    Ok(())
}

/// Nanoseconds for a chunk, from completion to refill entry: the least of several stretches, so that what else
/// the machine does is not counted.
fn cost(rig: &mut Rig, touch: bool) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..DRAINS {
        rig.post();
        let start = Instant::now();
        black_box(rig.drain(touch));
        least = least.min(start.elapsed().as_secs_f64());
        assert_eq!(rig.refill(), BATCH);
    }
    least * 1e9 / f64::from(BATCH)
}
