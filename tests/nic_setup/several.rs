//! Claims of several queues, each with flows of its own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use zcrx_sys::nic::{self, ArrivalError, ClaimBuilder, Flow, Holder};
use zcrx_sys::recv::{Receiver, Source};

use crate::common::nic::{at_peer, V4, V6};
use crate::common::streams::{transfer_to, PORT};
use crate::default::{Default, SNIC};
use crate::refuse::refusing;

/// As many queues as there are ports, each for one of them.
fn builder(ports: impl Iterator<Item = u16>) -> ClaimBuilder {
    ports.fold(ClaimBuilder::new(SNIC), |builder, port| {
        builder.queue(Flow::both(port))
    })
}

#[test]
fn setup_of_several_queues_is_undone() {
    let Some(default) = Default::with_channels(1) else {
        return;
    };
    let claim = builder(PORT..PORT + 2).claim().unwrap();
    assert_eq!((claim.queue(), claim.queues()), (1, 1..3));
    assert_eq!(claim.source(), claim.sources()[0]);
    let changes: Vec<_> = claim.changes().iter().map(ToString::to_string).collect();
    assert_eq!(
        changes,
        [
            "combined channels: 1 -> 3",
            "tcp-data-split: off -> on",
            "RSS: 85 of 128 entries moved from queues 1 to 2 to others",
            "ntuple-filters: off -> on",
            "flow rule 0: flow-type tcp4 dst-port 9999 action 1",
            "flow rule 1: flow-type tcp6 dst-port 9999 action 1",
            "flow rule 2: flow-type tcp4 dst-port 10000 action 2",
            "flow rule 3: flow-type tcp6 dst-port 10000 action 2",
        ]
    );
    let inspection = nic::inspect(SNIC).unwrap();
    assert!(claim
        .queues()
        .all(|queue| inspection.obstacles(queue).is_empty()));
    let before = [1, 2].map(|queue| default.nic.counters(queue));
    // Each queue has its own thread, port and receiver.
    let len = 2 << 20;
    let receive = |(source, port): (Source, u16)| {
        let mut receiver = Receiver::builder().source(source).build().unwrap();
        let at = SocketAddr::new(V6, port);
        receiver.listen(TcpListener::bind(at).unwrap()).unwrap();
        transfer_to(&mut receiver, at, 2, len);
        let held = nic::inspect(SNIC).unwrap().queues;
        let Source::Queue { queue, .. } = source else {
            unreachable!()
        };
        assert_eq!(held[queue as usize].holder, Some(Holder::IoUring));
    };
    thread::scope(|scope| {
        for of_one in claim.sources().into_iter().zip(PORT..) {
            scope.spawn(move || receive(of_one));
        }
    });
    for (queue, before) in [1, 2].into_iter().zip(&before) {
        let after = default.nic.counters(queue);
        assert!(
            after.since(before, "provider_bytes") >= 2 * len as u64,
            "{after:?}"
        );
        assert_eq!(after.since(before, "copied_bytes"), 0, "{after:?}");
    }
    drop(claim); // It waits for the receivers' queues.
    default.assert_as_before();
}

#[test]
fn setup_of_several_queues_tells_which_a_socket_arrives_on() {
    let Some(default) = Default::with_channels(4) else {
        return;
    };
    let mut claim = builder(PORT..PORT + 2).claim().unwrap();
    assert_eq!(claim.queues(), 2..4);
    for (port, queue) in [(PORT, Ok(2)), (PORT + 1, Ok(3))] {
        let listener = TcpListener::bind((V4, port)).unwrap();
        let there = at_peer(move || TcpStream::connect((V4, port)).unwrap());
        let (here, _) = listener.accept().unwrap();
        assert_eq!(claim.arrival(&here), queue);
        claim.check_arrival(&here).unwrap();
        there.join().unwrap();
    }
    let listener = TcpListener::bind((V4, PORT + 2)).unwrap();
    let there = at_peer(|| TcpStream::connect((V4, PORT + 2)).unwrap());
    let (stray, _) = listener.accept().unwrap();
    let error = claim.arrival(&stray).unwrap_err();
    assert!(
        matches!(
            error,
            ArrivalError::OtherQueue {
                claimed: 2,
                queue: 0..=1
            }
        ),
        "{error}"
    );
    there.join().unwrap();
    claim.release().unwrap();
    default.assert_as_before();
}

#[test]
fn setup_of_more_queues_than_the_card_has_is_undone() {
    let Some(default) = Default::with_channels(2) else {
        return;
    };
    let error = builder(PORT..PORT + 4).claim().unwrap_err(); // It has four, and one stays.
    assert!(error.left.is_empty(), "{error}");
    let said = error.to_string();
    assert!(said.contains("combined channels (ethtool -L)"), "{said}");
    assert!(said.contains("claim fewer"), "{said}");
    default.assert_as_before();
}

#[test]
fn setup_of_several_queues_that_fails_at_any_call_is_undone() {
    let Some(default) = Default::with_channels(1) else {
        return;
    };
    // Every third call: that of one queue fails at each.
    for nth in (0..).step_by(3) {
        let claim = || builder(PORT..PORT + 2).claim();
        let (error, struck) = refusing(nth, claim, |claim| claim.err());
        assert!(error.iter().all(|error| error.left.is_empty()), "{error:?}");
        default.assert_as_before();
        if !struck {
            assert!(error.is_none(), "{error:?}");
            assert!(nth > 20, "only {nth} calls");
            break;
        }
    }
}

#[test]
fn setup_of_several_queues_leaves_them_alone_while_one_is_in_use() {
    let Some(default) = Default::with_channels(4) else {
        return;
    };
    let claim = builder(PORT..PORT + 2).claim().unwrap();
    let second = claim.sources()[1];
    let receiver = Receiver::builder().source(second).build().unwrap();
    let error = claim.release().unwrap_err();
    assert!(
        error.to_string().contains("a receiver has the queue"),
        "{error}"
    );
    assert_eq!(error.left.len(), 3, "all but the rules: {error}");
    drop(receiver);
    default.nic.wait_for_queues();
    default.nic.ethtool("-G snic0 tcp-data-split off");
    default.nic.ethtool("-X snic0 default");
    default.nic.ethtool("-K snic0 ntuple off");
    default.assert_as_before();
}
