//! How it works and how to use it: the life of a chunk, ownership, recovery, threads, runtimes, sizing, kernels.
//!
//! There is no code in here. Pages of their own: [troubleshooting], by symptom; [porting], from liburing and the
//! `io-uring` crate; [safety], why this is sound; [claims], what the crate does and the test that shows it; [costs], what
//! a chunk costs, up to 400 Gbit/s; [policy] on versions; and the [changelog].
//!
//! # The life of a chunk
//!
//! An *area* is memory of yours that was registered with the kernel. The kernel cuts it into buffers, of a page or of
//! the [chunk length](crate::recv::ReceiverBuilder::chunk_len) that was asked for. A *chunk* is one reference on bytes
//! that arrived in such a buffer.
//!
//! ```text
//!        area, in buffers        the NIC's queue             TCP                       your program
//!
//!  1  ┌──┬──┬──┬──┬──┬──┐
//!     │  │  │  │  │  │  │ free
//!     └──┴──┴─┬┴──┴──┴──┘
//!  2          └─────────────► an empty descriptor
//!                                    │ a packet: headers to the kernel,
//!  3                                 │ payload into the buffer
//!                                    └──────────────► in the socket
//!                                                            │ completion of RECV_ZC:
//!  4                                                         │ offset, length
//!                                                            └──────────────► Event::Data { chunk }
//!                                                                                  │ bytes(&chunk)
//!                                                                                  │ read, keep, hand on
//!  5           refill ring ◄───────────────────────────────────────────────────────┘ recycle(chunk)
//!     ┌──┬──┬──┐    │
//!  1  │  │  │  │ ◄──┘ the kernel takes entries when the NIC is short of buffers, or when it is told to
//!     └──┴──┴──┘
//! ```
//!
//! 1. **Free.** The kernel may give it to the NIC.
//! 2. **With the NIC.** A NIC keeps its receive ring full of empty buffers; that part of the area is never yours.
//! 3. **In the socket.** TCP has the bytes, in order or not, and acknowledges them. Nobody copied them.
//! 4. **Yours**, from the completion until it is returned. Several chunks may lie in one buffer (a page holds two
//!    packets of 1500 bytes); the buffer is free again when all of them were returned.
//! 5. **On its way back.** An entry of the refill ring, which [`Receiver::wait`] shows to the kernel.
//!
//! The last completion of a request ends it and carries no chunk. Without a device, and with
//! [provided buffers](crate::recv::Source::Buffers), step 2 is missing and step 3 is a copy; all else is the same, and so
//! is your program:
//!
//! ```
//! use std::io::Write;
//! use std::net::{TcpListener, TcpStream};
//! use zcrx_sys::recv::{Event, Receiver};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let mut peer = TcpStream::connect(listener.local_addr()?)?;
//! let mut receiver = Receiver::builder().build()?;
//! receiver.listen(listener)?;
//! peer.write_all(b"zero copies, or one")?;
//! drop(peer);
//! let mut text = Vec::new();
//! 'receiving: loop {
//!     let _ = receiver.wait(None)?; // returns chunks, submits, waits
//!     while let Some(event) = receiver.next_event() {
//!         match event {
//!             Event::Accepted { connection, .. } => drop(receiver.add(connection)?),
//!             Event::Data { chunk, .. } => {
//!                 text.extend_from_slice(receiver.bytes(&chunk));
//!                 receiver.recycle(chunk)?;
//!             }
//!             Event::Ended { .. } => break 'receiving,
//!             _ => {}
//!         }
//!     }
//! }
//! assert_eq!(text, b"zero copies, or one");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Ownership
//!
//! | what you hold | bytes by | goes back by | dropped instead | in other threads |
//! |---|---|---|---|---|
//! | [`Chunk`] | [`Receiver::bytes`], which borrows chunk and receiver | [`Receiver::recycle`], which consumes it | its place is lost until the ring is closed; nothing worse | moves, but is read where the receiver is |
//! | [`OwnedChunk`], made by [`Receiver::own`] | dereferencing it | dropping it | that is the way | `Send` and `Sync`: read, kept, dropped anywhere |
//!
//! With feature `bytes`, an owned chunk becomes a `Bytes`, which can be sliced and cloned, and goes back when the last
//! part of it is dropped. That costs one small allocation, and no copy.
//!
//! Chunks themselves cannot be cloned: one completion, one return. A chunk that another receiver delivered is handed back, or, if its
//! bytes are asked for, a panic: it would name other bytes here.
//!
//! The area lives as long as anything can refer to it: receivers, [exports](crate::zcrx::Export) and owned chunks hold
//! it. While an owned chunk lives, the ring stays open and the queue of the NIC stays taken. The kernel has no call to
//! give a queue up; closing the ring is the only way, and takes effect in the kernel's own time.
//!
//! Chunks may be kept for as long as you like, but they are receive memory: what is kept is not received into. Copy
//! what is small and stays; keep what is large and goes soon.
//!
//! # Recovery
//!
//! What ends a request in the kernel although the stream goes on. [`Receiver`] deals with all of it, and
//! [counts](crate::recv::Counters) it; who drives a ring by hand asks [`Request`] and does the third column.
//!
//! | what happens | the kernel says | what is done | counted in |
//! |---|---|---|---|
//! | The completion queue is full | ENOSPC, and to everybody else too as long as one completion waits in the kernel | drain, publish the head, enter, submit again | `cq_full` |
//! | No buffer is free | ENOMEM, ENOBUFS | return chunks, flush, perhaps add an area, submit again; [`Wait::Starved`] if only you can return some | `pool_dry`, `areas_added` |
//! | The refill ring is full | nothing | keep the chunk, flush, write it later | `refill_full` |
//! | The NIC finds no buffer | a notification (7.2); packets are lost, TCP sends them again | return chunks | `alloc_failures` |
//! | A request stalls (before 7.3 with data unread; in every kernel so far if a reset comes behind much unread data) | nothing | look now and then, cancel, submit again | `stalls` |
//! | A signal | EINTR | submit again | |
//! | The queue is not free yet, after another process | EEXIST | try again, for five seconds by default | |
//!
//! Results of 0 mean the end of the stream, or that a limit was reached: [`End`] says which. It also says what cannot be
//! recovered from, such as packets that lie in another receiver's memory.
//!
//! Being starved is flow control, not an error: unread data stays in the socket, its window closes, and the peer waits.
//!
//! # Threads
//!
//! A ring belongs to one thread: the kernel answers EEXIST to any other. So a [`Receiver`] is neither `Send` nor `Sync`;
//! build it in the thread that uses it. (Of the lower layer, [`DisabledRing`](crate::ring::DisabledRing) can be sent to
//! the thread that is to own it.) Ways to use more than one thread:
//!
//! - **One receives, others work**: [`Receiver::own`] and a channel. What they drop comes back without a system call
//!   or a lock; a receiver that sleeps short of buffers is woken.
//! - **A queue for each thread**: a receiver with a queue, and flows steered to it, in each. With feature `nic`,
//!   `nic::ClaimBuilder` sets several up; the example `queues` is such a server.
//! - **Several threads for one queue**: [`Receiver::export`], and [`ReceiverBuilder::import`] in each other thread (6.19).
//!   They share the memory, and each returns the chunks of any. The example `share` does that.
//! - **Somebody else's poll loop**: [a runtime](#in-a-runtime).
//!
//! ```
//! # use std::io::Write;
//! # use std::net::{TcpListener, TcpStream};
//! use std::sync::mpsc;
//! use zcrx_sys::recv::{Event, Receiver};
//! use zcrx_sys::zcrx::OwnedChunk;
//!
//! # let listener = TcpListener::bind("127.0.0.1:0")?;
//! # let mut peer = TcpStream::connect(listener.local_addr()?)?;
//! # let (connection, _) = listener.accept()?;
//! # peer.write_all(&[1; 1000])?;
//! # drop(peer);
//! let (to_worker, chunks) = mpsc::channel::<OwnedChunk>();
//! let worker = std::thread::spawn(move || chunks.iter().flat_map(|chunk| chunk.to_vec()).map(u64::from).sum::<u64>());
//! let mut receiver = Receiver::builder().build()?;
//! receiver.add(connection)?;
//! 'receiving: loop {
//!     let _ = receiver.wait(None)?;
//!     while let Some(event) = receiver.next_event() {
//!         match event {
//!             Event::Data { chunk, .. } => to_worker.send(receiver.own(chunk)?)?, // returned when the worker drops it
//!             Event::Ended { .. } => break 'receiving,
//!             _ => {}
//!         }
//!     }
//! }
//! drop(to_worker);
//! assert_eq!(worker.join().unwrap(), 1000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A forked child has neither the areas nor the right to the ring. It does have the descriptor, until it calls `exec`, and
//! keeps the queue taken for as long.
//!
//! # In a runtime
//!
//! A receiver does not have to sleep in its own [`wait`][`Receiver::wait`]. It can be told to signal an eventfd
//! ([`Receiver::register_eventfd`]), for any poll loop to sleep on.
//!
//! With feature `tokio` that is done: `recv::tokio::Driver` runs a receiver as a task, beside all other tasks of the
//! thread, and each connection is a stream of owned chunks. Nothing is read into a buffer of somebody's, so there is no
//! `AsyncRead`: `connection.next().await` is the next chunk. A connection whose chunks are not taken stops receiving, and
//! its peer waits. Together with feature `bytes`, what comes out is what HTTP and other parsers take; `examples/upload`
//! receives files that way.
//!
//! The thread is one, because the ring is: use a current-thread runtime or a `LocalSet`, several of them with a receiver
//! each if one is too few. The chunks go to any thread.
//!
//! # Sizing
//!
//! | what | rule | if left out |
//! |---|---|---|
//! | [area](crate::recv::ReceiverBuilder::area_len) | what the NIC's ring takes, and what you hold at a time, and a quarter more ([`sizing::area_len`]) | for a queue as the rule says, for a window of 32 MiB; 16 MiB without a device; 8 MiB for provided buffers |
//! | [chunk length](crate::recv::ReceiverBuilder::prefer_chunk_len) | longer makes fewer completions, and wastes more where packets are small | what the NIC uses: a page |
//! | [completion entries](crate::recv::ReceiverBuilder::completion_entries) | chunks between two waits; twice that with mixed completions ([`sizing::completion_entries`]) | for all of the area's chunks, but no more than 4096 |
//! | [refill entries](crate::recv::ReceiverBuilder::refill_entries) | chunks that are out at a time, at most 32768 ([`sizing::refill_entries`]) | one for each of the area's chunks, or as many as packets fit into one |
//!
//! Too small a queue or refill ring costs speed and never data; too small an area costs packets, which TCP sends again.
//! Let a queue's area have room for the windows of all its sockets besides, or grow: where a packet was lost, TCP keeps
//! those behind it, and if these have the last chunks, the lost one finds none when it is sent again.
//!
//! ```
//! use zcrx_sys::recv::sizing::{area_len, NicRing, Shortage};
//! // ethtool -g: 8192 descriptors; ip link: MTU 9000. 100 Gbit/s, and chunks are back within a millisecond: 12 MiB.
//! let ring = NicRing { descriptors: 8192, mtu: 9000 };
//! assert_eq!(ring.takes(4096), 96 << 20);
//! assert_eq!(area_len(ring, 4096, 12 << 20), 135 << 20);
//! assert!(Shortage::of(64 << 20, 4096, ring).is_some());
//! ```
//!
//! [`Receiver::shortage`] does this for the NIC at hand. From kernel 6.17 on, areas count against the limit of locked
//! memory (`ulimit -l`), all of a user's together.
//!
//! # Kernels
//!
//! The README's table says what each kernel can do, and since when. In short: 6.0 for provided buffers, 6.15 for a NIC's
//! queue, 6.19 for sharing it, 7.0 for long chunks, 7.1 for no device, 7.2 for notifications and counted copies, 7.3 for
//! memory that grows. Use 7.3.4 or newer where you can: faults that were in all kernels before 7.3.3, and that are
//! worked around here, are mended there.
//!
//! Ask what there is instead of comparing versions: distributions carry features and faults back.
//!
//! ```
//! use zcrx_sys::zcrx::Support;
//! let support = Support::query(); // no ring, no privilege
//! println!("without a device: {}, long chunks: {}", support.has_no_device(), support.has_large_chunks());
//! ```
//!
//! # Without the receiver
//!
//! Each layer is usable by itself, and all but [`Receiver`] and owned chunks without an allocator. A loop of your own
//! over [`Ifq`](crate::zcrx::Ifq) and [`Ring`](crate::ring::Ring), or over a ring of another library, is on the page about
//! [porting]. The tightest is one that is compiled for one layout
//! ([`Ring::completions_as`](crate::ring::Ring::completions_as)) and takes and returns chunks in bursts
//! ([`Ifq::burst`](crate::zcrx::Ifq::burst)); [costs] counts its instructions.
//!
//! [`Chunk`]: crate::zcrx::Chunk
//! [`OwnedChunk`]: crate::zcrx::OwnedChunk
//! [`Receiver`]: crate::recv::Receiver
//! [`Receiver::wait`]: crate::recv::Receiver::wait
//! [`Receiver::bytes`]: crate::recv::Receiver::bytes
//! [`Receiver::recycle`]: crate::recv::Receiver::recycle
//! [`Receiver::own`]: crate::recv::Receiver::own
//! [`Receiver::register_eventfd`]: crate::recv::Receiver::register_eventfd
//! [`Receiver::export`]: crate::recv::Receiver::export
//! [`Receiver::shortage`]: crate::recv::Receiver::shortage
//! [`ReceiverBuilder::import`]: crate::recv::ReceiverBuilder::import
//! [`Request`]: crate::recv::Request
//! [`End`]: crate::recv::End
//! [`Wait::Starved`]: crate::recv::Wait::Starved
//! [`sizing::area_len`]: crate::recv::sizing::area_len
//! [`sizing::completion_entries`]: crate::recv::sizing::completion_entries
//! [`sizing::refill_entries`]: crate::recv::sizing::refill_entries

// The documents link to each other as files. The first definition of a link is the one that counts, so that here they
// get the pages.
macro_rules! pages {
    ($($page:ident = $file:literal)*) => {$(
        #[doc = "[changelog]: crate::guide::changelog\n[claims]: crate::guide::claims\n[policy]: crate::guide::policy"]
        #[doc = "[costs]: crate::guide::costs\n[porting]: crate::guide::porting\n[safety]: crate::guide::safety"]
        #[doc = "[troubleshooting]: crate::guide::troubleshooting\n\n"]
        #[doc = include_str!(concat!("../", $file))]
        pub mod $page {}
    )*};
}

pages! {
    changelog = "CHANGELOG.md"
    claims = "docs/CLAIMS.md"
    costs = "docs/COSTS.md"
    policy = "docs/POLICY.md"
    porting = "docs/PORTING.md"
    safety = "docs/SAFETY.md"
    troubleshooting = "docs/TROUBLESHOOTING.md"
}
