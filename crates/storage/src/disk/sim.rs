//! A disk in memory that fails as disks do: power cuts, I/O errors, no room, rotten bits.
//!
//! Pure: what chance decides follows from the seeds. A file is what readers see plus what a power
//! cut would leave of it; so are the names. Directories themselves are durable at once.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{DirLock, Disk, DiskFile, Open};
use chance::Chance;
use content::Content;

mod chance;
mod content;
#[cfg(test)]
mod tests;

/// [`Disk`] in memory. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    chance: Chance,
    /// Apart from the other, so that what fails does not depend on them.
    secrets: Chance,
    /// Grows with every crash: handles of an earlier boot are dead.
    boot: u64,
    files: Vec<Content>,
    /// What a reader sees: name to place in `files`.
    names: BTreeMap<PathBuf, usize>,
    /// What a power cut leaves for sure.
    synced_names: BTreeMap<PathBuf, usize>,
    /// Changes between the two, in order.
    unsynced_names: Vec<NameChange>,
    locked: BTreeSet<PathBuf>,
    /// Bytes for all files together.
    capacity: u64,
    /// Bytes written so far.
    written: u64,
    faults: Faults,
    /// Until it is mended, whatever happens.
    unreadable: Vec<Unreadable>,
}

/// Calls to go until one fails.
#[derive(Clone, Copy, Debug, Default)]
struct Faults {
    write: Option<u64>,
    sync: Option<u64>,
    read: Option<u64>,
}

/// Bytes of a file that the device does not read.
#[derive(Clone, Debug)]
struct Unreadable {
    file: usize,
    bytes: Range<u64>,
}

/// A change of names that no sync of its directory has followed.
#[derive(Clone, Debug)]
enum NameChange {
    Create { path: PathBuf, file: usize },
    Remove { path: PathBuf, file: usize },
    Rename { from: PathBuf, to: PathBuf, file: usize },
}

impl NameChange {
    fn file(&self) -> usize {
        match *self {
            Self::Create { file, .. } | Self::Remove { file, .. } | Self::Rename { file, .. } => {
                file
            }
        }
    }
}

impl SimDisk {
    /// An empty disk without a limit. `seed` decides what failed calls leave behind.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State {
            chance: Chance::new(seed),
            secrets: Chance::new(!seed),
            boot: 0,
            files: Vec::new(),
            names: BTreeMap::new(),
            synced_names: BTreeMap::new(),
            unsynced_names: Vec::new(),
            locked: BTreeSet::new(),
            capacity: u64::MAX,
            written: 0,
            faults: Faults::default(),
            unreadable: Vec::new(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Cuts the power and turns it on again: `seed` chooses one of the images that the cut may
    /// leave. Of what was not synced, each write is kept, lost or torn between sectors of 512
    /// bytes, each change of a length or of a file's name is kept or lost, in any combination. Open handles
    /// are dead; armed faults are gone.
    pub fn power_cut(&self, seed: u64) {
        let state = &mut *self.state.lock();
        let mut chance = Chance::new(seed);
        for file in &mut state.files {
            file.cut_power(&mut chance);
        }
        let mut lost = BTreeSet::new();
        for change in std::mem::take(&mut state.unsynced_names) {
            let file = change.file();
            // What builds on a lost change of the same file is lost as well.
            if !lost.contains(&file) && chance.is(1, 2) {
                apply(&mut state.synced_names, change);
            } else {
                lost.insert(file);
            }
        }
        state.names = state.synced_names.clone();
        state.reboot();
    }

    /// Kills the process: everything written stays, synced or not. Open handles are dead; armed
    /// faults are gone.
    pub fn kill(&self) {
        self.state.lock().reboot();
    }

    /// The `n`th write from now on (from 1) fails, with any part of it written.
    pub fn fail_write(&self, n: u64) {
        self.state.lock().faults.write = Some(n);
    }

    /// The `n`th sync of a file from now on (from 1) fails. What it should have made durable is
    /// durable in any part, and no later sync helps.
    pub fn fail_sync(&self, n: u64) {
        self.state.lock().faults.sync = Some(n);
    }

    /// The `n`th read from now on (from 1) fails.
    pub fn fail_read(&self, n: u64) {
        self.state.lock().faults.read = Some(n);
    }

    /// From now on the device does not read these bytes of a file.
    pub fn make_unreadable(&self, path: &Path, bytes: Range<u64>) {
        let state = &mut *self.state.lock();
        if let Some(&file) = state.names.get(path) {
            state.unreadable.push(Unreadable { file, bytes });
        }
    }

    /// The device reads everything again.
    pub fn mend(&self) {
        self.state.lock().unreadable.clear();
    }

    /// Sets the bytes that all files together may take; below what they take, nothing is lost.
    pub fn set_capacity(&self, bytes: u64) {
        self.state.lock().capacity = bytes;
    }

    /// Bytes that all files together take, in whole pages.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.state.lock().used()
    }

    /// Bytes that were written so far, those that found no room left out.
    #[must_use]
    pub fn written_bytes(&self) -> u64 {
        self.state.lock().written
    }

    /// Flips the bits of `mask` in one byte, for readers and on the medium. Nothing happens past
    /// the end of the file.
    pub fn rot(&self, path: &Path, offset: u64, mask: u8) {
        let state = &mut *self.state.lock();
        if let Some(&file) = state.names.get(path) {
            state.files[file].rot(offset, mask);
        }
    }

    /// The files and their lengths, by name.
    #[must_use]
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        let state = self.state.lock();
        state.names.iter().map(|(path, &file)| (path.clone(), state.files[file].len())).collect()
    }

    /// All bytes of a file; none when it is missing.
    #[must_use]
    pub fn read(&self, path: &Path) -> Vec<u8> {
        let state = self.state.lock();
        let Some(&file) = state.names.get(path) else { return Vec::new() };
        let len = usize::try_from(state.files[file].len()).unwrap_or(usize::MAX);
        let mut bytes = vec![0; len];
        state.files[file].read_at(0, &mut bytes);
        bytes
    }
}

fn apply(names: &mut BTreeMap<PathBuf, usize>, change: NameChange) {
    match change {
        NameChange::Create { path, file } => {
            names.insert(path, file);
        }
        NameChange::Remove { path, .. } => {
            names.remove(&path);
        }
        NameChange::Rename { from, to, file } => {
            names.remove(&from);
            names.insert(to, file);
        }
    }
}

fn is_in(dir: &Path, path: &Path) -> bool {
    path.parent() == Some(dir)
}

fn broken(what: &str) -> io::Error {
    io::Error::other(format!("the device failed a {what}"))
}

/// Counts a call down; true when it is the one to fail.
fn is_due(calls: &mut Option<u64>) -> bool {
    if let Some(left) = calls {
        *left = left.saturating_sub(1);
        if *left == 0 {
            *calls = None;
            return true;
        }
    }
    false
}

impl State {
    fn reboot(&mut self) {
        self.boot += 1;
        self.locked.clear();
        self.faults = Faults::default();
        self.drop_nameless();
    }

    /// Frees what has no name any more, on the disk or after a cut.
    fn drop_nameless(&mut self) {
        let named: BTreeSet<usize> =
            self.names.values().chain(self.synced_names.values()).copied().collect();
        for (at, file) in self.files.iter_mut().enumerate() {
            if !named.contains(&at) {
                *file = Content::default();
            }
        }
    }

    fn used(&self) -> u64 {
        self.names.values().map(|&file| self.files[file].taken()).sum()
    }

    fn room(&self) -> u64 {
        self.capacity.saturating_sub(self.used())
    }

    fn change(&mut self, change: NameChange) {
        apply(&mut self.names, change.clone());
        self.unsynced_names.push(change);
    }

    fn create(&mut self, path: &Path) -> usize {
        let file = self.files.len();
        self.files.push(Content::default());
        self.change(NameChange::Create { path: path.to_owned(), file });
        file
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Disk for SimDisk {
    fn lock_dir(&self, dir: &Path) -> io::Result<DirLock> {
        let mut state = self.state.lock();
        if !state.locked.insert(dir.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Held { disk: self.clone(), dir: dir.to_owned(), boot: state.boot }))
    }

    fn lock_dir_to_read(&self, dir: &Path) -> io::Result<Option<DirLock>> {
        self.lock_dir(dir).map(Some)
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let state = &mut *self.state.lock();
        let found = state.find(path);
        let file = match how {
            Open::Read | Open::Write => found?,
            Open::Create | Open::CreateEmpty => match found {
                Ok(file) => file,
                Err(_) => state.create(path),
            },
        };
        if how == Open::CreateEmpty {
            state.files[file].set_len(0);
        }
        let is_writable = how != Open::Read;
        Ok(Arc::new(SimFile { disk: self.clone(), file, boot: state.boot, is_writable }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state.lock();
        Ok(state
            .names
            .keys()
            .filter(|path| is_in(dir, path))
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect())
    }

    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        // A directory is there as soon as something is in it.
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let state = &mut *self.state.lock();
        let file = state.find(from)?;
        state.change(NameChange::Rename { from: from.to_owned(), to: to.to_owned(), file });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let state = &mut *self.state.lock();
        let file = state.find(path)?;
        state.change(NameChange::Remove { path: path.to_owned(), file });
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let state = &mut *self.state.lock();
        for change in std::mem::take(&mut state.unsynced_names) {
            let path = match &change {
                NameChange::Create { path, .. } | NameChange::Remove { path, .. } => path,
                NameChange::Rename { to, .. } => to,
            };
            if is_in(dir, path) {
                apply(&mut state.synced_names, change);
            } else {
                state.unsynced_names.push(change);
            }
        }
        Ok(())
    }

    fn draw_secret(&self) -> io::Result<u64> {
        Ok(self.state.lock().secrets.below(u64::MAX))
    }

    fn total_bytes(&self, _path: &Path) -> io::Result<u64> {
        Ok(self.state.lock().capacity)
    }
}

/// A directory taken.
struct Held {
    disk: SimDisk,
    dir: PathBuf,
    boot: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.disk.state.lock();
        if state.boot == self.boot {
            state.locked.remove(&self.dir);
        }
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    file: usize,
    boot: u64,
    is_writable: bool,
}

impl SimFile {
    fn with<T>(&self, call: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let state = &mut *self.disk.state.lock();
        if state.boot != self.boot {
            return Err(io::Error::other("the machine went down since this file was opened"));
        }
        call(state)
    }

    fn with_writable<T>(&self, call: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        if !self.is_writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.with(call)
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.with(|state| {
            let end = offset + buf.len() as u64;
            let is_in = |it: &Unreadable| {
                it.file == self.file && it.bytes.start < end && offset < it.bytes.end
            };
            if is_due(&mut state.faults.read) || state.unreadable.iter().any(is_in) {
                return Err(broken("read"));
            }
            Ok(state.files[self.file].read_at(offset, buf))
        })
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.with_writable(|state| {
            if is_due(&mut state.faults.write) {
                let part = state.chance.below(bytes.len() as u64 + 1);
                state.files[self.file].write_at(offset, &bytes[..part as usize]);
                return Err(broken("write"));
            }
            let room = state.room();
            let content = &mut state.files[self.file];
            let fitting = content.fitting(offset, bytes.len(), room);
            content.write_at(offset, &bytes[..fitting]);
            state.written += fitting as u64;
            if fitting == bytes.len() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.with(|state| {
            let content = &mut state.files[self.file];
            if is_due(&mut state.faults.sync) {
                content.sync_partly(&mut state.chance);
                return Err(broken("sync"));
            }
            content.sync();
            Ok(())
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.with(|state| Ok(state.files[self.file].len()))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with_writable(|state| {
            state.files[self.file].set_len(len);
            Ok(())
        })
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.with_writable(|state| {
            let room = state.room();
            let content = &mut state.files[self.file];
            if content.missing(0, len) > room {
                return Err(io::ErrorKind::StorageFull.into());
            }
            content.allocate(len);
            Ok(())
        })
    }

    fn punch_hole(&self, offset: u64, len: u64) -> io::Result<()> {
        self.with_writable(|state| {
            state.files[self.file].punch_hole(offset, len);
            Ok(())
        })
    }

    fn will_need(&self, _offset: u64, _len: u64) {}
}
