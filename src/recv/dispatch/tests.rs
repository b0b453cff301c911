//! The kernel's completions are made here: those of zero-copy receive by a twin, whose chunks the receiver returns.

mod accept;
mod bytes;

use core::ops::{Deref, DerefMut};
use core::time::Duration;
use std::vec::Vec;

use super::*;
use crate::recv::growth::Growth;
use crate::recv::pool::tests::instance_over_dmabuf;
use crate::recv::pool::Pool;
use crate::recv::receiver::Parts;
use crate::recv::request::{Operation, Request};
use crate::recv::source::Source;
use crate::ring::{CompletionQueue, CqeLayout, RingBuilder, Sqe};
use crate::twin::{CompletionTwin, InstanceTwin};
use crate::uapi::IORING_CQE_F_MORE;
use crate::zcrx::{Copies, Ifq, Notification, Support};

/// A receiver, and in the kernel's place what posts its completions.
pub(in crate::recv) struct Setup {
    receiver: Receiver,
    kernel: InstanceTwin,
    queue: CompletionQueue,
    posts: CompletionTwin,
}

impl Deref for Setup {
    type Target = Receiver;

    fn deref(&self) -> &Receiver {
        &self.receiver
    }
}

impl DerefMut for Setup {
    fn deref_mut(&mut self) -> &mut Receiver {
        &mut self.receiver
    }
}

impl Drop for Setup {
    /// The ring knows of none of the sockets, so that there is no end to wait for.
    fn drop(&mut self) {
        let ids: Vec<_> = self.table.iter_mut().map(|(id, _)| id).collect();
        for id in ids {
            self.table.remove(id);
        }
    }
}

/// A receiver over `ifq`. Its ring is a real one, to which nothing is submitted.
fn receiver(ifq: Ifq) -> Receiver {
    let parts = Parts {
        ring: RingBuilder::new(8).build().unwrap(),
        pool: Pool::Zcrx(ifq),
        source: Source::NoDevice,
        spin: Duration::ZERO,
        batch: None,
        growth: Growth::default(),
    };
    Receiver::new(parts, Vec::new(), &Support::default())
}

pub(in crate::recv) fn setup() -> Setup {
    let (kernel, ifq) = InstanceTwin::new(4, 8).unwrap();
    let mut posts = CompletionTwin::new(CqeLayout::Wide, 8, 0);
    Setup {
        receiver: receiver(ifq),
        kernel,
        // SAFETY: the twin is in the same value, and dropped after the queue; it keeps to the kernel's side.
        queue: unsafe { posts.queue() },
        posts,
    }
}

impl Setup {
    /// A socket, or a listener, whose request is in the kernel.
    fn active(&mut self, role: Role) -> SocketId {
        self.table.insert(Socket {
            fd: Fd::duplicate(2).unwrap(),
            role,
            phase: Phase::Active,
            looked_at: 0,
        })
    }

    fn stream(&mut self) -> SocketId {
        self.active(Role::Stream(Request::new(Operation::ZeroCopy, None)))
    }

    fn phase(&self, id: SocketId) -> Phase {
        self.table.get(id).unwrap().phase
    }

    /// What a packet makes the receiver say.
    fn packet(&mut self, id: SocketId, payload: &[u8]) -> Option<Event> {
        let posted = self
            .kernel
            .receive(&mut self.posts, id.user_data(), payload);
        assert_eq!(posted, Ok(()));
        let cqe = self.queue.drain().next().unwrap().unwrap();
        self.completion(&cqe)
    }

    /// What a completion makes the receiver say, in the order in which next_event() asks.
    fn completion(&mut self, cqe: &Cqe) -> Option<Event> {
        match self.take_bytes(cqe) {
            Some((socket, chunk)) => Some(Event::Data { socket, chunk }),
            None => self.on_completion(cqe),
        }
    }

    /// What the last completion of a request makes it say.
    fn terminal(&mut self, id: SocketId, res: c_int) -> Option<Event> {
        self.completion(&Cqe::narrow(id.user_data(), res, 0))
    }

    /// References that came back to the kernel.
    fn returned(&mut self) -> u32 {
        self.pool.publish();
        self.kernel.refill().returned
    }

    fn ended(&mut self) -> Option<(SocketId, End)> {
        match self.events.pop_front()? {
            Event::Ended { socket, end, .. } => Some((socket, end)),
            other => panic!("{other:?}"),
        }
    }
}

/// The chunk of an event that has one.
#[track_caller]
fn chunk(event: Option<Event>) -> Chunk {
    match event {
        Some(Event::Data { chunk, .. }) => chunk,
        other => panic!("{other:?}"),
    }
}

#[test]
fn data_is_handed_out_and_counted() {
    let mut own = setup();
    let [first, second] = [own.stream(), own.stream()];
    let mut held = Vec::new();
    for (socket, payload) in [(second, &b"two"[..]), (first, b"one"), (second, b"three")] {
        let Some(Event::Data { socket: of, chunk }) = own.packet(socket, payload) else {
            panic!("no data");
        };
        assert_eq!((of, own.bytes(&chunk)), (socket, payload));
        held.push(chunk);
    }
    let counters = own.counters();
    assert_eq!((counters.chunks, counters.bytes), (3, 11));
    assert_eq!(counters.outstanding, 3);
    for chunk in held {
        own.recycle(chunk).unwrap();
    }
    assert_eq!((own.counters().outstanding, own.returned()), (0, 3));
}

#[test]
fn what_comes_for_a_stream_with_a_hole_goes_back_unread() {
    let mut own = setup();
    let [whole, hole] = [own.stream(), own.stream()];
    let held = chunk(own.packet(whole, b"held"));
    // Bytes outside of the areas.
    let wild = Cqe::wide(hole.user_data(), 5, IORING_CQE_F_MORE, [9 << 48, 0]);
    assert!(own.completion(&wild).is_none());
    assert_eq!(own.phase(hole), Phase::Ending(End::Malformed));
    assert_eq!(own.cancel, [hole]);
    assert!(own.packet(hole, b"late").is_none());
    let counters = own.counters();
    assert_eq!((counters.chunks, counters.outstanding), (1, 1));
    assert_eq!(own.returned(), 1);
    assert!(own.terminal(hole, -libc::ECANCELED).is_none());
    assert_eq!(own.ended(), Some((hole, End::Malformed)));
    assert_eq!((own.ended(), own.phase(whole)), (None, Phase::Active));
    own.recycle(held).unwrap();
}

#[test]
fn a_stream_ends_once_and_says_how() {
    let mut own = setup();
    for (res, end) in [
        (0, End::Eof),
        (-libc::ECONNRESET, End::Failed(Errno::CONNRESET)),
    ] {
        let id = own.stream();
        assert!(own.terminal(id, res).is_none());
        assert_eq!((own.ended(), own.ended()), (Some((id, end)), None));
        assert!(own.terminal(id, res).is_none());
        assert_eq!((own.ended(), own.sockets()), (None, 0));
    }
}

#[test]
fn a_pause_is_counted_and_waits_for_what_it_lacks() {
    let mut own = setup();
    let [full, dry, broken] = [own.stream(), own.stream(), own.stream()];
    for (id, res) in [
        (full, libc::ENOSPC),
        (dry, libc::ENOMEM),
        (broken, libc::EINTR),
    ] {
        assert!(own.terminal(id, -res).is_none());
    }
    let counters = own.counters();
    assert_eq!((counters.cq_full, counters.pool_dry), (1, 1));
    assert_eq!(
        (&own.rearm[..], &own.dry[..]),
        (&[full, broken][..], &[dry][..])
    );
    assert_eq!(own.phase(full), Phase::Paused(Pause::CqFull));
    assert_eq!(own.phase(dry), Phase::Paused(Pause::PoolDry));
    assert_eq!(own.phase(broken), Phase::Paused(Pause::Interrupted));
    assert_eq!(own.ended(), None);
}

/// Growing fails here, because there is no kernel, and is told of.
#[test]
fn memory_grows_only_if_nothing_comes_back() {
    let attempts = |prepare: fn(&mut Setup)| {
        let mut own = setup();
        own.growth = Growth {
            limit: u64::MAX,
            step: 4096,
            ..Growth::default()
        };
        prepare(&mut own);
        let id = own.stream();
        assert!(own.terminal(id, -libc::ENOMEM).is_none());
        assert_eq!(own.dry, [id]);
        own.fallbacks().len()
    };
    assert_eq!(attempts(|_| {}), 1);
    let published = |own: &mut Setup| {
        let id = own.stream();
        let chunk = chunk(own.packet(id, b"back"));
        own.recycle(chunk).unwrap();
        own.pool.publish();
        own.unflushed = 0;
    };
    assert_eq!(attempts(published), 0, "the kernel has not taken it yet");
    assert_eq!(attempts(|own| own.unflushed = 1), 0, "not published yet");
}

/// The NIC's own buffers are all there is: to wait for one would be for ever.
#[test]
fn what_cannot_be_copied_anywhere_ends_the_stream() {
    let mut own = setup();
    own.pool = Pool::Zcrx(instance_over_dmabuf(Copies::default()));
    let id = own.stream();
    assert!(own.terminal(id, -libc::ENOMEM).is_none());
    assert_eq!(own.ended(), Some((id, End::NotPlaced)));
}

#[test]
fn notifications_are_passed_on() {
    let mut own = setup();
    let event = own.completion(&Cqe::narrow(NOTIFIED, 0, 0));
    assert!(matches!(
        event,
        Some(Event::Notified(Notification::AllocFailed))
    ));
    assert_eq!(own.counters().alloc_failures, 1);
    let nobody = own.completion(&Cqe::narrow(super::super::table::NOBODY, 0, 0));
    assert!(nobody.is_none());
    assert_eq!(own.counters().alloc_failures, 1);
}

#[test]
fn the_watch_for_owned_chunks_is_known_to_be_over() {
    let mut own = setup();
    let id = own.stream();
    let chunk = chunk(own.packet(id, b"mine"));
    let owned = own.own(chunk).unwrap();
    let watched = |own: &mut Setup, user_data, flags| {
        own.owned.as_mut().unwrap().is_watched = true;
        let completion = Cqe::narrow(user_data, 1, flags);
        assert!(own.completion(&completion).is_none());
        own.owned.as_ref().unwrap().is_watched
    };
    assert!(watched(&mut own, WAKER, IORING_CQE_F_MORE));
    assert!(!watched(&mut own, WAKER, 0));
    assert!(watched(&mut own, super::super::table::NOBODY, 0));
    drop(owned);
}

/// Through the ring: a completion that says 0 is the end of a stream.
#[test]
fn what_the_ring_holds_is_told_until_there_is_no_more() {
    let mut own = setup();
    let ids = [own.stream(), own.stream()];
    for id in ids {
        own.ring.push(Sqe::nop().user_data(id.user_data())).unwrap();
    }
    let _ = own
        .ring
        .submit_and_wait_for(2, Duration::from_secs(5))
        .unwrap();
    for id in ids {
        let event = own.next_event();
        assert!(matches!(event, Some(Event::Ended { socket, .. }) if socket == id));
    }
    assert!(own.next_event().is_none());
}
