//! A process for each test, so that what it has can be counted; and the rounds that it runs.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::mpsc::{channel, Sender};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use zcrx_sys::recv::{Receiver, Source};
use zcrx_sys::ring::{mixed_completions_are_sound, CqeLayout};

use super::card::Card;
use super::common::{self, nic};
use super::keeper::{self, Kept};
use super::left::Possessions;
use super::locked;
use super::partner::Partner;
use super::peer;
use super::plan::{Over, Plan, PARTNERS};
use super::random::Random;
use super::round::{self, Crew};

/// Set in the process that a test makes of itself.
const CHILD: &str = "ZCRX_SOAK_CHILD";
/// Rounds before the first count settle what a process maps once.
const WARM_UP: [u64; 2] = [1001, 1003];
/// Seeds that are always run.
const SAME: [u64; 2] = [1, 2];
/// How long others are, if nobody says.
const SECONDS: u64 = 3;

/// Runs rounds over `over`, in a process of their own; `test` is the caller's name.
pub fn soak(test: &str, over: Over) {
    if std::env::var_os(CHILD).is_some() {
        return rounds(test, over);
    }
    // What is locked and pinned is counted by user: one at a time.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(|failed| failed.into_inner());
    if !is_here(over) {
        return;
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        // Memory that is allocated lies in the heap, and mappings are what somebody has mapped.
        .env("MALLOC_ARENA_MAX", "1")
        .env("MALLOC_MMAP_MAX_", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let output = child.unwrap().wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}: {said}", output.status);
}

/// Whether the kernel has it; says so if not.
fn is_here(over: Over) -> bool {
    match over {
        Over::Buffers => common::receiver(Receiver::builder(), Source::Buffers).is_some(),
        Over::NoDevice => common::receiver(Receiver::builder(), Source::NoDevice).is_some(),
        Over::Queue => nic::Nic::claim().is_some(),
    }
}

fn rounds(test: &str, over: Over) {
    let crew = Crew::start(over);
    if over != Over::Buffers {
        locked::count_what_is_locked();
    }
    let layouts = layouts();
    let round = |seed, before: Option<&Possessions>| {
        let plan = Plan::new(seed, over, &layouts);
        let text = plan.to_string();
        let _told = ToldIfFailed { test, seed, text };
        let bytes = round::run(plan, &crew);
        if let Some(before) = before {
            before.wait_for();
        }
        bytes
    };
    let start = Possessions::now();
    for seed in WARM_UP {
        round(seed, None);
    }
    let before = start.after_warm_up();
    let room = locked_room(over, &before);

    let end = Instant::now() + Duration::from_secs(setting("ZCRX_SOAK_SECONDS").unwrap_or(SECONDS));
    let one = setting("ZCRX_SOAK_SEED");
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let mut others = Random::new(since.unwrap().as_nanos() as u64);
    let (mut seeds, mut bytes) = (Vec::new(), 0);
    while seeds.len() < one.map_or(SAME.len() + 1, |_| 1) || Instant::now() < end {
        let same = SAME.get(seeds.len()).copied();
        let seed = one.or(same).unwrap_or_else(|| others.next() >> 32);
        bytes += round(seed, Some(&before));
        seeds.push(seed);
    }
    assert_eq!(locked_room(over, &before), room, "pages that can be locked");
    if let Some(card) = &crew.card {
        card.put_back();
    }
    let (rounds, mib) = (seeds.len(), bytes >> 20);
    seeds.truncate(8);
    say(&format!(
        "{test}: {rounds} rounds, {mib} MiB, seeds {seeds:?}...\n"
    ));
}

/// How much can be locked, where areas are; afterwards there is as much again.
fn locked_room(over: Over, before: &Possessions) -> Option<usize> {
    let room = (over != Over::Buffers).then(locked::room);
    before.wait_for();
    room
}

/// Completion queues that this kernel's rings can have.
fn layouts() -> Vec<Option<CqeLayout>> {
    let mut layouts = vec![None, Some(CqeLayout::Wide)];
    if mixed_completions_are_sound() {
        layouts.push(Some(CqeLayout::Mixed));
    }
    layouts
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")),
    )
}

fn say(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

/// Tells a round's seed and plan if it fails.
struct ToldIfFailed<'a> {
    test: &'a str,
    seed: u64,
    text: String,
}

impl Drop for ToldIfFailed<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { test, seed, text } = self;
            say(&format!("{test} failed: ZCRX_SOAK_SEED={seed}, {text}\n"));
        }
    }
}

impl Crew {
    fn start(over: Over) -> Self {
        let (peer, orders) = channel();
        std::thread::spawn(move || {
            if over == Over::Queue {
                nic::enter_peer();
                // With retransmissions that come soon (see `Card`), a connection that its sender has closed would
                // be given up after some seconds without a free buffer.
                std::fs::write("/proc/sys/net/ipv4/tcp_orphan_retries", "14").unwrap();
            }
            peer::run(&orders);
        });
        let keepers: Vec<Sender<Kept>> = (0..2)
            .map(|_| {
                let (give, given) = channel();
                std::thread::spawn(move || keeper::run(&given));
                give
            })
            .collect();
        let partner = |_| Partner::start(keepers.clone());
        Self {
            partners: (0..PARTNERS).map(partner).collect(),
            peer,
            keepers,
            card: (over == Over::Queue).then(Card::start),
        }
    }
}
