//! `nic::claim` on the software NIC in its default state: every setting has to be as before after each claim.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;

use zcrx_sys::nic::{self, Family, Flow, Holder};
use zcrx_sys::recv::Receiver;
use zcrx_sys::CauseKind;

use crate::common::nic::{Nic, V4, V6};
use crate::common::streams::{transfer, PORT};
use crate::default::{settings, Default, SNIC};
use crate::{kinds, print_time_to_inspect, refusal};

/// Receives over the claimed queue, and sees by the card's counters that nothing was copied.
fn receive_without_a_copy(nic: &Nic, claim: &nic::Claim) {
    let len = 4 << 20;
    for address in [V4, V6] {
        let before = nic.counters(claim.queue());
        let builder = Receiver::builder().source(claim.source());
        let mut receiver = builder.build().unwrap();
        assert_eq!(receiver.source(), claim.source());
        receiver
            .listen(TcpListener::bind((address, PORT)).unwrap())
            .unwrap();
        let held = nic::inspect(SNIC).unwrap();
        let queue = claim.queue();
        assert_eq!(held.queues[queue as usize].holder, Some(Holder::IoUring));
        assert_eq!(kinds(&held, queue), [Some(CauseKind::QueueTaken)]);
        transfer(&mut receiver, address, 2, len);
        let after = nic.counters(claim.queue());
        assert!(
            after.since(&before, "provider_bytes") >= 2 * len as u64,
            "{after:?}"
        );
        assert_eq!(after.since(&before, "copied_bytes"), 0, "{after:?}");
        assert_eq!(after.since(&before, "page_bytes"), 0, "{after:?}");
        drop(receiver);
        nic.wait_for_queues();
    }
}

fn changes(claim: &nic::Claim) -> Vec<String> {
    claim.changes().iter().map(ToString::to_string).collect()
}

#[test]
fn setup_of_a_nic_in_its_default_state_is_undone() {
    let Some(default) = Default::with_channels(4) else {
        return;
    };
    let inspection = nic::inspect(SNIC).unwrap();
    assert_eq!(inspection.driver.as_deref(), Some("softnic"));
    assert_eq!(
        kinds(&inspection, 3),
        [Some(CauseKind::HeaderSplit), None, None]
    );
    let claim = nic::claim(SNIC, &Flow::both(PORT)).unwrap();
    assert_eq!(claim.queue(), 3);
    assert_eq!(
        changes(&claim),
        [
            "tcp-data-split: off -> on",
            "RSS: 32 of 128 entries moved from queue 3 to others",
            "ntuple-filters: off -> on",
            "flow rule 0: flow-type tcp4 dst-port 9999 action 3",
            "flow rule 1: flow-type tcp6 dst-port 9999 action 3",
        ]
    );
    assert_eq!(nic::inspect(SNIC).unwrap().obstacles(3), []);
    receive_without_a_copy(&default.nic, &claim);
    drop(claim);
    default.assert_as_before();
}

#[test]
fn setup_inspects_each_queue() {
    let Some(default) = Default::with_channels(4) else {
        return;
    };
    let lease = default.nic.lease(2);
    let inspection = nic::inspect(SNIC).unwrap();
    drop(lease);
    assert_eq!(inspection.receive_queues, Some(4));
    assert_eq!(
        (inspection.ring_entries, inspection.mtu),
        (Some(1024), Some(1500))
    );
    assert_eq!(
        (inspection.ntuple, inspection.rules),
        (Some(false), Some(0))
    );
    let holders = inspection.queues.iter().map(|queue| queue.holder.unwrap());
    use Holder::{Driver, Lease};
    assert_eq!(holders.collect::<Vec<_>>(), [Driver, Driver, Lease, Driver]);
    let ids = inspection.queues.iter().map(|queue| queue.napi_id.unwrap());
    let ids: BTreeSet<_> = ids.collect();
    assert_eq!(ids.len(), 4, "each has a NAPI instance of its own: {ids:?}");
    assert!(inspection
        .queues
        .iter()
        .all(|queue| queue.rss == Some(true)));
    assert!(kinds(&inspection, 2).contains(&Some(CauseKind::QueueLeased)));
    assert!(kinds(&inspection, 4).contains(&Some(CauseKind::NoQueue)));
    let away = |queue| inspection.obstacles(queue)[1].command.clone();
    assert_eq!(away(3).as_deref(), Some("ethtool -X snic0 equal 3"));
    assert_eq!(away(1).as_deref(), Some("ethtool -X snic0 weight 1 0 1 1"));
}

#[test]
fn setup_inspection_of_a_nic_is_printed() {
    if let Some(_nic) = Nic::claim() {
        print_time_to_inspect(SNIC);
    }
}

#[test]
fn setup_of_a_nic_with_one_queue_is_undone() {
    let Some(default) = Default::with_channels(1) else {
        return;
    };
    let inspection = nic::inspect(SNIC).unwrap();
    let first = &inspection.obstacles(0)[0];
    assert_eq!(first.remedy, "ethtool -L snic0 combined 2");
    assert_eq!(first.command.as_ref(), Some(&first.remedy));
    let claim = nic::claim(SNIC, &[Flow::new(Family::V6, PORT)]).unwrap();
    assert_eq!(claim.queue(), 1);
    assert_eq!(changes(&claim)[0], "combined channels: 1 -> 2");
    claim.release().unwrap();
    default.assert_as_before();
}

#[test]
fn setup_keeps_what_the_administrator_set() {
    let Some(default) = Default::with_channels(4) else {
        return;
    };
    let nic = &default.nic;
    nic.ethtool("-K snic0 ntuple on");
    nic.ethtool("-G snic0 tcp-data-split on");
    nic.header_split_above(256);
    nic.ethtool("-X snic0 weight 1 2 0 5");
    nic.ethtool("-N snic0 flow-type tcp4 dst-port 80 action 1 loc 7");
    let before = settings(nic);
    assert_eq!(
        kinds(&nic::inspect(SNIC).unwrap(), 3),
        [Some(CauseKind::HeaderSplitThreshold), None]
    );
    let claim = nic::claim(SNIC, &Flow::both(PORT)).unwrap();
    assert_eq!(changes(&claim)[0], "hds-thresh: 256 -> 0");
    assert_eq!(claim.changes().len(), 4, "{:?}", claim.changes());
    // Somebody deletes one of its rules, and puts another in its place: that is theirs.
    nic.ethtool("-N snic0 delete 0");
    nic.ethtool("-N snic0 flow-type tcp4 dst-port 81 action 1 loc 0");
    drop(claim);
    nic.ethtool("-N snic0 delete 0");
    assert_eq!(settings(nic), before);
    nic.ethtool("-G snic0 tcp-data-split on");
    nic.header_split_above(0);
}

#[test]
fn setup_of_a_claimed_nic_is_refused() {
    let Some(default) = Default::with_channels(4) else {
        return;
    };
    let claim = nic::claim(SNIC, &Flow::both(PORT)).unwrap();
    let during = settings(&default.nic);
    let error = refusal(SNIC, &Flow::both(PORT + 1));
    assert!(
        error.to_string().contains("another claim has it"),
        "{error}"
    );
    assert_eq!(settings(&default.nic), during);
    drop(claim);
    default.assert_as_before();
    drop(nic::claim(SNIC, &Flow::both(PORT + 1)).unwrap());
    default.assert_as_before();
}

#[test]
fn setup_that_is_dropped_before_its_receiver_leaves_the_queue_alone() {
    let Some(default) = Default::with_channels(4) else {
        return;
    };
    let claim = nic::claim(SNIC, &Flow::both(PORT)).unwrap();
    let receiver = Receiver::builder().source(claim.source()).build().unwrap();
    let error = claim.release().unwrap_err();
    assert!(
        error.to_string().contains("a receiver has the queue"),
        "{error}"
    );
    let left = error.left;
    assert_eq!(
        left.len(),
        3,
        "the rules are gone, the rest had to stay: {left:?}"
    );
    let inspection = nic::inspect(SNIC).unwrap();
    let rss = inspection.queues[3].rss;
    assert_eq!((inspection.rules, rss), (Some(0), Some(false)));
    // One whose receiver has just closed is waited for.
    drop(receiver);
    default.nic.wait_for_queues();
    default.nic.ethtool("-G snic0 tcp-data-split off");
    default.nic.ethtool("-X snic0 default");
    default.nic.ethtool("-K snic0 ntuple off");
    default.assert_as_before();
    let claim = nic::claim(SNIC, &Flow::both(PORT)).unwrap();
    drop(Receiver::builder().source(claim.source()).build().unwrap());
    claim.release().unwrap();
    default.assert_as_before();
}

#[test]
fn setup_of_a_card_that_is_pulled_out_ends() {
    let Some(default) = Default::with_channels(4) else {
        return;
    };
    let claim = nic::claim(SNIC, &Flow::both(PORT)).unwrap();
    default.nic.control("remove", SNIC);
    claim.release().unwrap(); // Nothing is left to be taken back.
    refusal(SNIC, &Flow::both(PORT));
    drop(default);
}

#[test]
fn setup_of_a_card_that_wants_to_be_told_locations_is_undone() {
    let Some(default) = Default::with_channels(4) else {
        return;
    };
    const ANY: &str = "/sys/module/softnic/parameters/any_location";
    fs::write(ANY, "0").unwrap();
    let claim = nic::claim(SNIC, &Flow::both(PORT));
    fs::write(ANY, "1").unwrap();
    let claim = claim.unwrap();
    let rules = &changes(&claim)[3..];
    assert_eq!(
        rules[0],
        "flow rule 63: flow-type tcp4 dst-port 9999 action 3"
    );
    assert_eq!(
        rules[1],
        "flow rule 62: flow-type tcp6 dst-port 9999 action 3"
    );
    receive_without_a_copy(&default.nic, &claim);
    drop(claim);
    default.assert_as_before();
}
