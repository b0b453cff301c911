//! A NIC's settings for zero-copy receive: what stands in the way of it, and setting it up with undo.
//!
//! [`inspect`] tells, without privileges, why a queue cannot have zero-copy receive and which command mends that.
//! [`claim`] does what the kernel's documentation of zero-copy receive says (`networking/iou-zcrx.rst`), in the
//! order in which it is safe, and takes it back when the [`Claim`] drops. A claim that is recorded in a file
//! ([`claim_recorded`]) can be taken back by [`undo`] after its owner was killed.
//!
//! ```no_run
//! use zcrx_sys::nic::{self, Flow};
//! use zcrx_sys::recv::Receiver;
//!
//! let claim = nic::claim("eth0", &Flow::both(9999))?;
//! for change in claim.changes() {
//!     println!("{change}");
//! }
//! let receiver = Receiver::builder().source(claim.source()).build()?;
//! // ... receive what comes to port 9999 ...
//! drop(receiver); // before the claim: a queue in use keeps its settings
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod arrival;
mod builder;
mod change;
mod claim;
mod ethtool;
mod failure;
mod flow;
mod inspect;
mod lock;
mod obstacle;
mod record;
mod rules;
mod step;
mod undo;

pub use arrival::ArrivalError;
pub use builder::ClaimBuilder;
pub use change::Change;
pub use claim::{claim, claim_recorded, Claim};
pub use failure::ClaimError;
pub use flow::{Family, Flow};
pub use inspect::{inspect, interfaces, Holder, Inspection, QueueState};
pub use obstacle::Obstacle;
pub use undo::{undo, RECORD_DIR};
