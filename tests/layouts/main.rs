//! The kernel's structs and numbers as this crate has them, judged by a C compiler that reads the kernel's own
//! headers: size and alignment of every struct, offset and width of every field, value of every constant, in
//! the committed bindings and in what is written by hand. What there is to ask is taken from the sources, so that
//! nothing new goes unasked.
//!
//! The headers are those in `ZCRX_SYS_INCLUDE` (7.3 or newer): `tests/lab/fetch --headers` gives them.

#[path = "../common/mod.rs"]
mod common;

mod bindings;
mod by_hand;
mod judge;

use judge::{disagreements, headers, Question, Target};

/// How many numbers must be asked for, or else it was not understood what the bindings say: they only ever grow.
const FEWEST: usize = 900;

/// Requires that C and Rust agree about the bindings on `target`, but for `known`.
fn judge_bindings(target: &Target, known: &[&str]) {
    let Some(headers) = headers() else {
        return;
    };
    let questions = bindings::questions();
    assert!(questions.len() >= FEWEST, "{} asked", questions.len());
    let told = disagreements(target, &headers, &bindings::source(), &questions);
    assert!(told == known, "\n{}\n", told.join("\n"));
}

#[test]
fn every_field_and_constant_of_the_bindings_is_as_in_c() {
    judge_bindings(&Target::NATIVE, &[]);
}

fn judge_by_hand(target: &Target) {
    let Some(headers) = headers() else {
        return;
    };
    let questions = by_hand::questions();
    let told = disagreements(target, &headers, &by_hand::source(), &questions);
    assert!(told.is_empty(), "\n{}\n", told.join("\n"));
}

#[test]
fn what_is_written_by_hand_is_as_in_c() {
    judge_by_hand(&Target::NATIVE);
}

/// A judge that agrees with everything would be none.
#[test]
fn what_is_not_as_in_c_is_told() {
    let Some(headers) = headers() else {
        return;
    };
    let questions = [
        Question::new("off", "offsetof(struct io_uring_sqe, off)", "16"),
        Question::new("nop", "IORING_OP_NOP", "0"),
    ];
    let told = disagreements(&Target::NATIVE, &headers, "", &questions);
    assert_eq!(told, ["off: 16 in Rust, 8 in C"]);
}

/// The one 32-bit target that aligns 64-bit words to 4 bytes. A C compiler for x86-64 does for it, since no library
/// is needed; rustc takes `rustup target add i686-unknown-linux-gnu`.
#[cfg(target_arch = "x86_64")]
mod i686 {
    use super::{judge_bindings, judge_by_hand, Target};

    const TARGET: Target = Target {
        rustc: &["--target", "i686-unknown-linux-gnu"],
        cc: &["-m32"],
    };

    /// The bindings are written on x86-64, where `__aligned_u64` asks for no more than 64-bit words have anyway, and
    /// where what bindgen aligns to 8 bytes was so aligned. It matters to nobody: no offset and no size depends on it,
    /// and the kernel copies these structs from any address.
    const ALIGNED_OTHERWISE: [&str; 5] = [
        "alignment of io_uring_files_update: 4 in Rust, 8 in C",
        "alignment of io_uring_rsrc_register: 4 in Rust, 8 in C",
        "alignment of io_uring_rsrc_update: 4 in Rust, 8 in C",
        "alignment of io_uring_rsrc_update2: 4 in Rust, 8 in C",
        "alignment of io_uring_sqe: 8 in Rust, 4 in C",
    ];

    #[test]
    fn every_field_and_constant_of_the_bindings_is_as_in_c_on_i686() {
        judge_bindings(&TARGET, &ALIGNED_OTHERWISE);
    }

    #[test]
    fn what_is_written_by_hand_is_as_in_c_on_i686() {
        judge_by_hand(&TARGET);
    }
}
