//! Freeing files: the oldest one goes once nothing in it is needed any more. The little that still
//! is moves to the end of the log first.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::EngineLog;
use super::files;
use super::index::{LogFile, Place};
use super::writer::Writer;
use crate::{Error, Flush, GroupId, Open};

/// Bytes of entries that move in one block.
const MOVED_BYTES: usize = 256 << 10;
/// A group holds back a file when it needs more than this part of it.
const HELD_BACK_PART: u64 = 16;

/// What to do about the oldest file.
enum Plan {
    /// There is nothing to free.
    Nothing,
    /// It is worth moving what is needed of it.
    Free(u32),
    /// These groups need too much of the oldest files.
    HeldBack(Vec<GroupId>),
}

impl EngineLog {
    /// See [`crate::Log::purge`].
    pub(super) fn free_files(&self) -> Result<Vec<GroupId>, Error> {
        let Some(_only) = self.purging.try_lock() else { return Ok(Vec::new()) };
        self.writer.lock().check()?;
        self.take_ballast();
        loop {
            match self.plan() {
                Plan::Nothing => return Ok(Vec::new()),
                Plan::HeldBack(groups) => return Ok(groups),
                Plan::Free(file) => self.with_ballast(|| self.free(file))?,
            }
        }
    }

    /// See [`crate::Log::pack`].
    pub(super) fn pack_files(&self, bytes_max: u64) -> Result<Vec<GroupId>, Error> {
        let Some(_only) = self.purging.try_lock() else { return Ok(Vec::new()) };
        if self.disk_bytes() <= bytes_max {
            return Ok(Vec::new());
        }
        let last = self.writer.lock().begin_file(&self.index, bytes_max)?;
        let (files, groups) = {
            let index = self.index.lock();
            let needed: u64 = index.files().values().map(LogFile::live_bytes).sum();
            let files: Vec<u32> = index.files().range(..last).map(|(&file, _)| file).collect();
            (files, (bytes_max < needed).then(|| index.groups().map(GroupId).collect()))
        };
        if let Some(groups) = groups {
            return Ok(groups);
        }
        for file in files {
            self.free(file)?;
        }
        Ok(Vec::new())
    }

    fn plan(&self) -> Plan {
        let index = self.index.lock();
        let all = index.files();
        let mut bytes: u64 = all.values().map(|file| file.bytes).sum();
        let Some((&number, oldest)) = all.first_key_value() else { return Plan::Nothing };
        if bytes <= self.options.purge_bytes || all.len() < 2 {
            return Plan::Nothing;
        }
        // Moving pays when it frees as much as it writes, here or further back.
        let live: u64 = all.values().map(|file| file.live_bytes()).sum();
        if oldest.live_bytes() * 2 <= oldest.bytes || live * 2 <= bytes {
            return Plan::Free(number);
        }
        let mut held_back = BTreeSet::new();
        for file in all.values() {
            if bytes <= self.options.purge_bytes {
                break;
            }
            bytes -= file.bytes;
            let heavy = file.live().filter(|(_, live)| live * HELD_BACK_PART > file.bytes);
            held_back.extend(heavy.map(|(group, _)| GroupId(group)));
        }
        Plan::HeldBack(held_back.into_iter().collect())
    }

    /// Moves what is needed of the oldest file and gives the file up.
    fn free(&self, file: u32) -> Result<(), Error> {
        let groups: Vec<u64> = {
            let index = self.index.lock();
            let Some(file) = index.files().get(&file) else { return Ok(()) };
            file.live().map(|(group, _)| group).collect()
        };
        for group in groups {
            self.move_group(file, group)?;
        }
        let mut writer = self.writer.lock();
        // Names are lost or kept in any combination when the power is cut: before one goes, it must
        // be known that the log does without it.
        writer.first_file = file + 1;
        writer.builder.start();
        writer.write(&self.index, Flush::Sync)?;
        self.index.lock().remove_file(file);
        self.give_up(&mut writer, file)
    }

    fn move_group(&self, file: u32, group: u64) -> Result<(), Error> {
        {
            let mut writer = self.writer.lock();
            let keys = self.index.lock().keys_in(file, group);
            if !keys.is_empty() {
                writer.builder.start();
                for (key, value) in keys {
                    writer.builder.put(group, &key, &value);
                }
                writer.write(&self.index, Flush::Write)?;
            }
        }
        let entries = self.index.lock().entries_in(file, group);
        let mut rest = &entries[..];
        while !rest.is_empty() {
            let moved = self.move_some(group, rest)?;
            rest = &rest[moved..];
        }
        Ok(())
    }

    /// Moves those of the first entries that are still where they were, up to [`MOVED_BYTES`];
    /// returns how many it looked at.
    fn move_some(&self, group: u64, entries: &[(u64, Place)]) -> Result<usize, Error> {
        let mut writer = self.writer.lock();
        writer.builder.start();
        let mut count = 0;
        let mut bytes = Vec::new();
        for &(index, place) in entries {
            count += 1;
            let found = self.index.lock().place(group, index).flatten();
            let Some((_, handle)) = found.filter(|&(now, _)| now == place) else { continue };
            if super::read_place(&*handle, place, &mut bytes).is_ok() {
                writer.builder.moved(group, index, &bytes);
            } else {
                writer.builder.lost(group, index);
            }
            if writer.builder.payload_len() >= MOVED_BYTES {
                break;
            }
        }
        writer.write(&self.index, Flush::Write)?;
        writer.builder.trim();
        Ok(count)
    }

    /// Keeps a file for reuse, or removes it when enough are kept.
    fn give_up(&self, writer: &mut Writer, file: u32) -> Result<(), Error> {
        let path = files::log_path(&self.dir, file);
        let given_up = if (writer.spares.len() as u64) < self.options.spares_max() {
            let renamed = self.disk.rename(&path, &files::spare_path(&self.dir, file));
            renamed.map(|()| writer.spares.insert(0, file))
        } else {
            self.disk.remove(&path)
        };
        given_up.map_err(|error| writer.fail("giving up a file", &error))
    }

    /// Does something that frees room; when there is none to do it, uses the ballast.
    pub(super) fn with_ballast(
        &self,
        mut free: impl FnMut() -> Result<(), Error>,
    ) -> Result<(), Error> {
        match free() {
            Err(Error::Full(_)) if self.has_ballast.swap(false, Ordering::Relaxed) => {
                let removed = self.disk.remove(&files::ballast_path(&self.dir));
                removed.map_err(|error| Error::Full(error.to_string()))?;
                free()
            }
            done => done,
        }
    }

    /// Sets room aside for getting out of a full disk, when there is some and none is yet.
    pub(super) fn take_ballast(&self) {
        if self.has_ballast.load(Ordering::Relaxed) {
            return;
        }
        let path = files::ballast_path(&self.dir);
        let bytes = self.options.ballast_bytes();
        let taken = self.disk.open(&path, Open::Create).and_then(|file| file.allocate(bytes));
        if taken.is_ok() {
            self.has_ballast.store(true, Ordering::Relaxed);
        } else {
            // Half a ballast is none. If it cannot be removed either, it is tried again later.
            let _ = self.disk.remove(&path);
        }
    }
}
