//! What a completion does to the socket that it belongs to.

use libc::c_int;

use super::event::Event;
use super::receiver::Receiver;
use super::request::{Completion, End, Next, Pause};
use super::table::{Action, Phase, Role, Socket, SocketId, NOTIFIED, WAKER};
use crate::errno::Errno;
use crate::fd::Fd;
use crate::ring::{Cqe, MalformedCqe};
use crate::zcrx::Chunk;

impl Receiver {
    /// The next event among the completions that are there; `None` when all were dealt with.
    #[inline(always)] // a call would pass each chunk through memory
    pub fn next_event(&mut self) -> Option<Event> {
        while self.events.is_empty() {
            let Some(entry) = self.ring.next_completion() else {
                // All read: one store gives the slots of the whole drain back.
                if self.refresh() {
                    continue;
                }
                return None;
            };
            if let Ok(cqe) = &entry {
                if let Some((socket, chunk)) = self.take_bytes(cqe) {
                    return Some(Event::Data { socket, chunk });
                }
            }
            self.on_entry(entry);
        }
        self.events.pop_front()
    }

    /// Nearly all completions: bytes of a stream that goes on, and nothing else to see to. `None`, and nothing
    /// has happened, if this is another.
    #[inline(always)]
    fn take_bytes(&mut self, cqe: &Cqe) -> Option<(SocketId, Chunk)> {
        let socket = SocketId::from_user_data(cqe.user_data());
        let request = self.table.receiving(socket)?;
        if cqe.res() <= 0 || !cqe.more() || request.is_limited() {
            return None;
        }
        // SAFETY: the completion is that of a receive request which this receiver submitted, for its own pool on
        // its own ring (user_data names it); each is taken once: here, or if that fails in on_completion().
        let chunk = unsafe { self.pool.take(cqe) }.ok()?;
        request.on_bytes(chunk.len());
        self.count(&chunk);
        Some((socket, chunk))
    }

    /// Any entry at all. What it comes to is the next event.
    #[cold]
    #[inline(never)]
    fn on_entry(&mut self, entry: Result<Cqe, MalformedCqe>) {
        match entry {
            Ok(cqe) => {
                if let Some(event) = self.on_completion(&cqe) {
                    self.events.push_front(event);
                }
            }
            // The kernel posts none. Should it ever, the stream it belongs to has a hole: that one ends, as far
            // as the entry's user_data can be believed.
            Err(malformed) => {
                let id = SocketId::from_user_data(malformed.user_data);
                self.after(id, Next::Ended(End::Malformed), true);
            }
        }
    }

    #[inline]
    fn count(&mut self, chunk: &Chunk) {
        self.counters.chunks += 1;
        self.counters.bytes += u64::from(chunk.len());
        self.counters.outstanding += 1;
    }

    fn on_completion(&mut self, cqe: &Cqe) -> Option<Event> {
        let id = SocketId::from_user_data(cqe.user_data());
        let Some(socket) = self.table.get_mut(id) else {
            return self.on_other(cqe);
        };
        let ending = matches!(socket.phase, Phase::Ending(_));
        let request = match &mut socket.role {
            Role::Stream(request) => request,
            Role::Listener => return self.on_accept(id, cqe),
        };
        let outcome = request.on_completion(Completion {
            res: cqe.res(),
            more: cqe.more(),
            buffer: self.pool.is_carried_by(cqe),
        });
        let mut event = None;
        if outcome.buffer.is_some() {
            // SAFETY: the completion is that of a receive request which this receiver submitted, for
            // its own pool on its own ring (user_data names it); each is read once, here.
            match unsafe { self.pool.take(cqe) } {
                Ok(chunk) if chunk.len() == 0 || ending => self.return_unread(chunk),
                Ok(chunk) => {
                    self.count(&chunk);
                    event = Some(Event::Data { socket: id, chunk });
                }
                Err(_) => {
                    self.after(id, Next::Ended(End::Malformed), cqe.more());
                    return None;
                }
            }
        }
        if outcome.next != Next::Active {
            let next = match outcome.next {
                Next::Rearm(Pause::PoolDry) => self.when_dry(),
                next => next,
            };
            self.after(id, next, cqe.more());
        }
        event
    }

    /// A completion that is no socket's.
    #[cold]
    #[inline]
    fn on_other(&mut self, cqe: &Cqe) -> Option<Event> {
        match cqe.user_data() {
            NOTIFIED => return self.on_notification(cqe),
            WAKER if !cqe.more() => {
                if let Some(owned) = &mut self.owned {
                    owned.is_watched = false;
                }
            }
            _ => {}
        }
        None
    }

    #[inline]
    fn return_unread(&mut self, chunk: Chunk) {
        self.counters.outstanding += 1;
        self.recycle(chunk).expect("the pool takes its own chunk");
    }

    /// What follows when the kernel found no buffer to copy to.
    #[cold]
    #[inline]
    fn when_dry(&mut self) -> Next {
        if !self.pool.can_copy() {
            return Next::Ended(End::NotPlaced);
        }
        let returned = self.unflushed > 0 || self.pool.unconsumed() > 0;
        if !returned && self.grow() {
            return Next::Rearm(Pause::Interrupted);
        }
        Next::Rearm(Pause::PoolDry)
    }

    /// What follows a completion that was not simply data.
    #[cold]
    #[inline]
    fn after(&mut self, id: SocketId, next: Next, more: bool) {
        let Some(socket) = self.table.get_mut(id) else {
            return;
        };
        match socket.phase.after(next, more) {
            Action::Nothing => {}
            Action::Pause(pause) => {
                socket.phase = Phase::Paused(pause);
                match pause {
                    Pause::CqFull => self.counters.cq_full += 1,
                    Pause::PoolDry => self.counters.pool_dry += 1,
                    Pause::Interrupted => {}
                }
                let dry = pause == Pause::PoolDry;
                let list = if dry { &mut self.dry } else { &mut self.rearm };
                list.push(id);
            }
            Action::CancelAndEnd(end) => {
                socket.phase = Phase::Ending(end);
                self.cancel.push(id);
            }
            Action::End(end) => self.end(id, end),
        }
    }

    #[inline]
    pub(super) fn end(&mut self, id: SocketId, end: End) {
        if let Some(Socket { fd, .. }) = self.table.remove(id) {
            self.events.push_back(Event::Ended {
                socket: id,
                end,
                fd,
            });
        }
    }

    #[inline]
    fn on_accept(&mut self, id: SocketId, cqe: &Cqe) -> Option<Event> {
        // If it was the last: otherwise the listener goes on, whatever became of one connection.
        let next = match cqe.result() {
            Ok(_) => Next::Rearm(Pause::Interrupted),
            Err(Errno::CANCELED) => Next::Ended(End::Cancelled),
            // What befell one connection, or its network, is not the listener's end: accept(2).
            Err(
                Errno::INTR
                | Errno::AGAIN
                | Errno::CONNABORTED
                | Errno::PROTO
                | Errno::NETDOWN
                | Errno::NETUNREACH
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH,
            ) => Next::Rearm(Pause::Interrupted),
            // No descriptor or memory is left just now: tried again a little later.
            Err(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS) => {
                Next::Rearm(Pause::PoolDry)
            }
            Err(errno) => Next::Ended(End::Failed(errno)),
        };
        let ending = matches!(self.table.get(id)?.phase, Phase::Ending(_));
        if !cqe.more() {
            self.after(id, next, false);
        }
        let fd = cqe.result().ok()?;
        // SAFETY: an accept completion gives a new descriptor that belongs to whoever reads it, and each
        // completion is read once.
        let connection = unsafe { Fd::from_raw(fd as c_int) };
        (!ending).then_some(Event::Accepted {
            listener: id,
            connection,
        })
    }
}

#[cfg(test)]
pub(super) mod tests;
