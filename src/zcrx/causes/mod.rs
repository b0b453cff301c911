//! What the errors of registration and of control operations mean: one errno has several causes, and the kernel
//! drops the message that says which.
//!
//! So after it has refused, whatever can still be asked is asked: the kernel once more ([`barred`]), the
//! interface's state, the process's limits. A cause that this bears out is given alone; what stays open is a
//! list, ranked by how likely each is once the arguments were checked here.

mod control;
mod known;
#[cfg(feature = "nic")]
pub(crate) mod preflight;
mod process;
mod registration;
#[cfg(test)]
mod tests;

use core::ffi::c_void;

use libc::c_int;

use self::process::Process;
use super::area::Area;
use super::device::Device;
use super::interface::InterfaceState;
use crate::cause::Diagnosis;
use crate::errno::Errno;
use crate::error::Error;
use crate::syscall;
use crate::uapi;

pub(super) use control::{of_add_area, of_arm, of_control, of_export, of_import};

/// A registration that the kernel refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    /// The ring's descriptor.
    pub(super) ring: c_int,
    pub(super) device: Device,
    pub(super) area: RefusedArea,
}

/// An area that the kernel refused, or that was part of what it refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct RefusedArea {
    /// Bytes of the area.
    pub(super) len: usize,
    /// Whether it is a dmabuf, and not memory of this process.
    pub(super) dmabuf: bool,
    /// Bytes of the pages that it is made of, each contiguous; `None` if not known.
    pub(super) page_len: Option<usize>,
    /// Bytes of the chunks that were asked for; `None` if that was left to the kernel.
    pub(super) chunk_len: Option<u32>,
}

impl RefusedArea {
    #[inline]
    pub(super) fn new(area: &Area, chunk_len: Option<u32>) -> Self {
        Self {
            len: area.len(),
            dmabuf: area.dmabuf_fd().is_some(),
            page_len: area.page_len(),
            chunk_len,
        }
    }
}

/// What was found out after a refusal.
#[derive(Clone, Copy, Debug, Default)]
struct Evidence {
    barred: Option<Errno>,
    interface: InterfaceState,
    process: Process,
}

/// Why the kernel answered a registration with `errno`.
pub(super) fn of_registration(errno: Errno, refused: &Refused) -> Diagnosis {
    let interface = match refused.device {
        Device::Queue { interface, queue } => InterfaceState::read(interface, Some(queue)),
        Device::None => InterfaceState::default(),
    };
    let evidence = Evidence {
        barred: barred(refused.ring),
        interface,
        process: Process::read(),
    };
    registration::diagnose(errno, refused, &evidence)
}

/// What the kernel answers to every registration on this ring by this thread, whatever is to be registered.
///
/// It is asked to register what stands at an address that no process has. It checks thread, restrictions,
/// privilege and ring before it reads that, and so gets to `EFAULT` only if it minds none of them.
fn barred(ring: c_int) -> Option<Errno> {
    let nowhere = (usize::MAX - 4095) as *mut c_void;
    // SAFETY: the last page of the address space belongs to no process, so that the kernel can neither read
    // nor write there, and registers nothing.
    let answer = unsafe { syscall::register(ring, uapi::IORING_REGISTER_ZCRX_IFQ, nowhere, 1) };
    answer.err().filter(|&errno| errno != Errno::FAULT)
}

impl Error {
    /// Whether the interface queue was taken, or may have been: the kernel frees it in its own time after its
    /// owner has closed, so the same registration can succeed some time later.
    ///
    /// The other causes of the same errno (EEXIST), an XDP program and a call from the wrong thread, stay
    /// until somebody does something.
    pub fn is_taken_queue(&self) -> bool {
        self.causes().contains(&known::QUEUE_TAKEN.cause)
    }
}
