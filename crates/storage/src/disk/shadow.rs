//! Looking at a disk as if one could write to it.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{DirLock, Disk, DiskFile, Open, SimDisk};

/// A [`Disk`] that reads another one and keeps what is written to itself, in memory. A file of the
/// other disk that is opened for writing is copied.
pub struct ShadowDisk {
    below: Arc<dyn Disk>,
    above: SimDisk,
    /// Files of the other disk that are not seen any more: copied, renamed or removed.
    hidden: Mutex<BTreeSet<PathBuf>>,
}

impl ShadowDisk {
    /// A view of `below`.
    #[must_use]
    pub fn new(below: Arc<dyn Disk>) -> Self {
        Self { below, above: SimDisk::new(0), hidden: Mutex::default() }
    }

    fn is_below(&self, path: &Path) -> bool {
        !self.hidden.lock().contains(path) && self.below.open(path, Open::Read).is_ok()
    }

    /// Takes a file of the other disk over, if it is one.
    fn take_over(&self, path: &Path) -> io::Result<()> {
        if !self.is_below(path) {
            return Ok(());
        }
        let from = self.below.open(path, Open::Read)?;
        let to = self.above.open(path, Open::CreateEmpty)?;
        let mut bytes = vec![0; usize::try_from(from.len()?).map_err(io::Error::other)?];
        from.read_exact_at(0, &mut bytes)?;
        to.write_at(0, &bytes)?;
        to.sync()?;
        self.hidden.lock().insert(path.to_owned());
        Ok(())
    }
}

impl Disk for ShadowDisk {
    fn lock_dir(&self, dir: &Path) -> io::Result<DirLock> {
        self.above.lock_dir(dir)
    }

    fn lock_dir_to_read(&self, dir: &Path) -> io::Result<Option<DirLock>> {
        self.above.lock_dir_to_read(dir)
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        if how == Open::Read && self.is_below(path) {
            return self.below.open(path, how);
        }
        self.take_over(path)?;
        self.above.open(path, how)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = self.above.list(dir)?;
        let hidden = self.hidden.lock();
        names.extend(
            self.below.list(dir)?.into_iter().filter(|name| !hidden.contains(&dir.join(name))),
        );
        Ok(names)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.above.create_dir(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.take_over(from)?;
        self.hidden.lock().insert(to.to_owned());
        self.above.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if self.is_below(path) {
            self.hidden.lock().insert(path.to_owned());
            return Ok(());
        }
        self.above.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.above.sync_dir(dir)
    }

    fn draw_secret(&self) -> io::Result<u64> {
        self.below.draw_secret()
    }

    fn total_bytes(&self, path: &Path) -> io::Result<u64> {
        self.above.total_bytes(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_to_a_shadow_stays_in_it() {
        let below = SimDisk::new(1);
        let [a, b] = ["/data/a", "/data/b"].map(Path::new);
        below.open(a, Open::Create).unwrap().write_at(0, b"old").unwrap();
        below.open(b, Open::Create).unwrap().write_at(0, b"gone").unwrap();
        let shadow = ShadowDisk::new(Arc::new(below.clone()));
        let read = |path| {
            let mut bytes = [0; 3];
            shadow.open(path, Open::Read).unwrap().read_exact_at(0, &mut bytes).unwrap();
            bytes
        };
        assert_eq!(read(a), *b"old");
        shadow.open(a, Open::Write).unwrap().write_at(1, b"n").unwrap();
        shadow.remove(b).unwrap();
        let c = Path::new("/data/c");
        shadow.rename(a, c).unwrap();
        assert_eq!(read(c), *b"ond");
        assert_eq!(shadow.list(Path::new("/data")).unwrap(), ["c"]);
        assert!(shadow.open(a, Open::Read).is_err());
        assert_eq!((below.read(a), below.read(b)), (b"old".to_vec(), b"gone".to_vec()));
        assert_eq!(below.files().len(), 2);
    }
}
