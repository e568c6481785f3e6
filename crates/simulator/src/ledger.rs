//! What the clients know of each message: the side of the truth that the broker is held to.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::AddAssign;

use crate::founder::{PLOTS, Plot};
use crate::queues::QueueName::{self, Delayed};
use crate::tries::{Counts, Tried, Tries};

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
    /// The first reading in which it may have been delivered, seen or unseen.
    read_in: Option<u64>,
    /// What deliveries tell, and how many there were.
    tries: Tries,
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
    /// Those that were read since the clients came.
    read: HashSet<QueueName>,
    /// See [`Ledger::lose_places`].
    has_lost_places: bool,
    /// Consumers and gets so far.
    readings: u64,
    /// What went wrong, in words.
    pub violations: Vec<String>,
    /// Events so far: kill moments count in them.
    pub events: u64,
    /// Confirmed messages so far.
    pub confirmed: u64,
    /// What happened in quorum queues.
    pub quorum: Coverage,
    /// The queues that come and go.
    pub(crate) plots: [Plot; PLOTS],
}

/// How often quorum queues came to what only they do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Coverage {
    /// Messages confirmed.
    pub confirms: u64,
    /// Deliveries of messages that had come back.
    pub returns: u64,
    /// Messages that failed too often and are gone.
    pub drops: u64,
    /// Dead letters that arrived.
    pub dead_letters: u64,
    /// Messages that had come back and were found before one that nobody had had.
    pub overtakers: u64,
    /// Pages with messages when a node ended.
    pub pages: u64,
    /// Power cuts while there were messages.
    pub power_cuts: u64,
}

impl Coverage {
    /// Each figure with its name.
    pub fn figures(&self) -> [(&'static str, u64); 7] {
        [
            ("confirms", self.confirms),
            ("returns", self.returns),
            ("drops", self.drops),
            ("dead letters", self.dead_letters),
            ("overtakers", self.overtakers),
            ("pages", self.pages),
            ("power cuts", self.power_cuts),
        ]
    }
}

impl AddAssign for Coverage {
    fn add_assign(&mut self, other: Self) {
        self.confirms += other.confirms;
        self.returns += other.returns;
        self.drops += other.drops;
        self.dead_letters += other.dead_letters;
        self.overtakers += other.overtakers;
        self.pages += other.pages;
        self.power_cuts += other.power_cuts;
    }
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
        let home = Copy { read_in: is_read.then_some(self.readings), ..Copy::default() };
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
            self.quorum.confirms += u64::from(message.sent.queue.is_quorum());
        }
    }

    /// A consumer or a get is about to begin.
    pub fn begin_reading(&mut self, queue: QueueName) {
        self.events += 1;
        *self.readers.entry(queue).or_default() += 1;
        self.read.insert(queue);
        self.readings += 1;
        self.note_readers(queue);
    }

    /// It has ended, and what was published from here on it cannot have seen.
    pub fn end_reading(&mut self, queue: QueueName) {
        self.note_readers(queue);
        if let Some(count) = self.readers.get_mut(&queue) {
            *count -= 1;
        }
    }

    /// Somebody who read from a queue is gone and leaves these messages unsettled, and maybe some
    /// that nobody saw.
    pub fn lose_reader(&mut self, queue: QueueName, held: impl IntoIterator<Item = Id>) {
        let held: HashSet<Id> = held.into_iter().collect();
        for (id, message) in self.messages.iter_mut().filter(|(_, it)| it.sent.queue == queue) {
            message.home.tries.lose(held.contains(id));
        }
    }

    /// The broker has stopped in order, after all connections were gone.
    pub fn stop(&mut self) {
        self.readers.clear();
        self.read.clear();
        self.messages.values_mut().for_each(|message| message.home.tries.stop());
    }

    /// The broker has crashed, and all connections are gone.
    pub fn crash(&mut self) {
        self.readers.clear();
        let read = std::mem::take(&mut self.read);
        for message in self.messages.values_mut().filter(|it| read.contains(&it.sent.queue)) {
            message.home.tries.crash();
        }
    }

    /// The broker is about to end; whether it may not have read all of its pages. Then what came back to a
    /// quorum queue lately may lie in its old place after the next start, though others do not.
    pub fn lose_places(&mut self, is_unread: bool) {
        self.has_lost_places = is_unread;
        if is_unread {
            self.messages.values_mut().for_each(|message| message.home.tries.lose_place());
        }
    }

    fn note_readers(&mut self, queue: QueueName) {
        let reading = Some(self.readings);
        for message in self.messages.values_mut() {
            if let Some(copy) = message.copy(queue) {
                copy.read_in = copy.read_in.or(reading);
            }
        }
    }

    fn copy(&mut self, queue: QueueName, id: Id) -> Option<&mut Copy> {
        self.messages.get_mut(&id)?.copy(queue)
    }

    /// A message came out of a queue whose files are damaged: it must be one of ours, whole.
    pub fn recognise(&mut self, queue: QueueName, body: &[u8]) {
        let is_ours = |id: Id| body == Self::body(id, body.len());
        if !Self::parse(body).is_some_and(is_ours) {
            let start = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
            let name = queue.as_str();
            self.violations.push(format!("queue {name}: {start:?} was never published"));
        }
    }

    /// A message came out of a queue. Returns which, if it is one of ours.
    pub fn deliver(&mut self, queue: QueueName, body: &[u8], tried: Tried) -> Option<Id> {
        self.events += 1;
        let name = queue.as_str();
        let known = Self::parse(body).and_then(|id| Some((id, self.messages.get(&id)?)));
        let Some((id, message)) = known else {
            let start = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
            self.violations.push(format!("queue {name}: {start:?} was never published"));
            return None;
        };
        let what = format!("queue {name}: message {id:?}");
        if message.sent.queue != queue && message.sent.queue.grave() != Some(queue) {
            self.violations.push(format!("{what} was published to {:?}", message.sent.queue));
            return None;
        }
        let wrongs = message.check_delivery(queue, id, body, tried).into_iter().flatten();
        let known = wrongs.map(|wrong| format!("{what} {wrong}; {tried:?}; known: {message:?}"));
        self.violations.extend(known.collect::<Vec<_>>());
        if queue.is_quorum() {
            self.quorum.returns += u64::from(0 < tried.acquired && !queue.is_grave());
            self.quorum.dead_letters += u64::from(queue.is_grave());
        }
        let reading = self.readings;
        let copy = self.copy(queue, id)?;
        copy.read_in = copy.read_in.or(Some(reading));
        copy.tries.deliver(tried);
        Some(id)
    }

    /// An acknowledgement is about to be sent.
    pub fn acknowledge(&mut self, queue: QueueName, id: Id) {
        self.events += 1;
        if let Some(copy) = self.copy(queue, id) {
            copy.may_be_settled = true;
            copy.tries.give_back(true);
        }
    }

    /// A message is about to be given back; whether that counts as a failure. Returns what it counts
    /// then.
    pub fn give_back(&mut self, queue: QueueName, id: Id, has_failed: bool) -> Counts {
        self.events += 1;
        let copy = self.copy(queue, id);
        copy.map_or_else(Counts::default, |copy| copy.tries.give_back(has_failed))
    }

    /// A later answer came: it is back for good, and counted this.
    pub fn take_back(&mut self, queue: QueueName, id: Id, counts: Counts) {
        if let Some(copy) = self.copy(queue, id) {
            copy.tries.take_back(counts);
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
            message.home.tries.give_back(true);
        }
    }

    /// Everything in a queue was looked at, and this is what was there, in this order.
    pub fn inspect(&mut self, queue: QueueName, found: &[Id]) {
        if queue.is_grave() {
            return;
        }
        self.check_order(queue, found);
        self.check_overtaking(queue, found);
        let present: HashSet<Id> = found.iter().copied().collect();
        if present.len() != found.len() {
            self.violations.push(format!("queue {}: holds a message twice", queue.as_str()));
        }
        if queue.grave().is_some() {
            return;
        }
        for (id, message) in &mut self.messages {
            if message.sent.queue != queue || present.contains(id) {
                continue;
            }
            if message.home.tries.may_exceed(queue.delivery_limit()) {
                // A crash may bring it back: nobody asked for its end.
                self.quorum.drops += u64::from(message.must_be_home());
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
            message.sent.queue.grave().is_some()
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
            let text =
                format!("message {id:?} is neither in queue {name} nor where it goes from there");
            self.violations.push(format!("{text}, expected in one: it was confirmed; {message:?}"));
        }
    }

    /// A publisher's messages of one priority come in the order in which they were published. In a
    /// quorum queue, those do that nobody saw before and that were tried as often as each other.
    fn check_order(&mut self, queue: QueueName, found: &[Id]) {
        if queue.is_quorum() && self.has_lost_places {
            return;
        }
        let mut last: HashMap<(u32, u8, u32), Id> = HashMap::new();
        for &id in found {
            let Message { sent, home, .. } = &self.messages[&id];
            if queue.is_quorum() && home.tries.deliveries != 1 {
                continue;
            }
            let priority = if queue.has_priorities() { sent.priority } else { 0 };
            let acquired = if queue.is_quorum() { home.tries.acquired } else { 0 };
            if let Some(before) = last.insert((id.publisher, priority, acquired), id)
                && id <= before
            {
                let text = format!("{id:?} comes after {before:?}");
                self.violations.push(format!("queue {}: order: {text}", queue.as_str()));
            }
        }
    }

    /// What came back to a quorum queue comes before what nobody can have had.
    fn check_overtaking(&mut self, queue: QueueName, found: &[Id]) {
        if !queue.is_quorum() || queue == Delayed {
            return;
        }
        let mut untouched = None;
        let mut returned = 0;
        for id in found {
            let home = &self.messages[id].home;
            if home.read_in == Some(self.readings) {
                untouched.get_or_insert(*id);
            } else if home.tries.is_returned {
                returned += 1;
                if let Some(before) = untouched {
                    let text = format!("{id:?} came back, and comes after {before:?}");
                    self.violations.push(format!("queue {}: order: {text}", queue.as_str()));
                }
            }
        }
        self.quorum.overtakers += if untouched.is_some() { returned } else { 0 };
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
        let is_kept = self.sent.is_persistent || self.sent.queue.is_quorum();
        self.is_confirmed && is_kept && !self.home.may_be_settled
    }

    /// The one in `queue`, if the message is for it or may go there.
    fn copy(&mut self, queue: QueueName) -> Option<&mut Copy> {
        if self.sent.queue == queue {
            Some(&mut self.home)
        } else {
            (self.sent.queue.grave() == Some(queue)).then_some(&mut self.dead)
        }
    }

    /// What is wrong with a delivery, in words.
    fn check_delivery(
        &self,
        queue: QueueName,
        id: Id,
        body: &[u8],
        tried: Tried,
    ) -> [Option<&'static str>; 6] {
        let is_other = body != Ledger::body(id, self.sent.body_len);
        let wrong_body = is_other.then_some("has another body than was published");
        if queue.is_grave() {
            let is_expected = self.may_be_rejected
                || self.sent.queue == QueueName::Expiring
                || self.home.tries.may_exceed(self.sent.queue.delivery_limit());
            let wrong = "was dead-lettered, and nobody rejected it";
            // A letter may die twice: a crash between copy and removal leaves both.
            return [wrong_body, (!is_expected).then_some(wrong), None, None, None, None];
        }
        let home = &self.home;
        let is_seen = 0 < home.tries.deliveries;
        let is_over = queue.delivery_limit().is_some_and(|limit| limit < tried.failures);
        [
            wrong_body,
            home.is_settled.then_some("came back after it was acknowledged"),
            home.is_absent.then_some("came back after it was gone"),
            (tried.is_redelivered && home.read_in.is_none())
                .then_some("is flagged as redelivered, expected not: nobody can have seen it"),
            (!tried.is_redelivered && is_seen).then_some(
                "is not flagged as redelivered, expected to be: it was delivered before",
            ),
            is_over.then_some("is beyond the delivery limit").or_else(|| self.check_tries(tried)),
        ]
    }

    fn check_tries(&self, tried: Tried) -> Option<&'static str> {
        let is_quorum = self.sent.queue.is_quorum();
        is_quorum.then(|| self.home.tries.check(tried)).flatten()
    }
}
