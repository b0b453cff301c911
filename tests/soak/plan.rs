//! What a round does: a pure function of its seed and of what it receives over.

use zcrx_sys::ring::CqeLayout;

use super::card::CardAction;
use super::random::Random;

/// What a round receives over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    Buffers,
    NoDevice,
    Queue,
}

/// One receiver, from its making to its end, and all that befalls it meanwhile.
#[derive(Debug)]
pub struct Plan {
    pub seed: u64,
    pub over: Over,
    pub options: Options,
    pub streams: Vec<StreamPlan>,
    /// In order of time.
    pub steps: Vec<Step>,
}

/// How a receiver is made, and what it does with its chunks.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Of a chunk; a page, if it is not for the caller to say.
    pub chunk: u32,
    pub chunks: u64,
    /// Whether chunks of several pages are wanted, if they can be had.
    pub large: bool,
    /// How many times as long its memory may become.
    pub grow: u64,
    pub completion_entries: Option<u32>,
    pub refill_entries: Option<u32>,
    pub layout: Option<CqeLayout>,
    /// Whether the kernel allocates the refill ring.
    pub kernels_refill_region: bool,
    /// Chunks that waits gather.
    pub batch: Option<u32>,
    pub spin: bool,
    /// Chunks of 100 that are kept for a while, and that go to other threads.
    pub kept: u64,
    pub owned: u64,
    pub most_kept: u64,
}

/// A connection, and how the other end uses it.
#[derive(Clone, Copy, Debug)]
pub struct StreamPlan {
    /// When it connects, see [`Step::at`].
    pub at: u64,
    pub len: u64,
    /// Bytes that are written at a time.
    pub piece: u64,
    /// Whether these go out at once.
    pub no_delay: bool,
    pub close: Close,
    /// How much is asked for at a time.
    pub limit: Option<u64>,
    /// Which of the threads that share the receiver's instance gets it, if that one is there.
    pub partner: Option<usize>,
}

/// How the sender of a stream ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    Whole,
    /// It closes one direction and waits for an answer in the other.
    Half,
    Reset,
}

#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The time, which is bytes: all that were received, and those that streams which have ended left out. When
    /// nothing moves any more, the next step comes early.
    pub at: u64,
    pub action: Action,
}

#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// The receiver is left alone until the senders are stuck.
    Pause,
    /// Everything is kept, until the receiver starves.
    Hoard,
    /// Cancels one of the streams; and receives from it again, or closes it.
    Cancel { which: u64, again: bool },
    /// Stops accepting connections, and goes on with it.
    Relisten,
    /// Another receiver takes over all streams.
    Rebuild(Options),
    /// A thread begins to share the receiver's instance,
    Join(usize),
    /// ends, and its streams are taken over,
    Leave(usize),
    /// ends with everything in flight.
    Vanish(usize),
    /// The receiver ends with everything in flight, and the round with it.
    Drop,
    /// Something happens to the card.
    Card(CardAction),
}

/// Threads that can share a receiver's instance.
pub const PARTNERS: usize = 2;

impl Plan {
    pub fn new(seed: u64, over: Over, layouts: &[Option<CqeLayout>]) -> Self {
        let mut random = Random::for_purpose(seed, over as u64);
        let options = Options::new(&mut random, over, layouts);
        let streams = streams(&mut random, over);
        let total = 1 + streams.iter().map(|stream| stream.len).sum::<u64>();
        let mut steps = Vec::new();
        for _ in 0..random.between(2, 12) {
            let at = random.below(total);
            push_steps(&mut steps, &mut random, over, at, total, layouts);
        }
        if random.once_in(5) {
            let at = random.below(total);
            steps.retain(|step| step.at < at);
            if over == Over::Queue && random.once_in(2) {
                let action = Action::Card(CardAction::PullOut);
                steps.push(Step { at, action });
            }
            let action = Action::Drop;
            steps.push(Step { at, action });
        }
        steps.sort_by_key(|step| step.at);
        let mut plan = Self {
            seed,
            over,
            options,
            streams,
            steps,
        };
        if over == Over::Queue {
            plan.have_small_chunks();
        }
        plan
    }

    /// What the card did not place is copied, a page at a time, each into a chunk of its own: these are not to be
    /// large then, or they run out.
    fn have_small_chunks(&mut self) {
        let means_copies = |step: &Step| match step.action {
            Action::Card(action) => action.means_copies(),
            // What arrives while nobody has the queue.
            Action::Rebuild(_) => true,
            _ => false,
        };
        if !self.steps.iter().any(means_copies) {
            return;
        }
        let rebuilt = self
            .steps
            .iter_mut()
            .filter_map(|step| match &mut step.action {
                Action::Rebuild(options) => Some(options),
                _ => None,
            });
        for options in rebuilt.chain([&mut self.options]) {
            options.large = false;
        }
    }

    /// The number of a stream's bytes, see `common::piece`.
    pub fn stream_seed(&self, index: usize) -> u64 {
        (self.seed & 0xffff_ffff).wrapping_add(index as u64 * 7919)
    }
}

impl Options {
    fn new(random: &mut Random, over: Over, layouts: &[Option<CqeLayout>]) -> Self {
        let (chunk, chunks, grow) = match over {
            Over::Buffers => {
                let chunk = random.pick(&[64, 512, 4096, 16384, 102_400]);
                let in_a_page = (4096 / u64::from(chunk)).max(1);
                (chunk, in_a_page << random.between(1, 5), 1)
            }
            Over::NoDevice => (
                4096,
                random.pick(&[4, 8, 16, 64, 256]),
                random.pick(&[1, 1, 2, 5]),
            ),
            // More than all sockets can hold, unread or out of order: if that is all chunks, the packet that they
            // wait for finds none, however often it is sent.
            Over::Queue => (4096, 4096, random.pick(&[1, 1, 2])),
        };
        let owned = random.pick(&[0, 10, 50, 100]);
        Self {
            chunk,
            chunks,
            large: over == Over::Queue && random.once_in(5),
            grow,
            completion_entries: random.pick(&[None, None, Some(2), Some(4), Some(8), Some(64)]),
            refill_entries: random.pick(&[None, None, Some(1), Some(2), Some(4), Some(32)]),
            layout: random.pick(layouts),
            kernels_refill_region: random.once_in(3),
            batch: random.once_in(5).then(|| random.between(2, 16) as u32),
            spin: random.once_in(2),
            kept: random.pick(&[0, 0, 20, 100 - owned]).min(100 - owned),
            owned,
            most_kept: random.between(1, chunks),
        }
    }
}

fn streams(random: &mut Random, over: Over) -> Vec<StreamPlan> {
    let mut streams: Vec<StreamPlan> = Vec::new();
    let (mut begun, mut latest) = (0, 0);
    for _ in 0..random.between(1, 24) {
        let piece = random.pick(&[1, 7, 100, 1447, 1448, 4096, 5000, 65536]);
        let most = (piece * 500).min(1 << 19);
        // Some carry next to nothing, one in 16 nothing at all.
        let len = match random.below(16) {
            0 => 0,
            1..=5 => random.below(most.min(8192)),
            _ => random.below(most),
        };
        // Not later than the time at which all before have ended, which would never come.
        latest = random.between(latest, begun);
        begun += len;
        streams.push(StreamPlan {
            at: latest,
            len,
            piece,
            no_delay: random.once_in(2),
            close: random.pick(&[Close::Whole, Close::Half, Close::Half, Close::Reset]),
            limit: random
                .once_in(5)
                .then(|| random.between(1 + len / 20, 1 + len)),
            partner: (over != Over::Buffers && random.once_in(2))
                .then(|| random.below(PARTNERS as u64) as usize),
        });
    }
    streams
}

fn push_steps(
    steps: &mut Vec<Step>,
    random: &mut Random,
    over: Over,
    at: u64,
    total: u64,
    layouts: &[Option<CqeLayout>],
) {
    let mut push = |at, action| steps.push(Step { at, action });
    let later = at + random.below(total / 4 + 1);
    let partner = random.below(PARTNERS as u64) as usize;
    let kinds = match over {
        Over::Buffers => 6,
        Over::NoDevice => 9,
        Over::Queue => 18,
    };
    match random.below(kinds) {
        0 => push(at, Action::Pause),
        1 => push(at, Action::Hoard),
        2 | 3 => push(
            at,
            Action::Cancel {
                which: random.next(),
                again: random.once_in(2),
            },
        ),
        4 => push(at, Action::Relisten),
        5 => push(at, Action::Rebuild(Options::new(random, over, layouts))),
        6..=8 => {
            push(at, Action::Join(partner));
            if random.once_in(2) {
                push(later, Action::Vanish(partner));
            } else {
                push(later, Action::Leave(partner));
            }
        }
        _ => {
            for (late, action) in CardAction::some(random) {
                push(if late { later } else { at }, Action::Card(action));
            }
        }
    }
}
