//! [`Log`] on disk.
//!
//! Blocks ([`block`]) lie one behind the other in files of a few dozen MiB; an index in memory knows
//! where each entry is ([`index`]). One lock orders writers, another guards the index and is never
//! held over a file. Files come back: the oldest is freed once little of it is needed ([`purge`]),
//! and used again.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::checksum::checksum;
use crate::{Batch, DirLock, Disk, DiskFile, Error, Flush, GroupId, Log, Op, Reserve};
use ahead::Ahead;
use block::Builder;
use index::{Index, Place, Readable};
use mark::Mark;
use recovery::Recovery;
use writer::Writer;

pub use inspect::{LogInspection, inspect};
pub use recovery::{Damage, Damaged};

mod ahead;
mod block;
mod files;
mod index;
mod inspect;
mod mark;
mod purge;
mod recovery;
mod scan;
#[cfg(test)]
mod tests;
mod writer;

/// Sizes of the log on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// Bytes after which a new file is begun.
    pub file_bytes: u64,
    /// Bytes on disk from which [`Log::purge`] frees files. Files freed are kept for reuse, up to
    /// half as many again: a file written for the second time costs a third of a new one.
    pub purge_bytes: u64,
}

impl EngineOptions {
    /// Files kept for reuse.
    fn spares_max(&self) -> u64 {
        (self.purge_bytes / 2 / self.file_bytes).max(1)
    }

    /// Room set aside for freeing a file, which moves at most half of it.
    fn ballast_bytes(&self) -> u64 {
        self.file_bytes / 2
    }

    /// Room set aside for whatever is on its way when a disk is full.
    fn reserve_bytes(&self) -> u64 {
        self.file_bytes / 2 * 5
    }
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
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    options: EngineOptions,
    damage: Vec<Damage>,
    /// Taken before `index`.
    writer: Mutex<Writer>,
    index: Mutex<Index>,
    /// One purge at a time; taken before the others. What it told of last that it could not read.
    purging: Mutex<Option<Place>>,
    /// A leaf.
    ahead: Mutex<Ahead>,
    /// For what makes room for certain, when there is no reserve left.
    ballast: Reserve,
    reserve: Arc<Reserve>,
    _lock: DirLock,
}

impl EngineLog {
    /// Opens the log in `dir`, made if missing. What is damaged costs only itself: it is reported by
    /// [`EngineLog::damage`], and the log goes on. What follows the last whole block, which only
    /// writes that were never synced can leave, is cut off and reported likewise.
    ///
    /// # Errors
    /// [`Error::Open`]: another process has the directory, it cannot be read or written, or the
    /// device does not read a part of the log that may be needed. Nothing was changed then.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, options: EngineOptions) -> Result<Self, Error> {
        Self::open_and_tell(disk, dir, options, &mut |_, _| {})
    }

    /// As [`EngineLog::open`]; `progress` is told how many bytes of how many were read.
    ///
    /// # Errors
    /// As [`EngineLog::open`].
    pub fn open_and_tell(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: EngineOptions,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, Error> {
        let failed = |reason: String| Error::Open { dir: dir.display().to_string(), reason };
        Self::try_open(disk, dir, options, progress).map_err(|error| failed(error.to_string()))
    }

    fn try_open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: EngineOptions,
        progress: &mut dyn FnMut(u64, u64),
    ) -> io::Result<Self> {
        disk.create_dir(dir)?;
        let lock = disk.lock_dir(dir)?;
        let listing = files::list(&*disk, dir)?;
        listing.check()?;
        let mark = Mark::open(&*disk, dir, &listing)?;
        let mut found = Recovery::read(&*disk, dir, listing, mark, true, progress)?;
        let mut index = found.index();
        if let Some(Damage { file, offset, .. }) = found.find_unread(dir, &index) {
            let file = file.display();
            return Err(io::Error::other(format!(
                "the device does not read {file} at {offset}; nothing was changed"
            )));
        }
        let damage = std::mem::take(&mut found.damage);
        let writer = Writer::open(Arc::clone(&disk), dir, options, found, &mut index)?;
        let set_aside = |path: PathBuf, bytes| Reserve::open(Arc::clone(&disk), &path, bytes);
        let ballast = set_aside(files::ballast_path(dir), options.ballast_bytes())?;
        let reserve = set_aside(files::reserve_path(dir), options.reserve_bytes())?;
        Ok(Self {
            disk,
            dir: dir.to_owned(),
            options,
            damage,
            writer: Mutex::new(writer),
            index: Mutex::new(index),
            purging: Mutex::default(),
            ahead: Mutex::default(),
            ballast,
            reserve: Arc::new(reserve),
            _lock: lock,
        })
    }

    /// The room set aside for a full disk. Any write gives it up when it finds none; who writes to
    /// the same disk may do so, too, and takes it again.
    #[must_use]
    pub fn reserve(&self) -> &Arc<Reserve> {
        &self.reserve
    }

    /// Damage found when it was opened, in the order of files and offsets. Entries that it cost are
    /// [`Error::Corrupt`] when fetched; those at a group's end are just not there.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Syncs done since it was opened: what batching is measured by.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.writer.lock().syncs
    }

    /// Bytes of blocks in the log's files, needed or not.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.index.lock().files().values().map(|file| file.bytes).sum()
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Refuses what would leave a hole or rewrite history.
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

    /// Reads an entry; false when the group does not hold it any more.
    fn read(&self, group: GroupId, index: u64, bytes: &mut Vec<u8>) -> Result<bool, Error> {
        let corrupt = |reason, place| Error::Corrupt { group, index, reason, place };
        let mut tried = None;
        loop {
            let Some(found) = self.index.lock().place(group.0, index) else { return Ok(false) };
            let Some(Readable { place, handle, end }) = found else {
                return Err(corrupt("its block is damaged".to_owned(), None));
            };
            if self.read_ahead(&*handle, end, place, bytes) {
                return Ok(true);
            }
            match (read_place(&*handle, place, bytes), tried) {
                (Ok(()), _) => return Ok(true),
                (Err(error), Some(before)) if before == place => {
                    let file = files::log_path(&self.dir, place.file());
                    return Err(match error {
                        Unusable::Unread(error) => unread(&file, place, &error),
                        Unusable::Damaged => {
                            let reason = "it does not match its checksum".to_owned();
                            corrupt(reason, Some((file, place.offset)))
                        }
                    });
                }
                // A purge may have moved it, and its file be in use again.
                (Err(_), _) => tried = Some(place),
            }
        }
    }

    /// Reads an entry together with what follows it. False when that is not good for it.
    fn read_ahead(
        &self,
        handle: &dyn DiskFile,
        end: u64,
        place: Place,
        bytes: &mut Vec<u8>,
    ) -> bool {
        let mut ahead = self.ahead.lock();
        let found = ahead.get(handle, end, place);
        let Some(found) = found.filter(|found| crc32fast::hash(found) == place.check) else {
            return false;
        };
        bytes.clear();
        bytes.extend_from_slice(found);
        true
    }
}

/// Why an entry cannot be used.
enum Unusable {
    /// The device does not read it: it may be there all the same.
    Unread(io::Error),
    /// Other bytes are in its place.
    Damaged,
}

/// Reads an entry's bytes and checks them.
fn read_place(handle: &dyn DiskFile, place: Place, bytes: &mut Vec<u8>) -> Result<(), Unusable> {
    bytes.resize(place.len as usize, 0);
    match handle.read_exact_at(place.offset, bytes) {
        Ok(()) if checksum(&[bytes]) == place.check => Ok(()),
        Ok(()) => Err(Unusable::Damaged),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Unusable::Damaged),
        Err(error) => Err(Unusable::Unread(error)),
    }
}

fn unread(file: &Path, place: Place, error: &io::Error) -> Error {
    let (file, offset) = (file.display(), place.offset);
    Error::Io(format!("the device does not read {file} at {offset}: {error}"))
}

/// Puts the steps into a block; `None` when an entry is too long for one.
fn encode(batch: &Batch, block: &mut Builder) -> Option<()> {
    block.start();
    for op in batch.ops() {
        match op {
            Op::Append { group, index, payload } => block.entry(group.0, *index, payload)?,
            Op::Compact { group, keep_from } => block.compact(group.0, *keep_from),
            Op::Remove { group } => block.remove(group.0),
            Op::Put { group, key, value } => block.put(group.0, key, value),
        }
    }
    Some(())
}

impl Log for EngineLog {
    fn write(&self, batch: &mut Batch, flush: Flush) -> Result<(), Error> {
        let mut writer = self.writer.lock();
        writer.check()?;
        self.check_order(batch)?;
        if batch.is_empty() {
            return if flush == Flush::Sync { writer.sync() } else { Ok(()) };
        }
        if encode(batch, &mut writer.builder).is_none() {
            return Err(Error::Io("an entry of 4 GiB or more".to_owned()));
        }
        let mut write = || writer.write(&self.index, flush);
        if batch.ops().iter().any(|op| matches!(op, Op::Append { .. })) {
            self.reserve.or_give_up(write)?;
        } else {
            self.with_ballast(&mut write)?;
        }
        writer.builder.trim();
        batch.drain();
        Ok(())
    }

    fn fetch(
        &self,
        group: GroupId,
        range: Range<u64>,
        bytes_max: usize,
        visit: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(), Error> {
        let Some((first, last)) = self.span(group) else { return Ok(()) };
        let mut budget = bytes_max;
        let mut bytes = Vec::new();
        for index in range.start.max(first)..range.end.min(last + 1) {
            if self.read(group, index, &mut bytes)? {
                visit(index, &bytes);
                budget = budget.saturating_sub(bytes.len());
                if budget == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    fn span(&self, group: GroupId) -> Option<(u64, u64)> {
        self.index.lock().span(group.0)
    }

    fn get(&self, group: GroupId, key: &[u8]) -> Option<Vec<u8>> {
        self.index.lock().key(group.0, key)
    }

    fn groups(&self) -> Vec<GroupId> {
        self.index.lock().groups()
    }

    fn purge(&self) -> Result<Vec<GroupId>, Error> {
        self.free_files()
    }

    fn pack(&self, left_max: u64, moved_max: u64) -> Result<Vec<GroupId>, Error> {
        self.pack_files(left_max, moved_max)
    }
}

impl Drop for EngineLog {
    fn drop(&mut self) {
        // Best effort: what was promised is on stable storage already.
        let _ = self.writer.get_mut().close(&self.index);
    }
}
