//! The causes that can be told apart, with the remedy for each and the name of its fact.

use crate::cause::{Cause, CauseKind, Known};

pub(super) const fn known(kind: CauseKind, cause: &'static str, remedy: &'static str) -> Known {
    Known {
        kind,
        cause: Cause { cause, remedy },
        fact: None,
    }
}

impl Known {
    const fn with(mut self, fact: &'static str) -> Self {
        self.fact = Some(fact);
        self
    }
}

pub(super) const PRIVILEGE: Known = known(
    CauseKind::Privilege,
    "the process lacks CAP_NET_ADMIN in the initial user namespace",
    "run it as root, or once: setcap cap_net_admin+ep PROGRAM",
);
pub(super) const USER_NAMESPACE: Known = known(
    CauseKind::UserNamespace,
    "the process has CAP_NET_ADMIN, but not in the initial user namespace",
    "run it outside of the user namespace, such as a rootless container's",
);
pub(super) const OTHER_THREAD: Known = known(
    CauseKind::OtherThread,
    "another thread than the ring's owner called",
    "register on the thread that enabled the ring",
);
pub(super) const RESTRICTED: Known = known(
    CauseKind::Restricted,
    "the ring's restrictions forbid it",
    "allow register operations 32 and 36",
);
pub(super) const OLD_KERNEL: Known = known(
    CauseKind::OldKernel,
    "the kernel is older than 6.15",
    "use a newer kernel, or provided buffers",
);
pub(super) const NOT_BUILT_IN: Known = known(
    CauseKind::NotBuiltIn,
    "the kernel is built without CONFIG_IO_URING_ZCRX",
    "use a kernel that has it",
);
pub(super) const SECOND_INSTANCE: Known = known(
    CauseKind::SecondInstance,
    "the ring has an instance, and this kernel takes one on each ring (6.16 takes several)",
    "use another ring",
);

pub(super) const LOCKED_MEMORY: Known = known(
    CauseKind::LockedMemory,
    "the process may lock less memory than the area has",
    "use a smaller area, raise the limit (ulimit -l), or grant CAP_IPC_LOCK",
)
.with("locked-memory limit bytes");
pub(super) const MEMORY: Known = known(
    CauseKind::Memory,
    "the kernel is out of memory",
    "free some, or use a smaller area",
);
pub(super) const PROCESS_DESCRIPTORS: Known = known(
    CauseKind::Descriptors,
    "the process has too many descriptors open",
    "close some, or raise the limit (ulimit -n)",
);
pub(super) const SYSTEM_DESCRIPTORS: Known = known(
    CauseKind::Descriptors,
    "the system has too many files open",
    "close some, or raise the limit (sysctl fs.file-max)",
);

pub(super) const NO_INTERFACE: Known = known(
    CauseKind::NoInterface,
    "no interface of this network namespace has that index",
    "find its index by its name (ip link)",
);
pub(super) const INTERFACE_DOWN: Known = known(
    CauseKind::InterfaceDown,
    "the interface is down",
    "bring it up (ip link set INTERFACE up)",
);
pub(super) const NO_DMA_DEVICE: Known = known(
    CauseKind::NoDmaDevice,
    "the interface has no DMA device, because it is virtual",
    "use a NIC, or a queue leased from one",
);
pub(super) const NO_QUEUE_MANAGEMENT: Known = known(
    CauseKind::NoQueueManagement,
    "the driver has no queue management, or not with its present settings",
    "use a NIC whose driver has zero-copy receive",
);
pub(super) const NO_QUEUE: Known = known(
    CauseKind::NoQueue,
    "the interface has no such receive queue",
    "use one of its queues, the first of which is 0 (ethtool -l)",
)
.with("receive queues");
pub(super) const QUEUE_LEASED: Known = known(
    CauseKind::QueueLeased,
    "the queue is leased to a virtual interface",
    "register on that interface, or pick another queue",
);
pub(super) const AF_XDP_SOCKET: Known = known(
    CauseKind::AfXdpSocket,
    "an AF_XDP socket has the queue",
    "pick another queue",
);
pub(super) const QUEUE_TAKEN: Known = known(
    CauseKind::QueueTaken,
    "the queue is taken, often by a process that is just ending",
    "retry for some seconds, or pick another queue",
);
pub(super) const XDP_PROGRAM: Known = known(
    CauseKind::XdpProgram,
    "an XDP program is attached",
    "detach it (ip link set INTERFACE xdp off)",
)
.with("XDP program id");

pub(super) const HEADER_SPLIT: Known = known(
    CauseKind::HeaderSplit,
    "header split is not switched on",
    "ethtool -G INTERFACE tcp-data-split on",
);
pub(super) const HEADER_SPLIT_AND_THRESHOLD: Known = known(
    CauseKind::HeaderSplit,
    "header split is not switched on, and would start only at a threshold",
    "ethtool -G INTERFACE tcp-data-split on hds-thresh 0",
)
.with("hds-thresh");
pub(super) const HEADER_SPLIT_THRESHOLD: Known = known(
    CauseKind::HeaderSplitThreshold,
    "header split starts only at a threshold",
    "ethtool -G INTERFACE hds-thresh 0",
)
.with("hds-thresh");
pub(super) const CHUNK_LENGTH: Known = known(
    CauseKind::ChunkLength,
    "the driver takes no chunks of that length",
    "use another chunk length, or leave it out",
)
.with("chunk bytes");
pub(super) const CHUNK_LENGTH_WITHOUT_DEVICE: Known = known(
    CauseKind::ChunkLength,
    "without a device, chunks are a page long",
    "leave the chunk length out",
)
.with("chunk bytes");
pub(super) const CONTIGUITY: Known = known(
    CauseKind::Contiguity,
    "the area is not contiguous in pieces of the chunk length",
    "use huge pages, or chunks of one page",
)
.with("chunk bytes");
