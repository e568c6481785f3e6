//! Looks at every block of a log without changing anything.

use std::io;
use std::path::Path;

use super::files;
use super::mark::Mark;
use super::recovery::{Damage, Damaged, Recovery};
use crate::Disk;

/// What a look at a log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogInspection {
    /// Files that hold records.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Damage, apart from the tail, if no whole block is in that.
    pub faults: Vec<Damage>,
    /// What follows the last whole block. After a crash that is a write that was never synced;
    /// after a clean stop there should be none.
    pub tails: Vec<Damage>,
}

/// Reads all of the log in `dir`. `progress` is told how many bytes of how many are done.
///
/// # Errors
/// When the directory or a file cannot be read, or is not a log's.
pub fn inspect(
    disk: &dyn Disk,
    dir: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> io::Result<LogInspection> {
    let listing = files::list(disk, dir)?;
    listing.check()?;
    if listing.is_empty() {
        return Ok(LogInspection::default());
    }
    let mark = Mark::read(disk, dir)?;
    let found = Recovery::read(disk, dir, listing, mark, false, progress)?;
    let (tails, faults) = found
        .damage
        .into_iter()
        .partition(|damage| matches!(damage.what, Damaged::Tail { blocks: 0 }));
    Ok(LogInspection {
        files: found.files.len() as u64,
        bytes: found.files.iter().map(|file| file.scan.len).sum(),
        faults,
        tails,
    })
}
