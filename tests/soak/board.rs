//! What all threads of a round know of its streams.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use super::plan::Plan;

/// Longer than anything takes that happens at all.
pub const LONG: Duration = Duration::from_secs(40);

/// A round, and how far it is.
#[derive(Debug)]
pub struct Board {
    pub plan: Plan,
    pub streams: Vec<Progress>,
    /// Counts whatever senders do: while it stands still they are stuck, or done.
    pub moves: AtomicU64,
    /// Whether the receiving side is done with it: then senders need wait for no answer.
    pub is_over: AtomicBool,
    /// Which stream comes from which port.
    ports: Mutex<HashMap<u16, usize>>,
    known: Condvar,
}

/// How far a stream is.
#[derive(Debug, Default)]
pub struct Progress {
    pub sent: AtomicU64,
    pub received: AtomicU64,
    pub accepted: AtomicBool,
    /// Whether it has ended on the receiving side.
    pub ended: AtomicBool,
    pub outcome: Mutex<Option<Sent>>,
}

/// How a stream went for its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    Whole,
    /// The receiver's count of bytes, as it was answered.
    Answered(u64),
    Reset,
    /// The receiver closed it too early.
    Broken(String),
}

impl Board {
    pub fn new(plan: Plan) -> Self {
        let streams = plan.streams.iter().map(|_| Progress::default());
        Self {
            streams: streams.collect(),
            plan,
            moves: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            ports: Mutex::default(),
            known: Condvar::new(),
        }
    }

    /// The time, see [`super::plan::Step::at`].
    pub fn time(&self) -> u64 {
        let streams = self.streams.iter().zip(&self.plan.streams);
        let bytes = streams.map(|(progress, plan)| {
            if progress.ended.load(Ordering::Relaxed) {
                plan.len
            } else {
                progress.received.load(Ordering::Relaxed)
            }
        });
        bytes.sum()
    }

    pub fn introduce(&self, port: u16, index: usize) {
        self.ports.lock().unwrap().insert(port, index);
        self.known.notify_all();
    }

    /// The stream that comes from `port`, which its sender makes known after it has connected.
    pub fn stream_from(&self, port: u16) -> usize {
        let ports = self.ports.lock().unwrap();
        let known = self
            .known
            .wait_timeout_while(ports, LONG, |ports| !ports.contains_key(&port));
        let (ports, _) = known.unwrap();
        *ports.get(&port).expect("a connection that nobody has made")
    }

    /// Waits until the senders have been stuck for a moment, but not for long.
    pub fn wait_until_stuck(&self) {
        let start = Instant::now();
        let (mut moves, mut since) = (u64::MAX, start);
        while since.elapsed() < Duration::from_millis(10)
            && start.elapsed() < Duration::from_secs(1)
        {
            let now = self.moves.load(Ordering::Relaxed);
            if now != moves {
                (moves, since) = (now, Instant::now());
            }
            std::thread::yield_now();
        }
    }

    /// Waits until all of these streams' senders are done.
    pub fn wait_for_senders(&self, started: usize) {
        let start = Instant::now();
        for (index, progress) in self.streams[..started].iter().enumerate() {
            while progress.outcome.lock().unwrap().is_none() {
                // That the other end was closed is told once; the card can have lost it.
                let is_over = start.elapsed() > Duration::from_secs(1);
                self.is_over.store(is_over, Ordering::Relaxed);
                assert!(
                    start.elapsed() < LONG,
                    "the sender of stream {index} never ended"
                );
                std::thread::yield_now();
            }
        }
    }
}
