//! What finds a consumer among many.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{At, Consumer, ConsumerId};

/// Finds what is asked of many consumers in logarithmic time.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    by_id: BTreeMap<ConsumerId, At>,
    /// All of them, best choice for the single active consumer first.
    by_rank: BTreeSet<(Reverse<i64>, At)>,
    /// The last one in the ring of each priority that has any there.
    last: BTreeMap<Reverse<i64>, At>,
}

/// Smaller for who would rather be the single active consumer.
pub(super) fn rank(at: At, consumer: &Consumer) -> (Reverse<i64>, At) {
    (Reverse(consumer.priority), at)
}

impl Lookup {
    pub(super) fn add(&mut self, at: At, consumer: &Consumer) {
        self.by_id.insert(consumer.id, at);
        self.by_rank.insert(rank(at, consumer));
    }

    pub(super) fn remove(&mut self, at: At, consumer: &Consumer) {
        self.by_id.remove(&consumer.id);
        self.by_rank.remove(&rank(at, consumer));
    }

    pub(super) fn find(&self, id: ConsumerId) -> Option<At> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn first_choice(&self) -> Option<At> {
        self.by_rank.first().map(|(_, at)| *at)
    }

    /// The last one in the ring whose priority is `priority` or higher.
    pub(super) fn last_from(&self, priority: i64) -> Option<At> {
        self.last.range(..=Reverse(priority)).next_back().map(|(_, at)| *at)
    }

    /// Notes who is last in the ring among those of `priority`, if any is in there.
    pub(super) fn set_last(&mut self, priority: i64, last: Option<At>) {
        match last {
            Some(at) => self.last.insert(Reverse(priority), at),
            None => self.last.remove(&Reverse(priority)),
        };
    }
}
