//! [`Notification`]: what the kernel tells about an instance by itself (kernel 7.2).

use crate::ring::Cqe;
use crate::uapi::{ZCRX_EVENT_ALLOC_FAIL, ZCRX_EVENT_COPY};

/// Something that happened to an instance. Each kind is posted once, until it is
/// [armed](super::Ifq::arm) again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notification {
    /// The NIC asked for buffers and there were none (`ZCRX_EVENT_ALLOC_FAIL`): packets are lost until chunks
    /// are returned. The area is too small for the NIC's ring and what the application holds, or chunks are
    /// returned too late.
    AllocFailed,
    /// A fragment that the NIC had not placed was copied (`ZCRX_EVENT_COPY`). See
    /// [`Copies`](super::Copies) for how many were.
    Copied,
    /// One that a newer kernel has: its number.
    Other(u32),
}

impl Notification {
    /// What the completion says, which is that of an instance's notifications (their `user_data` tells).
    /// `None` if it carries an error or bytes: then it is something else.
    ///
    /// ```
    /// use zcrx_sys::ring::Cqe;
    /// use zcrx_sys::zcrx::Notification;
    /// assert_eq!(Notification::of(&Cqe::narrow(9, 0, 0)), Some(Notification::AllocFailed));
    /// assert_eq!(Notification::of(&Cqe::narrow(9, -4, 0)), None);
    /// ```
    #[inline]
    pub fn of(cqe: &Cqe) -> Option<Self> {
        let number = cqe.result().ok()?;
        Some(match number {
            _ if cqe.more() => return None,
            ZCRX_EVENT_ALLOC_FAIL => Self::AllocFailed,
            ZCRX_EVENT_COPY => Self::Copied,
            number => Self::Other(number),
        })
    }

    /// Its number (`ZCRX_EVENT_*`).
    #[inline]
    pub fn number(self) -> u32 {
        match self {
            Self::AllocFailed => ZCRX_EVENT_ALLOC_FAIL,
            Self::Copied => ZCRX_EVENT_COPY,
            Self::Other(number) => number,
        }
    }
}

/// The kinds that registration asks for.
pub(super) const ALL: u32 = 1 << ZCRX_EVENT_ALLOC_FAIL | 1 << ZCRX_EVENT_COPY;
