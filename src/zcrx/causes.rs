//! What the errors of registration mean: one errno has several causes, and the kernel says no more.
//! Ranked by how likely each is once the arguments were checked here.

use super::ifq::Device;
use crate::errno::Errno;
use crate::error::Cause;

const OTHER_THREAD: Cause = Cause {
    cause: "another thread than the ring's owner called",
    remedy: "register on the thread that enabled the ring",
};

/// Causes of `errno` when an instance for `device` was registered (kernel 7.3, `io_register_zcrx`,
/// in its order of checks).
pub(super) fn of_registration(errno: Errno, device: Device) -> &'static [Cause] {
    let on_queue = matches!(device, Device::Queue { .. });
    match errno {
        Errno::PERM => &[Cause {
            cause: "the process lacks CAP_NET_ADMIN in the initial user namespace",
            remedy: "run it as root, or once: setcap cap_net_admin+ep PROGRAM",
        }],
        Errno::ACCES => &[Cause {
            cause: "the ring's restrictions forbid it",
            remedy: "allow register operations 32 and 36",
        }],
        Errno::NOMEM => &[Cause {
            cause:
                "the locked-memory limit does not hold area and refill ring, together with what \
                    the user's other rings lock",
            remedy: "use a smaller area, raise the limit (ulimit -l), or grant CAP_IPC_LOCK",
        }],
        Errno::EXIST if on_queue => &[
            Cause {
                cause: "the queue is taken, often by a process that is just ending",
                remedy: "retry for some seconds, or pick another queue",
            },
            Cause {
                cause: "an XDP program is attached",
                remedy: "detach it",
            },
            OTHER_THREAD,
        ],
        Errno::EXIST => &[OTHER_THREAD],
        Errno::NODEV => &[Cause {
            cause: "no such interface in this network namespace, or it is down",
            remedy: "check its name with ip link, and bring it up",
        }],
        Errno::OPNOTSUPP if on_queue => &[
            Cause {
                cause:
                    "the interface has no DMA device, its driver has no queue management, or the \
                        queue is past its channels",
                remedy: "use a NIC whose driver has zero-copy receive, and one of its queues \
                         (ethtool -l)",
            },
            Cause {
                cause: "the driver has no chunks other than a page",
                remedy: "leave the chunk length out",
            },
            Cause {
                cause: "the kernel is built without CONFIG_IO_URING_ZCRX",
                remedy: "use a kernel that has it",
            },
        ],
        Errno::OPNOTSUPP => &[Cause {
            cause: "the kernel is built without CONFIG_IO_URING_ZCRX",
            remedy: "use a kernel that has it",
        }],
        Errno::RANGE if on_queue => &[
            Cause {
                cause: "the interface has no such receive queue",
                remedy: "use one of its queues (ethtool -l)",
            },
            Cause {
                cause: "the area is not contiguous in pieces of the chunk length",
                remedy: "use huge pages, or chunks of one page",
            },
        ],
        Errno::BUSY => &[Cause {
            cause: "the queue is leased to a netkit device, or has an AF_XDP socket",
            remedy: "pick another queue",
        }],
        Errno::INVAL if on_queue => &[
            Cause {
                cause: "header split is not switched on, or its threshold is not 0",
                remedy: "ethtool -G INTERFACE tcp-data-split on hds-thresh 0",
            },
            Cause {
                cause: "the kernel is older than 6.15",
                remedy: "use a newer kernel",
            },
        ],
        Errno::INVAL => &[Cause {
            cause: "the kernel is older than 7.1, or knows none of what was asked for",
            remedy: "use a newer kernel, or provided buffers",
        }],
        Errno::FAULT => &[Cause {
            cause: "the area's memory cannot be pinned for the device",
            remedy: "use memory of Area::new or Area::huge_pages",
        }],
        Errno::NODATA => &[Cause {
            cause: "the driver set the queue up without the area",
            remedy: "update the driver or the kernel",
        }],
        _ => &[],
    }
}

/// Causes of `errno` when a control operation was asked for.
pub(super) fn of_control(errno: Errno) -> &'static [Cause] {
    match errno {
        Errno::EXIST => &[OTHER_THREAD],
        Errno::INVAL | Errno::OPNOTSUPP => &[Cause {
            cause: "the kernel is older than 6.19",
            remedy: "do without: it consumes the refill ring whenever the NIC asks for buffers",
        }],
        _ => &[],
    }
}

/// Causes of `errno` when an area was added.
pub(super) fn of_add_area(errno: Errno) -> &'static [Cause] {
    of_control(errno)
}

/// Causes of `errno` when an instance was exported.
pub(super) fn of_export(errno: Errno) -> &'static [Cause] {
    of_control(errno)
}

/// Causes of `errno` when an export was imported.
pub(super) fn of_import(errno: Errno) -> &'static [Cause] {
    of_control(errno)
}

/// Causes of `errno` when a notification was armed.
pub(super) fn of_arm(errno: Errno) -> &'static [Cause] {
    of_control(errno)
}
