//! Some values and how they were.

use crate::level::Level;
use crate::reading::{Range, Reading};
use crate::retention::{Moment, Retention};

/// Values that are counted or measured together. As long as they rest there are no samples.
#[derive(Clone, Debug)]
pub(crate) struct Series<const N: usize> {
    pub(crate) values: [u64; N],
    /// What the levels begin with when there are some.
    rested_at: [u64; N],
    /// For each [`Retention`] of the policy that holds.
    levels: Option<Box<[Level<N>]>>,
}

impl<const N: usize> Default for Series<N> {
    fn default() -> Self {
        Self::resting([0; N])
    }
}

impl<const N: usize> Series<N> {
    /// What was like this before anybody looked.
    pub(crate) fn resting(values: [u64; N]) -> Self {
        Self { values, rested_at: values, levels: None }
    }

    /// Whether all is 0 and there is nothing to remember.
    pub(crate) fn is_blank(&self) -> bool {
        self.levels.is_none() && self.values == [0; N]
    }

    /// Whether it did not change for as long as samples are kept.
    pub(crate) fn has_no_samples(&self) -> bool {
        self.levels.is_none()
    }

    /// Takes the samples that are due.
    pub(crate) fn sample(&mut self, moment: Moment, policy: &[Retention]) {
        if self.levels.is_none() && self.values == self.rested_at {
            return;
        }
        let start = self.rested_at;
        let levels =
            self.levels.get_or_insert_with(|| policy.iter().map(|_| Level::new(start)).collect());
        let mut rests = true;
        for (level, kept) in levels.iter_mut().zip(policy) {
            level.sample(&self.values, moment, *kept);
            rests &= level.is_empty() && *level.values() == self.values;
        }
        if rests {
            self.forget();
        }
    }

    /// Forgets all samples.
    pub(crate) fn forget(&mut self) {
        self.rested_at = self.values;
        self.levels = None;
    }

    /// Growth per second between the last two moments.
    pub(crate) fn rates(&self, moment: Moment, policy: &[Retention]) -> [f64; N] {
        let level = self.levels.as_ref().and_then(|it| it.first()).zip(policy.first());
        let Some((level, kept)) = level else { return [0.0; N] };
        let intervals = kept.tick(moment.now_ms).saturating_sub(kept.tick(moment.previous_ms));
        let seconds = u64::from(intervals.max(1)) * kept.interval_ms() / 1000;
        level.change_at(moment, *kept).map(|change| change as f64 / seconds as f64)
    }

    /// How they are, and over a range: how they were.
    pub(crate) fn read(
        &self,
        moment: Moment,
        policy: &[Retention],
        range: Option<Range>,
    ) -> Reading<N> {
        let course = range.map(|range| (range, self.course(policy, range)));
        Reading { values: self.values, rates: self.rates(moment, policy), course }
    }

    fn course(&self, policy: &[Retention], range: Range) -> Vec<[u64; N]> {
        let times = range.times();
        let is_long_enough = |it: &Retention| u64::from(it.length_s) * 1000 > range.len_ms();
        let index = policy.iter().position(is_long_enough);
        let index = index.unwrap_or(policy.len().saturating_sub(1));
        let level = self.levels.as_ref().and_then(|it| it.get(index));
        match level.zip(policy.get(index)) {
            Some((level, kept)) => level.values_at(&times, *kept),
            None => vec![self.rested_at; times.len()],
        }
    }

    #[cfg(test)]
    pub(crate) fn heap_len(&self) -> usize {
        let levels = self.levels.iter().flatten();
        levels.map(|it| size_of::<Level<N>>() + it.bytes_len()).sum()
    }
}

#[cfg(test)]
mod tests;
