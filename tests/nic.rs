//! The real zero-copy path: a queue of the software NIC (tests/lab/nic), driven as the kernel documents it.
//! Each test asserts on the bytes and on the driver's own counters, and finds all buffers back at its end.

use std::net::IpAddr;

use zcrx_sys::recv::{Receiver, ReceiverBuilder};
use zcrx_sys::zcrx::RefillRegion;

use common::nic::{Nic, V4, V6};
use common::streams::{receiver, transfer, QUEUE};

mod common;

/// Transfers, and sees by the driver's counters that all payload went into the area and none was copied.
fn transfer_without_a_copy(nic: &Nic, builder: ReceiverBuilder, address: IpAddr, count: usize) {
    let len = (8 << 20) / count;
    let before = nic.counters(QUEUE);
    let mut receiver = receiver(nic, builder, address);
    transfer(&mut receiver, address, count, len);
    let after = nic.counters(QUEUE);
    // What is sent twice is received twice.
    assert!(
        after.since(&before, "provider_bytes") >= (count * len) as u64,
        "{after:?}"
    );
    assert_eq!(after.since(&before, "copied_bytes"), 0, "{after:?}");
    assert_eq!(after.since(&before, "page_bytes"), 0, "{after:?}");
    assert_eq!(receiver.copies().map_or(0, |copies| copies.bytes), 0);
}

#[test]
fn ipv4_arrives_without_a_copy() {
    let Some(nic) = Nic::claim() else { return };
    transfer_without_a_copy(&nic, Receiver::builder(), V4, 1);
}

#[test]
fn ipv6_arrives_without_a_copy() {
    let Some(nic) = Nic::claim() else { return };
    transfer_without_a_copy(&nic, Receiver::builder(), V6, 1);
}

#[test]
fn mtu_4096_and_9000_arrive_without_a_copy() {
    let Some(nic) = Nic::claim() else { return };
    for mtu in [4096, 9000] {
        nic.mtu(mtu);
        transfer_without_a_copy(&nic, Receiver::builder(), V6, 2);
        nic.wait_for_buffers();
    }
}

#[test]
fn sixty_four_connections_arrive_without_a_copy() {
    let Some(nic) = Nic::claim() else { return };
    transfer_without_a_copy(&nic, Receiver::builder(), V4, 64);
}

#[test]
fn a_thousand_connections_arrive_without_a_copy() {
    let Some(nic) = Nic::claim() else { return };
    transfer_without_a_copy(&nic, Receiver::builder(), V4, 1000);
}

#[test]
fn a_refill_ring_of_the_kernels_arrives_without_a_copy() {
    let Some(nic) = Nic::claim() else { return };
    let builder = Receiver::builder().refill_region(RefillRegion::Kernel);
    transfer_without_a_copy(&nic, builder, V4, 1);
}

#[test]
fn chunks_of_32_kib_on_huge_pages_arrive_without_a_copy() {
    let Some(nic) = Nic::claim() else { return };
    nic.mtu(9000);
    let builder = Receiver::builder()
        .huge_pages(true)
        .area_len(16 << 20)
        .chunk_len(32 << 10);
    transfer_without_a_copy(&nic, builder, V6, 1);
}
