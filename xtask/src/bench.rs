//! `cargo xtask bench`: Leveret side by side with a reference broker, in one run, under the same
//! loads. A benchmark, never a test: it measures and tells, and fails only when it cannot.
//! What the figures mean is told in `docs/benchmarks.md`.

mod backlog;
mod broker;
mod endurance;
mod figure;
mod footprint;
mod load;
mod machine;
mod options;
mod process;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use broker::{Broker, Leveret, Summary};
use figure::Figure;
use machine::Machine;
use options::Options;

/// Pause between two loads: sockets close, garbage is collected.
const BREATH: Duration = Duration::from_secs(1);

/// What one load measured.
#[derive(Serialize)]
struct Run {
    scenario: String,
    broker: &'static str,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Summary(Summary),
    Failed(String),
}

/// A run of the task.
struct Bench<'a> {
    options: &'a Options,
    binary: &'a Path,
    work: &'a Path,
    /// For all loads one, as there is one reference; made anew should it end.
    leveret: Option<Leveret>,
    reference: Option<Broker>,
    figures: Vec<Figure>,
    runs: Vec<Run>,
}

/// Runs the task. `Ok(false)` when a load failed.
pub(crate) fn main(arguments: &[String]) -> Result<bool> {
    let options = Options::parse(arguments)?;
    if options.help {
        print!("{}", options::USAGE);
        return Ok(true);
    }
    if options.list {
        let fixed = footprint::NAMES.iter().chain(&backlog::NAMES).chain(&endurance::NAMES);
        let names = fixed.map(ToString::to_string).chain(load::names());
        names.for_each(|name| println!("{name}"));
        return Ok(true);
    }
    process::catch_interrupts()?;
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let root = root.parent().context("xtask lies in the checkout")?;
    let binary = binary(&options, root)?;
    let work = root.join("target/bench");
    std::fs::create_dir_all(&work)?;
    let machine = Machine::look(&work)?;
    eprintln!("{}", machine.to_text());
    let reference = options.reference.as_ref().map(|uri| {
        Broker::reference(uri, &options.reference_prefix, &binary, options.reference_pid)
    });
    let mut bench = Bench {
        options: &options,
        binary: &binary,
        work: &work,
        leveret: None,
        reference,
        figures: Vec::new(),
        runs: Vec::new(),
    };
    footprint::run(&mut bench)?;
    load::run(&mut bench)?;
    // Those that follow have a Leveret of their own.
    bench.leveret = None;
    backlog::run(&mut bench)?;
    endurance::run(&mut bench)?;
    bench.finish(&machine)
}

/// The release binary, built when none is given.
fn binary(options: &Options, root: &Path) -> Result<PathBuf> {
    if let Some(binary) = &options.binary {
        return std::fs::canonicalize(binary).with_context(|| binary.display().to_string());
    }
    let mut command = Command::new("cargo");
    command.args(["build", "--quiet", "--release", "--package", "leveret"]).current_dir(root);
    ensure!(command.status()?.success(), "leveret does not build");
    Ok(crate::target::directory(root)?.join("release/leveret"))
}

impl Bench<'_> {
    /// Time that memory gets to calm down before it is measured.
    fn settling(&self) -> Duration {
        Duration::from_secs(if self.options.quick { 1 } else { 3 })
    }

    fn tell(&self, scenario: &str, broker: &str) {
        eprintln!("{scenario}: {broker}");
    }

    fn add(&mut self, figure: Figure) {
        eprint!("{}", figure::table(std::slice::from_ref(&figure)).lines().last().unwrap_or(""));
        eprintln!();
        self.figures.push(figure);
    }

    /// Loads our Leveret. `None` when that failed, which is kept with the reason.
    fn load_leveret(&mut self, scenario: &str, arguments: &[String]) -> Result<Option<Summary>> {
        if self.leveret.as_mut().is_some_and(|it| it.check().is_err()) {
            self.leveret = None;
        }
        let leveret = match self.leveret.take() {
            Some(leveret) => leveret,
            None => Leveret::start(self.binary, self.work)?,
        };
        let summary = self.load(&leveret.broker, scenario, arguments);
        self.leveret = Some(leveret);
        summary
    }

    /// Loads the reference, when there is one.
    fn load_reference(&mut self, scenario: &str, arguments: &[String]) -> Result<Option<Summary>> {
        let Some(reference) = self.reference.take() else { return Ok(None) };
        let summary = self.load(&reference, scenario, arguments);
        self.reference = Some(reference);
        summary
    }

    fn load(&mut self, broker: &Broker, name: &str, words: &[String]) -> Result<Option<Summary>> {
        process::settle(BREATH)?;
        self.tell(name, broker.name);
        let result = broker.load(words, self.options.seconds);
        if process::is_interrupted() {
            return result.map(Some);
        }
        let (outcome, summary) = match result {
            Ok(summary) => {
                eprintln!(
                    "    sent {}/s, received {}/s",
                    figure::quantity(summary.sending_rate),
                    figure::quantity(summary.receiving_rate)
                );
                (Outcome::Summary(summary.clone()), Some(summary))
            }
            Err(error) => {
                eprintln!("    failed: {error:#}");
                (Outcome::Failed(format!("{error:#}")), None)
            }
        };
        self.runs.push(Run { scenario: name.to_owned(), broker: broker.name, outcome });
        Ok(summary)
    }

    fn finish(&self, machine: &Machine) -> Result<bool> {
        let table = figure::table(&self.figures);
        println!("{}\n\n{table}", machine.to_text());
        let count = |verdict| self.figures.iter().filter(|it| it.is_met() == verdict).count();
        println!(
            "bars met: {}, missed: {}, without verdict: {}",
            count(Some(true)),
            count(Some(false)),
            count(None)
        );
        if let Some(file) = &self.options.markdown {
            std::fs::write(file, &table)?;
        }
        if let Some(file) = &self.options.json {
            let figures: Vec<_> = self.figures.iter().map(figure_json).collect();
            let all = serde_json::json!({
                "machine": machine, "figures": figures, "runs": self.runs,
            });
            std::fs::write(file, serde_json::to_vec_pretty(&all)?)?;
        }
        Ok(!self.runs.iter().any(|run| matches!(run.outcome, Outcome::Failed(_))))
    }
}

fn figure_json(figure: &Figure) -> serde_json::Value {
    let mut value = serde_json::json!(figure);
    value["times_better"] = figure.ratio().into();
    value["met"] = figure.is_met().into();
    value
}
