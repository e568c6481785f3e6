//! What the log holds and where: groups, their entries' places and keys, and what keeps each file
//! alive.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::Arc;

use super::block::{Extent, Step, Steps};
use crate::{DiskFile, GroupId};

/// Entries that may be missing in front of one: what damage can have cost. A larger gap is a group
/// that was emptied and went on elsewhere, in a block that is lost.
const LOST_ENTRIES_MAX: u64 = if cfg!(any(test, fuzzing)) { 1 << 10 } else { 1 << 22 };
/// Bytes that an entry or a key costs in its file beside its own.
const STEP_BYTES: u64 = 24;

/// Where an entry is. There is one in memory for each entry, so it is kept small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Never 0, so that the lack of a place takes no room.
    file: NonZeroU32,
    pub(super) len: u32,
    pub(super) check: u32,
    pub(super) offset: u64,
}

impl Place {
    /// The place of an entry in the file of this number.
    pub(super) fn new(file: u32, offset: u64, len: u32, check: u32) -> Self {
        let file = NonZeroU32::new(file).expect("files are numbered from 1");
        Self { file, len, check, offset }
    }

    /// The number of the file it lies in.
    pub(super) fn file(self) -> u32 {
        self.file.get()
    }

    /// Where it ends.
    pub(super) fn end(self) -> u64 {
        self.offset + u64::from(self.len)
    }
}

/// A key's value and the file that has it.
#[derive(Debug)]
struct Value {
    bytes: Vec<u8>,
    file: u32,
}

/// An entry and where to read it.
pub(super) struct Readable {
    pub(super) place: Place,
    pub(super) handle: Arc<dyn DiskFile>,
    /// Bytes of blocks in the file.
    pub(super) end: u64,
}

/// Entries without a hole, except where damage made one.
#[derive(Debug, Default)]
struct Group {
    first: u64,
    places: VecDeque<Option<Place>>,
    keys: BTreeMap<Vec<u8>, Value>,
}

impl Group {
    fn next(&self) -> u64 {
        self.first + self.places.len() as u64
    }

    fn span(&self) -> Option<(u64, u64)> {
        (!self.places.is_empty()).then(|| (self.first, self.next() - 1))
    }

    fn place(&self, index: u64) -> Option<Option<Place>> {
        let at = usize::try_from(index.checked_sub(self.first)?).ok()?;
        self.places.get(at).copied()
    }
}

/// A file of the log.
pub(super) struct LogFile {
    pub(super) handle: Arc<dyn DiskFile>,
    /// Bytes of blocks in it.
    pub(super) bytes: u64,
    /// Bytes that are still needed, by group.
    live: HashMap<u64, u64>,
    live_bytes: u64,
}

impl LogFile {
    /// Bytes that are still needed.
    pub(super) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// Bytes that are still needed, by group.
    pub(super) fn live(&self) -> impl Iterator<Item = (u64, u64)> {
        self.live.iter().map(|(&group, &bytes)| (group, bytes))
    }
}

/// The log's contents in memory.
#[derive(Default)]
pub(super) struct Index {
    groups: HashMap<u64, Group>,
    files: BTreeMap<u32, LogFile>,
}

impl Index {
    pub(super) fn add_file(&mut self, number: u32, handle: Arc<dyn DiskFile>) {
        let file = LogFile { handle, bytes: 0, live: HashMap::new(), live_bytes: 0 };
        self.files.insert(number, file);
    }

    pub(super) fn remove_file(&mut self, number: u32) {
        self.files.remove(&number);
    }

    /// The files by number, oldest first.
    pub(super) fn files(&self) -> &BTreeMap<u32, LogFile> {
        &self.files
    }

    pub(super) fn span(&self, group: u64) -> Option<(u64, u64)> {
        self.groups.get(&group)?.span()
    }

    pub(super) fn key(&self, group: u64, key: &[u8]) -> Option<Vec<u8>> {
        Some(self.groups.get(&group)?.keys.get(key)?.bytes.clone())
    }

    pub(super) fn groups(&self) -> Vec<GroupId> {
        let mut groups: Vec<GroupId> = self.groups.keys().copied().map(GroupId).collect();
        groups.sort_unstable();
        groups
    }

    /// Where an entry is; the inner `None` when it is lost to damage, the
    /// outer one when the group does not hold it.
    pub(super) fn place(&self, group: u64, index: u64) -> Option<Option<Readable>> {
        let place = self.groups.get(&group)?.place(index)?;
        Some(place.and_then(|place| {
            let file = self.files.get(&place.file())?;
            Some(Readable { place, handle: Arc::clone(&file.handle), end: file.bytes })
        }))
    }

    /// The entries of a group that keep a file alive, in order.
    pub(super) fn entries_in(&self, file: u32, group: u64) -> Vec<(u64, Place)> {
        let Some(group) = self.groups.get(&group) else { return Vec::new() };
        let placed = (group.first..).zip(&group.places);
        placed
            .filter_map(|(index, place)| Some((index, (*place)?)))
            .filter(|(_, place)| place.file() == file)
            .collect()
    }

    /// Whether an entry that begins there is still in use. Looks through all of them.
    pub(super) fn needs(&self, file: u32, offset: u64) -> bool {
        let mut places = self.groups.values().flat_map(|group| &group.places).flatten();
        places.any(|place| place.file() == file && place.offset == offset)
    }

    /// The keys of a group that keep a file alive, with their values.
    pub(super) fn keys_in(&self, file: u32, group: u64) -> Vec<(Vec<u8>, Vec<u8>)> {
        let Some(group) = self.groups.get(&group) else { return Vec::new() };
        let keys = group.keys.iter().filter(|(_, value)| value.file == file);
        keys.map(|(key, value)| (key.clone(), value.bytes.clone())).collect()
    }

    /// Carries out a block's steps; `end` is where the block ends in `file`.
    pub(super) fn apply(&mut self, steps: Steps<'_>, file: u32, start: u64, end: u64) {
        if let Some(file) = self.files.get_mut(&file) {
            file.bytes = end;
        }
        let place = |Extent { offset, len, check }| Place::new(file, start + offset, len, check);
        for step in steps {
            match step {
                Step::Entry { group, index, extent } => self.append(group, index, place(extent)),
                Step::Moved { group, index, extent } => self.set(group, index, Some(place(extent))),
                Step::Lost { group, index } => self.set(group, index, None),
                Step::Compact { group, keep_from } => self.compact(group, keep_from),
                Step::Remove { group } => self.remove(group),
                Step::Put { group, key, value } => self.put(group, key, value, file),
            }
        }
    }

    fn append(&mut self, group: u64, index: u64, place: Place) {
        let contents = self.groups.entry(group).or_default();
        let (first, next) = (contents.first, contents.next());
        if index < first || index.saturating_sub(next) > LOST_ENTRIES_MAX {
            self.drop_entries(group, 0);
        } else if index < next {
            self.drop_entries(group, index - first);
        }
        self.set(group, index, Some(place));
    }

    /// Sets one entry and leaves the others, unless it is too far behind them. One in front of them
    /// was moved, from a file that is gone: what lies between is still to come.
    fn set(&mut self, group: u64, index: u64, place: Option<Place>) {
        if let Some(place) = place {
            self.credit(place.file(), group, u64::from(place.len));
        }
        let contents = self.groups.entry(group).or_default();
        if index.saturating_sub(contents.next()) > LOST_ENTRIES_MAX {
            self.drop_entries(group, 0);
        }
        let contents = self.groups.entry(group).or_default();
        if contents.places.is_empty() {
            contents.first = index;
        }
        while index < contents.first {
            contents.places.push_front(None);
            contents.first -= 1;
        }
        while index >= contents.next() {
            stdx::push_snugly(&mut contents.places, None);
        }
        let at = (index - contents.first) as usize;
        if let Some(former) = std::mem::replace(&mut contents.places[at], place) {
            self.debit(former.file(), group, u64::from(former.len));
        }
    }

    /// Drops the entries of a group behind the first `kept`.
    fn drop_entries(&mut self, group: u64, kept: u64) {
        let Some(contents) = self.groups.get_mut(&group) else { return };
        let dropped = contents.places.split_off(kept as usize);
        for place in dropped.into_iter().flatten() {
            self.debit(place.file(), group, u64::from(place.len));
        }
    }

    fn compact(&mut self, group: u64, keep_from: u64) {
        while let Some(contents) = self.groups.get_mut(&group)
            && contents.first < keep_from
            && let Some(place) = contents.places.pop_front()
        {
            contents.first += 1;
            if let Some(place) = place {
                self.debit(place.file(), group, u64::from(place.len));
            }
        }
        if let Some(contents) = self.groups.get_mut(&group) {
            stdx::shrink_sparse(&mut contents.places);
        }
        self.forget_empty(group);
    }

    fn forget_empty(&mut self, group: u64) {
        if self
            .groups
            .get(&group)
            .is_some_and(|group| group.places.is_empty() && group.keys.is_empty())
        {
            self.groups.remove(&group);
        }
    }

    fn remove(&mut self, group: u64) {
        let Some(contents) = self.groups.remove(&group) else { return };
        for place in contents.places.into_iter().flatten() {
            self.debit(place.file(), group, u64::from(place.len));
        }
        for (key, value) in contents.keys {
            self.debit(value.file, group, (key.len() + value.bytes.len()) as u64);
        }
    }

    fn put(&mut self, group: u64, key: &[u8], value: &[u8], file: u32) {
        self.credit(file, group, (key.len() + value.len()) as u64);
        let keys = &mut self.groups.entry(group).or_default().keys;
        let value = Value { bytes: value.to_vec(), file };
        if let Some(former) = keys.insert(key.to_vec(), value) {
            self.debit(former.file, group, (key.len() + former.bytes.len()) as u64);
        }
    }

    fn credit(&mut self, file: u32, group: u64, bytes: u64) {
        let Some(file) = self.files.get_mut(&file) else { return };
        *file.live.entry(group).or_default() += bytes + STEP_BYTES;
        file.live_bytes += bytes + STEP_BYTES;
    }

    fn debit(&mut self, file: u32, group: u64, bytes: u64) {
        let Some(file) = self.files.get_mut(&file) else { return };
        file.live_bytes -= bytes + STEP_BYTES;
        if let Some(live) = file.live.get_mut(&group) {
            *live -= bytes + STEP_BYTES;
            if *live == 0 {
                file.live.remove(&group);
            }
        }
    }
}
