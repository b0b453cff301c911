//! Several streams through one completion queue, one instance and one refill ring, in any order of packets,
//! drains, held and returned chunks, and pauses: every byte arrives once and in order, every chunk is returned
//! once, no request is forgotten, and at the end nothing is out.

use std::cell::RefCell;

use zcrx_sys::recv::{Completion, End, Next, Operation, Pause, Request};
use zcrx_sys::ring::{CompletionQueue, Cqe, CqeLayout};
use zcrx_sys::twin::{CompletionTwin, Dropped, InstanceTwin};
use zcrx_sys::zcrx::{Chunk, Ifq, NotData, Unreturned};
use zcrx_sys::Errno;

use crate::input::Input;
use crate::Seed;

const STREAMS: usize = 3;
/// Pages of each of the two areas, and entries of the refill ring: little, so that all of it runs out.
const PAGES: u32 = 3;
const REFILL_ENTRIES: u32 = 4;

/// One socket, as both sides see it.
#[derive(Clone, Copy)]
struct Stream {
    request: Request,
    /// The kernel has the request, or a last completion of it to post.
    in_kernel: bool,
    /// A last completion that waits for a slot.
    last: Option<i32>,
    /// Whether the receiver waits for the kernel.
    waiting: bool,
    sent: u64,
    received: u64,
    ended: bool,
}

/// Most bytes of a packet.
const PACKET: usize = 4096;
/// After how many bytes a stream repeats itself: a prime, so that no two packets are easily alike.
const PERIOD: usize = 65_521;

/// Bytes that streams are cut from, for a period and a packet.
fn pattern() -> Vec<u8> {
    let byte = |at: usize| ((at % PERIOD * 0x9e37_79b1) >> 16) as u8;
    (0..PERIOD + PACKET).map(byte).collect()
}

/// `len` bytes of a stream, from byte `at` on.
fn cut(pattern: &[u8], stream: usize, at: u64, len: usize) -> &[u8] {
    &pattern[(at as usize + stream * 20_000) % PERIOD..][..len]
}

struct World<'a> {
    pattern: &'a [u8],
    kernel: &'a mut InstanceTwin,
    ifq: &'a mut Ifq,
    posts: CompletionTwin,
    streams: [Stream; STREAMS],
    held: Vec<Chunk>,
    returned: u64,
    delivered: u64,
}

impl World<'_> {
    /// The kernel gets a packet for a stream, which has it deliver that, or end the request.
    fn packet(&mut self, id: usize, len: usize) {
        let stream = &mut self.streams[id];
        if !stream.in_kernel || stream.last.is_some() {
            return;
        }
        let payload = cut(self.pattern, id, stream.sent, len);
        match self.kernel.receive(&mut self.posts, id as u64, payload) {
            Ok(()) => {
                stream.sent += len as u64;
                self.delivered += 1;
            }
            Err(Dropped::NoChunk) => stream.last = Some(-Errno::NOMEM.raw()),
            Err(Dropped::NoSlot) => stream.last = Some(-Errno::NOSPC.raw()),
        }
    }

    /// The kernel posts the last completions that wait for a slot.
    fn overflow(&mut self) {
        for (id, stream) in self.streams.iter_mut().enumerate() {
            let posted = stream
                .last
                .is_some_and(|res| self.posts.post(id as u64, res, 0, None));
            if posted {
                (stream.last, stream.in_kernel) = (None, false);
            }
        }
    }

    fn on_completion(&mut self, cqe: &Cqe) {
        let id = cqe.user_data() as usize;
        let stream = &mut self.streams[id];
        assert!(stream.waiting, "a completion of no request");
        // SAFETY: the twin posts completions of this instance alone, and each is read once.
        let taken = unsafe { self.ifq.take(cqe) };
        let outcome = stream.request.on_completion(Completion {
            res: cqe.res(),
            more: cqe.more(),
            buffer: cqe.extra().is_some(),
        });
        match (taken, outcome.buffer) {
            (Ok(chunk), Some(len)) => {
                assert_eq!(len, chunk.len());
                let expected = cut(self.pattern, id, stream.received, len as usize);
                assert!(
                    self.ifq.bytes(&chunk) == expected,
                    "stream {id} at {}",
                    stream.received
                );
                stream.received += u64::from(len);
                self.held.push(chunk);
            }
            (Err(NotData::Terminal), None) => {}
            (taken, buffer) => panic!("{taken:?}, {buffer:?}"),
        }
        match outcome.next {
            Next::Active => assert!(cqe.more()),
            Next::Rearm(pause) => {
                assert!(matches!(pause, Pause::CqFull | Pause::PoolDry));
                stream.waiting = false;
            }
            Next::Ended(end) => {
                assert_eq!((end, stream.received), (End::Eof, stream.sent));
                (stream.waiting, stream.ended) = (false, true);
            }
        }
    }

    fn drain(&mut self, queue: &mut CompletionQueue, most: usize) {
        let read: Vec<_> = queue.drain().take(most).collect();
        assert!(!queue.is_broken());
        for cqe in read {
            self.on_completion(&cqe.expect("the kernel posts no malformed entry"));
        }
    }

    /// Submits what waits to be.
    fn submit(&mut self) {
        for stream in &mut self.streams {
            if !stream.waiting && !stream.ended {
                assert!(!stream.in_kernel, "one request at a time");
                assert_eq!(stream.request.arm(), 0);
                (stream.waiting, stream.in_kernel) = (true, true);
            }
        }
    }

    /// Returns one of the chunks held.
    fn recycle(&mut self, which: usize) {
        if self.held.is_empty() {
            return;
        }
        let chunk = self.held.swap_remove(which % self.held.len());
        match self.ifq.recycle(chunk) {
            Ok(()) => self.returned += 1,
            Err(Unreturned::Full(chunk)) => self.held.push(chunk),
            Err(other) => panic!("{other:?}"),
        }
    }

    fn refill(&mut self) {
        let refilled = self.kernel.refill();
        assert_eq!((refilled.excess, refilled.malformed), (0, 0));
        assert!(u64::from(refilled.returned) <= self.returned);
        let held = self.held.len() as u64;
        assert!(
            self.kernel.outstanding() >= held,
            "a chunk that is held was given away"
        );
    }

    /// All streams end, and all chunks go home.
    fn finish(&mut self, queue: &mut CompletionQueue) {
        for _ in 0..64 {
            if self.streams.iter().all(|stream| stream.ended) {
                break;
            }
            for stream in &mut self.streams {
                let idle = stream.in_kernel && stream.last.is_none();
                stream.last = if idle { Some(0) } else { stream.last };
            }
            self.overflow();
            self.drain(queue, usize::MAX);
            self.submit();
        }
        assert!(
            self.streams.iter().all(|stream| stream.ended),
            "a request was forgotten"
        );
        // A chunk that finds the ring full goes back the next time.
        for _ in 0..2 * self.held.len() {
            self.recycle(0);
            self.ifq.publish();
            self.refill();
        }
        assert!(self.held.is_empty(), "the ring stays full");
        self.ifq.publish();
        self.refill();
        assert_eq!(
            (self.kernel.outstanding(), self.returned),
            (0, self.delivered)
        );
    }
}

/// Made once, because it takes system calls. Each input leaves all chunks free.
type Instance = (InstanceTwin, Ifq, Vec<u8>);

fn instance() -> Instance {
    let (mut kernel, ifq) = InstanceTwin::new(PAGES, REFILL_ENTRIES).expect("memory");
    kernel.add_area(&ifq, PAGES).expect("memory");
    (kernel, ifq, pattern())
}

pub fn run(bytes: &[u8]) {
    thread_local!(static INSTANCE: RefCell<Instance> = RefCell::new(instance()));
    INSTANCE.with(|instance| on(&mut instance.borrow_mut(), bytes));
}

fn on((kernel, ifq, pattern): &mut Instance, bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let layout = [CqeLayout::Mixed, CqeLayout::Wide][usize::from(input.below(2))];
    let entries = 2 << input.below(4);
    let mut world = World {
        pattern,
        kernel,
        ifq,
        posts: CompletionTwin::new(layout, entries, u32::MAX - u32::from(input.u8())),
        streams: [Stream {
            request: Request::new(Operation::ZeroCopy, None),
            in_kernel: false,
            last: None,
            waiting: false,
            sent: 0,
            received: 0,
            ended: false,
        }; STREAMS],
        held: Vec::new(),
        returned: 0,
        delivered: 0,
    };
    // SAFETY: the twin, whose words and slots lie on the heap, outlives the queue and keeps to its side.
    let mut queue = unsafe { world.posts.queue() };
    while !input.is_empty() {
        let operation = input.u8();
        let number = usize::from(operation >> 3);
        match operation & 7 {
            0 => world.packet(number % STREAMS, 1 + number),
            1 => world.packet(number % STREAMS, 1 + usize::from(input.u16()) % PACKET),
            2 => world.overflow(),
            3 => world.drain(&mut queue, if number < 16 { number } else { usize::MAX }),
            4 => world.submit(),
            5 => world.recycle(number),
            6 => world.ifq.publish(),
            _ => world.refill(),
        }
    }
    world.finish(&mut queue);
}

pub fn seeds() -> Vec<Seed> {
    let packet = |id: u8, len: u16| {
        let [low, high] = (len - 1).to_le_bytes();
        vec![id << 3 | 1, low, high]
    };
    let (overflow, drain, submit, publish, refill) =
        (vec![2], vec![0xfb], vec![4], vec![6], vec![7]);
    let recycle = |n: u8| vec![n << 3 | 5];
    let round = [packet(0, 9), packet(1, 4096), packet(2, 100), drain.clone()].concat();
    let home = [
        recycle(1),
        recycle(0),
        recycle(0),
        publish.clone(),
        refill.clone(),
    ]
    .concat();
    let lap = [
        round.clone(),
        home.clone(),
        overflow.clone(),
        submit.clone(),
    ]
    .concat();
    let all = |layout: u8, rest: &[&[u8]]| [&[layout, 2, 3][..], &rest.concat()].concat();
    vec![
        ("laps", all(0, &[&submit, &lap, &lap, &lap, &lap])),
        ("wide", all(1, &[&submit, &lap, &lap])),
        (
            "dry",
            all(
                0,
                &[
                    &submit, &round, &round, &round, &overflow, &drain, &submit, &home, &lap,
                ],
            ),
        ),
        (
            "full",
            all(
                0,
                &[
                    &submit,
                    &packet(0, 1).repeat(6),
                    &overflow,
                    &drain,
                    &overflow,
                    &drain,
                    &submit,
                    &lap,
                ],
            ),
        ),
    ]
}
