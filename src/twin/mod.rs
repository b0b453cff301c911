//! The kernel's side of the rings, in this process (feature `twin`): tests, fuzzers and benchmarks drive the
//! crate's ends against it, without a kernel.
//!
//! Written after the functions of kernel 7.3 that each method names. It is as strict as the kernel, and can be
//! told to misbehave.

use alloc::boxed::Box;
use core::ptr::NonNull;

use crate::sync::AtomicU32;

mod completion;
mod instance;
mod refill;

pub use completion::CompletionTwin;
pub use instance::{Dropped, InstanceTwin, Refilled};
pub use refill::RefillTwin;

/// The two words that a ring shares.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) head: Box<AtomicU32>,
    pub(super) tail: Box<AtomicU32>,
}

impl Words {
    pub(super) fn new(start: u32) -> Self {
        Self {
            head: Box::new(AtomicU32::new(start)),
            tail: Box::new(AtomicU32::new(start)),
        }
    }

    pub(super) fn pointers(&self) -> (NonNull<AtomicU32>, NonNull<AtomicU32>) {
        (NonNull::from(&*self.head), NonNull::from(&*self.tail))
    }
}
