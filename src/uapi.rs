//! The kernel's own structs and constants, generated from its headers (7.3).
//!
//! Names are the kernel's, so that its documentation and these bindings can be read side by side.
//! Enums are plain integer constants: an unknown value from the kernel is a number, never undefined
//! behaviour. With feature `bindgen` this module is generated at build time from the headers in
//! `ZCRX_SYS_INCLUDE`, or the installed ones.

/// The generated part, in a module of its own so that its lints are its own.
#[allow(
    missing_docs,
    non_camel_case_types,
    non_upper_case_globals,
    dead_code,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::missing_safety_doc,
    clippy::incompatible_msrv
)]
mod bindings {
    #[cfg(not(feature = "bindgen"))]
    include!("uapi/bindings.rs");
    #[cfg(feature = "bindgen")]
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

mod layout;

pub use bindings::*;
