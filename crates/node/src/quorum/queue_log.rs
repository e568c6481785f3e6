//! One replicated queue's log as this node keeps it.

use std::collections::VecDeque;

use bytes::Bytes;
use consensus::{Error, Member, NodeId, Record, Terms};
use storage::{GroupId, Lsn, PageRef, Wal};
use topology::QueueId;

use super::numbers::Numbers;
use crate::raft::RaftGroup;

/// Bytes of the queue's own number in front of its entry.
const NUMBER_LEN: usize = 8;

/// The raft member of a queue, and the way from the queue's numbers to raft's.
pub(super) struct QueueLog {
    node: NodeId,
    group: GroupId,
    /// What the log held at the start, until there is a member.
    stored: Terms,
    /// Made with the first entry since the start: most queues of a node that starts are idle.
    member: Option<Box<Member>>,
    numbers: Numbers,
    /// Positions of the last entries in the node's log, and their indexes, until they are durable.
    pending: VecDeque<(Lsn, u64)>,
    /// The queue needs no entry below.
    keep_from: u64,
    /// Entries below are dropped.
    kept_from: u64,
    /// Whether somebody will call [`QueueLog::handle_durable`].
    pub(super) is_watched: bool,
}

impl QueueLog {
    pub(super) fn new(node: NodeId, group: GroupId) -> Self {
        Self {
            node,
            group,
            stored: Terms::default(),
            member: None,
            numbers: Numbers::default(),
            pending: VecDeque::new(),
            keep_from: 0,
            kept_from: 0,
            is_watched: false,
        }
    }

    /// Takes a record that a replay found: the queue's entry and its number, if it holds one.
    pub(super) fn recover<'a>(
        &mut self,
        index: u64,
        record: &'a [u8],
    ) -> Result<Option<(u64, &'a [u8])>, Error> {
        let found = self.recover_entry(index, record);
        if found.is_err() {
            self.skip(index);
        }
        found
    }

    fn recover_entry<'a>(
        &mut self,
        index: u64,
        record: &'a [u8],
    ) -> Result<Option<(u64, &'a [u8])>, Error> {
        let Record { term, data } = Record::parse(record)?;
        let Some(data) = data else {
            self.stored.push(index, term)?;
            return Ok(None);
        };
        let damaged = || Error::Damaged("the entry is cut off".to_owned());
        let (number, entry) = data.split_first_chunk::<NUMBER_LEN>().ok_or_else(damaged)?;
        self.stored.push(index, term)?;
        let number = u64::from_le_bytes(*number);
        self.numbers.push(number, index);
        Ok(Some((number, entry)))
    }

    /// Goes on behind `index`: nobody knows what was there.
    pub(super) fn skip(&mut self, index: u64) {
        self.stored.push_unreadable(index);
    }

    /// Proposes the queue's entry and appends what that takes to the node's log.
    pub(super) fn append(
        &mut self,
        wal: &Wal,
        number: u64,
        entry: &[u8],
        attachments: impl IntoIterator<Item = (PageRef, Bytes)>,
    ) -> Lsn {
        let (lsn, index) = self.propose(wal, &[&number.to_le_bytes(), entry], attachments);
        self.numbers.push(number, index);
        lsn
    }

    fn propose(
        &mut self,
        wal: &Wal,
        parts: &[&[u8]],
        attachments: impl IntoIterator<Item = (PageRef, Bytes)>,
    ) -> (Lsn, u64) {
        let Self { node, group, stored, member, .. } = self;
        let member = member.get_or_insert_with(|| {
            let member = Member::alone(*node, std::mem::take(stored));
            Box::new(member.expect("the only voter leads"))
        });
        let mut lsn = Lsn(0);
        // Raft may have a record of its own to write first: what is attached to that is there in time.
        let mut attachments = Some(attachments);
        let save = &mut |index, record: &[u8]| {
            lsn = match attachments.take() {
                Some(attachments) => wal.append_with(*group, index, record, attachments),
                None => wal.append(*group, index, record),
            };
        };
        let index = member.propose(parts, save).expect("the only voter leads");
        self.pending.push_back((lsn, index));
        (lsn, index)
    }

    /// The node's log is durable up to here, so the entries below are committed.
    pub(super) fn handle_durable(&mut self, wal: &Wal, durable: Lsn) {
        let mut persisted = None;
        while let Some(&(lsn, index)) = self.pending.front()
            && lsn <= durable
        {
            persisted = Some(index);
            self.pending.pop_front();
        }
        if let (Some(index), Some(member)) = (persisted, &mut self.member) {
            member.handle_persisted(index);
            self.drop_entries(wal);
        }
    }

    /// What the group of this queue has come to.
    pub(super) fn figures(&self, queue: QueueId) -> RaftGroup {
        let (term, last_index, commit_index) = match &self.member {
            Some(member) => (member.term(), member.last(), member.committed()),
            // What a start found is on the disk, and the only voter has it.
            None => (self.stored.last_term(), self.stored.last(), self.stored.last()),
        };
        let snapshot_index = Some(self.kept_from.saturating_sub(1));
        RaftGroup { queue: Some(queue), term, last_index, commit_index, snapshot_index }
    }

    /// Whether there are entries that are not known to be durable.
    pub(super) fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The queue needs no entry below this number. They go as soon as they are committed.
    pub(super) fn compact(&mut self, wal: &Wal, number: u64) {
        if let Some(index) = self.numbers.index_of(number) {
            self.keep_from = self.keep_from.max(index);
            self.drop_entries(wal);
        }
    }

    /// The queue needs none of its entries. A blank one stays, for the sake of its term and index.
    /// Returns the blank one's position, `None` when there was nothing to clear.
    pub(super) fn clear(&mut self, wal: &Wal) -> Option<Lsn> {
        if self.numbers.is_empty() {
            return None;
        }
        let (lsn, index) = self.propose(wal, &[], []);
        self.numbers.clear();
        self.keep_from = index;
        Some(lsn)
    }

    /// The queue is gone: nothing that is under way concerns it any more.
    pub(super) fn abandon(&mut self) {
        self.pending.clear();
    }

    fn drop_entries(&mut self, wal: &Wal) {
        if self.keep_from <= self.kept_from {
            return;
        }
        let first = match &mut self.member {
            Some(member) => member.compact(self.keep_from),
            None => {
                self.stored.compact(self.keep_from);
                self.stored.first()
            }
        };
        if first > self.kept_from {
            self.kept_from = first;
            self.numbers.drop_below(first);
            wal.compact(self.group, first);
        }
    }
}
