//! Zero-copy receive proper: areas, registration, the refill ring, and decoding of what arrives.
//!
//! Nothing here needs this crate's own ring. Registration takes any ring's descriptor
//! ([`RingFd::from_raw`](crate::ring::RingFd::from_raw)), decoding takes any completion
//! ([`Cqe::wide`](crate::ring::Cqe::wide)), and the submission entry can be written into any queue
//! ([`Sqe::into_raw`](crate::ring::Sqe::into_raw)).

mod adding;
mod answer;
mod area;
mod areas;
mod burst;
mod causes;
mod chunk;
mod ctrl;
mod device;
mod ifq;
mod instance;
pub(crate) mod interface;
#[cfg(feature = "alloc")]
mod kept;
mod lookup;
mod notification;
mod operations;
#[cfg(feature = "alloc")]
mod owned;
mod query;
mod refill;
mod register;
mod share;
mod token;

#[cfg(any(test, feature = "twin"))]
pub(crate) use answer::{Answer, Memory, Prepared};
pub use area::{Area, HUGE_PAGE};
pub use areas::MAX_AREAS;
pub use burst::Burst;
#[cfg(feature = "nic")]
pub(crate) use causes::preflight;
pub use chunk::{Chunk, PoolId, Unreturned};
pub use device::{Device, RefillRegion};
pub use ifq::{Ifq, NotData};
pub use instance::Copies;
#[cfg(feature = "twin")]
pub(crate) use interface::fuzzing as interface_fuzzing;
pub use interface::interface_index;
#[cfg(feature = "alloc")]
pub(crate) use interface::InterfaceState;
pub use notification::Notification;
#[cfg(feature = "alloc")]
pub(crate) use owned::ChunkMemory;
#[cfg(feature = "alloc")]
pub use owned::{OwnedChunk, Recycler};
pub use query::Support;
pub use refill::RefillRing;
pub use register::{IfqBuilder, MAX_REFILL_ENTRIES};
pub use share::Export;
pub use token::{Offset, OutOfArea};

/// Most bytes of one area: what 48 bits of offset can name.
pub const MAX_AREA: u64 = (1 << crate::uapi::IORING_ZCRX_AREA_SHIFT) - 1;
