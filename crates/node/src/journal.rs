//! The queues' journals on the node's write-ahead log.

use std::sync::Arc;

use broker::{Event, Journal, Lsn, MailboxRef, PageRef};
use bytes::Bytes;
use consensus::NodeId;
use storage::{GroupId, Lost, Waiter, Wal};
use topology::{QueueId, QueueKind, QueueRecord};

use crate::pages::to_store;
use crate::quorum::{self, QuorumJournal};
use crate::raft::RaftGroup;

#[cfg(test)]
mod tests;

/// The log group of a classic queue.
fn group_of(queue: QueueId) -> GroupId {
    GroupId(queue.0)
}

/// The queue of a log group.
pub(crate) fn queue_of(group: GroupId) -> QueueId {
    quorum::queue_of(group).unwrap_or(QueueId(group.0))
}

/// [`Journal`] over [`Wal`]: the two know each other by numbers alone. Entries of classic queues
/// are records as they are, those of replicated queues go through consensus.
pub(crate) struct WalJournal {
    wal: Arc<Wal>,
    quorum: QuorumJournal,
}

impl WalJournal {
    pub(crate) fn new(node: NodeId, wal: Arc<Wal>) -> Self {
        Self { quorum: QuorumJournal::new(node, wal.clone()), wal }
    }

    /// Names the raft group of each replicated queue that ever had an entry.
    pub(crate) fn for_each_group(&self, f: &mut dyn FnMut(RaftGroup)) {
        self.quorum.for_each_group(f);
    }

    /// Hands out the entries of all queues at the start, in order for each, by the queue's own
    /// numbers. Returns what cannot be read, and was skipped.
    pub(crate) fn replay(
        &self,
        visit: &mut dyn FnMut(QueueId, u64, &[u8]),
    ) -> Result<Vec<Lost>, storage::Error> {
        let mut damaged = Vec::new();
        let mut lost = self.wal.replay_all(&mut |group, index, record| {
            let Some(queue) = quorum::queue_of(group) else {
                return visit(queue_of(group), index, record);
            };
            match self.quorum.recover(queue, index, record) {
                Ok(Some((number, entry))) => visit(queue, number, entry),
                Ok(None) => {}
                Err(error) => {
                    let reason = error.to_string();
                    let (end, places) = (Some(index + 1), Vec::new());
                    damaged.push(Lost { group, first: index, end, reason, places });
                }
            }
        })?;
        for lost in &lost {
            if let Some(queue) = quorum::queue_of(lost.group) {
                self.quorum.handle_lost(queue, lost);
            }
        }
        lost.append(&mut damaged);
        Ok(lost)
    }

    /// Drops the logs of queues that are not there any more. Called once, after the replay.
    pub(crate) fn remove_orphans(&self, is_there: impl Fn(QueueId) -> bool) {
        for group in self.wal.groups() {
            match (is_there(queue_of(group)), quorum::queue_of(group)) {
                (true, _) => {}
                (false, Some(queue)) => self.quorum.remove(queue),
                (false, None) => drop(self.wal.remove(group)),
            }
        }
    }
}

impl Journal for WalJournal {
    fn append(
        &self,
        queue: &QueueRecord,
        index: u64,
        entry: &[u8],
        attachments: &[(PageRef, Bytes)],
    ) -> Lsn {
        let attached = attachments.iter().map(|(page, bytes)| (to_store(*page), bytes.clone()));
        let lsn = match queue.kind {
            QueueKind::Quorum => self.quorum.append(queue.id, index, entry, attached),
            QueueKind::Classic | QueueKind::Stream => {
                self.wal.append_with(group_of(queue.id), index, entry, attached)
            }
        };
        Lsn(lsn.0)
    }

    fn compact(&self, queue: &QueueRecord, keep_from: u64) {
        match queue.kind {
            QueueKind::Quorum => self.quorum.compact(queue.id, keep_from),
            QueueKind::Classic | QueueKind::Stream => {
                self.wal.compact(group_of(queue.id), keep_from);
            }
        }
    }

    fn clear(&self, queue: &QueueRecord) {
        match queue.kind {
            QueueKind::Quorum => self.quorum.clear(queue.id),
            QueueKind::Classic | QueueKind::Stream => drop(self.wal.remove(group_of(queue.id))),
        }
    }

    fn remove(&self, queue: &QueueRecord) {
        match queue.kind {
            QueueKind::Quorum => self.quorum.remove(queue.id),
            QueueKind::Classic | QueueKind::Stream => drop(self.wal.remove(group_of(queue.id))),
        }
    }

    fn durable(&self) -> Lsn {
        Lsn(self.wal.durable().0)
    }

    fn notify(&self, lsn: Lsn, mailbox: MailboxRef) {
        self.wal.notify_when(storage::Lsn(lsn.0), Arc::new(WakeMailbox(mailbox)));
    }

    fn backlog_bytes(&self) -> u64 {
        self.wal.pending_bytes()
    }

    fn has_failed(&self) -> bool {
        self.wal.failure().is_some()
    }
}

struct WakeMailbox(MailboxRef);

impl Waiter for WakeMailbox {
    fn handle_durable(&self, _durable: storage::Lsn) {
        self.0.wake();
    }

    fn handle_failure(&self, _error: &storage::Error) {
        self.0.post(Event::JournalFailed);
        self.0.wake();
    }
}
