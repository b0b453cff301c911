//! What a run came to, for a person and for a program.

use serde_json::{json, Value};

use crate::worker::Tally;

pub struct Report {
    pub threads: Vec<Tally>,
    /// What was changed of the NIC, if queues were claimed.
    pub changes: Option<Vec<String>>,
    pub seconds: f64,
    pub interrupted: bool,
    /// What went wrong outside of the threads.
    pub failures: Vec<String>,
}

impl Report {
    pub fn bytes(&self) -> u64 {
        self.threads.iter().map(|tally| tally.bytes).sum()
    }

    pub fn is_good(&self) -> bool {
        let failed = |tally: &Tally| !tally.failures.is_empty() || tally.outstanding > 0;
        self.failures.is_empty() && !self.threads.iter().any(failed)
    }

    pub fn to_json(&self) -> Value {
        let threads: Vec<_> = self.threads.iter().map(thread).collect();
        json!({
            "threads": threads,
            "bytes": self.bytes(),
            "seconds": self.seconds,
            "interrupted": self.interrupted,
            "claim": self.changes.as_ref().map(|changes| json!({"changes": changes})),
            "failures": self.failures,
        })
    }

    pub fn print(&self) {
        for (index, tally) in self.threads.iter().enumerate() {
            let Tally {
                source,
                connections,
                bytes,
                chunks,
                ..
            } = tally;
            println!("thread {index}: {source}");
            tally
                .fallback_reasons
                .iter()
                .for_each(|reason| println!("          {reason}"));
            println!("          {connections} connections, {bytes} bytes in {chunks} chunks");
            if let Some(copied) = tally.copied_bytes {
                println!("          {copied} bytes copied");
            }
            if tally.handed_over > 0 {
                println!(
                    "          {} handed to the thread of their queue",
                    tally.handed_over
                );
            }
            tally
                .astray
                .iter()
                .for_each(|astray| println!("          astray: {astray}"));
            tally
                .failures
                .iter()
                .for_each(|failure| println!("          failed: {failure}"));
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
            "all:      {} bytes in {:.2} s, {rate:.2} GB/s{how}",
            self.bytes(),
            self.seconds
        );
    }
}

fn thread(tally: &Tally) -> Value {
    json!({
        "source": tally.source,
        "fallback_reasons": tally.fallback_reasons,
        "connections": tally.connections,
        "bytes": tally.bytes,
        "chunks": tally.chunks,
        "outstanding": tally.outstanding,
        "handed_over": tally.handed_over,
        "astray": tally.astray,
        "copied_bytes": tally.copied_bytes,
        "failures": tally.failures,
    })
}
