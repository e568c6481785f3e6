//! The disk of the machine.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Advice, FallocateFlags};

use super::{DirLock, Disk, DiskFile, Open};

/// [`Disk`] by the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

/// Name of the file whose lock is that of its directory.
const LOCK_FILE: &str = "LOCK";

impl Disk for RealDisk {
    fn lock_dir(&self, dir: &Path) -> io::Result<DirLock> {
        let file = File::create(dir.join(LOCK_FILE))?;
        file.try_lock()?;
        Ok(Box::new(file))
    }

    fn lock_dir_to_read(&self, dir: &Path) -> io::Result<Option<DirLock>> {
        let file = match File::open(dir.join(LOCK_FILE)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        file.try_lock()?;
        Ok(Some(Box::new(file)))
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match how {
            Open::Read => &mut options,
            Open::Write => options.write(true),
            Open::Create => options.write(true).create(true).truncate(false),
            Open::CreateEmpty => options.write(true).create(true).truncate(true),
        };
        Ok(Arc::new(options.open(path)?))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let entries = match dir.read_dir() {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        // A name that is not UTF-8 is none of ours.
        entries
            .filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose())
            .collect()
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let is_missing = |dir: &&Path| !dir.as_os_str().is_empty() && !dir.is_dir();
        let missing: Vec<&Path> = dir.ancestors().take_while(is_missing).collect();
        for dir in missing.into_iter().rev() {
            match fs::create_dir(dir) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
            self.sync_dir(parent.unwrap_or(Path::new(".")))?;
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn draw_secret(&self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        let drawn = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
        // Up to 256 bytes come whole.
        if drawn == bytes.len() {
            Ok(u64::from_le_bytes(bytes))
        } else {
            Err(io::ErrorKind::Interrupted.into())
        }
    }

    fn total_bytes(&self, path: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(path)?;
        // Some do not know.
        let is_known = stat.f_blocks > 0;
        Ok(if is_known { stat.f_blocks.saturating_mul(stat.f_frsize) } else { u64::MAX })
    }
}

impl DiskFile for File {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(self, buf, offset)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Self::set_len(self, len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        match rustix::fs::fallocate(self, FallocateFlags::empty(), 0, len) {
            Err(rustix::io::Errno::OPNOTSUPP) => {
                if DiskFile::len(self)? < len {
                    Self::set_len(self, len)
                } else {
                    Ok(())
                }
            }
            result => Ok(result?),
        }
    }

    fn punch_hole(&self, offset: u64, len: u64) -> io::Result<()> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match rustix::fs::fallocate(self, flags, offset, len) {
            Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
            result => Ok(result?),
        }
    }

    fn will_need(&self, offset: u64, len: u64) {
        // A hint: what the system makes of it is its business.
        let _ = rustix::fs::fadvise(self, offset, std::num::NonZeroU64::new(len), Advice::WillNeed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_reads_as_zeros_and_keeps_the_length() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = RealDisk.open(&dir.path().join("f"), Open::Create).expect("made");
        file.write_at(0, &[7; 8192]).expect("written");
        file.punch_hole(0, 4096).expect("punched");
        let mut buf = [1; 8192];
        file.read_exact_at(0, &mut buf).expect("read");
        assert_eq!(file.len().expect("its length"), 8192);
        assert_eq!(buf[4096..], [7; 4096], "what follows the hole stays");
    }

    #[test]
    fn who_only_looks_makes_no_lock_and_respects_one() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(RealDisk.lock_dir_to_read(dir.path()).expect("looked").is_none());
        assert!(!dir.path().join(LOCK_FILE).exists());
        let lock = RealDisk.lock_dir(dir.path()).expect("taken");
        let refused = RealDisk.lock_dir_to_read(dir.path()).expect_err("somebody has it");
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        drop(lock);
        let _looking = RealDisk.lock_dir_to_read(dir.path()).expect("free").expect("a lock");
        assert!(RealDisk.lock_dir(dir.path()).is_err());
    }

    #[test]
    fn a_directory_is_made_with_its_parents() {
        let dir = tempfile::tempdir().expect("a directory");
        let deep = dir.path().join("a/b/c");
        for _ in 0..2 {
            RealDisk.create_dir(&deep).expect("made, or there");
            assert!(deep.is_dir());
        }
    }

    #[test]
    fn reading_past_the_end_says_so() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = RealDisk.open(&dir.path().join("f"), Open::Create).expect("made");
        file.write_at(0, b"abc").expect("written");
        let error = file.read_exact_at(1, &mut [0; 3]).expect_err("two bytes are there");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_missing_directory_lists_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(RealDisk.list(&dir.path().join("none")).expect("listed").is_empty());
    }
}
