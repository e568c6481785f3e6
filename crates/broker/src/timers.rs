//! When which queue wants to be looked at.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use stdx::{Signal, Timestamp};
use topology::QueueId;

/// Deadlines of queues, one a queue. A leaf in the lock order.
///
/// Two turns that move a queue's deadline at the same time may leave the older one behind; whoever
/// takes it finds that the queue is armed for another instant and drops it.
#[derive(Default)]
pub struct Timers {
    deadlines: Mutex<BTreeSet<(Timestamp, QueueId)>>,
    /// Raised when a deadline became the earliest.
    pub signal: Signal,
}

impl Timers {
    /// Adds a deadline in place of the one at `replaced_ms`, if that is not 0.
    pub(crate) fn arm(&self, at: Timestamp, replaced_ms: u64, queue: QueueId) {
        let is_earliest = {
            let mut deadlines = self.deadlines.lock();
            deadlines.remove(&(Timestamp(replaced_ms), queue));
            let is_earliest = deadlines.first().is_none_or(|(first, _)| at < *first);
            deadlines.insert((at, queue));
            is_earliest
        };
        if is_earliest {
            self.signal.raise();
        }
    }

    /// Drops a deadline that nobody waits for any more.
    pub(crate) fn disarm(&self, armed_ms: u64, queue: QueueId) {
        self.deadlines.lock().remove(&(Timestamp(armed_ms), queue));
    }

    /// Takes one deadline that has come.
    pub(crate) fn take_due(&self, now: Timestamp) -> Option<(Timestamp, QueueId)> {
        let mut deadlines = self.deadlines.lock();
        let is_due = deadlines.first().is_some_and(|(at, _)| *at <= now);
        if is_due { deadlines.pop_first() } else { None }
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Timestamp> {
        self.deadlines.lock().first().map(|(at, _)| *at)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.deadlines.lock().len()
    }
}
