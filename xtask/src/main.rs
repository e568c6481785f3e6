//! Tasks of the project, run as `cargo xtask TASK`.
//!
//! Knows how to build, start and compare programs; knows nothing of what is inside a broker. It
//! must not link any crate of the product: it starts binaries, as users do.
#![forbid(unsafe_code)]

mod bench;
mod conformance;
mod simulate;
mod target;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask TASK [OPTIONS]

Tasks:
  bench         Measures Leveret side by side with a reference broker
  conformance   Runs other people's programs and test suites against Leveret
  simulate      Runs histories of a broker on a failing disk, one per seed
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let task = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let outcome = match task.as_str() {
        "bench" => bench::main(&rest),
        "conformance" => conformance::main(&rest),
        "simulate" => simulate::main(&rest),
        "" | "help" | "--help" => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        other => Err(anyhow::anyhow!("no task is named {other:?}\n\n{USAGE}")),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask {task}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
