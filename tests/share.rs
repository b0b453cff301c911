//! One instance on several rings: export, import, and the refill ring that they share.

use std::collections::VecDeque;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::time::Duration;

use zcrx_sys::recv::{Event, Receiver, Source, Wait};
use zcrx_sys::ring::{CqeLayout, Ring, RingBuilder, Sqe};
use zcrx_sys::zcrx::{Area, Chunk, Device, Export, Ifq, NotData, Unreturned};
use zcrx_sys::Errno;

mod common;

const PAGE: usize = 4096;
/// What cancellations carry; requests carry 0.
const CANCEL: u64 = 1;

fn ring() -> Option<Ring> {
    common::ring(
        &RingBuilder::new(8)
            .completion_entries(1024)
            .layout(CqeLayout::Wide),
    )
}

/// An instance without a device; or says why it cannot be had.
fn instance(ring: &Ring, pages: usize, refill_entries: u32) -> Option<Ifq> {
    if common::kernel() < (7, 1) {
        common::skip((7, 1), &"no zero-copy receive without a device");
        return None;
    }
    let builder = Ifq::builder(Device::None).refill_entries(refill_entries);
    match builder.register(ring.as_ring_fd(), Area::new(pages * PAGE).unwrap()) {
        Ok(ifq) => Some(ifq),
        Err(error) => {
            common::skip((7, 1), &error);
            None
        }
    }
}

/// Receives all of stream `seed`, `len` bytes, and checks it. Chunks go through `give_back`, which is also called
/// now and then without one. A request of which nothing is heard is started again: before 7.3 it may have stalled.
fn receive(
    ring: &mut Ring,
    ifq: &mut Ifq,
    incoming: &TcpStream,
    seed: u64,
    len: u64,
    mut give_back: impl FnMut(&mut Ifq, Option<Chunk>),
) {
    let arm = |ifq: &Ifq| Sqe::recv_zc(incoming.as_raw_fd(), ifq.zcrx_id(), 0);
    ring.push(arm(ifq)).unwrap();
    let (mut position, mut silent) = (0, 0);
    loop {
        let _ = ring
            .submit_and_wait_for(1, Duration::from_millis(5))
            .unwrap();
        let cqes: Vec<_> = ring.completions().map(|cqe| cqe.unwrap()).collect();
        silent = if cqes.is_empty() { silent + 1 } else { 0 };
        if silent == 20 {
            ring.push(Sqe::cancel(0).user_data(CANCEL)).unwrap();
            silent = 0;
        }
        let mut paused = false;
        for cqe in cqes.into_iter().filter(|cqe| cqe.user_data() != CANCEL) {
            // SAFETY: the completion is that of the only request, for this instance; taken once.
            match unsafe { ifq.take(&cqe) } {
                Ok(chunk) => {
                    assert!(common::is_piece(seed, position, ifq.bytes(&chunk)));
                    position += u64::from(chunk.len());
                    give_back(ifq, Some(chunk));
                }
                Err(NotData::Terminal) => match cqe.result() {
                    Ok(_) => {
                        assert_eq!(position, len);
                        return;
                    }
                    Err(Errno::NOMEM | Errno::NOSPC | Errno::CANCELED) => paused = true,
                    Err(other) => panic!("{other}"),
                },
                Err(other) => panic!("{other}"),
            }
        }
        give_back(ifq, None);
        ifq.publish();
        ifq.flush().unwrap();
        if paused {
            ring.flush_overflow().unwrap();
            ring.push(arm(ifq)).unwrap();
        }
    }
}

fn recycle<C: Into<Option<Chunk>>>(ifq: &mut Ifq, chunk: C) {
    let Some(chunk) = chunk.into() else { return };
    if let Err(full) = ifq.recycle(chunk) {
        assert!(matches!(full, Unreturned::Full(_)), "{full}");
        ifq.publish();
        ifq.flush().unwrap();
        ifq.recycle(full.into_chunk()).unwrap();
    }
}

/// Shows the kernel everything that was returned, a ringful at a time.
fn publish_all(ifq: &mut Ifq) {
    ifq.publish();
    while ifq.unpublished() > 0 {
        ifq.flush().unwrap();
        ifq.publish();
    }
    ifq.flush().unwrap();
}

fn stream(seed: u64, len: usize) -> (std::thread::JoinHandle<()>, TcpStream) {
    let (mut out, incoming) = common::pair();
    let sender = std::thread::spawn(move || out.write_all(&common::stream(seed, len)).unwrap());
    (sender, incoming)
}

#[test]
fn several_threads_receive_into_one_area_and_return_each_others_chunks() {
    let Some(mut first) = ring() else { return };
    let Some(mut ifq) = instance(&first, 64, 16) else {
        return;
    };
    let export = ifq.export().unwrap();
    const LEN: usize = 8 << 20;
    const ENDS: u64 = 3;
    // Each end gives every other chunk to the next one to return.
    let (gives, takes): (Vec<_>, VecDeque<_>) =
        (0..=ENDS).map(|_| mpsc::channel::<Chunk>()).unzip();
    let work = |ring: &mut Ring,
                ifq: &mut Ifq,
                seed: u64,
                give: &mpsc::Sender<Chunk>,
                take: &mpsc::Receiver<Chunk>| {
        let (sender, incoming) = stream(seed, LEN);
        let mut count = 0;
        receive(ring, ifq, &incoming, seed, LEN as u64, |ifq, chunk| {
            count += 1;
            match chunk {
                Some(chunk) if count % 2 == 0 => recycle(ifq, chunk),
                Some(chunk) => {
                    if let Err(mpsc::SendError(chunk)) = give.send(chunk) {
                        recycle(ifq, chunk);
                    }
                }
                None => {}
            }
            while let Ok(chunk) = take.try_recv() {
                recycle(ifq, chunk);
            }
        });
        ifq.publish();
        sender.join().unwrap();
    };
    std::thread::scope(|scope| {
        let mut takes = takes;
        let own = takes.pop_front().unwrap();
        for (seed, take) in (1..=ENDS).zip(takes) {
            let (export, gives, work) = (&export, gives.clone(), &work);
            scope.spawn(move || {
                let mut ring = ring().unwrap();
                let mut ifq = export.import(ring.as_ring_fd()).unwrap();
                let next = ((seed + 1) % (ENDS + 1)) as usize;
                work(&mut ring, &mut ifq, seed, &gives[next], &take);
                drop(gives);
                // What others have left here, until all of them have ended.
                for chunk in take {
                    recycle(&mut ifq, chunk);
                    publish_all(&mut ifq);
                }
            });
        }
        work(&mut first, &mut ifq, 0, &gives[1], &own);
        drop(gives);
        for chunk in own {
            recycle(&mut ifq, chunk);
            publish_all(&mut ifq);
        }
    });
    // All chunks are back: the whole area can be received into again, and nothing else can.
    publish_all(&mut ifq);
    let (mut out, incoming) = common::pair();
    let mut held = Vec::new();
    first
        .push(Sqe::recv_zc(incoming.as_raw_fd(), ifq.zcrx_id(), 0))
        .unwrap();
    'fill: loop {
        out.write_all(&[7; PAGE]).unwrap();
        let _ = first.submit_and_wait(1).unwrap();
        for cqe in first.completions() {
            let cqe = cqe.unwrap();
            // SAFETY: the completion is that of the only request, for this instance; taken once.
            match unsafe { ifq.take(&cqe) } {
                Ok(chunk) => held.push(chunk),
                Err(_) => {
                    assert_eq!(cqe.result(), Err(Errno::NOMEM));
                    break 'fill;
                }
            }
        }
    }
    let mut pages: Vec<_> = held
        .iter()
        .map(|chunk| chunk.offset().within() / PAGE as u64)
        .collect();
    pages.sort_unstable();
    pages.dedup();
    assert_eq!(pages.len(), 64, "a chunk was never returned");
}

#[test]
fn an_importer_goes_on_when_the_first_ring_is_gone() {
    let Some(first) = ring() else { return };
    let Some(mut ifq) = instance(&first, 16, 64) else {
        return;
    };
    let mut second = ring().unwrap();
    let export = ifq.export().unwrap();
    let mut imported = export.import(second.as_ring_fd()).unwrap();
    assert_eq!(imported.chunk_len(), ifq.chunk_len());
    assert_eq!(imported.refill_entries(), 64);
    drop((export, ifq, first));
    let (sender, incoming) = stream(9, 1 << 20);
    receive(
        &mut second,
        &mut imported,
        &incoming,
        9,
        1 << 20,
        recycle::<Option<Chunk>>,
    );
    sender.join().unwrap();
}

#[test]
fn an_export_by_itself_keeps_the_instance() {
    let Some(first) = ring() else { return };
    let Some(mut ifq) = instance(&first, 16, 64) else {
        return;
    };
    let export = ifq.export().unwrap();
    drop((ifq, first));
    let mut second = ring().unwrap();
    let mut imported = export.import(second.as_ring_fd()).unwrap();
    let (sender, incoming) = stream(4, 1 << 20);
    receive(
        &mut second,
        &mut imported,
        &incoming,
        4,
        1 << 20,
        recycle::<Option<Chunk>>,
    );
    sender.join().unwrap();
}

#[test]
fn an_area_that_one_end_adds_is_everybodys() {
    if common::kernel() < (7, 3) {
        return common::skip((7, 3), &"this kernel cannot add areas");
    }
    let Some(first) = ring() else { return };
    let Some(mut ifq) = instance(&first, 1, 64) else {
        return;
    };
    let export: Export = ifq.export().unwrap();
    let mut second = ring().unwrap();
    let imported = export.import(second.as_ring_fd()).unwrap();
    ifq.add_area(Area::new(PAGE).unwrap()).unwrap();
    assert_eq!(
        (imported.areas(), imported.area_len()),
        (2, 2 * PAGE as u64)
    );
    let (mut out, incoming) = common::pair();
    second
        .push(Sqe::recv_zc(incoming.as_raw_fd(), imported.zcrx_id(), 0))
        .unwrap();
    let mut ids = Vec::new();
    for n in 0..2 {
        out.write_all(&[n; PAGE]).unwrap();
        let mut position = 0;
        while position < PAGE {
            let _ = second.submit_and_wait(1).unwrap();
            for cqe in second.completions() {
                // SAFETY: the completion is that of the only request, for this instance; taken once.
                let chunk = unsafe { imported.take(&cqe.unwrap()) }.unwrap();
                assert!(imported.bytes(&chunk).iter().all(|&byte| byte == n));
                position += chunk.len() as usize;
                ids.push(chunk.offset().area_id());
            }
        }
    }
    assert!(ids.contains(&0) && ids.contains(&1), "{ids:?}");
}

#[test]
fn a_full_shared_ring_hands_the_chunk_back() {
    let Some(mut ring) = ring() else { return };
    let Some(mut ifq) = instance(&ring, 128, 1) else {
        return;
    };
    let _export = ifq.export().unwrap();
    let (mut out, incoming) = common::pair();
    ring.push(Sqe::recv_zc(incoming.as_raw_fd(), ifq.zcrx_id(), 0))
        .unwrap();
    let mut full = None;
    for returned in 0.. {
        out.write_all(b"x").unwrap();
        let _ = ring.submit_and_wait(1).unwrap();
        let cqe = ring.completions().next().unwrap().unwrap();
        // SAFETY: the completion is that of the only request, for this instance; taken once.
        let chunk = unsafe { ifq.take(&cqe) }.unwrap();
        if let Err(error) = ifq.recycle(chunk) {
            assert!(returned > 1, "one in the ring, some on the way: {returned}");
            full = Some(error);
            break;
        }
    }
    let full = full.unwrap();
    assert!(matches!(full, Unreturned::Full(_)), "{full}");
    // The ring has room for one, and whoever publishes learns that others stay behind.
    ifq.publish();
    let behind = ifq.unpublished();
    assert_ne!(behind, 0);
    ifq.flush().unwrap();
    ifq.publish();
    assert_eq!(ifq.unpublished(), behind - 1);
    ifq.recycle(full.into_chunk()).unwrap();
}

#[test]
fn what_cannot_be_imported_is_refused_with_the_reason() {
    let Some(first) = ring() else { return };
    let Some(mut ifq) = instance(&first, 1, 1) else {
        return;
    };
    let export = ifq.export().unwrap();
    let narrow = RingBuilder::new(8)
        .layout(CqeLayout::Narrow)
        .build()
        .unwrap();
    let error = export.import(narrow.as_ring_fd()).unwrap_err();
    assert!(
        error.to_string().contains("mixed or the wide layout"),
        "{error}"
    );
    std::thread::scope(|scope| {
        let without_rights = scope.spawn(|| {
            let ring = ring().unwrap();
            common::drop_capability(common::CAP_NET_ADMIN);
            export.import(ring.as_ring_fd()).unwrap_err()
        });
        let error = without_rights.join().unwrap();
        assert_eq!(error.errno(), Some(Errno::PERM));
        assert!(
            error.to_string().contains("setcap cap_net_admin+ep"),
            "{error}"
        );
    });
}

#[test]
fn receivers_take_back_each_others_chunks() {
    let Some(mut first) =
        common::receiver(Receiver::builder().area_len(4 * PAGE), Source::NoDevice)
    else {
        return;
    };
    let export = first.export().unwrap();
    let mut second = Receiver::builder().import(&export).unwrap();
    let (mut out, incoming) = common::pair();
    first.add(incoming).unwrap();
    // Three times as much as the area holds.
    for n in 0..12 {
        out.write_all(&[n; PAGE]).unwrap();
        let mut received = 0;
        while received < PAGE {
            let _ = first.wait(Some(Duration::from_secs(20))).unwrap();
            while let Some(event) = first.next_event() {
                let Event::Data { chunk, .. } = event else {
                    panic!("{event:?}")
                };
                // Whichever of them reads it, the bytes are the same.
                assert!(second.bytes(&chunk).iter().all(|&byte| byte == n));
                received += chunk.len() as usize;
                second.recycle(chunk).unwrap();
            }
            assert_eq!(second.wait(Some(Duration::ZERO)).unwrap(), Wait::TimedOut);
        }
    }
    assert_eq!(second.counters().outstanding, 0);
}
