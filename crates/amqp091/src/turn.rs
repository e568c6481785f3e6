//! The end of a turn, and what happens between turns: publishes and settlements reach their queues,
//! confirms go out, input is paused and resumed.

use std::sync::Arc;

use amqp091_codec::{
    BasicAck, BasicNack, ConnectionBlocked, ConnectionUnblocked, Method, encode_ack, encode_method,
};
use broker::{Alarms, ConnectionState, ConsumerKey, Lsn, QueueRef};
use smallvec::SmallVec;
use stdx::Timestamp;

use crate::confirms::Verdict;
use crate::connection::{Connection, Stage};
use crate::work::{Bucket, Group, Origin, Work};

/// Input in one turn from which a publisher counts as one in bulk, in bytes.
const BULK_TURN_LEN: usize = 64 * 1024;

/// Longest pause of a publisher in bulk.
const PACE_MS_MAX: u64 = 8;

/// A pause for the sake of a queue's consumers.
pub(crate) struct Pace {
    queue: QueueRef,
    pub(crate) look_at: Timestamp,
    give_up: Timestamp,
}

impl Connection {
    /// Hands what was collected to its queues: publishes first, so that a message forwarded and
    /// then acknowledged is in one place at least.
    pub(crate) fn flush(&mut self, work: &mut Work<'_>) {
        let Work { turn, publishes, settlements, resumed } = work;
        for bucket in &mut publishes.buckets {
            let Bucket { queues, messages, origins } = bucket;
            if messages.is_empty() {
                continue;
            }
            let mut lsn = Lsn(0);
            let mut rejected: SmallVec<[u32; 8]> = SmallVec::new();
            for queue in queues.iter() {
                let published = self.broker.publish(turn, queue, messages);
                lsn = lsn.max(published.lsn);
                rejected.extend_from_slice(&published.rejected);
            }
            self.published = self.published.max(lsn);
            self.has_published = true;
            self.decide(origins, lsn, &rejected);
        }
        self.count(publishes.buckets.iter().map(|bucket| &*bucket.origins));
        publishes.clear();
        for group in settlements.take() {
            let Group { queue, consumer, how, tickets, .. } = group;
            let lsn = self.broker.settle(turn, &queue, consumer, &tickets, how);
            self.settled = self.settled.max(lsn);
        }
        for (queue, consumer) in std::mem::take(resumed) {
            self.broker.resume(turn, &queue, consumer);
        }
    }

    /// Counts publishes, some at a time.
    pub(crate) fn count<'a>(&self, origins: impl Iterator<Item = &'a [Origin]>) {
        let mut runs = origins
            .flat_map(|it| it.chunk_by(|a, b| (a.channel, a.lane) == (b.channel, b.lane)))
            .peekable();
        if runs.peek().is_none() {
            return;
        }
        let mut inner = self.shared.lock();
        for run in runs {
            inner.count_publishes(run[0], run.len() as u64);
        }
    }

    /// Notes what became of publishes: where their confirms wait, or that a queue refused them.
    pub(crate) fn decide(&mut self, origins: &[Origin], lsn: Lsn, rejected: &[u32]) {
        if !self.has_confirms {
            return;
        }
        for origins in origins.chunk_by(|a, b| a.channel == b.channel) {
            let Some(channel) = self.channels.get_mut(origins[0].channel) else { continue };
            let Some(confirms) = &mut channel.confirms else { continue };
            for origin in origins {
                confirms.resolve(origin.tag, lsn);
            }
        }
        for &idx in rejected {
            let Some(origin) = origins.get(idx as usize) else { continue };
            let channel = self.channels.get_mut(origin.channel);
            if let Some(confirms) = channel.and_then(|it| it.confirms.as_mut()) {
                confirms.refuse(origin.tag);
            }
        }
    }

    /// Ends a turn: everything reaches its queue, confirms go out, mailboxes wake.
    pub(crate) fn end_turn(&mut self, mut work: Work<'_>) {
        self.flush(&mut work);
        // One look at the journal decides both which confirms go out and whether to be woken for
        // the others: what became durable in between would be neither sent nor waited for.
        let durable = self.broker.durable();
        self.send_confirms(durable);
        let congested = work.turn.take_congested();
        self.broker.finish(work.turn);
        self.throttle(durable);
        self.note_output();
        self.pace(congested);
    }

    /// A publisher in bulk that runs ahead of a queue's consumers pauses until they caught up, a
    /// few milliseconds at most: whatever holds the consumers up, publishing goes on.
    fn pace(&mut self, congested: Option<QueueRef>) {
        if self.turn_len < BULK_TURN_LEN {
            return;
        }
        if let Some(queue) = congested {
            let give_up = self.now.plus_ms(PACE_MS_MAX);
            self.note_throttled();
            self.pace = Some(Box::new(Pace { queue, look_at: self.now.plus_ms(1), give_up }));
        }
    }

    /// Looks whether a paced publisher may go on.
    pub(crate) fn handle_pace(&mut self) {
        let Some(pace) = &mut self.pace else { return };
        if self.now < pace.look_at {
            return;
        }
        if pace.queue.is_congested() && self.now < pace.give_up {
            pace.look_at = self.now.plus_ms(1);
        } else {
            self.pace = None;
        }
    }

    /// Confirms what is durable.
    pub(crate) fn send_confirms(&mut self, durable: Lsn) {
        if !self.has_confirms {
            return;
        }
        let mut inner = self.shared.lock();
        let inner = &mut *inner;
        for (number, channel) in self.channels.iter_mut() {
            let Some(confirms) = &mut channel.confirms else { continue };
            if confirms.len() == 0 {
                continue;
            }
            let out = inner.out.buf();
            let say = |verdict: Verdict| {
                let (delivery_tag, multiple) = (verdict.tag, verdict.is_multiple);
                if verdict.is_ack {
                    encode_ack(number, &BasicAck { delivery_tag, multiple }, out);
                } else {
                    // RabbitMQ sets the bit that means nothing here.
                    let nack = BasicNack { delivery_tag, multiple, requeue: true };
                    encode_method(number, &Method::from(nack), out);
                }
            };
            let mut side = inner.channels.get_mut(number);
            let mut has_confirmed = false;
            let count = |exchange: &Arc<str>, count| {
                if let Some(side) = &mut side {
                    side.tally().confirm(exchange, count);
                    has_confirmed = true;
                }
            };
            confirms.advance(durable, say, count);
            if has_confirmed {
                inner.note_counted_on(number);
            }
            let unconfirmed = u32::try_from(confirms.len()).unwrap_or(u32::MAX);
            channel.entry.unconfirmed.store(unconfirmed, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Decides whether input waits: for the journal, or for an alarm to end. Both resolve without
    /// this connection being read.
    fn throttle(&mut self, durable: Lsn) {
        if self.stage == Stage::Running {
            let backlog_max = self.broker.config().journal_backlog_max;
            let was_in_flow = self.is_in_flow;
            self.is_in_flow = self.waits_for_paging()
                || durable < self.published && backlog_max < self.broker.journal_backlog();
            if self.is_in_flow {
                self.note_throttled();
            }
            if was_in_flow != self.is_in_flow {
                self.show_state();
            }
        }
        let has_waiting = self.has_confirms || self.is_in_flow;
        let awaited = if has_waiting { self.published } else { Lsn(0) }.max(self.hold_until);
        if durable < awaited && self.notified < awaited {
            self.notified = awaited;
            self.broker.notify_durable(awaited, self.mailbox());
        }
    }

    /// The client publishes. Under an alarm nothing more is read from it until the alarm ends; true
    /// then.
    #[inline]
    pub(crate) fn block_under_alarm(&mut self) -> bool {
        let alarms = self.broker.alarms();
        if alarms.any() && !self.is_blocked {
            self.block(alarms);
        }
        self.is_blocked
    }

    #[cold]
    fn block(&mut self, alarms: Alarms) {
        self.is_blocked = true;
        if self.capabilities.connection_blocked {
            self.has_sent_blocked = true;
            self.shared.send(0, ConnectionBlocked { reason: alarms.reason() });
        }
        self.show_state();
    }

    /// Alarms came or went.
    pub(crate) fn handle_alarms(&mut self) {
        if !self.broker.alarms().any() {
            self.is_blocked = false;
            if std::mem::take(&mut self.has_sent_blocked) && self.stage == Stage::Running {
                self.shared.send(0, ConnectionUnblocked {});
            }
        }
        self.show_state();
    }

    /// Whether a publisher waits until less is in memory; the pager wakes it.
    fn waits_for_paging(&mut self) -> bool {
        let is_publishing = std::mem::take(&mut self.has_published);
        if !is_publishing || !self.broker.is_paging_behind() {
            return false;
        }
        // Still publishing for the turn that the wake begins.
        self.has_published = true;
        self.broker.wait_for_paging(self.id, self.mailbox());
        true
    }

    /// For listings: input is made to wait.
    pub(crate) fn note_throttled(&self) {
        if let Some(entry) = &self.entry {
            entry.note_throttled(self.now);
        }
    }

    fn show_state(&self) {
        let Some(entry) = &self.entry else { return };
        if self.stage == Stage::Running {
            entry.set_state(match () {
                () if self.is_blocked => ConnectionState::Blocked,
                () if self.broker.alarms().any() => ConnectionState::Blocking,
                () if self.is_in_flow => ConnectionState::Flow,
                () => ConnectionState::Running,
            });
        }
    }

    /// Lets consumers go on that waited for the outbox to be written.
    pub(crate) fn resume_parked(&mut self, work: &mut Work<'_>, parked: &[ConsumerKey]) {
        let resumed: Vec<_> = {
            let inner = self.shared.lock();
            let source = |key: &ConsumerKey| {
                let slot = inner.channels.get(key.channel)?.slots.get(key.slot as usize)?;
                slot.is_live.then(|| slot.queue.clone().zip(slot.consumer)).flatten()
            };
            parked.iter().filter_map(source).collect()
        };
        work.resumed.extend(resumed);
    }

    /// Answers a synchronous method. The answer waits until the connection's earlier settlements
    /// survive a crash: whoever saw it will not see a message again that it acknowledged before.
    pub(crate) fn reply<'a>(&mut self, channel: u16, method: impl Into<Method<'a>>) {
        self.shared.send(channel, method);
        self.hold_for(self.settled);
    }

    /// Output waits until `lsn` is durable.
    pub(crate) fn hold_for(&mut self, lsn: Lsn) {
        if self.broker.durable() < lsn {
            self.hold_until = self.hold_until.max(lsn);
        }
    }
}
