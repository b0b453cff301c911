//! `Bytes` over owned chunks: nothing is copied, slices keep the chunk, any thread may be the last.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use bytes::{Buf, Bytes};
use zcrx_sys::recv::{Event, Receiver, Source};
use zcrx_sys::zcrx::OwnedChunk;

mod common;

const PAGE: usize = 4096;
const LONG: Duration = Duration::from_secs(20);

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// Counts what the calling thread allocates.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is the system's allocator's business; counting touches no memory of it, and a `Cell` that needs
// no initialization and no destructor allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

/// A receiver of 16 buffers with a connection to it, or `None` after saying why not.
fn connected(source: Source) -> Option<(Receiver, TcpStream)> {
    let builder = Receiver::builder()
        .area_len(16 * PAGE)
        .chunk_len(PAGE as u32);
    let mut receiver = common::receiver(builder, source)?;
    let (out, incoming) = common::pair();
    receiver.add(incoming).unwrap();
    Some((receiver, out))
}

/// What comes next, owned.
fn next(receiver: &mut Receiver) -> OwnedChunk {
    loop {
        match receiver.next_event() {
            Some(Event::Data { chunk, .. }) => return receiver.own(chunk).unwrap(),
            Some(other) => panic!("{other:?}"),
            None => drop(receiver.wait(Some(LONG)).unwrap()),
        }
    }
}

/// Chunks that are out, after those that were dropped have been taken in.
fn outstanding(receiver: &mut Receiver) -> u64 {
    let _ = receiver.wait(Some(Duration::ZERO)).unwrap();
    receiver.counters().outstanding
}

macro_rules! over_every_source {
    ($($test:ident)+) => {
        mod buffers {
            $(#[test] fn $test() { super::$test(super::Source::Buffers) })+
        }
        mod no_device {
            $(#[test] fn $test() { super::$test(super::Source::NoDevice) })+
        }
    };
}

over_every_source! {
    bytes_are_the_chunks_own
    a_slice_keeps_the_chunk_and_any_thread_may_be_the_last
    bytes_stay_readable_when_the_receiver_is_gone
    a_buffer_comes_back_each_time
    what_bytes_needs_is_one_allocation
}

fn bytes_are_the_chunks_own(source: Source) {
    let Some((mut receiver, mut out)) = connected(source) else {
        return;
    };
    out.write_all(b"not copied").unwrap();
    let chunk = next(&mut receiver);
    let at = chunk.as_ptr();
    let bytes = Bytes::from(chunk);
    assert_eq!((bytes.as_ptr(), &bytes[..]), (at, &b"not copied"[..]));
}

fn a_slice_keeps_the_chunk_and_any_thread_may_be_the_last(source: Source) {
    let Some((mut receiver, mut out)) = connected(source) else {
        return;
    };
    out.write_all(b"head and body").unwrap();
    let mut bytes = Bytes::from(next(&mut receiver));
    let head = bytes.split_to(4);
    bytes.advance(5);
    let clones = vec![bytes.clone(); 10];
    drop(bytes);
    std::thread::spawn(move || drop(head)).join().unwrap();
    assert_eq!(outstanding(&mut receiver), 1, "slices of it are left");
    std::thread::scope(|scope| {
        for clone in clones {
            scope.spawn(move || assert_eq!(&clone[..], b"body"));
        }
    });
    assert_eq!(outstanding(&mut receiver), 0);
}

fn bytes_stay_readable_when_the_receiver_is_gone(source: Source) {
    let Some((mut receiver, mut out)) = connected(source) else {
        return;
    };
    out.write_all(&common::stream(1, PAGE)).unwrap();
    let bytes = Bytes::from(next(&mut receiver));
    drop(receiver);
    let check = move || assert!(common::is_piece(1, 0, &bytes));
    std::thread::spawn(check).join().unwrap();
}

/// Many times as much as there is room for: each buffer goes round and round, through another thread.
fn a_buffer_comes_back_each_time(source: Source) {
    const LEN: usize = 256 * PAGE;
    let Some((mut receiver, mut out)) = connected(source) else {
        return;
    };
    let (give, take) = std::sync::mpsc::channel::<Bytes>();
    std::thread::scope(|scope| {
        scope.spawn(move || out.write_all(&common::stream(2, LEN)).unwrap());
        scope.spawn(move || {
            let mut position = 0;
            for mut bytes in take {
                // Dropped half by half.
                let half = bytes.split_to(bytes.len() / 2);
                for piece in [half, bytes] {
                    assert!(common::is_piece(2, position, &piece), "at {position}");
                    position += piece.len() as u64;
                }
            }
            assert_eq!(position, LEN as u64);
        });
        let mut received = 0;
        while received < LEN {
            let bytes = Bytes::from(next(&mut receiver));
            received += bytes.len();
            give.send(bytes).unwrap();
        }
        drop(give);
    });
    assert_eq!(outstanding(&mut receiver), 0);
}

fn what_bytes_needs_is_one_allocation(source: Source) {
    let Some((mut receiver, mut out)) = connected(source) else {
        return;
    };
    for lap in 0..20 {
        out.write_all(b"x").unwrap();
        let chunk = loop {
            let _ = receiver.wait(Some(LONG)).unwrap();
            if let Some(Event::Data { chunk, .. }) = receiver.next_event() {
                break chunk;
            }
        };
        let before = ALLOCATIONS.get();
        let owned = receiver.own(chunk).unwrap();
        let owning = ALLOCATIONS.get() - before;
        let bytes = Bytes::from(owned);
        let both = ALLOCATIONS.get() - before;
        drop(bytes);
        assert_eq!(outstanding(&mut receiver), 0);
        assert!(lap == 0 || owning == 0, "{owning} to own chunk {lap}");
        assert_eq!(both - owning, 1, "chunk {lap}");
    }
}
