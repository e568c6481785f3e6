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
use simulator::QueueName::{Dead, Expiring, Polled, Priority, Quiet, Rejects, Transactional, Work};
use simulator::{Chance, Id, Ledger, QueueName, Sent};

use crate::round::Round;

/// Publishers of one round, numbered.
pub(crate) const PUBLISHERS_PER_ROUND: u32 = 10;

/// Messages of the expiring queue live this long.
const EXPIRING_TTL_MS: u32 = 150;

const PREFETCH: u16 = 20;

/// Declares the queues under load.
pub(crate) async fn declare(channel: &Channel) -> Result<()> {
    for queue in QueueName::ALL {
        let mut arguments = FieldTable::default();
        if matches!(queue, Rejects | Expiring) {
            let dead = AMQPValue::LongString(Dead.as_str().into());
            arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
            arguments.insert("x-dead-letter-routing-key".into(), dead);
        }
        if queue == Expiring {
            let ttl = AMQPValue::LongUInt(EXPIRING_TTL_MS);
            arguments.insert("x-message-ttl".into(), ttl);
        }
        if queue == Priority {
            arguments.insert("x-max-priority".into(), AMQPValue::LongUInt(5));
        }
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(queue.as_str(), options, arguments).await?;
    }
    Ok(())
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
        let priority = if queue == Priority { chance.below(6) as u8 } else { 0 };
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
            let queue = match chance.below(12) {
                0..=4 => Work,
                5 | 6 => Quiet,
                7 => Priority,
                8 | 9 => Rejects,
                10 => Expiring,
                _ => Polled,
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
    pub(crate) sent: Vec<Id>,
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
        let redelivered = delivery.redelivered;
        let arrived = round.note(|ledger| ledger.deliver(queue, &delivery.data, redelivered));
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
                let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
                delivery.nack(options).await?;
            }
            1 => drop(delivery.reject(BasicRejectOptions { requeue: true }).await?),
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
            let arrived = delivery.as_ref().and_then(|it| {
                round.note(|ledger| ledger.deliver(Polled, &it.data, it.redelivered))
            });
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
            let (data, redelivered) = (&got.delivery.data, got.delivery.redelivered);
            let arrived = round.note(|ledger| ledger.deliver(Transactional, data, redelivered));
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
