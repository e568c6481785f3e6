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
    QueueRef, Ticket,
};
use bytes::Bytes;
use message::MessageRef;
use parking_lot::{Mutex, MutexGuard};
use stdx::Signal;
use topology::ConnectionId;

use crate::attempts::with_attempts;
use crate::by_number::ByNumber;
use crate::interceptors::marked_outgoing;
use crate::unacked::{Delivered, Unacked};

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
}

impl Slot {
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
        });
        (slot, new)
    }

    /// Nothing was got: a slot that has nothing else does not keep its queue.
    pub(crate) fn drop_if_free(&mut self, slot: u32) {
        let of_slot = &mut self.slots[slot as usize];
        if of_slot.is_free() {
            of_slot.queue = None;
            self.first_free = self.first_free.min(slot as usize);
        }
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
    pub(crate) fn release(&mut self, slot: u32) {
        let of_slot = &mut self.slots[slot as usize];
        of_slot.unacked -= 1;
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
        let Self { out, channels, parked, frame_max, .. } = self;
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
        let mut taken = 0;
        for delivery in batch.iter() {
            let Delivery { message, is_redelivered, ticket, .. } = delivery;
            if OUTBOX_MAX <= out.len() {
                parked.push(key);
                return Intake { taken, is_full: true };
            }
            if !no_ack && side.is_at_prefetch() {
                side.parked.push(key.slot);
                return Intake { taken, is_full: true };
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
            taken += 1;
        }
        Intake { taken, is_full: false }
    }

    /// Appends a direct reply; false if there is nobody for it, or no room.
    fn deliver_reply(&mut self, key: ConsumerKey, message: &MessageRef<'_>) -> bool {
        let Self { out, channels, frame_max, .. } = self;
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
        true
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

    fn wake(&self) {
        self.signal.raise();
    }
}
