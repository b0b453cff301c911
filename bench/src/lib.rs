//! What the measuring programs have in common: how a result is written down, and the work that is measured.

#![warn(missing_docs)]

pub mod epoll;
pub mod median;

use serde::{Deserialize, Serialize};

pub mod counting;
pub mod cpu;
pub mod memory_ring;
pub mod nop;

/// One result. Programs print each as a line of JSON, `bench/run` gathers them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measurement {
    /// What was measured: `drain`, `refill`, `chunk`, `nop`, `loopback`, `lab`, `scale`, `build`.
    pub group: String,
    /// The variant, in words that a table's row can show: `wide`, `mixed, alternating`, `64 connections`.
    pub case: String,
    /// Who was measured: `zcrx-sys`, `liburing`, `io-uring`, `tokio`, `epoll`, `by hand`.
    pub subject: String,
    /// What the number is: `instructions per entry`, `CPU seconds per GB`.
    pub unit: String,
    /// The number; of several runs their median.
    pub value: f64,
    /// How many runs; 1 for what is repeatable.
    pub runs: u32,
    /// The least and the most of the runs.
    pub range: (f64, f64),
}

impl Measurement {
    /// Prints the result for `bench/run`.
    pub fn print(&self) {
        println!("{}", serde_json::to_string(self).expect("a plain struct"));
    }
}
