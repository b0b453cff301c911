//! wip
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(not(target_os = "linux"))]
compile_error!("io_uring is Linux's own");

mod errno;
mod error;
mod fd;
mod index;
mod mapping;
pub mod recv;
pub mod ring;
mod syscall;
#[cfg(test)]
mod twin;
pub mod uapi;
pub mod zcrx;

pub use errno::Errno;
pub use error::{Attempt, Cause, Error, Reason};
pub use fd::Fd;
pub use index::Index;
