//! What the clients know of each message: the side of the truth that the broker is held to.

use std::collections::{BTreeMap, HashMap, HashSet};

/// The queues under load. All are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QueueName {
    /// Has a consumer that acknowledges and requeues.
    Work,
    /// Nobody looks at it while it is under load.
    Quiet,
    /// Has priorities and a consumer.
    Priority,
    /// Has a consumer that rejects into [`QueueName::Dead`].
    Rejects,
    /// Its messages expire into [`QueueName::Dead`].
    Expiring,
    /// Read by `basic.get`, message by message, now and then.
    Polled,
    /// Published to and read in transactions.
    Transactional,
    /// Takes dead letters.
    Dead,
}

use QueueName::{Dead, Expiring, Polled, Priority, Quiet, Rejects, Transactional, Work};

impl QueueName {
    /// All, the one for dead letters last.
    pub const ALL: [Self; 8] =
        [Work, Quiet, Priority, Rejects, Expiring, Polled, Transactional, Dead];

    /// The queue's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Work => "work",
            Quiet => "quiet",
            Priority => "priority",
            Rejects => "rejects",
            Expiring => "expiring",
            Polled => "polled",
            Transactional => "transactional",
            Dead => "dead",
        }
    }

    /// Its messages may leave it for [`QueueName::Dead`] by themselves or on request.
    fn is_mortal(self) -> bool {
        matches!(self, Rejects | Expiring)
    }
}

/// Names a message: who published it, and as the how manieth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    /// The publisher's number, never used twice.
    pub publisher: u32,
    /// Its messages are numbered in the order of their publishing.
    pub number: u32,
}

/// A message as it is published.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// The queue it goes to.
    pub queue: QueueName,
    /// It has to survive once it is confirmed.
    pub is_persistent: bool,
    /// 0 where the queue has none.
    pub priority: u8,
    /// Bytes of its body.
    pub body_len: usize,
}

/// One copy of a message in one queue.
#[derive(Clone, Copy, Debug, Default)]
struct Copy {
    /// There was a consumer or a get since it was published: it may have been delivered unseen.
    may_be_delivered: bool,
    is_delivered: bool,
    may_be_settled: bool,
    /// Acknowledged, and a later answer on the channel was seen.
    is_settled: bool,
    /// Was not there when everything in the queue was looked at.
    is_absent: bool,
}

#[derive(Clone, Debug)]
struct Message {
    sent: Sent,
    is_confirmed: bool,
    may_be_rejected: bool,
    home: Copy,
    dead: Copy,
}

/// All that is known of all messages, over all rounds.
#[derive(Debug, Default)]
pub struct Ledger {
    messages: BTreeMap<Id, Message>,
    /// How many consumers and gets each queue has right now.
    readers: HashMap<QueueName, u32>,
    /// What went wrong, in words.
    pub violations: Vec<String>,
    /// Events so far: kill moments count in them.
    pub events: u64,
    /// Confirmed messages so far.
    pub confirmed: u64,
}

impl Ledger {
    /// The body of a message: its name, then a pattern that depends on it.
    pub fn body(id: Id, len: usize) -> Vec<u8> {
        let name = format!("{}.{}.", id.publisher, id.number);
        let pattern = id.publisher.wrapping_mul(31).wrapping_add(id.number);
        let mut body = name.into_bytes();
        while body.len() < len {
            body.push(b'a' + (pattern.wrapping_add(body.len() as u32) % 26) as u8);
        }
        body
    }

    fn parse(body: &[u8]) -> Option<Id> {
        let mut parts = body.split(|&octet| octet == b'.');
        let mut number = || std::str::from_utf8(parts.next()?).ok()?.parse().ok();
        Some(Id { publisher: number()?, number: number()? })
    }

    /// A message is about to be published.
    pub fn publish(&mut self, id: Id, sent: Sent) {
        self.events += 1;
        let is_read = self.readers.get(&sent.queue).is_some_and(|&count| 0 < count);
        let home = Copy { may_be_delivered: is_read, ..Copy::default() };
        let message = Message {
            sent,
            is_confirmed: false,
            may_be_rejected: false,
            home,
            dead: Copy::default(),
        };
        self.messages.insert(id, message);
    }

    /// It was confirmed.
    pub fn confirm(&mut self, id: Id) {
        self.events += 1;
        self.confirmed += 1;
        if let Some(message) = self.messages.get_mut(&id) {
            message.is_confirmed = true;
        }
    }

    /// A consumer or a get is about to begin.
    pub fn begin_reading(&mut self, queue: QueueName) {
        self.events += 1;
        *self.readers.entry(queue).or_default() += 1;
        self.note_readers(queue);
    }

    /// It has ended, and what was published from here on it cannot have seen.
    pub fn end_reading(&mut self, queue: QueueName) {
        self.note_readers(queue);
        if let Some(count) = self.readers.get_mut(&queue) {
            *count -= 1;
        }
    }

    /// All connections are gone.
    pub fn end_all_reading(&mut self) {
        self.readers.clear();
    }

    fn note_readers(&mut self, queue: QueueName) {
        for message in self.messages.values_mut() {
            if queue == Dead {
                message.dead.may_be_delivered = true;
            } else if message.sent.queue == queue {
                message.home.may_be_delivered = true;
            }
        }
    }

    fn copy(&mut self, queue: QueueName, id: Id) -> Option<&mut Copy> {
        let message = self.messages.get_mut(&id)?;
        Some(if queue == Dead { &mut message.dead } else { &mut message.home })
    }

    /// A message came out of a queue. Returns which, if it is one of ours.
    pub fn deliver(&mut self, queue: QueueName, body: &[u8], is_redelivered: bool) -> Option<Id> {
        self.events += 1;
        let name = queue.as_str();
        let known = Self::parse(body).and_then(|id| Some((id, self.messages.get(&id)?.clone())));
        let Some((id, message)) = known else {
            let start = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
            self.violations.push(format!("queue {name}: {start:?} was never published"));
            return None;
        };
        let mut wrong = |text: &str| {
            let facts = format!("{message:?}");
            self.violations.push(format!("queue {name}: message {id:?} {text}; known: {facts}"));
        };
        if message.sent.queue != queue && !(queue == Dead && message.sent.queue.is_mortal()) {
            wrong("was published to another queue");
            return None;
        }
        if body != Self::body(id, message.sent.body_len) {
            wrong("has another body than was published");
        }
        if queue == Dead && message.sent.queue == Rejects && !message.may_be_rejected {
            wrong("was dead-lettered, and nobody rejected it");
        }
        let copy = if queue == Dead { message.dead } else { message.home };
        // A letter may die twice: a crash between copy and removal leaves both.
        if queue != Dead {
            if copy.is_settled {
                wrong("came back after it was acknowledged");
            }
            if copy.is_absent {
                wrong("came back after it was gone");
            }
            if is_redelivered && !copy.may_be_delivered {
                wrong("is flagged as redelivered, expected not: nobody can have seen it");
            }
        }
        if !is_redelivered && copy.is_delivered && queue != Dead {
            wrong("is not flagged as redelivered, expected to be: it was delivered before");
        }
        if let Some(copy) = self.copy(queue, id) {
            copy.is_delivered = true;
            copy.may_be_delivered = true;
        }
        Some(id)
    }

    /// An acknowledgement is about to be sent.
    pub fn acknowledge(&mut self, queue: QueueName, id: Id) {
        self.events += 1;
        if let Some(copy) = self.copy(queue, id) {
            copy.may_be_settled = true;
        }
    }

    /// A later answer came: acknowledged for good.
    pub fn settle(&mut self, queue: QueueName, id: Id) {
        self.events += 1;
        if let Some(copy) = self.copy(queue, id) {
            copy.is_settled = true;
        }
    }

    /// A reject without requeue is about to be sent.
    pub fn reject(&mut self, id: Id) {
        self.events += 1;
        if let Some(message) = self.messages.get_mut(&id) {
            message.may_be_rejected = true;
        }
    }

    /// Everything in a queue was looked at, and this is what was there, in this order.
    pub fn inspect(&mut self, queue: QueueName, found: &[Id]) {
        self.check_order(queue, found);
        let present: HashSet<Id> = found.iter().copied().collect();
        if present.len() != found.len() && queue != Dead {
            self.violations.push(format!("queue {}: holds a message twice", queue.as_str()));
        }
        if queue == Dead || queue.is_mortal() {
            return;
        }
        for (id, message) in &mut self.messages {
            if message.sent.queue != queue || present.contains(id) {
                continue;
            }
            if message.must_be_home() && !message.home.is_absent {
                let text = format!(
                    "queue {}: message {id:?} is missing, expected: it was confirmed; known: {message:?}",
                    queue.as_str()
                );
                self.violations.push(text);
            }
            message.home.is_absent = true;
        }
    }

    /// Confirmed messages that must be in their own queue or the dead letter queue, and are in
    /// neither list.
    pub fn missing_dead(&self, present: &HashSet<Id>) -> Vec<Id> {
        let is_missing = |(id, message): &(&Id, &Message)| {
            message.sent.queue.is_mortal()
                && message.must_be_home()
                && !message.dead.may_be_settled
                && !present.contains(*id)
        };
        self.messages.iter().filter(is_missing).map(|(id, _)| *id).collect()
    }

    /// Complains about those.
    pub fn report_missing_dead(&mut self, missing: &[Id]) {
        for id in missing {
            let message = &self.messages[id];
            let name = message.sent.queue.as_str();
            let text = format!("message {id:?} is neither in queue {name} nor in queue dead");
            self.violations.push(format!("{text}, expected in one: it was confirmed; {message:?}"));
        }
    }

    /// A publisher's messages of one priority come in the order in which they were published.
    fn check_order(&mut self, queue: QueueName, found: &[Id]) {
        if queue == Dead {
            return;
        }
        let mut last: HashMap<(u32, u8), Id> = HashMap::new();
        for &id in found {
            let priority = self.messages[&id].sent.priority;
            let key = (id.publisher, if queue == Priority { priority } else { 0 });
            if let Some(before) = last.insert(key, id)
                && id <= before
            {
                let text = format!("{id:?} comes after {before:?}");
                self.violations.push(format!("queue {}: order: {text}", queue.as_str()));
            }
        }
    }

    /// Forgets messages that can never matter again, so that rounds cost the same.
    pub fn prune(&mut self, oldest_publisher: u32) {
        self.messages.retain(|id, message| {
            oldest_publisher <= id.publisher || !(message.home.is_settled || message.home.is_absent)
        });
    }
}

impl Message {
    fn must_be_home(&self) -> bool {
        self.is_confirmed && self.sent.is_persistent && !self.home.may_be_settled
    }
}
