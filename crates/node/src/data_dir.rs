//! The data directory: a format version, a lock, a mark of a clean stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use storage::{DirLock, Disk, Open};

/// What this version writes and reads. A directory with a larger number was written by a newer one.
pub(crate) const FORMAT_VERSION: u32 = 3;

const VERSION_FILE: &str = "format-version";
const CLEAN_FILE: &str = "stopped-cleanly";
const LOG_DIR: &str = "log";
const PAGES_DIR: &str = "pages";

/// Bytes of a file of ours that are worth reading.
const SMALL_FILE_MAX: u64 = 4096;

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// It cannot be made, read or written.
    #[error("cannot use data directory {path}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another server runs on it.
    #[error("data directory {0} is in use by another server")]
    InUse(PathBuf),
    /// A newer server wrote it.
    #[error(
        "data directory {path} has format version {found}, this server knows up to {FORMAT_VERSION}"
    )]
    Newer {
        /// The directory.
        path: PathBuf,
        /// The version found.
        found: u32,
    },
    /// A server from before the first release wrote it.
    #[error(
        "data directory {path} has format version {found}, which this server does not read any \
         more: it reads {FORMAT_VERSION}"
    )]
    Older {
        /// The directory.
        path: PathBuf,
        /// The version found.
        found: u32,
    },
    /// There is no data directory.
    #[error("{0} is no data directory")]
    Missing(PathBuf),
    /// The version file is not one of ours.
    #[error("data directory {0} holds a damaged {VERSION_FILE} file")]
    Damaged(PathBuf),
}

/// A locked data directory.
pub(crate) struct DataDir {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Given back however the process ends. None for who only looks at what nobody ever locked.
    _lock: Option<DirLock>,
}

impl DataDir {
    /// Makes the directory if it is missing, locks it and checks its version.
    pub(crate) fn open(disk: Arc<dyn Disk>, path: &Path) -> Result<Self, DataDirError> {
        let io = |source| DataDirError::Io { path: path.to_owned(), source };
        disk.create_dir(path).map_err(io)?;
        let lock = disk.lock_dir(path).map_err(|error| lock_failed(path, error))?;
        let dir = Self { disk, path: path.to_owned(), _lock: Some(lock) };
        dir.check_version()?;
        Ok(dir)
    }

    /// Locks a directory that some server has used, to look at it: makes and changes nothing.
    pub(crate) fn open_existing(disk: Arc<dyn Disk>, path: &Path) -> Result<Self, DataDirError> {
        let version = disk.open(&path.join(VERSION_FILE), Open::Read);
        if version.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Err(DataDirError::Missing(path.to_owned()));
        }
        let lock = disk.lock_dir_to_read(path).map_err(|error| lock_failed(path, error))?;
        let dir = Self { disk, path: path.to_owned(), _lock: lock };
        dir.check_version()?;
        Ok(dir)
    }

    /// Whether the last server stopped cleanly, for who only looks.
    pub(crate) fn has_clean_mark(&self) -> io::Result<bool> {
        self.read(CLEAN_FILE).map(|mark| mark.is_some())
    }

    fn check_version(&self) -> Result<(), DataDirError> {
        let io = |error| self.failed(error);
        let Some(text) = self.read(VERSION_FILE).map_err(io)? else {
            return self.write_durably(VERSION_FILE, &format!("{FORMAT_VERSION}\n")).map_err(io);
        };
        let found = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
        let found: u32 = found.ok_or_else(|| DataDirError::Damaged(self.path.clone()))?;
        if found > FORMAT_VERSION {
            return Err(DataDirError::Newer { path: self.path.clone(), found });
        }
        if found < FORMAT_VERSION {
            return Err(DataDirError::Older { path: self.path.clone(), found });
        }
        Ok(())
    }

    /// Where the log lives.
    pub(crate) fn log_dir(&self) -> PathBuf {
        self.path.join(LOG_DIR)
    }

    /// Where the queues' pages lie.
    pub(crate) fn pages_dir(&self) -> PathBuf {
        self.path.join(PAGES_DIR)
    }

    /// True when the last server on this directory stopped cleanly. From here on it has not.
    pub(crate) fn take_clean_mark(&self) -> Result<bool, DataDirError> {
        let io = |error| self.failed(error);
        match self.disk.remove(&self.path.join(CLEAN_FILE)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(io(error)),
        }
        self.disk.sync_dir(&self.path).map_err(io)?;
        Ok(true)
    }

    /// Notes that all is written and nothing more will be.
    pub(crate) fn put_clean_mark(&self) -> io::Result<()> {
        self.write_durably(CLEAN_FILE, "")
    }

    /// The error for something that failed here.
    pub(crate) fn failed(&self, source: io::Error) -> DataDirError {
        DataDirError::Io { path: self.path.clone(), source }
    }

    /// What a small file holds, `None` when there is none.
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let file = match self.disk.open(&self.path.join(name), Open::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = vec![0; file.len()?.min(SMALL_FILE_MAX) as usize];
        file.read_exact_at(0, &mut bytes)?;
        Ok(Some(bytes))
    }

    /// Under another name first: a crash in between leaves no file rather than half of one.
    fn write_durably(&self, name: &str, text: &str) -> io::Result<()> {
        let unfinished = self.path.join(name).with_extension("new");
        let out = self.disk.open(&unfinished, Open::CreateEmpty)?;
        out.write_at(0, text.as_bytes())?;
        out.sync()?;
        self.disk.rename(&unfinished, &self.path.join(name))?;
        self.disk.sync_dir(&self.path)
    }
}

fn lock_failed(path: &Path, source: io::Error) -> DataDirError {
    match source.kind() {
        io::ErrorKind::WouldBlock => DataDirError::InUse(path.to_owned()),
        _ => DataDirError::Io { path: path.to_owned(), source },
    }
}

/// Makes the directory if it is missing. Only the owner may look into it: messages, password hashes
/// and the control socket are inside.
pub(crate) fn restrict(path: &Path) -> Result<(), DataDirError> {
    use std::os::unix::fs::PermissionsExt;
    let private = fs::Permissions::from_mode(0o700);
    let made = storage::RealDisk.create_dir(path);
    made.and_then(|()| fs::set_permissions(path, private))
        .map_err(|source| DataDirError::Io { path: path.to_owned(), source })
}
