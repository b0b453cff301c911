//! How a ring's owner waits: for batches, with busy polling, and not at all.

mod batches;
mod busy_poll;
#[path = "../common/mod.rs"]
mod common;
mod polling;
