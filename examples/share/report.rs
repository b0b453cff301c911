//! What a run came to, for a person and for a program.

use serde_json::{json, Value};

use crate::member::Tally;

pub struct Report {
    /// What all threads receive from.
    pub source: String,
    pub threads: Vec<Tally>,
    pub seconds: f64,
    pub interrupted: bool,
    /// What went wrong outside of the threads.
    pub failures: Vec<String>,
}

impl Report {
    pub fn is_good(&self) -> bool {
        let failed = |tally: &Tally| !tally.failures.is_empty() || tally.outstanding > 0;
        self.failures.is_empty() && !self.threads.iter().any(failed)
    }

    fn bytes(&self) -> u64 {
        self.threads.iter().map(|tally| tally.bytes).sum()
    }

    pub fn to_json(&self) -> Value {
        let thread = |tally: &Tally| {
            json!({
                "connections": tally.connections,
                "bytes": tally.bytes,
                "chunks": tally.chunks,
                "outstanding": tally.outstanding,
                "failures": tally.failures,
            })
        };
        let threads: Vec<_> = self.threads.iter().map(thread).collect();
        json!({
            "source": self.source,
            "threads": threads,
            "bytes": self.bytes(),
            "seconds": self.seconds,
            "interrupted": self.interrupted,
            "failures": self.failures,
        })
    }

    pub fn print(&self) {
        println!("shared: {}", self.source);
        for (index, tally) in self.threads.iter().enumerate() {
            let Tally {
                connections,
                bytes,
                chunks,
                ..
            } = tally;
            println!("thread {index}: {connections} connections, {bytes} bytes in {chunks} chunks");
            tally
                .failures
                .iter()
                .for_each(|failure| println!("  failed: {failure}"));
        }
        self.failures
            .iter()
            .for_each(|failure| println!("failed: {failure}"));
        let rate = self.bytes() as f64 / self.seconds.max(f64::MIN_POSITIVE) / 1e9;
        let how = if self.interrupted {
            ", interrupted"
        } else {
            ""
        };
        println!(
            "all: {} bytes in {:.2} s, {rate:.2} GB/s{how}",
            self.bytes(),
            self.seconds
        );
    }
}
