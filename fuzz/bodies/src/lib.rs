//! What each fuzz target does with its bytes. Plain functions, so that `tests/bodies.rs` runs them too: on the
//! committed corpora and on random input, with stable Rust.

pub mod areas;
pub mod completions;
#[cfg(feature = "headers")]
pub mod headers;
mod input;
pub mod netlink;
pub mod receive;
pub mod refill;
pub mod registration;
pub mod stream;

/// The name and the bytes of one input that a target's corpus begins with.
pub type Seed = (&'static str, Vec<u8>);

/// One target.
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
    pub seeds: fn() -> Vec<Seed>,
}

macro_rules! targets {
    ($($(#[$cfg:meta])? $name:ident)*) => {
        &[$($(#[$cfg])? Target {
            name: stringify!($name),
            run: $name::run,
            seeds: $name::seeds,
        }),*]
    };
}

/// All of them.
pub const TARGETS: &[Target] = targets! {
    areas
    completions
    #[cfg(feature = "headers")]
    headers
    netlink
    receive
    refill
    registration
    stream
};
