//! Dead letters on their way from the queue they died in to the queues behind its exchange.

use std::sync::Arc;

use smallvec::SmallVec;
use topology::QueueId;

use crate::dead_letter::Reincarnation;
use crate::deaths::{Deaths, Strategy};
use crate::{Broker, DeadLetter, QueueRef, Ticket, Turn};

/// Dead letters rewritten at a time: a copy takes ten times the memory of a small message.
const COPIES_MAX: usize = 1024;
/// Their bodies together, apart from the last one's, in bytes: they go into one entry of the target's
/// journal.
const COPIES_BYTES_MAX: usize = 1024 * 1024;

/// What became of a dead letter.
#[derive(Debug, Default)]
struct Outcome {
    /// Queues that have it.
    taken_by: Vec<QueueId>,
    /// A queue that it is for did not take it.
    is_refused: bool,
    /// A queue that it is for has crashed, and comes back with the next start.
    has_crashed: bool,
}

impl Outcome {
    /// It is wherever it should be. As in RabbitMQ, nowhere is not enough.
    fn is_safe(&self) -> bool {
        !self.is_refused && !self.taken_by.is_empty()
    }
}

impl Broker {
    /// Publishes what died so far in this turn. Publishing may kill others (a full queue drops
    /// its head), so the caller repeats it until nothing is left.
    ///
    /// The original is forgotten by its queue's journal only after the copies are in the journals
    /// of theirs: a crash in between leaves both, never neither.
    pub(crate) fn publish_dead_letters(&self, turn: &mut Turn) {
        let mut left = turn.dead_letters.len();
        while 0 < left {
            let count = part_len(&turn.dead_letters[..left]);
            // A bug in one of their queues leaves the others in the turn.
            let part: Vec<_> = turn.dead_letters.drain(..count).collect();
            self.publish_part(turn, &part);
            left -= count;
        }
    }

    /// Publishes dead letters of one queue and has the originals forgotten.
    fn publish_part(&self, turn: &mut Turn, part: &[(QueueRef, DeadLetter)]) {
        let Some((source, _)) = part.first() else { return };
        let mut outcomes = self.publish_dead_letters_of(turn, source, part);
        outcomes.resize_with(part.len(), Outcome::default);
        let mut done: Vec<Ticket> = Vec::new();
        let mut confirmed = 0;
        let mut kept = Vec::new();
        for ((_, letter), outcome) in part.iter().zip(outcomes) {
            let Some(ticket) = letter.ticket else { continue };
            match &letter.safe_in {
                Some(_) if !outcome.is_safe() => kept.push((ticket, outcome.taken_by)),
                // The original outlives that with its journal, and dies again after the next start.
                None if outcome.has_crashed => {}
                safe_in => {
                    confirmed += usize::from(safe_in.is_some());
                    done.push(ticket);
                }
            }
        }
        self.dead_letter_counters.confirm(confirmed);
        if done.is_empty() && kept.is_empty() {
            return;
        }
        let mut queue = source.lock();
        queue.forget(&done, &mut turn.fx);
        kept.into_iter().for_each(|(ticket, safe_in)| queue.keep(turn.now, ticket, safe_in));
        self.conclude(turn, source, queue);
    }

    /// Publishes the dead letters of one queue, in their order, to each target in one go. Those that
    /// a target has already do not go there again. Says what became of each; of those left out,
    /// nobody took any.
    fn publish_dead_letters_of(
        &self,
        turn: &mut Turn,
        source: &QueueRef,
        letters: &[(QueueRef, DeadLetter)],
    ) -> Vec<Outcome> {
        let record = &source.record;
        let settings = source.settings();
        let Some(exchange) = &settings.dead_letter_exchange else { return Vec::new() };
        let key = settings.dead_letter_routing_key.as_deref();
        let mut copies = Vec::with_capacity(letters.len());
        let mut outcomes = Vec::with_capacity(letters.len());
        let mut targets: Vec<(QueueId, Vec<usize>)> = Vec::new();
        let mut deaths = Deaths::default();
        for (_, letter) in letters {
            let copy = Reincarnation::new(letter, &record.name, exchange, key, turn.now);
            let found = self.targets_of(&record.vhost, exchange, &copy);
            if letter.safe_in.is_none() {
                // As in RabbitMQ, an exchange that is not there is as good as none.
                let is_there = found.is_some();
                let strategy = if is_there { Strategy::AtMostOnce } else { Strategy::Disabled };
                deaths.add(strategy, letter.reason);
            }
            let taken_by = letter.safe_in.clone().unwrap_or_default();
            outcomes.push(Outcome { taken_by, ..Outcome::default() });
            for target in found.unwrap_or_default() {
                if outcomes[copies.len()].taken_by.contains(&target) {
                    continue;
                }
                match targets.iter_mut().find(|(id, _)| *id == target) {
                    Some((_, chosen)) => chosen.push(copies.len()),
                    None => targets.push((target, vec![copies.len()])),
                }
            }
            copies.push(copy);
        }
        self.dead_letter_counters.count(record.kind, &mut deaths);
        for (target, chosen) in targets {
            let Some(cell) = self.queue(target) else { continue };
            let is_cut = |index: &usize| self.cuts_cycle(&copies[*index], &cell.record.name);
            let chosen: Vec<_> = chosen.into_iter().filter(|index| !is_cut(index)).collect();
            let batch: Vec<_> = chosen.iter().map(|&index| copies[index].incoming()).collect();
            let rejected = self.publish(turn, &cell, &batch).rejected;
            for (place, index) in (0u32..).zip(chosen) {
                match rejected.contains(&place) {
                    true => {
                        outcomes[index].is_refused = true;
                        outcomes[index].has_crashed |= cell.is_crashed();
                    }
                    false => outcomes[index].taken_by.push(target),
                }
            }
        }
        outcomes
    }

    /// Whether a dead letter must not go to `queue`; the operator hears of it then.
    fn cuts_cycle(&self, copy: &Reincarnation, queue: &str) -> bool {
        let is_cycle = copy.is_cycle(queue);
        if is_cycle {
            let queues = std::iter::once(queue.as_bytes()).chain(copy.death_queues());
            self.cycles.note(queues.map(<[u8]>::to_vec).collect());
        }
        is_cycle
    }

    /// The queues a dead letter goes to; `None` when the exchange is gone.
    fn targets_of(
        &self,
        vhost: &str,
        exchange: &str,
        copy: &Reincarnation,
    ) -> Option<SmallVec<[QueueId; 4]>> {
        let keys: SmallVec<[&[u8]; 4]> = copy.routing_keys().collect();
        let mut found = SmallVec::new();
        let chance = self.chance();
        let topology = self.topology();
        let headers = || copy.headers().clone();
        topology.vhost(vhost)?.route(exchange, &keys, &headers, chance, &mut found).ok()?;
        Some(found)
    }
}

/// How many of `letters`, which are not none, are published together: at least one, all of one queue.
fn part_len(letters: &[(QueueRef, DeadLetter)]) -> usize {
    let mut bytes = 0;
    let is_of_one = |(queue, _): &&(QueueRef, DeadLetter)| Arc::ptr_eq(queue, &letters[0].0);
    let has_room = |(_, letter): &&(QueueRef, DeadLetter)| {
        let had_room = bytes < COPIES_BYTES_MAX;
        bytes += letter.image.as_ref().len();
        had_room
    };
    letters.iter().take(COPIES_MAX).take_while(is_of_one).take_while(has_room).count()
}
