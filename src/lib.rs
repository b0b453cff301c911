#![doc = include_str!("../README.md")]
//!
//! # Layers
//!
//! Each is usable by itself.
//!
//! - [`uapi`]: the kernel's structs and constants.
//! - [`ring`]: a small io_uring made for receiving, whose completion queue mixes 16- and 32-byte entries.
//! - [`zcrx`]: areas, registration, the refill ring, offsets. It works on any ring's descriptor.
//! - [`recv`]: the state machine of a receive request, and [`recv::Receiver`], which drives many sockets.
//!
//! # Features
//!
//! - `std` (default): conversions to and from `std::os::fd` and `std::io::Error`.
//! - `alloc` (implied by `std`): [`recv::Receiver`]. Without it everything else works, without an allocator.
//! - `nic`: module `nic`, which tells what stands in the way of zero-copy receive on a NIC, and sets it up.
//! - `twin`: module `twin`, the kernel's side of the rings in this process, for tests, fuzzers and benchmarks.
//! - `bindgen`: generate [`uapi`] at build time from the installed kernel headers (7.3 or newer), or those
//!   in `ZCRX_SYS_INCLUDE`. Needs libclang.

#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(not(target_os = "linux"))]
compile_error!("io_uring is Linux's own");

mod cause;
mod errno;
mod error;
mod fd;
#[cfg(feature = "twin")]
#[doc(hidden)]
pub mod fuzzing;
mod index;
mod lock;
mod mapping;
#[cfg(feature = "nic")]
pub mod nic;
pub mod recv;
pub mod ring;
mod shared;
mod sync;
mod syscall;
#[cfg(any(test, feature = "twin"))]
pub mod twin;
pub mod uapi;
pub mod zcrx;

pub use cause::{Cause, CauseKind, Fact};
pub use errno::Errno;
pub use error::{Attempt, Error, Reason};
pub use fd::Fd;
pub use index::Index;
