//! Dead letters on their way from the queue they died in to the queues behind its exchange.

use smallvec::SmallVec;
use topology::QueueId;

use crate::dead_letter::Reincarnation;
use crate::{Broker, DeadLetter, QueueRef, Ticket, Turn};

/// Dead letters rewritten at a time: a copy takes ten times the memory of a small message.
const COPIES_MAX: usize = 1024;

impl Broker {
    /// Publishes what died so far in this turn. Publishing may kill others (a full queue drops
    /// its head), so the caller repeats it until nothing is left.
    ///
    /// The original is forgotten by its queue's journal only after the copies are in the journals
    /// of theirs: a crash in between leaves both, never neither.
    pub(crate) fn publish_dead_letters(&self, turn: &mut Turn) {
        let letters = std::mem::take(&mut turn.dead_letters);
        let runs = letters.chunk_by(|(a, _), (b, _)| std::sync::Arc::ptr_eq(a, b));
        for run in runs.flat_map(|run| run.chunks(COPIES_MAX)) {
            let (source, _) = &run[0];
            self.publish_dead_letters_of(turn, source, run);
            let tickets: Vec<Ticket> = run.iter().filter_map(|(_, letter)| letter.ticket).collect();
            if !tickets.is_empty() {
                let mut queue = source.lock();
                queue.forget(&tickets, &mut turn.fx);
                self.conclude(turn, source, queue);
            }
        }
    }

    /// Publishes the dead letters of one queue, in their order, to each target in one go.
    fn publish_dead_letters_of(
        &self,
        turn: &mut Turn,
        source: &QueueRef,
        letters: &[(QueueRef, DeadLetter)],
    ) {
        let record = &source.record;
        let Some(exchange) = &record.settings.dead_letter_exchange else { return };
        let key = record.settings.dead_letter_routing_key.as_deref();
        let mut copies = Vec::with_capacity(letters.len());
        let mut targets: Vec<(QueueId, Vec<usize>)> = Vec::new();
        for (_, letter) in letters {
            let copy = Reincarnation::new(letter, &record.name, exchange, key, turn.now);
            for target in self.targets_of(&record.vhost, exchange, &copy) {
                match targets.iter_mut().find(|(id, _)| *id == target) {
                    Some((_, chosen)) => chosen.push(copies.len()),
                    None => targets.push((target, vec![copies.len()])),
                }
            }
            copies.push(copy);
        }
        for (target, chosen) in targets {
            let Some(cell) = self.queue(target) else { continue };
            let batch: Vec<_> = chosen
                .into_iter()
                .map(|index| &copies[index])
                .filter(|copy| !copy.is_cycle(&cell.record.name))
                .map(Reincarnation::incoming)
                .collect();
            self.publish(turn, &cell, &batch);
        }
    }

    /// The queues a dead letter goes to; none when the exchange is gone, as in RabbitMQ.
    fn targets_of(
        &self,
        vhost: &str,
        exchange: &str,
        copy: &Reincarnation,
    ) -> SmallVec<[QueueId; 4]> {
        let keys: SmallVec<[&[u8]; 4]> = copy.routing_keys().collect();
        let mut found = SmallVec::new();
        let chance = self.chance();
        if let Some(vhost) = self.topology().vhost(vhost) {
            let headers = || copy.headers().clone();
            if vhost.route(exchange, &keys, &headers, chance, &mut found).is_err() {
                found.clear();
            }
        }
        found
    }
}
