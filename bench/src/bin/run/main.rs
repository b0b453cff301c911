//! Runs the measurements, and reports. See `bench/run --help`.

mod bench;
mod groups;
mod plots;
mod readme;
mod results;
mod samples;
mod table;
mod targets;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use bench::Bench;
use results::Results;

/// Measures zcrx-sys beside its rivals, and prints tables on standard output: work, each rival, zcrx-sys, what is
/// to be reached, and whether it is.
///
/// Progress goes to standard error. Ctrl-C ends the measuring, and what was measured until then is reported.
/// All groups take about 15 minutes, on a machine that does nothing else. bench/README.md says what is measured
/// and how.
#[derive(Parser, Debug)]
#[command(bin_name = "bench/run")]
struct Options {
    /// What to measure (default: all groups; see --list)
    #[arg(value_name = "GROUP")]
    groups: Vec<String>,

    /// Print the groups, and measure nothing
    #[arg(long)]
    list: bool,

    /// Write the results to this file, anew after each result
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Begin with the results in this file, which what is measured now replaces; without a GROUP only report
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,

    /// Runs of each in turns (default: as many as each group says)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,

    /// Write the table of what is to be reached into README.md, between its two marks
    #[arg(long)]
    readme: bool,

    /// Draw docs/plots/*.svg
    #[arg(long)]
    plots: bool,
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("run: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: Options) -> Result<ExitCode, String> {
    if options.list {
        for group in groups::ALL {
            println!("{:<17} {}", group.name, group.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = groups::choose(&options.groups, options.from.is_some())?;
    let results = match &options.from {
        Some(file) => {
            let results = Results::read(file)?;
            if !chosen.is_empty() && !results.machine.is_this() {
                return Err(format!(
                    "{} is of another machine, kernel, compiler or version of a rival; \
                     numbers of both in one table would mislead",
                    file.display()
                ));
            }
            results
        }
        None => Results::of_this_machine(),
    };
    let mut bench = Bench::new(results, options.json, options.rounds)?;
    for group in chosen {
        if bench.is_stopped() {
            break;
        }
        bench.begin(group.name);
        (group.run)(&mut bench);
    }
    bench.save()?;
    print!("{}", text::text(&bench.results));
    if options.readme {
        readme::write(&bench.results)?;
    }
    if options.plots {
        plots::draw(&bench.results)?;
    }
    Ok(if bench.is_stopped() {
        ExitCode::from(130)
    } else {
        ExitCode::SUCCESS
    })
}
