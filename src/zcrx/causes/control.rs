//! From errno to the causes of a refused control operation or import (7.3, `io_zcrx_ctrl`, `import_zcrx`).

use super::known::*;
use super::process::Process;
use super::registration::{certain, memory, privilege, UNPINNABLE};
use super::RefusedArea;
use crate::cause::{Cause, CauseKind, Diagnosis, Known};
use crate::errno::Errno;
use Diagnosis::{Certain, Possible};

/// What no operation gets past.
#[inline]
fn common(errno: Errno) -> Diagnosis {
    match errno {
        Errno::EXIST => certain(&OTHER_THREAD),
        Errno::ACCES => certain(&RESTRICTED),
        Errno::NOMEM => certain(&MEMORY),
        Errno::MFILE => certain(&PROCESS_DESCRIPTORS),
        Errno::NFILE => certain(&SYSTEM_DESCRIPTORS),
        Errno::NXIO => Possible(&[Cause {
            cause: "the ring has no instance of that id",
            remedy: "use the ring that it was registered with or imported into",
        }]),
        Errno::FAULT => Possible(&[Cause {
            cause: "the kernel could not read the operation, or did not know all that it says",
            remedy: "report it as a bug of this crate",
        }]),
        _ => Possible(&[]),
    }
}

/// Why the refill ring could not be flushed (`ZCRX_CTRL_FLUSH_RQ`).
#[inline]
pub(in crate::zcrx) fn of_control(errno: Errno) -> Diagnosis {
    const OLD: Known = known(
        CauseKind::OldKernel,
        "the kernel is older than 6.19",
        "do without: it consumes the refill ring whenever the NIC asks for buffers",
    );
    match errno {
        Errno::INVAL | Errno::OPNOTSUPP => certain(&OLD),
        _ => common(errno),
    }
}

/// Why `area` could not be added to an instance (`ZCRX_CTRL_ADD_AREA`).
#[inline]
pub(in crate::zcrx) fn of_add_area(errno: Errno, area: &RefusedArea) -> Diagnosis {
    of_added_area(errno, area, &Process::read())
}

/// The same, of what such a process adds.
#[inline]
fn of_added_area(errno: Errno, area: &RefusedArea, process: &Process) -> Diagnosis {
    const OLD: Known = known(
        CauseKind::OldKernel,
        "the kernel is older than 7.3",
        "do without: make the first area larger",
    );
    match errno {
        Errno::NOMEM => memory(area, process),
        // The driver is not asked again.
        Errno::RANGE => Certain(&CONTIGUITY, area.chunk_len.map(u64::from)),
        Errno::OPNOTSUPP => certain(&OLD),
        Errno::INVAL => Possible(&[
            Cause {
                cause:
                    "the instance's areas are of the other kind, dmabufs or memory of the process",
                remedy: "add areas of one kind",
            },
            Cause {
                cause: "the instance has 1024 areas",
                remedy: "add fewer, and larger ones",
            },
            Cause {
                cause: "the area's length is not that of the dmabuf",
                remedy: "pass the length that it was made with",
            },
        ]),
        Errno::FAULT => Possible(&[
            Cause {
                cause: "the device is gone",
                remedy: "register with another",
            },
            UNPINNABLE,
        ]),
        _ => common(errno),
    }
}

const OLDER_THAN_SHARING: Known = known(
    CauseKind::OldKernel,
    "the kernel is older than 6.19",
    "use one instance for each ring",
);

/// Why an instance could not be exported (`ZCRX_CTRL_EXPORT`).
#[inline]
pub(in crate::zcrx) fn of_export(errno: Errno) -> Diagnosis {
    match errno {
        Errno::INVAL | Errno::OPNOTSUPP => certain(&OLDER_THAN_SHARING),
        _ => common(errno),
    }
}

/// Why an exported instance could not be imported (`ZCRX_REG_IMPORT`).
#[inline]
pub(in crate::zcrx) fn of_import(errno: Errno) -> Diagnosis {
    match errno {
        Errno::BADF => Possible(&[Cause {
            cause: "the descriptor is not that of an exported instance",
            remedy: "pass what exporting gave",
        }]),
        Errno::PERM => privilege(&Process::read()),
        Errno::INVAL => certain(&OLDER_THAN_SHARING),
        Errno::OPNOTSUPP => certain(&NOT_BUILT_IN),
        _ => common(errno),
    }
}

/// Why a notification could not be armed again (`ZCRX_CTRL_ARM_EVENT`).
#[inline]
pub(in crate::zcrx) fn of_arm(errno: Errno) -> Diagnosis {
    const OLD: Known = known(
        CauseKind::OldKernel,
        "the kernel is older than 7.2",
        "do without notifications",
    );
    match errno {
        Errno::INVAL => Possible(&[Cause {
            cause: "the notification has not come since it was last armed, or was not asked for",
            remedy: "go on: there is nothing to arm",
        }]),
        Errno::OPNOTSUPP => certain(&OLD),
        _ => common(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREA: RefusedArea = RefusedArea {
        len: 64 << 20,
        dmabuf: false,
        page_len: Some(4096),
        chunk_len: Some(65536),
    };

    /// Whether the likeliest cause says this.
    fn says(diagnosis: Diagnosis, text: &str) -> bool {
        diagnosis.causes()[0].cause.contains(text)
    }

    #[test]
    fn what_no_operation_gets_past() {
        for of in [of_control, of_export, of_import, of_arm] {
            assert_eq!(of(Errno::EXIST), certain(&OTHER_THREAD));
            assert_eq!(of(Errno::ACCES), certain(&RESTRICTED));
            assert_eq!(of(Errno::NOMEM), certain(&MEMORY));
            assert!(says(of(Errno::NXIO), "no instance"));
            assert!(says(of(Errno::FAULT), "could not read"));
        }
        assert_eq!(of_add_area(Errno::EXIST, &AREA), certain(&OTHER_THREAD));
    }

    #[test]
    fn operations_have_their_own_causes() {
        for (of, since) in [
            (of_control as fn(Errno) -> _, "6.19"),
            (of_export, "6.19"),
            (of_arm, "7.2"),
            (|errno| of_add_area(errno, &AREA), "7.3"),
        ] {
            assert!(says(of(Errno::OPNOTSUPP), since));
        }
        assert!(says(of_control(Errno::INVAL), "6.19"));
        assert_eq!(of_export(Errno::MFILE), certain(&PROCESS_DESCRIPTORS));
        assert_eq!(of_export(Errno::NFILE), certain(&SYSTEM_DESCRIPTORS));
        assert!(says(of_import(Errno::BADF), "exported"));
        assert!(says(of_import(Errno::PERM), "CAP_NET_ADMIN"));
        assert!(says(of_import(Errno::INVAL), "6.19"));
        assert_eq!(of_import(Errno::OPNOTSUPP), certain(&NOT_BUILT_IN));
        assert!(says(of_arm(Errno::INVAL), "not come"));
        assert_eq!(of_add_area(Errno::INVAL, &AREA).causes().len(), 3);
        assert!(says(of_add_area(Errno::FAULT, &AREA), "device is gone"));
        assert_eq!(
            of_add_area(Errno::RANGE, &AREA),
            Certain(&CONTIGUITY, Some(65536))
        );
        let limited = Process {
            ipc_lock: Some(false),
            locked_memory: Some(8 << 20),
            ..Process::default()
        };
        assert_eq!(
            of_added_area(Errno::NOMEM, &AREA, &limited),
            Certain(&LOCKED_MEMORY, Some(8 << 20))
        );
    }
}
