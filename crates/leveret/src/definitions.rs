//! Definitions that the configuration names: imported at each start.

use std::io;
use std::path::{Path, PathBuf};

use ::operator::Management;
use anyhow::Context;
use tracing::info;

/// On whose behalf, in RabbitMQ's words.
const INTERNAL_USER: &str = "rmq-internal";

/// Imports what these paths name: files, and directories of files.
pub(crate) fn import(paths: &[PathBuf], broker: &dyn Management) -> anyhow::Result<()> {
    for path in paths {
        for file in files(path).with_context(|| unreadable(path))? {
            info!("Applying definitions from file at '{}'", file.display());
            let text = std::fs::read(&file).with_context(|| unreadable(&file))?;
            ::operator::on_behalf_of(INTERNAL_USER, || {
                management::import_definitions(broker, &text)
            })
            .map_err(anyhow::Error::msg)
            .with_context(|| format!("cannot import definitions from {}", file.display()))?;
        }
    }
    Ok(())
}

fn unreadable(path: &Path) -> String {
    format!("cannot read definitions from {}", path.display())
}

/// The file itself, or those of a directory by name.
fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        info!("Applying definitions from regular file at {}", path.display());
        return Ok(vec![path.to_owned()]);
    }
    info!("Applying definitions from directory {}", path.display());
    let entries = std::fs::read_dir(path)?.map(|entry| entry.map(|it| it.path()));
    let mut files = entries.collect::<io::Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}
