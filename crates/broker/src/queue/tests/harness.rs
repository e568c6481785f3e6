//! Drives a queue as the hub does, with a log in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use field_table::FieldTable;
use message::{History, Incoming, MessageRef};
use stdx::Timestamp;
use topology::{QueueId, QueueKind, QueueRecord, QueueSettings};

use crate::mailbox::{ConsumerKey, Event, Intake, Mailbox, MailboxRef};
use crate::queue::messages::Messages;
use crate::queue::{
    Attempts, Batch, ConsumeRefusal, Consumer, ConsumerId, DeadLetter, Delivery, Effects, Getter,
    PageOut, Queue, Settle, Ticket,
};
use crate::testing::MemoryPages;
use crate::{Lsn, PageRef, Pages, QueueRef};

struct NoMailbox;

impl Mailbox for NoMailbox {
    fn deliver_reply(&self, _key: ConsumerKey, _: &MessageRef<'_>) -> bool {
        false
    }

    fn deliver(&self, _: ConsumerKey, _: &QueueRef, _: &Batch<'_>) -> Intake {
        Intake { taken: 0, is_full: true }
    }
    fn post(&self, _: Event) {}
    fn wake(&self) {}
}

/// What was done to the log, in order.
#[derive(Clone, Debug)]
pub(super) enum LogStep {
    Append(u64, Vec<u8>),
    Compact(u64),
    Clear,
    /// Once the steps before are on the disk, the page may be used again.
    Release(PageRef),
    /// It was.
    Released,
}

/// What came out of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Delivered {
        to: u64,
        body: Vec<u8>,
        is_redelivered: bool,
        attempts: Option<Attempts>,
        is_no_ack: bool,
    },
    Got {
        body: Vec<u8>,
        is_redelivered: bool,
        attempts: Option<Attempts>,
        remaining: u64,
    },
    GotNothing,
    Rejected(u32),
    Dead {
        body: Vec<u8>,
        reason: &'static str,
        failures: u32,
    },
    TimedOut(u64),
    Unused,
    Expired,
    Damaged {
        lost: u64,
    },
}

/// One message for the test to publish.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) body: Vec<u8>,
    pub(super) priority: Option<u8>,
    pub(super) ttl_ms: Option<u64>,
    pub(super) is_persistent: bool,
    /// How often it failed in other queues.
    pub(super) failures: u32,
}

pub(super) struct Harness {
    pub(super) queue: Queue,
    pub(super) now: Timestamp,
    pub(super) log: Vec<LogStep>,
    pub(super) seen: Vec<Seen>,
    /// Unsettled deliveries in order: consumer (0 for `get`), body, ticket.
    pub(super) unacked: Vec<(u64, Vec<u8>, Ticket)>,
    /// How many more messages a consumer's mailbox takes.
    pub(super) room: BTreeMap<u64, usize>,
    /// Dead letters whose tickets the queue still waits for.
    pub(super) limbo: Vec<Ticket>,
    pub(super) pages: Arc<MemoryPages>,
    /// Steps of the log that were read by a start: no crash takes them.
    pub(super) read: usize,
    /// Being written.
    pub(super) leaving: Vec<PageOut>,
    /// Dead letters that have to be safe everywhere, as far as nothing was said about them.
    pub(super) on_their_way: Vec<(Vec<u8>, Ticket)>,
    record: Arc<QueueRecord>,
    settings: Arc<QueueSettings>,
    fx: Effects,
}

/// A queue's record and what it acts on.
pub(super) type Declared = (Arc<QueueRecord>, Arc<QueueSettings>);

pub(super) fn record(settings: QueueSettings, durable: bool, auto_delete: bool) -> Declared {
    let kind = match settings.quorum {
        Some(_) => QueueKind::Quorum,
        None => QueueKind::Classic,
    };
    let record = QueueRecord {
        id: QueueId(1),
        vhost: "/".into(),
        name: "q".into(),
        kind,
        durable,
        auto_delete,
        owner: None,
        arguments: Arc::new(FieldTable::default()),
    };
    (Arc::new(record), Arc::new(settings))
}

impl Harness {
    pub(super) fn new((record, settings): Declared) -> Self {
        let now = Timestamp(1_000_000);
        let pages = Arc::new(MemoryPages::default());
        Self {
            fx: Effects::with_pages(pages.clone()),
            pages,
            read: 0,
            leaving: Vec::new(),
            queue: Queue::new(record.clone(), settings.clone(), now),
            now,
            log: Vec::new(),
            seen: Vec::new(),
            unacked: Vec::new(),
            room: BTreeMap::new(),
            limbo: Vec::new(),
            on_their_way: Vec::new(),
            record,
            settings,
        }
    }

    pub(super) fn publish(&mut self, batch: &[Outgoing]) {
        let incoming: Vec<Incoming<'_>> = batch
            .iter()
            .map(|it| Incoming {
                message: MessageRef {
                    exchange: b"",
                    routing_key: b"q",
                    properties: &[0, 0],
                    body: &it.body,
                    image: None,
                },
                is_persistent: it.is_persistent,
                priority: it.priority,
                ttl_ms: it.ttl_ms,
                history: History { failures: it.failures, ..History::default() },
            })
            .collect();
        self.queue.publish(self.now, &incoming, &mut self.fx);
        self.end_turn();
    }

    pub(super) fn consume(&mut self, consumer: Consumer) -> Result<(), ConsumeRefusal> {
        let result = self.queue.add_consumer(self.now, consumer, &mut self.fx);
        self.end_turn();
        result
    }

    pub(super) fn cancel(&mut self, id: u64) {
        self.queue.remove_consumer(self.now, ConsumerId(id), &mut self.fx);
        self.room.remove(&id);
        self.end_turn();
    }

    /// Settles the given unacked deliveries of one consumer, by their place in `unacked`. Returns how
    /// many turns it took.
    pub(super) fn settle(&mut self, mut at: Vec<usize>, how: Settle) -> usize {
        at.sort_unstable();
        let Some(&first) = at.first() else { return 0 };
        let id = self.unacked[first].0;
        let tickets: Vec<Ticket> = at.iter().map(|&at| self.unacked[at].2).collect();
        for at in at.into_iter().rev() {
            self.unacked.remove(at);
        }
        let consumer = (id != 0).then_some(ConsumerId(id));
        let (mut rest, mut turns) = (tickets.as_slice(), 0);
        while !rest.is_empty() {
            turns += 1;
            let settled = self.queue.settle(self.now, consumer, rest, how, &mut self.fx);
            rest = &rest[settled..];
            self.end_turn();
        }
        turns
    }

    pub(super) fn get(&mut self, is_no_ack: bool) {
        self.get_by((!is_no_ack).then(|| getter(0, u64::MAX)));
    }

    pub(super) fn get_by(&mut self, getter: Option<Getter>) {
        let seen = match self.queue.get(self.now, getter.as_ref(), &mut self.fx) {
            None => Seen::GotNothing,
            Some(got) => {
                let body = got.delivery.message.body.to_vec();
                if let Some(getter) = getter {
                    self.unacked.push((getter.id.0, body.clone(), got.delivery.ticket));
                }
                let (is_redelivered, attempts) =
                    (got.delivery.is_redelivered, got.delivery.attempts);
                Seen::Got { body, is_redelivered, attempts, remaining: got.remaining }
            }
        };
        self.seen.push(seen);
        self.end_turn();
    }

    pub(super) fn resume(&mut self, id: u64, room: usize) {
        self.room.insert(id, room);
        self.queue.resume(ConsumerId(id));
        self.end_turn();
    }

    /// Policies changed.
    pub(super) fn set_settings(&mut self, settings: QueueSettings) {
        self.settings = Arc::new(settings);
        self.queue.set_settings(self.now, self.settings.clone(), &mut self.fx);
        self.end_turn();
    }

    pub(super) fn tick(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
        if self.queue.poll_timeout().is_some_and(|at| at <= self.now) {
            self.queue.handle_timeout(self.now, &mut self.fx);
        }
        self.end_turn();
    }

    pub(super) fn purge(&mut self) -> u64 {
        let purged = self.queue.purge(self.now, &mut self.fx);
        self.end_turn();
        purged
    }

    /// The copies of dead letters are published.
    pub(super) fn forget(&mut self) {
        let tickets = std::mem::take(&mut self.limbo);
        self.queue.forget(&tickets, &mut self.fx);
        self.end_turn();
    }

    /// The ready messages in order, wherever they lie, and whether they are flagged as redelivered.
    pub(super) fn ready(&self) -> Vec<(Vec<u8>, bool)> {
        let messages = self.messages_in_memory();
        let show =
            |delivery: Delivery<'_>| (delivery.message.body.to_vec(), delivery.is_redelivered);
        messages.ready().map(|found| show(Delivery::new(found, None))).collect()
    }

    /// A copy of all messages, none on pages only.
    pub(super) fn messages_in_memory(&self) -> Messages {
        let mut messages = self.queue.messages.clone();
        let mut fx = Effects::with_pages(self.pages.clone());
        messages.levels_mut().for_each(|(_, level)| level.load_all(&mut fx));
        messages
    }

    /// Every page is the queue's, on its way, or given up; none twice.
    pub(super) fn check_pages(&self) {
        self.queue.messages.levels().for_each(|(_, level)| level.check_places());
        let released = self.log.iter().filter_map(|step| match step {
            LogStep::Release(page) => Some(*page),
            _ => None,
        });
        let leaving = self.leaving.iter().map(PageOut::page);
        let blobs_leaving = self.leaving.iter().flat_map(|it| it.blobs().iter().map(|it| it.0));
        let known = self.queue.pages().chain(leaving).chain(blobs_leaving).chain(released);
        let mut known: Vec<u32> = known.map(|page| page.block).collect();
        known.sort_unstable();
        assert_eq!(known, self.pages.references(), "pages in use and released, pages of the store");
    }

    /// The node takes what is to leave memory.
    pub(super) fn page_out(&mut self, bytes: usize, is_urgent: bool) {
        self.queue.page_out_sparse(bytes, &mut self.fx, &mut self.leaving);
        self.queue.page_out(bytes, is_urgent, &mut self.fx, &mut self.leaving);
        self.end_turn();
    }

    /// The node has written it.
    pub(super) fn paged_out(&mut self) {
        let written = std::mem::take(&mut self.leaving);
        self.queue.paged_out(&written, &mut self.fx);
        self.end_turn();
    }

    /// The node cannot write it.
    pub(super) fn page_out_failed(&mut self) {
        let unwritten = std::mem::take(&mut self.leaving);
        self.queue.page_out_failed(&unwritten, &mut self.fx);
        self.end_turn();
    }

    /// Everything leaves memory.
    pub(super) fn page_all_out(&mut self) {
        self.page_out(usize::MAX, true);
        self.paged_out();
    }

    /// A dead letter that has to be safe everywhere is, or is not.
    pub(super) fn answer(&mut self, body: &[u8], is_safe: bool) {
        let at = self.on_their_way.iter().position(|(it, _)| it == body).expect("it was sent");
        let (_, ticket) = self.on_their_way.remove(at);
        match is_safe {
            true => self.queue.forget(&[ticket], &mut self.fx),
            false => self.queue.keep(self.now, ticket, Vec::new()),
        }
        self.end_turn();
    }

    fn end_turn(&mut self) {
        while let Some(batch) = self.queue.next_batch(self.now, &mut self.fx) {
            let id = batch.consumer_id().0;
            let room = self.room.entry(id).or_insert(usize::MAX);
            let taken = batch.len().min(*room);
            *room = room.saturating_sub(taken);
            let is_full = *room == 0;
            for delivery in batch.iter().take(taken) {
                let body = delivery.message.body.to_vec();
                if !batch.is_no_ack() {
                    self.unacked.push((id, body.clone(), delivery.ticket));
                }
                let (is_redelivered, is_no_ack) = (delivery.is_redelivered, batch.is_no_ack());
                let attempts = delivery.attempts;
                let seen = Seen::Delivered { to: id, body, is_redelivered, attempts, is_no_ack };
                self.seen.push(seen);
            }
            self.queue.commit_batch(self.now, taken, is_full, &mut self.fx);
        }
        self.queue.take_journal(&mut self.fx);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        let fx = &mut self.fx;
        fx.end_turn();
        for (blob, bytes) in &fx.attachments {
            assert_eq!((blob.len as usize, blob.check), (bytes.len(), crc32fast::hash(bytes)));
        }
        if !fx.journal.is_empty() {
            self.log.push(LogStep::Append(fx.journal_index, fx.journal.clone()));
        }
        self.log.extend(fx.compact_to.map(LogStep::Compact));
        if fx.clear_journal {
            self.log.push(LogStep::Clear);
        }
        self.log.extend(fx.take_released().map(LogStep::Release));
        self.seen.extend(fx.damaged.iter().map(|&(_, lost)| Seen::Damaged { lost }));
        self.seen.extend(fx.rejected.iter().map(|&index| Seen::Rejected(index)));
        self.seen.extend(fx.timed_out.iter().map(|it| Seen::TimedOut(it.consumer.0)));
        for DeadLetter { image, reason, history, ticket, safe_in } in &fx.dead_letters {
            let body = image.as_ref().body.to_vec();
            let (reason, failures) = (reason.as_str(), history.failures);
            self.seen.push(Seen::Dead { body: body.clone(), reason, failures });
            match (safe_in, ticket) {
                (Some(_), Some(ticket)) => self.on_their_way.push((body, *ticket)),
                _ => self.limbo.extend(*ticket),
            }
        }
        self.seen.extend(fx.is_unused.then_some(Seen::Unused));
        self.seen.extend(fx.is_expired.then_some(Seen::Expired));
        fx.clear();
    }

    /// Stops in order and starts again.
    pub(super) fn restart_clean(&mut self) {
        self.queue.seal(&mut self.fx);
        self.carry_out();
        self.recover(self.log.len(), true);
    }

    /// What was released before the log ends may have been overwritten.
    fn free_released(&mut self) {
        for step in &mut self.log {
            if let LogStep::Release(page) = step {
                self.pages.release(*page, Lsn(0));
                *step = LogStep::Released;
            }
        }
    }

    /// Starts again from the first `kept` steps of the log.
    pub(super) fn recover(&mut self, kept: usize, is_clean: bool) {
        self.log.truncate(kept);
        self.read = kept;
        self.free_released();
        let mut recovery = Queue::recover(self.record.clone(), self.settings.clone(), self.now);
        for (index, entry) in entries(&self.log) {
            recovery.entry(index, &entry).expect("an entry that was written");
        }
        self.fx = Effects::with_pages(self.pages.clone());
        self.queue = recovery.finish(is_clean, &mut self.fx);
        let named: Vec<PageRef> = self.queue.pages().collect();
        self.pages.keep_only(&named);
        self.leaving.clear();
        self.unacked.clear();
        self.limbo.clear();
        self.on_their_way.clear();
        self.room.clear();
        self.end_turn();
    }
}

/// The entries that a log holds after these steps.
pub(super) fn entries(log: &[LogStep]) -> BTreeMap<u64, Vec<u8>> {
    let mut entries = BTreeMap::new();
    for step in log {
        match step {
            LogStep::Append(index, entry) => {
                entries.insert(*index, entry.clone());
            }
            LogStep::Compact(to) => entries = entries.split_off(to),
            LogStep::Clear => entries.clear(),
            LogStep::Release(_) | LogStep::Released => {}
        }
    }
    entries
}

pub(super) fn getter(id: u64, timeout_ms: u64) -> Getter {
    let (id, key) = (ConsumerId(id), ConsumerKey { channel: 1, slot: id as u32 });
    Getter { id, mailbox: Arc::new(NoMailbox), key, timeout_ms }
}

pub(super) fn consumer(id: u64) -> Consumer {
    let mailbox: MailboxRef = Arc::new(NoMailbox);
    Consumer {
        id: ConsumerId(id),
        mailbox,
        key: ConsumerKey { channel: 1, slot: id as u32 },
        channel: 1,
        tag: format!("c{id}").into(),
        is_no_ack: false,
        prefetch: 0,
        priority: 0,
        is_exclusive: false,
        timeout_ms: 1_800_000,
        arguments: FieldTable::default(),
    }
}
