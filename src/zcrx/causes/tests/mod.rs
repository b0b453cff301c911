//! Every row of the table, by evidence. That real kernels give it is for the integration tests to show.

mod queue;

use std::string::{String, ToString};
use std::{format, vec::Vec};

use super::process::Process;
use super::registration::diagnose;
use super::*;
use crate::cause::{CauseKind, Fact};
use crate::error::{Attempt, Reason};
use crate::zcrx::interface::{DataSplit, Link, Provider, Queue, Rings};

static TRY: Attempt = Attempt {
    what: "try",
    arguments: &[],
};

const AREA: RefusedArea = RefusedArea {
    len: 64 << 20,
    dmabuf: false,
    page_len: Some(4096),
    chunk_len: None,
};
const ON_QUEUE: Refused = Refused {
    ring: -1,
    device: Device::Queue {
        interface: 2,
        queue: 1,
    },
    area: AREA,
};
const NO_DEVICE: Refused = Refused {
    device: Device::None,
    ..ON_QUEUE
};
const BIG_CHUNKS: Refused = Refused {
    area: RefusedArea {
        chunk_len: Some(65536),
        ..AREA
    },
    ..ON_QUEUE
};

/// A NIC set up as it should be, and a process that may do everything.
fn all_is_well() -> Evidence {
    Evidence {
        barred: None,
        interface: InterfaceState {
            exists: Some(true),
            link: Some(Link {
                up: true,
                mtu: Some(1500),
                has_parent: true,
                xdp_program: Some(0),
                netkit: false,
            }),
            rings: Some(Rings {
                rx_entries: Some(1024),
                data_split: Some(DataSplit::Enabled),
                hds_thresh: Some(0),
            }),
            receive_queues: Some(4),
            has_queue: Some(true),
            queue: Some(Queue::default()),
        },
        process: Process {
            net_admin: Some(true),
            ipc_lock: Some(true),
            locked_memory: Some(8 << 20),
        },
    }
}

fn error(errno: Errno, refused: &Refused, seen: &Evidence) -> Error {
    let diagnosis = diagnose(errno, refused, seen);
    Error::diagnosed(&TRY, [], Reason::Kernel(errno), diagnosis)
}

/// What is said of `errno` if the world differs from `all_is_well` in what `change` does.
fn told(errno: Errno, refused: &Refused, change: impl FnOnce(&mut Evidence)) -> Error {
    let mut seen = all_is_well();
    change(&mut seen);
    error(errno, refused, &seen)
}

fn assert_certain(error: &Error, kind: CauseKind, fact: Option<(&'static str, u64)>) {
    assert_eq!(error.kind(), Some(kind), "{error}");
    assert_eq!(error.causes().len(), 1, "{error}");
    let fact = fact.map(|(name, value)| Fact { name, value });
    assert_eq!(error.found(), fact, "{error}");
}

fn link(seen: &mut Evidence) -> &mut Link {
    seen.interface.link.as_mut().unwrap()
}
fn rings(seen: &mut Evidence) -> &mut Rings {
    seen.interface.rings.as_mut().unwrap()
}
fn queue(seen: &mut Evidence) -> &mut Queue {
    seen.interface.queue.as_mut().unwrap()
}

#[test]
fn what_bars_every_registration_is_told_apart_from_the_rest() {
    for (errno, kind) in [
        (Errno::EXIST, CauseKind::OtherThread),
        (Errno::ACCES, CauseKind::Restricted),
        (Errno::PERM, CauseKind::UserNamespace),
        (Errno::INVAL, CauseKind::OldKernel),
        (Errno::OPNOTSUPP, CauseKind::NotBuiltIn),
        (Errno::BUSY, CauseKind::SecondInstance),
    ] {
        for refused in [&ON_QUEUE, &NO_DEVICE] {
            let error = told(errno, refused, |seen| seen.barred = Some(errno));
            assert_certain(&error, kind, None);
            // Barred by something else by now: that says nothing about this.
            let other = told(errno, refused, |seen| seen.barred = Some(Errno::NXIO));
            assert_ne!(other.kind(), Some(kind), "{other}");
        }
    }
    let lacks = told(Errno::PERM, &ON_QUEUE, |seen| {
        seen.barred = Some(Errno::PERM);
        seen.process.net_admin = Some(false);
    });
    assert_certain(&lacks, CauseKind::Privilege, None);
    let unknown = told(Errno::PERM, &ON_QUEUE, |seen| {
        seen.barred = Some(Errno::PERM);
        seen.process.net_admin = None;
    });
    assert_eq!((unknown.kind(), unknown.causes().len()), (None, 1));
}

#[test]
fn memory_is_short_by_limit_or_by_lack() {
    for refused in [ON_QUEUE, NO_DEVICE] {
        let limited = |limit| {
            told(Errno::NOMEM, &refused, |seen| {
                seen.process.ipc_lock = Some(false);
                seen.process.locked_memory = limit;
            })
        };
        let name = "locked-memory limit bytes";
        for limit in [0, 8 << 20, (64 << 20) - 1] {
            assert_certain(
                &limited(Some(limit)),
                CauseKind::LockedMemory,
                Some((name, limit)),
            );
        }
        for limit in [Some(64 << 20), Some(u64::MAX - 1), None] {
            let with_others = limited(limit);
            assert_eq!(with_others.causes().len(), 2, "{with_others}");
            assert!(with_others.to_string().contains("ulimit -l"));
        }
        assert_certain(&limited(Some(u64::MAX)), CauseKind::Memory, None);
        let exempt = told(Errno::NOMEM, &refused, |_| ());
        assert_certain(&exempt, CauseKind::Memory, None);
        let mut dmabuf = refused;
        dmabuf.area.dmabuf = true;
        let not_counted = told(Errno::NOMEM, &dmabuf, |seen| {
            seen.process.ipc_lock = Some(false)
        });
        assert_certain(&not_counted, CauseKind::Memory, None);
    }
}

#[test]
fn what_fails_alike_with_a_device_and_without() {
    for refused in [ON_QUEUE, NO_DEVICE] {
        for (errno, kind, words) in [
            (Errno::MFILE, Some(CauseKind::Descriptors), "ulimit -n"),
            (Errno::NFILE, Some(CauseKind::Descriptors), "fs.file-max"),
            // What bars every registration did so, and does no more.
            (Errno::PERM, None, "CAP_NET_ADMIN"),
            (Errno::ACCES, None, "restrictions"),
            (Errno::FAULT, None, "pinned"),
        ] {
            let error = told(errno, &refused, |_| ());
            assert_eq!((error.kind(), error.causes().len()), (kind, 1), "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}

#[test]
fn without_a_device() {
    let mut chunks = NO_DEVICE;
    chunks.area.chunk_len = Some(65536);
    let error = told(Errno::OPNOTSUPP, &chunks, |_| ());
    assert_certain(&error, CauseKind::ChunkLength, Some(("chunk bytes", 65536)));
    let old = told(Errno::INVAL, &NO_DEVICE, |_| ());
    assert!(old.to_string().contains("older than 7.1"), "{old}");
    let mut dmabuf = NO_DEVICE;
    dmabuf.area.dmabuf = true;
    let error = told(Errno::INVAL, &dmabuf, |_| ());
    assert!(error.to_string().contains("without a device"), "{error}");
}

/// No errno, with whatever evidence, and no kind of registration, is without a sentence that can be read.
#[test]
fn every_answer_reads_well() {
    let worlds: Vec<Evidence> = (0..32_u32)
        .map(|bits| {
            let mut seen = all_is_well();
            let has = |bit: u32| bits & (1 << bit) != 0;
            link(&mut seen).has_parent = has(0);
            rings(&mut seen).data_split = has(1).then_some(DataSplit::Disabled);
            queue(&mut seen).af_xdp = has(2);
            seen.process.ipc_lock = Some(has(3));
            if has(4) {
                seen.interface = InterfaceState::default();
            }
            seen
        })
        .collect();
    for raw in 1..200 {
        let errno = Errno::from_raw(raw);
        for refused in [ON_QUEUE, NO_DEVICE, BIG_CHUNKS] {
            for seen in &worlds {
                reads_well(&error(errno, &refused, seen));
            }
        }
        for diagnosis in [
            of_control(errno),
            of_export(errno),
            of_import(errno),
            of_arm(errno),
        ] {
            reads_well(&Error::diagnosed(
                &TRY,
                [],
                Reason::Kernel(errno),
                diagnosis,
            ));
        }
        let diagnosis = of_add_area(errno, &BIG_CHUNKS.area);
        reads_well(&Error::diagnosed(
            &TRY,
            [],
            Reason::Kernel(errno),
            diagnosis,
        ));
    }
}

fn reads_well(error: &Error) {
    let text: String = format!("{error}");
    assert!(error.causes().len() <= 3, "{text}");
    assert!(
        text.matches(". ").count() <= 1 && !text.contains("  "),
        "{text}"
    );
    for cause in error.causes() {
        for clause in [cause.cause, cause.remedy] {
            assert!(!clause.is_empty() && !clause.ends_with('.'), "{clause}");
        }
    }
}
