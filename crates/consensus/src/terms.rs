//! What raft has to remember of a log whose entries lie elsewhere.

use std::collections::VecDeque;

use crate::Error;

#[cfg(test)]
mod tests;

/// Which entries a log holds, and of which terms: a few bytes for each change of leader, nothing
/// per entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Where terms begin, oldest first. The first run begins with the first entry kept.
    runs: VecDeque<Run>,
    last: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: u64,
    term: u64,
}

impl Terms {
    /// Notes the next entry. Indexes may be missing: what was there is lost, and nobody will ask.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it does not follow what was noted before; nothing is noted then.
    pub fn push(&mut self, index: u64, term: u64) -> Result<(), Error> {
        let (last, last_term) = (self.last, self.last_term());
        if index <= last || term < last_term || term == 0 {
            return Err(Error::Damaged(format!(
                "entry {index} of term {term} follows entry {last} of term {last_term}"
            )));
        }
        if term > last_term {
            self.runs.push_back(Run { first: index, term });
        }
        self.last = index;
        Ok(())
    }

    /// Notes an entry that cannot be read: its place is taken all the same.
    pub fn push_unreadable(&mut self, index: u64) {
        if self.runs.is_empty() {
            self.runs.push_back(Run { first: index, term: 1 });
        }
        self.last = self.last.max(index);
    }

    /// Index of the last entry; 0 when there never was one.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Term of the last entry; 0 when there never was one.
    #[must_use]
    pub fn last_term(&self) -> u64 {
        self.runs.back().map_or(0, |run| run.term)
    }

    /// Index of the first entry kept, one more than the last when there is none.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.runs.front().map_or(self.last + 1, |run| run.first)
    }

    /// Forgets the entries below `keep_from`, but never the last.
    pub fn compact(&mut self, keep_from: u64) {
        let keep_from = keep_from.min(self.last);
        while self.runs.get(1).is_some_and(|second| second.first <= keep_from) {
            self.runs.pop_front();
        }
        if let Some(first) = self.runs.front_mut() {
            first.first = first.first.max(keep_from);
        }
    }

    /// The term of an entry, `None` when it is not here. Index 0 is before all, of term 0.
    pub(crate) fn term(&self, index: u64) -> Option<u64> {
        if index == 0 && self.first() == 1 {
            return Some(0);
        }
        if index > self.last {
            return None;
        }
        let run = self.runs.iter().rev().find(|run| run.first <= index)?;
        Some(run.term)
    }

    /// The first entry whose predecessor's term is known: what raft calls the first.
    pub(crate) fn first_known(&self) -> u64 {
        match self.first() {
            1 => 1,
            first => first + 1,
        }
    }
}
