//! The data directory: a format version, a lock, a mark of a clean stop.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use fs4::fs_std::FileExt;

/// What this version writes. A directory with a larger number was written by a newer one.
const FORMAT_VERSION: u32 = 1;

const VERSION_FILE: &str = "format-version";
const LOCK_FILE: &str = "lock";
const CLEAN_FILE: &str = "stopped-cleanly";
const LOG_DIR: &str = "log";

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
    /// The version file is not one of ours.
    #[error("data directory {0} holds a damaged {VERSION_FILE} file")]
    Damaged(PathBuf),
}

/// A locked data directory.
pub(crate) struct DataDir {
    path: PathBuf,
    /// Held for the lock; the system releases it however the process ends.
    _lock: File,
}

impl DataDir {
    /// Makes the directory if it is missing, locks it and checks its version.
    pub(crate) fn open(path: &Path) -> Result<Self, DataDirError> {
        let io = |source| DataDirError::Io { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(io)?;
        restrict(path).map_err(io)?;
        let lock = File::create(path.join(LOCK_FILE)).map_err(io)?;
        if !FileExt::try_lock_exclusive(&lock).map_err(io)? {
            return Err(DataDirError::InUse(path.to_owned()));
        }
        let dir = Self { path: path.to_owned(), _lock: lock };
        dir.check_version()?;
        Ok(dir)
    }

    fn check_version(&self) -> Result<(), DataDirError> {
        let io = |source| DataDirError::Io { path: self.path.clone(), source };
        let file = self.path.join(VERSION_FILE);
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return write_durably(&file, &format!("{FORMAT_VERSION}\n")).map_err(io);
            }
            Err(error) => return Err(io(error)),
        };
        let found: u32 =
            text.trim().parse().map_err(|_| DataDirError::Damaged(self.path.clone()))?;
        if found > FORMAT_VERSION {
            return Err(DataDirError::Newer { path: self.path.clone(), found });
        }
        Ok(())
    }

    /// Where the log lives.
    pub(crate) fn log_dir(&self) -> PathBuf {
        self.path.join(LOG_DIR)
    }

    /// True when the last server on this directory stopped cleanly. From here on it has not.
    pub(crate) fn take_clean_mark(&self) -> Result<bool, DataDirError> {
        let io = |source| DataDirError::Io { path: self.path.clone(), source };
        match fs::remove_file(self.path.join(CLEAN_FILE)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(io(error)),
        }
        File::open(&self.path).and_then(|dir| dir.sync_all()).map_err(io)?;
        Ok(true)
    }

    /// Notes that all is written and nothing more will be.
    pub(crate) fn put_clean_mark(&self) -> io::Result<()> {
        write_durably(&self.path.join(CLEAN_FILE), "")
    }
}

/// Only the owner may look into it: messages, password hashes and the control socket are inside.
fn restrict(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

/// Under another name first: a crash in between leaves no file rather than half of one.
fn write_durably(file: &Path, text: &str) -> io::Result<()> {
    let unfinished = file.with_extension("new");
    let mut out = File::create(&unfinished)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    fs::rename(&unfinished, file)?;
    match file.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}
