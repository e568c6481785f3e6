//! Pages on disk: runs of bytes that are written once, found by a reference and read back whole.
//!
//! The page space has no format and no directory of its own. What a page means, and that it is
//! there, stands in the log; whatever the log does not name is free. So nothing can leak, and a
//! start costs no reading here.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::{Disk, Durability, Error, Lsn};
use files::{Files, WriteStretch};
use rooms::Rooms;

mod extents;
mod files;
mod rooms;
#[cfg(test)]
mod tests;

/// The unit of room: what file systems and page caches work in, so that no write has to read.
pub const BLOCK_BYTES: u64 = 4096;
/// Bytes that can be addressed: 16 TiB.
const SPACE_BYTES_MAX: u64 = BLOCK_BYTES << u32::BITS;
/// Free room that is not given back to the file system, because writing it again is many times
/// cheaper than writing a fresh stretch.
pub const FREE_KEPT_MAX: u64 = 256 << 20;
/// Pages shorter than this are put together into one write with their neighbours.
const GATHERED_MAX: usize = 256 << 10;
/// Bytes put together into one write.
const GATHER_BYTES: usize = 1 << 20;
/// Bytes of a page read at once to verify it.
const VERIFY_BYTES: usize = 1 << 20;

/// [`PageDamage::reason`]
const BEHIND_THE_END: &str = "it lies behind the end of the files";
/// [`PageDamage::reason`]
const CHECKSUM_DIFFERS: &str = "the checksum differs";

/// Where a page lies and how to tell that it is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PageRef {
    /// The first block, in units of [`BLOCK_BYTES`] from the beginning of the page space.
    pub block: u32,
    /// Bytes.
    pub len: u32,
    /// CRC-32 of the bytes.
    pub check: u32,
}

impl PageRef {
    fn start(self) -> u64 {
        u64::from(self.block) * BLOCK_BYTES
    }
}

/// A page that cannot be read as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("page of {len} bytes at {offset} in {}: {reason}", .file.display())]
pub struct PageDamage {
    /// The file it begins in.
    pub file: PathBuf,
    /// Where in the file.
    pub offset: u64,
    /// Bytes.
    pub len: u32,
    /// What the system said, or that the checksum differs.
    pub reason: String,
    /// What was written is not there any more. Otherwise the device did not read, which says
    /// nothing of what it holds.
    pub is_lost: bool,
}

/// The pages in one directory.
///
/// Room is reserved first, written later, and given back once the log does not need it any more.
/// Until [`PageStore::finish_recovery`] all room found at the start counts as used.
pub struct PageStore {
    files: Files,
    rooms: Mutex<Rooms>,
    durability: Durability,
}

impl PageStore {
    /// Opens the store in `dir`, made when it is missing, and syncs what a killed process may have
    /// left. Name the pages in use with [`PageStore::mark_used`], then call
    /// [`PageStore::finish_recovery`].
    ///
    /// # Errors
    /// [`Error::Open`] when the directory or a file in it cannot be opened, [`Error::Io`] when it
    /// cannot be synced.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, durability: Durability) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::Open {
            dir: dir.display().to_string(),
            reason: error.to_string(),
        };
        let files = Files::open(disk, dir).map_err(failed)?;
        let store = Self::over(files, durability).map_err(failed)?;
        store.sync()?;
        Ok(store)
    }

    /// Opens the store in `dir` to read it: makes and changes nothing. Pages cannot be written.
    ///
    /// # Errors
    /// [`Error::Open`] when the directory is there and cannot be read, or a file in it.
    pub fn open_to_read(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self, Error> {
        let files = Files::open_to_read(disk, dir);
        files.and_then(|files| Self::over(files, Durability::Os)).map_err(|error| Error::Open {
            dir: dir.display().to_string(),
            reason: error.to_string(),
        })
    }

    fn over(files: Files, durability: Durability) -> std::io::Result<Self> {
        let blocks = files.end()?.div_ceil(BLOCK_BYTES);
        let rooms = Rooms::recovering(u32::try_from(blocks).unwrap_or(u32::MAX));
        Ok(Self { files, rooms: Mutex::new(rooms), durability })
    }

    /// Names a page that is in use: once for each owner, and only before
    /// [`PageStore::finish_recovery`].
    pub fn mark_used(&self, page: PageRef) {
        self.rooms.lock().mark_used(page);
    }

    /// All pages in use have been named: everything else is free. The names must come from records
    /// that survive a power cut, or one could bring back a name whose room is used again.
    pub fn finish_recovery(&self) {
        self.rooms.lock().finish_recovery();
    }

    /// Finds room for a page of these bytes, for one owner. Does no IO; the room takes no space on
    /// the disk before it is written.
    ///
    /// # Panics
    /// For 4 GiB or more.
    pub fn reserve(&self, bytes: &[u8]) -> PageRef {
        let len = u32::try_from(bytes.len()).expect("a page is shorter than 4 GiB");
        let check = crc32fast::hash(bytes);
        self.rooms.lock().reserve(len, check)
    }

    /// Adds an owner to a page: as many releases free it.
    pub fn retain(&self, page: PageRef) {
        self.rooms.lock().retain(page);
    }

    /// Takes an owner away as soon as `after` is durable, the position of the record that stopped
    /// naming the page; with the last owner the room is free. [`Lsn`] 0 for a page no record ever
    /// named.
    pub fn release(&self, page: PageRef, after: Lsn) {
        self.rooms.lock().release(page, after);
    }

    /// Carries out what waits for positions up to `durable`.
    pub fn handle_durable(&self, durable: Lsn) {
        self.rooms.lock().handle_durable(durable);
    }

    /// Writes pages into the room reserved for them. Best in the order of their blocks: neighbours
    /// share a write.
    ///
    /// # Errors
    /// [`Error::Full`] when the disk has no room: write all of them again later, or release them.
    /// Any other error is final: every later write and sync fails, too.
    pub fn write<B: AsRef<[u8]>>(&self, pages: &[(PageRef, B)]) -> Result<(), Error> {
        {
            let rooms = self.rooms.lock();
            if !pages.iter().all(|&(page, _)| rooms.contains(page)) {
                let max = SPACE_BYTES_MAX >> 40;
                return Err(Error::Io(format!(
                    "the pages have used up the {max} TiB there can be"
                )));
            }
        }
        self.files.write(|write| write_all(pages, write))
    }

    /// Carries everything written before the call to the device, if the store was opened for that.
    ///
    /// # Errors
    /// Final: every later write and sync fails, too.
    pub fn sync(&self) -> Result<(), Error> {
        match self.durability {
            Durability::Fsync => self.files.sync(),
            Durability::Os => Ok(()),
        }
    }

    /// Appends a page to `out`; when only the checksum is wrong, what was found in its place.
    ///
    /// # Errors
    /// [`PageDamage`] when it cannot be read or is not what was written.
    pub fn read(&self, page: PageRef, out: &mut Vec<u8>) -> Result<(), PageDamage> {
        if !self.rooms.lock().contains(page) {
            return Err(self.damage(page, BEHIND_THE_END.to_owned()));
        }
        let before = out.len();
        out.resize(before + page.len as usize, 0);
        if let Err(error) = self.files.read(page.start(), &mut out[before..]) {
            out.truncate(before);
            return Err(self.failure_to_read(page, &error));
        }
        match crc32fast::hash(&out[before..]) == page.check {
            true => Ok(()),
            false => Err(self.damage(page, CHECKSUM_DIFFERS.to_owned())),
        }
    }

    /// Reads a page, a part at a time, and says whether it is what was written.
    ///
    /// # Errors
    /// As [`PageStore::read`].
    pub fn verify(&self, page: PageRef) -> Result<(), PageDamage> {
        if !self.rooms.lock().contains(page) {
            return Err(self.damage(page, BEHIND_THE_END.to_owned()));
        }
        let mut hasher = crc32fast::Hasher::new();
        let mut part = vec![0; VERIFY_BYTES.min(page.len as usize)];
        let end = page.start() + u64::from(page.len);
        let mut at = page.start();
        while at < end {
            let len = part.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
            let part = &mut part[..len];
            if let Err(error) = self.files.read(at, part) {
                return Err(self.failure_to_read(page, &error));
            }
            hasher.update(part);
            at += len as u64;
        }
        match hasher.finalize() == page.check {
            true => Ok(()),
            false => Err(self.damage(page, CHECKSUM_DIFFERS.to_owned())),
        }
    }

    fn damage(&self, page: PageRef, reason: String) -> PageDamage {
        let (file, offset) = self.files.place(page.start());
        PageDamage { file, offset, len: page.len, reason, is_lost: true }
    }

    fn failure_to_read(&self, page: PageRef, error: &std::io::Error) -> PageDamage {
        // A file that ends before its page, or is not there, was read: it does not have it.
        let is_lost = matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::NotFound);
        PageDamage { is_lost, ..self.damage(page, error.to_string()) }
    }

    /// Tells that the page will be read soon.
    pub fn will_need(&self, page: PageRef) {
        self.files.will_need(page.start(), page.len);
    }

    /// Gives free room beyond `keep` bytes ([`FREE_KEPT_MAX`]) back to the file system, and cuts
    /// the files behind the last page. May take a while; meant for a thread that may wait.
    ///
    /// # Errors
    /// [`Error::Io`] when the file system refuses. The room can be used all the same.
    pub fn trim(&self, keep: u64) -> Result<(), Error> {
        let failed = |error: std::io::Error| Error::Io(error.to_string());
        let mut is_shorter = false;
        loop {
            let surplus = self.rooms.lock().take_surplus(keep / BLOCK_BYTES);
            let Some(surplus) = surplus else { break };
            let (start, len) = (u64::from(surplus.start), u64::from(surplus.len));
            let punched = self.files.punch_hole(start * BLOCK_BYTES, len * BLOCK_BYTES);
            is_shorter |= self.rooms.lock().handle_bared(surplus);
            punched.map_err(failed)?;
        }
        if is_shorter {
            let end = || u64::from(self.rooms.lock().end()) * BLOCK_BYTES;
            self.files.cut(end).map_err(failed)?;
        }
        Ok(())
    }

    /// Why the store takes no more writes, once it does not. Final.
    #[must_use]
    pub fn failure(&self) -> Option<&Error> {
        self.files.failure()
    }

    /// Bytes that belong to pages, in whole blocks. Until [`PageStore::finish_recovery`] all that
    /// was found.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.rooms.lock().used_blocks() * BLOCK_BYTES
    }

    /// Bytes that belong to no page and still take room on the disk.
    #[must_use]
    pub fn free_bytes(&self) -> u64 {
        self.rooms.lock().kept_blocks() * BLOCK_BYTES
    }
}

/// Writes whole blocks, filled up with zeros, so that the system never has to read the rest of one.
fn write_all<B: AsRef<[u8]>>(
    pages: &[(PageRef, B)],
    write: &mut WriteStretch<'_>,
) -> Result<(), Error> {
    let mut gathered = Vec::new();
    let mut start = 0;
    for (page, bytes) in pages {
        let bytes = bytes.as_ref();
        debug_assert_eq!(bytes.len(), page.len as usize, "what was reserved is written");
        let follows = start + gathered.len() as u64 == page.start();
        let is_large = bytes.len() >= GATHERED_MAX;
        let is_full = gathered.len() + bytes.len() > GATHER_BYTES;
        if !gathered.is_empty() && (!follows || is_large || is_full) {
            write(start, &gathered)?;
            gathered.clear();
        }
        let whole = if is_large { bytes.len() - bytes.len() % BLOCK_BYTES as usize } else { 0 };
        if is_large {
            write(page.start(), &bytes[..whole])?;
        }
        if gathered.is_empty() {
            start = page.start() + whole as u64;
        }
        gathered.extend_from_slice(&bytes[whole..]);
        gathered.resize(gathered.len().next_multiple_of(BLOCK_BYTES as usize), 0);
    }
    match gathered.is_empty() {
        true => Ok(()),
        false => write(start, &gathered),
    }
}
