//! Every way in which the kernel refuses zero-copy receive, provoked: what the caller is told, and that nothing
//! is left behind.
//!
//! | errno | cause | test |
//! |---|---|---|
//! | EEXIST | another thread than the ring's owner | `ring::a_thread_that_does_not_own_the_ring` |
//! | EACCES | ring restrictions | `ring::restrictions_of_the_ring` |
//! | EINVAL | kernel before 6.15 | `ring::a_kernel_without_it` |
//! | EPERM | no CAP_NET_ADMIN | `ring::a_process_without_net_admin` |
//! | EPERM | root of another user namespace | `ring::a_process_of_another_user_namespace` |
//! | – | ring without DEFER_TASKRUN, or with narrow completions | `ring::a_ring_that_cannot_carry_it` |
//! | ENOMEM | locked-memory limit | `tests/limits.rs` |
//! | ENODEV | no such interface, not in this namespace, or gone | `queue::an_interface_that_is_not_there` |
//! | EOPNOTSUPP | no DMA device | `queue::an_interface_without_a_dma_device` |
//! | EOPNOTSUPP | driver without queue management | `queue::a_driver_without_queue_management` |
//! | EOPNOTSUPP | driver with chunks of a page only | `queue::a_driver_whose_chunks_are_pages` |
//! | EOPNOTSUPP | no device, and chunks other than a page | `area::chunks_other_than_a_page_without_a_device` |
//! | EOPNOTSUPP | queue leased to a netkit device (7.2.12, 7.3.4) | `queue::a_queue_that_is_leased` |
//! | EFAULT | memory that is not there, or read-only | `area::memory_that_cannot_be_pinned` |
//! | EINVAL | dmabuf of another length, or no dmabuf | `area::a_dmabuf_of_another_length` |
//! | EINVAL | chunks longer than the driver takes | `queue::chunks_longer_than_the_driver_takes` |
//! | ERANGE | area not contiguous | `area::memory_that_is_not_contiguous` |
//! | ERANGE | no such queue | `queue::a_queue_past_the_channels` |
//! | EBUSY | AF_XDP socket | `queue::a_queue_with_an_af_xdp_socket` |
//! | EINVAL | tcp-data-split off, or auto | `queue::headers_that_are_not_split` |
//! | EINVAL | hds-thresh not 0 | `queue::headers_that_are_split_above_a_threshold` |
//! | EEXIST | XDP program | `queue::an_interface_with_an_xdp_program` |
//! | EEXIST | another application has the queue | `queue::a_queue_that_is_taken` |
//! | ENODATA | driver ignores the area | `queue::a_driver_that_ignores_the_area` |
//! | any | driver fails to rebuild the queue | `queue::a_driver_that_fails_to_rebuild_the_queue` |
//! | EEXIST | control and import on another thread | `control::control_on_another_thread` |
//! | EACCES | control under restrictions | `control::control_that_restrictions_forbid` |
//! | EFAULT, ERANGE | adding memory that is no good; card gone | `control::areas_that_cannot_be_added` |
//! | EINVAL | adding a dmabuf of another length | `control::a_dmabuf_of_another_length_that_cannot_be_added` |
//! | EINVAL | adding more than 1024 areas | `tests/areas.rs` |
//! | EPERM | importing without CAP_NET_ADMIN | `tests/share.rs` |
//! | RECV_ZC: EPROTONOSUPPORT, ENOTSOCK, EBADF, ENOTCONN, EINVAL | | `receive` |
//! | RECV_ZC: EFAULT | another queue's memory | `tests/nic_faults.rs` |
//! | RECV_ZC: ENOSPC, ENOMEM, ECANCELED, ECONNRESET | | `tests/receive`, recovered from |
//!
//! What nothing here can provoke, and is tested on the mapping alone:
//!
//! - EOPNOTSUPP of a kernel built without CONFIG_IO_URING_ZCRX: every kernel from 6.15 on that Debian offers
//!   is built with it.
//! - ENODEV of an interface that is down, and EOPNOTSUPP of a queue past the channels of a NIC: these are one
//!   driver's (mlx5) own answers.
//! - EBUSY of a leased queue: the kernel asks for the queue's DMA device first, which a leased one has not.
//! - ENOMEM of an allocation in the kernel: Debian's kernels have no fault injection. The driver's is provoked.
//! - EFAULT of the structs, EINVAL and ERANGE of reserved fields, flags, the refill region and the statistics'
//!   place: the builder leaves no way to get these wrong.
//! - ENXIO, EFAULT and EOPNOTSUPP of control operations, likewise; that the kernel answers with them is checked.
//! - EBADF of an import: an export holds its own descriptor.
//! - EPROTONOSUPPORT of kTLS: the guest has no module for it. MPTCP and sockmap take the same branch.
//! - EINTR: nothing that such a request does can be interrupted.
//!
//! A driver that cannot rebuild its queue when the area is taken away again tells nobody: the kernel warns, and the
//! lab takes that for a failure.

use std::time::Duration;

use zcrx_sys::recv::Receiver;
use zcrx_sys::ring::{Ring, RingBuilder};
use zcrx_sys::zcrx::{interface_index, Area, Device, Ifq, IfqBuilder};
use zcrx_sys::{Errno, Error};

use common::nic::{Nic, V6};
use common::streams::{assert_placed, receiver, transfer, MIB, QUEUE};

mod area;
mod bpf;
#[path = "../common/mod.rs"]
mod common;
mod control;
mod memory;
mod queue;
mod raw;
mod receive;
mod ring;
mod xsk;

/// Options for the queue that the tests are about.
fn on_queue(nic: &Nic) -> IfqBuilder {
    Ifq::builder(Device::Queue {
        interface: nic.index(),
        queue: QUEUE,
    })
}

/// Options for loopback, which no kernel gets as far as registering.
fn on_loopback() -> IfqBuilder {
    Ifq::builder(Device::Queue {
        interface: interface_index("lo").unwrap(),
        queue: 0,
    })
}

fn new_ring() -> Ring {
    RingBuilder::new(8).build().unwrap()
}

/// What registering with an area of 1 MiB, on a ring of its own, is refused with.
fn refusal(builder: IfqBuilder) -> Error {
    let area = Area::new(MIB).unwrap();
    let registered = builder.register(new_ring().as_ring_fd(), area);
    registered.expect_err("it was to be refused")
}

/// Sees that the error is this one, and that its text names all of these.
#[track_caller]
fn assert_names(error: &Error, errno: Errno, parts: &[&str]) {
    assert_eq!(error.errno(), Some(errno), "{error}");
    assert_contains(error, parts);
}

#[track_caller]
fn assert_contains(error: &Error, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
}

/// Sees that nothing was left behind: the queue can be had at once, and receives without a copy.
fn assert_receives(nic: &Nic) {
    let before = nic.counters(QUEUE);
    let builder = Receiver::builder().area_len(4 * MIB);
    let mut receiver = receiver(nic, builder.taken_queue_wait(Duration::ZERO), V6);
    transfer(&mut receiver, V6, 1, MIB);
    assert_placed(nic, &before, MIB as u64);
}
