//! The kernel and this process: what is asked of them, and of no interface in particular.

use std::fs;

use serde_json::{json, Map, Value};
use zcrx_sys::recv::{Receiver, Source};
use zcrx_sys::ring::mixed_completions_are_sound;
use zcrx_sys::uapi::{ZCRX_CTRL_ADD_AREA, ZCRX_CTRL_EXPORT, ZCRX_CTRL_FLUSH_RQ};
use zcrx_sys::zcrx::{interface_index, Support};
use zcrx_sys::{CauseKind, Error};

use crate::faults::{self, Fault};

/// Something that a kernel has or not.
pub struct Feature {
    pub name: &'static str,
    /// The kernel that had it first.
    pub since: &'static str,
    pub what: &'static str,
    /// `None` if this kernel could not be asked.
    pub there: Option<bool>,
}

/// What this process may do. `None` without procfs.
pub struct Limits {
    pub net_admin: Option<bool>,
    pub ipc_lock: Option<bool>,
    /// In bytes, `u64::MAX` if there is no limit.
    pub locked_memory: Option<u64>,
}

pub struct Machine {
    pub kernel: String,
    pub features: Vec<Feature>,
    /// Of its zero-copy receive.
    pub faults: Vec<Fault>,
    pub limits: Limits,
    /// Why no queue of any interface can be registered here, if so.
    pub obstacle: Option<Error>,
    /// The best source that this process can have without a NIC.
    pub best: Result<Source, Error>,
}

impl Machine {
    pub fn examine() -> Self {
        let refused = registration_of_loopback();
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let features = features(refused.as_ref().and_then(Error::kind));
        let lacks_it = features
            .iter()
            .any(|feature| feature.name == "queue" && feature.there == Some(false));
        Self {
            kernel: release.trim().into(),
            features,
            faults: match lacks_it {
                true => Vec::new(),
                false => faults::of(&release, !mixed_completions_are_sound()),
            },
            limits: Limits::read(),
            obstacle: refused.filter(|error| !is_of_loopback(error)),
            best: Receiver::builder()
                .build()
                .map(|receiver| receiver.source()),
        }
    }

    pub fn to_json(&self) -> Value {
        let features = self.features.iter();
        let features: Map<_, _> = features
            .map(|feature| (feature.name.into(), json!(feature.there)))
            .collect();
        let faults: Vec<_> = self.faults.iter().map(Fault::to_json).collect();
        let locked = self.limits.locked_memory;
        json!({
            "kernel": self.kernel,
            "features": features,
            "faults": faults,
            "limits": {
                "cap_net_admin": self.limits.net_admin,
                "cap_ipc_lock": self.limits.ipc_lock,
                "locked_memory_bytes": locked.filter(|&bytes| bytes < u64::MAX),
            },
            "obstacle": self.obstacle.as_ref().map(|error| json!({
                "kind": error.kind().map(|kind| format!("{kind:?}")),
                "error": error.to_string(),
            })),
            "best_without_nic": self.best.as_ref().ok().map(ToString::to_string),
        })
    }
}

/// What the kernel says to a registration of loopback, which it always refuses: for want of a DMA device, and only
/// after it has looked at itself, at the ring and at the process.
fn registration_of_loopback() -> Option<Error> {
    let source = Source::Queue {
        interface: interface_index("lo").unwrap_or(1),
        queue: 0,
    };
    let builder = Receiver::builder().source(source).area_len(64 << 10);
    builder
        .completion_entries(8)
        .refill_entries(8)
        .build()
        .err()
}

fn is_of_loopback(error: &Error) -> bool {
    use CauseKind::{InterfaceDown, NoDmaDevice, NoInterface};
    matches!(
        error.kind(),
        Some(NoDmaDevice | InterfaceDown | NoInterface)
    )
}

/// `refused` is why loopback was. All but the first are younger than the question, and so not there where it is
/// not known.
fn features(refused: Option<CauseKind>) -> Vec<Feature> {
    let support = Support::query();
    let queue = refused.map(|kind| !matches!(kind, CauseKind::OldKernel | CauseKind::NotBuiltIn));
    let feature = |name, since, what, there| Feature {
        name,
        since,
        what,
        there,
    };
    let told = |name, since, what, there| feature(name, since, what, Some(there));
    let [flush, export, add] = [ZCRX_CTRL_FLUSH_RQ, ZCRX_CTRL_EXPORT, ZCRX_CTRL_ADD_AREA]
        .map(|operation| support.has_control(operation));
    vec![
        feature(
            "queue",
            "6.15",
            "zero-copy receive from a NIC's queue",
            queue,
        ),
        told("flush", "6.19", "flushing the refill ring", flush),
        told("export", "6.19", "one queue for several rings", export),
        told(
            "large_chunks",
            "7.0",
            "chunks larger than a page",
            support.has_large_chunks(),
        ),
        told(
            "no_device",
            "7.1",
            "any TCP socket, with one copy",
            support.has_no_device(),
        ),
        told(
            "notifications",
            "7.2",
            "notifications of copies and shortage",
            support.has_notifications(),
        ),
        told(
            "statistics",
            "7.2",
            "statistics of copies",
            support.has_statistics(),
        ),
        told("areas", "7.3", "several areas, added at any time", add),
    ]
}

impl Limits {
    fn read() -> Self {
        const NET_ADMIN: u32 = 12; // CAP_NET_ADMIN
        const IPC_LOCK: u32 = 14; // CAP_IPC_LOCK
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let effective = field(&status, "CapEff:").and_then(|set| u64::from_str_radix(set, 16).ok());
        let has = |capability: u32| effective.map(|set| set & (1 << capability) != 0);
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let locked = field(&limits, "Max locked memory").and_then(|bytes| match bytes {
            "unlimited" => Some(u64::MAX),
            bytes => bytes.parse().ok(),
        });
        Self {
            net_admin: has(NET_ADMIN),
            ipc_lock: has(IPC_LOCK),
            locked_memory: locked,
        }
    }
}

/// The first word after `name` in the line that starts with it.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()
}
