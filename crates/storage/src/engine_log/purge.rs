//! Freeing files: the oldest one goes once nothing in it is needed any more. The little that still
//! is moves to the end of the log first.
//!
//! What the device does not read cannot be moved, and is not given up: whoever wrote it may have it in
//! memory or on pages, and is asked to write it again.

use std::collections::BTreeSet;
use std::io;

use super::files;
use super::index::{LogFile, Place, Readable};
use super::writer::Writer;
use super::{EngineLog, Unusable};
use crate::{Error, Flush, GroupId};

/// Bytes of entries that move in one block.
const MOVED_BYTES: usize = 256 << 10;
/// A group holds back a file when it needs more than this part of it.
const HELD_BACK_PART: u64 = 16;
/// The part of a file that is worth freeing it for while the disk is full.
const GARBAGE_PART: u64 = 32;

/// What to do about the oldest file.
enum Plan {
    /// There is nothing to free.
    Nothing,
    /// It is worth moving what is needed of it.
    Free(u32),
    /// These groups need too much of the oldest files.
    HeldBack(Vec<GroupId>),
}

/// An entry that is needed and that the device does not read.
struct Unread {
    group: u64,
    place: Place,
    error: io::Error,
}

impl EngineLog {
    /// See [`crate::Log::purge`].
    pub(super) fn free_files(&self) -> Result<Vec<GroupId>, Error> {
        let Some(mut told) = self.purging.try_lock() else { return Ok(Vec::new()) };
        self.writer.lock().check()?;
        self.ahead.lock().clear();
        if !self.reserve.is_there() {
            let unread = self.free_files_when_full()?;
            return Ok(self.tell(&mut told, &unread));
        }
        self.ballast.take();
        loop {
            match self.plan() {
                Plan::Nothing => return Ok(Vec::new()),
                Plan::HeldBack(groups) => return Ok(groups),
                Plan::Free(file) => {
                    let unread = self.ballast.or_give_up(|| self.free(file))?;
                    if !unread.is_empty() {
                        return Ok(self.tell(&mut told, &unread));
                    }
                }
            }
        }
    }

    /// Says what cannot be read, once; returns whose it is.
    fn tell(&self, told: &mut Option<Place>, unread: &[Unread]) -> Vec<GroupId> {
        if let Some(Unread { place, error, .. }) = unread.first()
            && told.replace(*place) != Some(*place)
        {
            let file = files::log_path(&self.dir, place.file());
            tracing::warn!(
                file = %file.display(), offset = place.offset, %error,
                "cannot free a file of the log before all of it is read or written again"
            );
        }
        let groups: BTreeSet<GroupId> = unread.iter().map(|it| GroupId(it.group)).collect();
        groups.into_iter().collect()
    }

    /// See [`crate::Log::pack`].
    pub(super) fn pack_files(&self, left_max: u64, moved_max: u64) -> Result<Vec<GroupId>, Error> {
        let Some(mut told) = self.purging.try_lock() else { return Ok(Vec::new()) };
        if self.disk_bytes() <= left_max {
            return Ok(Vec::new());
        }
        let last = self.writer.lock().begin_file(&self.index, left_max)?;
        let (files, groups) = {
            let index = self.index.lock();
            let needed: u64 = index.files().values().map(LogFile::live_bytes).sum();
            let files: Vec<u32> = index.files().range(..last).map(|(&file, _)| file).collect();
            (files, (moved_max < needed).then(|| index.groups()))
        };
        if let Some(groups) = groups {
            return Ok(groups);
        }
        for file in files {
            let unread = self.free(file)?;
            if !unread.is_empty() {
                return Ok(self.tell(&mut told, &unread));
            }
        }
        Ok(Vec::new())
    }

    /// Frees whatever gives more room than it takes. What it takes is the ballast's: the rest is for
    /// those who settle messages. Returns what cannot be read, which ends it.
    fn free_files_when_full(&self) -> Result<Vec<Unread>, Error> {
        self.remove_spares()?;
        while let Some((file, is_last)) = self.find_garbage() {
            if is_last {
                self.writer.lock().rotate(&self.index)?;
            }
            let had_ballast = self.ballast.give_up();
            let unread = self.free(file)?;
            if had_ballast {
                self.ballast.take();
            }
            if !unread.is_empty() {
                return Ok(unread);
            }
        }
        Ok(Vec::new())
    }

    /// The oldest file, if little enough of it is needed, and whether it is the one written to.
    fn find_garbage(&self) -> Option<(u32, bool)> {
        let index = self.index.lock();
        let (&number, oldest) = index.files().first_key_value()?;
        let worthwhile = self.options.file_bytes / GARBAGE_PART;
        let live = oldest.live_bytes();
        let pays = live * 2 <= oldest.bytes && live + worthwhile <= oldest.bytes;
        let pays = pays && live <= self.ballast.bytes();
        pays.then_some((number, index.files().len() == 1))
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

    /// Moves what is needed of the oldest file and gives the file up; unless some of it cannot be
    /// read, which is returned.
    fn free(&self, file: u32) -> Result<Vec<Unread>, Error> {
        let mut groups: Vec<u64> = {
            let index = self.index.lock();
            let Some(file) = index.files().get(&file) else { return Ok(Vec::new()) };
            file.live().map(|(group, _)| group).collect()
        };
        groups.sort_unstable();
        let mut unread = Vec::new();
        for group in groups {
            self.move_group(file, group, &mut unread)?;
        }
        if !unread.is_empty() {
            return Ok(unread);
        }
        let mut writer = self.writer.lock();
        // Names are lost or kept in any combination when the power is cut: before one goes, it must
        // be known that the log does without it.
        writer.first_file = file + 1;
        writer.builder.start();
        writer.write(&self.index, Flush::Sync)?;
        self.index.lock().remove_file(file);
        self.give_up(&mut writer, file)?;
        Ok(Vec::new())
    }

    fn move_group(&self, file: u32, group: u64, unread: &mut Vec<Unread>) -> Result<(), Error> {
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
            let moved = self.move_some(group, rest, unread)?;
            rest = &rest[moved..];
        }
        Ok(())
    }

    /// Moves those of the first entries that are still where they were, up to [`MOVED_BYTES`];
    /// returns how many it looked at.
    fn move_some(
        &self,
        group: u64,
        entries: &[(u64, Place)],
        unread: &mut Vec<Unread>,
    ) -> Result<usize, Error> {
        let mut writer = self.writer.lock();
        writer.builder.start();
        let mut count = 0;
        let mut bytes = Vec::new();
        for &(index, place) in entries {
            count += 1;
            let found = self.index.lock().place(group, index).flatten();
            let Some(Readable { handle, .. }) = found.filter(|it| it.place == place) else {
                continue;
            };
            match super::read_place(&*handle, place, &mut bytes) {
                Ok(()) => drop(writer.builder.moved(group, index, &bytes)),
                Err(Unusable::Damaged) => writer.builder.lost(group, index),
                // Its file stays: what is not read now may be read another time.
                Err(Unusable::Unread(error)) => unread.push(Unread { group, place, error }),
            }
            if writer.builder.payload_len() >= MOVED_BYTES {
                break;
            }
        }
        writer.write(&self.index, Flush::Write)?;
        writer.builder.trim();
        Ok(count)
    }

    /// Keeps a file for reuse, or removes it when enough are kept, or others need the room.
    fn give_up(&self, writer: &mut Writer, file: u32) -> Result<(), Error> {
        let path = files::log_path(&self.dir, file);
        let is_wanted = (writer.spares.len() as u64) < self.options.spares_max();
        let given_up = if is_wanted && self.reserve.is_there() {
            let renamed = self.disk.rename(&path, &files::spare_path(&self.dir, file));
            renamed.map(|()| writer.spares.insert(0, file))
        } else {
            self.disk.remove(&path)
        };
        given_up.map_err(|error| writer.fail("giving up a file", &error))
    }

    /// Does something that makes room; when there is none to do it, uses all that is set aside.
    pub(super) fn with_ballast(
        &self,
        mut free: impl FnMut() -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.ballast.or_give_up(|| self.reserve.or_give_up(&mut free))
    }

    /// Gives up the files kept for reuse.
    fn remove_spares(&self) -> Result<(), Error> {
        let mut writer = self.writer.lock();
        while let Some(&spare) = writer.spares.last() {
            let removed = self.disk.remove(&files::spare_path(&self.dir, spare));
            removed.map_err(|error| writer.fail("removing a file", &error))?;
            writer.spares.pop();
        }
        Ok(())
    }
}
