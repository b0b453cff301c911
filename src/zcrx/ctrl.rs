//! Control operations on a registered instance (`IORING_REGISTER_ZCRX_CTRL`, kernel 6.19).

use libc::c_int;

use super::adding::describe;
use super::area::Area;
use super::causes::{self, RefusedArea};
use super::notification::Notification;
use crate::cause::Diagnosis;
use crate::errno::Errno;
use crate::error::{Attempt, Error, Reason};
use crate::fd::Fd;
use crate::syscall;
use crate::uapi::{self, zcrx_ctrl};

static FLUSH: Attempt = Attempt {
    what: "flush the refill ring",
    arguments: &["zcrx instance"],
};
static ADD_AREA: Attempt = Attempt {
    what: "add an area",
    arguments: &["zcrx instance", "area bytes"],
};
static ARM: Attempt = Attempt {
    what: "arm a notification",
    arguments: &["zcrx instance", "notification"],
};
static EXPORT: Attempt = Attempt {
    what: "export the instance",
    arguments: &["zcrx instance"],
};

/// An instance, as the ring that it is registered with knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) ring: c_int,
    pub(super) zcrx_id: u32,
}

impl Target {
    /// `ZCRX_CTRL_FLUSH_RQ`.
    #[inline]
    pub(super) fn flush(self) -> Result<(), Error> {
        let mut ctrl = self.operation(uapi::ZCRX_CTRL_FLUSH_RQ);
        // SAFETY: a flush names no memory, and writes nothing to this process but the refill ring's head.
        let flushed = unsafe { self.control(&mut ctrl) };
        flushed.map_err(|errno| self.error(&FLUSH, errno, causes::of_control(errno)))
    }

    /// `ZCRX_CTRL_ADD_AREA`, kernel 7.3. Answers the area's token.
    ///
    /// # Safety
    ///
    /// If this succeeds the kernel writes to the area's memory, until the instance is gone.
    #[inline]
    pub(super) unsafe fn add_area(self, area: &Area) -> Result<u64, Errno> {
        let mut reg = describe(area);
        let mut ctrl = self.operation(uapi::ZCRX_CTRL_ADD_AREA);
        ctrl.__bindgen_anon_1.zc_area = uapi::zcrx_ctrl_add_area {
            area_ptr: core::ptr::from_mut(&mut reg) as usize as u64,
            ..Default::default()
        };
        // SAFETY: the operation names `reg`, a live local that the kernel reads and writes during the call. What
        // the area's memory is used for later is the caller's promise.
        unsafe { self.control(&mut ctrl) }?;
        Ok(reg.rq_area_token)
    }

    #[inline]
    pub(super) fn add_area_error(self, area: &RefusedArea, reason: Reason) -> Error {
        let diagnosis = match reason {
            Reason::Kernel(errno) => causes::of_add_area(errno, area),
            _ => Diagnosis::Possible(&[]),
        };
        let arguments = [u64::from(self.zcrx_id), area.len as u64];
        Error::diagnosed(&ADD_AREA, arguments, reason, diagnosis)
    }

    /// `ZCRX_CTRL_ARM_EVENT`, kernel 7.2. Whether it was not armed already.
    #[inline]
    pub(super) fn arm(self, notification: Notification) -> Result<bool, Error> {
        let mut ctrl = self.operation(uapi::ZCRX_CTRL_ARM_EVENT);
        let event_type = notification.number();
        ctrl.__bindgen_anon_1.zc_arm_event = uapi::zcrx_ctrl_arm_event {
            event_type,
            ..Default::default()
        };
        // SAFETY: arming names no memory.
        match unsafe { self.control(&mut ctrl) } {
            Ok(()) => Ok(true),
            // The kernel's word for one that has not fired. (One that it does not know gives the same, and
            // never fires.)
            Err(Errno::INVAL) => Ok(false),
            Err(errno) => {
                let arguments = [u64::from(self.zcrx_id), u64::from(event_type)];
                let diagnosis = causes::of_arm(errno);
                let reason = Reason::Kernel(errno);
                Err(Error::diagnosed(&ARM, arguments, reason, diagnosis))
            }
        }
    }

    /// `ZCRX_CTRL_EXPORT`.
    #[inline]
    pub(super) fn export(self) -> Result<Fd, Error> {
        let mut ctrl = self.operation(uapi::ZCRX_CTRL_EXPORT);
        ctrl.__bindgen_anon_1.zc_export = uapi::zcrx_ctrl_export::default();
        // SAFETY: exporting names no memory.
        unsafe { self.control(&mut ctrl) }.map_err(|errno| self.export_error(errno))?;
        // SAFETY: the operation that succeeded wrote this member of the union, of which every value is valid.
        let fd = unsafe { ctrl.__bindgen_anon_1.zc_export.zcrx_fd };
        // SAFETY: the kernel just made this descriptor for us; nobody else knows of it.
        Ok(unsafe { Fd::from_raw(fd as c_int) })
    }

    #[inline]
    pub(super) fn export_error(self, errno: Errno) -> Error {
        self.error(&EXPORT, errno, causes::of_export(errno))
    }

    #[inline]
    fn operation(self, op: uapi::zcrx_ctrl_op) -> zcrx_ctrl {
        zcrx_ctrl {
            zcrx_id: self.zcrx_id,
            op,
            ..zcrx_ctrl::default()
        }
    }

    #[inline]
    fn error(self, attempt: &'static Attempt, errno: Errno, diagnosis: Diagnosis) -> Error {
        let arguments = [u64::from(self.zcrx_id)];
        Error::diagnosed(attempt, arguments, Reason::Kernel(errno), diagnosis)
    }

    /// # Safety
    ///
    /// Whatever memory the operation names must be valid for what it does with it.
    #[inline]
    unsafe fn control(self, ctrl: &mut zcrx_ctrl) -> Result<(), Errno> {
        // SAFETY: the argument is a live, exclusively borrowed zcrx_ctrl, which is what this opcode reads and
        // writes; the memory that it names is the caller's promise.
        unsafe {
            syscall::register(
                self.ring,
                uapi::IORING_REGISTER_ZCRX_CTRL,
                core::ptr::from_mut(ctrl).cast(),
                0,
            )
        }
        .map(drop)
    }
}
