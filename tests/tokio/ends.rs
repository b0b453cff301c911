//! How streams end, and who is left.

use super::*;

pub(crate) fn each_end_is_told_once(source: Source) {
    with(source, small(), 4, |handle| async move {
        let (out, incoming) = common::pair();
        let mut connection = handle.add(incoming).unwrap();
        out.shutdown(Shutdown::Write).unwrap();
        assert!(connection.next().await.is_none());
        assert!(connection.next().await.is_none());

        let (out, incoming) = common::pair();
        let mut connection = handle.add(incoming).unwrap();
        common::reset(out);
        let end = connection.next().await.unwrap().unwrap_err();
        assert_eq!(end, End::Failed(Errno::CONNRESET));
        assert!(connection.next().await.is_none());

        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let rejected = handle.add(OwnedFd::from(udp)).unwrap_err();
        assert!(rejected.to_string().contains("TCP"), "{rejected}");
    });
}

pub(crate) fn what_is_left_at_the_drivers_end_is_told(source: Source) {
    let Some(receiver) = common::receiver(small(), source) else {
        return;
    };
    in_runtime(async {
        let driver = Driver::new(receiver).unwrap().queue_limit(4);
        let handle = driver.handle();
        let driver = spawn_local(driver.run());
        let (mut waiting, silent) = {
            let (out, incoming) = common::pair();
            (handle.add(incoming).unwrap(), out)
        };
        let (mut full, out) = {
            let (mut out, incoming) = common::pair();
            out.write_all(&common::stream(1, 6 * PAGE)).unwrap();
            (handle.add(incoming).unwrap(), out)
        };
        until(&handle, |counters| counters.chunks >= 4).await;
        let waiter = spawn_local(async move { waiting.next().await.unwrap().unwrap_err() });
        yield_now().await;
        driver.abort();
        assert_eq!(waiter.await.unwrap(), End::Cancelled);
        let (mut position, mut end) = (0, None);
        while let Some(next) = full.next().await {
            match next {
                Ok(chunk) => {
                    assert!(common::is_piece(1, position, &chunk));
                    position += chunk.len() as u64;
                }
                Err(how) => end = Some(how),
            }
        }
        assert!(position >= 4 * PAGE as u64);
        assert_eq!(end, Some(End::Cancelled));
        assert_eq!(handle.counters(), None);
        let (_out, incoming) = common::pair();
        let rejected = handle.add(incoming).unwrap_err();
        assert!(
            rejected.to_string().contains("driver must be running"),
            "{rejected}"
        );
        drop((silent, out));
    });
}

/// More than there is room for at a time, each dropped at another point of its life.
pub(crate) fn sockets_come_and_go(source: Source) {
    with(source, small(), 2, |handle| async move {
        let mut tasks = Vec::new();
        for seed in 0..200_u64 {
            let (mut out, incoming) = common::pair();
            let mut connection = handle.add(incoming).unwrap();
            tasks.push(spawn_local(async move {
                let out: TcpStream = match seed % 4 {
                    0 => return,
                    _ => {
                        out.write_all(&common::stream(seed, 20_000)).unwrap();
                        out
                    }
                };
                match seed % 4 {
                    1 => drop(out), // with everything on its way
                    2 => {
                        let first = connection.next().await.unwrap().unwrap();
                        assert!(common::is_piece(seed, 0, &first));
                    }
                    _ => {
                        drop(out);
                        assert_eq!(rest(&mut connection, seed, 0).await, 20_000);
                    }
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        until(&handle, |counters| counters.outstanding == 0).await;
    });
}

/// Dropped before the driver has heard of it, so that its end is still to be read when the other takes its place.
pub(crate) fn the_place_of_one_that_was_dropped_is_anothers(source: Source) {
    with(source, small(), 2, |handle| async move {
        let (_out, incoming) = common::pair();
        drop(handle.add(incoming).unwrap());
        let (mut connection, sender) = sent(&handle, 1, 100_000);
        assert_eq!(rest(&mut connection, 1, 0).await, 100_000);
        sender.join().unwrap();
    });
}

#[test]
fn it_ends_with_the_last_that_uses_it() {
    let Some(receiver) = common::receiver(small(), Source::Buffers) else {
        return;
    };
    let ended: Result<(), Error> = in_runtime(async {
        let driver = Driver::new(receiver).unwrap();
        let (first, second) = (driver.handle(), driver.handle());
        let driver = spawn_local(driver.run());
        let (_out, incoming) = common::pair();
        let connection = first.add(incoming).unwrap();
        for user in [Box::new(first) as Box<dyn std::any::Any>, Box::new(second)] {
            drop(user);
            yield_now().await;
            assert!(!driver.is_finished());
        }
        drop(connection);
        driver.await.unwrap()
    });
    ended.unwrap();
}
