//! The engine's files as a directory listing.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// What is appended.
pub(super) const APPENDED: &str = ".raftlog";
/// What was moved out of old files.
pub(super) const REWRITTEN: &str = ".rewrite";
/// Files kept for reuse.
const RESERVED: &str = ".raftlog.reserved";
/// Digits of the sequence number that begins a file's name.
const SEQUENCE_DIGITS: usize = 16;

/// The files of a kind by sequence number; a missing directory has none.
pub(super) fn list(dir: &Path, suffix: &str) -> io::Result<Vec<(u64, PathBuf)>> {
    let entries = match dir.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(digits) = name.to_str().and_then(|name| name.strip_suffix(suffix)) else {
            continue;
        };
        if digits.len() == SEQUENCE_DIGITS
            && let Ok(sequence) = digits.parse()
        {
            files.push((sequence, entry.path()));
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// The files of a kind that hold records: those in front of a hole in the numbers were kept for
/// reuse when the process was killed.
pub(super) fn live(dir: &Path, suffix: &str) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = list(dir, suffix)?;
    if let Some(hole) = last_hole(&files) {
        files.drain(..=hole);
    }
    Ok(files)
}

/// The last file whose number does not lead up to the next one's.
fn last_hole(files: &[(u64, PathBuf)]) -> Option<usize> {
    files.windows(2).rposition(|pair| pair[0].0 + 1 != pair[1].0)
}

/// Fills the empty directory `shadow` with what opens as the same log: links to the files of `dir`,
/// and copies of the last ones, which opening may cut and write to.
///
/// Only good for an engine that makes no new file: it would take a link for one to reuse.
pub(super) fn shadow(dir: &Path, shadow: &Path) -> io::Result<()> {
    let dir = std::path::absolute(dir)?;
    for suffix in [APPENDED, REWRITTEN] {
        let mut files = live(&dir, suffix)?;
        let last = files.pop();
        let in_shadow =
            |sequence: u64| shadow.join(format!("{sequence:0SEQUENCE_DIGITS$}{suffix}"));
        for (sequence, path) in files {
            std::os::unix::fs::symlink(path, in_shadow(sequence))?;
        }
        if let Some((sequence, path)) = last {
            std::fs::copy(path, in_shadow(sequence))?;
        }
    }
    Ok(())
}

/// Makes a new directory and the files in it survive a power cut: the engine syncs their contents
/// and the names of later files, not the first ones.
pub(super) fn sync_names(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()?;
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Bytes to tell the engine that it may prepare files for, when it shall keep those already in
/// reserve and make no new ones: it compares their number with one and a half times this limit,
/// and removes what is beyond (here at most one file).
pub(super) fn reserved_limit(dir: &Path, file_bytes: u64) -> io::Result<u64> {
    let reserved = list(dir, RESERVED)?.len() as u64;
    Ok((2 * reserved + 1) / 3 * file_bytes)
}

/// Reserves the files that were kept for reuse when the process was killed.
///
/// The engine renames them when it is closed. Otherwise it skips them at the next start, since
/// their numbers do not lead up to the live ones, and would never reuse or remove them.
pub(super) fn reserve_leftovers(dir: &Path) -> io::Result<()> {
    let files = list(dir, APPENDED)?;
    let Some(hole) = last_hole(&files) else { return Ok(()) };
    let free = list(dir, RESERVED)?.last().map_or(1, |(sequence, _)| sequence + 1);
    for (sequence, (_, path)) in (free..).zip(&files[..=hole]) {
        std::fs::rename(path, dir.join(format!("{sequence:0SEQUENCE_DIGITS$}{RESERVED}")))?;
    }
    Ok(())
}
