//! `basic.qos`, `basic.get` and `basic.recover`.

use std::sync::atomic::Ordering;

use amqp091_codec::{
    BasicGet, BasicGetEmpty, BasicGetOk, BasicQos, BasicQosOk, BasicRecoverOk, ReplyCode,
    ShortBytes,
};
use broker::{ConsumerId, ConsumerKey, Getter, Got, QueueRef, Settle, Trace};
use message::MessageRef;
use statistics::MessageCount;
use topology::{Permission, QueueKind, ResourceKind};

use crate::attempts::with_attempts;
use crate::connection::Connection;
use crate::errors::{Failure, Fault, not_implemented};
use crate::interceptors::marked_outgoing;
use crate::shared::put_content;
use crate::work::Work;

use super::settle::resume_unparked;

impl Connection {
    /// A prefetch counts for each consumer to come, or for the channel as a whole.
    pub(super) fn set_qos(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        qos: &BasicQos,
    ) -> Result<(), Fault> {
        if qos.prefetch_size != 0 {
            let text = format!("prefetch_size!=0 ({})", qos.prefetch_size);
            return Err(not_implemented(text).into());
        }
        let is_global = qos.global && self.broker.config().is_global_qos_permitted;
        let channel = self.channel(number);
        let entry = channel.entry.clone();
        if !is_global {
            channel.prefetch = qos.prefetch_count;
            entry.prefetch.store(qos.prefetch_count.into(), Ordering::Relaxed);
        }
        // RabbitMQ lifts the channel's limit when one for consumers is set.
        let prefetch_max = if is_global { qos.prefetch_count.into() } else { 0 };
        entry.global_prefetch.store(prefetch_max, Ordering::Relaxed);
        if let Some(side) = self.shared.lock().channels.get_mut(number) {
            side.prefetch_max = prefetch_max;
            resume_unparked(side, work);
        }
        self.reply(number, BasicQosOk {});
        Ok(())
    }

    pub(super) fn get(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        get: &BasicGet<'_>,
    ) -> Result<(), Fault> {
        let name = self.channel(number).queue_name(get.queue)?.to_owned();
        let record = {
            let topology = self.broker.topology();
            let (kind, permission) = (ResourceKind::Queue, Permission::Read);
            topology.check_access(&self.user, &self.vhost, kind, &name, permission)?;
            let record = topology.lookup_queue(&self.vhost, &name, self.id)?;
            record.clone()
        };
        // A queue deleted this very moment is as good as empty.
        let Some(queue) = self.live_queue(&record)? else {
            self.shared.send(number, BasicGetEmpty::default());
            return Ok(());
        };
        check_get(&queue)?;
        let getter = (!get.no_ack).then(|| self.getter(number, &queue));
        let (shared, now) = (&self.shared, self.now);
        let party = self.entry.as_ref().filter(|_| self.is_traced);
        let party = party.map(|entry| self.broker.party(&entry.facts, number));
        let mut trace = None;
        let reply = |got: Option<Got<'_>>| {
            let mut inner = shared.lock();
            inner.note_counted_on(number);
            let frame_max = inner.frame_max;
            let slot = getter.as_ref().map(|it| it.key.slot);
            let Some(side) = inner.channels.get_mut(number) else { return };
            let Some(Got { delivery, remaining }) = got else {
                slot.into_iter().for_each(|slot| side.drop_if_free(slot));
                side.tally().of_queue(&queue)[MessageCount::GetEmpty] += 1;
                return inner.send(number, BasicGetEmpty::default());
            };
            let delivery_tag = side.assign_tag();
            side.count_got(&queue, slot, delivery.is_redelivered);
            if let Some(slot) = slot {
                side.hold(delivery_tag, slot, delivery.ticket);
            }
            let message = delivery.message;
            trace = party.and_then(|party| {
                let (name, again) = (queue.record.name.as_bytes(), delivery.is_redelivered);
                Trace::of_delivery(&queue.record.vhost, name, party, &message, again)
            });
            let method = BasicGetOk {
                delivery_tag,
                redelivered: delivery.is_redelivered,
                exchange: ShortBytes(message.exchange),
                routing_key: ShortBytes(message.routing_key),
                message_count: u32::try_from(remaining).unwrap_or(u32::MAX),
            };
            inner.send(number, method);
            with_attempts(&delivery, |message| {
                if shared.marks_sent_time {
                    let properties = &marked_outgoing(message, now);
                    let message = MessageRef { properties, ..*message };
                    return put_content(&mut inner.out, frame_max, number, &message);
                }
                put_content(&mut inner.out, frame_max, number, message);
            });
        };
        let ((), reading) = self.broker.get(&mut work.turn, &queue, getter.as_ref(), reply);
        if let Some(trace) = trace {
            work.turn.trace(trace);
        }
        self.hold_for(reading.marked.max(self.settled));
        self.settled = self.settled.max(reading.settled);
        Ok(())
    }

    /// Who gets a message from `queue` to settle it later.
    fn getter(&self, number: u16, queue: &QueueRef) -> Getter {
        let new = ConsumerId(self.broker.next_id());
        let timeout_ms = self.timeout_of(queue);
        let mut inner = self.shared.lock();
        let side = inner.channels.get_mut(number).expect("an open channel has its side");
        let (slot, id) = side.get_slot(queue, new);
        let key = ConsumerKey { channel: number, slot };
        Getter { id, mailbox: self.mailbox(), key, timeout_ms }
    }

    /// Requeues everything unsettled.
    pub(super) fn recover(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        requeue: bool,
        is_answered: bool,
    ) -> Result<(), Fault> {
        if !requeue {
            return Err(not_implemented("requeue=false").into());
        }
        if is_answered {
            // Its deliveries come before the answer, and are taken back with all others.
            self.flush(work);
        }
        let mut inner = self.shared.lock();
        if let Some(side) = inner.channels.get_mut(number) {
            let mut unacked = std::mem::take(&mut side.unacked);
            unacked.take_all(|delivered| {
                let (slot, how) = (delivered.slot, Settle::Requeue);
                work.settlements.add(number, slot, how, delivered.ticket, || side.source(slot));
                side.release(slot, how);
            });
            resume_unparked(side, work);
        }
        if is_answered {
            // Under the same lock, and before anything is delivered again: clients forget what they
            // hold when they see it.
            inner.send(number, BasicRecoverOk {});
            drop(inner);
            self.hold_for(self.settled);
            self.flush(work);
        }
        Ok(())
    }
}

/// Nobody gets anything past the single active consumer of a quorum queue.
fn check_get(queue: &QueueRef) -> Result<(), Failure> {
    let is_quorum = queue.record.kind == QueueKind::Quorum;
    if !is_quorum || !queue.settings().single_active_consumer {
        return Ok(());
    }
    let queue = &queue.record;
    let text = format!(
        "cannot obtain access to locked queue '{}' in vhost '{}'. basic.get operations are not \
         supported by <<\"quorum\">> queues with single active consumer",
        queue.name, queue.vhost
    );
    Err(Failure::new(ReplyCode::ResourceLocked, text))
}
