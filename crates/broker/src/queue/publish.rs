//! Messages coming in, and the limits that make others go.

use message::{History, Incoming};
use stdx::Timestamp;
use topology::{Overflow, QueueKind, QueueRecord, QueueSettings};

use super::Queue;
use super::effects::{DeadLetter, DeathReason, Effects};
use super::journal::Journal;
use super::ledger::{Attempts, Fate};
use super::level::{Level, is_shared};
use super::quorum::{PRIORITY_DEFAULT, PRIORITY_MAX};
use super::record::{DEAD_LETTERED, FAILED, HEADER_LEN, Header, KEY_ONLY, PERSISTENT};
use crate::deaths::Strategy;

/// Messages that expire, are too many or rejected, dropped in a turn at most: each may become a dead
/// letter, and all that time the queue is locked. More than a turn ever publishes, so that a queue of
/// limited length does not grow. A dead letter with a large body counts for several.
pub(super) const DROPS_PER_TURN_MAX: usize = 4096;

/// The settings that publishing needs, at hand.
#[derive(Clone, Copy)]
struct Limits {
    ttl_ms: Option<u64>,
    max_length: u64,
    max_bytes: u64,
    overflow: Overflow,
    default_priority: u8,
    max_priority: u8,
    is_durable: bool,
    is_quorum: bool,
}

impl Limits {
    fn of(record: &QueueRecord, settings: &QueueSettings) -> Self {
        let is_quorum = record.kind == QueueKind::Quorum;
        let (default_priority, max_priority) = match is_quorum {
            true => (PRIORITY_DEFAULT, PRIORITY_MAX),
            false => (0, settings.max_priority.unwrap_or(0)),
        };
        Self {
            ttl_ms: settings.message_ttl_ms,
            max_length: settings.max_length.unwrap_or(u64::MAX),
            max_bytes: settings.max_length_bytes.unwrap_or(u64::MAX),
            overflow: settings.overflow,
            default_priority,
            max_priority,
            is_durable: record.durable,
            is_quorum,
        }
    }
}

impl Queue {
    /// Appends messages. Those that a full queue refuses are named in [`Effects::rejected`].
    ///
    /// Room is needed only for what consumers cannot take at once, as in RabbitMQ, except that a
    /// queue of length 0 refuses everything.
    pub fn publish(&mut self, now: Timestamp, batch: &[Incoming<'_>], fx: &mut Effects) {
        self.settle_got(fx);
        self.catch_up(now, fx);
        let limits = Limits::of(&self.record, &self.settings);
        let expected = batch.iter().map(|incoming| record_len(incoming)).sum();
        let refuses = limits.overflow != Overflow::DropHead
            && (limits.max_length, limits.max_bytes) != (u64::MAX, u64::MAX);
        if refuses {
            let enough = self.ready + batch.len() as u64;
            let slack = self.consumers.total_credit(self.is_single_active(), enough);
            for (index, incoming) in batch.iter().enumerate() {
                let is_refused = match limits.is_quorum {
                    true => self.is_full(slack),
                    false => self.would_overflow(&limits, slack, incoming.message.body.len()),
                };
                if is_refused {
                    fx.rejected.push(index as u32);
                    self.refuse(&limits, incoming, fx);
                } else {
                    self.enqueue(now, &limits, incoming, expected, fx);
                }
            }
        } else {
            for incoming in batch {
                self.enqueue(now, &limits, incoming, expected, fx);
            }
        }
        // A consumer that is ready is served first: `next_batch` trims what is left over.
        if self.consumers.next(self.is_single_active()).is_none() {
            self.trim(now, fx);
        }
    }

    fn enqueue(
        &mut self,
        now: Timestamp,
        limits: &Limits,
        incoming: &Incoming<'_>,
        expected: usize,
        fx: &mut Effects,
    ) {
        let message = &incoming.message;
        let ttl_ms = match (limits.ttl_ms, incoming.ttl_ms) {
            (Some(queue), Some(message)) => Some(queue.min(message)),
            (queue, message) => queue.or(message),
        };
        // A quorum queue delivers what it got in the same millisecond even if its TTL is 0.
        let ttl_ms = ttl_ms.map(|ttl_ms| ttl_ms.max(u64::from(limits.is_quorum)));
        let is_persistent = limits.is_durable && (incoming.is_persistent || limits.is_quorum);
        let body_len = message.body.len();
        let header = Header {
            seq: self.next_seq,
            expires_at: ttl_ms.map_or(0, |ttl_ms| now.plus_ms(ttl_ms).0.max(1)),
            flags: flags_of(incoming.history) | if is_persistent { PERSISTENT } else { 0 },
            level: incoming.priority.unwrap_or(limits.default_priority).min(limits.max_priority),
            exchange_len: short_len(message.exchange),
            routing_key_len: short_len(message.routing_key),
            properties_len: message.properties.len() as u32,
            body_len: body_len as u32,
            entry: 0,
        };
        if is_persistent {
            let next_seq = self.next_seq;
            self.journal.get_or_insert_with(|| Box::new(Journal::new(1, next_seq)));
            self.persistent += 1;
            self.persistent_bytes += body_len as u64;
        }
        let shared =
            is_shared(message).then(|| fx.blobs.share(message, is_persistent, fx.pages.as_deref()));
        self.messages.push(header, message, shared, expected, &mut fx.pool);
        self.next_seq += 1;
        self.ready += 1;
        self.ready_bytes += self.weight(&header);
        if let Some(quorum) = &mut self.quorum
            && incoming.history.failures != 0
        {
            let attempts = Attempts { acquired: 0, failures: incoming.history.failures };
            quorum.ledger.set(&header, attempts, Fate::InPlace);
        }
    }

    /// Whether a message more would be too much, when consumers take `slack` messages at once.
    fn would_overflow(&self, limits: &Limits, slack: u64, body_len: usize) -> bool {
        let left_bytes = if self.ready <= slack { 0 } else { self.ready_bytes };
        limits.max_length < self.ready.saturating_sub(slack) + 1
            || limits.max_bytes < left_bytes + body_len as u64
    }

    fn refuse(&self, limits: &Limits, incoming: &Incoming<'_>, fx: &mut Effects) {
        let has_dlx = self.settings.dead_letter_exchange.is_some();
        if limits.overflow != Overflow::RejectPublishDlx {
            return;
        }
        if !has_dlx {
            fx.deaths.add(Strategy::Disabled, DeathReason::Maxlen);
        } else {
            fx.dead_letters.push(DeadLetter {
                image: incoming.message.to_image(),
                reason: DeathReason::Maxlen,
                history: incoming.history,
                ticket: None,
                safe_in: None,
            });
        }
    }

    /// Makes the queue as short as it has to be, and drops what is expired at its head: as much
    /// of it as this turn may.
    pub(super) fn trim(&mut self, now: Timestamp, fx: &mut Effects) {
        self.is_behind = false;
        let limits = Limits::of(&self.record, &self.settings);
        let (aside, aside_bytes) = self.aside();
        while limits.overflow == Overflow::DropHead
            && 0 < self.ready
            && (limits.max_length < self.ready + aside
                || limits.max_bytes < self.ready_bytes + aside_bytes)
        {
            if !self.drop_head(DeathReason::Maxlen, fx) {
                return;
            }
        }
        self.drop_expired(now.plus_ms(1), fx);
    }

    /// Goes on with what an earlier trim left over.
    pub(super) fn catch_up(&mut self, now: Timestamp, fx: &mut Effects) {
        if self.is_behind {
            self.trim(now, fx);
        }
    }

    /// Drops heads that expired before `before`: as many as this turn may.
    pub(super) fn drop_expired(&mut self, before: Timestamp, fx: &mut Effects) {
        let is_expired = |&at: &u64| at != 0 && at < before.0;
        while 0 < self.ready && self.messages.head_expires_at().filter(is_expired).is_some() {
            if self.messages.absent_head().is_some() {
                // Looked at once more: a damaged page may not have it.
                if !self.load_head(fx) {
                    return;
                }
            } else if !self.drop_head(DeathReason::Expired, fx) {
                return;
            }
        }
    }

    /// Drops what expired at `now` at the heads of all priorities, which RabbitMQ does in quorum queues:
    /// as much as this turn may.
    pub(super) fn drop_expired_below(&mut self, now: Timestamp, fx: &mut Effects) {
        if !self.is_quorum() || self.is_behind {
            return;
        }
        while let Some(level) = self.messages.expired_level(now) {
            if DROPS_PER_TURN_MAX <= fx.dropped {
                self.is_behind = true;
                return;
            }
            if self.unread.is_paused() {
                return;
            }
            let absent = self.messages.level(level).and_then(Level::absent_head);
            if let Some(chunk) = absent {
                // Looked at once more: a damaged page may not have it.
                self.load(level, chunk, fx);
                continue;
            }
            let Some((ticket, header)) = self.messages.take_head_of(level) else { return };
            self.ready -= 1;
            self.ready_bytes -= self.weight(&header);
            let attempts = self.attempts_of(&header);
            self.bury(ticket, &header, attempts, DeathReason::Expired, fx);
        }
    }

    /// False when it may not in this turn: then it is noted that the queue is behind, or it waits
    /// for the device.
    fn drop_head(&mut self, reason: DeathReason, fx: &mut Effects) -> bool {
        if self.unread.is_paused() {
            return false;
        }
        if DROPS_PER_TURN_MAX <= fx.dropped {
            self.is_behind = true;
            return false;
        }
        let Some((ticket, header)) = self.take_head(fx) else { return !self.unread.is_paused() };
        let attempts = self.attempts_of(&header);
        self.bury(ticket, &header, attempts, reason, fx);
        true
    }
}

fn short_len(short_string: &[u8]) -> u8 {
    u8::try_from(short_string.len()).expect("exchanges and routing keys are short strings")
}

fn record_len(incoming: &Incoming<'_>) -> usize {
    let message = &incoming.message;
    HEADER_LEN + if is_shared(message) { 4 } else { message.len() }
}

fn flags_of(history: History) -> u8 {
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    flag(history.is_dead_lettered, DEAD_LETTERED)
        | flag(history.failures != 0, FAILED)
        | flag(history.is_routed_by_key_only, KEY_ONLY)
}
