//! What threads, and this process and the kernel, meet over: atomics, the futex, and entries in shared memory.
//!
//! The atomics are core's, and the rest is a system call or nothing at all. In models (`tests/loom`) they are
//! loom's, which runs a test in every order that its threads may come in, and lets each load see every value that the
//! orderings allow. Only this crate's own unit tests can be built that way: whoever embeds the crate and has models of
//! his own (`--cfg loom`) gets the real thing.

#[cfg(all(loom, test))]
mod model;
#[cfg(not(all(loom, test)))]
mod real;

#[cfg(all(loom, test))]
pub(crate) use model::*;
#[cfg(not(all(loom, test)))]
pub(crate) use real::*;
