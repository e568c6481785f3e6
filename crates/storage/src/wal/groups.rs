//! Where each group's records are in the log: the writer's side of the write-ahead log.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use super::chunk::Header;
use super::replay;
use crate::{Error, GroupId, Log};

/// What the writer knows of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Index in the log of the first chunk.
    first_chunk: u64,
    /// The first record of each chunk from there on.
    chunks: VecDeque<u64>,
    /// Records below are compacted away.
    pub(super) floor: u64,
    /// The index that the next record must have, once there was one.
    pub(super) next: Option<u64>,
}

impl Default for Group {
    fn default() -> Self {
        Self::new(1, 0)
    }
}

impl Group {
    /// A group without a chunk, whose next one gets the index `first_chunk` in the log.
    pub(super) fn new(first_chunk: u64, floor: u64) -> Self {
        Self { first_chunk, chunks: VecDeque::new(), floor, next: None }
    }

    pub(super) fn has_chunks(&self) -> bool {
        !self.chunks.is_empty()
    }

    /// The front of the group's next chunk.
    pub(super) fn next_header(&self, first: u64, count: u32) -> Header {
        Header { floor: self.floor, first, count }
    }

    /// Notes a chunk and returns its index in the log.
    pub(super) fn push_chunk(&mut self, header: Header) -> u64 {
        stdx::push_snugly(&mut self.chunks, header.first);
        self.first_chunk + self.chunks.len() as u64 - 1
    }

    /// Notes a chunk of which nothing is known: records from the last one known on may lie in it, and
    /// any may follow.
    pub(super) fn push_lost_chunk(&mut self) {
        let unknown = self.first_unknown();
        stdx::push_snugly(&mut self.chunks, unknown);
        self.next = None;
    }

    /// The record that comes next, as far as is known.
    pub(super) fn first_unknown(&self) -> u64 {
        self.next.or(self.chunks.back().copied()).unwrap_or(self.floor)
    }

    /// Forgets the chunks that hold nothing at or above the floor, but never the last: it carries
    /// the floor. Returns the first chunk kept if some were forgotten.
    pub(super) fn drop_chunks(&mut self) -> Option<u64> {
        let before = self.first_chunk;
        while self.chunks.get(1).is_some_and(|&second| second <= self.floor) {
            self.chunks.pop_front();
            self.first_chunk += 1;
        }
        stdx::shrink_sparse(&mut self.chunks);
        (self.first_chunk > before).then_some(self.first_chunk)
    }
}

/// The groups seen since the start; others are read from the log when first named.
#[derive(Default)]
pub(super) struct Groups {
    known: HashMap<GroupId, Group>,
    /// Removed in the batch that is being put together: the log does not know yet.
    removed: Vec<GroupId>,
}

impl Groups {
    /// The group as the writer knows it, read from the log or made new.
    pub(super) fn get(&mut self, log: &dyn Log, group: GroupId) -> Result<&mut Group, Error> {
        match self.known.entry(group) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(unknown) => {
                let found = replay::replay(log, group, &mut |_, _| {})?;
                Ok(unknown.insert(found.map(|found| found.known).unwrap_or_default()))
            }
        }
    }

    /// Begins the group anew.
    pub(super) fn remove(&mut self, group: GroupId) {
        self.known.insert(group, Group::default());
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

    /// What a replay found.
    pub(super) fn insert(&mut self, group: GroupId, found: Group) {
        self.known.entry(group).or_insert(found);
    }
}
