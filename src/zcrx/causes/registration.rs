//! From errno and evidence to the cause of a refused registration; pure.
//!
//! Kernel 7.3 checks in this order (`io_register_zcrx`): thread, restrictions, privilege and ring (which
//! `barred` tells), memory of the refill ring, the interface, its DMA device, the area, the queue, header
//! split, XDP, the driver's support of chunk lengths, the queue's provider, its AF_XDP socket, the driver.

use super::known::*;
use super::process::Process;
use super::{Evidence, Refused, RefusedArea};
use crate::cause::{Cause, Diagnosis, Known};
use crate::errno::Errno;
use crate::zcrx::interface::{DataSplit, InterfaceState, Link};
use crate::zcrx::Device;
use Diagnosis::{Certain, Possible};

#[inline]
pub(super) fn diagnose(errno: Errno, refused: &Refused, seen: &Evidence) -> Diagnosis {
    match refused.device {
        _ if seen.barred == Some(errno) => of_barred(errno, &seen.process),
        Device::Queue { queue, .. } => on_queue(errno, queue, &refused.area, seen),
        Device::None => without_device(errno, &refused.area, &seen.process),
    }
}

pub(super) const UNPINNABLE: Cause = Cause {
    cause: "the area's memory cannot be pinned for the device",
    remedy: "use memory that may be written to, as that of Area::new may",
};

pub(super) const fn certain(known: &'static Known) -> Diagnosis {
    Certain(known, None)
}

#[inline]
fn of_barred(errno: Errno, process: &Process) -> Diagnosis {
    match errno {
        Errno::EXIST => certain(&OTHER_THREAD),
        Errno::ACCES => certain(&RESTRICTED),
        Errno::PERM => privilege(process),
        Errno::INVAL => certain(&OLD_KERNEL),
        Errno::BUSY => certain(&SECOND_INSTANCE),
        Errno::OPNOTSUPP => certain(&NOT_BUILT_IN),
        _ => Possible(&[]),
    }
}

#[inline]
pub(super) fn privilege(process: &Process) -> Diagnosis {
    match process.net_admin {
        Some(true) => certain(&USER_NAMESPACE),
        Some(false) => certain(&PRIVILEGE),
        None => Possible(&[PRIVILEGE.cause]),
    }
}

/// What fails alike with a device and without.
#[inline]
fn anywhere(errno: Errno, area: &RefusedArea, process: &Process) -> Option<Diagnosis> {
    Some(match errno {
        Errno::NOMEM => memory(area, process),
        Errno::MFILE => certain(&PROCESS_DESCRIPTORS),
        Errno::NFILE => certain(&SYSTEM_DESCRIPTORS),
        Errno::FAULT => Possible(&[UNPINNABLE]),
        Errno::PERM => Possible(&[PRIVILEGE.cause]),
        Errno::ACCES => Possible(&[RESTRICTED.cause]),
        _ => return None,
    })
}

/// The limit is for all that the user's rings lock together; how much that is already is not told. (Kernels before
/// 6.17 count the refill ring alone, and seldom come here.)
#[inline]
pub(super) fn memory(area: &RefusedArea, process: &Process) -> Diagnosis {
    match (process.ipc_lock, process.locked_memory) {
        _ if area.dmabuf => certain(&MEMORY),
        (Some(true), _) | (_, Some(u64::MAX)) => certain(&MEMORY),
        (Some(false), Some(limit)) if limit < area.len as u64 => {
            Certain(&LOCKED_MEMORY, Some(limit))
        }
        _ => Possible(&[
            Cause {
                cause: "the locked-memory limit does not hold area and refill ring, together with \
                        what the user's other rings lock",
                remedy: LOCKED_MEMORY.cause.remedy,
            },
            MEMORY.cause,
        ]),
    }
}

#[inline]
fn contiguity(area: &RefusedArea) -> Diagnosis {
    let chunk_len = area.chunk_len.map(u64::from);
    match area.page_len.zip(area.chunk_len) {
        Some((page, chunk)) if page < chunk as usize => Certain(&CONTIGUITY, chunk_len),
        Some(_) => Certain(&CHUNK_LENGTH, chunk_len),
        None => Possible(&[CONTIGUITY.cause, CHUNK_LENGTH.cause]),
    }
}

#[inline]
fn without_device(errno: Errno, area: &RefusedArea, process: &Process) -> Diagnosis {
    match (errno, area.chunk_len) {
        (Errno::OPNOTSUPP, Some(chunk)) => {
            Certain(&CHUNK_LENGTH_WITHOUT_DEVICE, Some(chunk.into()))
        }
        (Errno::INVAL, _) if area.dmabuf => Possible(&[Cause {
            cause: "without a device, an area cannot be a dmabuf",
            remedy: "use memory of the process",
        }]),
        (Errno::INVAL, _) => Possible(&[Cause {
            cause: "the kernel is older than 7.1, or knows none of what was asked for",
            remedy: "use a newer kernel, or provided buffers",
        }]),
        _ => anywhere(errno, area, process).unwrap_or(Possible(&[])),
    }
}

#[inline]
fn on_queue(errno: Errno, queue: u32, area: &RefusedArea, seen: &Evidence) -> Diagnosis {
    let state = &seen.interface;
    if let Some(diagnosis) = anywhere(errno, area, &seen.process) {
        return diagnosis;
    }
    let gone_or_down = gone_or_down(state);
    match errno {
        Errno::NODEV => {
            gone_or_down.unwrap_or(Possible(&[NO_INTERFACE.cause, INTERFACE_DOWN.cause]))
        }
        Errno::OPNOTSUPP => unsupported(queue, area, state),
        Errno::RANGE => out_of_range(queue, area, state),
        Errno::INVAL => header_split(area, state),
        Errno::EXIST => taken(state),
        Errno::BUSY => busy(state),
        Errno::NODATA => Possible(&[Cause {
            cause: "the driver set the queue up without the area",
            remedy: "update the driver or the kernel",
        }]),
        Errno::NETDOWN => gone_or_down.unwrap_or(Possible(&[INTERFACE_DOWN.cause])),
        _ => gone_or_down.unwrap_or(Possible(&[Cause {
            cause: "the driver refused",
            remedy: "see what it says in the kernel's log (dmesg)",
        }])),
    }
}

#[inline]
fn gone_or_down(state: &InterfaceState) -> Option<Diagnosis> {
    match (state.exists, state.link) {
        (Some(false), _) => Some(certain(&NO_INTERFACE)),
        (_, Some(link)) if !link.up => Some(certain(&INTERFACE_DOWN)),
        _ => None,
    }
}

#[inline]
fn no_queue(queue: u32, state: &InterfaceState) -> Option<Diagnosis> {
    let past = state.receive_queues.is_some_and(|queues| queue >= queues);
    let queues = state.receive_queues.filter(|_| past).map(u64::from);
    (past || state.has_queue == Some(false)).then_some(Certain(&NO_QUEUE, queues))
}

#[inline]
fn out_of_range(queue: u32, area: &RefusedArea, state: &InterfaceState) -> Diagnosis {
    let told = state.has_queue.is_some() || state.receive_queues.is_some();
    match (no_queue(queue, state), area.chunk_len) {
        (Some(no_queue), _) => no_queue,
        (None, None) => Possible(&[NO_QUEUE.cause]),
        (None, Some(_)) if told => contiguity(area),
        (None, Some(_)) => Possible(&[NO_QUEUE.cause, CONTIGUITY.cause, CHUNK_LENGTH.cause]),
    }
}

#[inline]
fn unsupported(queue: u32, area: &RefusedArea, state: &InterfaceState) -> Diagnosis {
    // All but the first queue of a netkit device are leased from a NIC, and have its DMA device.
    let is_virtual = |link: Link| !(link.has_parent || link.netkit && queue > 0);
    if state.link.is_some_and(is_virtual) {
        return certain(&NO_DMA_DEVICE);
    }
    // From the outside a leased queue has no DMA device either.
    if state.queue.is_some_and(|queue| queue.leased) {
        return certain(&QUEUE_LEASED);
    }
    if let Some(no_queue) = no_queue(queue, state) {
        return no_queue;
    }
    // A driver with queue management fails at header split before it comes to anything unsupported.
    let split = state.rings.and_then(|rings| rings.data_split);
    match (split, area.chunk_len) {
        (Some(DataSplit::Enabled), Some(_)) => {
            Possible(&[CHUNK_LENGTH.cause, NO_QUEUE_MANAGEMENT.cause])
        }
        (Some(DataSplit::Unknown | DataSplit::Disabled), _) => certain(&NO_QUEUE_MANAGEMENT),
        (_, Some(_)) => Possible(&[NO_QUEUE_MANAGEMENT.cause, CHUNK_LENGTH.cause]),
        (_, None) => Possible(&[NO_QUEUE_MANAGEMENT.cause]),
    }
}

#[inline]
fn header_split(area: &RefusedArea, state: &InterfaceState) -> Diagnosis {
    const NOT_BY_HAND: Cause = Cause {
        cause: "header split is on by the driver's own choice, and not by setting",
        remedy: HEADER_SPLIT.cause.remedy,
    };
    const DMABUF: Cause = Cause {
        cause: "the area's length is not that of the dmabuf, or the kernel is older than 6.16",
        remedy: "pass the length that it was made with, or use memory of the process",
    };
    let rings = state.rings;
    let split = rings.and_then(|rings| rings.data_split);
    let threshold = rings
        .and_then(|rings| rings.hds_thresh)
        .filter(|&bytes| bytes > 0)
        .map(u64::from);
    match (split, threshold) {
        (Some(DataSplit::Unknown | DataSplit::Disabled), None) => certain(&HEADER_SPLIT),
        (Some(DataSplit::Unknown | DataSplit::Disabled), _) => {
            Certain(&HEADER_SPLIT_AND_THRESHOLD, threshold)
        }
        (_, Some(_)) => Certain(&HEADER_SPLIT_THRESHOLD, threshold),
        (Some(DataSplit::Enabled), None) if area.dmabuf => Possible(&[DMABUF, NOT_BY_HAND]),
        (Some(DataSplit::Enabled), None) if area.chunk_len.is_some() => {
            Possible(&[CHUNK_LENGTH.cause, NOT_BY_HAND])
        }
        (Some(DataSplit::Enabled), None) => Possible(&[NOT_BY_HAND]),
        (None, None) => Possible(&[Cause {
            cause: "header split is not switched on, or its threshold is not 0",
            remedy: HEADER_SPLIT_AND_THRESHOLD.cause.remedy,
        }]),
    }
}

#[inline]
fn taken(state: &InterfaceState) -> Diagnosis {
    match (state.link.and_then(|link| link.xdp_program), state.queue) {
        (Some(program @ 1..), _) => Certain(&XDP_PROGRAM, Some(program.into())),
        // No program: so a provider, also if that has gone in the meantime.
        (Some(0), _) => certain(&QUEUE_TAKEN),
        (None, Some(queue)) if queue.provider.is_some() => certain(&QUEUE_TAKEN),
        (None, _) => Possible(&[QUEUE_TAKEN.cause, XDP_PROGRAM.cause]),
    }
}

#[inline]
fn busy(state: &InterfaceState) -> Diagnosis {
    match state.queue {
        Some(queue) if queue.leased => certain(&QUEUE_LEASED),
        Some(queue) if queue.af_xdp => certain(&AF_XDP_SOCKET),
        _ => Possible(&[QUEUE_LEASED.cause, AF_XDP_SOCKET.cause]),
    }
}
