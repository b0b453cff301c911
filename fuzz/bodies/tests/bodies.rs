//! Every target on its corpus and on random input. With `FUZZ_WRITE_CORPUS` set, the corpora are written anew.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use zcrx_fuzz_bodies::{Seed, Target, TARGETS};

/// How long each target gets random input.
const BUDGET: Duration = Duration::from_secs(2);

fn target(name: &str) -> &'static Target {
    TARGETS
        .iter()
        .find(|target| target.name == name)
        .expect("a target has that name")
}

fn corpus(target: &Target) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../corpus", target.name]
        .iter()
        .collect()
}

/// Numbers that look random, the same in every run (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// A seed with a few bytes changed, doubled or cut off; or noise.
    fn input(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        if self.below(4) == 0 {
            return (0..self.below(256)).map(|_| self.next() as u8).collect();
        }
        let mut bytes = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len() + 1);
            match self.below(4) {
                0 => bytes.truncate(at),
                1 => bytes.extend_from_within(at..),
                _ if at == bytes.len() => bytes.push(self.next() as u8),
                2 => bytes[at] = self.next() as u8,
                _ => bytes[at] ^= 1 << self.below(8),
            }
        }
        bytes.truncate(4096);
        bytes
    }
}

/// Says which input it was that broke a target, in hexadecimal.
struct Told<'a>(&'a str, &'a [u8]);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let hex: String = self.1.iter().map(|byte| format!("{byte:02x}")).collect();
            eprintln!("{} broke on {hex}", self.0);
        }
    }
}

fn write_corpus(target: &Target, seeds: &[Seed]) {
    let _ = fs::remove_dir_all(corpus(target));
    fs::create_dir_all(corpus(target)).unwrap();
    for (seed, bytes) in seeds {
        fs::write(corpus(target).join(seed), bytes).unwrap();
    }
}

fn check(name: &str) {
    let target = target(name);
    let seeds = (target.seeds)();
    if std::env::var_os("FUZZ_WRITE_CORPUS").is_some() {
        write_corpus(target, &seeds);
    }
    let mut inputs = Vec::new();
    for entry in fs::read_dir(corpus(target)).expect("a corpus") {
        let path = entry.unwrap().path();
        let seed = seeds.iter().find(|(seed, _)| path.ends_with(seed));
        let bytes = fs::read(&path).unwrap();
        let written = seed.is_some_and(|(_, seed)| *seed == bytes);
        assert!(
            written,
            "{path:?} is not what seeds() says: tests/fuzz --corpus"
        );
        inputs.push(bytes);
    }
    assert_eq!(
        inputs.len(),
        seeds.len(),
        "a seed is missing: tests/fuzz --corpus"
    );
    inputs.push(Vec::new());
    for bytes in &inputs {
        let _told = Told(name, bytes);
        (target.run)(bytes);
    }
    let (mut random, mut runs, begun) = (Random(1), 0_u64, Instant::now());
    while begun.elapsed() < BUDGET {
        for _ in 0..64 {
            let bytes = random.input(&inputs);
            let _told = Told(name, &bytes);
            (target.run)(&bytes);
        }
        runs += 64;
    }
    println!("{name}: {runs} random inputs");
}

macro_rules! tests {
    ($($(#[$cfg:meta])? $name:ident)*) => {
        $($(#[$cfg])? #[test] fn $name() { check(stringify!($name)); })*

        #[test]
        fn every_target_is_tested() {
            let names = [$($(#[$cfg])? stringify!($name)),*];
            assert!(TARGETS.iter().map(|target| target.name).eq(names));
        }
    };
}

tests! {
    areas
    completions
    #[cfg(feature = "headers")]
    headers
    netlink
    receive
    refill
    registration
    stream
}
