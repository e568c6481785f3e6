//! What a log's files amount to: which belong to it, where it ends, what is damaged.
//!
//! Each block says up to which number everything was on stable storage when it was written. That
//! tells damage from what a power cut leaves: what is broken below the highest such number had been
//! synced, so it is damage, and what follows is kept; from that number on, the log ends at the first
//! thing that is not whole, even if whole blocks follow: they reached the device before their turn.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::block::{Header, Steps};
use super::files::{self, Listing};
use super::index::Index;
use super::mark::Mark;
use super::scan::{Block, Scan, Sought, Stretch, scan};
use crate::{Disk, DiskFile, Open};

/// Damage found in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// Where the damaged stretch begins, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub len: u64,
    /// What it is.
    pub what: Damaged,
}

/// A kind of [`Damage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damaged {
    /// One entry does not match its checksum: reading it fails, nothing else.
    Entry,
    /// Bytes that are no block: the entries of one or more are lost.
    Block,
    /// Nothing is where blocks were: the file is shorter than it was.
    MissingBlocks,
    /// A file between others is gone.
    MissingFile,
    /// The device does not read what may be a block. A log is not opened while there is any of
    /// this: nothing is given up for what may come back.
    Unread,
    /// The device does not read one entry, or all of it. That is no matter if the entry is not needed
    /// any more, and as [`Damaged::Unread`] if it is.
    UnreadEntry,
    /// What follows the log's last whole block is cut off: a write that was never synced, as a
    /// power cut leaves it, or damage to the last one.
    Tail {
        /// Whole blocks in it. A power cut leaves some only behind writes that nobody waited for; so
        /// it is more likely that a block in front of them is damaged.
        blocks: usize,
    },
}

impl fmt::Display for Damaged {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Tail { blocks: blocks @ 1.. } = self {
            return write!(
                out,
                "a block cannot be read, and {blocks} whole ones that follow are cut off"
            );
        }
        out.write_str(match self {
            Self::Entry => "an entry does not match its checksum",
            Self::Block => "a block cannot be read",
            Self::MissingBlocks => "blocks are missing",
            Self::MissingFile => "the file is missing",
            Self::Unread => "the device does not read it",
            Self::UnreadEntry => "the device does not read an entry",
            Self::Tail { .. } => "what follows the last whole block is torn",
        })
    }
}

/// A file of the log and what is in it.
pub(super) struct Found {
    pub(super) number: u32,
    pub(super) handle: Arc<dyn DiskFile>,
    pub(super) scan: Scan,
}

/// A log as its files have it. Nothing is changed for it.
pub(super) struct Recovery {
    /// What the log's blocks begin with.
    pub(super) mark: Mark,
    /// The files that the log consists of, oldest first.
    pub(super) files: Vec<Found>,
    /// The oldest file that the log may need.
    pub(super) first_file: u32,
    /// Numbers of older ones: freed, and not renamed or removed for good.
    pub(super) leftovers: Vec<u32>,
    pub(super) spares: Vec<u32>,
    /// Where the last file is to be cut.
    pub(super) cut: Option<u64>,
    /// Whole blocks behind that.
    blocks_cut: usize,
    /// Blocks below this number are known to be on stable storage.
    synced: u64,
    /// The number of the next block.
    pub(super) next_number: u64,
    /// In the order of files and offsets.
    pub(super) damage: Vec<Damage>,
}

impl Recovery {
    /// Looks at the files of `listing`, whose blocks begin with `mark`; the last one is opened to be written to if `is_to_go_on`.
    /// `progress` is told how many bytes of how many were read.
    pub(super) fn read(
        disk: &dyn Disk,
        dir: &Path,
        listing: Listing,
        mark: Mark,
        is_to_go_on: bool,
        progress: &mut dyn FnMut(u64, u64),
    ) -> io::Result<Self> {
        let mut files = open_all(disk, dir, &listing.logs, is_to_go_on)?;
        let (mut done, mut total) = (0, 0);
        for file in &files {
            total += file.handle.len()?;
        }
        let mut number = 0;
        for file in &mut files {
            file.scan = scan(&*file.handle, Sought { mark, file: file.number, number })?;
            let last = file.scan.blocks().next_back();
            number = last.map_or(number, |last| last.header.number + 1);
            done += file.scan.len;
            progress(done, total);
        }
        let headers = |files: &[Found]| -> Vec<Header> {
            files.iter().flat_map(|file| file.scan.blocks()).map(|block| block.header).collect()
        };
        let synced = headers(&files).iter().map(|header| header.synced).max().unwrap_or(0);
        let cut = files.last().and_then(|last| find_cut(&last.scan, synced));
        let mut blocks_cut = 0;
        if let (Some(cut), Some(last)) = (cut, files.last_mut()) {
            let is_cut = |block: &&Block| cut <= block.offset && block.damaged.is_empty();
            blocks_cut = last.scan.blocks().filter(is_cut).count();
            last.scan.cut(cut);
        }
        // Only what counts may tell which files do not.
        let first = listing.logs.first().copied().unwrap_or(0);
        let claims = headers(&files).iter().map(|header| header.first_file).max();
        let first_file = claims.unwrap_or(first);
        let leftovers = listing.logs.into_iter().filter(|&file| file < first_file).collect();
        files.retain(|file| file.number >= first_file);
        let mut found = Self {
            mark,
            files,
            first_file,
            leftovers,
            spares: listing.spares,
            cut,
            blocks_cut,
            synced,
            next_number: 0,
            damage: Vec::new(),
        };
        let last = found.blocks().map(|(_, block)| block.header.number + 1).max();
        found.next_number = last.unwrap_or(1).max(synced);
        found.damage = found.find_damage(dir);
        Ok(found)
    }

    /// The blocks, in order, each with its file.
    fn blocks(&self) -> impl Iterator<Item = (&Found, &Block)> {
        self.files.iter().flat_map(|file| file.scan.blocks().map(move |block| (file, block)))
    }

    /// The highest number that a file has, or that the log begins with.
    pub(super) fn highest_number(&self) -> u32 {
        let last = self.files.last().map(|file| file.number);
        let others = self.leftovers.iter().chain(&self.spares).copied();
        others.chain(last).fold(self.first_file, u32::max)
    }

    /// Where the last file's blocks end.
    pub(super) fn end(&self) -> u64 {
        self.files.last().map_or(0, |file| file.scan.end)
    }

    /// Where the blocks of the last file begin of which nobody knows whether they are on stable
    /// storage, if there are any.
    pub(super) fn unsynced_from(&self) -> Option<u64> {
        let last = self.files.last()?.number;
        let mut blocks = self.blocks().filter(|(file, _)| file.number == last);
        Some(blocks.find(|(_, block)| block.header.number >= self.synced)?.1.offset)
    }

    /// Fills an index.
    pub(super) fn index(&self) -> Index {
        let mut index = Index::default();
        for file in &self.files {
            index.add_file(file.number, Arc::clone(&file.handle));
        }
        for (file, block) in self.blocks() {
            index.apply(Steps::new(&block.steps), file.number, block.offset, block.end);
        }
        index
    }

    /// The first place that the device does not read and that may be needed. `index` is this log's.
    pub(super) fn find_unread(&self, dir: &Path, index: &Index) -> Option<&Damage> {
        let is_needed = |damage: &Damage| {
            let mut files = self.files.iter().map(|file| file.number);
            let file = files.find(|&file| files::log_path(dir, file) == damage.file);
            file.is_none_or(|file| index.needs(file, damage.offset))
        };
        self.damage.iter().find(|damage| match damage.what {
            Damaged::Unread => true,
            Damaged::UnreadEntry => is_needed(damage),
            _ => false,
        })
    }

    fn find_damage(&self, dir: &Path) -> Vec<Damage> {
        let mut damage = Vec::new();
        let mut expected = None;
        let mut next_file = self.first_file;
        for (at, file) in self.files.iter().enumerate() {
            for missing in next_file..file.number {
                let path = files::log_path(dir, missing);
                damage.push(Damage { file: path, offset: 0, len: 0, what: Damaged::MissingFile });
                expected = None;
            }
            next_file = file.number + 1;
            let is_last = at + 1 == self.files.len();
            let path = files::log_path(dir, file.number);
            let mut walk = Walk { path, scan: &file.scan, expected, damage };
            walk.run();
            if is_last && let Some(cut) = self.cut {
                walk.add(cut, file.scan.len, Damaged::Tail { blocks: self.blocks_cut });
            } else if file.scan.is_torn {
                walk.add(file.scan.end, file.scan.len, Damaged::Block);
                walk.expected = None;
            }
            (expected, damage) = (walk.expected, walk.damage);
        }
        damage
    }
}

fn open_all(
    disk: &dyn Disk,
    dir: &Path,
    numbers: &[u32],
    is_to_go_on: bool,
) -> io::Result<Vec<Found>> {
    let mut files = Vec::with_capacity(numbers.len());
    for &number in numbers {
        let is_last = Some(&number) == numbers.last();
        let how = if is_to_go_on && is_last { Open::Write } else { Open::Read };
        let handle = disk.open(&files::log_path(dir, number), how)?;
        files.push(Found { number, handle, scan: Scan::default() });
    }
    Ok(files)
}

/// Where the log ends in its last file, if not where its blocks do.
fn find_cut(scan: &Scan, synced: u64) -> Option<u64> {
    let mut end = 0;
    for block in scan.blocks() {
        // Numbers up to the block's own are lost with the stretch in front of it.
        let is_behind_gap = block.offset > end;
        let is_torn = !block.damaged.is_empty() && block.header.number >= synced;
        if is_behind_gap && block.header.number > synced || is_torn {
            return Some(end);
        }
        end = block.end;
    }
    scan.is_torn.then_some(end)
}

/// The way through one file in search of damage.
struct Walk<'a> {
    path: PathBuf,
    scan: &'a Scan,
    /// The number that the next block should have; `None` when that is not known.
    expected: Option<u64>,
    damage: Vec<Damage>,
}

impl Walk<'_> {
    fn run(&mut self) {
        for stretch in &self.scan.stretches {
            match stretch {
                &Stretch::Broken { offset, end } => {
                    self.add(offset, end, Damaged::Block);
                    self.expected = None;
                }
                Stretch::Block(block) => self.look_at(block),
            }
        }
    }

    fn look_at(&mut self, block: &Block) {
        if self.expected.is_some_and(|expected| expected != block.header.number) {
            self.add(block.offset, block.offset, Damaged::MissingBlocks);
        }
        self.expected = Some(block.header.number + 1);
        for &(offset, len) in &block.damaged {
            self.add(offset, offset + len, Damaged::Entry);
        }
    }

    fn add(&mut self, offset: u64, end: u64, what: Damaged) {
        let file = self.path.clone();
        let what = match what {
            Damaged::Entry if self.scan.is_unread(offset, end) => Damaged::UnreadEntry,
            _ if self.scan.is_unread(offset, end) => Damaged::Unread,
            _ => what,
        };
        self.damage.push(Damage { file, offset, len: end - offset, what });
    }
}
