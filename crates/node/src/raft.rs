//! What raft groups have come to, for operators.

use std::sync::Arc;

use broker::Broker;
use topology::QueueId;

use crate::journal::WalJournal;

/// One raft group. With one voter an entry is committed, and takes effect, when it is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RaftGroup {
    /// Whose it is; none: the control plane's.
    pub queue: Option<QueueId>,
    /// The current term.
    pub term: u64,
    /// Of the last entry.
    pub last_index: u64,
    /// Of the last entry that is committed.
    pub commit_index: u64,
    /// Entries up to here are dropped. Not known of the control plane.
    pub snapshot_index: Option<u64>,
}

/// The raft groups of a node.
#[derive(Clone)]
pub struct RaftGroups {
    pub(crate) broker: Arc<Broker>,
    pub(crate) journal: Arc<WalJournal>,
    /// The only voter is elected once, at the start.
    pub(crate) control_term: u64,
}

impl RaftGroups {
    /// The control plane's group: of its entries those that carried a command.
    pub fn control(&self) -> RaftGroup {
        let applied = self.broker.topology().applied_index();
        RaftGroup {
            queue: None,
            term: self.control_term,
            last_index: applied,
            commit_index: applied,
            snapshot_index: None,
        }
    }

    /// Names the group of each quorum queue that ever had an entry, each looked at under its own lock.
    pub fn for_each_queue(&self, f: &mut dyn FnMut(RaftGroup)) {
        self.journal.for_each_group(f);
    }
}
