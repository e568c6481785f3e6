//! The half of a connection that queues reach: its output, and of its channels what delivers. One lock,
//! a leaf: nothing is called out of it.

use std::sync::Arc;

use amqp091_codec::{
    BasicConsumeOk, BasicDeliver, BodySplice, CLASS_BASIC, Method, ShortBytes, SplicePiece,
    encode_content, encode_content_around, encode_deliver, encode_deliver_around, encode_method,
};
use broker::{Batch, ConsumerKey, Delivery, Event, Intake, Lsn, Mailbox, Outbox, QueueRef};
use bytes::Bytes;
use message::MessageRef;
use parking_lot::{Mutex, MutexGuard};
use statistics::Traffic;
use stdx::Signal;
use topology::ConnectionId;

use crate::attempts::with_attempts;
use crate::by_number::ByNumber;
use crate::interceptors::marked_outgoing;
use crate::lanes::Lanes;
use crate::side::Side;
use crate::tally::SlotCounts;

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
    /// Something was counted since the channels were asked.
    pub(crate) has_counted: bool,
    /// The broker knows of that.
    pub(crate) is_counting_noted: bool,
    /// Some channel's tally has many rows.
    pub(crate) is_tally_large: bool,
    /// The lanes go when the channels are asked, unless there is another publish before.
    pub(crate) is_given_back: bool,
    /// What is published by; made with the first publish.
    pub(crate) lanes: Option<Box<Lanes>>,
    /// Where the connection is.
    pub(crate) vhost: Arc<str>,
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
