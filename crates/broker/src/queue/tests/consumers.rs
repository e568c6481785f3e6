//! Who is next among many consumers, against a model that looks at all of them.

use std::cmp::Reverse;

use proptest::prelude::*;

use super::harness::consumer;
use crate::queue::consumers::Consumers;
use crate::queue::{ActivityStatus, ConsumerId};

#[derive(Clone, Debug)]
enum Op {
    Add { priority: i64, prefetch: u32 },
    Remove(prop::sample::Index),
    Credit(prop::sample::Index, u32),
    Resume(prop::sample::Index),
    Commit { taken: u32, is_full: bool },
}

fn add() -> impl Strategy<Value = Op> {
    (0..4i64, 0..4u32).prop_map(|(priority, prefetch)| Op::Add { priority, prefetch })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => add(),
        3 => any::<prop::sample::Index>().prop_map(Op::Remove),
        3 => (any::<prop::sample::Index>(), 0..4u32).prop_map(|(who, n)| Op::Credit(who, n)),
        2 => any::<prop::sample::Index>().prop_map(Op::Resume),
        6 => (0..4u32, prop::bool::weighted(0.2))
            .prop_map(|(taken, is_full)| Op::Commit { taken, is_full }),
    ]
}

#[derive(Clone, Debug)]
struct One {
    id: u64,
    priority: i64,
    prefetch: u32,
    unacked: u32,
    is_parked: bool,
}

impl One {
    fn credit(&self) -> u64 {
        match self.prefetch {
            _ if self.is_parked => 0,
            0 => u64::MAX,
            prefetch => u64::from(prefetch.saturating_sub(self.unacked)),
        }
    }
}

#[derive(Default)]
struct Model {
    all: Vec<One>,
    /// Ids of the ready ones, longest waiting first whatever their priority.
    waiting: Vec<u64>,
    active: Option<u64>,
}

impl Model {
    fn one(&mut self, id: u64) -> &mut One {
        self.all.iter_mut().find(|one| one.id == id).expect("a consumer")
    }

    fn wait(&mut self, id: u64) {
        if self.one(id).credit() != 0 && !self.waiting.contains(&id) {
            self.waiting.push(id);
        }
    }

    fn in_turn(&self) -> Vec<&One> {
        let one = |id: &u64| self.all.iter().find(|one| one.id == *id).expect("a consumer");
        let mut ready: Vec<&One> = self.waiting.iter().map(one).collect();
        ready.sort_by_key(|one| Reverse(one.priority));
        ready
    }

    fn next(&self, is_single_active: bool) -> Option<(u64, u64)> {
        if is_single_active {
            let active = self.all.iter().find(|one| Some(one.id) == self.active)?;
            return Some((active.id, active.credit())).filter(|(_, credit)| *credit != 0);
        }
        let ready = self.in_turn();
        let first = ready.first()?;
        let takes_turns = ready.get(1).is_some_and(|second| second.priority == first.priority);
        Some((first.id, if takes_turns { 1 } else { first.credit() }))
    }

    fn commit(&mut self, taken: u32, is_full: bool, is_single_active: bool) {
        let Some((id, _)) = self.next(is_single_active) else { return };
        let one = self.one(id);
        one.unacked += taken;
        one.is_parked |= is_full;
        if !is_single_active {
            self.waiting.retain(|waiting| *waiting != id);
            self.wait(id);
        }
    }

    fn remove(&mut self, id: u64, is_single_active: bool) {
        self.all.retain(|one| one.id != id);
        self.waiting.retain(|waiting| *waiting != id);
        if is_single_active && self.active == Some(id) {
            // `min_by_key` takes the first of equals.
            self.active = self.all.iter().min_by_key(|one| Reverse(one.priority)).map(|it| it.id);
        }
    }
}

struct Run {
    consumers: Consumers,
    model: Model,
    added: u64,
    is_single_active: bool,
}

impl Run {
    fn step(&mut self, op: &Op) {
        let is_single_active = self.is_single_active;
        match *op {
            Op::Add { priority, prefetch } => {
                self.added += 1;
                // Ids need not ascend.
                let id = self.added ^ 0x15;
                let mut who = consumer(id);
                (who.priority, who.prefetch) = (priority, prefetch);
                self.consumers.add(who, is_single_active);
                let (unacked, is_parked) = (0, false);
                self.model.all.push(One { id, priority, prefetch, unacked, is_parked });
                if is_single_active && self.model.active.is_none() {
                    self.model.active = Some(id);
                }
                self.model.wait(id);
            }
            Op::Remove(who) => {
                let Some(id) = self.pick(who) else { return };
                let removed = self.consumers.remove(ConsumerId(id), is_single_active);
                assert_eq!(removed.map(|it| it.id.0), Some(id));
                self.model.remove(id, is_single_active);
                assert!(self.consumers.remove(ConsumerId(id), is_single_active).is_none());
            }
            Op::Credit(who, count) => {
                let Some(id) = self.pick(who) else { return };
                self.consumers.credit(ConsumerId(id), count);
                let one = self.model.one(id);
                one.unacked = one.unacked.saturating_sub(count);
                self.model.wait(id);
            }
            Op::Resume(who) => {
                let Some(id) = self.pick(who) else { return };
                self.consumers.resume(ConsumerId(id));
                self.model.one(id).is_parked = false;
                self.model.wait(id);
            }
            Op::Commit { taken, is_full } => {
                let Some((_, credit)) = self.consumers.next(is_single_active) else { return };
                let taken = u64::from(taken).min(credit) as u32;
                self.consumers.commit(taken, is_full, is_single_active);
                self.model.commit(taken, is_full, is_single_active);
            }
        }
        self.check();
    }

    fn pick(&self, who: prop::sample::Index) -> Option<u64> {
        let all = &self.model.all;
        (!all.is_empty()).then(|| all[who.index(all.len())].id)
    }

    fn check(&self) {
        let next = self.consumers.next(self.is_single_active);
        let next = next.map(|(consumer, credit)| (consumer.id.0, credit));
        assert_eq!(next, self.model.next(self.is_single_active), "who is next");
        assert_eq!(self.consumers.len(), self.model.all.len());
        let views = self.consumers.views(self.is_single_active);
        let views: Vec<_> =
            views.map(|view| (view.consumer.id.0, view.unacked, view.status)).collect();
        let status = |one: &One| match self.model.active == Some(one.id) {
            _ if !self.is_single_active => ActivityStatus::Up,
            true => ActivityStatus::SingleActive,
            false => ActivityStatus::Waiting,
        };
        let expected: Vec<_> =
            self.model.all.iter().map(|one| (one.id, one.unacked, status(one))).collect();
        assert_eq!(views, expected, "in the order they came");
        if !self.is_single_active {
            let credits = self.model.in_turn().into_iter().map(One::credit);
            let total = credits.fold(0, u64::saturating_add);
            assert_eq!(self.consumers.total_credit(false, u64::MAX), total);
            assert_eq!(self.consumers.total_credit(false, 3).min(3), total.min(3));
        }
    }
}

proptest! {
    #[test]
    fn who_is_next_is_who_the_model_says(
        is_single_active: bool,
        first in prop::collection::vec(add(), 0..60),
        ops in prop::collection::vec(op(), 1..150),
    ) {
        let (consumers, model) = (Consumers::default(), Model::default());
        let mut run = Run { consumers, model, added: 0, is_single_active };
        first.iter().chain(&ops).for_each(|op| run.step(op));
        // Back to none, through every size.
        while let Some(one) = run.model.all.first().map(|one| one.id) {
            run.step(&Op::Commit { taken: 1, is_full: false });
            run.consumers.remove(ConsumerId(one), is_single_active);
            run.model.remove(one, is_single_active);
            run.check();
        }
    }
}

#[test]
fn an_exclusive_consumer_is_noticed_after_many_others_left() {
    let mut consumers = Consumers::default();
    for id in 1..=40 {
        consumers.add(consumer(id), false);
    }
    assert!(consumers.check(true, false).is_err());
    for id in 1..=40 {
        consumers.remove(ConsumerId(id), false);
    }
    assert!(consumers.check(true, false).is_ok());
    let mut who = consumer(41);
    who.is_exclusive = true;
    consumers.add(who, false);
    assert!(consumers.check(false, false).is_err());
    consumers.remove(ConsumerId(41), false);
    assert!(consumers.check(false, false).is_ok());
}

#[test]
fn a_queue_that_nobody_consumes_from_stays_small() {
    assert!(size_of::<Consumers>() <= 64, "{}", size_of::<Consumers>());
}
