//! Zero-copy receive on a ring that the `io-uring` crate owns: what a runtime does that has such a ring already.
//!
//! The runtime keeps its ring and its loop. From zcrx-sys it takes what [`Pool`] is made of: registration, memory,
//! decoding, the way back for chunks; and [`Request`](zcrx_sys::recv::Request), which says what each completion means.
//! [`Server`] is a loop of the smallest kind: accept, receive, look at the bytes, return them; and recover from what
//! the kernel can answer, or leave unanswered.
//!
//! ```no_run
//! use zcrx_on_io_uring::{Pool, Ring, Server};
//!
//! let (pool, refused) = Pool::best(Ring::new(64, 8192)?, None)?;
//! for error in refused {
//!     eprintln!("{error}");
//! }
//! let listener = std::net::TcpListener::bind("127.0.0.1:7777")?;
//! let ended = Server::new(pool).serve(&listener, 1, |peer, position, bytes| {
//!     println!("{} bytes from {peer}, at {position}", bytes.len());
//! })?;
//! println!("{}", ended[0].end);
//! # Ok::<(), std::io::Error>(())
//! ```

mod pool;
mod ring;
mod server;

pub use pool::Pool;
pub use ring::Ring;
pub use server::{Ended, Server};
