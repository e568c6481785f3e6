//! The page space: an array of bytes, cut into files of the same size.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, RwLock};

use crate::disk::is_full;
use crate::{Disk, DiskFile, Error, Open};

/// Bytes of a file. Large enough that a terabyte is a thousand of them, small enough that a file
/// comes to lie behind the last page now and then and goes as a whole.
pub(super) const FILE_BYTES: u64 = 1 << 30;
/// How the files' names end, behind their numbers.
const SUFFIX: &str = ".pages";

/// Writes a stretch, given by where it begins.
pub(super) type WriteStretch<'a> = dyn FnMut(u64, &[u8]) -> Result<(), Error> + 'a;

/// The part of a stretch that lies in one file.
struct Part {
    number: u32,
    /// Where it begins in the file.
    offset: u64,
    /// Which of the stretch's bytes it is.
    range: Range<usize>,
}

/// Splits a stretch at the borders of files.
fn parts(start: u64, len: usize) -> impl Iterator<Item = Part> {
    let mut done = 0;
    std::iter::from_fn(move || {
        (done < len).then(|| {
            let at = start + done as u64;
            let offset = at % FILE_BYTES;
            let fits = usize::try_from(FILE_BYTES - offset).unwrap_or(usize::MAX);
            let range = done..done + fits.min(len - done);
            done = range.end;
            let number = u32::try_from(at / FILE_BYTES).expect("blocks have 32-bit numbers");
            Part { number, offset, range }
        })
    })
}

/// What a sync has to carry to the device.
#[derive(Debug, Default)]
struct Unsynced {
    files: BTreeSet<u32>,
    /// Files were made or removed.
    names: bool,
}

/// The files of the page space. Calls that write may run at the same time.
pub(super) struct Files {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    open: RwLock<BTreeMap<u32, Arc<dyn DiskFile>>>,
    /// Writes share it, so that whoever has it alone knows what cutting a file loses.
    writes: RwLock<()>,
    unsynced: Mutex<Unsynced>,
    /// Held while syncing: a sync that finds nothing to do must not return before the one that
    /// took its work away.
    syncing: Mutex<()>,
    failure: OnceLock<Error>,
}

impl Files {
    /// Opens the files in `dir`, made when it is missing. None of them counts as synced.
    pub(super) fn open(disk: Arc<dyn Disk>, dir: &Path) -> io::Result<Self> {
        disk.create_dir(dir)?;
        let mut open = BTreeMap::new();
        for name in disk.list(dir)? {
            let Some(number) = number_of(&name) else { continue };
            open.insert(number, disk.open(&dir.join(&name), Open::Write)?);
        }
        if open.is_empty() {
            // It may have just been made.
            let parent = dir.parent().filter(|parent| *parent != Path::new(""));
            disk.sync_dir(parent.unwrap_or(Path::new(".")))?;
        }
        // A server that was killed may have left anything, the files' names included.
        let unsynced = Unsynced { files: open.keys().copied().collect(), names: !open.is_empty() };
        Ok(Self::new(disk, dir, open, unsynced))
    }

    /// Opens the files in `dir`, if there is one, to read them. Makes and changes nothing.
    pub(super) fn open_to_read(disk: Arc<dyn Disk>, dir: &Path) -> io::Result<Self> {
        let names = match disk.list(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            names => names?,
        };
        let mut open = BTreeMap::new();
        for name in names {
            let Some(number) = number_of(&name) else { continue };
            open.insert(number, disk.open(&dir.join(&name), Open::Read)?);
        }
        Ok(Self::new(disk, dir, open, Unsynced::default()))
    }

    fn new(
        disk: Arc<dyn Disk>,
        dir: &Path,
        open: BTreeMap<u32, Arc<dyn DiskFile>>,
        unsynced: Unsynced,
    ) -> Self {
        Self {
            disk,
            dir: dir.to_owned(),
            open: RwLock::new(open),
            writes: RwLock::default(),
            unsynced: Mutex::new(unsynced),
            syncing: Mutex::default(),
            failure: OnceLock::new(),
        }
    }

    /// Bytes up to the end of the last file.
    pub(super) fn end(&self) -> io::Result<u64> {
        match self.open.read().last_key_value() {
            Some((&number, file)) => Ok(u64::from(number) * FILE_BYTES + file.len()?),
            None => Ok(0),
        }
    }

    /// Where a byte of the space lies: file and offset.
    pub(super) fn place(&self, at: u64) -> (PathBuf, u64) {
        (
            self.dir.join(name_of(u32::try_from(at / FILE_BYTES).unwrap_or(u32::MAX))),
            at % FILE_BYTES,
        )
    }

    /// Fills `out` from `start` on.
    pub(super) fn read(&self, start: u64, out: &mut [u8]) -> io::Result<()> {
        for Part { number, offset, range } in parts(start, out.len()) {
            let file = self.open.read().get(&number).cloned();
            let file = file.ok_or(io::ErrorKind::NotFound)?;
            file.read_exact_at(offset, &mut out[range])?;
        }
        Ok(())
    }

    pub(super) fn will_need(&self, start: u64, len: u32) {
        for Part { number, offset, range } in parts(start, len as usize) {
            if let Some(file) = self.open.read().get(&number) {
                file.will_need(offset, range.len() as u64);
            }
        }
    }

    /// Writes what `each` hands out.
    ///
    /// # Errors
    /// [`Error::Full`]: any part of them may be written, and all can be written again. Other errors
    /// are final.
    pub(super) fn write(
        &self,
        each: impl FnOnce(&mut WriteStretch<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.check()?;
        let _shared = self.writes.read();
        each(&mut |start, bytes| {
            for Part { number, offset, range } in parts(start, bytes.len()) {
                self.writable(number)
                    .and_then(|file| file.write_at(offset, &bytes[range]))
                    .map_err(|error| self.failed(&error))?;
                // Not before: a sync in between would take it away and not carry this write.
                self.unsynced.lock().files.insert(number);
            }
            Ok(())
        })
    }

    /// The file, made when it is missing.
    fn writable(&self, number: u32) -> io::Result<Arc<dyn DiskFile>> {
        if let Some(file) = self.open.read().get(&number) {
            return Ok(Arc::clone(file));
        }
        let mut open = self.open.write();
        if let Some(file) = open.get(&number) {
            return Ok(Arc::clone(file));
        }
        let file = self.disk.open(&self.dir.join(name_of(number)), Open::Create)?;
        self.unsynced.lock().names = true;
        open.insert(number, Arc::clone(&file));
        Ok(file)
    }

    /// Carries everything written before the call to the device.
    ///
    /// # Errors
    /// Final: nobody knows what the device holds.
    pub(super) fn sync(&self) -> Result<(), Error> {
        let _alone = self.syncing.lock();
        self.check()?;
        let Unsynced { files, names } = std::mem::take(&mut *self.unsynced.lock());
        for number in files {
            let file = self.open.read().get(&number).cloned();
            if let Some(file) = file {
                file.sync().map_err(|error| self.fail(&error))?;
            }
        }
        if names {
            self.disk.sync_dir(&self.dir).map_err(|error| self.fail(&error))?;
        }
        Ok(())
    }

    /// Gives the room of a stretch back to the file system.
    pub(super) fn punch_hole(&self, start: u64, len: u64) -> io::Result<()> {
        for Part { number, offset, range } in
            parts(start, usize::try_from(len).unwrap_or(usize::MAX))
        {
            let file = self.open.read().get(&number).cloned();
            if let Some(file) = file {
                file.punch_hole(offset, range.len() as u64)?;
            }
        }
        Ok(())
    }

    /// Cuts everything off from `end()` on, which is asked while nobody writes.
    pub(super) fn cut(&self, end: impl FnOnce() -> u64) -> io::Result<()> {
        let _alone = self.writes.write();
        let end = end();
        let mut open = self.open.write();
        while let Some((&number, file)) = open.last_key_value() {
            let start = u64::from(number) * FILE_BYTES;
            if start < end {
                if file.len()? > end - start {
                    file.set_len(end - start)?;
                }
                break;
            }
            self.disk.remove(&self.dir.join(name_of(number)))?;
            self.unsynced.lock().names = true;
            open.remove(&number);
        }
        Ok(())
    }

    /// Why the files take no more writes, once they do not.
    pub(super) fn failure(&self) -> Option<&Error> {
        self.failure.get()
    }

    fn check(&self) -> Result<(), Error> {
        self.failure().cloned().map_or(Ok(()), Err)
    }

    fn failed(&self, error: &io::Error) -> Error {
        if is_full(error) { Error::Full(error.to_string()) } else { self.fail(error) }
    }

    fn fail(&self, error: &io::Error) -> Error {
        self.failure.get_or_init(|| Error::Io(error.to_string())).clone()
    }
}

fn name_of(number: u32) -> String {
    format!("{number:08}{SUFFIX}")
}

/// The number in a file's name; `None` for files that are not ours.
fn number_of(name: &str) -> Option<u32> {
    let number = name.strip_suffix(SUFFIX)?.parse().ok()?;
    (name_of(number) == name && u64::from(number) < super::SPACE_BYTES_MAX / FILE_BYTES)
        .then_some(number)
}
