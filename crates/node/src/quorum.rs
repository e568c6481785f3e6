//! The journal of replicated queues: every entry is proposed to a raft group of the queue's own.
//!
//! The groups' logs lie in the node's one write-ahead log, as the journals of classic queues do:
//! one sync for all of them, and the same compaction. With one voter an entry is committed when it
//! is durable there, so the position in the node's log is what confirms wait for.

mod numbers;
mod queue_log;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use consensus::NodeId;
use parking_lot::{Mutex, MutexGuard, RwLock};
use storage::{GroupId, Lost, Lsn, PageRef, Waiter, Wal};
use topology::QueueId;

use crate::raft::RaftGroup;
use queue_log::QueueLog;

/// Set in the numbers of groups whose records are raft's. Numbers of queues are far below.
const REPLICATED: u64 = 1 << 62;

/// The log group of a replicated queue.
pub(crate) fn group_of(queue: QueueId) -> GroupId {
    GroupId(queue.0 | REPLICATED)
}

/// The queue of a log group, if that is a replicated queue's.
pub(crate) fn queue_of(group: GroupId) -> Option<QueueId> {
    (group.0 & REPLICATED != 0).then_some(QueueId(group.0 & !REPLICATED))
}

type LogRef = Arc<Mutex<QueueLog>>;

/// The logs of all replicated queues of this node.
///
/// Lock order: a queue, then its log, then leaves: the list of what waits for a sync, the
/// write-ahead log's buffer.
pub(crate) struct QuorumJournal {
    node: NodeId,
    wal: Arc<Wal>,
    /// Queues that ever had an entry.
    logs: RwLock<HashMap<QueueId, LogRef>>,
    commits: Arc<Commits>,
}

impl QuorumJournal {
    /// The journal of this node's queues in `wal`, before any record was replayed.
    pub(crate) fn new(node: NodeId, wal: Arc<Wal>) -> Self {
        let commits = Arc::new(Commits { wal: wal.clone(), waiting: Mutex::default() });
        Self { node, wal, logs: RwLock::default(), commits }
    }

    /// Takes a record of the queue's group that a replay found, in order. Returns the queue's entry
    /// with its number, `None` for a record of raft's own.
    ///
    /// # Errors
    /// [`consensus::Error::Damaged`]: the record is skipped, the log goes on behind it.
    pub(crate) fn recover<'a>(
        &self,
        queue: QueueId,
        index: u64,
        record: &'a [u8],
    ) -> Result<Option<(u64, &'a [u8])>, consensus::Error> {
        self.log_of(queue).lock().recover(index, record)
    }

    /// Records of the queue's group cannot be read: their places are taken. Called after the others
    /// were recovered.
    pub(crate) fn handle_lost(&self, queue: QueueId, lost: &Lost) {
        let last = lost.end.map_or(lost.first, |end| end - 1);
        self.log_of(queue).lock().skip(last);
    }

    /// Proposes entry `number` of the queue and appends it to the node's log, with the pages that it
    /// names. It is committed once
    /// the position returned is durable.
    pub(crate) fn append(
        &self,
        queue: QueueId,
        number: u64,
        entry: &[u8],
        attachments: impl IntoIterator<Item = (PageRef, Bytes)>,
    ) -> Lsn {
        let log = self.log_of(queue);
        let mut locked = log.lock();
        let lsn = locked.append(&self.wal, number, entry, attachments);
        self.watch(&log, locked, lsn);
        lsn
    }

    /// The queue's entries before number `keep_from` are not needed any more.
    pub(crate) fn compact(&self, queue: QueueId, keep_from: u64) {
        if let Some(log) = self.known_log_of(queue) {
            log.lock().compact(&self.wal, keep_from);
        }
    }

    /// None of the queue's entries so far is needed any more.
    pub(crate) fn clear(&self, queue: QueueId) {
        let Some(log) = self.known_log_of(queue) else { return };
        let mut locked = log.lock();
        if let Some(lsn) = locked.clear(&self.wal) {
            self.watch(&log, locked, lsn);
        }
    }

    /// The queue is gone, and its group with it.
    pub(crate) fn remove(&self, queue: QueueId) {
        if let Some(log) = self.logs.write().remove(&queue) {
            log.lock().abandon();
        }
        self.wal.remove(group_of(queue));
    }

    /// Names the group of each queue, one after the other.
    pub(crate) fn for_each_group(&self, f: &mut dyn FnMut(RaftGroup)) {
        let logs: Vec<_> = self.logs.read().iter().map(|(id, log)| (*id, log.clone())).collect();
        for (queue, log) in logs {
            let group = log.lock().figures(queue);
            f(group);
        }
    }

    fn known_log_of(&self, queue: QueueId) -> Option<LogRef> {
        self.logs.read().get(&queue).cloned()
    }

    fn log_of(&self, queue: QueueId) -> LogRef {
        if let Some(log) = self.known_log_of(queue) {
            return log;
        }
        let new = || Arc::new(Mutex::new(QueueLog::new(self.node, group_of(queue))));
        self.logs.write().entry(queue).or_insert_with(new).clone()
    }

    /// Makes sure that the log hears when its entry at `lsn` is durable.
    fn watch(&self, log: &LogRef, mut locked: MutexGuard<'_, QueueLog>, lsn: Lsn) {
        let is_watched = std::mem::replace(&mut locked.is_watched, true);
        drop(locked);
        if !is_watched {
            self.commits.add(log.clone(), lsn);
        }
    }
}

/// The logs with entries that wait for a sync: told in bulk, once for each sync, so that members
/// let go of entries without being asked.
struct Commits {
    wal: Arc<Wal>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    logs: Vec<LogRef>,
    /// Whether the write-ahead log will call.
    is_armed: bool,
}

impl Commits {
    fn add(self: &Arc<Self>, log: LogRef, lsn: Lsn) {
        let mut waiting = self.waiting.lock();
        waiting.logs.push(log);
        let is_armed = std::mem::replace(&mut waiting.is_armed, true);
        drop(waiting);
        if !is_armed {
            self.arm(lsn);
        }
    }

    fn arm(self: &Arc<Self>, lsn: Lsn) {
        self.wal.notify_when(lsn, Arc::new(OnDurable(Arc::downgrade(self))));
    }

    /// Tells all logs; those that appended since wait for the next sync.
    fn tell(self: &Arc<Self>, durable: Lsn) {
        let mut logs = std::mem::take(&mut self.waiting.lock().logs);
        logs.retain(|log| {
            let mut log = log.lock();
            log.handle_durable(&self.wal, durable);
            log.is_watched = log.is_pending();
            log.is_watched
        });
        let mut waiting = self.waiting.lock();
        waiting.logs.append(&mut logs);
        waiting.is_armed = !waiting.logs.is_empty();
        let is_armed = waiting.is_armed;
        drop(waiting);
        if is_armed {
            self.arm(Lsn(durable.0 + 1));
        }
    }
}

/// The call that the write-ahead log makes. The log does not keep alive who keeps it alive: what
/// nobody waits for any more at the end of a node goes with it.
struct OnDurable(Weak<Commits>);

impl Waiter for OnDurable {
    fn handle_durable(&self, durable: Lsn) {
        if let Some(commits) = self.0.upgrade() {
            commits.tell(durable);
        }
    }

    fn handle_failure(&self, _error: &storage::Error) {
        // Nothing is committed any more, and the node ends.
        if let Some(commits) = self.0.upgrade() {
            commits.waiting.lock().logs.clear();
        }
    }
}
