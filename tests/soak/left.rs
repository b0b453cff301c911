//! What the process has, by /proc: what a round leaves behind shows here.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use super::board::LONG;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Possessions {
    /// What each open descriptor is.
    descriptors: BTreeMap<String, usize>,
    /// Bytes mapped, by what they are of. The heap and the stack are left out, which only grow: memory for the
    /// kernel to write to lies in mappings of its own.
    mappings: BTreeMap<String, u64>,
    /// VmLck and VmPin: locked and pinned kilobytes.
    locked: Vec<String>,
    /// With those of the kernel's that work for its rings.
    threads: usize,
}

impl Possessions {
    pub fn now() -> Self {
        Self {
            descriptors: descriptors(),
            mappings: mappings(),
            locked: locked(),
            threads: fs::read_dir("/proc/self/task").unwrap().count(),
        }
    }

    /// What is to be there after each round: what was there before the first, and what was mapped once.
    pub fn after_warm_up(self) -> Self {
        let mappings = BTreeMap::new();
        let before = Self { mappings, ..self };
        let start = Instant::now();
        loop {
            let now = Self::now();
            let mappings = BTreeMap::new();
            if (Self {
                mappings,
                ..now.clone()
            }) == before
            {
                return now;
            }
            assert!(
                start.elapsed() < LONG,
                "the first rounds left something: {before:#?} {now:#?}"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until there is no more than this: the kernel tears rings down in its own time.
    pub fn wait_for(&self) {
        let start = Instant::now();
        while *self != Self::now() {
            if start.elapsed() > LONG {
                let left = Self::now();
                panic!("something is left.\nbefore: {self:#?}\nafter: {left:#?}");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn descriptors() -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir("/proc/self/fd").unwrap() {
        // The directory's own is gone by the time it is looked at.
        if let Ok(target) = fs::read_link(entry.unwrap().path()) {
            *all.entry(target.to_string_lossy().into_owned())
                .or_default() += 1;
        }
    }
    all.retain(|target, _| !target.ends_with("/fd"));
    all
}

fn mappings() -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for line in fs::read_to_string("/proc/self/maps").unwrap().lines() {
        let mut words = line.split_whitespace();
        let (start, end) = words.next().unwrap().split_once('-').unwrap();
        let address = |text| u64::from_str_radix(text, 16).unwrap();
        let what = words.nth(4).unwrap_or("anonymous");
        *all.entry(what.into()).or_default() += address(end) - address(start);
    }
    all.retain(|what: &String, _| what != "[heap]" && what != "[stack]");
    // The allocator of a sanitizer, which has a shadow of all memory, maps as it likes.
    if all.values().any(|&bytes: &u64| bytes > 1 << 40) {
        all.clear();
    }
    all
}

fn locked() -> Vec<String> {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let lines = status
        .lines()
        .filter(|line| line.starts_with("VmLck") || line.starts_with("VmPin"));
    lines.map(String::from).collect()
}
