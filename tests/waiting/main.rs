//! How a ring's owner waits: for batches, and with busy polling.

mod batches;
mod busy_poll;
#[path = "../common/mod.rs"]
mod common;
