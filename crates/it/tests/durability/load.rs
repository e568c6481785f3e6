//! The clients that load the broker until it is killed under them.

use futures_lite::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions,
    BasicQosOptions, BasicRejectOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::publisher_confirm::Confirmation;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Result};
use simulator::QueueName::{
    Buried, Delayed, Expiring, Grave, Limited, Polled, Priority, Quiet, Quorum, Rejects, Single,
    Transactional, Work,
};
use simulator::{Argument, Chance, Counts, Id, Ledger, QueueName, Sent, Tried};

use crate::round::Round;

/// Publishers of one round, numbered.
pub(crate) const PUBLISHERS_PER_ROUND: u32 = 10;

const PREFETCH: u16 = 20;

/// The queues under load. Of the quorum queues, those that drop nothing and hide nothing.
pub(crate) fn queues() -> impl Iterator<Item = QueueName> {
    let is_left_out = |queue: &QueueName| matches!(queue, Limited | Buried | Delayed | Grave);
    QueueName::ALL.into_iter().filter(move |queue| !is_left_out(queue))
}

/// Declares the queues under load.
pub(crate) async fn declare(channel: &Channel) -> Result<()> {
    for queue in queues() {
        let mut arguments = FieldTable::default();
        for (name, value) in queue.arguments() {
            let value = match value {
                Argument::Text(text) => AMQPValue::LongString(text.into()),
                Argument::Number(number) => AMQPValue::LongLongInt(number),
                Argument::Flag(flag) => AMQPValue::Boolean(flag),
            };
            arguments.insert(name.into(), value);
        }
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(queue.as_str(), options, arguments).await?;
    }
    Ok(())
}

/// What a delivery tells of those before it.
pub(crate) fn tried(delivery: &Delivery) -> Tried {
    let headers = delivery.properties.headers().as_ref();
    let count = |name| match headers.and_then(|headers| headers.inner().get(name)) {
        Some(AMQPValue::LongLongInt(count)) => *count as u32,
        _ => 0,
    };
    Tried {
        is_redelivered: delivery.redelivered,
        acquired: count("x-acquired-count"),
        failures: count("x-delivery-count"),
    }
}

/// Publishes under numbers of its own.
struct Publisher {
    round: Round,
    channel: Channel,
    chance: Chance,
    next: Id,
}

impl Publisher {
    fn new(round: &Round, channel: Channel, chance: Chance, worker: u32) -> Self {
        let publisher = round.number * PUBLISHERS_PER_ROUND + worker;
        let next = Id { publisher, number: 0 };
        Self { round: round.clone(), channel, chance, next }
    }

    async fn publish(
        &mut self,
        queue: QueueName,
    ) -> Result<(Id, lapin::publisher_confirm::PublisherConfirm)> {
        let chance = &mut self.chance;
        let body_len = match chance.below(40) {
            0 => 100_000,
            1..=3 => 5_000,
            _ => 12 + chance.below(200) as usize,
        };
        let is_persistent = queue == Transactional || !chance.one_in(6);
        let priority = if queue.has_priorities() { chance.below(6) as u8 } else { 0 };
        let sent = Sent { queue, is_persistent, priority, body_len };
        let id = self.next;
        self.next.number += 1;
        self.round.note(|ledger| ledger.publish(id, sent));
        let properties = BasicProperties::default()
            .with_delivery_mode(if is_persistent { 2 } else { 1 })
            .with_priority(priority);
        let body = Ledger::body(id, body_len);
        let options = BasicPublishOptions::default();
        let name = queue.as_str();
        let confirm = self.channel.basic_publish("", name, options, &body, properties).await?;
        Ok((id, confirm))
    }
}

/// Publishes to many queues, in bursts, with confirms.
pub(crate) async fn publish(round: Round, mut chance: Chance, worker: u32) -> Result<()> {
    let connection = round.connect().await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let mut publisher = Publisher::new(&round, channel, chance.fork(), worker);
    loop {
        let mut burst = Vec::new();
        for _ in 0..=chance.below(20) {
            let queue = match chance.below(19) {
                0..=4 => Work,
                5 | 6 => Quiet,
                7 => Priority,
                8 | 9 => Rejects,
                10 => Expiring,
                11 => Polled,
                12..=16 => Quorum,
                _ => Single,
            };
            burst.push(publisher.publish(queue).await?);
        }
        for (id, confirm) in burst {
            match confirm.await? {
                Confirmation::Ack(None) => round.note(|ledger| ledger.confirm(id)),
                other => round.complain(format!("message {id:?}: expected an ack, got {other:?}")),
            }
        }
    }
}

/// What a consumer has done and not yet seen answered.
#[derive(Default)]
pub(crate) struct Settling {
    /// Acknowledged.
    pub(crate) sent: Vec<Id>,
    /// Given back, with what they count from then on.
    given_back: Vec<(Id, Counts)>,
}

impl Settling {
    /// A synchronous answer: what was acknowledged before is so for good.
    pub(crate) async fn sync(
        &mut self,
        round: &Round,
        channel: &Channel,
        queue: QueueName,
    ) -> Result<()> {
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        self.conclude(round, queue);
        Ok(())
    }

    pub(crate) fn conclude(&mut self, round: &Round, queue: QueueName) {
        for id in self.sent.drain(..) {
            round.note(|ledger| ledger.settle(queue, id));
        }
        for (id, counts) in self.given_back.drain(..) {
            round.note(|ledger| ledger.take_back(queue, id, counts));
        }
    }

    fn give_back(&mut self, round: &Round, queue: QueueName, id: Id, has_failed: bool) {
        let counts = round.note(|ledger| ledger.give_back(queue, id, has_failed));
        self.given_back.push((id, counts));
    }
}

/// Consumes and settles in all ways there are.
pub(crate) async fn consume(round: Round, mut chance: Chance, queue: QueueName) -> Result<()> {
    let connection = round.connect().await?;
    let channel = connection.create_channel().await?;
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    round.note(|ledger| ledger.begin_reading(queue));
    let options = BasicConsumeOptions::default();
    let arguments = FieldTable::default();
    let mut consumer = channel.basic_consume(queue.as_str(), "", options, arguments).await?;
    let mut open: Vec<(Id, Delivery)> = Vec::new();
    let mut settling = Settling::default();
    while let Some(delivery) = consumer.next().await {
        let delivery = delivery?;
        let tried = tried(&delivery);
        let arrived = round.note(|ledger| ledger.deliver(queue, &delivery.data, tried));
        open.extend(arrived.map(|id| (id, delivery)));
        if open.len() < usize::from(PREFETCH) && !chance.one_in(5) {
            continue;
        }
        settle_some(&round, &mut chance, queue, &mut open, &mut settling).await?;
        if chance.one_in(3) {
            settling.sync(&round, &channel, queue).await?;
        }
    }
    Ok(())
}

async fn settle_some(
    round: &Round,
    chance: &mut Chance,
    queue: QueueName,
    open: &mut Vec<(Id, Delivery)>,
    settling: &mut Settling,
) -> Result<()> {
    let count = open.len() - chance.below(open.len() as u64) as usize;
    if chance.one_in(2) {
        let batch: Vec<_> = open.drain(..count).collect();
        for (id, _) in &batch {
            round.note(|ledger| ledger.acknowledge(queue, *id));
        }
        let (_, last) = batch.last().expect("at least one is taken");
        last.ack(BasicAckOptions { multiple: true }).await?;
        settling.sent.extend(batch.iter().map(|(id, _)| *id));
        return Ok(());
    }
    for (id, delivery) in open.drain(..count) {
        match chance.below(6) {
            0 => {
                settling.give_back(round, queue, id, false);
                let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
                delivery.nack(options).await?;
            }
            1 => {
                settling.give_back(round, queue, id, true);
                delivery.reject(BasicRejectOptions { requeue: true }).await?;
            }
            2 | 3 if queue == Rejects => {
                round.note(|ledger| ledger.reject(id));
                delivery.reject(BasicRejectOptions { requeue: false }).await?;
            }
            _ => {
                round.note(|ledger| ledger.acknowledge(queue, id));
                delivery.ack(BasicAckOptions::default()).await?;
                settling.sent.push(id);
            }
        }
    }
    Ok(())
}

/// Takes single messages, with pauses in which nobody reads.
pub(crate) async fn poll(round: Round, mut chance: Chance, worker: u32) -> Result<()> {
    let connection = round.connect().await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let mut publisher = Publisher::new(&round, channel.clone(), chance.fork(), worker);
    let mut settling = Settling::default();
    loop {
        for _ in 0..=chance.below(10) {
            let (id, confirm) = publisher.publish(Polled).await?;
            confirm.await?;
            round.note(|ledger| ledger.confirm(id));
        }
        for _ in 0..=chance.below(4) {
            round.note(|ledger| ledger.begin_reading(Polled));
            let got = channel.basic_get(Polled.as_str(), BasicGetOptions::default()).await?;
            let delivery = got.map(|got| got.delivery);
            let arrived = delivery
                .as_ref()
                .and_then(|it| round.note(|ledger| ledger.deliver(Polled, &it.data, tried(it))));
            round.note(|ledger| ledger.end_reading(Polled));
            let (Some(delivery), Some(id)) = (delivery, arrived) else { continue };
            if chance.one_in(2) {
                round.note(|ledger| ledger.acknowledge(Polled, id));
                delivery.ack(BasicAckOptions::default()).await?;
                settling.sent.push(id);
            }
        }
        settling.sync(&round, &channel, Polled).await?;
    }
}

/// Publishes and acknowledges in transactions.
pub(crate) async fn transact(round: Round, mut chance: Chance, worker: u32) -> Result<()> {
    let connection = round.connect().await?;
    let channel = connection.create_channel().await?;
    channel.tx_select().await?;
    let mut publisher = Publisher::new(&round, channel.clone(), chance.fork(), worker);
    loop {
        let mut published = Vec::new();
        for _ in 0..=chance.below(5) {
            published.push(publisher.publish(Transactional).await?.0);
        }
        let mut settling = Settling::default();
        round.note(|ledger| ledger.begin_reading(Transactional));
        for _ in 0..chance.below(5) {
            let options = BasicGetOptions::default();
            let Some(got) = channel.basic_get(Transactional.as_str(), options).await? else {
                break;
            };
            let (data, tried) = (&got.delivery.data, tried(&got.delivery));
            let arrived = round.note(|ledger| ledger.deliver(Transactional, data, tried));
            let Some(id) = arrived else { continue };
            round.note(|ledger| ledger.acknowledge(Transactional, id));
            got.delivery.ack(BasicAckOptions::default()).await?;
            settling.sent.push(id);
        }
        round.note(|ledger| ledger.end_reading(Transactional));
        channel.tx_commit().await?;
        for id in published {
            round.note(|ledger| ledger.confirm(id));
        }
        settling.conclude(&round, Transactional);
    }
}
