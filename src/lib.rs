// The first definition of a link is the one that counts: here they lead to pages of this documentation, in the README
// itself to the files.
#![cfg_attr(
    feature = "std",
    doc = "[claims]: crate::guide::claims\n[policy]: crate::guide::policy\n[porting]: crate::guide::porting",
    doc = "[costs]: crate::guide::costs\n[safety]: crate::guide::safety\n[troubleshooting]: crate::guide::troubleshooting",
    doc = "[changelog]: crate::guide::changelog\n\n"
)]
#![doc = include_str!("../README.md")]
//!
//! # Layers
//!
//! Each is usable by itself.
//!
//! - [`uapi`]: the kernel's structs and constants.
//! - [`ring`]: a small io_uring made for receiving, whose completion queue mixes 16- and 32-byte entries.
//! - [`zcrx`]: areas, registration, the refill ring, offsets. It works on any ring's descriptor.
//! - [`recv`]: the state machine of a receive request, and `Receiver`, which drives many sockets.
//!
#![cfg_attr(
    feature = "std",
    doc = "The [`guide`] explains the life of a chunk, ownership, recovery, threads, sizing and kernels.\n"
)]
//! # Features
//!
//! - `std` (default): conversions to and from `std::os::fd` and `std::io::Error`.
//! - `alloc` (implied by `std`): `recv::Receiver`. Without it everything else works, without an allocator.
//! - `bytes`: owned chunks as `Bytes` of the crate of that name, without a copy.
//! - `tokio`: module `recv::tokio`, a receiver as a task of a tokio runtime. From 1.54 on, tokio needs Rust 1.85; with an
//!   older Rust, cargo takes an older tokio if it is told to (`resolver.incompatible-rust-versions`).
//! - `nic`: module `nic`, which tells what stands in the way of zero-copy receive on a NIC, and sets it up.
//! - `twin`: module `twin`, the kernel's side of the rings in this process, for tests, fuzzers and benchmarks.
//! - `bindgen`: generate [`uapi`] at build time from the installed kernel headers (7.3 or newer), or those
//!   in `ZCRX_SYS_INCLUDE`. Needs libclang.

#![no_std]
// docs.rs says of each item which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(docsrs, doc(auto_cfg(hide(doc, doctest, test))))]

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
#[cfg(all(any(doc, doctest), feature = "std"))]
pub mod guide;
mod index;
mod lock;
mod mapping;
#[cfg(feature = "nic")]
pub mod nic;
mod producer;
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
