//! What a run came to, for a person and for a program.

use serde_json::{json, Value};
use zcrx_sys::recv::{Counters, Receiver};
use zcrx_sys::zcrx::Copies;

/// The result of one run.
#[derive(Debug, Default, Clone)]
pub struct Outcome {
    pub source: String,
    pub fallback_reasons: Vec<String>,
    pub shortage: Option<String>,
    pub layout: String,
    /// What --claim changed.
    pub claim: Option<Vec<String>>,
    /// Connections that do not come to the claimed queue, and why.
    pub astray: Vec<String>,
    pub bytes: u64,
    /// Bytes of each connection, in order of accept.
    pub received: Vec<u64>,
    /// Bytes that should have come and did not, where that is known.
    pub missing: u64,
    pub mismatches: u64,
    pub failures: Vec<String>,
    pub sha256: Vec<String>,
    pub counters: Counters,
    pub copies: Option<Copies>,
    pub seconds: f64,
    pub cpu_seconds: f64,
    pub interrupted: bool,
}

impl Outcome {
    pub fn of(receiver: &Receiver) -> Self {
        Self {
            source: receiver.source().to_string(),
            fallback_reasons: receiver
                .fallbacks()
                .iter()
                .map(ToString::to_string)
                .collect(),
            shortage: receiver.shortage().map(|shortage| shortage.to_string()),
            layout: format!("{:?}", receiver.layout()).to_lowercase(),
            ..Self::default()
        }
    }

    pub fn count(&mut self, receiver: &Receiver) {
        self.counters = receiver.counters();
        self.copies = receiver.copies();
    }

    /// Whether every byte arrived and was right, and every chunk went back.
    pub fn is_good(&self) -> bool {
        self.mismatches == 0
            && self.failures.is_empty()
            && self.counters.outstanding == 0
            && (self.interrupted || self.missing == 0)
    }

    pub fn gigabytes_per_second(&self) -> f64 {
        self.bytes as f64 / 1e9 / self.seconds.max(1e-9)
    }

    pub fn cpu_per_gigabyte(&self) -> f64 {
        self.cpu_seconds / (self.bytes as f64 / 1e9).max(1e-9)
    }

    pub fn to_json(&self) -> Value {
        let mut object = json!({
            "kernel": kernel(),
            "source": self.source,
            "fallback_reasons": self.fallback_reasons,
            "shortage": self.shortage,
            "completion_layout": self.layout,
            "bytes": self.bytes,
            "connections": self.received.len(),
            "seconds": self.seconds,
            "gigabytes_per_second": self.gigabytes_per_second(),
            "receiver_cpu_seconds_per_gb": self.cpu_per_gigabyte(),
            "chunks": self.counters.chunks,
            "returned": self.counters.chunks - self.counters.outstanding,
            "outstanding": self.counters.outstanding,
            "mismatches": self.mismatches,
            "missing": self.missing,
            "failures": self.failures,
            "cq_full": self.counters.cq_full,
            "pool_dry": self.counters.pool_dry,
            "refill_full": self.counters.refill_full,
            "flushes": self.counters.flushes,
            "stalls": self.counters.stalls,
            "alloc_failures": self.counters.alloc_failures,
            "copy_notifications": self.counters.copy_notifications,
            "areas_added": self.counters.areas_added,
            "interrupted": self.interrupted,
        });
        if let Some(copies) = self.copies {
            object["copied_bytes"] = copies.bytes.into();
            object["copied_fragments"] = copies.fragments.into();
        }
        if let Some(changes) = &self.claim {
            object["claim"] = json!({"changes": changes, "astray": self.astray});
        }
        if !self.sha256.is_empty() {
            object["sha256"] = self.sha256.clone().into();
        }
        object
    }

    /// The table for a person.
    pub fn print(&self) {
        let row = |name: &str, value: String| println!("{name:<12} {value}");
        row("kernel", kernel());
        let layout = match self.layout.as_str() {
            "" => String::new(),
            layout => format!(", {layout} completions"),
        };
        row("source", format!("{}{layout}", self.source));
        for reason in &self.fallback_reasons {
            row("", reason.clone());
        }
        if let Some(shortage) = &self.shortage {
            row("short", shortage.clone());
        }
        row("bytes", format!("{} in {:.2} s", self.bytes, self.seconds));
        row("rate", format!("{:.2} GB/s", self.gigabytes_per_second()));
        row(
            "CPU",
            format!(
                "{:.3} s/GB on the receiver's thread",
                self.cpu_per_gigabyte()
            ),
        );
        let Counters {
            chunks,
            outstanding,
            cq_full,
            pool_dry,
            refill_full,
            alloc_failures,
            areas_added,
            ..
        } = self.counters;
        let mean = self.counters.bytes.checked_div(chunks).unwrap_or(0);
        row("chunks", format!("{chunks}, {mean} bytes on average"));
        row(
            "returned",
            format!("{}, outstanding {outstanding}", chunks - outstanding),
        );
        if let Some(copies) = self.copies {
            let share = copies.bytes as f64 * 100.0 / (self.bytes as f64).max(1.0);
            row(
                "copied",
                format!("{} bytes in fragments ({share:.1} %)", copies.bytes),
            );
        }
        if cq_full + pool_dry + refill_full > 0 {
            let text = format!(
                "from a full completion queue {cq_full} times, a dry pool {pool_dry}, a full refill \
                 ring {refill_full}"
            );
            row("recovered", text);
        }
        if alloc_failures > 0 {
            let text = "times the NIC found no free buffer: use a larger area";
            row("short", format!("{alloc_failures} {text}"));
        }
        if areas_added > 0 {
            row("grown", format!("by {areas_added} areas"));
        }
        for (index, digest) in self.sha256.iter().enumerate() {
            row("SHA-256", format!("{digest} (connection {index})"));
        }
        for astray in &self.astray {
            row("astray", astray.clone());
        }
        for failure in &self.failures {
            row("failed", failure.clone());
        }
        let verdict = match (self.is_good(), self.interrupted) {
            (true, false) => "every byte arrived".to_string(),
            (true, true) => "interrupted; every byte so far".to_string(),
            (false, _) => format!(
                "{} bytes wrong, {} missing, {outstanding} chunks lost",
                self.mismatches, self.missing
            ),
        };
        row("result", verdict);
    }
}

/// The running kernel's release.
pub fn kernel() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease")
        .map_or_else(|_| "unknown".into(), |release| release.trim().into())
}

/// CPU seconds that this thread has used.
pub fn thread_cpu() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: time is a live, exclusively borrowed local.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
