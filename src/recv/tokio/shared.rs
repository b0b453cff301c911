//! What a driver and its connections share. Nothing in here calls a waker, which is somebody else's code: that is done
//! when nothing is borrowed.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::mem;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use std::vec::Vec;

use super::watch::Watch;
use crate::error::{Attempt, Error, Reason};
use crate::fd::Fd;
use crate::recv::{Counters, End, Event, Receiver, Rejected, SocketId, Wait};
use crate::zcrx::OwnedChunk;

static ADD: Attempt = Attempt {
    what: "receive from a socket in a tokio runtime",
    arguments: &["descriptor"],
};

/// What a turn of the driver came to.
pub(super) enum Turn {
    /// Nobody is left to receive for.
    Over,
    /// Something happened.
    Busy,
    /// Nothing is there; to be looked at again after so long, even if nothing happens.
    Idle(Option<Duration>),
}

#[derive(Debug)]
pub(super) struct Shared {
    /// Until the driver's end.
    receiver: Option<Receiver>,
    /// Sockets are in it while they are in the receiver.
    watch: Watch,
    /// Those whose request is in the receiver, by [`SocketId::index`].
    streams: Vec<Option<(SocketId, Rc<RefCell<Stream>>)>>,
    /// Chunks in a queue that is full.
    limit: usize,
    /// Handles, those of connections among them.
    users: usize,
    /// Whether the receiver has something to submit, or nobody to receive for.
    due: bool,
    driver: Option<Waker>,
    /// To be called.
    wakers: Vec<Waker>,
}

/// One connection's.
#[derive(Debug)]
pub(super) struct Stream {
    queue: VecDeque<OwnedChunk>,
    state: State,
    waker: Option<Waker>,
}

#[derive(Debug)]
enum State {
    /// The receiver has it.
    Receiving(SocketId),
    /// As above, but its request was cancelled because the queue is full.
    Pausing(SocketId),
    /// Until there is room in the queue, of which more than half is taken.
    Paused(Fd),
    /// With what is still to be told.
    Ended(Option<End>),
}

impl Shared {
    pub(super) fn new(receiver: Receiver, watch: Watch) -> Self {
        Self {
            receiver: Some(receiver),
            watch,
            streams: Vec::new(),
            limit: 1,
            users: 0,
            due: false,
            driver: None,
            wakers: Vec::new(),
        }
    }

    pub(super) fn set_limit(&mut self, chunks: usize) {
        self.limit = chunks.max(1);
    }

    /// What a request asks for: once it was submitted, only the kernel's own count can hold it up at once. For all
    /// there is, the kernel goes on for as long as it finds more in the socket.
    fn limit_in_bytes(&self) -> u64 {
        let chunk = self.receiver.as_ref().map_or(1, |own| own.pool.chunk_len());
        (self.limit as u64).saturating_mul(u64::from(chunk))
    }

    pub(super) fn add_user(&mut self) {
        self.users += 1;
    }

    pub(super) fn remove_user(&mut self) {
        self.users -= 1;
        self.due |= self.users == 0;
    }

    pub(super) fn counters(&self) -> Option<Counters> {
        self.receiver.as_ref().map(Receiver::counters)
    }

    /// Wakes the driver if it has something to do.
    pub(super) fn wake_driver(shared: &RefCell<Self>) {
        let mut own = shared.borrow_mut();
        let waker = if own.due { own.driver.take() } else { None };
        drop(own);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Keeps the waker of the driver; answers the one before, to be dropped when nothing is borrowed.
    pub(super) fn set_driver(&mut self, waker: Waker) -> Option<Waker> {
        self.driver.replace(waker)
    }

    /// Whether the driver has something to do. If not, it is woken when it has.
    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    pub(super) fn forget_signals(&self) {
        self.watch.forget_signals();
    }

    pub(super) fn next_waker(&mut self) -> Option<Waker> {
        self.wakers.pop()
    }

    pub(super) fn add(&mut self, fd: Fd) -> Result<Rc<RefCell<Stream>>, Rejected> {
        let bytes = self.limit_in_bytes();
        let Some(receiver) = &mut self.receiver else {
            let (name, must) = ("driver", "be running");
            let reason = Reason::Argument { name, must };
            let error = Error::new(&ADD, [fd.as_raw() as u64], reason, &[]);
            return Err(Rejected { fd, error });
        };
        let id = receiver.add_limited(fd, bytes)?;
        let stream = Rc::new(RefCell::new(Stream {
            queue: VecDeque::new(),
            state: State::Receiving(id),
            waker: None,
        }));
        self.enter(id, Rc::clone(&stream));
        Ok(stream)
    }

    fn enter(&mut self, id: SocketId, stream: Rc<RefCell<Stream>>) {
        let fd = self.receiver.as_ref().and_then(|own| own.descriptor(id));
        // Without it, what comes is told of later, by the kernel's own signal.
        let _ = fd.map(|fd| self.watch.add(fd));
        let index = id.index();
        if self.streams.len() <= index {
            self.streams.resize_with(index + 1, || None);
        }
        self.streams[index] = Some((id, stream));
        self.due = true;
    }

    /// Submits a paused stream's request again, if its queue has room; whether it did.
    pub(super) fn resume(&mut self, stream: &Rc<RefCell<Stream>>) -> bool {
        let mut own = stream.borrow_mut();
        if !matches!(own.state, State::Paused(_)) || own.queue.len() > self.limit / 2 {
            return false;
        }
        let State::Paused(fd) = mem::replace(&mut own.state, State::Ended(Some(End::Cancelled)))
        else {
            return false;
        };
        let bytes = self.limit_in_bytes();
        let Some(receiver) = &mut self.receiver else {
            return false;
        };
        let id = receiver.insert_stream(fd, Some(bytes));
        own.state = State::Receiving(id);
        self.enter(id, Rc::clone(stream));
        true
    }

    /// Ends a stream that nobody wants any more. Its descriptor is closed now, or when the kernel has let go.
    pub(super) fn remove(&mut self, stream: &RefCell<Stream>) {
        let mut own = stream.borrow_mut();
        own.queue.clear();
        match mem::replace(&mut own.state, State::Ended(None)) {
            State::Receiving(id) | State::Pausing(id) => {
                self.streams[id.index()] = None;
                if let Some(receiver) = &mut self.receiver {
                    receiver.cancel(id);
                }
                self.due = true;
            }
            State::Paused(_) | State::Ended(_) => {}
        }
    }

    /// Gives the receiver up; connections end.
    pub(super) fn close(&mut self) -> Option<Receiver> {
        for (_, stream) in self.streams.drain(..).flatten() {
            let mut stream = stream.borrow_mut();
            stream.state = State::Ended(Some(End::Cancelled));
            self.wakers.extend(stream.waker.take());
        }
        self.receiver.take()
    }

    /// Whether the kernel has completions for the receiver, or work put off that makes some.
    pub(super) fn has_work(&self) -> bool {
        let Some(receiver) = &self.receiver else {
            return false;
        };
        let mut polled = libc::pollfd {
            fd: receiver.as_fd().as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one pollfd is read and written, a live, exclusively borrowed local; a timeout of 0 waits for nothing.
        let count = unsafe { libc::poll(&mut polled, 1, 0) };
        count != 0 // interrupted: not known
    }

    /// Submits what is to be submitted, and hands out what has come.
    pub(super) fn turn(&mut self) -> Result<Turn, Error> {
        self.due = false;
        let Some(receiver) = self.receiver.as_mut().filter(|_| self.users > 0) else {
            return Ok(Turn::Over);
        };
        let wait = receiver.wait(Some(Duration::ZERO))?;
        let mut events = 0;
        while let Some(event) = self.receiver.as_mut().and_then(Receiver::next_event) {
            self.on_event(event);
            events += 1;
        }
        Ok(match wait {
            Wait::TimedOut | Wait::Starved if events == 0 => {
                Turn::Idle(self.receiver.as_ref().and_then(Receiver::longest_nap))
            }
            _ => Turn::Busy,
        })
    }

    fn on_event(&mut self, event: Event) {
        let Some(receiver) = &mut self.receiver else {
            return;
        };
        match event {
            Event::Data { socket, chunk } => {
                let Some((_, stream)) = self.streams.get(socket.index()).and_then(Option::as_ref)
                else {
                    receiver
                        .recycle(chunk)
                        .expect("the pool takes its own chunk");
                    return;
                };
                let mut stream = stream.borrow_mut();
                let chunk = receiver
                    .own(chunk)
                    .expect("it is this receiver's, and one can be owned");
                stream.queue.push_back(chunk);
                if stream.queue.len() >= self.limit && matches!(stream.state, State::Receiving(_)) {
                    stream.state = State::Pausing(socket);
                    receiver.cancel(socket);
                }
                self.wakers.extend(stream.waker.take());
            }
            Event::Ended { socket, end, fd } => {
                self.watch.remove(fd.as_raw());
                self.on_end(socket, end, fd);
            }
            // There are no listeners, and nothing has to be done about notifications.
            _ => {}
        }
    }

    fn on_end(&mut self, socket: SocketId, end: End, fd: Fd) {
        // The place of one that nobody wanted any more may be another's by now.
        let Some(place) = self.streams.get_mut(socket.index()) else {
            return;
        };
        let Some((_, stream)) = place.take_if(|(id, _)| *id == socket) else {
            return;
        };
        let mut own = stream.borrow_mut();
        own.state = match (&own.state, end) {
            (State::Pausing(_), End::Cancelled) | (_, End::LimitReached) => State::Paused(fd),
            (_, End::Eof) => State::Ended(None),
            (_, end) => State::Ended(Some(end)),
        };
        self.wakers.extend(own.waker.take());
        drop(own);
        self.resume(&stream); // if the queue was read meanwhile
    }
}

impl Stream {
    pub(super) fn poll_next(
        &mut self,
        context: &Context<'_>,
    ) -> Poll<Option<Result<OwnedChunk, End>>> {
        if let Some(chunk) = self.queue.pop_front() {
            return Poll::Ready(Some(Ok(chunk)));
        }
        if let State::Ended(end) = &mut self.state {
            return Poll::Ready(end.take().map(Err));
        }
        let waker = context.waker();
        match &mut self.waker {
            Some(kept) => kept.clone_from(waker),
            None => self.waker = Some(waker.clone()),
        }
        Poll::Pending
    }
}
