//! Where each group's records are in the log: the writer's side of the write-ahead log.

use std::collections::{HashMap, VecDeque};

use super::chunk::{self, Header};
use crate::{Batch, Error, Flush, GroupId, Log};

/// The write-ahead log's own group, for its counter of starts.
pub(super) const OWN_GROUP: GroupId = GroupId(0);
/// The key of that counter.
const STARTS_KEY: &[u8] = b"starts";
/// Incarnations a single start may hand out.
const INCARNATION_BITS: u32 = 40;
/// Bytes of chunks that a replay holds at once, apart from a single larger one.
const REPLAY_BYTES: usize = 1 << 20;

/// What the writer knows of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) incarnation: u64,
    /// Index in the log of the first chunk.
    first_chunk: u64,
    /// The first record of each chunk from there on.
    chunks: VecDeque<u64>,
    /// Records below are compacted away.
    pub(super) floor: u64,
    /// The index that the next record must have, once there was one.
    pub(super) next: Option<u64>,
}

impl Group {
    fn new(incarnation: u64) -> Self {
        Self { incarnation, first_chunk: 1, chunks: VecDeque::new(), floor: 0, next: None }
    }

    pub(super) fn has_chunks(&self) -> bool {
        !self.chunks.is_empty()
    }

    /// Notes a chunk and returns its index in the log.
    pub(super) fn push_chunk(&mut self, first: u64) -> u64 {
        self.chunks.push_back(first);
        self.first_chunk + self.chunks.len() as u64 - 1
    }

    /// Forgets the chunks that hold nothing at or above the floor, but never the last: it carries
    /// the floor. Returns the first chunk kept if some were forgotten.
    pub(super) fn drop_chunks(&mut self) -> Option<u64> {
        let before = self.first_chunk;
        while self.chunks.get(1).is_some_and(|&second| second <= self.floor) {
            self.chunks.pop_front();
            self.first_chunk += 1;
        }
        (self.first_chunk > before).then_some(self.first_chunk)
    }
}

/// The groups seen since the start; others are read from the log when first named.
pub(super) struct Groups {
    known: HashMap<GroupId, Group>,
    /// Removed in the batch that is being put together: the log does not know yet.
    removed: Vec<GroupId>,
    next_incarnation: u64,
}

impl Groups {
    pub(super) fn open(log: &dyn Log) -> Result<Self, Error> {
        let own = OWN_GROUP.of_wal();
        let starts = log
            .get(own, STARTS_KEY)
            .and_then(|value| value.first_chunk::<8>().copied())
            .map_or(1, |value| u64::from_le_bytes(value) + 1);
        let mut batch = Batch::default();
        batch.put(own, STARTS_KEY, starts.to_le_bytes().to_vec());
        // Synced together with the first append: without one there is nothing to tell apart.
        log.write(&mut batch, Flush::Write)?;
        Ok(Self {
            known: HashMap::new(),
            removed: Vec::new(),
            next_incarnation: starts << INCARNATION_BITS,
        })
    }

    /// The group as the writer knows it, read from the log or made new.
    pub(super) fn get(&mut self, log: &dyn Log, group: GroupId) -> Result<&mut Group, Error> {
        if !self.known.contains_key(&group) {
            let found = load(log, group, &mut |_, _| {})?;
            let found = found.unwrap_or_else(|| self.fresh());
            self.known.insert(group, found);
        }
        Ok(self.known.get_mut(&group).expect("it was inserted above"))
    }

    /// Begins the group anew.
    pub(super) fn remove(&mut self, group: GroupId) {
        let fresh = self.fresh();
        self.known.insert(group, fresh);
        self.removed.push(group);
    }

    /// Forgets the removed groups that nobody has begun to use again: the log now agrees.
    pub(super) fn handle_written(&mut self) {
        for group in self.removed.drain(..) {
            if self.known.get(&group).is_some_and(|known| known.chunks.is_empty()) {
                self.known.remove(&group);
            }
        }
    }

    fn fresh(&mut self) -> Group {
        self.next_incarnation += 1;
        Group::new(self.next_incarnation)
    }

    pub(super) fn replay(
        &mut self,
        log: &dyn Log,
        group: GroupId,
        visit: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(), Error> {
        if let Some(found) = load(log, group, visit)? {
            self.known.entry(group).or_insert(found);
        }
        Ok(())
    }
}

/// Reads a group from the log: its records at or above the floor go to `visit`.
fn load(
    log: &dyn Log,
    group: GroupId,
    visit: &mut dyn FnMut(u64, &[u8]),
) -> Result<Option<Group>, Error> {
    let in_log = group.of_wal();
    let Some((first, last)) = log.span(in_log) else { return Ok(None) };
    // The last chunk knows the latest floor, so it is read first.
    let mut found = None;
    log.fetch(in_log, last..last + 1, REPLAY_BYTES, &mut |_, bytes| {
        found = chunk::decode(bytes).map(|(header, _)| Group {
            incarnation: header.incarnation,
            first_chunk: first,
            chunks: VecDeque::new(),
            floor: header.floor,
            next: None,
        });
    })?;
    let malformed = |index| Error::Corrupt {
        group: in_log,
        index,
        reason: "the chunk is malformed".to_owned(),
    };
    let mut found = found.ok_or_else(|| malformed(last))?;
    let mut at = first;
    while at <= last {
        let from = at;
        let mut bad = None;
        log.fetch(in_log, at..last + 1, REPLAY_BYTES, &mut |index, bytes| {
            at = index + 1;
            if bad.is_none() && visit_chunk(&mut found, bytes, visit).is_none() {
                bad = Some(index);
            }
        })?;
        if let Some(index) = bad.or((at == from).then_some(at)) {
            return Err(malformed(index));
        }
    }
    Ok(Some(found))
}

fn visit_chunk(group: &mut Group, bytes: &[u8], visit: &mut dyn FnMut(u64, &[u8])) -> Option<()> {
    let (Header { first, count, .. }, mut records) = chunk::decode(bytes)?;
    group.chunks.push_back(first);
    for index in first..first + u64::from(count) {
        let record = chunk::next_record(&mut records)?;
        if index >= group.floor {
            visit(index, record);
        }
    }
    group.next = Some(first + u64::from(count));
    Some(())
}
