//! The steps of a claim, and what may be behind the failure of each.

use std::vec::Vec;

use super::flow::Flow;
use crate::cause::{Cause, Diagnosis, Known};
use crate::errno::Errno;
use crate::error::{Attempt, Error, Reason};
use crate::zcrx::preflight;

/// A step of a claim, and what may be behind its failure.
pub(super) struct Step {
    attempt: Attempt,
    causes: &'static [Cause],
}

const fn step(what: &'static str, causes: &'static [Cause]) -> Step {
    let arguments = &["interface"];
    Step {
        attempt: Attempt { what, arguments },
        causes,
    }
}

pub(super) static LOCK: Step = step(
    "claim the interface",
    &[Cause {
        cause: "another claim has it",
        remedy: "end the process that has it",
    }],
);
pub(super) static OPEN: Step = step("read the interface's settings", &[]);
pub(super) static CHANNELS: Step = step(
    "set the interface's combined channels (ethtool -L)",
    &[Cause {
        cause: "the driver cannot have a receive queue more than are claimed",
        remedy: "claim fewer, or use another NIC",
    }],
);
pub(super) static HEADER_SPLIT: Step = step(
    "switch header split on, for packets of any length (ethtool -G)",
    &[Cause {
        cause: "the driver cannot split headers from data",
        remedy: "use a NIC whose driver has zero-copy receive",
    }],
);
pub(super) static RSS: Step = step(
    "have RSS send flows of others to other queues (ethtool -X)",
    &[Cause {
        cause: "the driver's RSS table cannot be set",
        remedy: "use another NIC",
    }],
);
pub(super) static NTUPLE: Step = step(
    "switch flow rules on (ethtool -K)",
    &[Cause {
        cause: "the driver has no flow rules",
        remedy: "use another NIC",
    }],
);
pub(super) static UNDO: Step = step(
    "take back what a claim has changed",
    &[Cause {
        cause: "a receiver has the queue",
        remedy: "drop it first, or end its process",
    }],
);
static RULE: Attempt = Attempt {
    what: "add a flow rule (ethtool -N)",
    arguments: &["interface", "port", "queue"],
};
pub(super) static LIST: Attempt = Attempt {
    what: "list the interfaces",
    arguments: &[],
};
static CLAIM: Attempt = Attempt {
    what: "claim a queue of the interface",
    arguments: &["interface"],
};
static RECORD: Attempt = Attempt {
    what: "record in a file what a claim changes",
    arguments: &["interface"],
};
static FLOWS: Attempt = Attempt {
    what: "claim a queue of the interface",
    arguments: &["flows"],
};

impl Step {
    /// The error of this step for what the kernel answered.
    pub(super) fn failed(&'static self, interface: u32) -> impl Fn(Errno) -> Error {
        move |errno| {
            let general = preflight::of_setting(errno);
            let diagnosis = general.unwrap_or(Diagnosis::Possible(self.causes));
            let reason = Reason::Kernel(errno);
            Error::diagnosed(&self.attempt, [interface.into()], reason, diagnosis)
        }
    }
}

/// The error of adding a rule for what the kernel answered.
pub(super) fn rule_failed(interface: u32, flow: Flow, queue: u32) -> impl Fn(Errno) -> Error {
    move |errno| {
        let causes: &'static [Cause] = match errno {
            Errno::EXIST => &[Cause {
                cause: "there is a rule for that flow",
                remedy: "see it (ethtool -n INTERFACE) and delete it (ethtool -N INTERFACE delete NUMBER)",
            }],
            Errno::NOSPC => &[Cause {
                cause: "the NIC's table of rules is full",
                remedy: "delete some (ethtool -N INTERFACE delete NUMBER)",
            }],
            _ => &[Cause {
                cause: "the driver has no such flow rules",
                remedy: "see what it says in the kernel's log (dmesg)",
            }],
        };
        let general = preflight::of_setting(errno);
        let diagnosis = general.unwrap_or(Diagnosis::Possible(causes));
        let arguments = [interface.into(), flow.port().into(), queue.into()];
        Error::diagnosed(&RULE, arguments, Reason::Kernel(errno), diagnosis)
    }
}

/// The error of writing the record for what the kernel answered.
pub(super) fn record_failed(interface: u32) -> impl Fn(Errno) -> Error {
    move |errno| {
        let causes: &'static [Cause] = match errno {
            Errno::EXIST => &[Cause {
                cause: "there is one already, of a claim whose owner was killed",
                remedy: "undo it first (nic::undo, or the example: doctor --undo)",
            }],
            _ => &[Cause {
                cause: "the file cannot be written there",
                remedy: "name another",
            }],
        };
        Error::new(&RECORD, [interface.into()], Reason::Kernel(errno), causes)
    }
}

/// The error for an interface that cannot have zero-copy receive.
pub(super) fn barred(interface: u32, known: &'static Known) -> Error {
    let reason = Reason::Unsupported("it cannot have zero-copy receive");
    let causes = core::slice::from_ref(&known.cause);
    Error::new(&CLAIM, [interface.into()], reason, causes)
}

/// Refuses flows that cannot be told apart by rules.
pub(super) fn check_flows(queues: &[Vec<Flow>]) -> Result<(), Error> {
    let flows = queues.concat();
    let twice = |(i, flow)| flows[..i].contains(flow);
    let must = match queues {
        [] => "be at least one",
        _ if queues.iter().any(Vec::is_empty) => "be at least one for each queue",
        _ if flows.iter().any(|flow| flow.port() == 0) => "have ports above 0",
        _ if flows.iter().enumerate().any(twice) => "differ from each other",
        _ => return Ok(()),
    };
    let reason = Reason::Argument {
        name: "flows",
        must,
    };
    Err(Error::new(&FLOWS, [flows.len() as u64], reason, &[]))
}
