//! The groups: what each measures, and how.

mod build;
mod counts;
mod loopback;
mod others;
mod pipelines;

use crate::bench::Bench;

pub struct Group {
    pub name: &'static str,
    pub about: &'static str,
    pub run: fn(&mut Bench),
}

pub const ALL: [Group; 7] = [
    Group {
        name: "counts",
        about: "instructions per completion, buffer, chunk and NOP, under callgrind (20 s)",
        run: counts::run,
    },
    Group {
        name: "nop",
        about: "time of NOPs through real rings (25 s)",
        run: pipelines::nop,
    },
    Group {
        name: "loopback",
        about: "TCP over loopback: rate, and CPU time of the receiver (90 s)",
        run: loopback::run,
    },
    Group {
        name: "refill-contended",
        about: "time to return a buffer while another processor takes them (5 s)",
        run: pipelines::refill_contended,
    },
    Group {
        name: "build",
        about: "clean release builds of a minimal program, and what they add to it (2 min)",
        run: build::run,
    },
    Group {
        name: "lab",
        about: "CPU time per GB over a network card of software, in a guest (5 min)",
        run: others::lab,
    },
    Group {
        name: "scale",
        about: "many sockets, areas, rings and threads",
        run: others::scale,
    },
];

/// The groups that were named; all if none was, unless there are results to report.
pub fn choose(names: &[String], only_report: bool) -> Result<Vec<&'static Group>, String> {
    if let Some(other) = names
        .iter()
        .find(|name| ALL.iter().all(|group| group.name != name.as_str()))
    {
        let all = ALL.map(|group| group.name).join(", ");
        return Err(format!("there is no group {other:?}; there are {all}"));
    }
    let is_chosen = |group: &&Group| match names {
        [] => !only_report,
        names => names.iter().any(|name| name == group.name),
    };
    Ok(ALL.iter().filter(is_chosen).collect())
}
