//! The half of a connection that queues reach: its output, its subscriptions, what it has not
//! settled. One lock, a leaf: nothing is called out of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use amqp091_codec::{
    BasicConsumeOk, BasicDeliver, BodySplice, CLASS_BASIC, Method, ShortBytes, SplicePiece,
    encode_content, encode_content_around, encode_deliver, encode_deliver_around, encode_method,
};
use broker::{
    Batch, ChannelEntry, ConsumerId, ConsumerKey, Delivery, Event, Intake, Lsn, Mailbox, Outbox,
    QueueRef, Settle, Ticket,
};
use bytes::Bytes;
use message::MessageRef;
use parking_lot::{Mutex, MutexGuard};
use statistics::{MessageCount, Traffic};
use stdx::Signal;
use topology::ConnectionId;

use crate::attempts::with_attempts;
use crate::by_number::ByNumber;
use crate::interceptors::marked_outgoing;
use crate::lanes::{Fate, Lanes};
use crate::tally::{SlotCounts, Tally, list_queue};
use crate::unacked::{Delivered, Unacked};
use crate::work::Origin;

/// Unwritten output above which consumers wait, in bytes.
pub(crate) const OUTBOX_MAX: usize = 256 * 1024;
/// Unwritten answers above which input waits, in bytes: who does not read them gets no more of them.
/// Deliveries do not count, [`OUTBOX_MAX`] limits them: a client may write without reading while its
/// own publishes come back to it.
pub(crate) const ANSWERS_MAX: usize = 1024 * 1024;
/// Unwritten output above which direct replies are refused, in bytes. They have no queue to wait in,
/// so that the limit is far beyond what a client that reads ever has.
const REPLY_OUTBOX_MAX: usize = 16 * 1024 * 1024;
/// Bodies from here on are sent from where they are instead of being copied, in bytes.
pub(crate) const SHARED_BODY_MIN: usize = 4096;

/// Label of the protocol in statistics.
pub(crate) const PROTOCOL: &str = "amqp091";

/// What the connection's task and the queues share.
pub(crate) struct Shared {
    id: ConnectionId,
    inner: Mutex<Inner>,
    pub(crate) signal: Arc<Signal>,
    /// Messages get a header with the time they are sent.
    pub(crate) marks_sent_time: bool,
}

/// See [`Shared`].
#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) out: Outbox,
    /// Bytes of `out` that are deliveries.
    delivered: usize,
    pub(crate) events: Vec<Event>,
    pub(crate) channels: ByNumber<Box<Side>>,
    /// Consumers that wait for the outbox to be written.
    pub(crate) parked: Vec<ConsumerKey>,
    /// Retries in `out` of which their queues have yet to say what they wait for.
    holds: u32,
    /// What those wait for of which they have, until the connection's next turn.
    hold_until: Lsn,
    pub(crate) frame_max: u32,
    /// The connection takes no more turns.
    pub(crate) is_gone: bool,
    /// Something was counted since the channels were asked.
    has_counted: bool,
    /// The broker knows of that.
    is_counting_noted: bool,
    /// Some channel's tally has many rows.
    is_tally_large: bool,
    /// The lanes go when the channels are asked, unless there is another publish before.
    is_given_back: bool,
    /// What is published by; made with the first publish.
    pub(crate) lanes: Option<Box<Lanes>>,
    /// Where the connection is.
    pub(crate) vhost: Arc<str>,
}

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
    tally: Option<Box<Tally>>,
    /// Who makes statistics knows the channel.
    was_heard_of: bool,
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
    fn count_publishes(&mut self, lane: u32, count: u64, is_confirm_expected: bool) {
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
    fn take_traffic(&mut self, vhost: &Arc<str>, lanes: Option<&Lanes>) -> Traffic {
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

    fn is_at_prefetch(&self) -> bool {
        self.prefetch_max != 0 && self.prefetch_max <= self.prefetched
    }
}

impl Shared {
    pub(crate) fn new(id: ConnectionId, frame_max: u32, marks_sent_time: bool) -> Self {
        let inner = Inner { frame_max, ..Inner::default() };
        Self { id, inner: Mutex::new(inner), signal: Arc::default(), marks_sent_time }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    /// Appends a method.
    pub(crate) fn send<'a>(&self, channel: u16, method: impl Into<Method<'a>>) {
        self.lock().send(channel, method);
    }
}

impl Inner {
    /// Something in the output waits for a position in the journal that the connection has yet to hear
    /// of. It is woken for that.
    pub(crate) fn is_held(&self) -> bool {
        self.holds != 0 || self.hold_until.0 != 0
    }

    /// The position that the output waits for, 0 for none.
    pub(crate) fn take_hold(&mut self) -> Lsn {
        std::mem::take(&mut self.hold_until)
    }

    /// Moves the output to `out`, which is empty, and returns how many bytes of it are answers.
    /// Nothing is moved while it is held.
    pub(crate) fn take_output(&mut self, out: &mut Outbox) -> Option<usize> {
        if self.is_held() {
            return None;
        }
        let answers = self.answers();
        // An empty outbox is swapped only for the memory it brings back.
        if !self.out.is_empty() || self.out.buf().capacity() < out.buf().capacity() {
            std::mem::swap(&mut self.out, out);
        }
        self.delivered = 0;
        Some(answers)
    }

    /// Bytes of the output that answer what the client sent.
    pub(crate) fn answers(&self) -> usize {
        self.out.len() - self.delivered
    }

    /// Appends a method.
    pub(crate) fn send<'a>(&mut self, channel: u16, method: impl Into<Method<'a>>) {
        encode_method(channel, &method.into(), self.out.buf());
    }

    /// Appends what `key` takes of `batch`. Headers get the time if the node `marks_sent_time`.
    fn deliver(&mut self, key: ConsumerKey, batch: &Batch<'_>, marks_sent_time: bool) -> Intake {
        let Self { out, channels, parked, frame_max, has_counted, .. } = self;
        let nothing = Intake { taken: 0, is_full: true };
        let Some(side) = channels.get_mut(key.channel) else { return nothing };
        let Some(slot) = side.slots.get_mut(key.slot as usize) else { return nothing };
        if !slot.is_live {
            return nothing;
        }
        if std::mem::take(&mut slot.owes_consume_ok) {
            let method = BasicConsumeOk { consumer_tag: &slot.tag };
            encode_method(key.channel, &method.into(), out.buf());
        }
        let (tag, no_ack) = (slot.tag.clone(), slot.no_ack);
        let mut intake = Intake { taken: 0, is_full: false };
        let mut redelivered = 0;
        for delivery in batch.iter() {
            let Delivery { message, is_redelivered, ticket, .. } = delivery;
            if OUTBOX_MAX <= out.len() {
                parked.push(key);
                intake.is_full = true;
                break;
            }
            if !no_ack && side.is_at_prefetch() {
                side.parked.push(key.slot);
                intake.is_full = true;
                break;
            }
            let delivery_tag = side.assign_tag();
            let deliver = BasicDeliver {
                consumer_tag: ShortBytes(tag.as_bytes()),
                delivery_tag,
                redelivered: is_redelivered,
                exchange: ShortBytes(message.exchange),
                routing_key: ShortBytes(message.routing_key),
            };
            with_attempts(&delivery, |message| {
                if marks_sent_time {
                    let properties = &marked_outgoing(message, batch.now());
                    let message = MessageRef { properties, ..*message };
                    Self::put_delivery(out, *frame_max, key.channel, &deliver, &message);
                } else {
                    Self::put_delivery(out, *frame_max, key.channel, &deliver, message);
                }
            });
            if !no_ack {
                side.hold(delivery_tag, key.slot, ticket);
            }
            intake.taken += 1;
            redelivered += u64::from(is_redelivered);
        }
        let counts = SlotCounts { sent: intake.taken as u64, redelivered, acked: 0 };
        side.slots[key.slot as usize].counts += counts;
        *has_counted = true;
        intake
    }

    /// Appends a direct reply; false if there is nobody for it, or no room.
    fn deliver_reply(&mut self, key: ConsumerKey, message: &MessageRef<'_>) -> bool {
        let Self { out, channels, frame_max, has_counted, .. } = self;
        let Some(side) = channels.get_mut(key.channel) else { return false };
        let Some(slot) = side.slots.get_mut(key.slot as usize) else { return false };
        if !slot.is_live || REPLY_OUTBOX_MAX <= out.len() {
            return false;
        }
        if std::mem::take(&mut slot.owes_consume_ok) {
            let method = BasicConsumeOk { consumer_tag: &slot.tag };
            encode_method(key.channel, &method.into(), out.buf());
        }
        let tag = slot.tag.clone();
        let deliver = BasicDeliver {
            consumer_tag: ShortBytes(tag.as_bytes()),
            delivery_tag: side.assign_tag(),
            redelivered: false,
            exchange: ShortBytes(message.exchange),
            routing_key: ShortBytes(message.routing_key),
        };
        Self::put_delivery(out, *frame_max, key.channel, &deliver, message);
        side.tally().direct_reply();
        *has_counted = true;
        true
    }

    /// The number of the lane of a publish.
    pub(crate) fn lane(&mut self, exchange: &Arc<str>, queues: &[QueueRef], fate: Fate) -> u32 {
        self.is_given_back = false;
        self.lanes.get_or_insert_default().number(exchange, queues, fate)
    }

    /// Something was counted that statistics should know.
    pub(crate) fn note_counted(&mut self) {
        self.has_counted = true;
    }

    /// As [`Self::note_counted`], where it may have been the first of its queue or exchange.
    pub(crate) fn note_counted_on(&mut self, channel: u16) {
        self.has_counted = true;
        let tally = self.channels.get(channel).and_then(|side| side.tally.as_ref());
        self.is_tally_large |= tally.is_some_and(|it| it.is_large());
    }

    /// Counts publishes that came from the same channel by the same lane.
    pub(crate) fn count_publishes(&mut self, origin: Origin, count: u64) {
        if let Some(side) = self.channels.get_mut(origin.channel) {
            side.count_publishes(origin.lane, count, origin.tag != 0);
            self.has_counted = true;
        }
    }

    /// Counts a publish that a transaction held.
    pub(crate) fn count_held(
        &mut self,
        channel: u16,
        exchange: &Arc<str>,
        queues: &[QueueRef],
        fate: Fate,
    ) {
        let lane = self.lane(exchange, queues, fate);
        if let Some(side) = self.channels.get_mut(channel) {
            side.count_publishes(lane, 1, true);
            self.has_counted = true;
        }
    }

    /// Whether the broker should know that something was counted. Once until the channels are asked.
    pub(crate) fn take_counting(&mut self) -> bool {
        let is_news = self.has_counted && !self.is_counting_noted;
        self.is_counting_noted |= is_news;
        is_news
    }

    /// Whether what was counted takes much memory.
    pub(crate) fn has_counted_much(&self) -> bool {
        self.is_tally_large || self.lanes.as_ref().is_some_and(|it| it.are_too_many())
    }

    /// The lanes' numbers mean nothing any more. Nothing may be counted that has not been taken.
    pub(crate) fn forget_lanes(&mut self) {
        self.lanes = None;
        self.channels.iter_mut().for_each(|(_, side)| side.tally = None);
    }

    /// Frees what is only needed to count more: at once, or when it was asked for what it has counted.
    pub(crate) fn give_back_counters(&mut self) {
        match self.has_counted {
            true => self.is_given_back = self.lanes.is_some(),
            false => self.forget_lanes(),
        }
    }

    /// What the channels did, those that did anything.
    pub(crate) fn take_traffic(&mut self) -> Vec<Traffic> {
        self.has_counted = false;
        self.is_counting_noted = false;
        self.is_tally_large = false;
        let Self { channels, lanes, vhost, .. } = self;
        let mut traffic = Vec::new();
        for (_, side) in channels.iter_mut() {
            let of_channel = side.take_traffic(vhost, lanes.as_deref());
            if 0 < of_channel.rows() {
                side.was_heard_of = true;
                traffic.push(of_channel);
            }
        }
        if std::mem::take(&mut self.is_given_back) {
            self.forget_lanes();
        }
        traffic
    }

    /// Forgets a channel. Returns what it did, and whether the channel was heard of before; `None` if
    /// there is nothing to tell.
    pub(crate) fn remove_channel(&mut self, number: u16) -> Option<(Traffic, bool)> {
        let mut side = self.channels.remove(number)?;
        let mut traffic = side.take_traffic(&self.vhost, self.lanes.as_deref());
        traffic.is_closed = true;
        let is_news = side.was_heard_of || 0 < traffic.rows();
        is_news.then_some((traffic, side.was_heard_of))
    }

    /// Appends a delivery, or leaves its body where it is if that pays.
    fn put_delivery(
        out: &mut Outbox,
        frame_max: u32,
        channel: u16,
        deliver: &BasicDeliver<'_>,
        message: &MessageRef<'_>,
    ) {
        let MessageRef { properties, body, .. } = *message;
        let Some(shared) = body_left_alone(message) else {
            return encode_deliver(channel, deliver, properties, body, frame_max, out.buf());
        };
        let (body_len, mut framing) = (body.len(), Vec::new());
        let splice =
            encode_deliver_around(channel, deliver, properties, body_len, frame_max, &mut framing);
        splice_body(out, &framing, &splice, &shared);
    }
}

/// Appends the content of a message behind its method, or leaves its body where it is if that pays.
pub(crate) fn put_content(
    out: &mut Outbox,
    frame_max: u32,
    channel: u16,
    message: &MessageRef<'_>,
) {
    let MessageRef { properties, body, .. } = *message;
    let Some(shared) = body_left_alone(message) else {
        return encode_content(channel, CLASS_BASIC, properties, body, frame_max, out.buf());
    };
    let mut framing = Vec::new();
    let splice = encode_content_around(
        channel,
        CLASS_BASIC,
        properties,
        body.len(),
        frame_max,
        &mut framing,
    );
    splice_body(out, &framing, &splice, &shared);
}

/// The body by reference, if it has memory of its own and is worth it.
fn body_left_alone(message: &MessageRef<'_>) -> Option<Bytes> {
    match message.body.len() {
        SHARED_BODY_MIN.. => message.shared_body(),
        _ => None,
    }
}

fn splice_body(out: &mut Outbox, framing: &[u8], splice: &BodySplice, body: &Bytes) {
    for piece in splice.pieces() {
        match piece {
            SplicePiece::Framing(range) => out.buf().extend_from_slice(&framing[range]),
            SplicePiece::Body(range) => out.push_shared(body.slice(range)),
        }
    }
}

impl Mailbox for Shared {
    fn connection(&self) -> Option<ConnectionId> {
        Some(self.id)
    }

    fn deliver(&self, key: ConsumerKey, _queue: &QueueRef, batch: &Batch<'_>) -> Intake {
        let mut inner = self.lock();
        let before = inner.out.len();
        let intake = inner.deliver(key, batch, self.marks_sent_time);
        inner.delivered += inner.out.len() - before;
        inner.holds += u32::from(batch.is_retry());
        intake
    }

    fn release(&self, lsn: Lsn) {
        let mut inner = self.lock();
        inner.holds -= 1;
        inner.hold_until = inner.hold_until.max(lsn);
    }

    fn deliver_reply(&self, key: ConsumerKey, message: &MessageRef<'_>) -> bool {
        let mut inner = self.lock();
        let before = inner.out.len();
        let is_taken = inner.deliver_reply(key, message);
        inner.delivered += inner.out.len() - before;
        is_taken
    }

    fn post(&self, event: Event) {
        self.lock().events.push(event);
    }

    fn take_traffic(&self, take: &mut dyn FnMut(Traffic)) {
        let traffic = self.lock().take_traffic();
        traffic.into_iter().for_each(take);
    }

    fn wake(&self) {
        self.signal.raise();
    }
}
