//! What stands in the way of a registration that was not tried yet, in the texts of one that was refused.

use std::vec::Vec;

use super::known::*;
use super::process::Process;
use super::registration::{certain, privilege};
use crate::cause::{Diagnosis, Known};
use crate::errno::Errno;
use crate::zcrx::interface::{DataSplit, InterfaceState};

/// What would have the kernel refuse receive queue `queue` of an interface in this state, in the order of the
/// kernel's checks. What is not told is taken for well.
pub(crate) fn obstacles(queue: u32, state: &InterfaceState) -> Vec<&'static Known> {
    let mut found = Vec::new();
    if let Some(link) = state.link {
        // All but the first queue of a netkit device are leased from a NIC, and have its DMA device.
        found.extend((!(link.has_parent || link.netkit && queue > 0)).then_some(&NO_DMA_DEVICE));
        found.extend((!link.up).then_some(&INTERFACE_DOWN));
    }
    let past = state.receive_queues.is_some_and(|queues| queue >= queues);
    found.extend((past || state.has_queue == Some(false)).then_some(&NO_QUEUE));
    found.extend(header_split(state));
    let program = state.link.and_then(|link| link.xdp_program);
    found.extend((program > Some(0)).then_some(&XDP_PROGRAM));
    if let Some(queue) = state.queue {
        found.extend(queue.leased.then_some(&QUEUE_LEASED));
        found.extend(queue.provider.map(|_| &QUEUE_TAKEN));
        found.extend(queue.af_xdp.then_some(&AF_XDP_SOCKET));
    }
    found
}

fn header_split(state: &InterfaceState) -> Option<&'static Known> {
    let rings = state.rings?;
    match (rings.data_split?, rings.hds_thresh) {
        (DataSplit::Enabled, None | Some(0)) => None,
        (DataSplit::Enabled, Some(_)) => Some(&HEADER_SPLIT_THRESHOLD),
        (_, None | Some(0)) => Some(&HEADER_SPLIT),
        (_, Some(_)) => Some(&HEADER_SPLIT_AND_THRESHOLD),
    }
}

/// Why a setting could not be read or changed, as far as that is the same for all settings.
pub(crate) fn of_setting(errno: Errno) -> Option<Diagnosis> {
    match errno {
        Errno::PERM => Some(privilege(&Process::read())),
        Errno::NODEV => Some(certain(&NO_INTERFACE)),
        _ => None,
    }
}
