//! Known faults of kernels: which versions `doctor` warns of.

use zcrx_sys::ring::mixed_completions_are_sound;

use crate::common::programs::doctor;
use crate::examine;

#[allow(dead_code, unreachable_pub, reason = "it is the program's")]
#[path = "../../examples/doctor/faults.rs"]
mod table;

fn names(release: &str, repeats: bool) -> Vec<&'static str> {
    let faults = table::of(release, repeats);
    faults.into_iter().map(|fault| fault.name).collect()
}

#[test]
fn doctor_knows_the_faults_of_each_version() {
    const DOUBLE_FREE: &str = "CVE-2026-43121";
    const EARLY_FREE: &str = "CVE-2026-43174";
    const LEAK: &str = "CVE-2026-43224";
    const ONE_MORE: &str = "CVE-2026-45995";
    const REPEATED: &str = "repeated_completions";
    const OFFSETS: &str = "wrong_offsets";
    const STALLS: &str = "stalled_requests";
    const RESETS: &str = "unseen_resets";
    for (release, repeats, faults) in [
        ("6.12.57+deb13-amd64", false, &[][..]),
        (
            "6.16.12+deb14-amd64",
            false,
            &[DOUBLE_FREE, EARLY_FREE, OFFSETS, STALLS, RESETS],
        ),
        (
            "6.18.0-5-generic",
            true,
            &[
                DOUBLE_FREE,
                EARLY_FREE,
                LEAK,
                REPEATED,
                OFFSETS,
                STALLS,
                RESETS,
            ],
        ),
        (
            "6.18.16",
            true,
            &[EARLY_FREE, REPEATED, OFFSETS, STALLS, RESETS],
        ),
        (
            "6.19.6",
            true,
            &[ONE_MORE, REPEATED, OFFSETS, STALLS, RESETS],
        ),
        (
            "6.19.5",
            true,
            &[
                DOUBLE_FREE,
                EARLY_FREE,
                LEAK,
                ONE_MORE,
                REPEATED,
                OFFSETS,
                STALLS,
                RESETS,
            ],
        ),
        (
            "7.0.3",
            true,
            &[ONE_MORE, REPEATED, OFFSETS, STALLS, RESETS],
        ),
        ("7.0.4-cloud", true, &[REPEATED, OFFSETS, STALLS, RESETS]),
        ("7.3.2", true, &[REPEATED, OFFSETS, RESETS]),
        // One whose vendor mended what can be tried, and one that went wrong again.
        ("7.3.2", false, &[OFFSETS, RESETS]),
        ("7.4.1", true, &[REPEATED, RESETS]),
        ("7.3.3", false, &[RESETS]),
        ("8.0-rc1", false, &[RESETS]),
        ("", true, &[]),
        ("x.y", true, &[]),
        ("99999999999999999999.1", true, &[]),
    ] {
        assert_eq!(names(release, repeats), faults, "{release}");
    }
}

#[test]
fn doctor_knows_each_fault_that_the_documents_name() {
    let document = include_str!("../../docs/SAFETY.md");
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut named: Vec<_> = document
        .split(|c| !is_part(c))
        .filter(|word| word.starts_with("CVE-"))
        .collect();
    let mut known = names("6.19.0", true);
    known.retain(|name| name.starts_with("CVE-"));
    named.sort_unstable();
    known.sort_unstable();
    assert_eq!(known, named);
}

#[test]
fn doctor_warns_of_the_faults_of_this_kernel() {
    let report = examine(&["lo"]);
    let faults = report["faults"].as_array().unwrap();
    let told: Vec<_> = faults
        .iter()
        .map(|fault| fault["name"].as_str().unwrap())
        .collect();
    let has_it = report["features"]["queue"] != false;
    let release = report["kernel"].as_str().unwrap();
    let known = names(release, !mixed_completions_are_sound());
    assert_eq!(told, if has_it { known } else { Vec::new() }, "{report}");
    let output = doctor(&["lo"]).output().unwrap();
    let screen = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        screen.contains("known faults of kernels of this version"),
        !told.is_empty()
    );
    for fault in faults {
        let what = fault["what"].as_str().unwrap();
        assert!(screen.contains(what), "no {what:?} in:\n{screen}");
        assert!(fault["mended_in"].is_string() && fault["worked_around"].is_boolean());
    }
}
