//! The receive layer: many sockets, one pool, and recovery from everything that the kernel can answer.
//!
//! [`Request`] is the state machine of one socket, pure and usable on any ring. With feature `alloc`,
#![cfg_attr(feature = "alloc", doc = "[`Receiver`]")]
#![cfg_attr(not(feature = "alloc"), doc = "`Receiver`")]
//! drives it for many sockets over one of three sources, so that a program written for it
//! runs on every kernel since 6.0, without zero copy where that cannot be had.
//!
//! Methods here, and registration, are `#[inline]` throughout: they are compiled into the loop that uses them,
//! and a program that uses the lower layers alone does not wait for them to compile.

mod buffer_memory;
mod buffer_ring;
mod request;
pub mod sizing;

#[cfg(feature = "alloc")]
mod builder;
#[cfg(feature = "alloc")]
mod clock;
#[cfg(feature = "alloc")]
mod dispatch;
#[cfg(feature = "alloc")]
mod event;
#[cfg(feature = "twin")]
pub(crate) mod fuzzing;
#[cfg(feature = "alloc")]
mod growth;
#[cfg(feature = "alloc")]
mod notified;
#[cfg(feature = "alloc")]
mod open;
#[cfg(feature = "alloc")]
mod owned;
#[cfg(feature = "alloc")]
mod pool;
#[cfg(feature = "alloc")]
mod receiver;
#[cfg(feature = "alloc")]
mod register;
#[cfg(feature = "alloc")]
mod socket;
#[cfg(feature = "alloc")]
mod sockets;
#[cfg(feature = "alloc")]
mod source;
#[cfg(feature = "alloc")]
mod spin;
#[cfg(feature = "alloc")]
mod stall;
#[cfg(feature = "alloc")]
mod table;
#[cfg(feature = "tokio")]
pub mod tokio;
#[cfg(feature = "alloc")]
mod wait;

pub use buffer_ring::{BufferRing, MAX_BUFFERS};
pub use request::{Completion, End, Next, Operation, Outcome, Pause, Request};

#[cfg(feature = "alloc")]
pub use builder::ReceiverBuilder;
#[cfg(feature = "alloc")]
pub use event::{Counters, Event, Wait};
#[cfg(feature = "alloc")]
pub use owned::NotOwned;
#[cfg(feature = "alloc")]
pub use receiver::Receiver;
#[cfg(feature = "alloc")]
pub use socket::Rejected;
#[cfg(feature = "alloc")]
pub use source::{Fallback, Pages, Source, Wanted};
#[cfg(feature = "alloc")]
pub use table::SocketId;
