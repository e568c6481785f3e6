//! Runs one suite's program within its time limit and gathers its cases.

use std::fs::File;
use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::broker::Broker;
use super::cases::{self, Case, Outcome};
use super::options::Options;
use super::suites::{Crate, Node, Program, Pytest, Suite};
use super::{Paths, setup};

/// How a program ended.
enum Ending {
    /// By itself; `true` with status 0.
    Exited(bool),
    OverTime,
}

/// Runs a suite. A program that ends badly without a failed case is a failed case itself.
pub(super) fn run(
    suite: &Suite,
    options: &Options,
    paths: &Paths,
    broker: &Broker,
) -> Result<Vec<Case>> {
    let logs = paths.work.join("logs");
    std::fs::create_dir_all(&logs)?;
    let report = logs.join(format!("{}.jsonl", suite.name));
    let log = logs.join(format!("{}.log", suite.name));
    std::fs::write(&report, "")?;
    let limit = if options.full { suite.limit * 3 } else { suite.limit };
    let mut command = match &suite.program {
        Program::Pytest(pytest) => pytest_command(suite, pytest, options, paths),
        Program::Node(node) => node_command(node, paths, &report),
        Program::Crate(krate) => crate_command(krate, options, paths),
    };
    surroundings(&mut command, paths, broker, &report);
    let ending = within(&mut command, limit, &log, &report, suite.name)?;
    let mut cases = match &suite.program {
        Program::Crate(_) => {
            cases::read_cargo_output(&String::from_utf8_lossy(&std::fs::read(&log)?))
        }
        _ => cases::read_report(&report)?,
    };
    if let Program::Crate(krate) = &suite.program {
        for example in krate.examples {
            cases.push(run_example(krate, example, paths, broker, &logs)?);
        }
    }
    let failed = cases.iter().any(|case| case.outcome == Outcome::Failed);
    match ending {
        Ending::OverTime => {
            let text = format!("ended after {} s; see {}", limit.as_secs(), log.display());
            cases.push(Case::failed("(time limit)", &text));
        }
        Ending::Exited(good) if (!good && !failed) || cases.is_empty() => {
            cases.push(Case::failed("(suite)", &format!("broke; see {}", log.display())));
        }
        Ending::Exited(_) => {}
    }
    Ok(cases)
}

fn pytest_command(suite: &Suite, pytest: &Pytest, options: &Options, paths: &Paths) -> Command {
    let modules = match (options.full, pytest.long_modules) {
        (true, long) if !long.is_empty() => long,
        _ => pytest.modules,
    };
    let mut command = Command::new(setup::environment_folder(pytest, paths).join("bin/pytest"));
    command
        .args([
            "-p",
            "conformance_report",
            "-p",
            "no:cacheprovider",
            "--timeout=60",
            "-W",
            "ignore",
        ])
        .args(pytest.arguments)
        .args(modules)
        .current_dir(setup::source_folder(&pytest.source, paths))
        .env("CONFORMANCE_NODE", setup::node_folder(suite, paths))
        .envs(pytest.environment.iter().copied());
    if let Some(words) = &options.only {
        command.args(["-k", words]);
    }
    command
}

fn node_command(node: &Node, paths: &Paths, report: &Path) -> Command {
    let reporter = paths.carried.join("drivers/node-report.mjs");
    let mut command = Command::new("node");
    command
        .args(["--test", "--test-concurrency=1"])
        .arg(format!("--test-reporter={}", reporter.display()))
        .arg(format!("--test-reporter-destination={}", report.display()))
        .args(["--test-reporter=spec", "--test-reporter-destination=stdout"])
        .args(node.files)
        .current_dir(setup::npm_source(node, paths));
    command
}

/// `cargo test` of a package's integration tests, compiled into our own target directory.
pub(super) fn cargo_test(krate: &Crate, paths: &Paths) -> Command {
    let mut command = Command::new("cargo");
    command
        .args(["test", "--locked", "--no-fail-fast"])
        .args(krate.arguments)
        .args(krate.tests)
        .env("CARGO_TARGET_DIR", paths.root.join("target"))
        .current_dir(setup::crate_source(krate, paths));
    command
}

fn crate_command(krate: &Crate, options: &Options, paths: &Paths) -> Command {
    let mut command = cargo_test(krate, paths);
    if options.full {
        command.args(krate.long_tests);
    }
    command.args(["--", "--test-threads=1"]).args(&options.only);
    command
}

fn run_example(
    krate: &Crate,
    example: &str,
    paths: &Paths,
    broker: &Broker,
    logs: &Path,
) -> Result<Case> {
    let log = logs.join(format!("{}-{example}.log", krate.package));
    let mut command = Command::new("cargo");
    command
        .args(["run", "--quiet", "--locked", "--example", example])
        .args(krate.arguments)
        .env("CARGO_TARGET_DIR", paths.root.join("target"))
        .current_dir(setup::crate_source(krate, paths));
    surroundings(&mut command, paths, broker, &log);
    let case = format!("examples/{example}");
    Ok(match within(&mut command, Duration::from_secs(60), &log, &log, krate.package)? {
        Ending::Exited(true) => Case { case, outcome: Outcome::Passed, message: String::new() },
        _ => Case::failed(&case, &format!("broke; see {}", log.display())),
    })
}

/// What all programs find in their environment. The names are those that the suites look for.
fn surroundings(command: &mut Command, paths: &Paths, broker: &Broker, report: &Path) {
    let (host, port) = (&broker.host, broker.port);
    let url = format!("amqp://guest:guest@{host}:{port}");
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .env("PATH", format!("{}:{path}", broker.tools.display()))
        .env("PYTHONPATH", paths.carried.join("drivers"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONUNBUFFERED", "1")
        .env("RUST_LOG", "off")
        .env("LEVERET_DATA_DIR", &broker.data_dir)
        .env("CONFORMANCE_REPORT", report)
        .env("RABBITMQ_HOST", host)
        .env("RABBITMQ_5672_TCP", port.to_string())
        .env("RABBITMQ_5671_TCP", "5671")
        .env("RABBITMQ_USERNAME", "guest")
        .env("RABBITMQ_PASSWORD", "guest")
        .env("AMQP_URL", format!("{url}/"))
        .env("AMQP_ADDR", format!("{url}/%2f"))
        .env("URL", &url)
        .env("CELERY_BROKER", format!("{url}//"));
}

/// Runs a program with all its children, and ends them all after `limit`.
fn within(
    command: &mut Command,
    limit: Duration,
    log: &Path,
    report: &Path,
    name: &str,
) -> Result<Ending> {
    let out = File::create(log)?;
    let mut process = command
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .process_group(0)
        .spawn()
        .with_context(|| format!("{command:?}"))?;
    let group = format!("-{}", process.id());
    let started = Instant::now();
    let ending = loop {
        if let Some(status) = process.try_wait()? {
            break Ending::Exited(status.success());
        }
        if started.elapsed() > limit {
            break Ending::OverTime;
        }
        progress(name, started.elapsed(), report);
        std::thread::sleep(Duration::from_millis(100));
    };
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    // What the program left behind would disturb the next suite.
    let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
    process.wait()?;
    Ok(ending)
}

/// A line that is overwritten, for a person who watches.
fn progress(name: &str, elapsed: Duration, report: &Path) {
    if !std::io::stderr().is_terminal() || elapsed.subsec_millis() > 100 {
        return;
    }
    let done = std::fs::read(report).unwrap_or_default().iter().filter(|it| **it == b'\n').count();
    eprint!("\r{name}: {done} cases in {} s", elapsed.as_secs());
}
