//! Who has which message of a quorum queue, since when, and who took too long.
//!
//! Messages handed over for the first time lie in runs, one per consumer and instant; for those
//! that came back the [`Ledger`](super::ledger::Ledger) knows the same.

use std::collections::VecDeque;

use stdx::Timestamp;

use super::consumers::ConsumerId;
use crate::mailbox::{ConsumerKey, MailboxRef};

/// Runs that ended are taken out of the middle once there are more of them than this, and than
/// others.
const ENDED_RUNS_MAX: usize = 64;

/// Messages of one level that somebody got in one go, or what is left of them. Nobody else has a
/// message between them that was not handed over before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) first: u64,
    pub(super) last: u64,
    left: u32,
    pub(super) holder: ConsumerId,
    pub(super) deadline: Timestamp,
}

/// Who takes a message with `basic.get` and settles it later.
#[derive(Clone)]
pub struct Getter {
    /// Like a consumer's: settlements name it.
    pub id: ConsumerId,
    /// The connection.
    pub mailbox: MailboxRef,
    /// The name the connection knows it by.
    pub key: ConsumerKey,
    /// How long it may take, in milliseconds; only quorum queues mind.
    pub timeout_ms: u64,
}

impl std::fmt::Debug for Getter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Getter").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Somebody without a subscription who has messages: a consumer that was cancelled, or a getter.
#[derive(Clone)]
pub(super) struct Departed {
    pub(super) id: ConsumerId,
    pub(super) mailbox: MailboxRef,
    pub(super) key: ConsumerKey,
    left: u32,
}

impl std::fmt::Debug for Departed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Departed").field("id", &self.id).field("left", &self.left).finish()
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Holders {
    /// By level, in the order of seqs.
    runs: Vec<VecDeque<Run>>,
    ended: usize,
    /// Nothing is late before.
    next_deadline: Timestamp,
    /// Messages that were taken from somebody who has to settle them all the same.
    late: Vec<(ConsumerId, Vec<u64>)>,
    departed: Vec<Departed>,
}

impl Default for Holders {
    fn default() -> Self {
        Self {
            runs: Vec::new(),
            ended: 0,
            next_deadline: Timestamp(u64::MAX),
            late: Vec::new(),
            departed: Vec::new(),
        }
    }
}

impl Holders {
    /// Notes messages handed over for the first time.
    pub(super) fn note(
        &mut self,
        level: u8,
        (first, last): (u64, u64),
        count: u32,
        holder: ConsumerId,
        deadline: Timestamp,
    ) {
        self.expect(deadline);
        let level = usize::from(level);
        if self.runs.len() <= level {
            self.runs.resize_with(level + 1, VecDeque::new);
        }
        let runs = &mut self.runs[level];
        match runs.back_mut() {
            Some(run) if run.holder == holder && run.deadline == deadline && run.left != 0 => {
                run.last = last;
                run.left += count;
            }
            _ => runs.push_back(Run { first, last, left: count, holder, deadline }),
        }
    }

    /// Something may be late at `deadline`.
    pub(super) fn expect(&mut self, deadline: Timestamp) {
        self.next_deadline = self.next_deadline.min(deadline);
    }

    /// When something may be late.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        (self.next_deadline != Timestamp(u64::MAX)).then_some(self.next_deadline)
    }

    /// `holder` lets go of a message that it got first. False if it does not have it.
    pub(super) fn release(&mut self, level: u8, seq: u64, holder: ConsumerId) -> bool {
        let Some(runs) = self.runs.get_mut(usize::from(level)) else { return false };
        let at = runs.partition_point(|run| run.last < seq);
        let run = runs.get_mut(at).filter(|run| run.first <= seq && run.holder == holder);
        let Some(run) = run.filter(|run| run.left != 0) else { return false };
        run.left -= 1;
        if run.left == 0 {
            self.ended += 1;
            while runs.front().is_some_and(|run| run.left == 0) {
                runs.pop_front();
                self.ended -= 1;
            }
            if ENDED_RUNS_MAX.max(runs.len() / 2) < self.ended {
                self.runs.iter_mut().for_each(|runs| runs.retain(|run| run.left != 0));
                self.ended = 0;
            }
        }
        self.part(holder);
        true
    }

    fn part(&mut self, holder: ConsumerId) {
        let Some(at) = self.departed.iter().position(|it| it.id == holder) else { return };
        self.departed[at].left -= 1;
        if self.departed[at].left == 0 {
            self.departed.swap_remove(at);
        }
    }

    /// As [`Self::release`], for one that the ledger knows.
    pub(super) fn release_known(&mut self, holder: ConsumerId) {
        self.part(holder);
    }

    /// The runs that are late at `now` (or any, for the end of time), with their level.
    pub(super) fn late_runs(&self, now: Timestamp) -> Vec<(u8, Run)> {
        let levels = (0u8..=255).zip(&self.runs);
        let runs = levels.flat_map(|(level, runs)| runs.iter().map(move |run| (level, *run)));
        runs.filter(|(_, run)| run.left != 0 && run.deadline <= now).collect()
    }

    /// Nobody is asked any more for what is left of the runs that are late at `now`: it was lost with
    /// a damaged page.
    pub(super) fn end_late_runs(&mut self, now: Timestamp) {
        let runs = self.runs.iter_mut().flatten();
        for run in runs.filter(|run| run.left != 0 && run.deadline <= now) {
            if let Some(departed) = self.departed.iter_mut().find(|it| it.id == run.holder) {
                departed.left -= run.left;
            }
            run.left = 0;
            self.ended += 1;
        }
        self.departed.retain(|it| it.left != 0);
    }

    /// Looks for the next deadline anew; `others` is that of messages that came back.
    pub(super) fn find_deadline(&mut self, others: Timestamp) {
        let runs = self.runs.iter().flatten().filter(|run| run.left != 0);
        self.next_deadline = runs.map(|run| run.deadline).fold(others, Timestamp::min);
    }

    /// A message was taken from a consumer that took too long.
    pub(super) fn note_late(&mut self, holder: ConsumerId, seq: u64) {
        match self.late.iter_mut().find(|(id, _)| *id == holder) {
            Some((_, seqs)) => seqs.push(seq),
            None => self.late.push((holder, vec![seq])),
        }
    }

    /// A consumer settles a message that was taken from it. True when that was the last one.
    pub(super) fn excuse(&mut self, holder: ConsumerId, seq: u64) -> bool {
        let Some(at) = self.late.iter().position(|(id, _)| *id == holder) else { return false };
        let seqs = &mut self.late[at].1;
        let Some(place) = seqs.iter().position(|it| *it == seq) else { return false };
        seqs.swap_remove(place);
        let is_last = seqs.is_empty();
        if is_last {
            self.late.swap_remove(at);
        }
        is_last
    }

    /// A consumer leaves, with `left` messages that it has to settle.
    pub(super) fn depart(
        &mut self,
        id: ConsumerId,
        mailbox: MailboxRef,
        key: ConsumerKey,
        left: u32,
    ) {
        self.late.retain(|(late, _)| *late != id);
        if left != 0 {
            self.departed.push(Departed { id, mailbox, key, left });
        }
    }

    /// Somebody without a subscription gets one message.
    pub(super) fn note_getter(&mut self, getter: &Getter) {
        match self.departed.iter_mut().find(|it| it.id == getter.id) {
            Some(known) => known.left += 1,
            None => self.depart(getter.id, getter.mailbox.clone(), getter.key, 1),
        }
    }

    pub(super) fn departed(&self, id: ConsumerId) -> Option<&Departed> {
        self.departed.iter().find(|it| it.id == id)
    }
}
