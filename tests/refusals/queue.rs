//! Refusals that lie in the interface, its queue, or its driver.

use std::fs;

use zcrx_sys::zcrx::{Area, Device, Ifq, IfqBuilder};
use zcrx_sys::{CauseKind, Errno};

use crate::common::nic::{at_peer, Nic};
use crate::common::streams::{MIB, QUEUE};
use crate::{assert_names, assert_receives, bpf, new_ring, on_loopback, on_queue, refusal, xsk};

#[test]
fn an_interface_that_is_not_there() {
    let Some(nic) = Nic::claim() else { return };
    let (interface, queue) = (nic.index(), QUEUE);
    let nowhere = Ifq::builder(Device::Queue {
        interface: 999_999,
        queue,
    });
    assert_names(
        &refusal(nowhere),
        Errno::NODEV,
        &["interface 999999", "namespace", "ip link"],
    );
    // From another namespace it is not there either.
    let elsewhere = at_peer(move || refusal(Ifq::builder(Device::Queue { interface, queue })));
    assert_names(
        &elsewhere.join().unwrap(),
        Errno::NODEV,
        &["namespace", "ip link"],
    );
    // Nor after it was pulled out: put back, it is another one.
    nic.control("remove", "snic0");
    assert_names(
        &refusal(Ifq::builder(Device::Queue { interface, queue })),
        Errno::NODEV,
        &["namespace", "ip link"],
    );
    drop(nic);
    assert_receives(&Nic::claim().expect("the card is put back"));
}

#[test]
fn an_interface_without_a_dma_device() {
    let Some(nic) = Nic::claim() else { return };
    assert_names(
        &refusal(on_loopback()),
        Errno::OPNOTSUPP,
        &["DMA device", "use a NIC"],
    );
    // Of a card, nobody can tell from outside whether that is what its driver lacks.
    nic.fault("lacks", "dma_device");
    assert_names(
        &refusal(on_queue(&nic)),
        Errno::OPNOTSUPP,
        &["driver", "use a NIC"],
    );
    nic.fault("lacks", "nothing");
    assert_receives(&nic);
}

#[test]
fn a_driver_without_queue_management() {
    let Some(nic) = Nic::claim() else { return };
    nic.fault("lacks", "queue_mgmt");
    assert_names(
        &refusal(on_queue(&nic)),
        Errno::OPNOTSUPP,
        &["queue management", "use a NIC"],
    );
    nic.fault("lacks", "nothing");
    assert_receives(&nic);
}

#[test]
fn a_driver_whose_chunks_are_pages() {
    let Some(nic) = Nic::claim() else { return };
    nic.fault("lacks", "page_size");
    let ring = new_ring();
    let register = |builder: IfqBuilder| {
        builder.register(ring.as_ring_fd(), Area::huge_pages(2 * MIB).unwrap())
    };
    let error = register(on_queue(&nic).chunk_len(16384)).expect_err("it was to be refused");
    assert_names(
        &error,
        Errno::OPNOTSUPP,
        &["no chunks", "chunk length", "leave"],
    );
    // The remedy works on the same ring, with the driver as it is.
    assert_eq!(register(on_queue(&nic)).unwrap().chunk_len(), 4096);
    drop(ring);
    nic.wait_for_queues();
    nic.fault("lacks", "nothing");
    assert_receives(&nic);
}

#[test]
fn chunks_longer_than_the_driver_takes() {
    let Some(nic) = Nic::claim() else { return };
    let limit =
        |bytes: &str| fs::write("/sys/module/softnic/parameters/max_rx_page", bytes).unwrap();
    limit("8192");
    let ring = new_ring();
    let register = |len| {
        let area = Area::huge_pages(2 * MIB).unwrap();
        on_queue(&nic)
            .chunk_len(len)
            .register(ring.as_ring_fd(), area)
    };
    let error = register(16384);
    let shorter = register(8192).map(|ifq| ifq.chunk_len());
    limit("2097152");
    // The driver's own answer: it could be any.
    let parts = ["no chunks of that length", "leave it out"];
    assert_names(
        &error.expect_err("it was to be refused"),
        Errno::INVAL,
        &parts,
    );
    assert_eq!(shorter, Ok(8192));
    drop(ring);
    nic.wait_for_queues();
    assert_receives(&nic);
}

#[test]
fn a_queue_past_the_channels() {
    let Some(nic) = Nic::claim() else { return };
    nic.ethtool("-L snic0 combined 2");
    for queue in [2, 3, 99, u32::MAX - 1] {
        let past = Ifq::builder(Device::Queue {
            interface: nic.index(),
            queue,
        });
        let number = format!("queue {queue}");
        assert_names(
            &refusal(past),
            Errno::RANGE,
            &[&number, "no such receive queue", "ethtool -l"],
        );
    }
    assert_receives(&nic);
}

#[test]
fn a_queue_with_an_af_xdp_socket() {
    let Some(nic) = Nic::claim() else { return };
    let socket = xsk::Xsk::bind(nic.index(), QUEUE);
    assert_names(
        &refusal(on_queue(&nic)),
        Errno::BUSY,
        &["AF_XDP", "another queue"],
    );
    // Another queue will do.
    let other = Ifq::builder(Device::Queue {
        interface: nic.index(),
        queue: QUEUE + 1,
    });
    let ring = new_ring();
    drop(
        other
            .register(ring.as_ring_fd(), Area::new(MIB).unwrap())
            .unwrap(),
    );
    drop((socket, ring));
    nic.wait_for_queues();
    assert_receives(&nic);
}

/// The kernel (7.2.12, 7.3.4) has EBUSY for this, but asks for the queue's DMA device first, and from outside a
/// leased queue has none.
#[test]
fn a_queue_that_is_leased() {
    let Some(nic) = Nic::claim() else { return };
    let lease = nic.lease(QUEUE);
    let error = refusal(on_queue(&nic));
    assert_names(&error, Errno::OPNOTSUPP, &["leased", "pick another queue"]);
    assert_eq!(error.kind(), Some(CauseKind::QueueLeased));
    // Where the queue is leased to, it can be had.
    let leased = Ifq::builder(Device::Queue {
        interface: lease.interface,
        queue: lease.queue,
    });
    let ring = new_ring();
    drop(
        leased
            .register(ring.as_ring_fd(), Area::new(MIB).unwrap())
            .unwrap(),
    );
    drop(ring);
    nic.wait_for_queues();
    drop(lease);
    assert_receives(&nic);
}

#[test]
fn headers_that_are_not_split() {
    let Some(nic) = Nic::claim() else { return };
    for split in ["off", "auto"] {
        nic.ethtool(&format!("-G snic0 tcp-data-split {split}"));
        assert_names(
            &refusal(on_queue(&nic)),
            Errno::INVAL,
            &[
                "header split is not switched on",
                "ethtool -G",
                "tcp-data-split on",
            ],
        );
    }
    nic.ethtool("-G snic0 tcp-data-split on");
    assert_receives(&nic);
}

#[test]
fn headers_that_are_split_above_a_threshold() {
    let Some(nic) = Nic::claim() else { return };
    nic.header_split_above(128);
    assert_names(
        &refusal(on_queue(&nic)),
        Errno::INVAL,
        &["threshold (hds-thresh 128)", "ethtool -G", "hds-thresh 0"],
    );
    nic.header_split_above(0);
    assert_receives(&nic);
}

#[test]
fn an_interface_with_an_xdp_program() {
    let Some(nic) = Nic::claim() else { return };
    let program = bpf::attach_xdp(nic.index());
    assert_names(
        &refusal(on_queue(&nic)),
        Errno::EXIST,
        &["XDP program", "detach it"],
    );
    drop(program);
    assert_receives(&nic);
}

#[test]
fn a_queue_that_is_taken() {
    let Some(nic) = Nic::claim() else { return };
    let ring = new_ring();
    let owner = on_queue(&nic)
        .register(ring.as_ring_fd(), Area::new(MIB).unwrap())
        .unwrap();
    assert_names(
        &refusal(on_queue(&nic)),
        Errno::EXIST,
        &["taken", "retry", "another queue"],
    );
    // By the same ring as well.
    let again = on_queue(&nic).register(ring.as_ring_fd(), Area::new(MIB).unwrap());
    assert_names(
        &again.unwrap_err(),
        Errno::EXIST,
        &["taken", "retry", "another queue"],
    );
    drop((owner, ring));
    nic.wait_for_queues();
    assert_receives(&nic);
}

#[test]
fn a_driver_that_ignores_the_area() {
    let Some(nic) = Nic::claim() else { return };
    nic.fault("lacks", "provider");
    assert_names(
        &refusal(on_queue(&nic)),
        Errno::NODATA,
        &["driver", "without the area", "update the driver"],
    );
    nic.fault("lacks", "nothing");
    assert_receives(&nic);
}

/// The driver's own error reaches the caller, and the queue works as before. (A driver that cannot rebuild the queue
/// when the area is taken away again makes the kernel warn, and is no refusal.)
#[test]
fn a_driver_that_fails_to_rebuild_the_queue() {
    let Some(nic) = Nic::claim() else { return };
    for step in ["alloc_errno", "stop_errno", "start_errno"] {
        for (errno, why) in [
            (libc::EIO, "driver refused"),
            (libc::ENOMEM, "out of memory"),
        ] {
            nic.fault(step, &errno.to_string());
            let error = refusal(on_queue(&nic));
            let what = "cannot register zero-copy receive on an interface queue";
            assert_names(&error, Errno::from_raw(errno), &[what, why]);
            assert!(!error.to_string().contains("ulimit"), "{error}");
        }
        assert_receives(&nic);
        nic.wait_for_queues();
    }
}
