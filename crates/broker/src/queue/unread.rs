//! Pages that the device does not read.
//!
//! That is no loss: a second later it may. So nothing is given up for it. The queue hands out
//! nothing and reads nothing until it tries again, and what was settled meanwhile among the
//! messages of such a page waits. Of those that end by that the journal hears at once, by level and
//! seq: see [`LetGo`].

use stdx::Timestamp;

use super::effects::{DeathReason, Effects};
use super::journal::SeqRange;
use super::ledger::Attempts;
use super::let_go::LetGo;
use super::{AT_ONCE, Queue, Settle, Settlement, Ticket};
use crate::{PageDamage, PageRef};

/// Time until a page is tried again.
const RETRY_MS: u64 = 1000;

/// What a queue cannot read and what waits for it: nothing, as a rule.
#[derive(Debug, Default)]
pub(super) struct Unread(Option<Box<Trouble>>);

#[derive(Debug, Default)]
struct Trouble {
    pause: Pause,
    /// The page that was reported last: each is once.
    reported: Option<PageRef>,
    /// One per message at most, but for what a recovery leaves: one per page.
    waiting: Vec<Waiting>,
    /// The messages of those pages that end, whatever is on them.
    let_go: LetGo,
}

/// Whether the queue reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pause {
    #[default]
    No,
    /// From this turn on; until when is decided by the next one that knows the time.
    Begun,
    Until(Timestamp),
}

/// What is to be done once a page can be read.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A delivery that was let go.
    Settle(Ticket, Settlement),
    /// A message that is neither ready nor counted as unacked any more.
    Bury(Ticket, Attempts, DeathReason),
    /// See [`Queue::forget`].
    Forget(Ticket),
    /// See [`UnreadPage`].
    Recovered(UnreadPage),
    /// A message by level and seq that a recovered ledger has something to say of.
    Noted(Timestamp, u8, u64),
}

/// A page that a recovery could not read, or left to the queue because of what was [let go](LetGo), and
/// messages on it that the journal calls settled.
#[derive(Debug)]
pub(super) struct UnreadPage {
    pub(super) level: u8,
    pub(super) chunk: u32,
    pub(super) settled: Vec<SeqRange>,
}

impl Unread {
    /// What a recovery left unread, and the last page of which it reported that it could not.
    pub(super) fn of(pages: Vec<UnreadPage>, reported: Option<PageRef>) -> Self {
        if pages.is_empty() {
            return Self::default();
        }
        let pause = if reported.is_some() { Pause::Begun } else { Pause::Until(AT_ONCE) };
        let mut let_go = LetGo::default();
        for page in &pages {
            for &range in &page.settled {
                let_go.insert(page.level, range);
            }
        }
        let waiting = pages.into_iter().map(Waiting::Recovered).collect();
        Self(Some(Box::new(Trouble { pause, reported, waiting, let_go })))
    }

    /// Whether nothing is read now.
    pub(super) fn is_paused(&self) -> bool {
        self.pause() != Pause::No
    }

    fn pause(&self) -> Pause {
        self.0.as_deref().map_or(Pause::No, |trouble| trouble.pause)
    }

    /// When to try again, while it is paused.
    pub(super) fn retry_at(&self) -> Option<Timestamp> {
        match self.pause() {
            Pause::No => None,
            Pause::Begun => Some(AT_ONCE),
            Pause::Until(at) => Some(at),
        }
    }

    /// A page could not be read.
    pub(super) fn begin(&mut self, page: PageRef, damage: PageDamage, fx: &mut Effects) {
        let trouble = self.0.get_or_insert_default();
        trouble.pause = Pause::Begun;
        if trouble.reported.replace(page) != Some(page) {
            fx.damaged.push((damage, 0));
        }
    }

    pub(super) fn wait(&mut self, waiting: Waiting) {
        self.0.get_or_insert_default().waiting.push(waiting);
    }

    /// What the journal has to say of the pages that wait whenever it names one anew.
    pub(super) fn let_go(&self) -> Option<&LetGo> {
        self.0.as_deref().map(|trouble| &trouble.let_go)
    }
}

impl Queue {
    /// Reads again what could not be read, if it is time, and carries out what waits for it.
    pub(super) fn read_again(&mut self, now: Timestamp, fx: &mut Effects) {
        let Some(trouble) = self.unread.0.as_deref_mut() else { return };
        if let Pause::Until(at) = trouble.pause
            && at <= now
        {
            trouble.pause = Pause::No;
            for waiting in std::mem::take(&mut trouble.waiting) {
                self.carry_out(waiting, fx);
            }
            self.load_head_body(fx);
        }
        let Some(trouble) = self.unread.0.as_deref_mut() else { return };
        match trouble.pause {
            Pause::No if trouble.waiting.is_empty() => self.unread = Unread::default(),
            Pause::No => trouble.reported = None,
            Pause::Begun => trouble.pause = Pause::Until(now.plus_ms(RETRY_MS)),
            Pause::Until(_) => {}
        }
    }

    /// A delivery was let go whose record cannot be read now. If it ends by that, it does so at once for
    /// the journal: whoever asked for it is about to be told.
    pub(super) fn settle_unread(&mut self, ticket: Ticket, mut settlement: Settlement) {
        let is_end = match settlement.how {
            Settle::Ack => true,
            Settle::Reject | Settle::RejectFailed => self.settings.dead_letter_exchange.is_none(),
            Settle::Requeue | Settle::RequeueFailed => false,
        };
        if is_end {
            settlement.how = Settle::Ack;
            self.end_unread(ticket);
        }
        self.unread.wait(Waiting::Settle(ticket, settlement));
    }

    /// A message ends whose record cannot be read now.
    pub(super) fn end_unread(&mut self, ticket: Ticket) {
        let (level, seq) = (ticket.level(), ticket.seq());
        let range = SeqRange { first: seq, end: seq + 1 };
        let trouble = self.unread.0.get_or_insert_default();
        if trouble.let_go.insert(level, range)
            && let Some(journal) = self.journal.as_deref_mut()
        {
            journal.let_go(level, range);
        }
        if let Some(quorum) = &mut self.quorum {
            quorum.ledger.forget(seq);
        }
    }

    fn carry_out(&mut self, waiting: Waiting, fx: &mut Effects) {
        match waiting {
            Waiting::Settle(ticket, settlement) => {
                self.settle_let_go(ticket, settlement, fx);
            }
            Waiting::Bury(ticket, attempts, reason) => {
                if !self.load_taken(ticket, fx) {
                    return self.unread.wait(Waiting::Bury(ticket, attempts, reason));
                }
                if let Some(header) = self.messages.taken(ticket).map(|found| found.header) {
                    self.bury(ticket, &header, attempts, reason, fx);
                }
            }
            Waiting::Forget(ticket) => self.forget(&[ticket], fx),
            Waiting::Recovered(unread) => self.settle_recovered(unread, fx),
            Waiting::Noted(now, level, seq) => self.restore_note(now, level, seq, fx),
        }
    }

    /// Ends ready messages that were settled in an earlier life of the broker.
    fn settle_recovered(&mut self, unread: UnreadPage, fx: &mut Effects) {
        let UnreadPage { level: number, chunk, .. } = unread;
        let is_absent = self.messages.level(number).is_some_and(|level| level.is_absent(chunk));
        if is_absent && !self.load(number, chunk, fx) {
            return self.unread.wait(Waiting::Recovered(unread));
        }
        let Some(level) = self.messages.level(number) else { return };
        for (place, header) in level.live_in(chunk, &unread.settled) {
            self.ready = self.ready.saturating_sub(1);
            self.ready_bytes = self.ready_bytes.saturating_sub(self.weight(&header));
            self.count_persistent_out(&header);
            self.unjournal(&header);
            if let Some(level) = self.messages.level_mut(number) {
                level.discard(place, &header, &mut fx.pool);
            }
        }
    }
}
