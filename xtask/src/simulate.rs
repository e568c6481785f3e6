//! `cargo xtask simulate`: builds the simulator with optimisation and runs it.

use std::process::Command;

use anyhow::{Context, Result};

/// Runs the task. `Ok(false)` when a history went wrong.
pub(crate) fn main(arguments: &[String]) -> Result<bool> {
    let mut command = Command::new("cargo");
    command.args(["run", "--quiet", "--release", "--package", "simulator", "--"]).args(arguments);
    let status = command.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    Ok(status.context("cargo does not start")?.success())
}
