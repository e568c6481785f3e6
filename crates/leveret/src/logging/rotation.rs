//! A log file that is put aside when it is large or old.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use config::LogRotation;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Zoned;
use jiff::civil::DateTime;

use super::schedule::last_due;

/// The time by which files become old.
type Clock = fn() -> DateTime;

/// The file that lines are appended to. It is opened anew when somebody else has moved or deleted it,
/// as `logrotate` does.
pub(super) struct RotatingFile {
    path: PathBuf,
    rotation: LogRotation,
    clock: Clock,
    file: File,
    inode: u64,
    len: u64,
    begun: DateTime,
}

/// The machine's local time.
pub(super) fn local_time() -> DateTime {
    Zoned::now().datetime()
}

impl RotatingFile {
    /// Opens or creates it; archives that are more than wanted are deleted.
    pub(super) fn open(path: PathBuf, rotation: LogRotation, clock: Clock) -> io::Result<Self> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        if rotation.size.is_some() || rotation.schedule.is_some() {
            let is_there = |number: &u32| existing(&path, *number).is_some();
            for number in (rotation.count..).take_while(is_there) {
                existing(&path, number).map_or(Ok(()), |(archive, _)| fs::remove_file(archive))?;
            }
        }
        let (file, inode, len) = open(&path)?;
        Ok(Self { path, rotation, clock, file, inode, len, begun: clock() })
    }

    fn reopen_if_moved(&mut self) -> io::Result<()> {
        if fs::metadata(&self.path).is_ok_and(|now| now.ino() == self.inode) {
            return Ok(());
        }
        self.reopen()
    }

    fn reopen(&mut self) -> io::Result<()> {
        (self.file, self.inode, self.len) = open(&self.path)?;
        Ok(())
    }

    /// The first lines, up to the one that makes the file too large.
    fn fitting<'a>(&self, lines: &'a [u8]) -> &'a [u8] {
        let Some(max) = self.rotation.size else { return lines };
        let room = usize::try_from(max.saturating_sub(self.len)).unwrap_or(usize::MAX);
        if lines.len() <= room {
            return lines;
        }
        let rest = &lines[room..];
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        &lines[..room + end]
    }

    fn is_due(&self) -> bool {
        let is_old = |schedule| self.begun < last_due(schedule, (self.clock)());
        self.rotation.size.is_some_and(|max| max < self.len)
            || self.rotation.schedule.is_some_and(is_old)
    }

    /// `NAME.1` to `NAME.2`, `NAME.0` to `NAME.1`, `NAME` to `NAME.0`.
    fn rotate(&mut self) -> io::Result<()> {
        let count = self.rotation.count;
        if count == 0 {
            fs::remove_file(&self.path)?;
        }
        for number in (1..count).rev() {
            if let Some((_, is_compressed)) = existing(&self.path, number) {
                fs::remove_file(archive(&self.path, number, is_compressed))?;
            }
            if let Some((from, is_compressed)) = existing(&self.path, number - 1) {
                fs::rename(from, archive(&self.path, number, is_compressed))?;
            }
        }
        if 0 < count {
            if let Some((last, _)) = existing(&self.path, 0) {
                fs::remove_file(last)?;
            }
            let newest = archive(&self.path, 0, false);
            fs::rename(&self.path, &newest)?;
            if self.rotation.is_compressed {
                compress(&newest, &archive(&self.path, 0, true))?;
            }
        }
        self.begun = (self.clock)();
        self.reopen()
    }
}

impl Write for RotatingFile {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.reopen_if_moved()?;
        let lines = self.fitting(lines);
        self.file.write_all(lines)?;
        self.len += lines.len() as u64;
        if self.is_due() {
            // The lines are written; where rotating fails they stay in the file that is there.
            if self.rotate().is_err() {
                self.reopen()?;
            }
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<(File, u64, u64)> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata.ino(), metadata.len()))
}

fn archive(path: &Path, number: u32, is_compressed: bool) -> PathBuf {
    let suffix = if is_compressed { ".gz" } else { "" };
    PathBuf::from(format!("{}.{number}{suffix}", path.display()))
}

/// The archive with this number, and whether it is compressed.
fn existing(path: &Path, number: u32) -> Option<(PathBuf, bool)> {
    [false, true]
        .map(|is_compressed| (archive(path, number, is_compressed), is_compressed))
        .into_iter()
        .find(|(path, _)| path.exists())
}

fn compress(from: &Path, to: &Path) -> io::Result<()> {
    let mut encoder = GzEncoder::new(File::create(to)?, Compression::default());
    io::copy(&mut File::open(from)?, &mut encoder)?;
    encoder.finish()?;
    fs::remove_file(from)
}

#[cfg(test)]
mod tests;
