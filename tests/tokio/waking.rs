//! What wakes the driver, and what it sleeps through.

use super::*;

/// One byte at a time, there and back: the driver sleeps, or is about to, each time that one comes.
pub(crate) fn no_wake_up_is_lost(source: Source) {
    const ROUNDS: u32 = 1000;
    with(source, small(), 4, |handle| async move {
        let (mut out, incoming) = common::pair();
        out.set_nodelay(true).unwrap();
        let mut back = incoming.try_clone().unwrap();
        let mut connection = handle.add(incoming).unwrap();
        let pinger = std::thread::spawn(move || {
            let mut times = Vec::new();
            for round in 0..ROUNDS {
                // Not always at the same moment.
                for _ in 0..round % 100 * 10 {
                    std::hint::spin_loop();
                }
                let start = Instant::now();
                out.write_all(b"x").unwrap();
                out.read_exact(&mut [0]).unwrap();
                times.push(start.elapsed());
            }
            times
        });
        while let Some(chunk) = connection.next().await {
            back.write_all(&chunk.unwrap()).unwrap();
        }
        // One that is lost is noticed half a second later, by the check for requests that have stalled.
        let mut times = pinger.join().unwrap();
        times.sort_unstable();
        let slow = times
            .iter()
            .filter(|time| **time > Duration::from_millis(400));
        assert!(slow.count() < 3, "{:?}", times.split_off(times.len() - 9));
    });
}

fn thread_cpu() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes one timespec, to a live, exclusively borrowed local.
    let got = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(got, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

pub(crate) fn it_sleeps_while_nothing_comes(source: Source) {
    with(source, small(), 4, |handle| async move {
        let (mut out, incoming) = common::pair();
        incoming.set_nonblocking(true).unwrap(); // as those of a runtime are
        let mut connection = handle.add(incoming).unwrap();
        for _ in 0..2 {
            out.write_all(b"x").unwrap();
            assert_eq!(*connection.next().await.unwrap().unwrap(), *b"x");
            // By now nothing has to be looked at any more, on kernels from 7.3 on.
            let before = thread_cpu();
            sleep(Duration::from_millis(1200)).await;
            let spent = thread_cpu() - before;
            assert!(spent < Duration::from_millis(100), "{spent:?}");
        }
        let start = Instant::now();
        out.write_all(b"x").unwrap();
        assert!(connection.next().await.is_some());
        assert!(start.elapsed() < LONG);
    });
}

/// All memory is out, and it comes back from threads that know nothing of the runtime.
pub(crate) fn chunks_that_other_threads_drop_wake_it(source: Source) {
    const LEN: usize = 2 << 20;
    with(source, small(), 1000, |handle| async move {
        let (mut connection, sender) = sent(&handle, 1, LEN);
        let (give, take) = mpsc::channel::<OwnedChunk>();
        let keeper = std::thread::spawn(move || {
            let mut kept = Vec::new();
            let (mut position, mut rounds) = (0, 0_u64);
            while let Ok(chunk) = take.recv() {
                assert!(common::is_piece(1, position, &chunk), "at {position}");
                position += chunk.len() as u64;
                kept.push(chunk);
                if kept.len() == 12 {
                    rounds += 1;
                    std::thread::sleep(Duration::from_micros(rounds % 10 * 100));
                    kept.clear();
                }
            }
            position
        });
        while let Some(chunk) = connection.next().await {
            give.send(chunk.unwrap()).unwrap();
        }
        drop(give);
        assert_eq!(keeper.join().unwrap(), LEN as u64);
        sender.join().unwrap();
    });
}
