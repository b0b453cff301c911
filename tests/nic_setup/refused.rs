//! Claims that are refused, at each of their steps: the NIC is as it was.

use std::process::Command;
use std::thread;

use zcrx_sys::nic::{self, Family, Flow};
use zcrx_sys::{CauseKind, Errno};

use crate::common::{self, streams::PORT};
use crate::default::{settings, Default, SNIC};
use crate::refuse::refusing;
use crate::{ip, refusal};

#[test]
fn setup_without_privilege_changes_nothing_and_names_setcap() {
    let Some(default) = Default::with_channels(1) else {
        return;
    };
    let error = thread::spawn(|| {
        common::drop_capability(common::CAP_NET_ADMIN);
        refusal(SNIC, &Flow::both(PORT)).error
    });
    let error = error.join().unwrap();
    assert_eq!(error.kind(), Some(CauseKind::Privilege), "{error}");
    assert!(
        error.to_string().contains("setcap cap_net_admin+ep"),
        "{error}"
    );
    default.assert_as_before();
}

#[test]
fn setup_is_refused_on_an_interface_that_is_down() {
    let Some(default) = Default::with_channels(1) else {
        return;
    };
    assert!(ip("link set snic0 down"));
    let error = refusal(SNIC, &Flow::both(PORT));
    assert!(ip("link set snic0 up"));
    assert!(ip("addr add fd00::1/64 dev snic0 nodad")); // IPv6 addresses went with it
    assert!(
        error.to_string().contains("the interface is down"),
        "{error}"
    );
    default.assert_as_before();
}

#[test]
fn setup_that_finds_no_room_for_a_rule_is_undone() {
    let Some(default) = Default::with_channels(4) else {
        return;
    };
    let nic = &default.nic;
    nic.ethtool("-K snic0 ntuple on");
    for location in 0.. {
        let rule = format!(
            "-N {SNIC} flow-type tcp4 dst-port {} action 0 loc {location}",
            20_000 + location
        );
        let mut ethtool = Command::new("/usr/sbin/ethtool");
        if !ethtool
            .args(rule.split(' '))
            .output()
            .unwrap()
            .status
            .success()
        {
            break;
        }
    }
    nic.ethtool("-N snic0 delete 5");
    let before = settings(nic);
    // There is room for the first rule, and none for the second.
    let error = refusal(SNIC, &Flow::both(PORT));
    assert_eq!(error.error.errno(), Some(Errno::NOSPC), "{error}");
    assert!(error.to_string().contains("add a flow rule"), "{error}");
    assert_eq!(settings(nic), before);
    // A flow that has a rule already.
    let error = refusal(SNIC, &[Flow::new(Family::V4, 20_001)]);
    assert_eq!(error.error.errno(), Some(Errno::EXIST), "{error}");
    assert_eq!(settings(nic), before);
}

#[test]
fn setup_that_fails_at_any_call_is_undone() {
    let Some(default) = Default::with_channels(1) else {
        return;
    };
    default.nic.header_split_above(256);
    let before = settings(&default.nic);
    let flows = Flow::both(PORT);
    let claim = || nic::claim(SNIC, &flows);
    let mut failed = Vec::new();
    for nth in 0.. {
        let (error, struck) = refusing(nth, claim, |claim| claim.err());
        assert_eq!(
            settings(&default.nic),
            before,
            "after call {nth}: {error:?}"
        );
        if !struck {
            assert!(error.is_none(), "{error:?}");
            break;
        }
        if let Some(error) = error {
            assert!(error.left.is_empty(), "{error}");
            failed.push(error.error.attempt().what);
        }
    }
    failed.dedup();
    let steps = [
        "read the interface's settings",
        "set the interface's combined channels (ethtool -L)",
        "switch header split on, for packets of any length (ethtool -G)",
        "have RSS send flows of others to other queues (ethtool -X)",
        "switch flow rules on (ethtool -K)",
        "add a flow rule (ethtool -N)",
    ];
    assert_eq!(failed, steps);
    default.nic.header_split_above(0);
}
