//! A claim whose owner is killed: its record has what it changed, and every setting comes back from there.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use zcrx_sys::nic::{self, Family, Flow};
use zcrx_sys::recv::Receiver;
use zcrx_sys::Errno;

use crate::common::{self, streams::PORT};
use crate::default::{settings, Default, SNIC};
use crate::refuse::killing;

/// Claims, says so, and receives until it is killed: the child of the test below.
fn own_until_killed(record: &Path) -> ! {
    let claim = nic::claim_recorded(SNIC, &Flow::both(PORT), record).unwrap();
    let _receiver = Receiver::builder().source(claim.source()).build().unwrap();
    println!("claimed");
    loop {
        thread::park();
    }
}

#[test]
fn setup_of_an_owner_that_is_killed_is_undone_from_its_record() {
    const CHILD: &str = "ZCRX_TEST_SETUP_RECORD";
    if let Some(record) = env::var_os(CHILD) {
        own_until_killed(record.as_ref());
    }
    let Some(default) = Default::with_channels(1) else {
        return;
    };
    let record = env::temp_dir().join(format!("setup-record-{}", std::process::id()));
    let test = "record::setup_of_an_owner_that_is_killed_is_undone_from_its_record";
    let mut owner = Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, &record)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let claimed = lines.any(|line| line.unwrap().contains("claimed"));
    assert!(claimed, "{:?}", owner.wait());
    let living = nic::undo(&record).unwrap_err();
    assert_eq!(living.kind(), io::ErrorKind::AddrInUse, "{living}");
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert_ne!(settings(&default.nic), default.before);
    // Who may not undo keeps the record.
    let (path, during) = (record.clone(), settings(&default.nic));
    let unprivileged = thread::spawn(move || {
        common::drop_capability(common::CAP_NET_ADMIN);
        nic::undo(path).unwrap_err()
    });
    let error = unprivileged.join().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
    assert!(error.to_string().contains("setcap"), "{error}");
    assert_eq!(settings(&default.nic), during);
    let undone = nic::undo(&record).unwrap();
    assert_eq!(undone.len(), 6, "{undone:?}");
    default.assert_as_before();
    assert!(!record.exists());
    let gone = nic::undo(&record).unwrap_err();
    assert_eq!(gone.kind(), io::ErrorKind::NotFound);
}

/// Claims with a record, and is killed before its call number `nth`: the child of the test below.
fn own_until_call(nth: usize, record: &Path) {
    let claim = || nic::claim_recorded(SNIC, &[Flow::new(Family::V4, PORT)], record);
    killing(nth, || claim().unwrap(), drop);
}

#[test]
fn setup_that_is_killed_at_any_call_is_undone_from_its_record() {
    const CHILD: &str = "ZCRX_TEST_SETUP_CALL";
    let record = env::temp_dir().join("setup-call");
    if let Ok(nth) = env::var(CHILD) {
        return own_until_call(nth.parse().unwrap(), &record);
    }
    let Some(default) = Default::with_channels(1) else {
        return;
    };
    default.nic.header_split_above(256);
    let before = settings(&default.nic);
    let test = "record::setup_that_is_killed_at_any_call_is_undone_from_its_record";
    let mut most = 0;
    for nth in 0.. {
        let mut owner = Command::new(env::current_exe().unwrap());
        owner.args([test, "--exact"]).env(CHILD, nth.to_string());
        let output = owner.output().unwrap();
        if output.status.success() {
            break; // It has fewer calls than that.
        }
        assert_eq!(output.status.signal(), Some(libc::SIGKILL), "{output:?}");
        if record.exists() {
            most = nic::undo(&record).unwrap().len().max(most);
        }
        assert!(!record.exists());
        assert_eq!(settings(&default.nic), before, "after call {nth}");
    }
    assert_eq!(
        most, 6,
        "channels, split, threshold, RSS, ntuple, and a rule"
    );
    default.nic.header_split_above(0);
}

#[test]
fn setup_takes_its_record_away_and_overwrites_no_other() {
    let Some(default) = Default::with_channels(4) else {
        return;
    };
    let record = env::temp_dir().join(format!("setup-other-{}", std::process::id()));
    let claim = || nic::claim_recorded(SNIC, &Flow::both(PORT), &record);
    let first = claim().unwrap();
    let text = fs::read_to_string(&record).unwrap();
    drop(first);
    assert!(!record.exists());
    default.assert_as_before();
    fs::write(&record, &text).unwrap();
    let error = claim().unwrap_err();
    assert_eq!(error.error.errno(), Some(Errno::EXIST), "{error}");
    assert!(error.to_string().contains("undo it first"), "{error}");
    assert_eq!(fs::read_to_string(&record).unwrap(), text);
    let nowhere = nic::claim_recorded(SNIC, &Flow::both(PORT), record.join("below")).unwrap_err();
    assert_eq!(
        nowhere.error.errno(),
        Some(Errno::from_raw(libc::ENOTDIR)),
        "{nowhere}"
    );
    default.assert_as_before();
    // Of another boot, and of another network namespace.
    let field = |name| {
        let line = |line: &&str| line.starts_with(name);
        text.lines().find(line).unwrap()
    };
    fs::write(&record, text.replace(field("namespace"), "namespace 1")).unwrap();
    let elsewhere = nic::undo(&record).unwrap_err();
    assert_eq!(elsewhere.kind(), io::ErrorKind::InvalidInput, "{elsewhere}");
    fs::write(&record, text.replace(field("boot"), "boot 1")).unwrap();
    assert_eq!(nic::undo(&record).unwrap(), []);
    assert!(!record.exists());
}
