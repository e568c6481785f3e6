//! The seams to what makes things durable: the journal of queues and the control plane's log.

use std::sync::Arc;

use bytes::Bytes;
use topology::{Command, Outcome, QueueRecord, Refusal};

use crate::{MailboxRef, PageRef};

/// A position in the node's journal. Grows with every append; 0 is before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lsn(pub u64);

/// Where durable queues write what must survive. A leaf in the lock order.
///
/// A queue is named by its record: its type decides whether an entry goes to the node's log alone
/// or through consensus.
pub trait Journal: Send + Sync {
    /// Appends entry `index` of a queue's own log. Called with the queue locked, so that entries
    /// are in order; copies and returns. The `attachments` are pages that the entry names: they are
    /// durable before it is.
    fn append(
        &self,
        queue: &QueueRecord,
        index: u64,
        entry: &[u8],
        attachments: &[(PageRef, Bytes)],
    ) -> Lsn;

    /// Entries of the queue before `keep_from` are not needed any more.
    fn compact(&self, queue: &QueueRecord, keep_from: u64);

    /// No entry so far is needed any more; the queue goes on.
    fn clear(&self, queue: &QueueRecord);

    /// The queue is gone, and what it had here may go.
    fn remove(&self, queue: &QueueRecord);

    /// Everything appended up to here survives a crash.
    fn durable(&self) -> Lsn;

    /// Wakes `mailbox` once when `durable` reaches `lsn`, or when the journal failed.
    fn notify(&self, lsn: Lsn, mailbox: MailboxRef);

    /// Bytes appended that are not durable yet.
    fn backlog_bytes(&self) -> u64;

    /// True after an I/O error: `durable` will not move again.
    fn has_failed(&self) -> bool;
}

/// Called once with what became of a proposed command.
pub type Done = Box<dyn FnOnce(Result<Outcome, Refusal>) + Send>;

/// Told once what became of a proposed command.
pub struct Completion {
    actor: Option<Arc<str>>,
    done: Done,
}

impl Completion {
    /// For a command that nobody asked for.
    pub fn new(done: impl FnOnce(Result<Outcome, Refusal>) + Send + 'static) -> Self {
        Self { actor: None, done: Box::new(done) }
    }

    /// For a command that this user asked for.
    pub fn of(
        actor: Arc<str>,
        done: impl FnOnce(Result<Outcome, Refusal>) + Send + 'static,
    ) -> Self {
        Self { actor: Some(actor), done: Box::new(done) }
    }

    /// Who asked, if somebody did.
    pub fn actor(&self) -> Option<&Arc<str>> {
        self.actor.as_ref()
    }

    /// Tells it.
    pub fn tell(self, result: Result<Outcome, Refusal>) {
        (self.done)(result);
    }
}

/// The replicated log of the control plane.
pub trait Control: Send + Sync {
    /// Orders the command among all others, makes it durable, applies it
    /// ([`crate::Broker::apply`]) and then calls `done`.
    fn propose(&self, command: Command, done: Completion);
}
