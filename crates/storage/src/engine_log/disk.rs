//! The engine's files, with failed syncs remembered.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use raft_engine::env::{DefaultFileSystem, FileSystem, Handle, Permission};

type Fd = <DefaultFileSystem as FileSystem>::Handle;

/// What became of the syncs, shared with the log that owns the engine.
#[derive(Debug, Default)]
pub(super) struct Health {
    failure: OnceLock<String>,
    syncs: AtomicU64,
}

impl Health {
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// Remembers the first failure.
    pub(super) fn fail(&self, reason: String) {
        // A later failure adds nothing: the log is already closed for writing.
        let _ = self.failure.set(reason);
    }

    pub(super) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }
}

/// The default file system, except that a failed fdatasync is noted in [`Health`] instead of
/// being returned: the engine would panic on it while other writers wait behind the same sync, and
/// those would then take their unsynced data for safe. Every writer asks `Health` afterwards.
pub(super) struct Disk {
    inner: DefaultFileSystem,
    health: Arc<Health>,
}

impl Disk {
    pub(super) fn new(health: Arc<Health>) -> Self {
        Self { inner: DefaultFileSystem, health }
    }

    fn file(&self, fd: Fd) -> File {
        File { fd: Arc::new(fd), health: Arc::clone(&self.health) }
    }
}

/// An open log file.
pub(super) struct File {
    fd: Arc<Fd>,
    health: Arc<Health>,
}

impl Handle for File {
    fn truncate(&self, offset: usize) -> io::Result<()> {
        Handle::truncate(&*self.fd, offset)
    }

    fn file_size(&self) -> io::Result<usize> {
        self.fd.file_size()
    }

    fn sync(&self) -> io::Result<()> {
        match self.fd.sync() {
            Ok(()) => {
                self.health.syncs.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => self.health.fail(format!("fdatasync: {error}")),
        }
        Ok(())
    }
}

impl FileSystem for Disk {
    type Handle = File;
    type Reader = <DefaultFileSystem as FileSystem>::Reader;
    type Writer = <DefaultFileSystem as FileSystem>::Writer;

    fn create<P: AsRef<Path>>(&self, path: P) -> io::Result<File> {
        Ok(self.file(self.inner.create(path)?))
    }

    fn open<P: AsRef<Path>>(&self, path: P, permission: Permission) -> io::Result<File> {
        Ok(self.file(self.inner.open(path, permission)?))
    }

    fn delete<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.inner.delete(path)
    }

    fn rename<P: AsRef<Path>>(&self, from: P, to: P) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn new_reader(&self, file: Arc<File>) -> io::Result<Self::Reader> {
        self.inner.new_reader(Arc::clone(&file.fd))
    }

    fn new_writer(&self, file: Arc<File>) -> io::Result<Self::Writer> {
        self.inner.new_writer(Arc::clone(&file.fd))
    }
}
