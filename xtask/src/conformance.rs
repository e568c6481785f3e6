//! `cargo xtask conformance`: clients, tutorials and test suites by others, unchanged, against
//! Leveret or any other broker. What runs and why is told in `docs/conformance.md`.

mod broker;
mod cases;
mod known;
mod options;
mod run;
mod setup;
mod suites;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use broker::Broker;
use cases::{Case, Outcome};
use known::Known;
use options::Options;
use suites::Suite;

/// Where everything that is downloaded, built or written lands.
struct Paths {
    /// The checkout.
    root: PathBuf,
    /// Downloads, logs and reports; not part of the project.
    work: PathBuf,
    /// Drivers, programs and lists that the project carries.
    carried: PathBuf,
}

impl Paths {
    fn find() -> Result<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let root = root.parent().context("xtask lies in the checkout")?.to_owned();
        let work = root.join(".conformance");
        let carried = root.join("conformance");
        Ok(Self { root, work, carried })
    }
}

/// One suite's results.
struct SuiteReport {
    suite: &'static str,
    seconds: u64,
    cases: Vec<Case>,
    surprises: Vec<known::Surprise>,
}

impl SuiteReport {
    fn count(&self, outcome: Outcome) -> usize {
        self.cases.iter().filter(|case| case.outcome == outcome).count()
    }

    /// Failures that the list of known ones does not explain, and listed ones that passed.
    fn unexplained(&self) -> usize {
        self.surprises.len()
    }
}

/// Runs the task. `Ok(false)` when anything differs from what is listed.
pub(crate) fn main(arguments: &[String]) -> Result<bool> {
    let options = Options::parse(arguments)?;
    if options.help {
        print!("{}", options::USAGE);
        return Ok(true);
    }
    if options.list {
        for suite in suites::ALL {
            println!("{:22} {}", suite.name, suite.about);
        }
        return Ok(true);
    }
    let paths = Paths::find()?;
    let chosen = suites::chosen(&options.suites)?;
    for suite in &chosen {
        eprintln!("{}: setting up", suite.name);
        setup::prepare(suite, &paths).with_context(|| format!("setting up {}", suite.name))?;
    }
    if options.setup_only {
        return Ok(true);
    }
    let known = Known::read(&paths.carried.join("known.json"), options.target.is_some())?;
    let binary = broker::binary(&options, &paths)?;
    let mut reports = Vec::new();
    for suite in chosen {
        let report = run_suite(suite, &options, &paths, binary.as_deref(), &known)?;
        print_suite(&report);
        reports.push(report);
    }
    finish(&paths, &reports)
}

fn run_suite(
    suite: &'static Suite,
    options: &Options,
    paths: &Paths,
    binary: Option<&std::path::Path>,
    known: &Known,
) -> Result<SuiteReport> {
    let broker = Broker::start(suite, options, paths, binary)?;
    let started = Instant::now();
    let missing = suite.needs_port.filter(|port| !broker.listens(*port));
    let mut cases = match missing {
        Some(port) => vec![Case::skipped("(suite)", &format!("nothing listens on port {port}"))],
        None => run::run(suite, options, paths, &broker)?,
    };
    let seconds = Duration::as_secs(&started.elapsed());
    if let Some(crash) = broker.stop()? {
        cases.push(Case::failed("(broker)", &crash));
    }
    let surprises = known.compare(suite.name, &cases, options.only.is_none() && missing.is_none());
    Ok(SuiteReport { suite: suite.name, seconds, cases, surprises })
}

fn print_suite(report: &SuiteReport) {
    println!(
        "{:22} {} passed, {} failed, {} skipped ({} s)",
        report.suite,
        report.count(Outcome::Passed),
        report.count(Outcome::Failed),
        report.count(Outcome::Skipped),
        report.seconds,
    );
    for case in report.cases.iter().filter(|case| case.case == "(suite)") {
        println!("    {}", case.message);
    }
    for surprise in &report.surprises {
        println!("    {surprise}");
    }
}

fn finish(paths: &Paths, reports: &[SuiteReport]) -> Result<bool> {
    let total = |outcome| reports.iter().map(|it| it.count(outcome)).sum::<usize>();
    let unexplained: usize = reports.iter().map(SuiteReport::unexplained).sum();
    let (passed, failed) = (total(Outcome::Passed), total(Outcome::Failed));
    let suites: Vec<_> = reports
        .iter()
        .map(|report| {
            serde_json::json!({
                "suite": report.suite,
                "seconds": report.seconds,
                "passed": report.count(Outcome::Passed),
                "failed": report.count(Outcome::Failed),
                "skipped": report.count(Outcome::Skipped),
                "unexplained": report.unexplained(),
                "cases": report.cases,
            })
        })
        .collect();
    let all = serde_json::json!({
        "passed": passed, "failed": failed, "unexplained": unexplained, "suites": suites,
    });
    let file = paths.work.join("report.json");
    std::fs::write(&file, serde_json::to_vec_pretty(&all)?)?;
    println!("report: {}", file.display());
    println!("known failures: {}, unexplained: {unexplained}", known::explained(failed, reports));
    println!("{passed} passed, {failed} failed");
    Ok(unexplained == 0)
}
