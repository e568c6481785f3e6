//! The clients: they publish, consume and get, note in the ledger what they do before they do it,
//! and what they hear as soon as they hear it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use amqp091_codec::{
    BasicAck, BasicConsume, BasicGet, BasicNack, BasicProperties, BasicQos, BasicReject,
    ConfirmSelect, QueueDeclare, Table, TxCommit, TxSelect,
};
use broker::Broker;
use field_table::{FieldTable, FieldValue};
use stdx::Timestamp;

use crate::chance::Chance;
use crate::founder::Founder;
use crate::history::History;
use crate::ledger::{Id, Ledger, Sent};
use crate::link::{Link, Said};
use crate::queues::QueueName::{
    Buried, Delayed, Expiring, Limited, Polled, Priority, Quiet, Quorum, Rejects, Single,
    Transactional, Work,
};
use crate::queues::{Argument, QueueName};
use crate::tries::Counts;

/// Messages that a consumer holds at most.
const PREFETCH: u16 = 20;
/// Unconfirmed messages of a publisher at most.
const WINDOW: usize = 60;
/// What all actors share.
pub(crate) struct Scene<'a> {
    pub(crate) now: Timestamp,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) history: &'a mut History,
}

pub(crate) struct Actor {
    pub(crate) link: Link,
    pub(crate) name: String,
    chance: Chance,
    role: Role,
}

enum Role {
    Publisher(Publisher),
    Committer(Committer),
    Consumer(Consumer),
    Founder(Founder),
}

struct Publisher {
    next: Id,
    next_tag: u64,
    unconfirmed: BTreeMap<u64, Id>,
}

/// Publishes in transactions.
struct Committer {
    next: Id,
    /// What each commit is about that has no answer yet.
    uncommitted: VecDeque<Vec<Id>>,
}

/// Takes messages by a subscription, or one by one.
struct Consumer {
    queue: QueueName,
    is_subscribed: bool,
    /// Delivered and not settled, by delivery tag.
    open: BTreeMap<u64, Id>,
    /// Settled since the last question that has an answer.
    settled: Vec<Settled>,
    /// The same for each question under way.
    asked: Vec<Vec<Settled>>,
    is_getting: bool,
}

/// What is true once a later answer was heard.
enum Settled {
    /// It is gone.
    Acknowledged(Id),
    /// It is back, and counts this.
    Returned(Id, Counts),
}

/// Declares the queues; the answers do not matter.
pub(crate) fn declare(link: &mut Link) {
    for queue in QueueName::ALL {
        let mut arguments = FieldTable::new();
        for (name, value) in queue.arguments() {
            let value = match value {
                Argument::Text(text) => FieldValue::from(text),
                Argument::Number(number) => FieldValue::I64(number),
                Argument::Flag(flag) => FieldValue::Bool(flag),
            };
            arguments.set(name, value);
        }
        let mut fields = Vec::new();
        arguments.encode_fields(&mut fields);
        link.send(QueueDeclare {
            queue: queue.as_str(),
            durable: true,
            arguments: Table::new(&fields).expect("an encoded table"),
            ..QueueDeclare::default()
        });
    }
}

impl Actor {
    /// A publisher with numbers of its own.
    pub(crate) fn publisher(
        broker: &Arc<Broker>,
        now: Timestamp,
        chance: Chance,
        number: u32,
    ) -> Self {
        let mut link = Link::connect(broker, now, 10_000 + (number % 50_000) as u16);
        link.send(ConfirmSelect { nowait: false });
        let next = Id { publisher: number, number: 0 };
        let publisher = Publisher { next, next_tag: 1, unconfirmed: BTreeMap::new() };
        Self { link, name: format!("publisher {number}"), chance, role: Role::Publisher(publisher) }
    }

    /// A publisher with numbers of its own, and transactions.
    pub(crate) fn committer(
        broker: &Arc<Broker>,
        now: Timestamp,
        chance: Chance,
        number: u32,
    ) -> Self {
        let mut link = Link::connect(broker, now, 8000);
        link.send(TxSelect {});
        let next = Id { publisher: number, number: 0 };
        let role = Role::Committer(Committer { next, uncommitted: VecDeque::new() });
        Self { link, name: format!("committer {number}"), chance, role }
    }

    /// Who declares and deletes queues.
    pub(crate) fn founder(broker: &Arc<Broker>, now: Timestamp, chance: Chance) -> Self {
        let link = Link::connect(broker, now, 8001);
        Self { link, name: "founder".to_owned(), chance, role: Role::Founder(Founder::default()) }
    }

    /// A consumer of a queue, subscribed or getting message by message.
    pub(crate) fn consumer(
        broker: &Arc<Broker>,
        chance: Chance,
        queue: QueueName,
        is_subscribed: bool,
        scene: &mut Scene<'_>,
    ) -> Self {
        let mut link = Link::connect(broker, scene.now, 9000);
        link.send(BasicQos { prefetch_size: 0, prefetch_count: PREFETCH, global: false });
        if is_subscribed {
            scene.ledger.begin_reading(queue);
            link.send(BasicConsume { queue: queue.as_str(), ..BasicConsume::default() });
        }
        let consumer = Consumer {
            queue,
            is_subscribed,
            open: BTreeMap::new(),
            settled: Vec::new(),
            asked: vec![Vec::new()],
            is_getting: false,
        };
        let name = format!("consumer of {}", queue.as_str());
        Self { link, name, chance, role: Role::Consumer(consumer) }
    }

    /// Takes note of everything heard.
    pub(crate) fn listen(&mut self, scene: &mut Scene<'_>) {
        while let Some(said) = self.link.hear() {
            let line = match &mut self.role {
                Role::Publisher(publisher) => publisher.hear(said, scene.ledger),
                Role::Committer(committer) => committer.hear(said, scene.ledger),
                Role::Founder(founder) => founder.hear(&said, &mut scene.ledger.plots),
                Role::Consumer(consumer) => consumer.hear(said, scene.ledger),
            };
            if let Some(line) = line {
                scene.history.note(scene.now, &self.name, &line);
            }
        }
    }

    /// What it reads from, if it is a consumer.
    pub(crate) fn queue(&self) -> Option<QueueName> {
        match &self.role {
            Role::Consumer(consumer) => Some(consumer.queue),
            Role::Publisher(_) | Role::Committer(_) | Role::Founder(_) => None,
        }
    }

    /// Its socket is gone.
    pub(crate) fn break_off(self, scene: &mut Scene<'_>) {
        self.link.disconnect(scene.now);
        if let Role::Consumer(consumer) = self.role {
            if consumer.is_subscribed || consumer.is_getting {
                scene.ledger.end_reading(consumer.queue);
            }
            scene.ledger.lose_reader(consumer.queue, consumer.open.into_values());
        }
        scene.history.note(scene.now, &self.name, "is gone");
    }

    /// Does something, or nothing.
    pub(crate) fn act(&mut self, scene: &mut Scene<'_>) {
        let Self { link, chance, role, name } = self;
        let line = match role {
            Role::Publisher(publisher) => publisher.act(link, chance, scene.ledger),
            Role::Committer(committer) => committer.act(link, chance, scene.ledger),
            Role::Founder(founder) => founder.act(link, chance, &mut scene.ledger.plots),
            Role::Consumer(consumer) => consumer.act(link, chance, scene.ledger),
        };
        if let Some(line) = line {
            scene.history.note(scene.now, name, &line);
        }
    }
}

impl Publisher {
    fn hear(&mut self, said: Said, ledger: &mut Ledger) -> Option<String> {
        match said {
            Said::Confirm { tag, is_multiple, is_negative } => {
                let from = if is_multiple { 0 } else { tag };
                let tags: Vec<u64> =
                    self.unconfirmed.range(from..=tag).map(|(tag, _)| *tag).collect();
                for tag in &tags {
                    let id = self.unconfirmed.remove(tag).expect("just found");
                    match is_negative {
                        true => ledger.violations.push(format!("{id:?} was refused")),
                        false => ledger.confirm(id),
                    }
                }
                Some(format!("heard confirms of {tags:?}"))
            }
            Said::Closed(text) => {
                ledger.violations.push(format!("a publisher was closed: {text}"));
                None
            }
            _ => None,
        }
    }

    fn act(&mut self, link: &mut Link, chance: &mut Chance, ledger: &mut Ledger) -> Option<String> {
        if self.unconfirmed.len() >= WINDOW {
            return None;
        }
        let count = 1 + chance.below(20);
        let first = self.next;
        for _ in 0..count {
            self.publish(link, chance, ledger);
        }
        Some(format!("publishes {count} from {first:?}"))
    }

    fn publish(&mut self, link: &mut Link, chance: &mut Chance, ledger: &mut Ledger) {
        let queue = match chance.below(24) {
            0..=4 => Work,
            5 | 6 => Quiet,
            7 => Priority,
            8 | 9 => Rejects,
            10 => Expiring,
            11 => Polled,
            12..=16 => Quorum,
            17 | 18 => Limited,
            19 | 20 => Buried,
            21 => Delayed,
            _ => Single,
        };
        self.unconfirmed
            .insert(self.next_tag, publish(&mut self.next, queue, link, chance, ledger));
        self.next_tag += 1;
    }
}

/// Publishes the next message of a publisher.
fn publish(
    next: &mut Id,
    queue: QueueName,
    link: &mut Link,
    chance: &mut Chance,
    ledger: &mut Ledger,
) -> Id {
    let body_len = match chance.below(60) {
        0 => 100_000,
        1..=4 => 5_000,
        _ => 12 + chance.below(200) as usize,
    };
    let is_persistent = !chance.one_in(6);
    let priority = if queue.has_priorities() { chance.below(6) as u8 } else { 0 };
    let id = *next;
    next.number += 1;
    ledger.publish(id, Sent { queue, is_persistent, priority, body_len });
    let properties = BasicProperties {
        delivery_mode: Some(if is_persistent { 2 } else { 1 }),
        priority: Some(priority),
        ..BasicProperties::default()
    };
    link.publish(queue.as_str(), &properties, &Ledger::body(id, body_len));
    id
}

impl Committer {
    fn hear(&mut self, said: Said, ledger: &mut Ledger) -> Option<String> {
        match said {
            Said::Committed => {
                let ids = self.uncommitted.pop_front()?;
                ids.iter().for_each(|&id| ledger.confirm(id));
                Some(format!("heard that {} are committed", ids.len()))
            }
            Said::Closed(text) => {
                ledger.violations.push(format!("a committer was closed: {text}"));
                None
            }
            _ => None,
        }
    }

    fn act(&mut self, link: &mut Link, chance: &mut Chance, ledger: &mut Ledger) -> Option<String> {
        // A second command in front of the answer would be a mistake.
        if !self.uncommitted.is_empty() {
            return None;
        }
        let (count, first) = (1 + chance.below(20), self.next);
        let publish = |_| publish(&mut self.next, Transactional, link, chance, ledger);
        let ids: Vec<Id> = (0..count).map(publish).collect();
        link.send(TxCommit {});
        self.uncommitted.push_back(ids);
        Some(format!("commits {count} from {first:?}"))
    }
}

impl Consumer {
    fn hear(&mut self, said: Said, ledger: &mut Ledger) -> Option<String> {
        match said {
            Said::Delivery { tag, tried, body } => {
                let id = ledger.deliver(self.queue, &body, tried)?;
                self.open.insert(tag, id);
                Some(format!("heard {id:?}, {tried:?}"))
            }
            Said::Got { tag, tried, body } => {
                self.is_getting = false;
                let id = ledger.deliver(self.queue, &body, tried);
                ledger.end_reading(self.queue);
                self.open.insert(tag, id?);
                Some(format!("got {id:?}, {tried:?}"))
            }
            Said::Empty => {
                self.is_getting = false;
                ledger.end_reading(self.queue);
                Some("found nothing".to_owned())
            }
            Said::QosOk if !self.asked.is_empty() => {
                let settled = self.asked.remove(0);
                for it in &settled {
                    match *it {
                        Settled::Acknowledged(id) => ledger.settle(self.queue, id),
                        Settled::Returned(id, counts) => ledger.take_back(self.queue, id, counts),
                    }
                }
                Some(format!("knows {} settled", settled.len()))
            }
            Said::Closed(text) => {
                ledger.violations.push(format!("a consumer was closed: {text}"));
                None
            }
            _ => None,
        }
    }

    fn act(&mut self, link: &mut Link, chance: &mut Chance, ledger: &mut Ledger) -> Option<String> {
        if !self.is_subscribed && !self.is_getting && chance.one_in(2) {
            self.is_getting = true;
            ledger.begin_reading(self.queue);
            link.send(BasicGet { ticket: 0, queue: self.queue.as_str(), no_ack: false });
            return Some("asks for a message".to_owned());
        }
        if chance.one_in(4) {
            link.send(BasicQos { prefetch_size: 0, prefetch_count: PREFETCH, global: false });
            self.asked.push(std::mem::take(&mut self.settled));
            return Some("asks for an answer".to_owned());
        }
        self.settle(link, chance, ledger)
    }

    fn settle(
        &mut self,
        link: &mut Link,
        chance: &mut Chance,
        ledger: &mut Ledger,
    ) -> Option<String> {
        let (&tag, &id) = self.open.iter().nth(chance.below(1 + self.open.len() as u64) as usize)?;
        match chance.below(8) {
            0..=2 => {
                let settled: Vec<u64> = self.open.range(..=tag).map(|(tag, _)| *tag).collect();
                for tag in settled {
                    let id = self.open.remove(&tag).expect("just found");
                    ledger.acknowledge(self.queue, id);
                    self.settled.push(Settled::Acknowledged(id));
                }
                link.send(BasicAck { delivery_tag: tag, multiple: true });
                Some(format!("acknowledges up to {id:?}"))
            }
            3 => {
                self.give_back(tag, id, false, ledger);
                link.send(BasicNack { delivery_tag: tag, multiple: false, requeue: true });
                Some(format!("requeues {id:?}"))
            }
            4 => {
                self.give_back(tag, id, true, ledger);
                link.send(BasicReject { delivery_tag: tag, requeue: true });
                Some(format!("rejects {id:?} back"))
            }
            5 | 6 if matches!(self.queue, Rejects | Buried) => {
                self.open.remove(&tag);
                ledger.reject(id);
                link.send(BasicReject { delivery_tag: tag, requeue: false });
                Some(format!("rejects {id:?}"))
            }
            _ => {
                self.open.remove(&tag);
                ledger.acknowledge(self.queue, id);
                self.settled.push(Settled::Acknowledged(id));
                link.send(BasicAck { delivery_tag: tag, multiple: false });
                Some(format!("acknowledges {id:?}"))
            }
        }
    }

    fn give_back(&mut self, tag: u64, id: Id, has_failed: bool, ledger: &mut Ledger) {
        self.open.remove(&tag);
        let counts = ledger.give_back(self.queue, id, has_failed);
        self.settled.push(Settled::Returned(id, counts));
    }
}
