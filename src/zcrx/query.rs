//! What this kernel can do, asked of it (`IORING_REGISTER_QUERY`, kernel 6.18).

use crate::syscall;
use crate::uapi::{
    self, io_uring_query_hdr, io_uring_query_opcode, io_uring_query_zcrx, io_uring_query_zcrx_event,
};

/// The kernel's answers. Nothing is inferred from its release string.
///
/// A kernel that does not know a question gives `None`: that is all of them before 6.18, and
/// the zero-copy ones before 6.19 (which, from 6.15 on, can receive all the same).
///
/// ```
/// use zcrx_sys::zcrx::Support;
/// let support = Support::query();
/// match support.zcrx() {
///     Some(_) if support.has_no_device() => println!("any TCP socket"),
///     Some(_) => println!("a NIC's queue"),
///     None => println!("perhaps a NIC's queue: this kernel cannot be asked"),
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Support {
    opcodes: Option<io_uring_query_opcode>,
    zcrx: Option<io_uring_query_zcrx>,
    events: Option<io_uring_query_zcrx_event>,
}

impl Support {
    /// Asks the running kernel. Needs no ring and no privilege.
    #[inline]
    pub fn query() -> Self {
        Self {
            opcodes: ask(uapi::IO_URING_QUERY_OPCODES),
            zcrx: ask(uapi::IO_URING_QUERY_ZCRX),
            events: ask(uapi::IO_URING_QUERY_ZCRX_EVENT),
        }
    }

    /// Counts of operations and the flags that the kernel knows (6.18).
    #[inline]
    pub fn opcodes(&self) -> Option<&io_uring_query_opcode> {
        self.opcodes.as_ref()
    }

    /// What the zero-copy receive of this kernel has (6.19).
    #[inline]
    pub fn zcrx(&self) -> Option<&io_uring_query_zcrx> {
        self.zcrx.as_ref()
    }

    /// What events and statistics there are (7.2).
    #[inline]
    pub fn events(&self) -> Option<&io_uring_query_zcrx_event> {
        self.events.as_ref()
    }

    /// Whether a zcrx instance can be registered without a device (7.1).
    #[inline]
    pub fn has_no_device(&self) -> bool {
        self.zcrx
            .is_some_and(|zcrx| zcrx.register_flags & u64::from(uapi::ZCRX_REG_NODEV) != 0)
    }

    /// Whether control operation `op` (`ZCRX_CTRL_*`) is there.
    #[inline]
    pub fn has_control(&self, op: uapi::zcrx_ctrl_op) -> bool {
        self.zcrx.is_some_and(|zcrx| op < zcrx.nr_ctrl_opcodes)
    }

    /// Whether chunks can be larger than a page (7.0).
    #[inline]
    pub fn has_large_chunks(&self) -> bool {
        self.zcrx
            .is_some_and(|zcrx| zcrx.features & uapi::ZCRX_FEATURE_RX_PAGE_SIZE != 0)
    }

    /// Whether the kernel [notifies](super::Notification) of what happens to an instance (7.2).
    #[inline]
    pub fn has_notifications(&self) -> bool {
        self.zcrx
            .is_some_and(|zcrx| zcrx.features & uapi::ZCRX_FEATURE_EVENT != 0)
    }

    /// Whether the kernel counts copies in a region that the application can read (7.2).
    #[inline]
    pub fn has_statistics(&self) -> bool {
        self.has_notifications() && self.events.is_some()
    }
}

/// Answers to questions are plain integers, so every answer is a valid value.
trait Answer: Default {}
impl Answer for io_uring_query_opcode {}
impl Answer for io_uring_query_zcrx {}
impl Answer for io_uring_query_zcrx_event {}

#[inline]
fn ask<T: Answer>(question: u32) -> Option<T> {
    let mut answer = T::default();
    let mut header = io_uring_query_hdr {
        query_data: core::ptr::from_mut(&mut answer) as usize as u64,
        query_op: question,
        // At most 48 bytes.
        size: size_of::<T>() as u32,
        ..Default::default()
    };
    // SAFETY: QUERY reads and writes the header, and at most `size` bytes at query_data: both are
    // live, exclusively borrowed locals of that size. It takes no ring (descriptor -1).
    let asked = unsafe {
        syscall::register(
            -1,
            uapi::IORING_REGISTER_QUERY,
            core::ptr::from_mut(&mut header).cast(),
            0,
        )
    };
    (asked.is_ok() && header.result == 0).then_some(answer)
}
