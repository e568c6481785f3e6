//! Where cargo puts what it builds.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The target directory of the checkout at `root`, as cargo itself says: `CARGO_TARGET_DIR` and
/// configuration files may move it.
pub(crate) fn directory(root: &Path) -> Result<PathBuf> {
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .output()?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata failed")?;
    let path = metadata["target_directory"].as_str();
    path.map(PathBuf::from).context("cargo metadata names no target directory")
}
