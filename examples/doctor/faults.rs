//! Known faults of kernels, as docs/SAFETY.md has them. All but one cannot be asked about, and go by the kernel's version.

use serde_json::{json, Value};

/// A kernel's version, such as 6.18.44.
pub type Version = (u32, u32, u32);

#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// A name for programs.
    pub name: &'static str,
    pub what: &'static str,
    /// The first kernel that had it.
    since: Version,
    /// The first of each series that does not; the last of these, and all that are newer.
    mended: &'static [Version],
    /// Whether this crate does without what is broken, or makes up for it.
    pub is_worked_around: bool,
}

const FAULTS: [Fault; 8] = [
    Fault {
        name: "CVE-2026-43121",
        what: "a buffer is freed twice, which overwrites memory of the kernel",
        since: (6, 15, 0),
        mended: &[(6, 18, 16), (6, 19, 6), (7, 0, 0)],
        is_worked_around: false,
    },
    Fault {
        name: "CVE-2026-43174",
        what: "memory of the kernel is freed too early",
        since: (6, 15, 0),
        mended: &[(6, 19, 6), (7, 0, 0)],
        is_worked_around: false,
    },
    Fault {
        name: "CVE-2026-43224",
        what: "memory is leaked",
        since: (6, 18, 0),
        mended: &[(6, 18, 16), (6, 19, 6), (7, 0, 0)],
        is_worked_around: false,
    },
    Fault {
        name: "CVE-2026-45995",
        what: "see its record",
        since: (6, 19, 0),
        mended: &[(7, 0, 4), (7, 1, 0)],
        is_worked_around: false,
    },
    Fault {
        name: REPEATED_COMPLETIONS,
        what: "mixed completions come twice",
        since: (6, 18, 0),
        mended: &[(7, 3, 3)],
        is_worked_around: true,
    },
    Fault {
        name: "wrong_offsets",
        what: "offsets past 4 GiB are wrong",
        since: (6, 15, 0),
        mended: &[(7, 3, 3)],
        is_worked_around: true,
    },
    Fault {
        name: "stalled_requests",
        what: "requests stall with data unread",
        since: (6, 15, 0),
        mended: &[(7, 3, 0)],
        is_worked_around: true,
    },
    Fault {
        name: "unseen_resets",
        what: "resets behind much data go unseen",
        since: (6, 15, 0),
        mended: &[],
        is_worked_around: true,
    },
];

const REPEATED_COMPLETIONS: &str = "repeated_completions";

impl Fault {
    fn is_in(&self, kernel: Version) -> bool {
        let series = |(major, minor, _): Version| (major, minor);
        let of_its_series = |mended: &&Version| series(**mended) == series(kernel);
        let from = self
            .mended
            .iter()
            .find(of_its_series)
            .or(self.mended.last());
        kernel >= self.since && from.map_or(true, |&mended| kernel < mended)
    }

    /// Where it is mended; empty if nowhere yet.
    pub fn remedy(&self) -> String {
        let version = |&(major, minor, patch): &Version| match patch {
            0 => format!("{major}.{minor}"),
            patch => format!("{major}.{minor}.{patch}"),
        };
        let versions: Vec<_> = self.mended.iter().map(version).collect();
        versions.join(", ")
    }

    pub fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "what": self.what,
            "mended_in": self.remedy(),
            "worked_around": self.is_worked_around,
        })
    }
}

/// The faults of a kernel that calls itself `release`. Of `repeats`, it was tried: whether its mixed completions come
/// twice.
pub fn of(release: &str, repeats: bool) -> Vec<Fault> {
    let kernel = version(release);
    let is_there = |fault: &Fault| match fault.name {
        REPEATED_COMPLETIONS => repeats && kernel >= fault.since,
        _ => fault.is_in(kernel),
    };
    FAULTS.into_iter().filter(is_there).collect()
}

/// The first three numbers of a release: 6.18.44-cloud is 6.18.44, and 7.4-rc1 is 7.4.0.
fn version(release: &str) -> Version {
    let numbers = release
        .split(|c: char| c != '.' && !c.is_ascii_digit())
        .next();
    let mut numbers = numbers
        .unwrap_or_default()
        .split('.')
        .map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next())
}
