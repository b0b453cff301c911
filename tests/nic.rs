//! The real zero-copy path: a queue of the software NIC (tests/lab/nic), driven as the kernel documents it.
//! Each test asserts on the bytes and on the driver's own counters, and finds all buffers back at its end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::time::Duration;

use zcrx_sys::recv::{
    Completion, End, Event, Next, Operation, Pages, Receiver, ReceiverBuilder, Request,
};
use zcrx_sys::ring::{Ring, RingBuilder, Sqe, Woken};
use zcrx_sys::zcrx::{Area, Device, Ifq, RefillRegion};
use zcrx_sys::Fd;

use common::nic::{Nic, V4, V6};
use common::streams::{receiver, sender, sender_to, transfer, transfer_to, Streams, PORT, QUEUE};

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
        .pages(Pages::Huge)
        .area_len(16 << 20)
        .chunk_len(32 << 10);
    transfer_without_a_copy(&nic, builder, V6, 1);
}

#[test]
fn a_length_limited_request_takes_its_share_and_no_more() {
    let Some(nic) = Nic::claim() else { return };
    nic.steer(PORT, QUEUE);
    let mut receiver = Receiver::builder()
        .source(nic.queue(QUEUE))
        .build()
        .unwrap();
    let listener = TcpListener::bind((V6, PORT)).unwrap();
    let sender = sender(V6, 1, 300_000);
    let (stream, peer) = listener.accept().unwrap();
    let (seed, limit) = (u64::from(peer.port()), 100_001);
    // One-shot, again and again: each time exactly what was asked for, from where the last one ended.
    let mut position = 0;
    let mut fd = Fd::from(stream);
    for _ in 0..2 {
        receiver.add_limited(fd, limit).unwrap();
        fd = loop {
            let _ = receiver.wait(Some(Duration::from_secs(30))).unwrap();
            match receiver.next_event() {
                Some(Event::Data { chunk, .. }) => {
                    assert!(common::is_piece(seed, position, receiver.bytes(&chunk)));
                    position += u64::from(chunk.len());
                    receiver.recycle(chunk).unwrap();
                }
                Some(Event::Ended { end, fd, .. }) => {
                    assert_eq!(end, End::LimitReached);
                    break fd;
                }
                Some(other) => panic!("{other:?}"),
                None => {}
            }
        };
    }
    assert_eq!(position, 2 * limit);
    let socket = receiver.add(fd).unwrap();
    let mut streams = Streams::default();
    streams.open.insert(socket, (seed, position));
    streams.run(&mut receiver, |streams| !streams.ended.is_empty());
    assert_eq!(streams.ended, [(End::Eof, 300_000)]);
    sender.join().unwrap().unwrap();
}

#[test]
fn an_rss_context_steers_as_a_queue_does() {
    let Some(nic) = Nic::claim() else { return };
    let made = nic.ethtool("-X snic0 context new start 1 equal 1");
    let context = made.trim().rsplit(' ').next().unwrap();
    nic.ethtool(&format!(
        "-N snic0 flow-type tcp6 dst-port {PORT} context {context}"
    ));
    let mut receiver = Receiver::builder()
        .source(nic.queue(QUEUE))
        .build()
        .unwrap();
    receiver
        .listen(TcpListener::bind((V6, PORT)).unwrap())
        .unwrap();
    let before = nic.counters(QUEUE);
    transfer(&mut receiver, V6, 4, 500_000);
    assert!(nic.counters(QUEUE).since(&before, "provider_bytes") >= 2_000_000);
    drop(receiver);
    nic.delete_rules();
    nic.ethtool(&format!("-X snic0 context {context} delete"));
}

#[test]
fn two_queues_on_two_rings_in_two_threads() {
    let Some(nic) = Nic::claim() else { return };
    let before = [1, 2].map(|queue| nic.counters(queue));
    std::thread::scope(|scope| {
        for queue in [1, 2] {
            let port = PORT + queue as u16;
            nic.steer(port, queue);
            let source = nic.queue(queue);
            scope.spawn(move || {
                let mut receiver = Receiver::builder().source(source).build().unwrap();
                receiver
                    .listen(TcpListener::bind((V4, port)).unwrap())
                    .unwrap();
                transfer_to(&mut receiver, (V4, port).into(), 3, 1 << 20);
            });
        }
    });
    for (queue, before) in (1..).zip(&before) {
        let after = nic.counters(queue);
        assert!(
            after.since(before, "provider_bytes") >= 3 << 20,
            "queue {queue}: {after:?}"
        );
        assert_eq!(after.since(before, "copied_bytes"), 0);
    }
}

/// Receives one stream on each of `ifqs`, which share `ring`, from `sockets` in the same order.
fn receive_on_one_ring(ring: &mut Ring, ifqs: &mut [Ifq], sockets: &[TcpStream], len: u64) {
    let seeds: Vec<_> = sockets
        .iter()
        .map(|socket| u64::from(socket.peer_addr().unwrap().port()))
        .collect();
    let mut requests = vec![Request::new(Operation::ZeroCopy, None); ifqs.len()];
    let mut due: Vec<usize> = (0..ifqs.len()).collect();
    let mut ended = 0;
    while ended < ifqs.len() {
        for i in due.drain(..) {
            let sqe = Sqe::recv_zc(sockets[i].as_raw_fd(), ifqs[i].zcrx_id(), requests[i].arm());
            ring.push(sqe.user_data(i as u64)).unwrap();
        }
        let woken = ring
            .submit_and_wait_for(1, Duration::from_secs(30))
            .unwrap();
        assert_ne!(woken, Woken::TimedOut);
        let cqes: Vec<_> = ring.completions().map(|cqe| cqe.unwrap()).collect();
        for cqe in cqes {
            let i = cqe.user_data() as usize;
            let position = requests[i].received();
            let outcome = requests[i].on_completion(Completion {
                res: cqe.res(),
                more: cqe.more(),
                buffer: cqe.extra().is_some(),
            });
            if outcome.buffer.is_some() {
                // SAFETY: a completion of request i, which is one for instance i; taken once.
                let chunk = unsafe { ifqs[i].take(&cqe) }.unwrap();
                assert!(common::is_piece(seeds[i], position, ifqs[i].bytes(&chunk)));
                ifqs[i].recycle(chunk).unwrap();
            }
            match outcome.next {
                Next::Active => {}
                Next::Rearm(_) => due.push(i),
                Next::Ended(end) => {
                    assert_eq!((end, requests[i].received()), (End::Eof, len));
                    ended += 1;
                }
            }
        }
        for ifq in &mut *ifqs {
            ifq.publish();
        }
    }
}

/// Registers `areas` on the queues from 1 on, all on one ring, and receives a stream on each.
fn transfer_on_one_ring(nic: &Nic, areas: Vec<Area>, len: usize) {
    let mut ring = RingBuilder::new(8)
        .completion_entries(4096)
        .build()
        .unwrap();
    let before: Vec<_> = (1..=areas.len() as u32)
        .map(|queue| nic.counters(queue))
        .collect();
    let (mut ifqs, mut sockets, mut senders) = (Vec::new(), Vec::new(), Vec::new());
    for (queue, area) in (1..).zip(areas) {
        let port = PORT + queue as u16;
        nic.steer(port, queue);
        let builder = Ifq::builder(Device::Queue {
            interface: nic.index(),
            queue,
        });
        ifqs.push(builder.register(ring.as_ring_fd(), area).unwrap());
        let listener = TcpListener::bind((V4, port)).unwrap();
        senders.push(sender_to((V4, port).into(), 1, len));
        sockets.push(listener.accept().unwrap().0);
    }
    receive_on_one_ring(&mut ring, &mut ifqs, &sockets, len as u64);
    for sender in senders {
        sender.join().unwrap().unwrap();
    }
    for (queue, before) in (1..).zip(&before) {
        let after = nic.counters(queue);
        assert!(
            after.since(before, "provider_bytes") >= len as u64,
            "queue {queue}: {after:?}"
        );
    }
}

#[test]
fn two_instances_on_one_ring() {
    let Some(nic) = Nic::claim() else { return };
    let areas = vec![Area::new(8 << 20).unwrap(), Area::new(8 << 20).unwrap()];
    transfer_on_one_ring(&nic, areas, 3 << 20);
}

/// Nothing can be copied into a dmabuf by the kernel, so that the bytes arrive at all proves zero copy.
#[test]
fn a_dmabuf_receives_what_no_copy_could_put_there() {
    let Some(nic) = Nic::claim() else { return };
    let len = 8 << 20;
    // SAFETY: nobody but this area has the buffer, which is memory that devices see as the CPU does.
    let area = unsafe { Area::dmabuf(common::dmabuf::udmabuf(len), len) }.unwrap();
    transfer_on_one_ring(&nic, vec![area], 6 << 20);
}

/// Runs `receive` as a server with `arguments`, and the program's own sender at the other end; answers the
/// server's report.
fn receive_program(arguments: &str, bytes: &str, connections: u32) -> serde_json::Value {
    let examples = std::env::var("ZCRX_EXAMPLES").expect("tests/lab/guest says where they are");
    let program = format!("{examples}/receive");
    let connections = connections.to_string();
    let server = Command::new(&program)
        .args([
            "--json",
            "--listen",
            "[fd00::1]:9999",
            "--connections",
            &connections,
        ])
        .args(arguments.split_whitespace())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut server = server.unwrap();
    let mut errors = BufReader::new(server.stderr.take().unwrap());
    let mut line = String::new();
    errors.read_line(&mut line).unwrap();
    if !line.starts_with("listening on ") {
        errors.read_to_string(&mut line).unwrap();
        panic!("receive {arguments}: {line}");
    }
    let sender = Command::new("/usr/sbin/ip")
        .args([
            "netns",
            "exec",
            "peer",
            &program,
            "--send",
            "[fd00::1]:9999",
        ])
        .args(["--bytes", bytes, "--connections", &connections])
        .status();
    assert!(sender.unwrap().success());
    let output = server.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The steps of the kernel's Documentation/networking/iou-zcrx.rst, as it writes them, from a card that knows
/// nothing of them.
#[test]
fn the_documented_procedure_ends_in_zero_copy() {
    let Some(nic) = Nic::claim() else { return };
    nic.ethtool("-X snic0 default");
    nic.ethtool("-G snic0 tcp-data-split auto");
    nic.ethtool("-L snic0 combined 2");
    nic.ethtool("-G snic0 tcp-data-split on");
    nic.ethtool("-X snic0 equal 1");
    nic.ethtool("-N snic0 flow-type tcp6 dst-port 9999 action 1");
    let before = nic.counters(1);
    let report = receive_program("--nic snic0:1", "8M", 3);
    let after = nic.counters(1);
    assert!(
        report["source"]
            .as_str()
            .unwrap()
            .starts_with("queue 1 of interface "),
        "{report}"
    );
    assert_eq!(
        (&report["bytes"], &report["mismatches"]),
        (&(8 << 20).into(), &0.into())
    );
    assert_eq!(
        (&report["outstanding"], &report["missing"]),
        (&0.into(), &0.into())
    );
    assert_eq!(report["fallback_reasons"].as_array().unwrap().len(), 0);
    assert_eq!(report["copied_bytes"], 0, "{report}");
    assert!(
        after.since(&before, "provider_bytes") >= 8 << 20,
        "{after:?}"
    );
    assert_eq!(after.since(&before, "copied_bytes"), 0, "{after:?}");
}

/// Prints what a receiver's CPU pays for a gigabyte, and what epoll and read pay; a number to read, not one to
/// pass. With threaded NAPI the card's work, which is a copy here, is on another account.
#[test]
fn receiver_cpu_per_gigabyte_is_printed_beside_epolls() {
    let Some(nic) = Nic::claim() else { return };
    let threaded = |on| std::fs::write("/sys/class/net/snic0/threaded", on).unwrap();
    threaded("1");
    nic.mtu(4096);
    nic.steer(PORT, QUEUE);
    let mut costs = [Vec::new(), Vec::new()];
    for _ in 0..3 {
        for (costs, source) in costs.iter_mut().zip(["nic --nic snic0:1", "epoll"]) {
            let report = receive_program(&format!("--no-verify --source {source}"), "128M", 1);
            assert_eq!(report["bytes"], 128 << 20, "{report}");
            costs.push(report["receiver_cpu_seconds_per_gb"].as_f64().unwrap());
        }
    }
    threaded("0");
    let [zcrx, epoll] = costs.map(|mut costs| {
        costs.sort_by(f64::total_cmp);
        costs[1]
    });
    let line = format!(
        "MEASURED receiver CPU s/GB, median of 3: zero-copy {zcrx:.3}, epoll and read {epoll:.3}, \
         ratio {:.2}\n",
        zcrx / epoll
    );
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
