//! Refusals that lie in the area's memory.

use std::fs::File;
use std::os::fd::OwnedFd;

use zcrx_sys::zcrx::{Area, Device, Ifq, IfqBuilder};
use zcrx_sys::{Errno, Error, Fd};

use crate::common::dmabuf::udmabuf;
use crate::common::nic::Nic;
use crate::common::streams::MIB;
use crate::common::{kernel, skip};
use crate::memory::{Memory, PAGE};
use crate::{assert_names, assert_receives, new_ring, on_queue};

/// The area that this memory is, or would be if it were any good.
pub(crate) fn area_of(memory: &Memory) -> Area {
    // SAFETY: the memory is the test's own, and outlives every ring that the area is registered with. Where it
    // cannot be read it is not registered, so that nobody does.
    unsafe { Area::from_raw_parts(memory.start(), memory.len()) }.unwrap()
}

/// What registering this memory is refused with.
fn refusal_of(builder: IfqBuilder, memory: &Memory) -> Error {
    let registered = builder.register(new_ring().as_ring_fd(), area_of(memory));
    registered.expect_err("it was to be refused")
}

/// A file in memory that is no dmabuf.
fn no_dmabuf(len: usize) -> Fd {
    let path = std::env::temp_dir().join("no-dmabuf");
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .unwrap();
    file.set_len(len as u64).unwrap();
    OwnedFd::from(file).into()
}

#[test]
fn memory_that_cannot_be_pinned() {
    let Some(nic) = Nic::claim() else { return };
    let parts = ["cannot be pinned", "Area::new"];
    for memory in [
        Memory::new(MIB).inaccessible(),
        Memory::scattered(256).read_only(),
    ] {
        assert_names(&refusal_of(on_queue(&nic), &memory), Errno::FAULT, &parts);
    }
    assert_receives(&nic);
}

#[test]
fn memory_that_is_not_contiguous() {
    let Some(nic) = Nic::claim() else { return };
    let memory = Memory::scattered(256);
    for chunk_len in [2 * PAGE as u32, 16384, MIB as u32] {
        assert_names(
            &refusal_of(on_queue(&nic).chunk_len(chunk_len), &memory),
            Errno::RANGE,
            &["contiguous", "huge pages"],
        );
    }
    // The remedies work: chunks of a page, or huge pages.
    let ring = new_ring();
    let area = area_of(&memory);
    drop(on_queue(&nic).register(ring.as_ring_fd(), area).unwrap());
    drop(ring);
    nic.wait_for_queues();
    let ring = new_ring();
    let area = Area::huge_pages(2 * MIB).unwrap();
    let ifq = on_queue(&nic)
        .chunk_len(16384)
        .register(ring.as_ring_fd(), area)
        .unwrap();
    assert_eq!(ifq.chunk_len(), 16384);
    drop((ifq, ring));
    nic.wait_for_queues();
    assert_receives(&nic);
}

#[test]
fn a_dmabuf_of_another_length() {
    let Some(nic) = Nic::claim() else { return };
    let refusal = |fd, len| {
        // SAFETY: nobody but this area has the buffer, which is memory that devices see as the CPU does.
        let area = unsafe { Area::dmabuf(fd, len) }.unwrap();
        let registered = on_queue(&nic).register(new_ring().as_ring_fd(), area);
        registered.expect_err("it was to be refused")
    };
    assert_names(
        &refusal(udmabuf(2 * MIB), MIB),
        Errno::INVAL,
        &["area bytes 1048576", "dmabuf"],
    );
    // What can be mapped, but is no dmabuf.
    assert_names(
        &refusal(no_dmabuf(MIB), MIB),
        Errno::INVAL,
        &["area bytes 1048576", "dmabuf"],
    );
    assert_receives(&nic);
}

#[test]
fn chunks_other_than_a_page_without_a_device() {
    let ring = new_ring();
    if kernel() < (7, 1) {
        return skip((7, 1), &"no zero-copy receive without a device");
    }
    let register =
        |builder: IfqBuilder| builder.register(ring.as_ring_fd(), Area::new(MIB).unwrap());
    let error = register(Ifq::builder(Device::None).chunk_len(16384));
    assert_names(
        &error.expect_err("it was to be refused"),
        Errno::OPNOTSUPP,
        &["leave the chunk length out"],
    );
    assert_eq!(
        register(Ifq::builder(Device::None)).unwrap().chunk_len() as usize,
        PAGE
    );
}
