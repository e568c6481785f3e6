//! The seam to the file system: everything in this crate that touches a file does it through here,
//! so that tests and simulations can own the disk.
//!
//! Only what the engines need: whole-directory listings, positioned reads and writes, syncs. What a
//! power cut may do to unsynced writes and names is the implementation's to show.

use std::any::Any;
use std::io;
use std::path::Path;
use std::sync::Arc;

mod real;
mod shadow;
mod sim;

pub use real::RealDisk;
pub use shadow::ShadowDisk;
pub use sim::SimDisk;

/// How [`Disk::open`] opens a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// An existing file, to read.
    Read,
    /// An existing file, to read and write.
    Write,
    /// To read and write; made when it is missing, left as it is otherwise.
    Create,
    /// To read and write; made or emptied.
    CreateEmpty,
}

/// Holds a directory for its owner until it is dropped.
pub type DirLock = Box<dyn Any + Send + Sync>;

/// A file system. Paths are taken as they are given.
pub trait Disk: Send + Sync {
    /// Takes a directory for one owner at a time, also against other processes. The process's end
    /// gives it back.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when somebody has it.
    fn lock_dir(&self, dir: &Path) -> io::Result<DirLock>;

    /// As [`Disk::lock_dir`], for who only looks: makes nothing. `None` when nobody ever took the
    /// directory.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when somebody has it.
    fn lock_dir_to_read(&self, dir: &Path) -> io::Result<Option<DirLock>>;

    /// Opens a file.
    ///
    /// # Errors
    /// What the system says, [`io::ErrorKind::NotFound`] when there is none to open.
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>>;

    /// Names in a directory, in no order. A missing directory has none.
    ///
    /// # Errors
    /// What the system says.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Makes a directory and its parents, which survive a power cut then; fine when it is there.
    ///
    /// # Errors
    /// What the system says.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Renames a file, over another one if need be. Durable once the directory is synced.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Durable once the directory is synced.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory survive a power cut.
    ///
    /// # Errors
    /// What the system says.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// A number that nobody can guess.
    ///
    /// # Errors
    /// What the system says.
    fn draw_secret(&self) -> io::Result<u64>;

    /// Bytes that the file system of `path` can hold.
    ///
    /// # Errors
    /// What the system says.
    fn total_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// Whether a call failed for want of room: there is some later, and the call can be repeated. A
/// quota is as good as a full disk.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// An open file. Positioned calls only: it may be shared among threads.
#[expect(clippy::len_without_is_empty, reason = "a length that may fail has no is_empty")]
pub trait DiskFile: Send + Sync {
    /// Reads at `offset`; returns how many bytes, fewer than asked at the end of the file.
    ///
    /// # Errors
    /// What the system says.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`. After an error any part of them may have been written.
    ///
    /// # Errors
    /// What the system says, [`io::ErrorKind::StorageFull`] or [`io::ErrorKind::QuotaExceeded`]
    /// when there is no room.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything written so far survive a power cut (`fdatasync`). After an error nobody
    /// knows what the device holds.
    ///
    /// # Errors
    /// What the system says.
    fn sync(&self) -> io::Result<()>;

    /// Bytes in the file.
    ///
    /// # Errors
    /// What the system says.
    fn len(&self) -> io::Result<u64>;

    /// Cuts the file, or extends it with zeros that take no room.
    ///
    /// # Errors
    /// What the system says.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Takes room for the first `len` bytes, and extends the file with zeros to at least that.
    /// Only extends it where the file system cannot.
    ///
    /// # Errors
    /// What the system says, [`io::ErrorKind::StorageFull`] when there is no room.
    fn allocate(&self, len: u64) -> io::Result<()>;

    /// Gives the room of a stretch back to the file system: it reads as zeros from now on. Does
    /// nothing where the file system cannot.
    ///
    /// # Errors
    /// What the system says.
    fn punch_hole(&self, offset: u64, len: u64) -> io::Result<()>;

    /// Tells that a stretch will be read soon. A hint: never fails.
    fn will_need(&self, offset: u64, len: u64);

    /// Reads exactly `buf` at `offset`.
    ///
    /// # Errors
    /// As [`DiskFile::read_at`], [`io::ErrorKind::UnexpectedEof`] when the file ends before.
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let mut done = 0;
        while done < buf.len() {
            match self.read_at(offset + done as u64, &mut buf[done..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
