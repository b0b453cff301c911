//! How long it takes to register an area, by its length; without a device, which takes kernel 7.1.

use std::time::Instant;

use zcrx_sys::ring::{Ring, RingBuilder};
use zcrx_sys::zcrx::{Area, Device, Ifq};
use zcrx_sys::Error;

use crate::{print, Result};

/// Longer areas the crate does not take.
const MOST_MIB: usize = 4096;

pub fn run(rounds: usize) -> Result<()> {
    let mut skipped = 0;
    for mib in [4, 16, 64, 256, 1024, MOST_MIB, 2 * MOST_MIB] {
        // All of it has to be in memory, twice if the kernel has not given the last one back.
        let runs = if mib >= 1024 { 1 } else { rounds.min(3) };
        let mut numbers = Vec::new();
        for _ in 0..runs {
            if free_mib() < 2 * mib && mib <= MOST_MIB {
                skipped += 1;
                eprintln!(
                    "SKIP an area of {mib} MiB: needs {} MiB of free memory",
                    2 * mib
                );
                break;
            }
            match register(mib << 20) {
                Ok(seconds) if mib <= MOST_MIB => numbers.push(seconds * 1e3),
                Ok(_) => return Err(format!("an area of {mib} MiB was not refused").into()),
                Err(error) if mib > MOST_MIB => {
                    eprintln!("an area of {mib} MiB is refused: {error}")
                }
                Err(error) if numbers.is_empty() && mib == 4 => {
                    eprintln!("SKIP registration: needs kernel 7.1: {error}");
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        if !numbers.is_empty() {
            print(&format!("area of {mib} MiB"), "ms to register", &numbers);
            let each: Vec<f64> = numbers.iter().map(|ms| ms * 1e3 / mib as f64).collect();
            print(&format!("area of {mib} MiB"), "µs to register a MiB", &each);
        }
    }
    if skipped > 0 {
        eprintln!("{skipped} lengths were skipped");
    }
    Ok(())
}

/// Seconds, with the page faults that pinning fresh memory takes.
fn register(bytes: usize) -> std::result::Result<f64, Error> {
    let ring: Ring = RingBuilder::new(8).completion_entries(64).build()?;
    let area = Area::new(bytes)?;
    let start = Instant::now();
    let _ifq: Ifq = Ifq::builder(Device::None).register(ring.as_ring_fd(), area)?;
    Ok(start.elapsed().as_secs_f64())
}

/// MiB that are free now.
fn free_mib() -> usize {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kib.unwrap_or(0) >> 10
}
