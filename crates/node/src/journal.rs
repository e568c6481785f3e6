//! The queues' journal on the node's write-ahead log.

use std::sync::Arc;

use broker::{Event, Journal, Lsn, MailboxRef};
use storage::{GroupId, Waiter, Wal};
use topology::{QueueId, QueueRecord};

/// The log group of a queue.
pub(crate) fn group_of(queue: QueueId) -> GroupId {
    GroupId(queue.0)
}

/// The queue of a log group.
pub(crate) fn queue_of(group: GroupId) -> QueueId {
    QueueId(group.0)
}

/// [`Journal`] over [`Wal`]: the two know each other by numbers alone.
pub(crate) struct WalJournal {
    pub(crate) wal: Arc<Wal>,
}

impl Journal for WalJournal {
    fn append(&self, queue: &QueueRecord, index: u64, entry: &[u8]) -> Lsn {
        Lsn(self.wal.append(group_of(queue.id), index, entry).0)
    }

    fn compact(&self, queue: &QueueRecord, keep_from: u64) {
        self.wal.compact(group_of(queue.id), keep_from);
    }

    fn clear(&self, queue: &QueueRecord) {
        self.wal.remove(group_of(queue.id));
    }

    fn remove(&self, queue: &QueueRecord) {
        self.wal.remove(group_of(queue.id));
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
