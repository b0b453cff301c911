//! Records, whole and spoiled.

use super::*;

fn record() -> Record {
    let flow = Flow::new(Family::V6, 9999);
    let settings = [
        Setting::Channels {
            before: 1,
            after: 2,
        },
        Setting::HeaderSplit {
            before: DataSplit::Disabled,
        },
        Setting::Threshold { before: 256 },
        Setting::Rss {
            before: std::vec![0, 1, 0, 2],
            queues: 1..3,
        },
        Setting::Ntuple,
        Setting::Rule {
            location: Some(63),
            flow,
            queue: 1,
        },
        Setting::Rule {
            location: None,
            flow,
            queue: 1,
        },
    ];
    Record {
        place: Place::here().unwrap(),
        interface: 3,
        queues: 1..3,
        changes: settings.into_iter().map(Change).collect(),
    }
}

#[test]
fn a_setup_is_read_back_as_it_was_recorded() {
    let mut record = record();
    assert_eq!(Record::from_text(&record.to_text()), Some(record.clone()));
    record.changes = std::vec![Change(Setting::HeaderSplit {
        before: DataSplit::Unknown,
    })];
    assert_eq!(Record::from_text(&record.to_text()), Some(record));
}

#[test]
fn a_record_of_a_setup_that_was_cut_short_or_spoiled_is_refused() {
    let text = record().to_text();
    for end in 0..text.len() {
        assert_eq!(Record::from_text(&text[..end]), None, "{:?}", &text[..end]);
    }
    for (good, bad) in [
        ("record 1", "record 2"),
        ("queues 1 2", "queues -1 2"),
        ("queues 1 2", "queues 1"),
        ("queues 1 2", "queues 1 2 3"),
        ("queues 1 2", "queues 2 1"),
        ("queues 1 2", "queues 1 4294967295"),
        ("queues 1 2", "queues 1 4294967296"),
        ("channels 1 2", "channels 1"),
        ("channels 1 2", "channels 1 2 3"),
        ("header-split 1", "header-split 2"),
        ("rss 1 2", "rss -1 2"),
        ("rss 1 2", "rss 2 1"),
        ("0 1 0 2", "0 1 x 2"),
        ("ntuple", "ntuples"),
        ("63 6 9999", "63 5 9999"),
        ("anywhere", "somewhere"),
        ("9999", "65536"),
        ("end\n", "end\nend\n"),
        ("end\n", "\nend\n"),
    ] {
        let spoiled = text.replace(good, bad);
        assert_ne!(spoiled, text, "{good}");
        assert_eq!(Record::from_text(&spoiled), None, "{bad}");
    }
}

#[test]
fn a_file_that_is_no_record_of_a_setup_is_an_error() {
    let path = std::env::temp_dir().join(std::format!("no-record-{}", std::process::id()));
    fs::write(&path, "shopping list\n").unwrap();
    let error = Record::read(&path).unwrap_err();
    fs::remove_file(&path).unwrap();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(error.to_string().contains("not a whole record"), "{error}");
}
