//! The delivering half of a channel: its consumers, what it has not settled, what it counted.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use broker::{ChannelEntry, ConsumerId, QueueRef, Settle, Ticket};
use statistics::{MessageCount, Traffic};

use crate::lanes::Lanes;
use crate::tally::{PROTOCOL, SlotCounts, Tally, list_queue};
use crate::unacked::{Delivered, Unacked};

/// The delivering side of a channel.
pub(crate) struct Side {
    /// For listings.
    pub(crate) entry: Arc<ChannelEntry>,
    next_tag: u64,
    pub(crate) unacked: Unacked<Ticket>,
    pub(crate) slots: Vec<Slot>,
    /// No slot before this one is free.
    first_free: usize,
    /// Most unsettled deliveries to consumers, 0 for no limit.
    pub(crate) prefetch_max: u32,
    /// Unsettled deliveries to consumers (not by `basic.get`) that count for `prefetch_max`.
    pub(crate) prefetched: u32,
    /// Consumers that wait for the channel's prefetch.
    pub(crate) parked: Vec<u32>,
    pub(crate) tally: Option<Box<Tally>>,
    /// Who makes statistics knows the channel.
    pub(crate) was_heard_of: bool,
}

/// A consumer, or where `basic.get` took messages from.
pub(crate) struct Slot {
    /// `None` for the consumer of direct replies, which has no queue, and for a free slot.
    pub(crate) queue: Option<QueueRef>,
    /// Who settles. `None` for the consumer of direct replies.
    pub(crate) consumer: Option<ConsumerId>,
    /// Of `basic.get`: what it got does not count for the channel's prefetch.
    pub(crate) is_get: bool,
    pub(crate) tag: Arc<str>,
    /// `basic.consume-ok` is to be sent before the first delivery.
    pub(crate) owes_consume_ok: bool,
    pub(crate) no_ack: bool,
    /// Takes deliveries; otherwise it only remembers what is unsettled.
    pub(crate) is_live: bool,
    pub(crate) unacked: u32,
    pub(crate) counts: SlotCounts,
}

impl Slot {
    /// What its deliveries count as.
    fn sent_as(&self) -> MessageCount {
        match (self.is_get, self.no_ack) {
            (true, _) => MessageCount::Get,
            (false, false) => MessageCount::Deliver,
            (false, true) => MessageCount::DeliverNoAck,
        }
    }

    fn is_free(&self) -> bool {
        !self.is_live && self.unacked == 0
    }
}

impl Side {
    pub(crate) fn new(entry: Arc<ChannelEntry>) -> Self {
        Self {
            entry,
            next_tag: 0,
            unacked: Unacked::default(),
            slots: Vec::new(),
            first_free: 0,
            prefetch_max: 0,
            prefetched: 0,
            parked: Vec::new(),
            tally: None,
            was_heard_of: false,
        }
    }

    /// Takes a slot; the first free one, so that numbers stay small.
    pub(crate) fn add_slot(&mut self, slot: Slot) -> u32 {
        let from = self.first_free.min(self.slots.len());
        let free = self.slots[from..].iter().position(Slot::is_free);
        let idx = free.map_or(self.slots.len(), |place| from + place);
        self.first_free = idx;
        match self.slots.get_mut(idx) {
            Some(place) => *place = slot,
            None => self.slots.push(slot),
        }
        idx as u32
    }

    /// The slot that remembers what `basic.get` took from `queue`, and who it is for the queue:
    /// `new` if nobody did so before.
    pub(crate) fn get_slot(&mut self, queue: &QueueRef, new: ConsumerId) -> (u32, ConsumerId) {
        let is_of_queue = |slot: &Slot| {
            slot.is_get && slot.queue.as_ref().is_some_and(|it| Arc::ptr_eq(it, queue))
        };
        if let Some(idx) = self.slots.iter().position(is_of_queue)
            && let Some(known) = self.slots[idx].consumer
        {
            return (idx as u32, known);
        }
        let slot = self.add_slot(Slot {
            queue: Some(queue.clone()),
            consumer: Some(new),
            is_get: true,
            tag: Arc::from(""),
            owes_consume_ok: false,
            no_ack: false,
            is_live: false,
            unacked: 0,
            counts: SlotCounts::default(),
        });
        (slot, new)
    }

    /// Nothing was got: a slot that has nothing else does not keep its queue.
    pub(crate) fn drop_if_free(&mut self, slot: u32) {
        let of_slot = &mut self.slots[slot as usize];
        if of_slot.is_free() {
            let counts = std::mem::take(&mut of_slot.counts).named(of_slot.sent_as());
            if let Some(queue) = of_slot.queue.take()
                && !counts.is_empty()
            {
                *self.tally.get_or_insert_default().of_queue(&queue) += counts;
            }
            self.first_free = self.first_free.min(slot as usize);
        }
    }

    /// Counts what `basic.get` took from a queue, to be settled if there is a slot.
    pub(crate) fn count_got(&mut self, queue: &QueueRef, slot: Option<u32>, is_redelivered: bool) {
        let got = SlotCounts { sent: 1, redelivered: u64::from(is_redelivered), acked: 0 };
        match slot {
            Some(slot) => self.slots[slot as usize].counts += got,
            None => *self.tally().of_queue(queue) += got.named(MessageCount::GetNoAck),
        }
    }

    /// Counts publishes on a lane.
    pub(crate) fn count_publishes(&mut self, lane: u32, count: u64, is_confirm_expected: bool) {
        if self.tally().publish(lane, count, is_confirm_expected) {
            self.entry.is_publisher.store(true, Ordering::Relaxed);
        }
    }

    /// What the channel counts apart from its slots.
    pub(crate) fn tally(&mut self) -> &mut Tally {
        self.tally.get_or_insert_default()
    }

    /// Another side for the same channel, which starts with nothing but what this one counted.
    pub(crate) fn renew(&mut self) -> Self {
        let fresh = Self::new(self.entry.clone());
        let mut old = std::mem::replace(self, fresh);
        for slot in &mut old.slots {
            let counts = std::mem::take(&mut slot.counts).named(slot.sent_as());
            if let Some(queue) = slot.queue.as_ref().filter(|_| !counts.is_empty()) {
                *old.tally.get_or_insert_default().of_queue(queue) += counts;
            }
        }
        self.tally = old.tally.take();
        self.was_heard_of = old.was_heard_of;
        old
    }

    /// What the channel did since it was asked last.
    pub(crate) fn take_traffic(&mut self, vhost: &Arc<str>, lanes: Option<&Lanes>) -> Traffic {
        let mut traffic = Traffic {
            channel: self.entry.id,
            vhost: vhost.clone(),
            protocol: PROTOCOL,
            ..Traffic::default()
        };
        for slot in &mut self.slots {
            let counts = std::mem::take(&mut slot.counts);
            if let Some(queue) = &slot.queue {
                list_queue(&mut traffic, queue, counts.named(slot.sent_as()));
            }
        }
        if let Some(tally) = &mut self.tally {
            tally.take(lanes, &mut traffic);
        }
        traffic.merge_rows();
        traffic
    }

    /// The next delivery tag.
    pub(crate) fn assign_tag(&mut self) -> u64 {
        self.next_tag += 1;
        self.next_tag
    }

    /// Notes a delivery that has to be settled.
    pub(crate) fn hold(&mut self, tag: u64, slot: u32, ticket: Ticket) {
        self.unacked.push(tag, Delivered { slot, ticket });
        let of_slot = &mut self.slots[slot as usize];
        of_slot.unacked += 1;
        self.prefetched += u32::from(!of_slot.is_get);
        self.show_unacked();
    }

    pub(crate) fn show_unacked(&self) {
        let unacked = u32::try_from(self.unacked.len()).unwrap_or(u32::MAX);
        self.entry.unacked.store(unacked, Ordering::Relaxed);
    }

    /// The queue and consumer of a slot.
    pub(crate) fn source(&self, slot: u32) -> Option<(QueueRef, Option<ConsumerId>)> {
        let slot = self.slots.get(slot as usize)?;
        Some((slot.queue.clone()?, slot.consumer))
    }

    /// Forgets a delivery of this slot that is being settled.
    pub(crate) fn release(&mut self, slot: u32, how: Settle) {
        let of_slot = &mut self.slots[slot as usize];
        of_slot.unacked -= 1;
        of_slot.counts.acked += u64::from(how == Settle::Ack);
        self.prefetched -= u32::from(!of_slot.is_get);
        self.drop_if_free(slot);
        self.show_unacked();
    }

    /// The slot takes no more deliveries; returns its queue and consumer.
    pub(crate) fn retire(&mut self, slot: u32) -> Option<(QueueRef, Option<ConsumerId>)> {
        let source = self.source(slot);
        if let Some(of_slot) = self.slots.get_mut(slot as usize) {
            of_slot.is_live = false;
            self.drop_if_free(slot);
        }
        self.parked.retain(|it| *it != slot);
        source
    }

    /// Consumers that the channel's prefetch held back and need not hold back any more.
    pub(crate) fn take_unparked(&mut self) -> Vec<u32> {
        if self.parked.is_empty() || self.is_at_prefetch() {
            return Vec::new();
        }
        std::mem::take(&mut self.parked)
    }

    pub(crate) fn is_at_prefetch(&self) -> bool {
        self.prefetch_max != 0 && self.prefetch_max <= self.prefetched
    }
}
