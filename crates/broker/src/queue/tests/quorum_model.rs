//! A quorum queue against what it must not forget: random use, stops and crashes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use topology::{DelayedRetry, QueueSettings, QuorumSettings, RetryKind};

use super::harness::{Harness, Outgoing, Seen, consumer, record};
use crate::queue::Settle;
use crate::queue::level::after;
use crate::queue::record::DEAD;

#[derive(Clone, Debug)]
enum Op {
    Publish {
        count: usize,
        priority: Option<u8>,
        padding: usize,
    },
    Consume {
        prefetch: u32,
        timeout_ms: u64,
    },
    Cancel,
    Get,
    Settle(prop::sample::Index, usize, Settle),
    Tick(u64),
    Purge,
    PageOut {
        bytes: usize,
        is_urgent: bool,
    },
    PagedOut,
    PageOutFailed,
    MoveJournalOn,
    RestartClean,
    /// From the end of this turn, of those since the last start.
    Crash(prop::sample::Index),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let how = prop::sample::select(vec![Settle::Ack, Settle::Requeue, Settle::RequeueFailed]);
    let op = prop_oneof![
        4 => (1..5usize, prop::option::of(0..40u8), 0..200usize)
            .prop_map(|(count, priority, padding)| Op::Publish { count, priority, padding }),
        1 => (0..4u32, 5..50u64)
            .prop_map(|(prefetch, timeout_ms)| Op::Consume { prefetch, timeout_ms }),
        1 => Just(Op::Cancel),
        3 => Just(Op::Get),
        6 => (any::<prop::sample::Index>(), 1..4usize, how)
            .prop_map(|(from, count, how)| Op::Settle(from, count, how)),
        2 => (1..40u64).prop_map(Op::Tick),
        1 => Just(Op::Purge),
        3 => (0..4000usize, any::<bool>())
            .prop_map(|(bytes, is_urgent)| Op::PageOut { bytes, is_urgent }),
        3 => Just(Op::PagedOut),
        1 => Just(Op::PageOutFailed),
        1 => Just(Op::MoveJournalOn),
        1 => Just(Op::RestartClean),
        1 => any::<prop::sample::Index>().prop_map(Op::Crash),
    ];
    prop::collection::vec(op, 1..120)
}

/// Messages that are not consumed, by body, and how often their delivery failed.
type Kept = BTreeMap<Vec<u8>, u32>;

struct Run {
    harness: Harness,
    kept: Kept,
    published: usize,
    next_consumer: u64,
    /// Length of the log and what it must hold, after each turn since the last start.
    turns: Vec<(usize, Kept)>,
}

impl Run {
    fn new(is_delayed: bool) -> Self {
        let retry = DelayedRetry { kind: RetryKind::All, min_ms: 10, max_ms: 30 };
        let quorum = QuorumSettings {
            delayed_retry: is_delayed.then_some(retry),
            ..QuorumSettings::default()
        };
        let settings = QueueSettings { quorum: Some(Box::new(quorum)), ..QueueSettings::default() };
        let harness = Harness::new(record(settings, true, false));
        let turns = vec![(0, Kept::new())];
        Self { harness, kept: Kept::new(), published: 0, next_consumer: 1, turns }
    }

    fn step(&mut self, op: &Op) {
        match op {
            Op::Publish { count, priority, padding } => self.publish(*count, *priority, *padding),
            Op::Consume { prefetch, timeout_ms } => {
                let mut who = consumer(self.next_consumer);
                self.next_consumer += 1;
                (who.prefetch, who.timeout_ms) = (*prefetch, *timeout_ms);
                self.harness.consume(who).expect("nobody is exclusive");
            }
            Op::Cancel => self.harness.cancel(self.next_consumer - 1),
            Op::Get => self.harness.get(false),
            Op::Settle(from, count, how) => self.settle(from, *count, *how),
            Op::Tick(ms) => self.harness.tick(*ms),
            Op::Purge => self.purge(),
            Op::PageOut { bytes, is_urgent } => self.harness.page_out(*bytes, *is_urgent),
            Op::PagedOut => self.harness.paged_out(),
            Op::PageOutFailed => self.harness.page_out_failed(),
            Op::MoveJournalOn => drop(self.harness.queue.move_journal_on(true)),
            Op::RestartClean => {
                self.harness.restart_clean();
                self.turns.clear();
            }
            Op::Crash(at) => {
                let (log, kept) = self.turns[at.index(self.turns.len())].clone();
                self.harness.recover(log, false);
                self.kept = kept;
                self.turns.clear();
            }
        }
        self.check();
        self.note_failures();
        self.turns.push((self.harness.log.len(), self.kept.clone()));
    }

    /// What the queue says of failures now, it must not forget.
    fn note_failures(&mut self) {
        let seqs = self.seqs();
        let quorum = self.harness.queue.quorum.as_ref().expect("a quorum queue");
        for (body, known) in &mut self.kept {
            let failures = quorum.ledger.get(seqs[body]).map_or(0, |note| note.attempts.failures);
            // What may have been out when it crashed has no entry, but counts as failed once.
            assert!(*known <= failures.max(1), "{failures} failures of {known}");
            *known = failures.max(*known);
        }
    }

    fn publish(&mut self, count: usize, priority: Option<u8>, padding: usize) {
        let mut batch = Vec::new();
        for _ in 0..count {
            self.published += 1;
            let body = format!("m{:05}{}", self.published, "x".repeat(padding)).into_bytes();
            self.kept.insert(body.clone(), 0);
            // Transient: a quorum queue keeps it all the same.
            batch.push(Outgoing {
                body,
                priority,
                ttl_ms: None,
                is_persistent: false,
                failures: 0,
            });
        }
        self.harness.publish(&batch);
    }

    /// Settles up to `count` deliveries of one consumer, those included that were taken from it.
    fn settle(&mut self, from: &prop::sample::Index, count: usize, how: Settle) {
        let unacked = &self.harness.unacked;
        if unacked.is_empty() {
            return;
        }
        let id = unacked[from.index(unacked.len())].0;
        let of_id = unacked.iter().enumerate().filter(|(_, (to, ..))| *to == id);
        let at: Vec<usize> = of_id.map(|(at, _)| at).take(count).collect();
        let bodies: Vec<Vec<u8>> = at.iter().map(|&at| unacked[at].1.clone()).collect();
        self.harness.settle(at, how);
        if how == Settle::Ack {
            // What was taken from a consumer in time, it cannot acknowledge any more.
            let is_gone: Vec<_> = bodies.into_iter().filter(|body| !self.is_there(body)).collect();
            self.kept.retain(|body, _| !is_gone.contains(body));
        }
    }

    /// Drops all that nobody has.
    fn purge(&mut self) {
        let unacked = self.harness.queue.counts().unacked;
        self.harness.purge();
        let seqs = self.seqs();
        self.kept.retain(|body, _| seqs.contains_key(body));
        assert_eq!(self.kept.len() as u64, unacked);
    }

    fn is_there(&self, body: &[u8]) -> bool {
        self.seqs().contains_key(body)
    }

    /// All that is ready, waits, or is with somebody.
    fn seqs(&self) -> BTreeMap<Vec<u8>, u64> {
        let mut seqs = BTreeMap::new();
        for (_, level) in self.harness.messages_in_memory().levels() {
            let mut place = level.start();
            while let Some(found) = level.record_from(place) {
                if !found.header.is(DEAD) {
                    seqs.insert(found.message().body.to_vec(), found.header.seq);
                }
                place = after(found.place, &found.header);
            }
        }
        seqs
    }

    fn check(&mut self) {
        self.harness.seen.clear();
        let counts = self.harness.queue.counts();
        let total = counts.ready + counts.unacked + counts.delayed + counts.dead;
        assert_eq!(total, self.kept.len() as u64, "messages that are not consumed");
        let bodies = |kept: &Kept| kept.keys().map(|body| body.len() as u64).sum::<u64>();
        assert_eq!(counts.persistent_bytes, bodies(&self.kept));
        if counts.delayed == 0 {
            // With the two bytes of properties that each has.
            let bytes = counts.ready_bytes + counts.unacked_bytes;
            assert_eq!(bytes, counts.persistent_bytes + 2 * total);
        }
        assert_eq!(self.harness.ready().len() as u64, counts.ready, "the ready ones can be found");
        self.harness.check_pages();
    }

    /// Everything that was not consumed comes out, once, with its failures.
    fn drain(mut self) {
        self.harness.restart_clean();
        self.harness.tick(1000);
        loop {
            self.harness.seen.clear();
            self.harness.get(true);
            let Some(Seen::Got { body, attempts, .. }) = self.harness.seen.first() else { break };
            let failures = attempts.map_or(0, |attempts| attempts.failures);
            let known = self.kept.remove(body).expect("it was not consumed before");
            assert!(known <= failures, "{failures} failures of {known}");
        }
        assert_eq!(self.kept, Kept::new(), "forgotten");
    }
}

proptest! {
    #[test]
    fn a_quorum_queue_forgets_nothing(is_delayed in any::<bool>(), ops in ops()) {
        let mut run = Run::new(is_delayed);
        ops.iter().for_each(|op| run.step(op));
        run.drain();
    }
}
