//! The machine, which decides every absolute figure.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use serde::Serialize;

use super::figure::median;

/// Writes that are timed.
const SYNCS: usize = 100;

#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) cores: usize,
    pub(super) kernel: String,
    /// Of one minute, before the run: other work spoils figures.
    pub(super) load: f64,
    /// Median of a 4 KiB write at the end of a file and its fdatasync.
    pub(super) sync_us: f64,
}

impl Machine {
    pub(super) fn look(work: &Path) -> Result<Self> {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
        let model = model.and_then(|line| line.split_once(": ")).map_or("unknown", |it| it.1);
        let load = read("/proc/loadavg");
        Ok(Self {
            processor: model.to_owned(),
            cores: std::thread::available_parallelism()?.get(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: load.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or(f64::NAN),
            sync_us: sync_us(&work.join("sync"))?,
        })
    }

    pub(super) fn to_text(&self) -> String {
        format!(
            "{} cores of {}, Linux {}, load before the run {:.2}, 4 KiB appended and synced in \
             {:.0} µs",
            self.cores, self.processor, self.kernel, self.load, self.sync_us
        )
    }
}

fn sync_us(path: &Path) -> Result<f64> {
    drop(File::create(path)?);
    let mut file = OpenOptions::new().append(true).open(path)?;
    let mut micros = Vec::new();
    for _ in 0..SYNCS {
        let start = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        micros.push(start.elapsed().as_secs_f64() * 1e6);
    }
    std::fs::remove_file(path)?;
    Ok(median(micros).unwrap_or(f64::NAN))
}
