//! `basic.consume` and `basic.cancel`, from either side.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use amqp091_codec::{BasicCancel, BasicCancelOk, BasicConsume, BasicConsumeOk};
use broker::{ConsumeRefusal, Consumer, ConsumerId, ConsumerKey, QueueRef, REPLY_TO};
use field_table::FieldTable;
use topology::{
    Command, Permission, QueueId, QueueKind, QueueRecord, Refusal, RefusalKind, ResourceKind,
};

use crate::connection::Connection;
use crate::errors::{Failure, Fault, not_allowed, precondition_failed};
use crate::pending::Then;
use crate::shared::Slot;
use crate::tally::SlotCounts;
use crate::work::Work;

use super::{Ids, ReplyConsumer};

/// How long a consumer may take to settle a delivery.
const X_CONSUMER_TIMEOUT: &str = "x-consumer-timeout";
/// Arguments of consumers that only some types of queues know: not quorum queues, and not classic
/// ones.
const ARGUMENTS_OF_STREAMS: [&str; 3] =
    ["x-stream-offset", "x-stream-filter", "x-stream-match-unfiltered"];

impl Connection {
    pub(super) fn consume(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        consume: &BasicConsume<'_>,
    ) -> Result<(), Fault> {
        let max = self.broker.config().consumers_per_channel_max;
        let channel = self.channel(number);
        let given = consume.consumer_tag;
        if channel.consumers.contains_key(given) {
            return Err(not_allowed(format!("attempt to reuse consumer tag '{given}'")).into());
        }
        if let Some(max) = max.filter(|max| *max <= channel.consumers.len() as u64) {
            let text = format!("reached maximum ({max}) of consumers per channel");
            return Err(not_allowed(text).into());
        }
        if consume.queue == REPLY_TO {
            return self.consume_replies(number, consume);
        }
        let name = channel.queue_name(consume.queue)?.to_owned();
        let record = {
            let topology = self.broker.topology();
            let (kind, permission) = (ResourceKind::Queue, Permission::Read);
            topology.check_access(&self.user, &self.vhost, kind, &name, permission)?;
            topology.lookup_queue(&self.vhost, &name, self.id)?.clone()
        };
        let arguments = consume.arguments.decode();
        let (priority, timeout_ms) = check_arguments(&record, &arguments)?;
        let Some(queue) = self.live_queue(&record)? else {
            return Err(no_queue(&record).into());
        };
        let timeout_ms = timeout_ms.unwrap_or_else(|| self.timeout_of(&queue));
        let terms = Terms { arguments, priority, timeout_ms };
        self.subscribe(work, number, consume, &queue, terms)
    }

    /// Adds a consumer to its queue. The answer goes out before the first delivery, which may
    /// happen while the queue still works on it.
    fn subscribe(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        consume: &BasicConsume<'_>,
        queue: &QueueRef,
        terms: Terms,
    ) -> Result<(), Fault> {
        let tag = self.consumer_tag(consume.consumer_tag);
        let id = ConsumerId(self.broker.next_id());
        let Some(slot) = self.add_slot(
            number,
            Slot {
                queue: Some(queue.clone()),
                consumer: Some(id),
                is_get: false,
                tag: tag.clone(),
                owes_consume_ok: !consume.nowait,
                no_ack: consume.no_ack,
                is_live: true,
                unacked: 0,
                counts: SlotCounts::default(),
            },
        ) else {
            return Ok(());
        };
        let consumer = Consumer {
            id,
            mailbox: self.mailbox(),
            key: ConsumerKey { channel: number, slot },
            channel: self.channel(number).entry.id,
            tag: tag.clone(),
            is_no_ack: consume.no_ack,
            prefetch: self.channel(number).prefetch.into(),
            priority: terms.priority,
            is_exclusive: consume.exclusive,
            timeout_ms: terms.timeout_ms,
            arguments: terms.arguments,
        };
        match self.broker.consume(&mut work.turn, queue, consumer) {
            Ok(lsn) => {
                // What is delivered may be lost in a crash, and is then to be flagged redelivered:
                // the queue has noted that it has a consumer, and nothing is sent before.
                self.hold_for(lsn);
            }
            Err(ConsumeRefusal::ExclusiveUse) => {
                self.retire_slot(number, slot);
                let text = format!("{} in exclusive use", named(&queue.record));
                return Err(Refusal { kind: RefusalKind::AccessRefused, text }.into());
            }
            Err(ConsumeRefusal::Gone) => {
                self.retire_slot(number, slot);
                return Err(no_queue(&queue.record).into());
            }
        }
        self.note_consumer(number, tag, slot);
        Ok(())
    }

    /// How long consumers of a queue may take, in milliseconds, if they do not say it themselves.
    pub(super) fn timeout_of(&self, queue: &QueueRef) -> u64 {
        let of_queue = match queue.record.kind {
            QueueKind::Quorum => {
                queue.settings().quorum.as_ref().and_then(|it| it.consumer_timeout_ms)
            }
            QueueKind::Classic | QueueKind::Stream => None,
        };
        of_queue.unwrap_or(self.broker.config().consumer_timeout_ms)
    }

    /// Subscribes to direct replies, which need no queue.
    fn consume_replies(&mut self, number: u16, consume: &BasicConsume<'_>) -> Result<(), Fault> {
        if !consume.no_ack {
            return Err(precondition_failed("reply consumer cannot acknowledge").into());
        }
        if self.channel(number).reply_consumer.is_some() {
            return Err(precondition_failed("reply consumer already set").into());
        }
        let tag = self.consumer_tag(consume.consumer_tag);
        let Some(slot) = self.add_slot(
            number,
            Slot {
                queue: None,
                consumer: None,
                is_get: false,
                tag: tag.clone(),
                owes_consume_ok: false,
                no_ack: true,
                is_live: true,
                unacked: 0,
                counts: SlotCounts::default(),
            },
        ) else {
            return Ok(());
        };
        if !consume.nowait {
            self.reply(number, BasicConsumeOk { consumer_tag: &tag });
        }
        let key = ConsumerKey { channel: number, slot };
        let address = self.broker.register_reply_consumer(self.mailbox(), key);
        let consumer = ReplyConsumer { tag, address, slot };
        self.channel(number).reply_consumer = Some(Box::new(consumer));
        Ok(())
    }

    fn consumer_tag(&self, given: &str) -> Arc<str> {
        if given.is_empty() { self.broker.unique_name("amq.ctag-").into() } else { given.into() }
    }

    fn add_slot(&self, number: u16, slot: Slot) -> Option<u32> {
        self.shared.lock().channels.get_mut(number).map(|side| side.add_slot(slot))
    }

    /// Sends the answer if no delivery did, and enters the tag.
    fn note_consumer(&mut self, number: u16, tag: Arc<str>, slot: u32) {
        let mut inner = self.shared.lock();
        let place = inner.channels.get_mut(number).and_then(|it| it.slots.get_mut(slot as usize));
        if place.is_some_and(|it| std::mem::take(&mut it.owes_consume_ok)) {
            inner.send(number, BasicConsumeOk { consumer_tag: &tag });
        }
        drop(inner);
        self.hold_for(self.settled);
        let channel = self.channel(number);
        channel.consumers.insert(tag, slot);
        channel.show_consumers();
    }

    /// The client does not want a consumer any more. One that is not there is no mistake.
    pub(super) fn cancel(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        id: Ids,
        cancel: &BasicCancel<'_>,
    ) {
        let queue = self.queue_of(number, cancel.consumer_tag);
        let channel = self.channel(number);
        let is_it = |it: &mut Box<ReplyConsumer>| *it.tag == *cancel.consumer_tag;
        if let Some(reply) = channel.reply_consumer.take_if(is_it) {
            self.broker.unregister_reply_consumer(&reply.address);
            self.retire_slot(number, reply.slot);
        } else {
            self.end_consumer(work, number, cancel.consumer_tag);
        }
        if let Some(queue) = queue.filter(|queue| work.turn.take_doomed(*queue)) {
            // An auto-delete queue is gone once the answer is there: its name is free again.
            let tag = (!cancel.nowait).then(|| cancel.consumer_tag.into());
            let then = Then::ConsumerEnded { tag };
            return self.propose(work, number, id, Command::DeleteQueues(vec![queue]), then);
        }
        if !cancel.nowait {
            self.reply(number, BasicCancelOk { consumer_tag: cancel.consumer_tag });
        }
    }

    /// The queue that a consumer reads.
    fn queue_of(&mut self, number: u16, tag: &str) -> Option<QueueId> {
        let slot = *self.channel(number).consumers.get(tag)?;
        let inner = self.shared.lock();
        let (queue, _) = inner.channels.get(number)?.source(slot)?;
        Some(queue.record.id)
    }

    /// Some clients answer the server's `basic.cancel`. RabbitMQ takes it for a cancel without
    /// an answer, and fails when the consumer is not there.
    pub(super) fn handle_cancel_ok(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        cancel: &BasicCancelOk<'_>,
    ) -> Result<(), Fault> {
        if self.end_consumer(work, number, cancel.consumer_tag) {
            return Ok(());
        }
        Err(Failure::internal().into())
    }

    /// Ends a consumer; false when there is none with this tag.
    fn end_consumer(&mut self, work: &mut Work<'_>, number: u16, tag: &str) -> bool {
        let channel = self.channel(number);
        let Some(slot) = channel.consumers.remove(tag) else { return false };
        channel.show_consumers();
        // The queue first: nothing is delivered after the answer, but until then.
        let source = {
            let inner = self.shared.lock();
            inner.channels.get(number).and_then(|side| side.source(slot))
        };
        if let Some((queue, Some(consumer))) = source {
            self.broker.cancel(&mut work.turn, &queue, consumer);
        }
        self.retire_slot(number, slot);
        true
    }

    fn retire_slot(&self, number: u16, slot: u32) {
        let mut inner = self.shared.lock();
        let key = ConsumerKey { channel: number, slot };
        inner.parked.retain(|it| *it != key);
        if let Some(side) = inner.channels.get_mut(number) {
            side.retire(slot);
            inner.note_counted_on(number);
        }
    }

    /// The queue of a consumer is gone; clients that can take it are told.
    pub(crate) fn handle_consumer_cancelled(&mut self, work: &mut Work<'_>, key: ConsumerKey) {
        let tag = {
            let inner = self.shared.lock();
            let side = inner.channels.get(key.channel);
            let slot = side.and_then(|side| side.slots.get(key.slot as usize));
            // The slot may belong to another consumer by now.
            let is_gone = |it: &&Slot| it.queue.as_ref().is_some_and(|queue| queue.is_deleted());
            slot.filter(is_gone).map(|it| it.tag.clone())
        };
        if let Some(tag) = tag {
            self.cancel_by_server(work, key.channel, &tag);
        }
    }

    /// A consumer did not settle what it got, and the queue took it back. The consumer stays: it goes
    /// on once it has settled all the same. Clients that cannot be told lose their channel.
    pub(crate) fn handle_delivery_timed_out(
        &mut self,
        work: &mut Work<'_>,
        key: ConsumerKey,
        consumer: ConsumerId,
    ) {
        let tag = {
            let inner = self.shared.lock();
            let side = inner.channels.get(key.channel);
            let slot = side.and_then(|side| side.slots.get(key.slot as usize));
            // The slot may belong to another consumer by now.
            let Some(slot) = slot.filter(|it| it.consumer == Some(consumer)) else { return };
            slot.is_live.then(|| slot.tag.clone())
        };
        match tag.filter(|_| self.capabilities.consumer_cancel_notify) {
            Some(tag) => {
                self.shared.send(key.channel, BasicCancel { consumer_tag: &tag, nowait: true });
            }
            None => {
                // Not the real value: RabbitMQ does not know it here either.
                let text = format!(
                    "delivery acknowledgement on channel {} timed out. Timeout value used: -1 ms. \
                     This timeout value can be configured, see consumers doc guide to learn more",
                    key.channel
                );
                self.fail(work, key.channel, precondition_failed(text).into());
            }
        }
    }

    fn cancel_by_server(&mut self, work: &mut Work<'_>, number: u16, tag: &str) {
        if self.channels.get(number).is_none() || !self.end_consumer(work, number, tag) {
            return;
        }
        if self.capabilities.consumer_cancel_notify {
            self.shared.send(number, BasicCancel { consumer_tag: tag, nowait: true });
        }
    }

    /// Ends consumers whose user may not read their queues any more.
    pub(crate) fn recheck_consumers(&mut self, work: &mut Work<'_>) {
        let mut lost = Vec::new();
        {
            let topology = self.broker.topology();
            let inner = self.shared.lock();
            for (number, channel) in self.channels.iter_mut() {
                let Some(side) = inner.channels.get(number) else { continue };
                for (tag, slot) in &channel.consumers {
                    let Some((queue, _)) = side.source(*slot) else { continue };
                    let (kind, permission) = (ResourceKind::Queue, Permission::Read);
                    let name = &queue.record.name;
                    let check =
                        topology.check_access(&self.user, &self.vhost, kind, name, permission);
                    if check.is_err() {
                        lost.push((number, tag.clone()));
                    }
                }
            }
        }
        for (number, tag) in lost {
            self.cancel_by_server(work, number, &tag);
        }
    }
}

impl super::Channel {
    fn show_consumers(&self) {
        let count = u32::try_from(self.consumers.len()).unwrap_or(u32::MAX);
        self.entry.consumers.store(count, Ordering::Relaxed);
    }
}

/// What a consumer is subscribed on.
struct Terms {
    arguments: FieldTable,
    priority: i64,
    timeout_ms: u64,
}

/// The arguments of a consumer; returns its priority, and its timeout in milliseconds if it says one.
fn check_arguments(
    queue: &QueueRecord,
    arguments: &FieldTable,
) -> Result<(i64, Option<u64>), Failure> {
    let priority = integer(queue, arguments, "x-priority")?.unwrap_or(0);
    let is_quorum = queue.kind == QueueKind::Quorum;
    let timeout = if is_quorum { integer(queue, arguments, X_CONSUMER_TIMEOUT)? } else { None };
    let timeout_ms = timeout.map(|timeout| {
        u64::try_from(timeout).map_err(|_| {
            invalid(queue, X_CONSUMER_TIMEOUT, &format!("{{value_negative,{timeout}}}"))
        })
    });
    let is_foreign = |name: &str| {
        ARGUMENTS_OF_STREAMS.contains(&name) || (!is_quorum && name == X_CONSUMER_TIMEOUT)
    };
    for (name, _) in arguments.iter() {
        if let Some(name) = name.as_str().filter(|name| is_foreign(name)) {
            return Err(precondition_failed(format!(
                "invalid arg '{name}' for {} of queue type {}",
                named(queue),
                queue.kind.module_name()
            )));
        }
    }
    Ok((priority, timeout_ms.transpose()?))
}

fn integer(
    queue: &QueueRecord,
    arguments: &FieldTable,
    name: &str,
) -> Result<Option<i64>, Failure> {
    let Some(value) = arguments.get(name) else { return Ok(None) };
    let wrong_type = || {
        let reason = format!("\"expected integer, got {}\"", value.type_name());
        invalid(queue, name, &reason)
    };
    value.as_integer().map(Some).ok_or_else(wrong_type)
}

fn invalid(queue: &QueueRecord, name: &str, reason: &str) -> Failure {
    precondition_failed(format!("invalid arg '{name}' for {}: {reason}", named(queue)))
}

fn no_queue(queue: &QueueRecord) -> Refusal {
    Refusal { kind: RefusalKind::NotFound, text: format!("no {}", named(queue)) }
}

fn named(queue: &QueueRecord) -> String {
    format!("queue '{}' in vhost '{}'", queue.name, queue.vhost)
}
