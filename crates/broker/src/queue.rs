//! A queue, classic or quorum, as a deterministic machine.
//!
//! Knows messages, their order, who receives them and what must be journaled. Every call takes
//! the instant and leaves what is to be done outside in [`Effects`]. Must not know exchanges,
//! connections, files, clocks, or the lock it stands behind.
//!
//! A turn on a queue is: any calls that change it; then [`Queue::next_batch`], the consumer's
//! mailbox and [`Queue::commit_batch`] until there is no batch; then [`Queue::take_journal`].

mod blob;
mod consumers;
mod delivery;
mod discards;
mod effects;
mod holders;
mod journal;
mod ledger;
mod let_go;
mod level;
mod look;
mod messages;
mod page;
mod paging;
mod publish;
mod quorum;
mod record;
mod recovery;
#[cfg(test)]
mod tests;
mod transfer;
mod unread;
mod varint;

use std::num::NonZeroU64;
use std::sync::Arc;

use message::History;
use stdx::Timestamp;
use topology::{QueueId, QueueKind, QueueRecord, QueueSettings};

pub use consumers::{ActivityStatus, ConsumeRefusal, Consumer, ConsumerId, ConsumerView};
pub use delivery::{Batch, Delivery, Got};
pub(crate) use effects::TimedOut;
pub use effects::{DeadLetter, DeathReason, Effects};
pub use holders::Getter;
pub use ledger::Attempts;
pub(crate) use look::Look;
pub use look::{MessageId, Sight};
pub use paging::PageOut;
pub use recovery::{Damaged, Recovery};
pub use transfer::TakenOut;

use consumers::Consumers;
use journal::{Journal, Mark};
use level::Place;
use messages::Messages;
use paging::Reads;
use publish::DROPS_PER_TURN_MAX;
use quorum::{NOBODY, Quorum};
use record::{
    DEAD, DEAD_LETTERED, FAILED, Header, KEY_ONLY, PERSISTENT, REDELIVERED, SHARED,
    SHARED_BODY_MIN, UNACKED,
};
use unread::{Unread, Waiting};

use crate::dead_letter::properties;
use crate::deaths::Strategy;

/// Deliveries in a batch at most.
pub(crate) const BATCH_MESSAGES_MAX: usize = 256;
/// A batch ends with the delivery that brings its bodies to this many bytes.
pub(crate) const BATCH_BYTES_MAX: usize = 64 * 1024;

/// The deadline of what is overdue. (Not 0, which stands for no deadline where it is kept.)
const AT_ONCE: Timestamp = Timestamp(1);

/// Names a delivered message until it is settled. Means nothing to another queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// Never 0: seqs begin with 1, and a damaged record that says otherwise names nothing.
    seq_and_level: NonZeroU64,
    chunk: u32,
    offset: u32,
}

impl Ticket {
    /// The level takes eight bits: 2^56 messages per queue must do.
    fn new(seq: u64, level: u8, place: Place) -> Self {
        let Place { chunk, offset } = place;
        let seq_and_level = seq << 8 | u64::from(level);
        let seq_and_level = NonZeroU64::new(seq_and_level).unwrap_or(NonZeroU64::MAX);
        Self { seq_and_level, chunk, offset }
    }

    fn seq(self) -> u64 {
        self.seq_and_level.get() >> 8
    }

    fn level(self) -> u8 {
        self.seq_and_level.get() as u8
    }

    fn place(self) -> Place {
        Place { chunk: self.chunk, offset: self.offset }
    }
}

/// What becomes of delivered messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Settle {
    /// Consumed: gone.
    Ack,
    /// Back to its place (`basic.nack`, `basic.recover`).
    Requeue,
    /// Back to its place, and the delivery counts as failed (`basic.reject`, a closed channel). In
    /// a classic queue this differs from [`Settle::Requeue`] only if the message is dead-lettered
    /// later: then it arrives as redelivered.
    RequeueFailed,
    /// Dead-lettered with reason `rejected`, or gone (`basic.nack`).
    Reject,
    /// As [`Settle::Reject`], and the dead letter arrives as redelivered (`basic.reject`).
    RejectFailed,
}

/// One settlement of deliveries.
#[derive(Clone, Copy, Debug)]
struct Settlement {
    now: Timestamp,
    how: Settle,
    /// Who had them.
    holder: ConsumerId,
}

/// What a queue holds, for listings and declare-ok.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages waiting for a consumer.
    pub ready: u64,
    /// Messages delivered and not settled.
    pub unacked: u64,
    /// Messages that came back and wait before they are ready again.
    pub delayed: u64,
    /// Dead letters kept until they are safe elsewhere.
    pub dead: u64,
    /// Bytes of bodies among the ready; in a quorum queue with their properties.
    pub ready_bytes: u64,
    /// Bytes of bodies among the unacked.
    pub unacked_bytes: u64,
    /// Ready and unacked messages that survive a restart.
    pub persistent: u64,
    /// Bytes of their bodies.
    pub persistent_bytes: u64,
    /// Consumers.
    pub consumers: usize,
    /// `timestamp` property of the next message, seconds since the epoch.
    pub head_message_timestamp: Option<u64>,
    /// Some consumer could take a message at once: what RabbitMQ reports as capacity 1.0.
    pub has_ready_consumer: bool,
    /// Bytes reserved for messages.
    pub memory: usize,
}

/// A queue.
#[derive(Debug)]
pub struct Queue {
    record: Arc<QueueRecord>,
    /// What its arguments and the policies that apply to it come to.
    settings: Arc<QueueSettings>,
    messages: Messages,
    consumers: Consumers,
    /// What only quorum queues have.
    quorum: Option<Box<Quorum>>,
    /// Made with the first persistent message of a durable queue.
    journal: Option<Box<Journal>>,
    next_seq: u64,
    /// Messages before this seq were there when one was got that the journal's mark did not cover.
    /// The mark covers them all then: got one after the other, they cost one entry.
    polled_below: u64,
    ready: u64,
    ready_bytes: u64,
    unacked: u64,
    unacked_bytes: u64,
    persistent: u64,
    persistent_bytes: u64,
    /// `x-expires` counts from here while there is no consumer.
    used_at: Timestamp,
    /// Length of the batch that [`Queue::next_batch`] planned last.
    planned: u32,
    /// Got without acknowledgement: stays readable until the next call.
    got: Option<Ticket>,
    /// A turn had to leave heads that must be dropped to the next one. Nothing is handed over
    /// before they are gone.
    is_behind: bool,
    /// What is known of pages that were read, once one was.
    reads: Option<Box<Reads>>,
    /// What the device does not read, for now.
    unread: Unread,
}

impl Queue {
    /// An empty queue, declared at `now`.
    pub fn new(record: Arc<QueueRecord>, settings: Arc<QueueSettings>, now: Timestamp) -> Self {
        let is_quorum = record.kind == QueueKind::Quorum;
        let messages = Messages::of(&record);
        Self {
            record,
            settings,
            messages,
            consumers: if is_quorum { Consumers::with_succession() } else { Consumers::default() },
            quorum: is_quorum.then(Box::default),
            journal: None,
            next_seq: 1,
            polled_below: 0,
            ready: 0,
            ready_bytes: 0,
            unacked: 0,
            unacked_bytes: 0,
            persistent: 0,
            persistent_bytes: 0,
            used_at: now,
            planned: 0,
            got: None,
            is_behind: false,
            reads: None,
            unread: Unread::default(),
        }
    }

    /// Starts to rebuild a queue from the entries of its journal.
    pub fn recover(
        record: Arc<QueueRecord>,
        settings: Arc<QueueSettings>,
        now: Timestamp,
    ) -> Recovery {
        Recovery::new(record, settings, now)
    }

    /// The record it was declared by.
    pub fn record(&self) -> &Arc<QueueRecord> {
        &self.record
    }

    /// What it acts on.
    pub fn settings(&self) -> &Arc<QueueSettings> {
        &self.settings
    }

    /// Policies changed: acts on other settings from now on. What a shorter limit leaves no room for
    /// goes, as much of it as this turn may; what was published keeps the expiry it got.
    pub fn set_settings(&mut self, now: Timestamp, settings: Arc<QueueSettings>, fx: &mut Effects) {
        self.settle_got(fx);
        let kept_dead_letters = self.keeps_dead_letters();
        self.settings = settings;
        if kept_dead_letters && !self.keeps_dead_letters() {
            self.drop_discards(fx);
        }
        // As in RabbitMQ, a classic queue counts as used just now, a quorum queue does not.
        self.touch(now);
        self.trim(now, fx);
    }

    fn take_head(&mut self, fx: &mut Effects) -> Option<(Ticket, Header)> {
        if !self.load_head(fx) {
            return None;
        }
        let (ticket, header) = self.messages.take_head()?;
        self.ready -= 1;
        self.ready_bytes -= self.weight(&header);
        Some((ticket, header))
    }

    /// Ends a message that is neither ready nor counted as unacked any more.
    fn finish(&mut self, ticket: Ticket, header: &Header, fx: &mut Effects) {
        if header.is(PERSISTENT) {
            self.count_persistent_out(header);
            self.unjournal(header);
        }
        if let Some(quorum) = &mut self.quorum {
            quorum.ledger.forget(header.seq);
        }
        self.messages.kill(ticket, header, &mut fx.pool);
    }

    fn unjournal(&mut self, header: &Header) {
        if let Some(journal) = &mut self.journal
            && journal.holds(header)
        {
            journal.settle(header);
        }
    }

    /// As [`Self::finish`], by way of the dead letter exchange if there is one.
    fn bury(
        &mut self,
        ticket: Ticket,
        header: &Header,
        attempts: Attempts,
        reason: DeathReason,
        fx: &mut Effects,
    ) {
        fx.dropped += 1;
        if self.settings.dead_letter_exchange.is_none() {
            fx.deaths.add(Strategy::Disabled, reason);
            return self.finish(ticket, header, fx);
        }
        // A dead letter is held in memory until the turn ends.
        fx.dropped += header.body_len as usize / SHARED_BODY_MIN;
        if self.keeps_dead_letters() && reason != DeathReason::Maxlen {
            fx.deaths.add(Strategy::AtLeastOnce, reason);
            return self.discard(ticket, header, attempts, reason);
        }
        // Taken or not, the record is still there: it is what the ticket names.
        self.messages.update_flags(ticket, UNACKED, 0);
        if !self.load_body(ticket, fx) {
            if self.unread.is_paused() {
                return self.unread.wait(Waiting::Bury(ticket, attempts, reason));
            }
            return self.finish(ticket, header, fx);
        }
        let Some(found) = self.messages.taken(ticket) else { return };
        // Even what was published in this very turn is journaled first: its publisher may get a
        // confirm before the copy is safe.
        let is_kept = header.is(PERSISTENT);
        fx.dead_letters.push(DeadLetter {
            image: found.message().to_image(),
            reason,
            history: history_of(header, attempts.failures),
            ticket: is_kept.then_some(ticket),
            safe_in: None,
        });
        if !is_kept {
            return self.finish(ticket, header, fx);
        }
        self.count_persistent_out(header);
    }

    // A damaged page may have taken more out of the counts than belonged to it: what was settled in
    // part could not be told apart. Hence these do not go below zero.

    fn count_persistent_out(&mut self, header: &Header) {
        self.persistent = self.persistent.saturating_sub(1);
        self.persistent_bytes = self.persistent_bytes.saturating_sub(u64::from(header.body_len));
    }

    fn count_unacked_out(&mut self, header: &Header) {
        self.unacked = self.unacked.saturating_sub(1);
        self.unacked_bytes = self.unacked_bytes.saturating_sub(self.weight(header));
    }

    /// The copies of dead letters are published: the journal may let the originals go.
    pub fn forget(&mut self, tickets: &[Ticket], fx: &mut Effects) {
        for &ticket in tickets {
            if !self.load_taken(ticket, fx) {
                self.end_unread(ticket);
                self.unread.wait(Waiting::Forget(ticket));
                continue;
            }
            let Some(found) = self.messages.taken(ticket) else { continue };
            let header = found.header;
            self.unjournal(&header);
            if let Some(quorum) = &mut self.quorum {
                quorum.ledger.forget(header.seq);
                quorum.discards.end(ticket);
            }
            self.messages.kill(ticket, &header, &mut fx.pool);
        }
    }

    /// A dead letter that has to be safe everywhere is so in these queues only.
    pub fn keep(&mut self, now: Timestamp, ticket: Ticket, safe_in: Vec<QueueId>) {
        if let Some(quorum) = &mut self.quorum {
            quorum.discards.keep(now, ticket, safe_in);
        }
    }

    fn is_single_active(&self) -> bool {
        self.settings.single_active_consumer
    }

    /// Plans the next deliveries: for whom, and which messages. Expired heads are dropped before.
    ///
    /// Consumers of the same priority that are ready take turns, one message each.
    pub fn next_batch(&mut self, now: Timestamp, fx: &mut Effects) -> Option<Batch<'_>> {
        self.settle_got(fx);
        self.planned = 0;
        self.catch_up(now, fx);
        if self.ready == 0 || self.is_behind {
            return None;
        }
        let Some((_, credit)) = self.consumers.next(self.is_single_active()) else {
            self.trim(now, fx);
            return None;
        };
        let horizon = self.expiry_horizon(now);
        self.drop_expired(horizon, fx);
        if !self.load_head_body(fx) {
            return None;
        }
        let messages_max = credit.min(BATCH_MESSAGES_MAX as u64) as usize;
        let mut bytes = 0;
        let mut len = 0;
        self.messages.head()?;
        for found in self.messages.ready().take(messages_max) {
            let expires_at = found.header.expires_at;
            if BATCH_BYTES_MAX <= bytes || (expires_at != 0 && expires_at < horizon.0) {
                break;
            }
            // Bodies that have to be read go one at a time.
            if found.header.is(SHARED) && 0 < len && found.absent_blob().is_some() {
                break;
            }
            bytes += found.header.body_len as usize;
            len += 1;
        }
        self.planned = len as u32;
        let (consumer, _) = self.consumers.next(self.is_single_active())?;
        let ledger = self.quorum.as_ref().map(|quorum| &quorum.ledger);
        (0 < len).then(|| Batch { ready: self.messages.ready(), ledger, consumer, len, now })
    }

    /// The first `taken` messages of the batch planned last were handed over; `is_full` parks the
    /// consumer until [`Queue::resume`]. One that takes less than was planned is full.
    pub fn commit_batch(&mut self, now: Timestamp, taken: usize, is_full: bool, fx: &mut Effects) {
        let planned = std::mem::take(&mut self.planned) as usize;
        let taken = taken.min(planned);
        let is_single_active = self.is_single_active();
        let Some((consumer, _)) = self.consumers.next(is_single_active) else { return };
        let is_no_ack = consumer.is_no_ack;
        let (id, deadline) = (consumer.id, Self::deadline_of(now, consumer.timeout_ms));
        let mut left = taken;
        while 0 < left {
            match self.take_run(left, is_no_ack, (id, deadline), fx) {
                0 => break,
                count => left -= count,
            }
        }
        self.consumers.commit(taken as u32, is_full || taken < planned, is_single_active);
    }

    /// Hands over up to `max` messages that lie behind each other; returns how many.
    fn take_run(
        &mut self,
        max: usize,
        is_no_ack: bool,
        (holder, deadline): (ConsumerId, Timestamp),
        fx: &mut Effects,
    ) -> usize {
        let is_quorum = self.is_quorum();
        let (journal, ledger) = (&mut self.journal, self.quorum.as_mut().map(|it| &mut it.ledger));
        let mut ledger = ledger.filter(|ledger| is_no_ack && !ledger.is_empty());
        let (mut bytes, mut persistent, mut persistent_bytes) = (0, 0, 0);
        let (mut level, mut first, mut last) = (0, 0, 0);
        let flag = if is_no_ack { DEAD } else { UNACKED };
        let taken = self.messages.take_run(max, flag, &mut fx.pool, |header| {
            bytes += quorum::weight(is_quorum, header);
            if first == 0 {
                (level, first) = (header.level, header.seq);
            }
            last = header.seq;
            if let Some(ledger) = &mut ledger {
                ledger.forget(header.seq);
            }
            if is_no_ack && header.is(PERSISTENT) {
                persistent += 1;
                persistent_bytes += u64::from(header.body_len);
                if let Some(journal) = journal
                    && journal.holds(header)
                {
                    journal.settle(header);
                }
            }
        });
        self.ready -= taken as u64;
        self.ready_bytes -= bytes;
        self.persistent = self.persistent.saturating_sub(persistent);
        self.persistent_bytes = self.persistent_bytes.saturating_sub(persistent_bytes);
        if !is_no_ack && taken != 0 {
            self.unacked += taken as u64;
            self.unacked_bytes += bytes;
            self.note_holder(level, (first, last), taken, holder, deadline);
        }
        taken
    }

    fn hand_over(
        &mut self,
        ticket: Ticket,
        header: &Header,
        (holder, deadline): (ConsumerId, Timestamp),
    ) {
        self.messages.update_flags(ticket, UNACKED, 0);
        self.unacked += 1;
        self.unacked_bytes += self.weight(header);
        self.note_holder(header.level, (header.seq, header.seq), 1, holder, deadline);
    }

    /// Ready messages, and bytes of their bodies.
    pub fn backlog(&self) -> (u64, u64) {
        (self.ready, self.ready_bytes)
    }

    /// Whether anybody consumes.
    pub fn has_consumers(&self) -> bool {
        !self.consumers.is_empty()
    }

    /// A parked consumer has room again.
    pub fn resume(&mut self, id: ConsumerId) {
        self.consumers.resume(id);
    }

    /// Drops what expired in front, and says whether there is more of it than may become dead letters
    /// at once: then the caller publishes those and asks again.
    pub fn has_more_expired(&mut self, now: Timestamp, fx: &mut Effects) -> bool {
        self.settle_got(fx);
        self.trim(now, fx);
        self.is_behind
    }

    /// Takes one message, `basic.get`: for `getter`, or settled at once. Finds nothing while the queue
    /// [has more expired](Self::has_more_expired) messages to dead-letter, or the device does not read
    /// the next one.
    pub fn get(
        &mut self,
        now: Timestamp,
        getter: Option<&Getter>,
        fx: &mut Effects,
    ) -> Option<Got<'_>> {
        self.settle_got(fx);
        self.used_at = now;
        self.trim(now, fx);
        // Without dead letters the rest takes less than a wrong answer is worth.
        while self.is_behind && self.settings.dead_letter_exchange.is_none() {
            fx.dropped = 0;
            self.trim(now, fx);
        }
        if self.is_behind {
            return None;
        }
        if !self.load_head_body(fx) {
            return None;
        }
        let (ticket, header) = self.take_head(fx)?;
        let holder = match getter {
            Some(getter) => (getter.id, Self::deadline_of(now, getter.timeout_ms)),
            None => (NOBODY, Timestamp(u64::MAX)),
        };
        self.hand_over(ticket, &header, holder);
        if let (Some(getter), Some(quorum)) = (getter, &mut self.quorum) {
            quorum.holders.note_getter(getter);
        }
        if self.polled_below <= header.seq {
            self.polled_below = self.next_seq;
        }
        if getter.is_none() {
            self.got = Some(ticket);
        }
        // RabbitMQ counts what is left when the heads that expired are gone.
        self.trim(now, fx);
        let remaining = self.ready;
        let found = self.messages.taken(ticket)?;
        let ledger = self.quorum.as_ref().map(|quorum| &quorum.ledger);
        Some(Got { delivery: Delivery::new(found, ledger), remaining })
    }

    fn settle_got(&mut self, fx: &mut Effects) {
        if let Some(ticket) = self.got.take() {
            let (now, how) = (self.used_at, Settle::Ack);
            self.settle_one(ticket, Settlement { now, how, holder: NOBODY }, fx);
        }
    }

    /// Settles deliveries, as many as this turn may; returns how many of `tickets` that were. The
    /// rest is for the next turn, when the bodies of what died in this one are gone from memory.
    /// Tickets that were settled before are skipped. `consumer`, if any, gets its credit back.
    #[must_use]
    pub fn settle(
        &mut self,
        now: Timestamp,
        consumer: Option<ConsumerId>,
        tickets: &[Ticket],
        how: Settle,
        fx: &mut Effects,
    ) -> usize {
        self.settle_got(fx);
        let (mut count, mut looked_at) = (0, 0);
        let settlement = Settlement { now, how, holder: consumer.unwrap_or(NOBODY) };
        for &ticket in tickets {
            if DROPS_PER_TURN_MAX <= fx.dropped {
                break;
            }
            count += u32::from(self.settle_one(ticket, settlement, fx));
            looked_at += 1;
        }
        if let Some(id) = consumer {
            self.consumers.credit(id, count);
        }
        if self.is_quorum() && self.unacked == 0 && count != 0 {
            self.used_at = now;
        }
        if matches!(how, Settle::Requeue | Settle::RequeueFailed) {
            self.trim(now, fx);
        }
        looked_at
    }

    fn settle_one(&mut self, ticket: Ticket, settlement: Settlement, fx: &mut Effects) -> bool {
        if !self.let_go(ticket, settlement.holder) {
            return false;
        }
        self.settle_let_go(ticket, settlement, fx)
    }

    /// As [`Self::settle_one`], of a delivery that its holder has let go.
    fn settle_let_go(&mut self, ticket: Ticket, settlement: Settlement, fx: &mut Effects) -> bool {
        if !self.load_taken(ticket, fx) {
            self.settle_unread(ticket, settlement);
            return true;
        }
        let Some(found) = self.messages.taken(ticket) else {
            // In a quorum queue somebody had it: it was lost with a damaged page.
            return self.is_quorum();
        };
        let header = found.header;
        self.count_unacked_out(&header);
        let how = settlement.how;
        match how {
            Settle::Ack => self.finish(ticket, &header, fx),
            Settle::Requeue | Settle::RequeueFailed if self.is_quorum() => {
                self.take_back(ticket, &header, settlement, fx);
            }
            Settle::Requeue | Settle::RequeueFailed => {
                let failed = if how == Settle::RequeueFailed { FAILED } else { 0 };
                self.messages.update_flags(ticket, REDELIVERED | failed, UNACKED);
                self.messages.put_back(ticket);
                self.ready += 1;
                self.ready_bytes += u64::from(header.body_len);
            }
            Settle::Reject | Settle::RejectFailed => {
                let attempts = self.attempts_of(&header).after(how == Settle::RejectFailed);
                self.bury(ticket, &header, attempts, DeathReason::Rejected, fx);
            }
        }
        true
    }

    /// Whether [`Queue::add_consumer`] would refuse one.
    pub fn check_consumer(&self, is_exclusive: bool) -> Result<(), ConsumeRefusal> {
        let is_exclusive = is_exclusive && !self.is_quorum();
        self.consumers.check(is_exclusive, self.is_single_active())
    }

    /// Subscribes a consumer.
    pub fn add_consumer(
        &mut self,
        now: Timestamp,
        mut consumer: Consumer,
        fx: &mut Effects,
    ) -> Result<(), ConsumeRefusal> {
        self.settle_got(fx);
        consumer.is_exclusive &= !self.is_quorum();
        self.check_consumer(consumer.is_exclusive)?;
        self.used_at = now;
        self.consumers.add(consumer, self.is_single_active());
        Ok(())
    }

    /// Ends a subscription; what it holds stays unacked until it is settled. False when there is
    /// no such consumer.
    pub fn remove_consumer(&mut self, now: Timestamp, id: ConsumerId, fx: &mut Effects) -> bool {
        self.settle_got(fx);
        let left = self.consumers.unacked(id);
        let Some(consumer) = self.consumers.remove(id, self.is_single_active()) else {
            return false;
        };
        if let Some(quorum) = &mut self.quorum {
            quorum.holders.depart(id, consumer.mailbox, consumer.key, left);
        }
        if self.consumers.is_empty() {
            self.used_at = now;
            fx.is_unused = self.record.auto_delete;
        }
        true
    }

    /// The consumers, in the order they came.
    pub fn consumers(&self) -> impl Iterator<Item = &Consumer> {
        self.consumer_views().map(|view| view.consumer)
    }

    /// The consumers with their state, in the order they came.
    pub fn consumer_views(&self) -> impl Iterator<Item = ConsumerView<'_>> {
        self.consumers.views(self.is_single_active())
    }

    /// Whether a consumer receives messages: false for those that wait behind the single active
    /// one, and for unknown ones.
    pub fn is_active(&self, id: ConsumerId) -> bool {
        self.consumer_views().any(|view| view.consumer.id == id && view.is_active())
    }

    /// Drops all messages that nobody has, without dead-lettering them; returns how many. Pages that
    /// were not looked into go unread; those that were stay while the device does not read them.
    pub fn purge(&mut self, _now: Timestamp, fx: &mut Effects) -> u64 {
        self.settle_got(fx);
        let mut purged = self.purge_aside(fx) + self.purge_pages(fx);
        while let Some((ticket, header)) = self.take_head(fx) {
            self.finish(ticket, &header, fx);
            purged += 1 + self.purge_pages(fx);
        }
        purged
    }

    /// What the queue holds. Takes time in proportion to its memory, not to its messages.
    pub fn counts(&self) -> Counts {
        let head = self.messages.ready().next();
        let head = head.filter(|found| found.absent_blob().is_none());
        let timestamp = |found: level::Found<'_>| properties::timestamp(found.message().properties);
        Counts {
            ready: self.ready,
            unacked: self.unacked,
            delayed: self.quorum.as_ref().map_or(0, |quorum| quorum.delayed.len() as u64),
            dead: self.quorum.as_ref().map_or(0, |quorum| quorum.discards.len() as u64),
            ready_bytes: self.ready_bytes,
            unacked_bytes: self.unacked_bytes,
            persistent: self.persistent,
            persistent_bytes: self.persistent_bytes,
            consumers: self.consumers.len(),
            head_message_timestamp: head.and_then(timestamp),
            has_ready_consumer: self.consumers.next(self.is_single_active()).is_some(),
            memory: size_of::<Self>() + self.messages.memory(),
        }
    }

    /// The queue was declared again: `x-expires` starts anew, but not that of a quorum queue.
    pub fn touch(&mut self, now: Timestamp) {
        if !self.is_quorum() {
            self.used_at = now;
        }
    }

    /// When [`Queue::handle_timeout`] has something to do, if nothing else happens. In the past
    /// when there was more to drop than a turn may.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if let Some(at) = self.unread.retry_at() {
            return Some(at);
        }
        if self.is_behind {
            return Some(AT_ONCE);
        }
        let head_expires = self.messages.head_expires_at().filter(|&at| at != 0);
        let head_expires = head_expires.map(Timestamp);
        head_expires.into_iter().chain(self.expires_at()).chain(self.quorum_deadline()).min()
    }

    fn expires_at(&self) -> Option<Timestamp> {
        // Who left unsettled messages behind still uses a quorum queue.
        let is_used = !self.consumers.is_empty() || (self.is_quorum() && self.unacked != 0);
        let expires_ms = self.settings.expires_ms.filter(|_| !is_used);
        expires_ms.map(|expires_ms| self.used_at.plus_ms(expires_ms))
    }

    /// Time has passed: drops what is expired, as far as it goes in a turn, and notices that the
    /// queue itself is.
    pub fn handle_timeout(&mut self, now: Timestamp, fx: &mut Effects) {
        self.settle_got(fx);
        self.read_again(now, fx);
        self.end_delays(now);
        self.end_late(now, fx);
        if let Some(quorum) = &mut self.quorum {
            quorum.discards.retry(now);
        }
        self.trim(now, fx);
        self.drop_expired_below(now, fx);
        fx.is_expired |= self.expires_at().is_some_and(|at| at <= now);
    }

    /// Ends the turn: writes its journal entry into `fx`.
    pub fn take_journal(&mut self, fx: &mut Effects) {
        self.settle_got(fx);
        self.send_discards(fx);
        self.is_full(0);
        let ledger = self.quorum.as_mut().map(|quorum| &mut quorum.ledger);
        let Some(journal) = &mut self.journal else { return };
        let is_marked = match (&journal.mark, self.consumers.is_empty()) {
            (Mark::Open, false) => true,
            (Mark::Closed(levels), true) => is_mark_of(levels, &self.messages, self.polled_below),
            _ => journal.live == 0,
        };
        let has_news = ledger.as_ref().is_some_and(|ledger| ledger.is_changed());
        if is_marked && !has_news && !journal.is_touched(self.next_seq) {
            return;
        }
        let mark = match self.consumers.is_empty() {
            true => closed_mark(&self.messages, self.polled_below),
            false => Mark::Open,
        };
        let let_go = self.unread.let_go();
        journal.take(&mut self.messages, ledger, let_go, self.next_seq, mark, fx);
    }

    /// Ends the last turn before a clean stop: journals where the consumers got to, so that the
    /// redelivered flags are exact afterwards.
    pub fn seal(&mut self, fx: &mut Effects) {
        self.settle_got(fx);
        self.take_all_back(fx);
        let ledger = self.quorum.as_mut().map(|quorum| &mut quorum.ledger);
        if let Some(journal) = &mut self.journal {
            let mark = closed_mark(&self.messages, 0);
            let let_go = self.unread.let_go();
            journal.take(&mut self.messages, ledger, let_go, self.next_seq, mark, fx);
        }
    }
}

fn closed_mark(messages: &Messages, polled_below: u64) -> Mark {
    Mark::Closed(marked_levels(messages, polled_below).collect())
}

fn is_mark_of(levels: &[(u8, u64)], messages: &Messages, polled_below: u64) -> bool {
    marked_levels(messages, polled_below).eq(levels.iter().copied())
}

fn marked_levels(messages: &Messages, polled_below: u64) -> impl Iterator<Item = (u8, u64)> {
    let levels = messages.levels().map(|(number, level)| (number, level.taken_below));
    let taken = levels.filter(|&(_, taken_below)| taken_below != 0);
    taken.map(move |(number, taken_below)| (number, taken_below.max(polled_below)))
}

fn history_of(header: &Header, failures: u32) -> History {
    History {
        is_dead_lettered: header.is(DEAD_LETTERED),
        failures,
        is_routed_by_key_only: header.is(KEY_ONLY),
    }
}
