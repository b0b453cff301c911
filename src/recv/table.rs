//! The table of sockets that a receiver drives, and the `user_data` by which completions find them.

use alloc::vec::Vec;

use super::request::{End, Next, Pause, Request};
use crate::fd::Fd;

/// Names a socket or listener of one [`Receiver`](super::Receiver). Never reused for another.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SocketId {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

impl core::fmt::Debug for SocketId {
    #[inline]
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

impl SocketId {
    /// A small number that no other socket of the receiver has at the same time: an index for the
    /// caller's own table.
    #[inline]
    pub fn index(self) -> usize {
        self.slot as usize
    }

    #[inline]
    pub(super) fn user_data(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }

    #[inline]
    pub(super) fn from_user_data(user_data: u64) -> Self {
        Self {
            slot: user_data as u32,
            generation: (user_data >> 32) as u32,
        }
    }
}

/// What a slot of the table does.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) fd: Fd,
    pub(super) role: Role,
    pub(super) phase: Phase,
    /// Bytes received when it was last seen not to have stalled.
    pub(super) looked_at: u64,
}

#[derive(Debug)]
pub(super) enum Role {
    Stream(Request),
    Listener,
}

/// Where a socket's request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// In the kernel: completions will come.
    Active,
    /// Left the kernel, waits to be submitted again.
    Paused(Pause),
    /// In the kernel, cancelled by the caller: whatever ends it, it is not submitted again.
    Cancelling,
    /// In the kernel, cancelled in order to be submitted again.
    Restarting,
    /// In the kernel, cancelled because it cannot go on: ends like this once the kernel has let go.
    Ending(End),
}

/// What a completion makes of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Nothing,
    Pause(Pause),
    /// Cancel it, and end it like this when the kernel has let go.
    CancelAndEnd(End),
    End(End),
}

impl Phase {
    /// Whether the kernel has a request of the socket's.
    #[inline]
    pub(super) fn is_in_kernel(self) -> bool {
        !matches!(self, Self::Paused(_))
    }

    /// What follows a completion that means `next`; `more` if the kernel will post others.
    #[inline]
    pub(super) fn after(self, next: Next, more: bool) -> Action {
        match (self, next) {
            (Self::Ending(_), _) if more => Action::Nothing,
            (Self::Ending(end), _) => Action::End(end),
            // The cancellation and the pause crossed: the caller wants no more of it.
            (Self::Cancelling, Next::Rearm(_)) => Action::End(End::Cancelled),
            (Self::Restarting, Next::Ended(End::Cancelled)) => Action::Pause(Pause::Interrupted),
            (_, Next::Active) => Action::Nothing,
            (_, Next::Rearm(pause)) => Action::Pause(pause),
            (phase, Next::Ended(end)) if more && phase.is_in_kernel() => Action::CancelAndEnd(end),
            (_, Next::Ended(end)) => Action::End(end),
        }
    }
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    socket: Option<Socket>,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Table {
    /// Generations that a slot goes through before it is retired, so that no id ever comes twice. The
    /// top value is left out: with it a `user_data` could be [`NOBODY`], [`WAKER`] or [`NOTIFIED`].
    const LAST_GENERATION: u32 = u32::MAX - 1;

    #[inline]
    pub(super) fn insert(&mut self, socket: Socket) -> SocketId {
        if let Some(slot) = self.free.pop() {
            let at = &mut self.slots[slot as usize];
            at.generation += 1;
            at.socket = Some(socket);
            return SocketId {
                slot,
                generation: at.generation,
            };
        }
        self.slots.push(Slot {
            generation: 0,
            socket: Some(socket),
        });
        // A descriptor per slot: there are fewer than 2³¹.
        SocketId {
            slot: (self.slots.len() - 1) as u32,
            generation: 0,
        }
    }

    #[inline]
    pub(super) fn get(&self, id: SocketId) -> Option<&Socket> {
        let slot = self.slots.get(id.slot as usize)?;
        slot.socket
            .as_ref()
            .filter(|_| slot.generation == id.generation)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: SocketId) -> Option<&mut Socket> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        slot.socket
            .as_mut()
            .filter(|_| slot.generation == id.generation)
    }

    /// The request of a stream whose bytes are the caller's: one that is not about to end for a reason of its own.
    #[inline]
    pub(super) fn receiving(&mut self, id: SocketId) -> Option<&mut Request> {
        match self.get_mut(id)? {
            Socket {
                phase: Phase::Ending(_),
                ..
            } => None,
            Socket {
                role: Role::Stream(request),
                ..
            } => Some(request),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn remove(&mut self, id: SocketId) -> Option<Socket> {
        self.get(id)?;
        let slot = &mut self.slots[id.slot as usize];
        if slot.generation < Self::LAST_GENERATION {
            self.free.push(id.slot);
        }
        slot.socket.take()
    }

    /// All sockets in it.
    #[inline]
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (SocketId, &mut Socket)> {
        (0..)
            .zip(&mut self.slots)
            .filter_map(|(slot, Slot { generation, socket })| {
                Some((
                    SocketId {
                        slot,
                        generation: *generation,
                    },
                    socket.as_mut()?,
                ))
            })
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.slots
            .iter()
            .filter(|slot| slot.socket.is_some())
            .count()
    }
}

/// The `user_data` of requests whose completion nobody waits for, cancellations for instance.
pub(super) const NOBODY: u64 = u64::MAX;
/// The `user_data` of the request that watches for owned chunks that came back.
pub(super) const WAKER: u64 = u64::MAX - 1;
/// The `user_data` of an instance's notifications.
pub(super) const NOTIFIED: u64 = u64::MAX - 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn socket() -> Socket {
        let fd = Fd::duplicate(2).unwrap();
        Socket {
            fd,
            role: Role::Listener,
            phase: Phase::Active,
            looked_at: 0,
        }
    }

    #[test]
    fn ids_are_never_reused() {
        let mut table = Table::default();
        let first = table.insert(socket());
        assert!(table.remove(first).is_some());
        assert!(table.remove(first).is_none());
        let second = table.insert(socket());
        assert_ne!(first, second);
        assert_eq!(first.slot, second.slot);
        assert!(table.get(first).is_none() && table.get_mut(first).is_none());
        assert!(table.get(second).is_some() && table.get_mut(second).is_some());
        let third = table.insert(socket());
        assert_ne!(second.index(), third.index());
        assert_eq!(
            table.iter_mut().map(|(id, _)| id).collect::<Vec<_>>(),
            [second, third]
        );
        assert!(table.remove(third).is_some());
        assert_eq!(SocketId::from_user_data(second.user_data()), second);
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn a_worn_out_slot_is_retired() {
        let mut table = Table::default();
        let id = table.insert(socket());
        const {
            assert!(
                Table::LAST_GENERATION < u32::MAX,
                "NOBODY would be somebody"
            )
        };
        table.slots[0].generation = Table::LAST_GENERATION;
        let last = SocketId {
            generation: Table::LAST_GENERATION,
            ..id
        };
        assert!(last.user_data() < NOTIFIED);
        assert!(table.remove(last).is_some());
        assert_eq!(table.insert(socket()).slot, 1);
    }

    #[test]
    fn what_follows_a_completion() {
        use {Action as A, End as E, Next as N, Pause as P, Phase as Ph};
        let rearm = N::Rearm(P::CqFull);
        let ended = N::Ended(E::Eof);
        let cancelled = N::Ended(E::Cancelled);
        let ending = Ph::Ending(E::Malformed);
        let paused = Ph::Paused(P::PoolDry);
        for (phase, next, more, action) in [
            (Ph::Active, N::Active, true, A::Nothing),
            (Ph::Active, rearm, false, A::Pause(P::CqFull)),
            (Ph::Active, ended, false, A::End(E::Eof)),
            (Ph::Active, ended, true, A::CancelAndEnd(E::Eof)),
            (Ph::Active, cancelled, false, A::End(E::Cancelled)),
            (Ph::Cancelling, N::Active, true, A::Nothing),
            (Ph::Cancelling, rearm, false, A::End(E::Cancelled)),
            (Ph::Cancelling, cancelled, false, A::End(E::Cancelled)),
            (Ph::Cancelling, ended, false, A::End(E::Eof)),
            (Ph::Restarting, cancelled, false, A::Pause(P::Interrupted)),
            (Ph::Restarting, rearm, false, A::Pause(P::CqFull)),
            (Ph::Restarting, ended, false, A::End(E::Eof)),
            (ending, N::Active, true, A::Nothing),
            (ending, ended, true, A::Nothing),
            (ending, cancelled, false, A::End(E::Malformed)),
            (ending, rearm, false, A::End(E::Malformed)),
            // The kernel has no request that could be cancelled.
            (paused, ended, true, A::End(E::Eof)),
        ] {
            assert_eq!(phase.after(next, more), action, "{phase:?} {next:?} {more}");
        }
    }

    #[test]
    fn an_id_is_printed_with_its_generation() {
        let id = SocketId {
            slot: 3,
            generation: 7,
        };
        assert_eq!(std::format!("{id:?}"), "3.7");
        assert_eq!((id.index(), id.user_data()), (3, 0x7_0000_0003));
    }
}
