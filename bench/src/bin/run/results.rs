//! What was measured, on which machine, and what was not and why.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};
use zcrx_bench::Measurement;

/// What is in the JSON file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Results {
    pub machine: Machine,
    pub measurements: Vec<Measurement>,
    pub missing: Vec<Missing>,
}

/// What the numbers depend on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub processor: String,
    pub processors: usize,
    pub kernel: String,
    pub rustc: String,
    pub cc: String,
    /// Of the rivals.
    pub liburing: String,
    pub io_uring_crate: String,
    pub tokio: String,
}

/// Something that could not be measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    pub group: String,
    /// Empty: all cases.
    pub case: String,
    /// Empty: everyone.
    pub subject: String,
    pub reason: String,
}

impl Results {
    pub fn of_this_machine() -> Self {
        Self {
            machine: Machine::this(),
            ..Self::default()
        }
    }

    pub fn read(file: &Path) -> Result<Self, String> {
        let text = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", file.display()))
    }

    /// Writes all of it, or leaves the file as it was.
    pub fn write(&self, file: &Path) -> Result<(), String> {
        let text = serde_json::to_string_pretty(self).expect("plain structs");
        let new = file.with_extension("json.new");
        fs::write(&new, text + "\n")
            .and_then(|()| fs::rename(&new, file))
            .map_err(|error| format!("{}: {error}", file.display()))
    }

    /// Adds a result, in the place of the same of an earlier run.
    pub fn add(&mut self, new: Measurement) {
        let is_same = |old: &Measurement| {
            (&old.group, &old.case, &old.subject, &old.unit)
                == (&new.group, &new.case, &new.subject, &new.unit)
        };
        self.missing
            .retain(|missing| !missing.is_about(&new.group, &new.case, &new.subject));
        match self.measurements.iter_mut().find(|old| is_same(old)) {
            Some(old) => *old = new,
            None => self.measurements.push(new),
        }
    }

    /// Notes what there is no result of.
    pub fn miss(&mut self, group: &str, case: &str, subject: &str, reason: &str) {
        let missing = Missing {
            group: group.into(),
            case: case.into(),
            subject: subject.into(),
            reason: reason.into(),
        };
        let is_same = |old: &Missing| {
            (&old.group, &old.case, &old.subject)
                == (&missing.group, &missing.case, &missing.subject)
        };
        self.missing.retain(|old| !is_same(old));
        self.missing.push(missing);
    }
}

impl Missing {
    pub fn is_about(&self, group: &str, case: &str, subject: &str) -> bool {
        let covers = |what: &str, is: &str| what.is_empty() || what == is;
        self.group == group && covers(&self.case, case) && covers(&self.subject, subject)
    }
}

impl Machine {
    /// Whether it is the machine that this runs on.
    pub fn is_this(&self) -> bool {
        // The version of liburing is known only after its programs were built.
        let liburing = self.liburing.clone();
        *self
            == Self {
                liburing,
                ..Self::this()
            }
    }

    fn this() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
        Self {
            processor: model
                .and_then(|line| Some(line.split_once(':')?.1.trim().to_string()))
                .unwrap_or_default(),
            processors: zcrx_bench::cpu::allowed().len(),
            kernel: version(&first_line("uname", &["-r"])),
            rustc: first_line("rustc", &["--version"]),
            cc: first_line("cc", &["--version"]),
            liburing: String::new(),
            io_uring_crate: locked("io-uring"),
            tokio: locked("tokio"),
        }
    }
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&output);
    text.lines().next().unwrap_or_default().to_string()
}

/// A release without what its builder adds.
fn version(release: &str) -> String {
    release.split('-').next().unwrap_or_default().into()
}

/// The version that the lock file has of a crate.
fn locked(name: &str) -> String {
    let lock = include_str!("../../../Cargo.lock");
    let entry = format!("name = \"{name}\"\nversion = \"");
    let version = lock.split_once(&entry).map(|(_, rest)| rest);
    let version = version.and_then(|rest| rest.split('"').next());
    version.unwrap_or_default().to_string()
}
