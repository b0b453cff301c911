//! The state of a run.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Instant;

use zcrx_bench::Measurement;

use crate::results::Results;

pub struct Bench {
    pub results: Results,
    /// The project's folder.
    pub top: PathBuf,
    /// Where the measuring programs are.
    pub programs: PathBuf,
    /// Processors to keep programs on.
    pub processors: Vec<usize>,
    rounds: Option<u32>,
    json: Option<PathBuf>,
    stop: Arc<AtomicBool>,
    began: Instant,
    group: &'static str,
}

impl Bench {
    pub fn new(
        results: Results,
        json: Option<PathBuf>,
        rounds: Option<u32>,
    ) -> Result<Self, String> {
        let stop = Arc::new(AtomicBool::new(false));
        let on_signal = Arc::clone(&stop);
        // A second Ctrl-C ends the program at once.
        ctrlc::set_handler(move || {
            if on_signal.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        })
        .map_err(|error| error.to_string())?;
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        Ok(Self {
            results,
            top: concat!(env!("CARGO_MANIFEST_DIR"), "/..").into(),
            programs: program.parent().unwrap_or(&program).to_path_buf(),
            processors: zcrx_bench::cpu::allowed(),
            rounds,
            json,
            stop,
            began: Instant::now(),
            group: "",
        })
    }

    /// Whether Ctrl-C was pressed.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub fn begin(&mut self, group: &'static str) {
        self.group = group;
    }

    /// How many rounds, if not told otherwise.
    pub fn rounds(&self, usual: u32) -> u32 {
        self.rounds.unwrap_or(usual)
    }

    /// The rounds that were asked for.
    pub fn rounds_asked_for(&self) -> Option<u32> {
        self.rounds
    }

    pub fn progress(&self, what: &str) {
        let seconds = self.began.elapsed().as_secs();
        eprintln!(
            "{:>2}:{:02} {}: {what}",
            seconds / 60,
            seconds % 60,
            self.group
        );
    }

    pub fn add(&mut self, measurement: Measurement) {
        self.results.add(measurement);
        self.try_to_save();
    }

    /// Notes that something could not be measured, unless that is because of Ctrl-C.
    pub fn miss(&mut self, group: &str, case: &str, subject: &str, reason: &str) {
        if self.is_stopped() {
            return;
        }
        self.progress(&format!("{subject} {case}: {reason}"));
        self.results.miss(group, case, subject, reason);
        self.try_to_save();
    }

    pub fn save(&self) -> Result<(), String> {
        match &self.json {
            Some(file) => self.results.write(file),
            None => Ok(()),
        }
    }

    /// A disk that is full now may not be at the end, which is when it is told.
    fn try_to_save(&self) {
        let _ = self.save();
    }

    /// A program that is ended when it hangs, and by Ctrl-C as this one is.
    pub fn command(&self, seconds: u32, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("timeout");
        command
            .arg("--foreground")
            .arg(seconds.to_string())
            .arg(program);
        command
    }

    /// Builds the programs in C, if they are not there; the reason if that fails.
    pub fn build_c(&mut self) -> Result<(), String> {
        self.progress("building the programs with liburing");
        let output = self
            .command(300, self.top.join("bench/c/build"))
            .arg(&self.programs)
            .output()
            .map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(format!(
                "its programs cannot be built: {}",
                last_line(&output.stderr)
            ));
        }
        self.results.machine.liburing = last_line(&output.stdout);
        Ok(())
    }
}

/// The last line of what a program said.
pub fn last_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    text.lines().last().unwrap_or_default().trim().to_string()
}
