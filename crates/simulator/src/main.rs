//! Runs many histories and tells of those that went wrong: `cargo xtask simulate`.
#![forbid(unsafe_code)]

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use simulator::{Coverage, Outcome, run};

const USAGE: &str = "\
Usage: cargo xtask simulate [OPTIONS]

Runs whole histories of a broker, its clients and its disk, one per seed, and checks that nothing
confirmed was lost and nothing acknowledged came back. The same seed makes the same history.

  --seeds N     Seeds to run (default 1000)
  --from N      The first of them (default 0)
  --history     Prints the history of each seed, after what the node logged
";

/// Lines of a history that are shown with what went wrong.
const TAIL: usize = 100;

struct Options {
    seeds: u64,
    from: u64,
    history: bool,
}

fn main() -> ExitCode {
    match simulate() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("simulate: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn simulate() -> Result<bool> {
    let Some(options) = parse(std::env::args().skip(1))? else {
        print!("{USAGE}");
        return Ok(true);
    };
    if options.history {
        tracing_subscriber::fmt().without_time().with_writer(std::io::stdout).init();
    }
    let start = Instant::now();
    let (mut failed, mut confirmed, mut restarts) = (Vec::new(), 0, 0);
    let mut quorum = Coverage::default();
    for done in 0..options.seeds {
        let outcome = run(options.from + done);
        confirmed += outcome.confirmed;
        restarts += u64::from(outcome.restarts);
        quorum += outcome.quorum;
        if options.history {
            outcome.history.lines.iter().for_each(|line| println!("{line}"));
        }
        if !outcome.violations.is_empty() {
            tell(&outcome);
            failed.push(outcome.seed);
        }
        progress(done + 1, options.seeds, failed.len());
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{} seeds in {seconds:.1} s: {restarts} restarts, {confirmed} confirms, {} failed {failed:?}",
        options.seeds,
        failed.len()
    );
    let figures = quorum.figures().map(|(name, count)| format!("{count} {name}"));
    println!("quorum queues: {}", figures.join(", "));
    Ok(failed.is_empty())
}

fn tell(outcome: &Outcome) {
    let lines = &outcome.history.lines;
    println!("seed {}:", outcome.seed);
    lines[lines.len().saturating_sub(TAIL)..].iter().for_each(|line| println!("  {line}"));
    outcome.violations.iter().for_each(|violation| println!("  WRONG: {violation}"));
    println!("  again: cargo xtask simulate --from {} --seeds 1 --history", outcome.seed);
}

/// A line that is written over, for whoever watches.
fn progress(done: u64, of: u64, failed: usize) {
    if std::io::stderr().is_terminal() {
        // Nobody minds a line that could not be shown.
        drop(write!(std::io::stderr(), "\r{done} of {of} seeds, {failed} failed"));
        if done == of {
            eprintln!();
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>> {
    let mut options = Options { seeds: 1000, from: 0, history: false };
    while let Some(argument) = arguments.next() {
        let mut number = || -> Result<u64> {
            let text = arguments.next().with_context(|| format!("{argument} needs a value"))?;
            text.parse().with_context(|| format!("{argument} {text}: not a number"))
        };
        match argument.as_str() {
            "--help" | "-h" => return Ok(None),
            "--seeds" => options.seeds = number()?,
            "--from" => options.from = number()?,
            "--history" => options.history = true,
            other => bail!("no option is named {other}\n\n{USAGE}"),
        }
    }
    Ok(Some(options))
}
