//! Room set aside for getting out of a full disk.
//!
//! A disk gets room again by writing: that a message was acknowledged has to reach the log before
//! its room is anyone's. So some room is kept in a file of its own and given up when a write finds
//! none. While it is gone the disk counts as full, and nobody should bring in more.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::disk::is_full;
use crate::{Disk, Error, Open};

#[cfg(test)]
mod tests;

/// The part of a small file system that is set aside at most.
const PART_MAX: u64 = 8;

/// Room set aside on a disk.
pub struct Reserve {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    bytes: u64,
    is_there: AtomicBool,
}

impl Reserve {
    /// Sets `bytes` aside in the file `path`, or an eighth of the file system if that is less. When
    /// there is no room for it, it is not there yet.
    pub(crate) fn open(disk: Arc<dyn Disk>, path: &Path, bytes: u64) -> io::Result<Self> {
        let bytes = bytes.min(disk.total_bytes(path.parent().unwrap_or(path))? / PART_MAX);
        let reserve = Self { disk, path: path.to_owned(), bytes, is_there: AtomicBool::new(false) };
        reserve.take();
        Ok(reserve)
    }

    /// How much is set aside.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// False once it was given up, and before there was room for it.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.is_there.load(Ordering::Acquire)
    }

    /// Sets the room aside again, if there is as much. True when it is there afterwards.
    pub(crate) fn take(&self) -> bool {
        if self.is_there() {
            return true;
        }
        let taken = self.disk.open(&self.path, Open::Create);
        let taken = taken.and_then(|file| file.allocate(self.bytes));
        if taken.is_err() {
            // A part of it is none. If it cannot be removed either, it is tried again later.
            let _ = self.disk.remove(&self.path);
        }
        // Where room cannot be set aside at all, only writes tell that there is none.
        let is_there = !taken.is_err_and(|error| is_full(&error));
        self.is_there.store(is_there, Ordering::Release);
        is_there
    }

    /// Lets others have the room; false when there was none left, or it cannot be had.
    pub(crate) fn give_up(&self) -> bool {
        self.is_there.swap(false, Ordering::AcqRel) && self.disk.remove(&self.path).is_ok()
    }

    /// Writes something; when there is no room for it, once more without the reserve.
    pub(crate) fn or_give_up<T>(
        &self,
        mut write: impl FnMut() -> Result<T, Error>,
    ) -> Result<T, Error> {
        match write() {
            Err(Error::Full(_)) if self.give_up() => write(),
            done => done,
        }
    }
}
