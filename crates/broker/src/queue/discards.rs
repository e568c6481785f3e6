//! Dead letters of a quorum queue that it keeps until they are safe in all queues they are for
//! (`x-dead-letter-strategy: at-least-once`).

use std::collections::VecDeque;

use stdx::Timestamp;
use topology::QueueId;

use super::effects::DeathReason;
use super::record::Header;
use super::{Ticket, quorum};

/// Dead letters under way at a time, those included that nobody took. RabbitMQ's
/// `dead_letter_worker_consumer_prefetch`.
const UNDER_WAY_MAX: usize = 32;
/// What nobody took is tried again after this long. RabbitMQ's
/// `dead_letter_worker_publisher_confirm_timeout`.
const RETRY_MS: u64 = 180_000;

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Discard {
    pub(super) ticket: Ticket,
    pub(super) reason: DeathReason,
    pub(super) weight: u64,
    pub(super) body_len: u32,
    /// Queues that have it already.
    pub(super) safe_in: Vec<QueueId>,
}

impl Discard {
    pub(super) fn new(ticket: Ticket, header: &Header, reason: DeathReason) -> Self {
        let weight = quorum::weight(true, header);
        Self { ticket, reason, weight, body_len: header.body_len, safe_in: Vec::new() }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Discards {
    waiting: VecDeque<Discard>,
    /// With the hub.
    sent: Vec<Discard>,
    /// Not everybody took them.
    kept: Vec<Discard>,
    bytes: u64,
    retry_at: Option<Timestamp>,
}

impl Discards {
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.sent.len() + self.kept.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// When those that nobody took are tried again.
    pub(super) fn retry_at(&self) -> Option<Timestamp> {
        self.retry_at
    }

    pub(super) fn push(&mut self, discard: Discard) {
        self.bytes += discard.weight;
        self.waiting.push_back(discard);
    }

    /// As [`Self::push`], but it is sent at `now` at the earliest: the queues that it is for may not
    /// be there yet.
    pub(super) fn push_later(&mut self, now: Timestamp, discard: Discard) {
        self.bytes += discard.weight;
        self.kept.push(discard);
        self.retry_at = Some(now);
    }

    /// Takes out what `is_lost` says.
    pub(super) fn lose(&mut self, is_lost: impl Fn(Ticket) -> bool) -> Vec<Discard> {
        let mut lost = Vec::new();
        let mut stays = |discard: &Discard| {
            let is_lost = is_lost(discard.ticket);
            lost.extend(is_lost.then(|| discard.clone()));
            !is_lost
        };
        self.waiting.retain(&mut stays);
        self.sent.retain(&mut stays);
        self.kept.retain(&mut stays);
        self.bytes -= lost.iter().map(|discard| discard.weight).sum::<u64>();
        lost
    }

    /// The next one to send, if few enough are under way.
    pub(super) fn send(&mut self) -> Option<Discard> {
        if UNDER_WAY_MAX <= self.sent.len() + self.kept.len() {
            return None;
        }
        let next = self.waiting.pop_front()?;
        self.sent.push(next.clone());
        Some(next)
    }

    /// One that was sent did not get there: it is the next one again.
    pub(super) fn unsend(&mut self, ticket: Ticket) {
        if let Some(at) = self.sent.iter().position(|it| it.ticket == ticket) {
            self.waiting.push_front(self.sent.swap_remove(at));
        }
    }

    /// One that was sent is safe everywhere.
    pub(super) fn end(&mut self, ticket: Ticket) {
        if let Some(at) = self.sent.iter().position(|it| it.ticket == ticket) {
            self.bytes -= self.sent.swap_remove(at).weight;
        }
    }

    /// One that was sent is safe in these queues only.
    pub(super) fn keep(&mut self, now: Timestamp, ticket: Ticket, safe_in: Vec<QueueId>) {
        let Some(at) = self.sent.iter().position(|it| it.ticket == ticket) else { return };
        let discard = self.sent.remove(at);
        self.kept.push(Discard { safe_in, ..discard });
        self.retry_at.get_or_insert(now.plus_ms(RETRY_MS));
    }

    /// Tries those again that nobody took, if it is time.
    pub(super) fn retry(&mut self, now: Timestamp) {
        if self.retry_at.take_if(|at| *at <= now).is_some() {
            let kept = std::mem::take(&mut self.kept);
            kept.into_iter().rev().for_each(|discard| self.waiting.push_front(discard));
        }
    }

    /// Forgets all of them; returns their tickets.
    pub(super) fn drain(&mut self) -> Vec<Ticket> {
        let all = std::mem::take(self);
        let all = all.waiting.into_iter().chain(all.sent).chain(all.kept);
        all.map(|discard| discard.ticket).collect()
    }
}
