//! Threads that look at owned chunks for a while, and drop them.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use zcrx_sys::zcrx::OwnedChunk;

use super::common;

/// Chunks that are kept at a time, the oldest of which goes first.
const MOST: usize = 8;

pub enum Kept {
    /// Bytes of the stream of that seed, from that position on.
    Chunk(u64, u64, OwnedChunk),
    /// From now on all are kept, until they are to be let go.
    Everything,
    /// Lets all go, and says that it has.
    Nothing(Option<Sender<()>>),
}

/// Keeps what it is given, until nobody can give anything.
pub fn run(given: &Receiver<Kept>) {
    let mut kept = std::collections::VecDeque::new();
    let mut everything = false;
    loop {
        match given.recv_timeout(Duration::from_millis(3)) {
            Ok(Kept::Chunk(seed, position, chunk)) => kept.push_back((seed, position, chunk)),
            Ok(Kept::Everything) => everything = true,
            Ok(Kept::Nothing(done)) => {
                kept.drain(..).for_each(check);
                everything = false;
                done.map_or(Ok(()), |done| done.send(())).unwrap();
            }
            // Somebody may be waiting for one of them.
            Err(RecvTimeoutError::Timeout) if !everything => kept.drain(..).for_each(check),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        while kept.len() > MOST && !everything {
            check(kept.pop_front().unwrap());
        }
    }
}

/// However long it was kept, and whatever has become of its receiver: its bytes are still right.
fn check((seed, position, chunk): (u64, u64, OwnedChunk)) {
    let right = common::is_piece(seed, position, &chunk);
    assert!(right, "an owned chunk's bytes are wrong at {position}");
}
