//! The log's files as a directory listing.

use std::io;
use std::path::{Path, PathBuf};

use crate::Disk;

/// Digits of the number that begins a file's name.
const DIGITS: usize = 10;
/// What files of the log end in.
const LOG: &str = ".log";
/// What files kept for reuse end in.
const SPARE: &str = ".spare";
/// What the files of another format ended in.
const FOREIGN: &str = ".raftlog";
/// What blocks begin with, see [`super::mark`].
const MARK: &str = "mark";
/// Room that is set aside for what makes room.
const BALLAST: &str = "ballast";
/// Room that is set aside for anything.
const RESERVE: &str = "reserve";

pub(super) fn log_path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:0DIGITS$}{LOG}"))
}

pub(super) fn spare_path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:0DIGITS$}{SPARE}"))
}

pub(super) fn mark_path(dir: &Path) -> PathBuf {
    dir.join(MARK)
}

pub(super) fn new_mark_path(dir: &Path) -> PathBuf {
    dir.join(MARK).with_extension("new")
}

pub(super) fn ballast_path(dir: &Path) -> PathBuf {
    dir.join(BALLAST)
}

pub(super) fn reserve_path(dir: &Path) -> PathBuf {
    dir.join(RESERVE)
}

/// The files in a directory.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Numbers of the log's files, ascending.
    pub(super) logs: Vec<u32>,
    /// Numbers of those kept for reuse.
    pub(super) spares: Vec<u32>,
    /// Whether there are files of a format that this log does not read.
    is_foreign: bool,
}

impl Listing {
    /// Refuses a directory that another format is in.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.is_foreign {
            return Err(io::Error::other("its files are of a format that is not read any more"));
        }
        Ok(())
    }

    /// Whether no log is here yet.
    pub(super) fn is_empty(&self) -> bool {
        self.logs.is_empty() && self.spares.is_empty()
    }
}

/// Looks at a directory; a missing one is empty.
pub(super) fn list(disk: &dyn Disk, dir: &Path) -> io::Result<Listing> {
    let mut found = Listing::default();
    for name in disk.list(dir)? {
        let number = |suffix| {
            let digits = name.strip_suffix(suffix).filter(|digits: &&str| digits.len() == DIGITS);
            digits?.parse().ok().filter(|&number| number > 0)
        };
        if let Some(number) = number(LOG) {
            found.logs.push(number);
        } else if let Some(number) = number(SPARE) {
            found.spares.push(number);
        }
        found.is_foreign |= name.ends_with(FOREIGN);
    }
    found.logs.sort_unstable();
    found.spares.sort_unstable();
    Ok(found)
}
