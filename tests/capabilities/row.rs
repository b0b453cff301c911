//! What a kernel can do, as a table: main.rs has the rows, `tests/lab/table` makes the README's table
//! of what they print.

use std::io::Write;

use zcrx_sys::{Errno, Error};

use super::common;

/// One row: a capability, where it is promised, and what its lack is answered with.
pub(super) struct Row {
    /// The test that tries it.
    pub(super) test: &'static str,
    /// Its place in the table.
    pub(super) position: usize,
    /// What a reader of the table calls it.
    pub(super) title: &'static str,
    /// The release that brought it, as `7.1`. One of three numbers, as `7.3.3`, is a mended fault rather than a
    /// feature: older series may have the repair too.
    pub(super) since: &'static str,
    /// What the error contains on kernels before a release; the first that holds counts.
    pub(super) refusals: &'static [(&'static str, &'static str)],
}

/// How an attempt ended; an error is a refusal.
pub(super) type Attempt = Result<Outcome, Error>;

/// How an attempt ended, if nothing was refused.
pub(super) enum Outcome {
    /// It was done, and the result checked.
    Works,
    /// It could not be tried here, but the kernel was asked whether it has it.
    Claimed(bool),
    /// It could not be tried here; a skip has said why.
    NotTried,
}

impl Row {
    /// Fails if an attempt did not end as the running kernel's version promises; prints the table's answer.
    pub(super) fn check(&self, attempt: Attempt) {
        let promised = running() >= numbers(self.since);
        let answer = match attempt {
            Ok(Outcome::Works) => {
                let is_repair = self.since.split('.').count() == 3;
                assert!(
                    promised || is_repair,
                    "works here, not only since {}",
                    self.since
                );
                "yes"
            }
            Ok(Outcome::Claimed(has)) => {
                assert_eq!(
                    has, promised,
                    "the kernel says so; expected since {}",
                    self.since
                );
                if has {
                    "asked"
                } else {
                    "no"
                }
            }
            Ok(Outcome::NotTried) => "–",
            Err(error) if error.errno() == Some(Errno::PERM) && !common::is_root() => {
                common::skip((u32::MAX, 0), &error);
                "–"
            }
            Err(error) => {
                assert!(!promised, "promised since {}, but: {error}", self.since);
                let text = self.refusal().expect("the row says how it is refused here");
                assert!(
                    error.to_string().contains(text),
                    "not because {text:?}: {error}"
                );
                "no"
            }
        };
        self.print(answer);
    }

    /// What the error has to contain on the running kernel.
    fn refusal(&self) -> Option<&'static str> {
        let mut refusals = self.refusals.iter();
        refusals
            .find(|(before, _)| running() < numbers(before))
            .map(|(_, text)| *text)
    }

    /// One line in one write, past the test harness's capture; fields end with `|`.
    fn print(&self, answer: &str) {
        let refusals: Vec<_> = self
            .refusals
            .iter()
            .map(|(before, text)| format!("before {before} “{text}”"))
            .collect();
        let line = format!(
            "CAPABILITY {}|{}|{}|{}|{}|{answer}\n",
            self.test,
            self.position,
            self.since,
            self.title,
            refusals.join(", "),
        );
        std::io::stderr()
            .write_all(line.as_bytes())
            .expect("stderr is open");
    }
}

/// The running kernel's release.
fn running() -> [u32; 3] {
    numbers(&std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("procfs is there"))
}

/// The first three numbers of a release; 0 where there are fewer.
fn numbers(release: &str) -> [u32; 3] {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    [(); 3].map(|()| numbers.next().map_or(0, |n| n.parse().unwrap_or(0)))
}
