//! One completion entry: what it says, and how many slots it takes. Pure: no memory is touched here.

use crate::errno::Errno;
use crate::uapi::{
    IORING_CQE_BUFFER_SHIFT, IORING_CQE_F_32, IORING_CQE_F_BUFFER, IORING_CQE_F_MORE,
    IORING_CQE_F_SKIP, IORING_CQE_F_SOCK_NONEMPTY,
};

/// How completion entries lie in their queue. Zero-copy receive needs `Mixed` or `Wide`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CqeLayout {
    /// 16-byte slots; an entry that carries more takes two of them (`CQE_MIXED`, kernel 6.18; before
    /// 7.3.3 it [repeats old completions](super::mixed_completions_are_sound) once it was full).
    Mixed,
    /// 32-byte slots, whatever the entry carries (`CQE32`, kernel 5.19).
    Wide,
    /// 16-byte slots and nothing that carries more.
    Narrow,
}

impl CqeLayout {
    /// Bytes in one slot of the queue, the unit in which its head and tail count.
    pub const fn slot_size(self) -> usize {
        match self {
            Self::Mixed | Self::Narrow => 16,
            Self::Wide => 32,
        }
    }
}

/// What the slot at a queue's head holds, and thereby how far the head moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A 16-byte entry in one slot.
    Narrow,
    /// A 32-byte entry: one slot of a [`CqeLayout::Wide`] queue, two of a [`CqeLayout::Mixed`] one.
    Wide,
    /// A filler in the last slot before the wrap (`F_SKIP`): one slot, nothing to deliver.
    Filler,
    /// A 32-byte entry that claims more slots than there are before the end of the array, or than
    /// the kernel has published. The kernel posts no such entry.
    Malformed,
}

impl Entry {
    /// Decides what an entry is from the queue's layout and the entry's `flags`.
    ///
    /// `to_array_end` and `published` count the slots from this one to the end of the array and to
    /// the tail, this one included.
    ///
    /// `F_32` and `F_SKIP` mean something under [`CqeLayout::Mixed`] alone: a `Wide` queue never
    /// sets `F_32` (kernel 7.3, `io_uring/io_uring.c`, `io_cqe_cache_refill`).
    ///
    /// ```
    /// use zcrx_sys::ring::{CqeLayout, Entry};
    /// use zcrx_sys::uapi::IORING_CQE_F_32;
    /// assert_eq!(Entry::classify(CqeLayout::Mixed, IORING_CQE_F_32, 8, 2), Entry::Wide);
    /// assert_eq!(Entry::classify(CqeLayout::Mixed, IORING_CQE_F_32, 1, 2), Entry::Malformed);
    /// assert_eq!(Entry::classify(CqeLayout::Wide, 0, 1, 1), Entry::Wide);
    /// ```
    #[inline]
    pub const fn classify(
        layout: CqeLayout,
        flags: u32,
        to_array_end: u32,
        published: u32,
    ) -> Self {
        match layout {
            CqeLayout::Narrow => Self::Narrow,
            CqeLayout::Wide => Self::Wide,
            CqeLayout::Mixed if flags & (IORING_CQE_F_32 | IORING_CQE_F_SKIP) == 0 => Self::Narrow,
            CqeLayout::Mixed if flags & IORING_CQE_F_SKIP != 0 => Self::Filler,
            CqeLayout::Mixed if to_array_end < 2 || published < 2 => Self::Malformed,
            CqeLayout::Mixed => Self::Wide,
        }
    }

    /// Slots by which the head moves past this entry.
    #[inline]
    pub const fn slots(self, layout: CqeLayout) -> u32 {
        match (self, layout) {
            (Self::Wide, CqeLayout::Mixed) => 2,
            // A malformed entry costs the one slot that it stands in, so that a walk always ends.
            _ => 1,
        }
    }
}

/// An entry that breaks the kernel's own rules; see [`Entry::Malformed`]. Its slot was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedCqe {
    /// The entry's `user_data`, as far as it can be believed.
    pub user_data: u64,
    /// The entry's `flags`.
    pub flags: u32,
}

impl core::fmt::Display for MalformedCqe {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "a 32-byte completion (user_data {:#x}, flags {:#x}) where only one slot is left",
            self.user_data, self.flags
        )
    }
}

impl core::error::Error for MalformedCqe {}

/// A copy of one completion entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cqe {
    user_data: u64,
    res: i32,
    flags: u32,
    extra: [u64; 2],
}

impl Cqe {
    /// A 16-byte completion, as another ring's library delivers it.
    #[inline]
    pub const fn narrow(user_data: u64, res: i32, flags: u32) -> Self {
        Self {
            user_data,
            res,
            flags: flags & !IORING_CQE_F_32,
            extra: [0; 2],
        }
    }

    /// A 32-byte completion with the two words behind it, as another ring's library delivers it.
    ///
    /// ```
    /// use zcrx_sys::ring::Cqe;
    /// use zcrx_sys::uapi::IORING_CQE_F_MORE;
    /// let data = Cqe::wide(7, 4096, IORING_CQE_F_MORE, [1 << 48 | 8192, 0]);
    /// assert_eq!((data.result(), data.more(), data.extra()), (Ok(4096), true, Some([1 << 48 | 8192, 0])));
    /// ```
    #[inline]
    pub const fn wide(user_data: u64, res: i32, flags: u32, extra: [u64; 2]) -> Self {
        Self {
            user_data,
            res,
            flags: flags | IORING_CQE_F_32,
            extra,
        }
    }

    /// The value that the submission carried.
    #[inline]
    pub const fn user_data(&self) -> u64 {
        self.user_data
    }

    /// The result as the kernel wrote it: a count, a descriptor, or a negative error number.
    #[inline]
    pub const fn res(&self) -> i32 {
        self.res
    }

    /// The result with its sign turned into an `Err`.
    #[inline]
    pub const fn result(&self) -> Result<u32, Errno> {
        match Errno::from_result(self.res) {
            Some(errno) => Err(errno),
            None => Ok(self.res as u32),
        }
    }

    /// The flags as the kernel wrote them, except that `IORING_CQE_F_32` is set exactly if
    /// [`extra`](Self::extra) is there, whatever the queue's layout.
    #[inline]
    pub const fn flags(&self) -> u32 {
        self.flags
    }

    /// Whether the request stays active and will complete again (`F_MORE`).
    #[inline]
    pub const fn more(&self) -> bool {
        self.flags & IORING_CQE_F_MORE != 0
    }

    /// Whether the socket had more data when this completion was posted (`F_SOCK_NONEMPTY`).
    #[inline]
    pub const fn socket_nonempty(&self) -> bool {
        self.flags & IORING_CQE_F_SOCK_NONEMPTY != 0
    }

    /// The provided buffer that the kernel picked, if it picked one (`F_BUFFER`).
    #[inline]
    pub const fn buffer_id(&self) -> Option<u16> {
        if self.flags & IORING_CQE_F_BUFFER != 0 {
            Some((self.flags >> IORING_CQE_BUFFER_SHIFT) as u16)
        } else {
            None
        }
    }

    /// The two words of a 32-byte entry: for `RECV_ZC` the buffer's offset and padding.
    #[inline]
    pub const fn extra(&self) -> Option<[u64; 2]> {
        if self.flags & IORING_CQE_F_32 != 0 {
            Some(self.extra)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const F32: u32 = IORING_CQE_F_32;
    const SKIP: u32 = IORING_CQE_F_SKIP;

    #[test]
    fn only_mixed_queues_look_at_the_flags() {
        for flags in [0, F32, SKIP, F32 | SKIP, u32::MAX] {
            assert_eq!(Entry::classify(CqeLayout::Wide, flags, 1, 1), Entry::Wide);
            assert_eq!(
                Entry::classify(CqeLayout::Narrow, flags, 1, 1),
                Entry::Narrow
            );
        }
        assert_eq!(Entry::classify(CqeLayout::Mixed, 0, 1, 1), Entry::Narrow);
        assert_eq!(Entry::classify(CqeLayout::Mixed, F32, 2, 2), Entry::Wide);
        assert_eq!(Entry::classify(CqeLayout::Mixed, SKIP, 1, 1), Entry::Filler);
        assert_eq!(
            Entry::classify(CqeLayout::Mixed, SKIP | F32, 1, 1),
            Entry::Filler
        );
    }

    #[test]
    fn a_wide_entry_must_fit() {
        assert_eq!(
            Entry::classify(CqeLayout::Mixed, F32, 1, 9),
            Entry::Malformed
        );
        assert_eq!(
            Entry::classify(CqeLayout::Mixed, F32, 9, 1),
            Entry::Malformed
        );
    }

    #[test]
    fn strides() {
        assert_eq!(Entry::Wide.slots(CqeLayout::Mixed), 2);
        assert_eq!(Entry::Wide.slots(CqeLayout::Wide), 1);
        assert_eq!(Entry::Narrow.slots(CqeLayout::Narrow), 1);
        for entry in [Entry::Narrow, Entry::Filler, Entry::Malformed] {
            assert_eq!(entry.slots(CqeLayout::Mixed), 1);
        }
    }

    #[test]
    fn fields_are_told_apart() {
        let cqe = Cqe::narrow(7, -105, 3 << 16 | IORING_CQE_F_BUFFER | F32);
        assert_eq!(cqe.result(), Err(Errno::NOBUFS));
        assert_eq!(cqe.buffer_id(), Some(3));
        assert_eq!(
            cqe.extra(),
            None,
            "a narrow entry has no extra words, whatever its flags"
        );
        let cqe = Cqe::wide(7, 5, IORING_CQE_F_MORE, [1, 2]);
        assert_eq!(cqe.result(), Ok(5));
        assert_eq!(cqe.buffer_id(), None);
        assert_eq!(cqe.extra(), Some([1, 2]));
        assert!(cqe.more() && !cqe.socket_nonempty());
        assert_eq!(cqe.flags(), IORING_CQE_F_MORE | F32);
        let cqe = Cqe::narrow(0, 0, IORING_CQE_F_SOCK_NONEMPTY);
        assert!(!cqe.more() && cqe.socket_nonempty());
        assert_eq!(cqe.flags(), IORING_CQE_F_SOCK_NONEMPTY);
    }

    #[test]
    fn a_malformed_entry_says_which() {
        let malformed = MalformedCqe {
            user_data: 0xbeef,
            flags: F32,
        };
        assert!(std::format!("{malformed}").contains("user_data 0xbeef, flags 0x8000"));
    }
}
