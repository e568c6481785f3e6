//! [`Log`] on disk, over TiKV's raft-engine.

use std::collections::HashMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use raft_engine::{Command, Config, Engine, LogBatch, ReadableSize, RecoveryMode};

use crate::{Batch, Error, Flush, GroupId, Log, Op};
use disk::{Disk, Health};
use entry::{Entries, Entry};

pub use tail::{LogFault, LogInspection, inspect};

mod disk;
mod entry;
mod files;
mod tail;
#[cfg(test)]
mod tests;

/// Entries looked up per step of a fetch: bounds the index copies, not the bytes.
const FETCH_ENTRIES_MAX: u64 = 256;
/// Size of a file of a shadow: more than anything written to one.
const SHADOW_FILE_BYTES: u64 = 1 << 40;
/// Batches kept for reuse: one per thread that writes at the same time, the rest is dropped.
const SPARE_BATCHES_MAX: usize = 4;

/// Sizes of the log on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// Bytes after which a new file is begun.
    pub file_bytes: u64,
    /// Bytes on disk from which [`Log::purge`] frees files. Files freed are kept for reuse, up to
    /// half as many again: a file written for the second time costs a third of a new one.
    pub purge_bytes: u64,
}

impl Default for EngineOptions {
    fn default() -> Self {
        // Small enough that files come back while their pages are still in memory: overwriting
        // those is many times faster than writing fresh ones.
        Self { file_bytes: 32 << 20, purge_bytes: 128 << 20 }
    }
}

/// A [`Log`] in a directory of its own.
pub struct EngineLog {
    engine: Engine<Disk>,
    health: Arc<Health>,
    spare: Mutex<Vec<LogBatch>>,
}

impl EngineLog {
    /// Opens the log in `dir`, made if missing (its parent must exist). A torn tail, which only
    /// writes that were never synced can leave, is cut off with a warning.
    ///
    /// # Errors
    /// [`Error::Open`]: another process has the directory, it cannot be read, or something other
    /// than the tail is damaged.
    pub fn open(dir: &Path, options: EngineOptions) -> Result<Self, Error> {
        let failed = |reason: String| Error::Open { dir: dir.display().to_string(), reason };
        let Some(path) = dir.to_str() else {
            return Err(failed("the path is not UTF-8".to_owned()));
        };
        let is_new = !dir.exists();
        let reserved_limit = files::reserve_leftovers(dir)
            .and_then(|()| tail::cut_torn(dir))
            .and_then(|()| files::reserved_limit(dir, options.file_bytes))
            .map_err(|error| failed(error.to_string()))?;
        let health = Arc::new(Health::default());
        let config = Config {
            dir: path.to_owned(),
            recovery_mode: RecoveryMode::TolerateTailCorruption,
            recovery_threads: 2,
            // Bodies are the clients' business, and a compressed block is read whole.
            batch_compression_threshold: ReadableSize(0),
            target_file_size: ReadableSize(options.file_bytes),
            purge_threshold: ReadableSize(options.purge_bytes),
            enable_log_recycle: true,
            prefill_for_recycle: reserved_limit > 0,
            prefill_limit: (reserved_limit > 0).then_some(ReadableSize(reserved_limit)),
            ..Config::default()
        };
        let disk = Arc::new(Disk::new(Arc::clone(&health)));
        // The engine asserts on some kinds of damage that it does not expect.
        let engine = catch_unwind(AssertUnwindSafe(|| Engine::open_with_file_system(config, disk)))
            .map_err(|_| failed("the files contradict each other".to_owned()))?
            .map_err(|error| failed(error.to_string()))?;
        if is_new {
            files::sync_names(dir).map_err(|error| failed(error.to_string()))?;
        }
        Ok(Self { engine, health, spare: Mutex::default() })
    }

    /// Opens what the log in `dir` would recover to, without changing a file of it: in the empty
    /// directory `shadow`, for which this needs room for two files of the log. Meant for looking
    /// at it; what is written there is nobody's.
    ///
    /// # Errors
    /// As [`EngineLog::open`].
    pub fn open_shadow(dir: &Path, shadow: &Path) -> Result<Self, Error> {
        files::shadow(dir, shadow).map_err(|error| Error::Open {
            dir: dir.display().to_string(),
            reason: error.to_string(),
        })?;
        // Never large enough to begin another file.
        let (file_bytes, purge_bytes) = (SHADOW_FILE_BYTES, SHADOW_FILE_BYTES);
        Self::open(shadow, EngineOptions { file_bytes, purge_bytes })
    }

    /// Syncs done since it was opened: what batching is measured by.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.health.syncs()
    }

    /// Bytes the log occupies, in whole files.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.engine.get_used_size() as u64
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        PathBuf::from(self.engine.path())
    }

    fn check_health(&self) -> Result<(), Error> {
        match self.health.failure() {
            Some(reason) => Err(Error::Io(reason.to_owned())),
            None => Ok(()),
        }
    }

    /// Refuses what the engine would answer with a panic.
    fn check_order(&self, batch: &Batch) -> Result<(), Error> {
        let mut spans: HashMap<GroupId, Option<(u64, u64)>> = HashMap::new();
        for op in batch.ops() {
            match *op {
                Op::Append { group, index, .. } => {
                    let span = spans.entry(group).or_insert_with(|| self.span(group));
                    match span {
                        Some((first, last)) if index < *first || index > *last + 1 => {
                            return Err(Error::Gap { group, index, first: *first, last: *last });
                        }
                        Some((_, last)) => *last = index,
                        None => *span = Some((index, index)),
                    }
                }
                Op::Compact { group, keep_from } => {
                    let span = spans.entry(group).or_insert_with(|| self.span(group));
                    *span = span.and_then(|(first, last)| {
                        (keep_from <= last).then_some((first.max(keep_from), last))
                    });
                }
                Op::Remove { group } => {
                    spans.insert(group, None);
                }
                Op::Put { .. } => {}
            }
        }
        Ok(())
    }
}

/// Moves the steps into the engine's form, runs of entries of one group together.
fn encode(batch: &mut Batch, out: &mut LogBatch) -> Result<(), raft_engine::Error> {
    let mut run: Vec<Entry> = Vec::new();
    let mut run_group = 0;
    for op in batch.drain() {
        if let Op::Append { group, index, payload } = op {
            let follows = run.last().is_some_and(|last| last.index + 1 == index);
            if !(follows && run_group == group.0) {
                out.add_entries::<Entries>(run_group, &run)?;
                run.clear();
            }
            run_group = group.0;
            run.push(Entry::new(index, payload));
            continue;
        }
        out.add_entries::<Entries>(run_group, &run)?;
        run.clear();
        match op {
            Op::Append { .. } => {}
            Op::Compact { group, keep_from } => {
                out.add_command(group.0, Command::Compact { index: keep_from });
            }
            Op::Remove { group } => out.add_command(group.0, Command::Clean),
            Op::Put { group, key, value } => out.put(group.0, key, value)?,
        }
    }
    out.add_entries::<Entries>(run_group, &run)
}

impl Log for EngineLog {
    fn write(&self, batch: &mut Batch, flush: Flush) -> Result<(), Error> {
        self.check_health()?;
        self.check_order(batch)?;
        let mut encoded = self.spare.lock().pop().unwrap_or_default();
        let written = catch_unwind(AssertUnwindSafe(|| {
            encode(batch, &mut encoded)?;
            self.engine.write(&mut encoded, flush == Flush::Sync)
        }));
        match written {
            Ok(Ok(_)) => {
                let mut spare = self.spare.lock();
                if spare.len() < SPARE_BATCHES_MAX {
                    spare.push(encoded);
                }
            }
            Ok(Err(error)) => self.health.fail(error.to_string()),
            Err(_) => self.health.fail("the engine panicked during a write".to_owned()),
        }
        self.check_health()
    }

    fn fetch(
        &self,
        group: GroupId,
        range: Range<u64>,
        bytes_max: usize,
        visit: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(), Error> {
        let Some((first, last)) = self.span(group) else { return Ok(()) };
        let mut next = range.start.max(first);
        let end = range.end.min(last + 1);
        let mut budget = bytes_max;
        let mut entries: Vec<Entry> = Vec::new();
        let mut bytes = Vec::new();
        while next < end {
            let until = end.min(next + FETCH_ENTRIES_MAX);
            self.engine
                .fetch_entries_to::<Entries>(group.0, next, until, Some(budget), &mut entries)
                .map_err(|error| Error::Corrupt {
                    group,
                    index: next,
                    reason: error.to_string(),
                })?;
            for entry in entries.drain(..) {
                bytes.clear();
                entry.payload.copy_to(&mut bytes);
                budget = budget.saturating_sub(bytes.len());
                visit(entry.index, &bytes);
                next = entry.index + 1;
            }
            if budget == 0 || next < until {
                break;
            }
        }
        Ok(())
    }

    fn span(&self, group: GroupId) -> Option<(u64, u64)> {
        Some((self.engine.first_index(group.0)?, self.engine.last_index(group.0)?))
    }

    fn get(&self, group: GroupId, key: &[u8]) -> Option<Vec<u8>> {
        self.engine.get(group.0, key)
    }

    fn groups(&self) -> Vec<GroupId> {
        self.engine.raft_groups().into_iter().map(GroupId).collect()
    }

    fn purge(&self) -> Result<Vec<GroupId>, Error> {
        self.check_health()?;
        match catch_unwind(AssertUnwindSafe(|| self.engine.purge_expired_files())) {
            Ok(Ok(groups)) => {
                self.check_health()?;
                Ok(groups.into_iter().map(GroupId).collect())
            }
            Ok(Err(error)) => Err(Error::Io(error.to_string())),
            Err(_) => {
                self.health.fail("the engine panicked during a purge".to_owned());
                Err(Error::Io("the engine panicked during a purge".to_owned()))
            }
        }
    }
}
