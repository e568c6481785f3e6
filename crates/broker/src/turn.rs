//! The scratch of one turn of work.

use std::sync::Arc;

use stdx::Timestamp;
use topology::QueueId;

use crate::crashes::Crashes;
use crate::{DeadLetter, Effects, Lsn, MailboxRef, QueueRef, Trace};

/// One turn: what was read from one socket, one timer, one operator's command.
///
/// Collects what must wait until no queue is locked: wake-ups, dead letters, timers, deletions.
/// Begun by [`crate::Broker::begin`], carried out by [`crate::Broker::finish`]; recycled.
#[derive(Default)]
pub struct Turn {
    /// The instant of the turn: the clock is read once.
    pub now: Timestamp,
    /// Effects of the queue being worked on; empty between calls.
    pub(crate) fx: Effects,
    pub(crate) touched: Vec<MailboxRef>,
    /// Who got retries from the queue being worked on, once for each batch; empty between calls.
    pub(crate) holding: Holding,
    pub(crate) dead_letters: Vec<(QueueRef, DeadLetter)>,
    /// Copies for the firehose. Not more than the turn read and its consumers' outboxes took.
    pub(crate) traces: Vec<Trace>,
    /// When, the earlier arming that this replaces in ms (0 for none), which queue.
    pub(crate) deadlines: Vec<(Timestamp, u64, QueueId)>,
    pub(crate) doomed: Vec<QueueId>,
    pub(crate) congested: Option<QueueRef>,
    /// Who carries it out if nobody else does.
    pub(crate) crashes: Option<Arc<Crashes>>,
}

/// Mailboxes that may not send what they got before they are [released](crate::Mailbox::release).
#[derive(Default)]
pub(crate) struct Holding(Vec<MailboxRef>);

impl Holding {
    pub(crate) fn push(&mut self, mailbox: MailboxRef) {
        self.0.push(mailbox);
    }

    pub(crate) fn release(&mut self, lsn: Lsn) {
        self.0.drain(..).for_each(|mailbox| mailbox.release(lsn));
    }
}

/// Only a bug leaves any: it must not silence those who happened to be near.
impl Drop for Holding {
    fn drop(&mut self) {
        self.release(Lsn(0));
    }
}

/// Only a bug ends a turn that is not carried out. It has stopped one queue: what the turn owes to
/// others is left for somebody else to do.
impl Drop for Turn {
    fn drop(&mut self) {
        let Some(crashes) = self.crashes.take() else { return };
        let is_done = self.touched.is_empty()
            && self.dead_letters.is_empty()
            && self.traces.is_empty()
            && self.deadlines.is_empty()
            && self.doomed.is_empty();
        if is_done && !std::thread::panicking() {
            return;
        }
        let mut left = Self::default();
        left.now = self.now;
        left.touched = std::mem::take(&mut self.touched);
        left.dead_letters = std::mem::take(&mut self.dead_letters);
        left.traces = std::mem::take(&mut self.traces);
        left.deadlines = std::mem::take(&mut self.deadlines);
        left.doomed = std::mem::take(&mut self.doomed);
        crashes.leave(left);
    }
}

impl Turn {
    /// Says whether what is published from now on goes to several queues: then it pays to store
    /// large bodies once for all of them. Forgotten at the end of the turn.
    pub fn set_fan_out(&mut self, is_fan_out: bool) {
        self.fx.blobs.is_fan_out = is_fan_out;
    }

    /// A queue that this turn published to and that has more than its consumers keep up with.
    pub fn take_congested(&mut self) -> Option<QueueRef> {
        self.congested.take()
    }

    /// Whether this turn left `queue` without the use it was to end with. The caller deletes it
    /// then; otherwise [`crate::Broker::finish`] does.
    pub fn take_doomed(&mut self, queue: QueueId) -> bool {
        let place = self.doomed.iter().position(|id| *id == queue);
        place.map(|place| self.doomed.swap_remove(place)).is_some()
    }

    /// All queues that this turn left without their use, for the caller to delete.
    pub fn take_all_doomed(&mut self) -> Vec<QueueId> {
        std::mem::take(&mut self.doomed)
    }

    /// Leaves a copy for the firehose; it is published at the end of the turn.
    pub fn trace(&mut self, trace: Trace) {
        self.traces.push(trace);
    }

    /// Notes that a mailbox has something new; it is woken once at the end of the turn.
    pub(crate) fn touch(&mut self, mailbox: &MailboxRef) {
        // A consumer mostly gets many batches in a row: looking at the last one catches nearly all
        // repetitions, and waking twice is harmless.
        if self.touched.last().is_none_or(|last| !Arc::ptr_eq(last, mailbox)) {
            self.touched.push(mailbox.clone());
        }
    }
}
