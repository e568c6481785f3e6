//! Looks at every block of a log without changing anything.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::{BLOCK_HEADER_LEN, FILE_HEADER_LEN, Window, is_whole, parse_header};
use crate::engine_log::files;

/// What begins a file.
const MAGIC: &[u8] = b"RAFT-LOG-FILE-HEADER-9986AB3E47F320B394C8E84916EB0ED5";

/// Largest block, and largest index of one, at which reading goes on behind damage: what happens to
/// look like the header of a larger one is not worth reading.
const RESUMED_BLOCK_MAX: u64 = 4 << 20;
const RESUMED_INDEX_MAX: u64 = 64 << 10;
/// Bytes compared at once when looking for the end of what was written.
const BLANK_BYTES: u64 = 64 << 10;

/// A stretch of a log file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFault {
    /// The file.
    pub file: PathBuf,
    /// Where the stretch begins, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub len: u64,
    /// What is wrong with it.
    pub what: &'static str,
}

/// What a look at a log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogInspection {
    /// Files that hold records.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Unreadable stretches with readable blocks behind them.
    pub faults: Vec<LogFault>,
    /// What follows the last whole block of each queue's last file. After a crash that is a write
    /// that was never synced, or the rest of a file that was used before; after a clean stop there
    /// should be none.
    pub tails: Vec<LogFault>,
}

/// Reads all of the log in `dir`. `progress` is told how many bytes of how many are done, after
/// each file.
///
/// # Errors
/// When the directory or a file cannot be read.
pub fn inspect(dir: &Path, progress: &mut dyn FnMut(u64, u64)) -> io::Result<LogInspection> {
    let mut found = LogInspection::default();
    let queues = [files::live(dir, files::APPENDED)?, files::live(dir, files::REWRITTEN)?];
    let mut total = 0;
    for (_, path) in queues.iter().flatten() {
        total += path.metadata()?.len();
    }
    for queue in &queues {
        for (at, (sequence, path)) in queue.iter().enumerate() {
            let is_last = at + 1 == queue.len();
            let file = File::open(path)?;
            let walk = Walk { path, sequence: *sequence, is_last };
            found.bytes += walk.run(&file, &mut found)?;
            found.files += 1;
            progress(found.bytes, total);
        }
    }
    Ok(found)
}

/// The way through one file.
struct Walk<'a> {
    path: &'a Path,
    sequence: u64,
    is_last: bool,
}

/// What lies at an offset.
enum Block {
    Whole(u64),
    /// The index can be read, what it points to cannot.
    Damaged,
    Unreadable,
}

impl Walk<'_> {
    /// Notes what is wrong; returns the file's length.
    fn run(&self, file: &File, found: &mut LogInspection) -> io::Result<u64> {
        let file_len = file.metadata()?.len();
        let mut window = Window { file, file_len, start: 0, bytes: Vec::new() };
        let is_headed = window.get(0, MAGIC.len() as u64)?.is_some_and(|bytes| bytes == MAGIC);
        if !is_headed && file_len > 0 {
            let what = "the file's header is damaged";
            found.faults.push(self.fault(0, FILE_HEADER_LEN.min(file_len), what));
        }
        let mut offset = FILE_HEADER_LEN;
        while offset < file_len {
            let what = match self.look(&mut window, offset)? {
                Block::Whole(len) => {
                    offset += len;
                    continue;
                }
                Block::Damaged => "the entries of a block do not match their checksum",
                Block::Unreadable => "a block cannot be read",
            };
            if self.is_last && is_blank(&mut window, offset)? {
                break;
            }
            let next = self.next_whole(&mut window, offset + 1)?;
            let end = next.unwrap_or(file_len);
            let is_tail = next.is_none() && self.is_last;
            let stretch = self.fault(offset, end - offset, what);
            if is_tail { &mut found.tails } else { &mut found.faults }.push(stretch);
            offset = end;
        }
        Ok(file_len)
    }

    fn fault(&self, offset: u64, len: u64, what: &'static str) -> LogFault {
        LogFault { file: self.path.to_owned(), offset, len, what }
    }

    fn look(&self, window: &mut Window<'_>, offset: u64) -> io::Result<Block> {
        let header = window.get(offset, BLOCK_HEADER_LEN as u64)?.and_then(parse_header);
        let Some((index_at, len)) = header else { return Ok(Block::Unreadable) };
        let Some(block) = window.get(offset, len)? else { return Ok(Block::Unreadable) };
        let (entries, index) = block.split_at(index_at);
        if !is_whole(index, self.sequence as u32) {
            return Ok(Block::Unreadable);
        }
        let entries = &entries[BLOCK_HEADER_LEN..];
        match entries.is_empty() || is_whole(entries, 0) {
            true => Ok(Block::Whole(len)),
            false => Ok(Block::Damaged),
        }
    }

    /// Where the next whole block begins, at `from` or behind. Blocks are not aligned, so that
    /// every byte is looked at; few look like a header.
    fn next_whole(&self, window: &mut Window<'_>, from: u64) -> io::Result<Option<u64>> {
        for offset in from..window.file_len.saturating_sub(BLOCK_HEADER_LEN as u64) {
            let header = window.get(offset, BLOCK_HEADER_LEN as u64)?.and_then(parse_header);
            let is_likely = header.is_some_and(|(index_at, len)| {
                len <= RESUMED_BLOCK_MAX && len - index_at as u64 <= RESUMED_INDEX_MAX
            });
            if is_likely && matches!(self.look(window, offset)?, Block::Whole(_)) {
                return Ok(Some(offset));
            }
        }
        Ok(None)
    }
}

/// Whether only zeros follow: room that was allocated and never written.
fn is_blank(window: &mut Window<'_>, from: u64) -> io::Result<bool> {
    let mut offset = from;
    while offset < window.file_len {
        let len = BLANK_BYTES.min(window.file_len - offset);
        if window.get(offset, len)?.is_none_or(|bytes| bytes.iter().any(|&octet| octet != 0)) {
            return Ok(false);
        }
        offset += len;
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
