//! Messages that ended although their page could not be read.
//!
//! To settle a message properly takes its record: only that says whether the journal holds it. What
//! is acknowledged must not come back all the same. So the journal is told level and seq at once, and
//! the rest follows when the page is read, as a settlement like any other. Until then an entry that
//! names the page anew takes the place of what was said of it, and has to say this again.

use std::collections::BTreeMap;

use super::journal::SeqRange;

/// Such messages, of all levels: ranges that do not overlap. Not more than there are unacked messages.
#[derive(Debug, Default)]
pub(super) struct LetGo {
    /// By level and first seq: where the range ends.
    ranges: BTreeMap<(u8, u64), u64>,
}

impl LetGo {
    /// Adds what is there as a whole or not at all. False when it was there.
    pub(super) fn insert(&mut self, level: u8, range: SeqRange) -> bool {
        let before = self.ranges.range_mut((level, 0)..=(level, range.first)).next_back();
        match before {
            Some((_, end)) if range.first < *end => return false,
            Some((_, end)) if range.first == *end => *end = range.end,
            _ => drop(self.ranges.insert((level, range.first), range.end)),
        }
        true
    }

    /// Those among the seqs `within`, in descending order.
    pub(super) fn among(&self, level: u8, within: SeqRange) -> impl Iterator<Item = SeqRange> {
        let SeqRange { first, end } = within;
        let below = self.ranges.range((level, 0)..(level, end)).rev();
        let known = below.map(|(&(_, first), &end)| SeqRange { first, end });
        let known = known.take_while(move |range| first < range.end);
        known.map(move |it| SeqRange { first: it.first.max(first), end: it.end.min(end) })
    }
}
