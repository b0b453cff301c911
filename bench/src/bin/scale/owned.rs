//! Owned chunks that other threads drop, and that their owner takes back.

use std::hint::black_box;
use std::sync::mpsc::{channel, Receiver, Sender};

use zcrx_bench::cpu::thread_seconds;
use zcrx_sys::zcrx::{OwnedChunk, Recycler};

use crate::rig::{Rig, BATCH};
use crate::{count, in_turns, print, Result};

/// Of one drain each; the same for any number of threads.
const BATCHES: usize = 2000;

pub fn run(rounds: usize) -> Result<()> {
    let counts = [1, 2, 4, 8];
    let mut owners = vec![Vec::new(); counts.len()];
    let droppers = in_turns(rounds, &counts, |threads| {
        let (dropper, owner) = cost(threads)?;
        let index = counts.iter().position(|&count| count == threads);
        owners[index.expect("one of them")].push(owner);
        Ok(dropper)
    })?;
    for ((&threads, droppers), owners) in counts.iter().zip(&droppers).zip(&owners) {
        let threads = count(threads, "thread");
        print(
            &format!("dropped by {threads}"),
            "CPU ns per chunk",
            droppers,
        );
        print(
            &format!("taken back from {threads}"),
            "CPU ns per chunk",
            owners,
        );
    }
    Ok(())
}

/// CPU nanoseconds of a chunk for those who drop it, and for its owner, who makes it an owned one and takes it
/// back.
fn cost(threads: usize) -> Result<(f64, f64)> {
    let mut rig = Rig::new(1, 1024, 1024)?;
    let mut recycler = rig.ifq.recycler(None)?;
    let chunks = (BATCHES * BATCH as usize) as f64;
    let (dropping, owning) = std::thread::scope(|scope| {
        let (mut senders, mut droppers) = (Vec::new(), Vec::new());
        for _ in 0..threads {
            let (give, take) = channel();
            senders.push(give);
            droppers.push(scope.spawn(move || drop_all(&take)));
        }
        let owning = own_all(&mut rig, &mut recycler, senders);
        let dropping = droppers
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        (dropping.sum::<f64>(), owning)
    });
    Ok((dropping * 1e9 / chunks, owning * 1e9 / chunks))
}

/// Gives each thread a batch, and takes all of them back, again and again.
fn own_all(rig: &mut Rig, recycler: &mut Recycler, senders: Vec<Sender<Vec<OwnedChunk>>>) -> f64 {
    let mut seconds = 0.0;
    for _ in 0..BATCHES / senders.len() {
        for sender in &senders {
            rig.post();
            let mut owned = Vec::with_capacity(BATCH as usize);
            let start = thread_seconds();
            rig.take(|chunk| owned.push(recycler.own(chunk).expect("the pool's own")));
            seconds += thread_seconds() - start;
            sender.send(owned).expect("the thread waits");
        }
        let mut left = senders.len() as u32 * BATCH;
        while left > 0 {
            let start = thread_seconds();
            let mut back = 0;
            while let Some(chunk) = (back < BATCH).then(|| recycler.next_returned()).flatten() {
                rig.ifq.recycle(chunk).expect("room");
                back += 1;
            }
            if back == 0 {
                std::thread::yield_now();
                continue;
            }
            rig.ifq.publish();
            seconds += thread_seconds() - start;
            assert_eq!(rig.refill(), back);
            left -= back;
        }
    }
    seconds
}

fn drop_all(take: &Receiver<Vec<OwnedChunk>>) -> f64 {
    let mut seconds = 0.0;
    while let Ok(mut chunks) = take.recv() {
        let start = thread_seconds();
        for chunk in chunks.drain(..) {
            black_box(chunk.len());
        }
        seconds += thread_seconds() - start;
    }
    seconds
}
