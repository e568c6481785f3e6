//! When which queue wants to be looked at.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use parking_lot::Mutex;
use stdx::{Signal, Timestamp};
use topology::QueueId;

/// Deadlines of queues, one live deadline a queue. A leaf in the lock order.
///
/// A queue that moves its deadline forward leaves the old one behind; whoever takes it finds that
/// the queue is armed for another instant and drops it.
#[derive(Default)]
pub struct Timers {
    heap: Mutex<BinaryHeap<Reverse<(Timestamp, QueueId)>>>,
    /// Raised when a deadline became the earliest.
    pub signal: Signal,
}

impl Timers {
    /// Adds a deadline.
    pub(crate) fn arm(&self, at: Timestamp, queue: QueueId) {
        let is_earliest = {
            let mut heap = self.heap.lock();
            let is_earliest = heap.peek().is_none_or(|Reverse((first, _))| at < *first);
            heap.push(Reverse((at, queue)));
            is_earliest
        };
        if is_earliest {
            self.signal.raise();
        }
    }

    /// Takes one deadline that has come.
    pub(crate) fn take_due(&self, now: Timestamp) -> Option<(Timestamp, QueueId)> {
        let mut heap = self.heap.lock();
        let Reverse((at, _)) = heap.peek()?;
        if *at > now {
            return None;
        }
        heap.pop().map(|Reverse(due)| due)
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Timestamp> {
        self.heap.lock().peek().map(|Reverse((at, _))| *at)
    }
}
