//! Soak and chaos: streams of all kinds, received by receivers of all kinds, while everything goes wrong that can
//! go wrong and much that cannot. Every byte is checked, every stream followed to its end, and after each round the
//! process has what it had before: no descriptor, mapping, pinned page or thread more.
//!
//! A round is determined by its seed. By default a few seconds of rounds are run: the same few first, then others
//! at random. What fails is told with its seed and its plan, and comes again with
//!
//!     ZCRX_SOAK_SEED=SEED cargo test --test soak         or, in the lab:
//!     ZCRX_SOAK_SEED=SEED tests/lab/run soak_over_a_queue
//!
//! `ZCRX_SOAK_SECONDS=N` goes on for that long, with one seed or with ever new ones.

#![allow(unreachable_pub, reason = "the modules are one program")]

#[path = "../common/mod.rs"]
mod common;

mod board;
mod card;
mod hand;
mod keeper;
mod left;
mod locked;
mod make;
mod partner;
mod peer;
mod plan;
mod process;
mod random;
mod round;
mod show;

use plan::Over;

#[test]
fn soak_over_provided_buffers() {
    process::soak("soak_over_provided_buffers", Over::Buffers);
}

#[test]
fn soak_without_a_device() {
    process::soak("soak_without_a_device", Over::NoDevice);
}

#[test]
fn soak_over_a_queue() {
    process::soak("soak_over_a_queue", Over::Queue);
}
