//! Queues that a bug has stopped in the middle of a change: who is told of them.

use ahash::AHashSet;
use parking_lot::Mutex;
use stdx::Signal;
use topology::QueueId;

/// The queues that crashed. A leaf in the lock order.
#[derive(Default)]
pub struct Crashes {
    inner: Mutex<Inner>,
    /// Raised when there is one to [hand out](crate::Broker::handle_crashes).
    pub signal: Signal,
}

#[derive(Default)]
struct Inner {
    known: AHashSet<QueueId>,
    untold: Vec<QueueId>,
}

impl Crashes {
    /// Somebody met a queue that has crashed.
    pub(crate) fn note(&self, queue: QueueId) {
        {
            let mut inner = self.inner.lock();
            if !inner.known.insert(queue) {
                return;
            }
            inner.untold.push(queue);
        }
        self.signal.raise();
    }

    /// Those that were met since the last call, each once.
    pub(crate) fn take(&self) -> Vec<QueueId> {
        std::mem::take(&mut self.inner.lock().untold)
    }
}
