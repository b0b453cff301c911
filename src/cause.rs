//! [`Cause`]: why something failed and what to do about it; [`CauseKind`] and [`Fact`]: what was found.

/// One possible cause of an error, with what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The cause, as a clause.
    pub cause: &'static str,
    /// The remedy, as a clause in the imperative.
    pub remedy: &'static str,
}

/// A number that bears a cause out, read after the kernel had refused: a limit, a setting, a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it counts, with the unit where it has one, such as `"hds-thresh"` or `"receive queues"`.
    pub name: &'static str,
    /// The number.
    pub value: u64,
}

/// Which cause an error was found to have, for a program to act on; see [`Error::kind`](crate::Error::kind).
///
/// The kernel answers with an errno that stands for several causes. Each of these was told apart from the
/// others by asking the kernel again, or by reading the state of the interface or of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CauseKind {
    /// The process lacks CAP_NET_ADMIN: grant it.
    Privilege,
    /// The process has CAP_NET_ADMIN in a user namespace of its own, which does not count: leave that.
    UserNamespace,
    /// Another thread than the ring's owner called: call on the owner.
    OtherThread,
    /// The ring's restrictions forbid the operation: allow it before the ring is enabled.
    Restricted,
    /// The kernel is too old: use other means.
    OldKernel,
    /// The kernel is built without zero-copy receive: use other means.
    NotBuiltIn,
    /// The ring has an instance, and kernel 6.15 takes one on each: use another ring.
    SecondInstance,
    /// The locked-memory limit is lower than what was to be locked: ask for less, or raise it.
    LockedMemory,
    /// The kernel has no memory: ask for less.
    Memory,
    /// The process or the system has too many open descriptors: close some.
    Descriptors,
    /// This network namespace has no such interface.
    NoInterface,
    /// The interface is down: bring it up.
    InterfaceDown,
    /// The interface has no DMA device, as virtual ones do not: use a NIC.
    NoDmaDevice,
    /// The driver cannot give one queue memory of its own: use another NIC.
    NoQueueManagement,
    /// The interface has no such receive queue: the fact is how many it has.
    NoQueue,
    /// The queue is leased to a virtual interface (netkit): use it there, or use another.
    QueueLeased,
    /// An AF_XDP socket has the queue: use another.
    AfXdpSocket,
    /// Another zero-copy receiver has the queue, or has just had it: wait, or use another.
    QueueTaken,
    /// An XDP program is attached to the interface: detach it.
    XdpProgram,
    /// Header split is not switched on: switch it on.
    HeaderSplit,
    /// Header split starts at a threshold only: set that to 0.
    HeaderSplitThreshold,
    /// The driver takes no chunks of that length: use another, or leave it out.
    ChunkLength,
    /// The area's memory is not contiguous in pieces of the chunk length: use huge pages, or shorter chunks.
    Contiguity,
}

/// A cause that can be found out to be the one, and the name of the fact that comes with it, if one does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) kind: CauseKind,
    pub(crate) cause: Cause,
    pub(crate) fact: Option<&'static str>,
}

/// What can be said about why something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Diagnosis {
    /// One of these, most likely first, or something else.
    Possible(&'static [Cause]),
    /// This one, for certain, with the value of its fact.
    Certain(&'static Known, Option<u64>),
}

impl Diagnosis {
    pub(crate) fn causes(&self) -> &'static [Cause] {
        match self {
            Self::Possible(causes) => causes,
            Self::Certain(known, _) => core::slice::from_ref(&known.cause),
        }
    }
}
