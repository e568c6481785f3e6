//! The end of the log: where blocks are written.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::EngineOptions;
use super::block::{Builder, END_LEN, Header};
use super::files;
use super::index::Index;
use super::mark::Mark;
use super::recovery::Recovery;
use crate::disk::is_full;
use crate::{Disk, DiskFile, Error, Flush, Open};

/// Writes blocks behind each other, file after file.
pub(super) struct Writer {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// What its blocks begin with.
    mark: Mark,
    /// Bytes after which a new file is begun.
    file_bytes: u64,
    /// The block in the making.
    pub(super) builder: Builder,
    file: u32,
    handle: Arc<dyn DiskFile>,
    /// Where the next block goes.
    position: u64,
    /// The file's length.
    len: u64,
    /// The next block's number.
    number: u64,
    /// Blocks below this number are on stable storage.
    synced: u64,
    /// The number of the first block since it was opened.
    opened_at: u64,
    /// The oldest file that the log consists of.
    pub(super) first_file: u32,
    /// Files to use again, the next one last.
    pub(super) spares: Vec<u32>,
    /// Syncs since it was opened.
    pub(super) syncs: u64,
    /// Why nothing is written any more.
    failure: Option<String>,
}

impl Writer {
    /// Goes on where a log ends: cuts what is torn, tidies up what a crash left undone, and makes
    /// durable what was read. The index learns of a first file.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: EngineOptions,
        found: Recovery,
        index: &mut Index,
    ) -> io::Result<Self> {
        let handle = match found.files.last() {
            Some(last) => Arc::clone(&last.handle),
            None => {
                let number = found.highest_number() + 1;
                let handle = disk.open(&files::log_path(dir, number), Open::CreateEmpty)?;
                index.add_file(number, Arc::clone(&handle));
                handle
            }
        };
        if let Some(cut) = found.cut {
            handle.set_len(cut)?;
        }
        let position = found.end();
        if let Some(start) = found.unsynced_from() {
            write_again(&*handle, start..position + END_LEN as u64)?;
        }
        handle.sync()?;
        // Not earlier: what says that the log does without a file may have been read from the
        // system's memory alone.
        let spares = tidy_up(&*disk, dir, options.spares_max(), &found)?;
        disk.sync_dir(dir)?;
        disk.sync_dir(
            dir.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")),
        )?;
        Ok(Self {
            disk,
            dir: dir.to_owned(),
            mark: found.mark,
            file_bytes: options.file_bytes,
            builder: Builder::default(),
            file: found.files.last().map_or(found.highest_number() + 1, |last| last.number),
            position,
            len: handle.len()?,
            handle,
            number: found.next_number,
            synced: found.next_number,
            opened_at: found.next_number,
            first_file: found.first_file.max(1),
            spares,
            syncs: 0,
            failure: None,
        })
    }

    /// Notes that everything is on stable storage, so that damage to the last blocks is known as
    /// such.
    pub(super) fn close(&mut self, index: &Mutex<Index>) -> Result<(), Error> {
        if self.number == self.opened_at {
            return Ok(());
        }
        if self.synced < self.number {
            self.sync()?;
        }
        self.builder.start();
        self.write(index, Flush::Sync)
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        self.failure.clone().map_or(Ok(()), |reason| Err(Error::Io(reason)))
    }

    /// Closes the log for writing: what the device holds is unknown from here on.
    pub(super) fn fail(&mut self, what: &str, error: &io::Error) -> Error {
        let reason = format!("{what}: {error}");
        self.failure = Some(reason.clone());
        Error::Io(reason)
    }

    /// Writes the block in the making and lets the index know.
    ///
    /// # Errors
    /// [`Error::Full`] leaves the log as it was; the block may be written again. [`Error::Io`] is
    /// final.
    pub(super) fn write(&mut self, index: &Mutex<Index>, flush: Flush) -> Result<(), Error> {
        self.check()?;
        if self.position >= self.file_bytes {
            self.rotate(index)?;
        }
        let start = match self.put() {
            // A file to use again has room of its own.
            Err(Error::Full(_)) if !self.spares.is_empty() => {
                self.rotate(index)?;
                self.put()?
            }
            result => result?,
        };
        if flush == Flush::Sync {
            self.sync()?;
        }
        index.lock().apply(self.builder.steps(), self.file, start, self.position);
        Ok(())
    }

    /// Writes the block at the end of the file; returns where it begins.
    fn put(&mut self) -> Result<u64, Error> {
        let header = Header {
            number: self.number,
            synced: self.synced,
            file: self.file,
            first_file: self.first_file,
            ..Header::default()
        };
        let Some(block) = self.builder.finish(header, self.mark, self.position) else {
            return Err(Error::Io("the batch is too large for a block".to_owned()));
        };
        let end = self.position + block.len() as u64;
        match self.handle.write_at(self.position, block) {
            Ok(()) => {}
            Err(error) if is_full(&error) => {
                self.undo().map_err(|error| self.fail("write", &error))?;
                return Err(Error::Full(error.to_string()));
            }
            Err(error) => return Err(self.fail("write", &error)),
        }
        let start = std::mem::replace(&mut self.position, end - END_LEN as u64);
        self.len = self.len.max(end);
        self.number += 1;
        Ok(start)
    }

    /// Takes back what a write for which there was no room has left.
    fn undo(&self) -> io::Result<()> {
        if self.handle.len()? > self.len {
            self.handle.set_len(self.len)?;
        }
        let zeros = (self.len - self.position).min(END_LEN as u64) as usize;
        self.handle.write_at(self.position, &[0; END_LEN][..zeros])
    }

    /// Makes everything written survive a power cut.
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        self.check()?;
        match self.handle.sync() {
            Ok(()) => {
                self.syncs += 1;
                self.synced = self.number;
                Ok(())
            }
            Err(error) => Err(self.fail("fdatasync", &error)),
        }
    }

    /// Begins another file. What is in the last one is synced first: only the end of the last file
    /// can be torn.
    pub(super) fn rotate(&mut self, index: &Mutex<Index>) -> Result<(), Error> {
        // Also when no block waits for it: a write that found no room may have been taken back.
        self.sync()?;
        let number = self.file + 1;
        let opened = self.open_next(number).and_then(|handle| {
            let len = handle.len()?;
            Ok((handle, len))
        });
        match opened {
            Ok((handle, len)) => {
                index.lock().add_file(number, Arc::clone(&handle));
                (self.file, self.handle, self.position, self.len) = (number, handle, 0, len);
                Ok(())
            }
            Err(error) if is_full(&error) => Err(Error::Full(error.to_string())),
            Err(error) => Err(self.fail("a new file", &error)),
        }
    }

    /// Begins a file unless there is little in the last one, and not one that was used before: a
    /// start reads files whole. Returns the last file's number.
    pub(super) fn begin_file(
        &mut self,
        index: &Mutex<Index>,
        bytes_max: u64,
    ) -> Result<u32, Error> {
        self.check()?;
        if bytes_max < self.len {
            let spares = std::mem::take(&mut self.spares);
            let begun = self.rotate(index);
            self.spares = spares;
            begun?;
        }
        Ok(self.file)
    }

    fn open_next(&mut self, number: u32) -> io::Result<Arc<dyn DiskFile>> {
        let path = files::log_path(&self.dir, number);
        let handle = match self.spares.last() {
            Some(&spare) => {
                self.disk.rename(&files::spare_path(&self.dir, spare), &path)?;
                self.spares.pop();
                self.disk.open(&path, Open::Write)?
            }
            None => self.disk.open(&path, Open::CreateEmpty)?,
        };
        // What is synced in a file without a name is lost.
        self.disk.sync_dir(&self.dir)?;
        Ok(handle)
    }
}

/// Keeps files that a crash left behind for reuse, up to `spares_max`, and removes the others.
/// Returns the numbers of those kept.
fn tidy_up(disk: &dyn Disk, dir: &Path, spares_max: u64, found: &Recovery) -> io::Result<Vec<u32>> {
    let mut spares = Vec::new();
    let freed = found.leftovers.iter().map(|&file| (file, files::log_path(dir, file)));
    let kept = found.spares.iter().map(|&file| (file, files::spare_path(dir, file)));
    for (file, path) in freed.chain(kept) {
        let spare = files::spare_path(dir, file);
        if spares.len() as u64 >= spares_max {
            disk.remove(&path)?;
        } else {
            disk.rename(&path, &spare)?;
            spares.push(file);
        }
    }
    Ok(spares)
}

/// Writes what was read once more: the sync that it was written for may have failed, and then the
/// system takes it for safe though the device does not have it.
fn write_again(handle: &dyn DiskFile, range: Range<u64>) -> io::Result<()> {
    let end = range.end.min(handle.len()?);
    let mut bytes = vec![0; usize::try_from(end - range.start).map_err(io::Error::other)?];
    handle.read_exact_at(range.start, &mut bytes)?;
    handle.write_at(range.start, &bytes)
}
