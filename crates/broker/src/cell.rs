//! A queue as the node shares it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use topology::QueueRecord;

use crate::Queue;

/// A queue behind its lock, with the record it was declared by.
///
/// Lock order: one queue, then leaves (a mailbox, the journal's buffer, the timers). Never two
/// queues at once; no IO, waiting or logging while one is locked.
pub struct QueueCell {
    /// Its control-plane record, shared with the topology.
    pub record: Arc<QueueRecord>,
    queue: Mutex<Queue>,
    /// Set under the lock, once: whoever still holds a reference finds nothing here any more.
    is_deleted: AtomicBool,
    /// The deadline armed in the timers, in ms; 0 when none.
    armed_ms: AtomicU64,
}

/// A shared queue.
pub type QueueRef = Arc<QueueCell>;

impl QueueCell {
    pub(crate) fn new(record: Arc<QueueRecord>, queue: Queue) -> Self {
        Self {
            record,
            queue: Mutex::new(queue),
            is_deleted: AtomicBool::new(false),
            armed_ms: AtomicU64::new(0),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock()
    }

    /// True once the queue is deleted.
    pub fn is_deleted(&self) -> bool {
        self.is_deleted.load(Ordering::Relaxed)
    }

    /// Called with the queue locked.
    pub(crate) fn mark_deleted(&self) {
        self.is_deleted.store(true, Ordering::Relaxed);
    }

    /// The armed deadline; called with the queue locked.
    pub(crate) fn armed_ms(&self) -> u64 {
        self.armed_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn set_armed_ms(&self, at: u64) {
        self.armed_ms.store(at, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for QueueCell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "queue '{}' in vhost '{}'", self.record.name, self.record.vhost)
    }
}
