//! `--undo`: takes back what claims have changed whose owners were killed.

use std::fmt::Write;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use zcrx_sys::nic;

/// From the record `file`, or from all in the directory of records. Answers what was done.
pub fn undo(file: Option<&Path>) -> Result<String, String> {
    let files = match file {
        Some(file) => vec![file.to_path_buf()],
        None => records()?,
    };
    let (mut text, mut failures) = (String::new(), Vec::new());
    for file in &files {
        let name = file.display();
        match nic::undo(file) {
            Ok(changes) => {
                let _ = writeln!(text, "{name}: {} changes taken back", changes.len());
                for change in changes.iter().rev() {
                    let _ = writeln!(text, "  {change}");
                }
            }
            // What was left beside another record, and has gone with it.
            Err(error) if error.kind() == ErrorKind::NotFound && files.len() > 1 => {}
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    match failures[..] {
        [] if files.is_empty() => Ok(format!("no record of a claim in {}\n", nic::RECORD_DIR)),
        [] => Ok(text),
        _ => Err(text + &failures.join("\n")),
    }
}

fn records() -> Result<Vec<PathBuf>, String> {
    let failed = |error| format!("{}: {error}", nic::RECORD_DIR);
    match fs::read_dir(nic::RECORD_DIR) {
        Ok(entries) => {
            let paths = entries.map(|entry| entry.map(|entry| entry.path()));
            let mut paths: Vec<_> = paths.collect::<Result<_, _>>().map_err(failed)?;
            paths.sort_unstable();
            Ok(paths)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed(error)),
    }
}
