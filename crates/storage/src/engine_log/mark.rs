//! What each block of a log begins with.
//!
//! Payloads are what clients chose. A scan that has lost its way must not take a block in one of
//! them for a block of the log, so a log's blocks begin with a number of its own that nobody can
//! guess. It stands in a file beside the log's, in copies far enough apart that damage to one
//! leaves the others.

use std::io;
use std::path::Path;

use super::files::{self, Listing};
use crate::{Disk, DiskFile, Open};

/// Bytes of a mark.
pub(super) const MARK_LEN: usize = 8;
/// Where the copies lie: each in a sector and a page of its own.
const COPIES: [u64; 3] = [0, 4096, 8192];

/// A log's own number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark(pub(super) [u8; MARK_LEN]);

impl Mark {
    /// The mark of the log that `listing` shows; drawn when there is none yet.
    pub(super) fn open(disk: &dyn Disk, dir: &Path, listing: &Listing) -> io::Result<Self> {
        if listing.is_empty() {
            return Self::draw(disk, dir);
        }
        Self::read(disk, dir)
    }

    /// The mark of a log that is there.
    pub(super) fn read(disk: &dyn Disk, dir: &Path) -> io::Result<Self> {
        let path = files::mark_path(dir);
        let without = |what: &str| {
            let path = path.display();
            let hint =
                "without it the log cannot be read; put it back from any copy of the directory";
            io::Error::other(format!("{path}: {what}; {hint}"))
        };
        let file = disk.open(&path, Open::Read).map_err(|error| without(&error.to_string()))?;
        let mut copies = COPIES.iter().filter_map(|&at| read_copy(&*file, at));
        copies.next().ok_or_else(|| without("it is damaged"))
    }

    /// Under another name first, and durable before the first block is written.
    fn draw(disk: &dyn Disk, dir: &Path) -> io::Result<Self> {
        let mark = Self(disk.draw_secret()?.to_le_bytes());
        let (path, unfinished) = (files::mark_path(dir), files::new_mark_path(dir));
        let file = disk.open(&unfinished, Open::CreateEmpty)?;
        for at in COPIES {
            file.write_at(at, &mark.0)?;
            file.write_at(at + MARK_LEN as u64, &crc32fast::hash(&mark.0).to_le_bytes())?;
        }
        file.sync()?;
        disk.rename(&unfinished, &path)?;
        disk.sync_dir(dir)?;
        Ok(mark)
    }
}

fn read_copy(file: &dyn DiskFile, at: u64) -> Option<Mark> {
    let mut mark = Mark::default();
    let mut check = [0; 4];
    file.read_exact_at(at, &mut mark.0).ok()?;
    file.read_exact_at(at + MARK_LEN as u64, &mut check).ok()?;
    (crc32fast::hash(&mark.0) == u32::from_le_bytes(check)).then_some(mark)
}
