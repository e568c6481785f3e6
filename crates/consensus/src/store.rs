//! A group's log, votes and snapshot in a [`Log`].
//!
//! Two log groups per raft group: the raft log with the small state as keys, and the snapshot in
//! slices, because keys stay in memory and a snapshot need not.
//!
//! A lone voter has nobody to get a damaged snapshot from: the one before stays until the next is
//! made, with the entries that follow it.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};

use protobuf::Message as _;
use raft::eraftpb::{ConfState, Entry, HardState, Snapshot, SnapshotMetadata};
use raft::{GetEntriesContext, RaftState, Storage, StorageError};
use storage::{Batch, Flush, GroupId, Log};

use crate::Error;

/// Term, vote and commit index.
const HARD_STATE_KEY: &[u8] = b"hard";
/// The members.
const CONF_STATE_KEY: &[u8] = b"conf";
/// What the snapshot covers, and which slices hold it.
const SNAPSHOT_KEY: &[u8] = b"snapshot";
/// The same of the snapshot before.
const FORMER_KEY: &[u8] = b"former";
/// Bytes of a snapshot's slice: one write each, so that no write holds the log for long.
const SLICE_BYTES: usize = 1 << 20;
/// Entries kept in memory behind the last, so that what was just written need not be read back.
const CACHE_BYTES: usize = 256 << 10;
/// Entries read from the log at once.
const READ_BYTES: usize = 4 << 20;
/// Entries kept behind a snapshot when there are other voters: one that is this little behind
/// catches up from the log instead of from a snapshot.
const CATCH_UP_ENTRIES: u64 = 1024;

/// Terms and indexes are below this.
const NUMBER_END: u64 = 1 << 62;

/// A raft group's stable storage, with the part that raft asks for often in memory.
pub(crate) struct Store<L> {
    log: L,
    entries_group: GroupId,
    slices_group: GroupId,
    hard_state: HardState,
    /// Whether `hard_state` is ahead of the log.
    is_hard_state_unsaved: bool,
    conf_state: ConfState,
    /// Whether `conf_state` is ahead of the log.
    is_conf_state_unsaved: bool,
    snapshot: Stored,
    /// Index and term of the entry before the first: the snapshot's, or an older kept entry's.
    before_first: (u64, u64),
    last: u64,
    cache: Cache,
    /// Entries that damage has cost, as far as they were looked at.
    lost: RefCell<BTreeSet<u64>>,
    /// Why something that raft asked for could not be read: see [`Store::check`].
    unread: RefCell<Option<Error>>,
}

/// Where the snapshot is.
#[derive(Clone, Debug, Default)]
struct Stored {
    metadata: SnapshotMetadata,
    slices: std::ops::Range<u64>,
}

/// The newest entries.
#[derive(Default)]
struct Cache {
    entries: VecDeque<Entry>,
    bytes: usize,
}

impl Cache {
    fn push(&mut self, entry: Entry) {
        while self.entries.back().is_some_and(|last| last.index >= entry.index)
            && let Some(replaced) = self.entries.pop_back()
        {
            self.bytes -= cost(&replaced);
        }
        self.bytes += cost(&entry);
        self.entries.push_back(entry);
        while self.bytes > CACHE_BYTES
            && self.entries.len() > 1
            && let Some(oldest) = self.entries.pop_front()
        {
            self.bytes -= cost(&oldest);
        }
    }

    fn drop_below(&mut self, index: u64) {
        while self.entries.front().is_some_and(|first| first.index < index)
            && let Some(oldest) = self.entries.pop_front()
        {
            self.bytes -= cost(&oldest);
        }
    }

    fn get(&self, index: u64) -> Option<&Entry> {
        let first = self.entries.front()?.index;
        self.entries.get(usize::try_from(index.checked_sub(first)?).ok()?)
    }
}

/// Bytes that an entry takes in the cache.
fn cost(entry: &Entry) -> usize {
    size_of::<Entry>() + entry.data.len()
}

impl<L: Log> Store<L> {
    /// Reads the group's state; a group that was never used begins with `voters`.
    pub(crate) fn open(log: L, group: GroupId, voters: &[u64]) -> Result<Self, Error> {
        let entries_group = GroupId(group.0 << 1).unshared();
        let slices_group = GroupId((group.0 << 1) | 1).unshared();
        let hard_state: HardState = read_key(&log, entries_group, HARD_STATE_KEY)?;
        let mut conf_state: ConfState = read_key(&log, entries_group, CONF_STATE_KEY)?;
        if conf_state.voters.is_empty() {
            conf_state.voters = voters.to_vec();
        }
        check_members(&conf_state)?;
        let snapshot = match log.get(entries_group, SNAPSHOT_KEY) {
            Some(bytes) => Stored::decode(&bytes)?,
            None => Stored::default(),
        };
        check_numbers(&[hard_state.term, hard_state.commit])?;
        let mut store = Self {
            log,
            entries_group,
            slices_group,
            hard_state,
            is_hard_state_unsaved: false,
            conf_state,
            is_conf_state_unsaved: false,
            before_first: (snapshot.metadata.index, snapshot.metadata.term),
            last: snapshot.metadata.index,
            snapshot,
            cache: Cache::default(),
            lost: RefCell::default(),
            unread: RefCell::default(),
        };
        store.find_snapshot()?;
        store.find_entries()?;
        Ok(store)
    }

    /// Goes back to the snapshot before when the last one is damaged and nothing is lost by that.
    fn find_snapshot(&mut self) -> Result<(), Error> {
        let Err(error) = self.snapshot_data() else { return Ok(()) };
        let former = self.log.get(self.entries_group, FORMER_KEY);
        let Some(former) = former.filter(|_| self.is_alone()) else { return Err(error) };
        let former = Stored::decode(&former)?;
        let first = self.log.span(self.entries_group).map(|(first, _)| first);
        if first.is_none_or(|first| first > former.metadata.index + 1) {
            return Err(error);
        }
        let (damaged, index) = (self.snapshot.metadata.index, former.metadata.index);
        tracing::warn!(%error, damaged, index, "a snapshot is damaged: the one before stands in");
        self.before_first = (index, former.metadata.term);
        self.snapshot = former;
        self.snapshot_data().map(drop)
    }

    /// Places the stored entries relative to the snapshot and refuses what raft would panic on.
    fn find_entries(&mut self) -> Result<(), Error> {
        let covered = self.snapshot.metadata.index;
        if let Some((first, last)) = self.log.span(self.entries_group) {
            if first > covered + 1 && !self.is_alone() {
                return Err(Error::Damaged(format!("no entry between {covered} and {first}")));
            }
            if first <= covered && last >= covered {
                // The oldest kept entry only vouches for the term before the next.
                let mut kept = self.read(first, first + 1, 0)?;
                let Some(kept) = kept.pop() else {
                    return Err(Error::Damaged(format!("entry {first} is missing")));
                };
                self.before_first = (kept.index, kept.term);
            }
            self.last = last.max(covered);
        }
        let committed = self.hard_state.commit;
        if committed > self.last {
            return Err(Error::Damaged(format!(
                "entry {committed} was committed and the log ends at {}",
                self.last
            )));
        }
        self.hard_state.commit = committed.max(covered);
        Ok(())
    }

    /// Persists what a ready asks for in one batch. Takes `entries` when they are written: what found
    /// no room can be persisted once more.
    pub(crate) fn persist(
        &mut self,
        hard_state: Option<&HardState>,
        entries: &mut Vec<Entry>,
        flush: Flush,
    ) -> Result<(), Error> {
        let mut batch = Batch::default();
        if let Some(hard_state) = hard_state {
            self.hard_state = hard_state.clone();
            self.is_hard_state_unsaved = true;
        }
        if self.is_hard_state_unsaved {
            batch.put(self.entries_group, HARD_STATE_KEY, encode(&self.hard_state)?);
        }
        if self.is_conf_state_unsaved {
            batch.put(self.entries_group, CONF_STATE_KEY, encode(&self.conf_state)?);
        }
        for entry in &*entries {
            batch.append(self.entries_group, entry.index, encode(entry)?);
        }
        if !batch.is_empty() {
            self.log.write(&mut batch, flush)?;
        }
        self.is_hard_state_unsaved = false;
        self.is_conf_state_unsaved = false;
        for entry in entries.drain(..) {
            self.last = entry.index;
            self.cache.push(entry);
        }
        Ok(())
    }

    /// Notes how far the group has agreed. Saved with the next batch: a restart finds out anyway,
    /// this only spares it some messages.
    pub(crate) fn set_commit(&mut self, commit: u64) {
        self.hard_state.commit = commit;
        self.is_hard_state_unsaved = true;
    }

    /// Records new members. Saved with the next batch: raft applies it again otherwise.
    pub(crate) fn set_conf_state(&mut self, conf_state: ConfState) {
        self.conf_state = conf_state;
        self.is_conf_state_unsaved = true;
    }

    /// Stores a snapshot and drops the entries that it covers. A leader's snapshot replaces the
    /// whole log.
    pub(crate) fn save_snapshot(
        &mut self,
        metadata: SnapshotMetadata,
        data: &[u8],
    ) -> Result<(), Error> {
        // What an attempt left that found no room is written over.
        let start = match self.log.span(self.slices_group) {
            Some((first, last)) => self.snapshot.slices.end.clamp(first, last + 1),
            None => self.snapshot.slices.end.max(1),
        };
        let mut end = start;
        let mut batch = Batch::default();
        for slice in data.chunks(SLICE_BYTES) {
            batch.append(self.slices_group, end, slice.to_vec());
            self.log.write(&mut batch, Flush::Write)?;
            end += 1;
        }
        let stored = Stored { metadata, slices: start..end };
        let covered = stored.metadata.index;
        let former = &self.snapshot;
        let keep_from = if self.conf_state.voters.len() > 1 {
            covered.saturating_sub(CATCH_UP_ENTRIES).max(self.before_first.0)
        } else {
            former.metadata.index
        };
        let slices_from = if former.slices.is_empty() { start } else { former.slices.start };
        batch.put(self.entries_group, FORMER_KEY, former.encode()?);
        batch.put(self.entries_group, SNAPSHOT_KEY, stored.encode()?);
        batch.put(self.entries_group, CONF_STATE_KEY, encode(stored.metadata.get_conf_state())?);
        batch.compact(self.slices_group, slices_from);
        // A follower that was far behind has nothing near the snapshot: begin anew after it.
        let before_first = if covered > self.last {
            batch.compact(self.entries_group, self.last + 1);
            (covered, stored.metadata.term)
        } else if keep_from > self.before_first.0 {
            batch.compact(self.entries_group, keep_from);
            (keep_from, self.term(keep_from)?)
        } else {
            self.before_first
        };
        self.check()?;
        self.log.write(&mut batch, Flush::Sync)?;
        self.before_first = before_first;
        self.last = self.last.max(covered);
        self.hard_state.commit = self.hard_state.commit.max(covered);
        self.conf_state = stored.metadata.get_conf_state().clone();
        self.is_conf_state_unsaved = false;
        self.cache.drop_below(before_first.0 + 1);
        self.snapshot = stored;
        Ok(())
    }

    /// What the snapshot covers; index zero when there is none.
    pub(crate) fn snapshot_metadata(&self) -> &SnapshotMetadata {
        &self.snapshot.metadata
    }

    /// The snapshot's bytes.
    pub(crate) fn snapshot_data(&self) -> Result<Vec<u8>, Error> {
        let mut data = Vec::new();
        let mut slices = self.snapshot.slices.clone();
        while !slices.is_empty() {
            let before = slices.start;
            self.log.fetch(
                self.slices_group,
                slices.clone(),
                READ_BYTES,
                &mut |index, slice| {
                    data.extend_from_slice(slice);
                    slices.start = index + 1;
                },
            )?;
            if slices.start == before {
                return Err(Error::Damaged(format!("slice {before} of the snapshot is missing")));
            }
        }
        Ok(data)
    }

    /// Entries behind the snapshot that damage has cost, among those that were handed out.
    pub(crate) fn lost(&self) -> Vec<u64> {
        self.lost.borrow().range(self.snapshot.metadata.index + 1..).copied().collect()
    }

    pub(crate) fn conf_state(&self) -> &ConfState {
        &self.conf_state
    }

    /// Reads some of the entries of a range. Nobody else has what is damaged in the log of a lone
    /// voter: empty entries stand in for it, so that the rest is not lost as well. The log has
    /// warned of it.
    fn read(&self, low: u64, high: u64, bytes_max: usize) -> Result<Vec<Entry>, Error> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut next = low;
        loop {
            let mut damaged = None;
            let range = next..high;
            let outcome =
                self.log.fetch(self.entries_group, range, bytes_max, &mut |index, bytes| {
                    if damaged.is_none() && index > next {
                        damaged = Some(next);
                    }
                    match Entry::parse_from_bytes(bytes) {
                        Ok(entry) if entry.index == next => {
                            entries.push(entry);
                            next += 1;
                        }
                        Ok(_) | Err(_) => damaged = damaged.or(Some(next)),
                    }
                });
            let (index, reason) = match (outcome, damaged) {
                (Ok(()), None) => return Ok(entries),
                (Ok(()), Some(index)) => (index, "it is missing or no entry".to_owned()),
                (Err(storage::Error::Corrupt { index, reason, .. }), _) if index == next => {
                    (index, reason)
                }
                (Err(storage::Error::Corrupt { .. }), _) => (next, "it is missing".to_owned()),
                (Err(error), _) => return Err(error.into()),
            };
            if !self.is_alone() {
                return Err(Error::Damaged(format!("entry {index}: {reason}")));
            }
            self.lost.borrow_mut().insert(index);
            let term = entries.last().map_or(self.before_first.1, |entry| entry.term);
            entries.push(Entry { index, term, ..Entry::default() });
            next = index + 1;
        }
    }

    /// Reads for raft, which ends the process when it does not get what it asks for: empty entries stand
    /// in for what cannot be read, and must not be used once [`Store::check`] was asked.
    fn read_for_raft(&self, low: u64, high: u64, bytes_max: usize) -> Vec<Entry> {
        self.read(low, high, bytes_max).unwrap_or_else(|error| {
            self.unread.borrow_mut().get_or_insert(error);
            vec![Entry { index: low, term: self.before_first.1, ..Entry::default() }]
        })
    }

    /// Refuses to go on with what was read since the start.
    ///
    /// # Errors
    /// Why something that raft asked for could not be read.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.unread.borrow().clone().map_or(Ok(()), Err)
    }

    /// Whether there is no other member.
    fn is_alone(&self) -> bool {
        self.conf_state.voters.len() == 1
    }
}

impl Stored {
    fn encode(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&self.slices.start.to_le_bytes());
        bytes.extend_from_slice(&self.slices.end.to_le_bytes());
        bytes.extend_from_slice(&encode(&self.metadata)?);
        Ok(bytes)
    }

    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let damaged = || Error::Damaged("the snapshot's record is malformed".to_owned());
        let (start, bytes) = bytes.split_first_chunk::<8>().ok_or_else(damaged)?;
        let (end, bytes) = bytes.split_first_chunk::<8>().ok_or_else(damaged)?;
        let metadata = SnapshotMetadata::parse_from_bytes(bytes).map_err(|_| damaged())?;
        let slices = u64::from_le_bytes(*start)..u64::from_le_bytes(*end);
        check_numbers(&[metadata.index, metadata.term, slices.end])?;
        Ok(Self { metadata, slices })
    }
}

fn encode(message: &impl protobuf::Message) -> Result<Vec<u8>, Error> {
    message.write_to_bytes().map_err(|error| Error::Raft(error.to_string()))
}

fn read_key<M: protobuf::Message + Default>(
    log: &impl Log,
    group: GroupId,
    key: &[u8],
) -> Result<M, Error> {
    let Some(bytes) = log.get(group, key) else { return Ok(M::default()) };
    M::parse_from_bytes(&bytes)
        .map_err(|error| Error::Damaged(format!("{}: {error}", String::from_utf8_lossy(key))))
}

/// Refuses terms and indexes that no group gets to, so that those that follow need no check.
fn check_numbers(numbers: &[u64]) -> Result<(), Error> {
    match numbers.iter().find(|&&number| NUMBER_END <= number) {
        Some(number) => Err(Error::Damaged(format!("{number} is out of range"))),
        None => Ok(()),
    }
}

/// Refuses members that no group here has: raft would end the process.
fn check_members(members: &ConfState) -> Result<(), Error> {
    let distinct: BTreeSet<u64> = members.voters.iter().copied().collect();
    let plain = ConfState { voters: members.voters.clone(), ..ConfState::default() };
    if distinct.len() == members.voters.len() && *members == plain {
        return Ok(());
    }
    Err(Error::Damaged("the record of the members is malformed".to_owned()))
}

impl<L: Log> Storage for Store<L> {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState::new(self.hard_state.clone(), self.conf_state.clone()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low <= self.before_first.0 {
            return Err(raft::Error::Store(StorageError::Compacted));
        }
        let bytes_max = max_size.into().unwrap_or(u64::MAX);
        let mut entries = Vec::new();
        let mut bytes = 0;
        let mut at = low;
        while at < high {
            if let Some(entry) = self.cache.get(at) {
                bytes += u64::from(entry.compute_size());
                if bytes > bytes_max && !entries.is_empty() {
                    break;
                }
                entries.push(entry.clone());
                at += 1;
                continue;
            }
            let left = usize::try_from(bytes_max.saturating_sub(bytes)).unwrap_or(usize::MAX);
            if left == 0 && !entries.is_empty() {
                break;
            }
            let cached = self.cache.entries.front().map_or(high, |first| first.index);
            let until = high.min(cached.max(at + 1));
            let read = self.read_for_raft(at, until, left.min(READ_BYTES));
            let Some(last) = read.last() else {
                return Err(raft::Error::Store(StorageError::Unavailable));
            };
            at = last.index + 1;
            bytes += read.iter().map(|entry| u64::from(entry.compute_size())).sum::<u64>();
            entries.extend(read);
        }
        raft::util::limit_size(&mut entries, Some(bytes_max));
        Ok(entries)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index == self.before_first.0 {
            return Ok(self.before_first.1);
        }
        if index < self.before_first.0 {
            return Err(raft::Error::Store(StorageError::Compacted));
        }
        if let Some(entry) = self.cache.get(index) {
            return Ok(entry.term);
        }
        if index == self.snapshot.metadata.index {
            return Ok(self.snapshot.metadata.term);
        }
        let entries = self.read_for_raft(index, index + 1, 0);
        entries.first().map(|entry| entry.term).ok_or(raft::Error::Store(StorageError::Unavailable))
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.before_first.0 + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last)
    }

    fn snapshot(&self, request_index: u64, _to: u64) -> raft::Result<Snapshot> {
        if self.snapshot.metadata.index == 0 || self.snapshot.metadata.index < request_index {
            return Err(raft::Error::Store(StorageError::SnapshotTemporarilyUnavailable));
        }
        let mut snapshot = Snapshot::default();
        snapshot.set_metadata(self.snapshot.metadata.clone());
        let data = self.snapshot_data().map_err(|error| {
            self.unread.borrow_mut().get_or_insert(error);
            raft::Error::Store(StorageError::SnapshotTemporarilyUnavailable)
        })?;
        snapshot.data = data.into();
        Ok(snapshot)
    }
}
