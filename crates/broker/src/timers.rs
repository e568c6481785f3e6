//! When which queue wants to be looked at.

use std::collections::{BTreeSet, VecDeque};

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

    /// Takes deadlines that have come, `max` at most.
    pub(crate) fn take_due(&self, now: Timestamp, max: usize) -> Due<'_> {
        let mut deadlines = self.deadlines.lock();
        let mut due = VecDeque::new();
        while due.len() < max
            && let Some(first) = deadlines.first().copied().filter(|(at, _)| *at <= now)
        {
            deadlines.pop_first();
            due.push_back(first);
        }
        Due { timers: self, due }
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

/// Deadlines that have come, the first of them first. Those that a bug in one queue's work leaves here
/// come again.
pub(crate) struct Due<'a> {
    timers: &'a Timers,
    due: VecDeque<(Timestamp, QueueId)>,
}

impl Iterator for Due<'_> {
    type Item = (Timestamp, QueueId);

    fn next(&mut self) -> Option<Self::Item> {
        self.due.pop_front()
    }
}

impl Drop for Due<'_> {
    fn drop(&mut self) {
        if !self.due.is_empty() {
            self.timers.deadlines.lock().extend(self.due.drain(..));
            self.timers.signal.raise();
        }
    }
}
