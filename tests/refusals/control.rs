//! Refusals of control operations on a registered instance.

use std::os::fd::AsRawFd;

use zcrx_sys::ring::{Ring, RingFd};
use zcrx_sys::uapi::{self, zcrx_ctrl};
use zcrx_sys::zcrx::{Area, Device, Ifq, IfqBuilder, Notification};
use zcrx_sys::{Errno, Error};

use crate::area::area_of;
use crate::common::dmabuf::udmabuf;
use crate::common::nic::Nic;
use crate::common::streams::MIB;
use crate::common::{kernel, skip};
use crate::memory::Memory;
use crate::raw::{self, RawRing};
use crate::{assert_names, assert_receives, new_ring, on_queue};

/// An instance without a device, or `None` after saying that this kernel has none.
fn instance(ring: &Ring) -> Option<Ifq> {
    match Ifq::builder(Device::None).register(ring.as_ring_fd(), Area::new(MIB).unwrap()) {
        Ok(ifq) => Some(ifq),
        Err(error) => {
            let may_not_ask = error.errno() == Some(Errno::PERM) && !crate::common::is_root();
            skip(if may_not_ask { (u32::MAX, 0) } else { (7, 1) }, &error);
            None
        }
    }
}

/// The operations that this kernel has, under the names that their errors give them.
fn operations(ifq: &mut Ifq) -> Vec<(&'static str, Result<(), Error>)> {
    let mut operations = vec![
        ("flush the refill ring", ifq.flush()),
        ("export the instance", ifq.export().map(drop)),
    ];
    if kernel() >= (7, 2) {
        operations.push((
            "arm a notification",
            ifq.arm(Notification::Copied).map(drop),
        ));
    }
    if kernel() >= (7, 3) {
        operations.push(("add an area", ifq.add_area(Area::new(MIB).unwrap())));
    }
    operations
}

#[test]
fn control_on_another_thread() {
    let ring = new_ring();
    let Some(mut ifq) = instance(&ring) else {
        return;
    };
    let elsewhere = std::thread::spawn(move || (operations(&mut ifq), ifq));
    let (operations, mut ifq) = elsewhere.join().unwrap();
    for (what, done) in operations {
        let error = done.expect_err("it was to be refused");
        assert_names(
            &error,
            Errno::EXIST,
            &[what, "the thread that enabled the ring"],
        );
    }
    let export = ifq.export().unwrap();
    let other = new_ring();
    let (fd, flags) = (other.as_raw_fd(), other.setup_flags());
    std::thread::scope(|scope| {
        let imported = scope.spawn(|| {
            // SAFETY: the descriptor is that of a ring set up with these flags; it outlives the thread.
            export
                .import(unsafe { RingFd::from_raw(fd, flags) })
                .map(drop)
        });
        let error = imported.join().unwrap().expect_err("it was to be refused");
        assert_names(
            &error,
            Errno::EXIST,
            &["import", "the thread that enabled the ring"],
        );
    });
    export.import(other.as_ring_fd()).unwrap().flush().unwrap();
}

#[test]
fn control_that_restrictions_forbid() {
    let Some(nic) = Nic::claim() else { return };
    let ring = RawRing::restricted_to(&[uapi::IORING_REGISTER_ZCRX_IFQ]);
    let mut ifq = on_queue(&nic)
        .register(ring.as_ring_fd(), Area::new(MIB).unwrap())
        .unwrap();
    for (what, done) in operations(&mut ifq) {
        assert_names(
            &done.expect_err("it was to be refused"),
            Errno::ACCES,
            &[what, "restrictions"],
        );
    }
}

#[test]
fn areas_that_cannot_be_added() {
    if kernel() < (7, 3) {
        return skip((7, 3), &"no further areas");
    }
    let Some(nic) = Nic::claim() else { return };
    let ring = new_ring();
    let register = |builder: IfqBuilder| {
        builder
            .register(ring.as_ring_fd(), Area::huge_pages(2 * MIB).unwrap())
            .unwrap()
    };
    let ifq = register(on_queue(&nic).chunk_len(16384));
    let (read_only, scattered) = (Memory::new(MIB).read_only(), Memory::scattered(256));
    let refusal = |memory: &Memory| {
        ifq.add_area(area_of(memory))
            .expect_err("it was to be refused")
    };
    assert_names(
        &refusal(&read_only),
        Errno::FAULT,
        &["add an area", "area bytes 1048576", "cannot be pinned"],
    );
    assert_names(
        &refusal(&scattered),
        Errno::RANGE,
        &["add an area", "area bytes 1048576", "contiguous"],
    );
    // Good ones can be added all the same.
    ifq.add_area(Area::huge_pages(2 * MIB).unwrap()).unwrap();
    assert_eq!(ifq.areas(), 2);
    // When the card is gone, there is nothing to add them for.
    nic.control("remove", "snic0");
    let error = ifq.add_area(Area::huge_pages(2 * MIB).unwrap());
    assert_names(
        &error.expect_err("it was to be refused"),
        Errno::FAULT,
        &["add an area", "device is gone"],
    );
    drop((ifq, ring, nic));
    assert_receives(&Nic::claim().expect("the card is put back"));
}

#[test]
fn a_dmabuf_of_another_length_that_cannot_be_added() {
    if kernel() < (7, 3) {
        return skip((7, 3), &"no further areas");
    }
    let Some(nic) = Nic::claim() else { return };
    let ring = new_ring();
    // SAFETY: nobody but this area has the buffer, which is memory that devices see as the CPU does.
    let buffer = |made, said| unsafe { Area::dmabuf(udmabuf(made), said) }.unwrap();
    let ifq = on_queue(&nic)
        .register(ring.as_ring_fd(), buffer(MIB, MIB))
        .unwrap();
    let error = ifq
        .add_area(buffer(2 * MIB, MIB))
        .expect_err("it was to be refused");
    let parts = ["add an area", "area bytes 1048576", "dmabuf"];
    assert_names(&error, Errno::INVAL, &parts);
    ifq.add_area(buffer(2 * MIB, 2 * MIB)).unwrap();
}

/// What the causes of control operations are mapped from. The crate leaves no way to make these mistakes.
#[test]
fn the_kernel_answers_mistakes_as_the_causes_say() {
    let ring = new_ring();
    let Some(ifq) = instance(&ring) else { return };
    let ask = |mut ctrl: zcrx_ctrl| {
        let at = std::ptr::from_mut(&mut ctrl).cast();
        // SAFETY: a live, exclusively borrowed zcrx_ctrl; none of those below names other memory that is written.
        unsafe { raw::register(ring.as_raw_fd(), uapi::IORING_REGISTER_ZCRX_CTRL, at, 0) }
    };
    let good = zcrx_ctrl {
        zcrx_id: ifq.zcrx_id(),
        op: uapi::ZCRX_CTRL_FLUSH_RQ,
        ..Default::default()
    };
    assert_eq!(ask(good), Ok(()));
    let unknown_id = zcrx_ctrl {
        zcrx_id: 99,
        ..good
    };
    assert_eq!(ask(unknown_id), Err(Errno::NXIO));
    let unknown_operation = zcrx_ctrl { op: 99, ..good };
    assert_eq!(ask(unknown_operation), Err(Errno::OPNOTSUPP));
    let reserved = zcrx_ctrl {
        __resv: [0, 1],
        ..good
    };
    assert_eq!(ask(reserved), Err(Errno::FAULT));
    if kernel() < (7, 2) {
        return skip((7, 2), &"no events");
    }
    let mut not_fired = zcrx_ctrl {
        op: uapi::ZCRX_CTRL_ARM_EVENT,
        ..good
    };
    not_fired.__bindgen_anon_1.zc_arm_event = uapi::zcrx_ctrl_arm_event {
        event_type: uapi::ZCRX_EVENT_COPY,
        ..Default::default()
    };
    assert_eq!(ask(not_fired), Err(Errno::INVAL));
    if kernel() < (7, 3) {
        return skip((7, 3), &"no further areas");
    }
    let mut area = uapi::io_uring_zcrx_area_reg {
        len: 4096,
        ..Default::default()
    };
    let mut no_memory = zcrx_ctrl {
        op: uapi::ZCRX_CTRL_ADD_AREA,
        ..good
    };
    no_memory.__bindgen_anon_1.zc_area = uapi::zcrx_ctrl_add_area {
        area_ptr: std::ptr::from_mut(&mut area) as usize as u64,
        ..Default::default()
    };
    assert_eq!(ask(no_memory), Err(Errno::FAULT));
}
