//! The attempts, one per row.

use std::io::Write;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::thread::JoinHandle;
use std::time::Duration;

use zcrx_sys::recv::{End, Pages, Receiver, ReceiverBuilder, Source};
use zcrx_sys::ring::{
    mixed_completions_are_sound, BusyPoll, CqeLayout, NapiTracking, Ring, RingBuilder, Sqe,
};
use zcrx_sys::uapi::{ZCRX_CTRL_ADD_AREA, ZCRX_CTRL_EXPORT, ZCRX_CTRL_FLUSH_RQ};
use zcrx_sys::zcrx::{
    interface_index, Area, Device, Ifq, IfqBuilder, NotData, Notification, RefillRegion, Support,
    HUGE_PAGE,
};
use zcrx_sys::Error;

use super::common::nic::{Nic, V4};
use super::common::streams::{
    assert_placed, receiver, sender, transfer, Streams, MIB, PORT, QUEUE,
};
use super::common::{self, kernel};
use super::row::{Attempt, Outcome::*};

/// What loopback stream there is to receive.
const LEN: usize = 200_000;
const SEED: u64 = 11;

pub(super) fn provided_buffers() -> Attempt {
    receive_by_receiver(Receiver::builder().source(Source::Buffers))
}

pub(super) fn wide_completions() -> Attempt {
    let mut ring = RingBuilder::new(1).layout(CqeLayout::Wide).build()?;
    ring.push(Sqe::nop()).unwrap();
    let _ = ring.submit_and_wait(1)?;
    let cqe = ring.completions().next().unwrap().unwrap();
    assert!(cqe.extra().is_some());
    Ok(Works)
}

/// Where the kernel repeats completions, a ring that has them is refused for buffers.
pub(super) fn mixed_completions() -> Attempt {
    let builder = Receiver::builder().layout(CqeLayout::Mixed);
    let outcome = receive_by_receiver(builder.source(Source::Buffers));
    assert_eq!(outcome.is_ok(), mixed_completions_are_sound());
    outcome
}

pub(super) fn interface_queue() -> Attempt {
    refused_on_loopback_before((6, 15), |queue| queue)?;
    let Some(nic) = Nic::claim() else {
        return Ok(NotTried);
    };
    receive_on(&nic, Receiver::builder());
    Ok(Works)
}

pub(super) fn kernels_refill_region() -> Attempt {
    refused_on_loopback_before((6, 15), |queue| queue.refill_region(RefillRegion::Kernel))?;
    if !has_instances() {
        return Ok(NotTried);
    }
    let builder = Receiver::builder().refill_region(RefillRegion::Kernel);
    receive_by_receiver(builder.source(Source::NoDevice))
}

pub(super) fn several_instances() -> Attempt {
    refused_on_loopback_before((6, 15), |queue| queue)?;
    if !has_instances() {
        return Ok(NotTried);
    }
    let mut ring = RingBuilder::new(8).completion_entries(1024).build()?;
    let mut ifqs = [instance(&ring)?, instance(&ring)?];
    for ifq in &mut ifqs {
        let (sender, incoming) = loopback_stream();
        receive(&mut ring, ifq, &incoming, SEED, LEN);
        sender.join().unwrap();
    }
    Ok(Works)
}

/// The kernel cannot copy into a dmabuf, so bytes that arrive were put there by the NIC.
pub(super) fn dmabuf_area() -> Attempt {
    refused_on_loopback_before((6, 15), |queue| queue)?;
    let Some(nic) = Nic::claim() else {
        return Ok(NotTried);
    };
    let mut ring = RingBuilder::new(8).completion_entries(4096).build()?;
    let device = Device::Queue {
        interface: nic.index(),
        queue: QUEUE,
    };
    let buffer = common::dmabuf::udmabuf(8 * MIB);
    // SAFETY: nobody but this area has the buffer, which is memory that devices see as the CPU does.
    let area = unsafe { Area::dmabuf(buffer, 8 * MIB) }?;
    let mut ifq = Ifq::builder(device).register(ring.as_ring_fd(), area)?;
    nic.steer(PORT, QUEUE);
    let listener = std::net::TcpListener::bind((V4, PORT)).unwrap();
    let sender = sender(V4, 1, MIB);
    let (incoming, peer) = listener.accept().unwrap();
    receive(&mut ring, &mut ifq, &incoming, u64::from(peer.port()), MIB);
    sender.join().unwrap().unwrap();
    Ok(Works)
}

pub(super) fn query() -> Attempt {
    Ok(match Support::query().opcodes() {
        Some(_) => Works,
        None => Claimed(false),
    })
}

pub(super) fn query_zcrx() -> Attempt {
    Ok(match Support::query().zcrx() {
        Some(_) => Works,
        None => Claimed(false),
    })
}

pub(super) fn flush() -> Attempt {
    let claimed = Support::query().has_control(ZCRX_CTRL_FLUSH_RQ);
    if !claimed || !has_instances() {
        return Ok(Claimed(claimed));
    }
    let mut ring = RingBuilder::new(8).completion_entries(1024).build()?;
    let mut ifq = instance(&ring)?;
    let (sender, incoming) = loopback_stream();
    receive(&mut ring, &mut ifq, &incoming, SEED, LEN);
    sender.join().unwrap();
    assert_ne!(ifq.unconsumed(), 0, "there is something to flush");
    ifq.flush()?;
    assert_eq!(ifq.unconsumed(), 0, "a flush consumes everything");
    Ok(Works)
}

pub(super) fn large_chunks() -> Attempt {
    refused_on_loopback_before((7, 0), |queue| queue.chunk_len(2 * PAGE as u32))?;
    let Some(nic) = Nic::claim() else {
        return Ok(Claimed(Support::query().has_large_chunks()));
    };
    nic.mtu(9000);
    let builder = Receiver::builder().pages(Pages::Huge).area_len(16 * MIB);
    receive_on(&nic, builder.chunk_len(32 << 10));
    Ok(Works)
}

pub(super) fn no_device() -> Attempt {
    receive_by_receiver(Receiver::builder().source(Source::NoDevice))
}

pub(super) fn statistics() -> Attempt {
    let claimed = Support::query().has_statistics();
    if !claimed || !has_instances() {
        return Ok(Claimed(claimed));
    }
    let mut ring = RingBuilder::new(8).completion_entries(1024).build()?;
    let mut ifq = instance(&ring)?;
    let (sender, incoming) = loopback_stream();
    receive(&mut ring, &mut ifq, &incoming, SEED, LEN);
    sender.join().unwrap();
    // Without a device all is copied, of which fragments are counted.
    let copies = ifq.copies().expect("claimed");
    assert!(copies.fragments > 0 && copies.bytes > 0, "{copies:?}");
    Ok(Works)
}

pub(super) fn sharing() -> Attempt {
    let claimed = Support::query().has_control(ZCRX_CTRL_EXPORT);
    if !claimed || !has_instances() {
        return Ok(Claimed(claimed));
    }
    let mut first = Receiver::builder().source(Source::NoDevice).build()?;
    let export = first.export()?;
    let second = Receiver::builder().import(&export)?;
    drop(first);
    receive_all(second)
}

/// On the NIC that has them delivered, if there is one.
pub(super) fn notifications() -> Attempt {
    let Some(nic) = Nic::claim().filter(|_| kernel() >= (7, 2)) else {
        if kernel() >= (7, 1) {
            let ring = RingBuilder::new(8).build()?;
            Ifq::builder(Device::None)
                .notifications(1)
                .register(ring.as_ring_fd(), Area::new(PAGE)?)?;
            return Ok(Claimed(true));
        }
        return Ok(Claimed(Support::query().has_notifications()));
    };
    let mut receiver = receiver(&nic, Receiver::builder().area_len(4 * MIB), V4);
    // Payload in memory of a queue without a provider has to be copied.
    nic.fault("foreign", "every 3");
    nic.fault("foreign_from", "0");
    let sender = sender(V4, 1, MIB);
    let mut streams = Streams::default();
    streams.run(&mut receiver, |streams| streams.ended.len() == 1);
    sender.join().unwrap().unwrap();
    assert!(streams.notified.contains(&Notification::Copied));
    Ok(Works)
}

pub(super) fn several_areas() -> Attempt {
    let claimed = Support::query().has_control(ZCRX_CTRL_ADD_AREA);
    if !claimed || !has_instances() {
        return Ok(Claimed(claimed));
    }
    let mut ring = RingBuilder::new(8).completion_entries(1024).build()?;
    let mut ifq = Ifq::builder(Device::None).register(ring.as_ring_fd(), Area::new(PAGE)?)?;
    ifq.add_area(Area::new(256 * PAGE)?)?;
    let (sender, incoming) = loopback_stream();
    receive(&mut ring, &mut ifq, &incoming, SEED, LEN);
    sender.join().unwrap();
    Ok(Works)
}

pub(super) fn transparent_huge_pages() -> Attempt {
    assert_eq!(
        Area::transparent_huge_pages(2 * HUGE_PAGE)?.len(),
        2 * HUGE_PAGE
    );
    Ok(Works)
}

pub(super) fn busy_polling() -> Attempt {
    let ring = RingBuilder::new(8).build()?;
    let wanted = BusyPoll {
        timeout: Duration::from_micros(50),
        prefer: false,
        tracking: NapiTracking::Dynamic,
    };
    ring.busy_poll(wanted)?;
    ring.stop_busy_poll()?;
    Ok(Works)
}

pub(super) fn batches() -> Attempt {
    let mut ring = RingBuilder::new(8).build()?;
    for _ in 0..2 {
        ring.push(Sqe::nop()).unwrap();
    }
    let (min_wait, timeout) = (Duration::from_millis(1), Some(Duration::from_secs(20)));
    let _ = ring.submit_and_wait_batch(2, min_wait, timeout)?;
    assert_eq!(ring.completions().count(), 2);
    Ok(Works)
}

const PAGE: usize = 4096;

/// What the kernel refuses an instance with that it could have if loopback were a NIC; nothing from `release`
/// on, where it would be refused for being loopback.
fn refused_on_loopback_before(
    release: (u32, u32),
    options: impl FnOnce(IfqBuilder) -> IfqBuilder,
) -> Result<(), Error> {
    if kernel() >= release {
        return Ok(());
    }
    let ring = RingBuilder::new(1).build()?;
    let device = Device::Queue {
        interface: interface_index("lo")?,
        queue: 0,
    };
    let area = Area::new(2 * PAGE)?;
    options(Ifq::builder(device)).register(ring.as_ring_fd(), area)?;
    panic!("loopback has no queue for this");
}

/// Whether an instance can be had without a NIC, or says that it cannot.
fn has_instances() -> bool {
    let has = kernel() >= (7, 1);
    if !has {
        common::skip((7, 1), &"an instance without a NIC needs kernel 7.1");
    }
    has
}

/// An instance without a device, on `ring`.
fn instance(ring: &Ring) -> Result<Ifq, Error> {
    Ifq::builder(Device::None).register(ring.as_ring_fd(), Area::new(256 * PAGE)?)
}

/// A connection over loopback through which stream `SEED` comes.
fn loopback_stream() -> (JoinHandle<()>, TcpStream) {
    let (mut out, incoming) = common::pair();
    let send = move || out.write_all(&common::stream(SEED, LEN)).unwrap();
    (std::thread::spawn(send), incoming)
}

fn receive_by_receiver(builder: ReceiverBuilder) -> Attempt {
    receive_all(builder.build()?)
}

/// Receives a stream over loopback to its end.
fn receive_all(mut receiver: Receiver) -> Attempt {
    let (sender, incoming) = loopback_stream();
    let mut streams = Streams::default();
    streams
        .open
        .insert(receiver.add(incoming).unwrap(), (SEED, 0));
    streams.run(&mut receiver, |streams| !streams.ended.is_empty());
    assert_eq!(streams.ended, [(End::Eof, LEN as u64)]);
    sender.join().unwrap();
    Ok(Works)
}

/// Receives a stream from the other end of the NIC's cable, and sees that nothing was copied.
fn receive_on(nic: &Nic, builder: ReceiverBuilder) {
    let before = nic.counters(QUEUE);
    let mut receiver = receiver(nic, builder, V4);
    transfer(&mut receiver, V4, 1, MIB);
    assert_placed(nic, &before, MIB as u64);
}

/// Receives stream `seed` of `len` bytes to its end, into an area that holds all of it.
fn receive(ring: &mut Ring, ifq: &mut Ifq, socket: &TcpStream, seed: u64, len: usize) {
    ring.push(Sqe::recv_zc(socket.as_raw_fd(), ifq.zcrx_id(), 0))
        .unwrap();
    let mut position = 0;
    loop {
        let _ = ring.submit_and_wait(1).unwrap();
        for cqe in ring.completions() {
            let cqe = cqe.unwrap();
            // SAFETY: the completion is that of the only request, for this instance; taken once.
            match unsafe { ifq.take(&cqe) } {
                Ok(chunk) => {
                    assert!(common::is_piece(seed, position, ifq.bytes(&chunk)));
                    position += u64::from(chunk.len());
                    ifq.recycle(chunk).unwrap();
                }
                Err(NotData::Terminal) => {
                    assert_eq!((cqe.result(), position), (Ok(0), len as u64));
                    return ifq.publish();
                }
                Err(other) => panic!("{other}"),
            }
        }
        ifq.publish();
    }
}
