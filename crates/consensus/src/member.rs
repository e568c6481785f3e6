//! One node's part in a raft group whose entries lie in a log that many groups share.
//!
//! Where [`Group`](crate::Group) writes its entries, waits and hands them back, a member only
//! numbers them: the caller appends each record it is given wherever all groups append, and says
//! later how far they are durable. One sync serves all groups, and an idle one costs no time.

use std::collections::VecDeque;

use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{Config, GetEntriesContext, RaftState, RawNode, StateRole, Storage, StorageError};

use crate::{Error, NodeId, Terms, record};

#[cfg(test)]
mod tests;

/// Ticks are for groups with somebody else in them; raft refuses to go without a value.
const HEARTBEAT_TICKS: usize = 1;
/// The same.
const ELECTION_TICKS: usize = 10;
/// A window to oneself, which raft allocates for every voter.
const MESSAGES_IN_FLIGHT_MAX: usize = 1;
/// Bytes of committed entries that raft looks at in one step.
const COMMITTED_BYTES_MAX: u64 = 4 << 20;

/// Given the index of each new entry and the record to persist for it.
pub type Save<'a> = &'a mut dyn FnMut(u64, &[u8]);

/// A member of a raft group, sans I/O.
///
/// For now the only one: it leads from the start, whatever it persisted is committed, and there is
/// nobody to send messages to.
pub struct Member {
    node: RawNode<Tail>,
    /// What was given out to be persisted and is not yet known to be, oldest first.
    given_out: VecDeque<GivenOut>,
}

/// The entries of one of raft's steps.
#[derive(Clone, Copy, Debug)]
struct GivenOut {
    last: u64,
    /// What raft calls the step.
    ready: u64,
}

impl Member {
    /// The only member of its group, over the entries that it persisted earlier. They are
    /// committed, and the member leads in a new term.
    ///
    /// # Errors
    /// [`Error::Raft`] when raft refuses.
    pub fn alone(id: NodeId, stored: Terms) -> Result<Self, Error> {
        let config = Config {
            id: id.0,
            applied: stored.last(),
            election_tick: ELECTION_TICKS,
            heartbeat_tick: HEARTBEAT_TICKS,
            max_inflight_msgs: MESSAGES_IN_FLIGHT_MAX,
            max_committed_size_per_ready: COMMITTED_BYTES_MAX,
            ..Config::default()
        };
        let tail = Tail { id, terms: stored, uncommitted: VecDeque::new() };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let mut node = RawNode::new(&config, tail, &logger)?;
        node.campaign()?;
        debug_assert_eq!(node.raft.state, StateRole::Leader, "the only voter wins");
        Ok(Self { node, given_out: VecDeque::new() })
    }

    /// Proposes an entry whose data are the `parts`, joined; without a byte it is an entry for the
    /// log's sake. `save` is given what must now be persisted, in order: this entry, and before it
    /// the first of a new term. Returns the entry's index.
    ///
    /// # Errors
    /// [`Error::NotLeader`].
    pub fn propose(&mut self, parts: &[&[u8]], save: Save<'_>) -> Result<u64, Error> {
        let data = match parts.iter().all(|part| part.is_empty()) {
            true => Vec::new(),
            false => record::with_data(self.term(), parts),
        };
        self.node.propose(Vec::new(), data)?;
        self.give_out(save);
        Ok(self.last())
    }

    /// Everything up to `index` is persisted. What one proposal gave out commits as a whole.
    pub fn handle_persisted(&mut self, index: u64) {
        let mut persisted = None;
        while let Some(front) = self.given_out.front()
            && front.last <= index
        {
            persisted = Some(front.ready);
            self.given_out.pop_front();
        }
        let Some(ready) = persisted else { return };
        if self.given_out.is_empty() {
            // An idle member is small.
            self.given_out = VecDeque::new();
        }
        self.node.on_persist_ready(ready);
        self.give_out(&mut |index, _| {
            debug_assert!(false, "entry {index} was given out when it was proposed");
        });
    }

    /// Forgets the entries below `keep_from`, as far as they are committed, and never the last.
    /// Returns the first entry kept: the log may drop those below.
    pub fn compact(&mut self, keep_from: u64) -> u64 {
        let committed = self.committed();
        let terms = &mut self.node.mut_store().terms;
        terms.compact(keep_from.min(committed));
        terms.first()
    }

    /// Index of the last entry, persisted or not.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.node.raft.raft_log.last_index()
    }

    /// Index of the last entry that no failure can undo.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.node.raft.raft_log.committed
    }

    /// The current term.
    #[must_use]
    pub fn term(&self) -> u64 {
        self.node.raft.term
    }

    /// Passes raft's new entries to `save`, and lets go of those that were committed.
    fn give_out(&mut self, save: Save<'_>) {
        while self.node.has_ready() {
            let mut ready = self.node.ready();
            let entries = ready.take_entries();
            if let Some(last) = entries.last() {
                self.given_out.push_back(GivenOut { last: last.index, ready: ready.number() });
            }
            for entry in entries {
                match entry.data.is_empty() {
                    true => save(entry.index, &record::blank(entry.term)),
                    false => save(entry.index, &entry.data),
                }
                self.node.mut_store().push(entry);
            }
            let committed = ready.take_committed_entries().last().map(|entry| entry.index);
            self.node.advance_append_async(ready);
            if let Some(committed) = committed {
                self.node.mut_store().forget(committed);
                self.node.advance_apply_to(committed);
            }
        }
    }
}

/// What raft may ask of the log: the terms of all entries, the data of the uncommitted.
struct Tail {
    id: NodeId,
    terms: Terms,
    uncommitted: VecDeque<Entry>,
}

impl Tail {
    fn push(&mut self, entry: Entry) {
        self.terms.push(entry.index, entry.term).expect("raft numbers its entries");
        self.uncommitted.push_back(entry);
    }

    fn forget(&mut self, committed: u64) {
        while self.uncommitted.front().is_some_and(|entry| entry.index <= committed) {
            self.uncommitted.pop_front();
        }
        if self.uncommitted.is_empty() {
            // An idle member is small.
            self.uncommitted = VecDeque::new();
        }
    }
}

impl Storage for Tail {
    fn initial_state(&self) -> raft::Result<RaftState> {
        // Who leads a term voted for itself, and what the only voter has is committed.
        let hard_state = HardState {
            term: self.terms.last_term(),
            vote: self.id.0,
            commit: self.terms.last(),
            ..HardState::default()
        };
        let members = ConfState { voters: vec![self.id.0], ..ConfState::default() };
        Ok(RaftState::new(hard_state, members))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        let first = self.uncommitted.front().map_or(u64::MAX, |entry| entry.index);
        if low < first {
            return Err(raft::Error::Store(StorageError::Compacted));
        }
        let held = self.uncommitted.iter();
        let mut entries: Vec<Entry> = held
            .skip_while(|entry| entry.index < low)
            .take_while(|entry| entry.index < high)
            .cloned()
            .collect();
        raft::util::limit_size(&mut entries, max_size.into());
        Ok(entries)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        let missing = match index < self.terms.first() {
            true => StorageError::Compacted,
            false => StorageError::Unavailable,
        };
        self.terms.term(index).ok_or(raft::Error::Store(missing))
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.terms.first_known())
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.terms.last())
    }

    fn snapshot(&self, _request_index: u64, _to: u64) -> raft::Result<Snapshot> {
        Err(raft::Error::Store(StorageError::SnapshotTemporarilyUnavailable))
    }
}
