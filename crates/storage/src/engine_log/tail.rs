//! Cuts what a power cut tore, before the engine looks.
//!
//! The engine's recovery checks the index that ends each block but not the entries in front of it.
//! A power cut may keep the former and lose the latter (pages reach the device in any order), and
//! the entries would then fail to read much later. So the last file of each queue is walked here
//! once, entries included, and cut at the first block that is not whole.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::files;

mod inspect;

pub use inspect::{LogFault, LogInspection, inspect};

/// Magic text, format version, alignment.
const FILE_HEADER_LEN: u64 = 53 + 8 + 8;
/// Length and kind, offset of the index.
const BLOCK_HEADER_LEN: usize = 16;
/// Checksum that ends the entries and the index of a block.
const CHECKSUM_LEN: usize = 4;
/// Largest block that is read in one piece. Longer ones are left to the engine: the longest write
/// of ours is far shorter (a segment, or one entry).
const BLOCK_BYTES_MAX: u64 = 1 << 30;
/// Bytes read at once.
const WINDOW_BYTES: u64 = 1 << 20;

/// Cuts the torn tail of the last file of each queue in `dir`; a missing directory has none.
pub(super) fn cut_torn(dir: &Path) -> io::Result<()> {
    for suffix in [files::APPENDED, files::REWRITTEN] {
        let Some((sequence, path)) = files::list(dir, suffix)?.pop() else { continue };
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        if let Some(offset) = first_torn(&file, sequence)? {
            tracing::warn!(
                file = %path.display(),
                offset,
                "cut the torn tail of the log: what follows was never synced"
            );
            file.set_len(offset)?;
            file.sync_all()?;
        }
    }
    Ok(())
}

/// Where the first block begins whose index is whole and whose entries are not. A block whose
/// index is damaged as well ends the walk: the engine itself cuts there.
fn first_torn(file: &File, sequence: u64) -> io::Result<Option<u64>> {
    let mut window = Window { file, file_len: file.metadata()?.len(), start: 0, bytes: Vec::new() };
    let mut offset = FILE_HEADER_LEN;
    while let Some(header) = window.get(offset, BLOCK_HEADER_LEN as u64)? {
        let Some((index_at, len)) = parse_header(header) else { return Ok(None) };
        let Some(block) = window.get(offset, len)? else { return Ok(None) };
        let (entries, index) = block.split_at(index_at);
        // Blocks are signed with their file's number, or a reused file's old ones would pass.
        if !is_whole(index, sequence as u32) {
            return Ok(None);
        }
        let entries = &entries[BLOCK_HEADER_LEN..];
        if !entries.is_empty() && !is_whole(entries, 0) {
            return Ok(Some(offset));
        }
        offset += len;
    }
    Ok(None)
}

/// A stretch of the file in memory.
struct Window<'a> {
    file: &'a File,
    file_len: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// The bytes at `offset`; `None` when the file ends before, or for more than any block of ours.
    fn get(&mut self, offset: u64, len: u64) -> io::Result<Option<&[u8]>> {
        let Some(end) = offset.checked_add(len) else { return Ok(None) };
        if len > BLOCK_BYTES_MAX || end > self.file_len {
            return Ok(None);
        }
        if offset < self.start || end > self.start + self.bytes.len() as u64 {
            let fill = len.max(WINDOW_BYTES).min(self.file_len - offset);
            self.bytes.resize(usize::try_from(fill).map_err(io::Error::other)?, 0);
            self.start = offset;
            self.file.read_exact_at(&mut self.bytes, offset)?;
        }
        let from = usize::try_from(offset - self.start).map_err(io::Error::other)?;
        let len = usize::try_from(len).map_err(io::Error::other)?;
        Ok(self.bytes.get(from..from + len))
    }
}

/// Offset of the index inside the block, and the block's length.
fn parse_header(header: &[u8]) -> Option<(usize, u64)> {
    let (len, index_at) = header.split_first_chunk::<8>()?;
    let len = u64::from_be_bytes(*len) >> 8;
    let index_at = u64::from_be_bytes(*index_at.first_chunk::<8>()?);
    let is_sane = BLOCK_HEADER_LEN as u64 <= index_at && index_at < len;
    is_sane.then_some((usize::try_from(index_at).ok()?, len))
}

fn is_whole(bytes: &[u8], signature: u32) -> bool {
    let Some((content, checksum)) = bytes.split_last_chunk::<CHECKSUM_LEN>() else { return false };
    crc32fast::hash(content) == u32::from_le_bytes(*checksum) ^ signature
}
