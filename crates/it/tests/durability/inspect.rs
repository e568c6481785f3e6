//! Looks at everything a restarted broker has.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures_lite::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicGetOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Result};
use simulator::QueueName::{Dead, Expiring, Single};
use simulator::{Chance, Id, QueueName};

use crate::load::{self, Settling};
use crate::round::Round;

/// How long a message may take that is due.
const PATIENCE: Duration = Duration::from_secs(10);

/// Time between two looks for a dead letter that is on its way.
const POLL: Duration = Duration::from_millis(5);

/// Looks at every queue, and settles some of what is there.
pub(crate) async fn inspect(round: &Round, chance: &mut Chance) -> Result<()> {
    let connection = round.connect().await?;
    let mut seen = HashSet::new();
    for queue in load::queues() {
        if queue != Dead {
            inspect_queue(round, &connection, chance, queue, &mut seen).await?;
        }
    }
    inspect_queue(round, &connection, chance, Dead, &mut seen).await
}

async fn inspect_queue(
    round: &Round,
    connection: &Connection,
    chance: &mut Chance,
    queue: QueueName,
    seen: &mut HashSet<Id>,
) -> Result<()> {
    let channel = connection.create_channel().await?;
    round.note(|ledger| ledger.begin_reading(queue));
    let mut deliveries = Vec::new();
    // Nobody gets from a quorum queue with a single active consumer.
    let gets = matches!(queue, Dead | Expiring) || (queue != Single && chance.one_in(4));
    let found = if gets {
        get_all(round, &channel, queue, &mut deliveries).await?
    } else {
        consume_all(round, &channel, queue, &mut deliveries).await?
    };
    seen.extend(found.iter().copied());
    if queue == Dead {
        await_dead(round, &channel, seen, &mut deliveries).await?;
    }
    round.note(|ledger| ledger.inspect(queue, &found));
    let mut settling = Settling::default();
    let count = match chance.below(4) {
        0 => 0,
        1 => chance.below(deliveries.len() as u64 + 1) as usize,
        _ => deliveries.len(),
    };
    for (id, _) in &deliveries[..count] {
        round.note(|ledger| ledger.acknowledge(queue, *id));
        settling.sent.push(*id);
    }
    if let Some((_, last)) = deliveries[..count].last() {
        last.ack(BasicAckOptions { multiple: true }).await?;
    }
    settling.sync(round, &channel, queue).await?;
    channel.close(200, "").await?;
    round.note(|ledger| {
        ledger.end_reading(queue);
        ledger.lose_reader(queue, found);
    });
    Ok(())
}

type Deliveries = Vec<(Id, lapin::message::Delivery)>;

async fn get_all(
    round: &Round,
    channel: &Channel,
    queue: QueueName,
    deliveries: &mut Deliveries,
) -> Result<Vec<Id>> {
    let mut found = Vec::new();
    while let Some(got) = channel.basic_get(queue.as_str(), BasicGetOptions::default()).await? {
        let delivery = got.delivery;
        let (data, tried) = (&delivery.data, load::tried(&delivery));
        let arrived = round.note(|ledger| ledger.deliver(queue, data, tried));
        if let Some(id) = arrived {
            found.push(id);
            deliveries.push((id, delivery));
        }
    }
    Ok(found)
}

async fn consume_all(
    round: &Round,
    channel: &Channel,
    queue: QueueName,
    deliveries: &mut Deliveries,
) -> Result<Vec<Id>> {
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let declared = channel.queue_declare(queue.as_str(), passive, FieldTable::default()).await?;
    let count = declared.message_count();
    let options = BasicConsumeOptions::default();
    let arguments = FieldTable::default();
    let mut consumer = channel.basic_consume(queue.as_str(), "", options, arguments).await?;
    let mut found = Vec::new();
    for number in 0..count {
        let Ok(Some(delivery)) = tokio::time::timeout(PATIENCE, consumer.next()).await else {
            let name = queue.as_str();
            round.complain(format!("queue {name}: has {count} messages, delivered {number}"));
            break;
        };
        let delivery = delivery?;
        let (data, tried) = (&delivery.data, load::tried(&delivery));
        let arrived = round.note(|ledger| ledger.deliver(queue, data, tried));
        if let Some(id) = arrived {
            found.push(id);
            deliveries.push((id, delivery));
        }
    }
    Ok(found)
}

/// Waits for letters that died while we looked elsewhere.
async fn await_dead(
    round: &Round,
    channel: &Channel,
    seen: &mut HashSet<Id>,
    deliveries: &mut Deliveries,
) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let missing = round.note(|ledger| ledger.missing_dead(seen));
        if missing.is_empty() {
            return Ok(());
        }
        if deadline < Instant::now() {
            if !round.is_killed() {
                round.note(|ledger| ledger.report_missing_dead(&missing));
            }
            return Ok(());
        }
        let found = get_all(round, channel, Dead, deliveries).await?;
        seen.extend(found.iter().copied());
        tokio::time::sleep(POLL).await;
    }
}
