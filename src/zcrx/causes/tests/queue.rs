//! What is told of an interface queue that cannot be had.

use super::*;

#[test]
fn three_causes_of_einval() {
    type Case = (fn(&mut Evidence), CauseKind, Option<(&'static str, u64)>);
    let cases: [Case; 5] = [
        (
            |seen| rings(seen).data_split = Some(DataSplit::Disabled),
            CauseKind::HeaderSplit,
            None,
        ),
        (
            |seen| {
                rings(seen).data_split = Some(DataSplit::Unknown);
                rings(seen).hds_thresh = None;
            },
            CauseKind::HeaderSplit,
            None,
        ),
        (
            |seen| {
                rings(seen).data_split = Some(DataSplit::Disabled);
                rings(seen).hds_thresh = Some(256);
            },
            CauseKind::HeaderSplit,
            Some(("hds-thresh", 256)),
        ),
        (
            |seen| rings(seen).hds_thresh = Some(128),
            CauseKind::HeaderSplitThreshold,
            Some(("hds-thresh", 128)),
        ),
        (
            |seen| {
                rings(seen).data_split = None;
                rings(seen).hds_thresh = Some(1);
            },
            CauseKind::HeaderSplitThreshold,
            Some(("hds-thresh", 1)),
        ),
    ];
    for (change, kind, fact) in cases {
        assert_certain(&told(Errno::INVAL, &ON_QUEUE, change), kind, fact);
        assert_certain(&told(Errno::INVAL, &BIG_CHUNKS, change), kind, fact);
    }
    // Header split is as it should be: chunks are at fault, if any length was asked for.
    for (refused, causes) in [(&ON_QUEUE, 1), (&BIG_CHUNKS, 2)] {
        let other = told(Errno::INVAL, refused, |_| ());
        assert_eq!((other.kind(), other.causes().len()), (None, causes));
    }
    let threshold = told(Errno::INVAL, &ON_QUEUE, |seen| {
        rings(seen).hds_thresh = Some(128)
    });
    assert!(threshold.to_string().ends_with(
        "; header split starts only at a threshold (hds-thresh 128): ethtool -G INTERFACE hds-thresh 0"
    ));

    // All is as it should be, or seems so.
    let by_itself = told(Errno::INVAL, &ON_QUEUE, |_| ());
    assert!(
        by_itself.to_string().contains("driver's own choice"),
        "{by_itself}"
    );
    let chunks = told(Errno::INVAL, &BIG_CHUNKS, |_| ());
    assert!(chunks.causes()[0].cause.contains("chunks of that length"));
    let dmabuf = Refused {
        area: RefusedArea {
            dmabuf: true,
            ..AREA
        },
        ..ON_QUEUE
    };
    let error = told(Errno::INVAL, &dmabuf, |_| ());
    assert!(error.causes()[0].cause.contains("dmabuf"), "{error}");
    let unread = told(Errno::INVAL, &ON_QUEUE, |seen| seen.interface.rings = None);
    assert_eq!(unread.kind(), None);
    assert!(unread
        .to_string()
        .contains("tcp-data-split on hds-thresh 0"));
}

#[test]
fn three_causes_of_eexist() {
    let xdp = told(Errno::EXIST, &ON_QUEUE, |seen| {
        link(seen).xdp_program = Some(42)
    });
    assert_certain(&xdp, CauseKind::XdpProgram, Some(("XDP program id", 42)));
    assert!(!xdp.is_taken_queue());

    for provider in [Provider::IoUring, Provider::Dmabuf] {
        let bound = told(Errno::EXIST, &ON_QUEUE, |seen| {
            queue(seen).provider = Some(provider)
        });
        assert_certain(&bound, CauseKind::QueueTaken, None);
        assert!(bound.is_taken_queue());
    }
    // Both: with the program there, waiting for the queue is of no use.
    let both = told(Errno::EXIST, &ON_QUEUE, |seen| {
        link(seen).xdp_program = Some(42);
        queue(seen).provider = Some(Provider::IoUring);
    });
    assert!(!both.is_taken_queue());
    // It was taken, and is free by now.
    let gone = told(Errno::EXIST, &ON_QUEUE, |_| ());
    assert_certain(&gone, CauseKind::QueueTaken, None);
    // Nothing can be read: perhaps.
    let unread = told(Errno::EXIST, &ON_QUEUE, |seen| {
        seen.interface = InterfaceState::default()
    });
    assert_eq!((unread.kind(), unread.causes().len()), (None, 2));
    assert!(unread.is_taken_queue());
    // What is known of the queue says enough, or not.
    let free = told(Errno::EXIST, &ON_QUEUE, |seen| {
        link(seen).xdp_program = None
    });
    assert_eq!((free.kind(), free.causes().len()), (None, 2));
    let bound = told(Errno::EXIST, &ON_QUEUE, |seen| {
        link(seen).xdp_program = None;
        queue(seen).provider = Some(Provider::Dmabuf);
    });
    assert_certain(&bound, CauseKind::QueueTaken, None);

    let thread = told(Errno::EXIST, &ON_QUEUE, |seen| {
        seen.barred = Some(Errno::EXIST);
        queue(seen).provider = Some(Provider::IoUring);
    });
    assert_certain(&thread, CauseKind::OtherThread, None);
    assert!(!thread.is_taken_queue());
}

#[test]
fn two_causes_of_erange() {
    let past = told(Errno::RANGE, &BIG_CHUNKS, |seen| {
        seen.interface.receive_queues = Some(1)
    });
    assert_certain(&past, CauseKind::NoQueue, Some(("receive queues", 1)));
    let uncounted = told(Errno::RANGE, &BIG_CHUNKS, |seen| {
        seen.interface.receive_queues = None;
        seen.interface.has_queue = Some(false);
    });
    assert_certain(&uncounted, CauseKind::NoQueue, None);
    let area = told(Errno::RANGE, &BIG_CHUNKS, |_| ());
    assert_certain(&area, CauseKind::Contiguity, Some(("chunk bytes", 65536)));
    let mut huge = BIG_CHUNKS;
    huge.area.page_len = Some(2 << 20);
    let driver = told(Errno::RANGE, &huge, |_| ());
    assert_certain(
        &driver,
        CauseKind::ChunkLength,
        Some(("chunk bytes", 65536)),
    );
    huge.area.page_len = Some(65536);
    assert_eq!(told(Errno::RANGE, &huge, |_| ()).kind(), driver.kind());
    huge.area.page_len = None;
    assert_eq!(told(Errno::RANGE, &huge, |_| ()).causes().len(), 2);
    let unread = |seen: &mut Evidence| seen.interface = InterfaceState::default();
    assert_eq!(told(Errno::RANGE, &BIG_CHUNKS, unread).causes().len(), 3);
    assert_eq!(told(Errno::RANGE, &ON_QUEUE, unread).causes().len(), 1);
}

#[test]
fn two_causes_of_ebusy() {
    let leased = told(Errno::BUSY, &ON_QUEUE, |seen| queue(seen).leased = true);
    assert_certain(&leased, CauseKind::QueueLeased, None);
    let socket = told(Errno::BUSY, &ON_QUEUE, |seen| queue(seen).af_xdp = true);
    assert_certain(&socket, CauseKind::AfXdpSocket, None);
    assert_eq!(told(Errno::BUSY, &ON_QUEUE, |_| ()).causes().len(), 2);
}

#[test]
fn five_causes_of_eopnotsupp() {
    let is_virtual = |seen: &mut Evidence| link(seen).has_parent = false;
    let error = told(Errno::OPNOTSUPP, &ON_QUEUE, is_virtual);
    assert_certain(&error, CauseKind::NoDmaDevice, None);
    let netkit = |seen: &mut Evidence| {
        link(seen).has_parent = false;
        link(seen).netkit = true;
        rings(seen).data_split = None;
    };
    let error = told(Errno::OPNOTSUPP, &ON_QUEUE, netkit);
    assert_eq!(error.kind(), None, "queue 1 of it is a NIC's: {error}");
    let mut first = ON_QUEUE;
    first.device = Device::Queue {
        interface: 2,
        queue: 0,
    };
    assert_certain(
        &told(Errno::OPNOTSUPP, &first, netkit),
        CauseKind::NoDmaDevice,
        None,
    );

    let leased = told(Errno::OPNOTSUPP, &ON_QUEUE, |seen| {
        queue(seen).leased = true
    });
    assert_certain(&leased, CauseKind::QueueLeased, None);
    let past = told(Errno::OPNOTSUPP, &ON_QUEUE, |seen| {
        seen.interface.receive_queues = Some(1)
    });
    assert_certain(&past, CauseKind::NoQueue, Some(("receive queues", 1)));
    let driver = told(Errno::OPNOTSUPP, &BIG_CHUNKS, |seen| {
        rings(seen).data_split = Some(DataSplit::Unknown);
    });
    assert_certain(&driver, CauseKind::NoQueueManagement, None);
    // It got past header split, so it has queue management, or refuses for a reason of its own.
    let chunks = told(Errno::OPNOTSUPP, &BIG_CHUNKS, |_| ());
    assert!(
        chunks.causes()[0].cause.contains("chunks of that length"),
        "{chunks}"
    );
    assert_eq!(told(Errno::OPNOTSUPP, &ON_QUEUE, |_| ()).causes().len(), 1);
    let unread = told(Errno::OPNOTSUPP, &BIG_CHUNKS, |seen| {
        seen.interface = InterfaceState::default();
    });
    assert_eq!(unread.causes().len(), 2);
}

#[test]
fn an_interface_that_is_gone_or_down() {
    for errno in [Errno::NODEV, Errno::NETDOWN, Errno::from_raw(libc::EIO)] {
        let gone = told(errno, &ON_QUEUE, |seen| {
            seen.interface = InterfaceState {
                exists: Some(false),
                ..InterfaceState::default()
            };
        });
        assert_certain(&gone, CauseKind::NoInterface, None);
        let down = told(errno, &ON_QUEUE, |seen| link(seen).up = false);
        assert_certain(&down, CauseKind::InterfaceDown, None);
        let neither = told(errno, &ON_QUEUE, |_| ());
        assert_eq!(neither.kind(), None);
        assert!(!neither.causes().is_empty());
    }
    let driver = told(Errno::from_raw(libc::EIO), &ON_QUEUE, |_| ());
    assert!(
        driver.to_string().contains("the driver refused"),
        "{driver}"
    );
    let driver = told(Errno::NODATA, &ON_QUEUE, |_| ());
    assert!(driver.to_string().contains("update the driver"), "{driver}");
    // Where the interface does not tell, it may be either.
    for (errno, causes) in [(Errno::NODEV, 2), (Errno::NETDOWN, 1)] {
        let untold = told(errno, &ON_QUEUE, |seen| {
            seen.interface = InterfaceState::default();
        });
        assert_eq!((untold.kind(), untold.causes().len()), (None, causes));
        assert!(untold.to_string().contains("interface is down"), "{untold}");
    }
}

#[test]
fn a_queue_that_is_there_is_not_out_of_range() {
    // Either tells that it is there.
    for untold in [
        |seen: &mut Evidence| seen.interface.has_queue = None,
        |seen: &mut Evidence| seen.interface.receive_queues = None,
    ] {
        let error = told(Errno::RANGE, &BIG_CHUNKS, untold);
        assert_certain(&error, CauseKind::Contiguity, Some(("chunk bytes", 65536)));
    }
    let neither = told(Errno::RANGE, &BIG_CHUNKS, |seen| {
        seen.interface = InterfaceState::default();
    });
    assert_eq!((neither.kind(), neither.causes().len()), (None, 3));
}
