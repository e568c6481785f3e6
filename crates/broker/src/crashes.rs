//! Queues that a bug has stopped in the middle of a change: who is told of them, and what it left behind
//! of others.

use ahash::AHashSet;
use parking_lot::Mutex;
use stdx::Signal;
use topology::QueueId;

use crate::Turn;

/// Unwound turns kept until they are carried out. A bug that comes up more often than somebody looks
/// costs the rest.
const LEFT_MAX: usize = 1024;

/// The queues that crashed. A leaf in the lock order.
#[derive(Default)]
pub struct Crashes {
    inner: Mutex<Inner>,
    /// Raised when there may be something for [`Broker::handle_crashes`](crate::Broker::handle_crashes).
    pub signal: Signal,
}

#[derive(Default)]
struct Inner {
    told: AHashSet<QueueId>,
    left: Vec<Turn>,
}

impl Crashes {
    /// Somebody met a queue that has crashed.
    pub(crate) fn note(&self, queue: QueueId) {
        let is_told = self.inner.lock().told.contains(&queue);
        if !is_told {
            self.signal.raise();
        }
    }

    /// A bug ended a turn that owes this to queues and clients.
    pub(crate) fn leave(&self, turn: Turn) {
        let mut inner = self.inner.lock();
        if inner.left.len() < LEFT_MAX {
            inner.left.push(turn);
        }
        drop(inner);
        self.signal.raise();
    }

    /// What one such turn left.
    pub(crate) fn take_left(&self) -> Option<Turn> {
        self.inner.lock().left.pop()
    }

    /// True the first time for a queue.
    pub(crate) fn tell(&self, queue: QueueId) -> bool {
        self.inner.lock().told.insert(queue)
    }
}
