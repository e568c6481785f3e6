//! The task's command line.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

pub(super) const USAGE: &str = "\
Usage: cargo xtask bench [OPTIONS]

Starts a Leveret on a fresh data directory and a free port of the loopback, loads it and, in turn,
a reference broker with `leveret perf`, and compares both with the bars in docs/benchmarks.md.

  --reference URI          The broker to compare with, amqp://user:password@host:port/vhost
  --reference-prefix WORDS What to put before the loader's command to reach the reference
  --reference-pid PID      Process of the reference on this machine, for its memory
  --quick                  Short runs, one round: shows that all works, not how fast it is
  --rounds N               Rounds of each load; the median counts (default 3)
  --seconds N              Seconds of each load that are measured (default 6)
  --only WORDS             Only the figures whose name contains this (may be given more than once)
  --list                   Names the scenarios
  --binary FILE            This leveret instead of one built with --release
  --json FILE              Writes all figures and what every load measured
  --markdown FILE          Writes the table of figures
";

/// What the caller asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Options {
    pub(super) help: bool,
    pub(super) list: bool,
    pub(super) quick: bool,
    pub(super) rounds: usize,
    pub(super) seconds: u64,
    pub(super) only: Vec<String>,
    pub(super) reference: Option<String>,
    pub(super) reference_prefix: Vec<String>,
    pub(super) reference_pid: Option<u32>,
    pub(super) binary: Option<PathBuf>,
    pub(super) json: Option<PathBuf>,
    pub(super) markdown: Option<PathBuf>,
}

impl Options {
    pub(super) fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            help: false,
            list: false,
            quick: false,
            rounds: 3,
            seconds: 6,
            only: Vec::new(),
            reference: None,
            reference_prefix: Vec::new(),
            reference_pid: None,
            binary: None,
            json: None,
            markdown: None,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--help" | "-h" => options.help = true,
                "--list" => options.list = true,
                "--quick" => (options.quick, options.rounds, options.seconds) = (true, 1, 2),
                "--rounds" => options.rounds = number(argument, value()?)?.max(1),
                "--seconds" => options.seconds = number(argument, value()?)?.max(1) as u64,
                "--only" => options.only.push(value()?.clone()),
                "--reference" => options.reference = Some(value()?.clone()),
                "--reference-prefix" => {
                    options.reference_prefix =
                        value()?.split_whitespace().map(str::to_owned).collect();
                }
                "--reference-pid" => {
                    options.reference_pid = Some(number(argument, value()?)?.try_into()?);
                }
                "--binary" => options.binary = Some(value()?.into()),
                "--json" => options.json = Some(value()?.into()),
                "--markdown" => options.markdown = Some(value()?.into()),
                other => bail!("no option is named {other}\n\n{USAGE}"),
            }
        }
        Ok(options)
    }

    /// Whether a scenario is chosen.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|words| name.contains(words.as_str()))
    }
}

fn number(option: &str, text: &str) -> Result<usize> {
    text.parse().with_context(|| format!("{option} {text}: not a number"))
}

#[cfg(test)]
mod tests;
