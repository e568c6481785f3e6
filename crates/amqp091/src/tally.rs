//! What channels did since they were asked last.

use std::ops::AddAssign;
use std::sync::Arc;

use broker::QueueRef;
use statistics::{DIRECT_REPLIES, MessageCount, MessageCounts, QueueTraffic, Traffic};

use crate::lanes::{Fate, Lane, Lanes};

/// Rows of a channel's [`Tally`] above which all that its connection counted is handed over at the end of
/// the turn.
const TALLY_ROWS_MAX: usize = 1024;

/// What a channel counted, apart from what its consumers' slots know. Made with the first count.
#[derive(Default)]
pub(crate) struct Tally {
    /// Publishes by number of their lane.
    published: Vec<u64>,
    expecting_confirm: u64,
    /// Confirms by exchange.
    confirmed: Vec<(Arc<str>, u64)>,
    /// What is not counted in a slot any more, or never was.
    queues: Vec<(QueueRef, MessageCounts)>,
    direct_replies: u64,
}

/// What a slot counted, of deliveries and of settlements.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SlotCounts {
    pub(crate) sent: u64,
    /// Of `sent`: not for the first time.
    pub(crate) redelivered: u64,
    pub(crate) acked: u64,
}

impl AddAssign for SlotCounts {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.redelivered += other.redelivered;
        self.acked += other.acked;
    }
}

impl SlotCounts {
    /// By RabbitMQ's names. `sent_as` says whether it was fetched, and whether it is acknowledged.
    pub(crate) fn named(self, sent_as: MessageCount) -> MessageCounts {
        let mut counts = MessageCounts::default();
        counts[sent_as] = self.sent;
        counts[MessageCount::Redeliver] = self.redelivered;
        counts[MessageCount::Ack] = self.acked;
        counts
    }
}

impl Tally {
    /// Counts publishes on a lane; whether it was the first of the channel, or of those before it.
    pub(crate) fn publish(&mut self, lane: u32, count: u64, is_confirm_expected: bool) -> bool {
        let lane = lane as usize;
        let is_new = self.published.len() <= lane;
        if is_new {
            self.published.resize(lane + 1, 0);
        }
        self.published[lane] += count;
        if is_confirm_expected {
            self.expecting_confirm += count;
        }
        is_new
    }

    /// Counts confirms of an exchange.
    pub(crate) fn confirm(&mut self, exchange: &Arc<str>, count: u64) {
        match self.confirmed.iter_mut().rev().find(|(it, _)| Arc::ptr_eq(it, exchange)) {
            Some((_, confirmed)) => *confirmed += count,
            None => self.confirmed.push((exchange.clone(), count)),
        }
    }

    /// The counts of a queue, apart from slots.
    pub(crate) fn of_queue(&mut self, queue: &QueueRef) -> &mut MessageCounts {
        let place = self.queues.iter().rposition(|(it, _)| Arc::ptr_eq(it, queue));
        let place = place.unwrap_or_else(|| {
            self.queues.push((queue.clone(), MessageCounts::default()));
            self.queues.len() - 1
        });
        &mut self.queues[place].1
    }

    /// Counts a direct reply that was handed on.
    pub(crate) fn direct_reply(&mut self) {
        self.direct_replies += 1;
    }

    /// Whether it is time to hand over.
    pub(crate) fn is_large(&self) -> bool {
        TALLY_ROWS_MAX < self.confirmed.len() || TALLY_ROWS_MAX < self.queues.len()
    }

    /// Moves everything to `traffic`. Names may be listed several times.
    pub(crate) fn take(&mut self, lanes: Option<&Lanes>, traffic: &mut Traffic) {
        for (number, published) in self.published.iter_mut().enumerate() {
            let count = std::mem::take(published);
            if let Some(lane) = lanes.and_then(|it| it.get(number)).filter(|_| 0 < count) {
                list_publishes(traffic, lane, count);
            }
        }
        traffic.expecting_confirm += std::mem::take(&mut self.expecting_confirm);
        for (exchange, count) in self.confirmed.drain(..) {
            let counts = one(MessageCount::Confirm, count);
            traffic.exchanges.push((exchange, counts));
        }
        for (queue, counts) in self.queues.drain(..) {
            list_queue(traffic, &queue, counts);
        }
        let direct_replies = std::mem::take(&mut self.direct_replies);
        if 0 < direct_replies {
            traffic.queues.push(QueueTraffic {
                queue: DIRECT_REPLIES.into(),
                queue_type: "volatile",
                counts: one(MessageCount::DeliverNoAck, direct_replies),
            });
        }
    }
}

/// Adds what a channel did with a queue.
pub(crate) fn list_queue(traffic: &mut Traffic, queue: &QueueRef, counts: MessageCounts) {
    if !counts.is_empty() {
        let queue = &queue.record;
        let (queue, queue_type) = (queue.name.clone(), queue.kind.name());
        traffic.queues.push(QueueTraffic { queue, queue_type, counts });
    }
}

fn list_publishes(traffic: &mut Traffic, lane: &Lane, count: u64) {
    let exchange = &lane.exchange;
    let mut counts = one(MessageCount::Publish, count);
    match lane.fate {
        Fate::Routed => {}
        Fate::Replied => traffic.routes.push((exchange.clone(), DIRECT_REPLIES.into(), count)),
        Fate::Returned => counts[MessageCount::ReturnUnroutable] = count,
        Fate::Dropped => counts[MessageCount::DropUnroutable] = count,
    }
    traffic.exchanges.push((exchange.clone(), counts));
    let queues = lane.queues.iter().map(|queue| queue.record.name.clone());
    traffic.routes.extend(queues.map(|queue| (exchange.clone(), queue, count)));
}

fn one(which: MessageCount, count: u64) -> MessageCounts {
    let mut counts = MessageCounts::default();
    counts[which] = count;
    counts
}
