//! Dead letters that were dropped because they went round in a cycle: who is told of which.

use ahash::AHashSet;
use parking_lot::Mutex;
use stdx::Signal;

/// Most cycles remembered; further ones are not told of.
const CYCLES_MAX: usize = 1024;

/// A cycle: the queue that a dead letter must not go to again, then those it died in, latest first.
pub type Cycle = Vec<Vec<u8>>;

/// The cycles that messages were dropped from. A leaf in the lock order.
#[derive(Default)]
pub struct Cycles {
    inner: Mutex<Inner>,
    /// Raised when there is one to [take](Self::take).
    pub signal: Signal,
}

#[derive(Default)]
struct Inner {
    known: AHashSet<Cycle>,
    untold: Vec<Cycle>,
}

impl Cycles {
    /// The cycles found since the last call, each told of once in the process's life, as RabbitMQ
    /// does in a queue's.
    pub fn take(&self) -> Vec<Cycle> {
        std::mem::take(&mut self.inner.lock().untold)
    }

    pub(crate) fn note(&self, cycle: Cycle) {
        {
            let mut inner = self.inner.lock();
            if CYCLES_MAX <= inner.known.len() || !inner.known.insert(cycle.clone()) {
                return;
            }
            inner.untold.push(cycle);
        }
        self.signal.raise();
    }
}
