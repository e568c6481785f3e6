//! A queue numbers its own entries; raft numbers those and its own in one row.

use std::collections::VecDeque;

/// Which index in the raft log each entry of the queue has, as runs in which both grow together:
/// one more run for every change of leader.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// Oldest first.
    runs: VecDeque<Run>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    number: u64,
    index: u64,
}

impl Run {
    fn index_of(self, number: u64) -> u64 {
        self.index + (number - self.number)
    }
}

impl Numbers {
    /// Notes the next entry. Both must be greater than the last ones.
    pub(super) fn push(&mut self, number: u64, index: u64) {
        let follows = |run: &Run| number >= run.number && run.index_of(number) == index;
        if !self.runs.back().is_some_and(follows) {
            self.runs.push_back(Run { number, index });
        }
    }

    /// The index of an entry; for the one that comes next, no greater than it will be. `None`
    /// for an entry older than all that are noted.
    pub(super) fn index_of(&self, number: u64) -> Option<u64> {
        let run = self.runs.iter().rev().find(|run| run.number <= number)?;
        Some(run.index_of(number))
    }

    /// Forgets entries below an index, all but the last run.
    pub(super) fn drop_below(&mut self, index: u64) {
        while self.runs.get(1).is_some_and(|second| second.index <= index) {
            self.runs.pop_front();
        }
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.runs = VecDeque::new();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Numbers;

    #[test]
    fn runs_begin_where_raft_has_taken_an_index_for_itself() {
        let mut numbers = Numbers::default();
        for (number, index) in [(1, 2), (2, 3), (3, 5), (4, 6), (5, 9)] {
            numbers.push(number, index);
        }
        assert_eq!(numbers.runs.len(), 3);
        let found: Vec<_> = (0..7).map(|number| numbers.index_of(number)).collect();
        assert_eq!(found, [None, Some(2), Some(3), Some(5), Some(6), Some(9), Some(10)]);
        numbers.drop_below(6);
        assert_eq!((numbers.index_of(2), numbers.index_of(4)), (None, Some(6)));
        numbers.drop_below(100);
        assert_eq!(numbers.index_of(6), Some(10));
        numbers.clear();
        assert_eq!(numbers.index_of(6), None);
        assert!(numbers.is_empty());
    }
}
