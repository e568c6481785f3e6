//! What quorum queues do that classic ones do not: they count attempts, put what comes back in
//! front, let it wait, take it from who takes too long, and keep dead letters until they are safe.

use std::collections::{BTreeMap, BTreeSet};

use stdx::Timestamp;
use topology::{Overflow, QuorumSettings, RetryKind};

use super::consumers::ConsumerId;
use super::discards::{Discard, Discards};
use super::effects::{DeathReason, Effects, TimedOut};
use super::holders::{Holders, Run};
use super::ledger::{Attempts, Fate, Ledger, Note};
use super::level::{Lost, Place, after};
use super::messages::Aside;
use super::record::{DEAD, FAILED, Header, REDELIVERED, UNACKED};
use super::unread::Waiting;
use super::{Queue, Settle, Settlement, Ticket};

/// Priorities that a quorum queue keeps apart: 0 to this.
pub(super) const PRIORITY_MAX: u8 = 31;
/// The priority of a message that has none.
pub(super) const PRIORITY_DEFAULT: u8 = 4;

/// A full queue takes messages again once this share of its limit is left, in percent.
const ROOM_PERCENT: u64 = 80;

/// What is got and settled at once, and what is settled for nobody in particular.
pub(super) const NOBODY: ConsumerId = ConsumerId(0);
/// Never.
const NEVER: Timestamp = Timestamp(u64::MAX);

/// What only a quorum queue keeps.
#[derive(Debug, Default)]
pub(super) struct Quorum {
    pub(super) ledger: Ledger,
    pub(super) holders: Holders,
    /// Messages that came back and wait: by when and seq.
    pub(super) delayed: BTreeMap<(Timestamp, u64), Aside>,
    pub(super) delayed_bytes: u64,
    pub(super) discards: Discards,
    /// Seqs of messages that are on their way to another queue: no consumer has them.
    pub(super) taken_out: BTreeSet<u64>,
    /// Publishes are refused: the limit was passed, and not enough has left since.
    is_full: bool,
}

impl Queue {
    pub(super) fn is_quorum(&self) -> bool {
        self.quorum.is_some()
    }

    /// The bytes that a message counts for limits: in a quorum queue with its properties.
    pub(super) fn weight(&self, header: &Header) -> u64 {
        weight(self.is_quorum(), header)
    }

    /// Drops dead letters that would have been kept until they are safe: nobody wants that any more.
    pub(super) fn drop_discards(&mut self, fx: &mut Effects) {
        if let Some(quorum) = &mut self.quorum {
            let dead = quorum.discards.drain();
            self.forget(&dead, fx);
        }
    }

    fn quorum_settings(&self) -> Option<&QuorumSettings> {
        self.settings.quorum.as_deref()
    }

    /// How often the message was tried. A classic queue knows only whether it ever failed.
    pub(super) fn attempts_of(&self, header: &Header) -> Attempts {
        match &self.quorum {
            Some(quorum) => quorum.ledger.attempts_of(header),
            None => Attempts { acquired: 0, failures: u32::from(header.is(FAILED)) },
        }
    }

    /// Whether dead letters stay until they are safe elsewhere.
    pub(super) fn keeps_dead_letters(&self) -> bool {
        self.quorum_settings().is_some_and(|settings| settings.dead_letters_at_least_once)
    }

    /// Drops messages that wait and dead letters; returns how many.
    pub(super) fn purge_aside(&mut self, fx: &mut Effects) -> u64 {
        let Some(quorum) = &mut self.quorum else { return 0 };
        let delayed = std::mem::take(&mut quorum.delayed);
        quorum.delayed_bytes = 0;
        let dead = quorum.discards.drain();
        let mut purged = (delayed.len() + dead.len()) as u64;
        for (key, message) in delayed {
            let is_read = self.load_taken(message.ticket, fx);
            if !is_read && let Some(quorum) = &mut self.quorum {
                quorum.delayed.insert(key, message);
                quorum.delayed_bytes += message.weight;
                purged -= 1;
                continue;
            }
            let found = self.messages.away(message.ticket).map(|found| found.header);
            if let Some(header) = found {
                self.finish(message.ticket, &header, fx);
            }
        }
        self.forget(&dead, fx);
        purged
    }

    /// The instant before which what expires is not delivered any more at `now`. In a classic queue
    /// what expires this very instant still is: a TTL of 0 means "now or never".
    pub(super) fn expiry_horizon(&self, now: Timestamp) -> Timestamp {
        if self.is_quorum() { now.plus_ms(1) } else { now }
    }

    /// Notes who got the messages `first..=last` of a level, `count` of them, until `deadline`.
    pub(super) fn note_holder(
        &mut self,
        level: u8,
        (first, last): (u64, u64),
        count: usize,
        holder: ConsumerId,
        deadline: Timestamp,
    ) {
        let Some(quorum) = &mut self.quorum else { return };
        if count == 1 && quorum.ledger.hand_out(first, holder, deadline) {
            return quorum.holders.expect(deadline);
        }
        quorum.holders.note(level, (first, last), count as u32, holder, deadline);
    }

    /// `holder` settles a delivery. False if it is not there to be settled by it any more: it took
    /// too long, and the message was taken away.
    pub(super) fn let_go(&mut self, ticket: Ticket, holder: ConsumerId) -> bool {
        let is_single_active = self.is_single_active();
        let Some(quorum) = &mut self.quorum else { return true };
        let (seq, level) = (ticket.seq(), ticket.level());
        let has_it = match quorum.ledger.get(seq).map(|note| note.fate) {
            Some(Fate::Out { holder: known, .. }) if known == holder => {
                quorum.holders.release_known(holder);
                true
            }
            None | Some(Fate::InPlace) => quorum.holders.release(level, seq, holder),
            Some(_) => false,
        };
        if !has_it && quorum.holders.excuse(holder, seq) {
            self.consumers.set_late(holder, false, is_single_active);
        }
        has_it
    }

    /// A message comes back to a quorum queue: it becomes ready, waits, or dies.
    pub(super) fn take_back(
        &mut self,
        ticket: Ticket,
        header: &Header,
        settlement: Settlement,
        fx: &mut Effects,
    ) {
        let has_failed = settlement.how == Settle::RequeueFailed;
        let limit = self.quorum_settings().and_then(|settings| settings.delivery_limit);
        let retry = self.quorum_settings().and_then(|settings| settings.delayed_retry);
        let message = Aside::new(ticket, header);
        let Some(quorum) = &mut self.quorum else { return };
        let attempts = quorum.ledger.attempts_of(header).after(has_failed);
        if has_failed && limit.is_some_and(|limit| limit < attempts.failures) {
            return self.bury(ticket, header, attempts, DeathReason::DeliveryLimit, fx);
        }
        self.messages.update_flags(ticket, REDELIVERED, UNACKED);
        let must_wait = retry.filter(|retry| match retry.kind {
            RetryKind::All => true,
            RetryKind::Failed => has_failed,
            RetryKind::Returned => !has_failed,
        });
        let Some(retry) = must_wait else {
            quorum.ledger.set(header, attempts, Fate::Returned);
            self.messages.put_in_front(message);
            self.ready += 1;
            self.ready_bytes += message.weight;
            return;
        };
        let delay_ms = retry.min_ms.saturating_mul(attempts.failures.max(1).into());
        let until = settlement.now.plus_ms(delay_ms.min(retry.max_ms));
        quorum.ledger.set(header, attempts, Fate::Delayed(until));
        quorum.delayed.insert((until, ticket.seq()), message);
        quorum.delayed_bytes += message.weight;
    }

    /// Makes messages ready that have waited long enough.
    pub(super) fn end_delays(&mut self, now: Timestamp) {
        let Some(quorum) = &mut self.quorum else { return };
        while let Some(entry) = quorum.delayed.first_entry()
            && entry.key().0 <= now
        {
            let message = entry.remove();
            quorum.ledger.end_delay(message.ticket.seq());
            self.messages.put_in_front(message);
            quorum.delayed_bytes -= message.weight;
            self.ready += 1;
            self.ready_bytes += message.weight;
        }
    }

    /// Takes messages from consumers that did not settle them in time.
    pub(super) fn end_late(&mut self, now: Timestamp, fx: &mut Effects) {
        let is_due = |quorum: &Quorum| quorum.holders.next_deadline().is_some_and(|at| at <= now);
        if self.unread.is_paused() || !self.quorum.as_deref().is_some_and(is_due) {
            return;
        }
        let is_single_active = self.is_single_active();
        for (holder, ticket) in self.held_past(now, fx) {
            self.announce_late(holder, fx);
            let settlement = Settlement { now, how: Settle::Requeue, holder };
            if !self.settle_one(ticket, settlement, fx) {
                continue;
            }
            self.consumers.credit(holder, 1);
            if self.consumers.get(holder).is_some()
                && let Some(quorum) = &mut self.quorum
            {
                quorum.holders.note_late(holder, ticket.seq());
                self.consumers.set_late(holder, true, is_single_active);
            }
        }
        if self.unread.is_paused() {
            // Some of them could not be looked for.
            return;
        }
        if let Some(quorum) = &mut self.quorum {
            quorum.holders.end_late_runs(now);
            let deadlines = quorum.ledger.iter().filter_map(|(_, note)| match note.fate {
                Fate::Out { deadline, .. } => Some(deadline),
                _ => None,
            });
            let earliest = deadlines.min().unwrap_or(NEVER);
            quorum.holders.find_deadline(earliest);
        }
    }

    /// Messages whose deadline is not after `now`, and who has them.
    fn held_past(&mut self, now: Timestamp, fx: &mut Effects) -> Vec<(ConsumerId, Ticket)> {
        let Some(quorum) = &self.quorum else { return Vec::new() };
        let mut held = Vec::new();
        let again: Vec<(ConsumerId, u8, u64)> = quorum.ledger.out_past(now).collect();
        for (number, run) in quorum.holders.late_runs(now) {
            self.find_held(number, &run, &mut held, fx);
        }
        for (holder, number, seq) in again {
            self.load_seq(number, seq, fx);
            let found = self.messages.level(number).and_then(|level| level.first_from(seq, None));
            if let Some(found) = found.filter(|found| found.header.seq == seq) {
                held.push((holder, Ticket::new(seq, number, found.place)));
            }
        }
        held
    }

    /// Looks for the messages of a run.
    fn find_held(
        &mut self,
        number: u8,
        run: &Run,
        held: &mut Vec<(ConsumerId, Ticket)>,
        fx: &mut Effects,
    ) {
        let chunk = self.messages.level(number).and_then(|level| level.chunk_of(run.first));
        let Some(chunk) = chunk else { return };
        let mut place = Place { chunk, offset: 0 };
        loop {
            while let Some(level) = self.messages.level(number)
                && let Some(chunk) = level.absent_at(place)
            {
                if !self.load(number, chunk, fx) {
                    return;
                }
            }
            let found = self.messages.level(number).and_then(|level| level.record_from(place));
            let Some(found) = found.filter(|found| found.header.seq <= run.last) else { return };
            let header = &found.header;
            // One that came back since is not part of the run any more.
            let is_taken_out = |it: &Quorum| it.taken_out.contains(&header.seq);
            let is_held = header.is(UNACKED)
                && !header.is(DEAD | REDELIVERED)
                && !self.quorum.as_deref().is_some_and(is_taken_out);
            if is_held && run.first <= header.seq {
                held.push((run.holder, Ticket::new(header.seq, number, found.place)));
            }
            place = after(found.place, header);
        }
    }

    /// Has whoever took too long told, once.
    fn announce_late(&self, holder: ConsumerId, fx: &mut Effects) {
        if fx.timed_out.iter().any(|it| it.consumer == holder) {
            return;
        }
        let consumer = self.consumers.get(holder).map(|it| (it.mailbox.clone(), it.key));
        let departed = || {
            let departed = self.quorum.as_ref()?.holders.departed(holder)?;
            Some((departed.mailbox.clone(), departed.key))
        };
        if let Some((mailbox, key)) = consumer.or_else(departed) {
            fx.timed_out.push(TimedOut { consumer: holder, mailbox, key });
        }
    }

    /// Puts the messages of a recovered queue where the ledger says. What somebody had again comes
    /// back as failed, as in RabbitMQ, which sees that its consumers are gone; once too often, it dies
    /// of that.
    pub(super) fn restore_ledger(&mut self, now: Timestamp, ledger: Ledger, fx: &mut Effects) {
        let Some(quorum) = &mut self.quorum else { return };
        quorum.ledger = ledger;
        let notes = quorum.ledger.iter().filter(|(_, note)| note.fate != Fate::InPlace);
        let mut noted: Vec<(u8, u64)> = notes.map(|(&seq, note)| (note.level, seq)).collect();
        // By place, so that a page is read once.
        noted.sort_unstable();
        let mut moved = Vec::with_capacity(noted.len());
        for (number, seq) in noted {
            moved.extend(self.take_noted(now, number, seq, fx));
        }
        // Nobody has it any more: it comes behind those that had come back before.
        moved.sort_by_key(|(note, ..)| (matches!(note.fate, Fate::Out { .. }), note.order));
        for (note, ticket, header) in moved {
            self.put_aside(now, note, ticket, &header);
        }
    }

    /// Whoever had the message is gone: if it failed too often by that, it is a dead letter, or gone
    /// (then `None`).
    fn outlive_crash(
        &mut self,
        mut note: Note,
        ticket: Ticket,
        header: &Header,
        fx: &mut Effects,
    ) -> Option<Note> {
        let limit = self.quorum_settings().and_then(|settings| settings.delivery_limit);
        let attempts = note.attempts.after(true);
        let is_out = matches!(note.fate, Fate::Out { .. });
        if !is_out || limit.is_none_or(|limit| attempts.failures <= limit) {
            return Some(note);
        }
        if self.settings.dead_letter_exchange.is_none() {
            self.ready -= 1;
            self.ready_bytes -= self.weight(header);
            self.finish(ticket, header, fx);
            return None;
        }
        (note.attempts, note.fate) = (attempts, Fate::Discarded(DeathReason::DeliveryLimit));
        self.quorum.as_mut()?.ledger.set(header, attempts, note.fate);
        Some(note)
    }

    /// Takes a message that the ledger has out of its place, if it is there. One that the device does
    /// not read follows later: see [`Queue::restore_note`].
    fn take_noted(
        &mut self,
        now: Timestamp,
        number: u8,
        seq: u64,
        fx: &mut Effects,
    ) -> Option<(Note, Ticket, Header)> {
        if !self.load_seq(number, seq, fx) {
            self.unread.wait(Waiting::Noted(now, number, seq));
            return None;
        }
        let quorum = self.quorum.as_mut()?;
        let note = *quorum.ledger.get(seq)?;
        let Some((ticket, header)) = self.messages.move_away(number, seq) else {
            // Its record was damaged.
            quorum.ledger.forget(seq);
            return None;
        };
        let note = self.outlive_crash(note, ticket, &header, fx)?;
        if matches!(note.fate, Fate::Discarded(_)) {
            self.messages.update_flags(ticket, UNACKED, 0);
        }
        Some((note, ticket, header))
    }

    /// As [`Queue::restore_ledger`], for one message that could not be read then.
    pub(super) fn restore_note(&mut self, now: Timestamp, number: u8, seq: u64, fx: &mut Effects) {
        if let Some((note, ticket, header)) = self.take_noted(now, number, seq, fx) {
            self.put_aside(now, note, ticket, &header);
        }
    }

    /// Puts a message that was taken out of its place where the ledger says.
    fn put_aside(&mut self, now: Timestamp, note: Note, ticket: Ticket, header: &Header) {
        let Some(quorum) = &mut self.quorum else { return };
        let message = Aside::new(ticket, header);
        match note.fate {
            Fate::InPlace => return,
            Fate::Returned => return self.messages.put_in_front(message),
            Fate::Out { .. } => {
                quorum.ledger.set(header, note.attempts.after(true), Fate::Returned);
                return self.messages.put_in_front(message);
            }
            Fate::Delayed(until) => {
                quorum.delayed.insert((until, ticket.seq()), message);
                quorum.delayed_bytes += message.weight;
            }
            Fate::Discarded(reason) => {
                quorum.discards.push_later(now, Discard::new(ticket, header, reason));
                self.persistent -= 1;
                self.persistent_bytes -= u64::from(header.body_len);
            }
        }
        self.ready -= 1;
        self.ready_bytes -= message.weight;
    }

    /// A page is damaged. What it lost in its place is counted out by the caller; this is for the rest.
    pub(super) fn forget_lost(&mut self, number: u8, lost: &Lost) {
        let Some(quorum) = &mut self.quorum else { return };
        let Some(level) = self.messages.level(number) else { return };
        let is_there = |seq: u64| {
            let found = level.first_from(seq, None).map(|found| found.header);
            found.is_some_and(|header| header.seq == seq && !header.is(DEAD))
        };
        let mut gone = quorum.ledger.noted(number, lost.first_seq, lost.last_seq + 1);
        gone.retain(|&seq| !is_there(seq));
        let is_lost = |ticket: Ticket| gone.binary_search(&ticket.seq()).is_ok();
        let (count, bytes) = self.messages.lose_in_front(is_lost);
        self.ready = self.ready.saturating_sub(count);
        self.ready_bytes = self.ready_bytes.saturating_sub(bytes);
        quorum.delayed.retain(|_, message| {
            let is_lost = is_lost(message.ticket);
            quorum.delayed_bytes -= if is_lost { message.weight } else { 0 };
            !is_lost
        });
        for discard in quorum.discards.lose(is_lost) {
            // The caller counts it as out and kept, and it was neither.
            self.unacked += 1;
            self.unacked_bytes += discard.weight;
            self.persistent += 1;
            self.persistent_bytes += u64::from(discard.body_len);
        }
        gone.into_iter().for_each(|seq| quorum.ledger.forget(seq));
    }

    /// Everything that is out comes back, as if its consumers had gone.
    pub(super) fn take_all_back(&mut self, fx: &mut Effects) {
        let (now, how) = (self.used_at, Settle::RequeueFailed);
        for (holder, ticket) in self.held_past(NEVER, fx) {
            self.settle_one(ticket, Settlement { now, how, holder }, fx);
        }
    }

    /// What counts for the limits besides what is ready: messages that wait, and dead letters that
    /// are not safe yet.
    pub(super) fn aside(&self) -> (u64, u64) {
        let of = |quorum: &Quorum| {
            let count = quorum.delayed.len() as u64 + quorum.discards.len() as u64;
            (count, quorum.delayed_bytes + quorum.discards.bytes())
        };
        self.quorum.as_deref().map_or((0, 0), of)
    }

    /// Whether a queue that refuses publishes takes one now, when consumers take `slack` messages at
    /// once. It refuses them once the limit is passed, until there is some room again.
    pub(super) fn is_full(&mut self, slack: u64) -> bool {
        let settings = &self.settings;
        let (max_length, max_bytes) = (settings.max_length, settings.max_length_bytes);
        if settings.overflow != Overflow::RejectPublish || (max_length, max_bytes) == (None, None) {
            return false;
        }
        let (count, bytes) = self.aside();
        let length = self.ready.saturating_sub(slack) + count;
        let bytes = bytes + if self.ready <= slack { 0 } else { self.ready_bytes };
        let exceeds = |percent: u64| {
            let share = |max: u64| (u128::from(max) * u128::from(percent) / 100) as u64;
            max_length.is_some_and(|max| share(max) < length)
                || max_bytes.is_some_and(|max| share(max) < bytes)
        };
        let (is_over, has_room) = (exceeds(100), !exceeds(ROOM_PERCENT));
        let Some(quorum) = &mut self.quorum else { return false };
        quorum.is_full = is_over || (quorum.is_full && !has_room);
        quorum.is_full
    }

    /// The earliest deadline that only a quorum queue has.
    pub(super) fn quorum_deadline(&self) -> Option<Timestamp> {
        let quorum = self.quorum.as_ref()?;
        let delayed = quorum.delayed.first_key_value().map(|((until, _), _)| *until);
        let held = quorum.holders.next_deadline();
        let expiring = self.messages.heads_expire_at().map(Timestamp);
        let retried = quorum.discards.retry_at();
        delayed.into_iter().chain(held).chain(retried).chain(expiring).min()
    }

    /// The instant that a delivery to a consumer ends.
    pub(super) fn deadline_of(now: Timestamp, timeout_ms: u64) -> Timestamp {
        Timestamp(now.0.saturating_add(timeout_ms))
    }

    /// Keeps a dead letter until it is safe elsewhere.
    pub(super) fn discard(
        &mut self,
        ticket: Ticket,
        header: &Header,
        attempts: Attempts,
        reason: DeathReason,
    ) {
        let Some(quorum) = &mut self.quorum else { return };
        quorum.ledger.set(header, attempts, Fate::Discarded(reason));
        quorum.discards.push(Discard::new(ticket, header, reason));
        self.messages.update_flags(ticket, UNACKED | REDELIVERED, 0);
        self.persistent -= 1;
        self.persistent_bytes -= u64::from(header.body_len);
    }

    /// Hands dead letters that wait for it to the hub, as far as few enough are under way.
    pub(super) fn send_discards(&mut self, fx: &mut Effects) {
        loop {
            if self.unread.is_paused() {
                return;
            }
            let Some(quorum) = &mut self.quorum else { return };
            let Some(next) = quorum.discards.send() else { return };
            if !self.load_taken(next.ticket, fx) || !self.load_body(next.ticket, fx) {
                if self.unread.is_paused() {
                    if let Some(quorum) = &mut self.quorum {
                        quorum.discards.unsend(next.ticket);
                    }
                    return;
                }
                self.forget(&[next.ticket], fx);
                continue;
            }
            let Some(quorum) = &self.quorum else { return };
            if let Some(found) = self.messages.taken(next.ticket) {
                let attempts = quorum.ledger.attempts_of(&found.header);
                fx.dead_letters.push(super::DeadLetter {
                    image: found.message().to_image(),
                    reason: next.reason,
                    history: super::history_of(&found.header, attempts.failures),
                    ticket: Some(next.ticket),
                    // Others are as good as gone once the exchange has them.
                    safe_in: self.keeps_dead_letters().then_some(next.safe_in),
                });
            }
        }
    }
}

pub(super) fn weight(is_quorum: bool, header: &Header) -> u64 {
    u64::from(header.body_len) + if is_quorum { u64::from(header.properties_len) } else { 0 }
}
