//! Runs of free blocks: where they are, and the lowest one that is long enough.

use std::collections::{BTreeMap, BTreeSet};

/// Extents of the same class that are tried before those of larger classes, where every one fits.
const PROBES_MAX: usize = 8;
/// Powers of two that a length can lie between.
const CLASSES: usize = u32::BITS as usize;

/// Blocks in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Extent {
    /// The first block.
    pub(super) start: u32,
    /// Number of blocks, at least one.
    pub(super) len: u32,
}

impl Extent {
    /// The block behind the last.
    pub(super) fn end(self) -> u32 {
        self.start + self.len
    }
}

/// A set of blocks as the fewest extents; every operation is logarithmic in their number.
#[derive(Debug)]
pub(super) struct Extents {
    /// Lengths by start.
    lens: BTreeMap<u32, u32>,
    /// Starts by class: the power of two at or below the length.
    starts: [BTreeSet<u32>; CLASSES],
    blocks: u64,
}

impl Default for Extents {
    fn default() -> Self {
        Self { lens: BTreeMap::new(), starts: std::array::from_fn(|_| BTreeSet::new()), blocks: 0 }
    }
}

impl Extents {
    /// Blocks in the set.
    pub(super) fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Adds blocks that are not in the set, and joins them with their neighbours.
    ///
    /// # Panics
    /// When one of them is there already: somebody gave the same room back twice.
    pub(super) fn insert(&mut self, extent: Extent) {
        let Extent { mut start, mut len } = extent;
        let before =
            self.lens.range(..=start).next_back().map(|(&start, &len)| Extent { start, len });
        let after = self.lens.range(start..).next().map(|(&start, &len)| Extent { start, len });
        assert!(before.is_none_or(|before| before.end() <= start), "freed twice: {extent:?}");
        assert!(after.is_none_or(|after| extent.end() <= after.start), "freed twice: {extent:?}");
        if let Some(before) = before.filter(|before| before.end() == start) {
            self.detach(before);
            start = before.start;
            len += before.len;
        }
        if let Some(after) = after.filter(|after| after.start == extent.end()) {
            self.detach(after);
            len += after.len;
        }
        self.attach(Extent { start, len });
    }

    /// Takes `len` blocks in a row out, at a low address; `None` when no extent is known to be that
    /// long.
    pub(super) fn take(&mut self, len: u32) -> Option<u32> {
        let class = class_of(len);
        let own = self.starts[class].iter().take(PROBES_MAX).find(|start| self.lens[start] >= len);
        let larger = self.starts[class + 1..].iter().filter_map(BTreeSet::first);
        let start = own.into_iter().chain(larger).min().copied()?;
        let found = Extent { start, len: self.lens[&start] };
        self.detach(found);
        if found.len > len {
            self.attach(Extent { start: start + len, len: found.len - len });
        }
        Some(start)
    }

    /// Takes the last blocks out, at most `len` of them and in a row.
    pub(super) fn take_last(&mut self, len: u32) -> Option<Extent> {
        let (&start, &found) = self.lens.last_key_value()?;
        self.detach(Extent { start, len: found });
        let taken = found.min(len);
        if found > taken {
            self.attach(Extent { start, len: found - taken });
        }
        Some(Extent { start: start + found - taken, len: taken })
    }

    /// Takes the extent out that ends at `end`, if there is one.
    pub(super) fn take_ending_at(&mut self, end: u32) -> Option<Extent> {
        let (&start, &len) = self.lens.last_key_value()?;
        let last = Extent { start, len };
        (last.end() == end).then(|| {
            self.detach(last);
            last
        })
    }

    fn attach(&mut self, extent: Extent) {
        self.lens.insert(extent.start, extent.len);
        self.starts[class_of(extent.len)].insert(extent.start);
        self.blocks += u64::from(extent.len);
    }

    fn detach(&mut self, extent: Extent) {
        self.lens.remove(&extent.start);
        self.starts[class_of(extent.len)].remove(&extent.start);
        self.blocks -= u64::from(extent.len);
    }
}

/// The power of two at or below `len`, which is not zero.
fn class_of(len: u32) -> usize {
    len.ilog2() as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One flag per block.
    struct Naive(Vec<bool>);

    impl Naive {
        fn runs(&self) -> Vec<Extent> {
            let mut runs: Vec<Extent> = Vec::new();
            for (block, _) in self.0.iter().enumerate().filter(|(_, is_free)| **is_free) {
                let block = block as u32;
                match runs.last_mut() {
                    Some(run) if run.end() == block => run.len += 1,
                    _ => runs.push(Extent { start: block, len: 1 }),
                }
            }
            runs
        }

        fn set(&mut self, extent: Extent, is_free: bool) {
            for block in extent.start..extent.end() {
                assert_ne!(self.0[block as usize], is_free, "block {block} of {extent:?}");
                self.0[block as usize] = is_free;
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Take(u32),
        TakeLast(u32),
        TakeEnd,
        Insert { at: u32, len: u32 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (1..40_u32).prop_map(Step::Take),
            1 => (1..40_u32).prop_map(Step::TakeLast),
            1 => Just(Step::TakeEnd),
            6 => (0..500_u32, 1..40_u32).prop_map(|(at, len)| Step::Insert { at, len }),
        ]
    }

    const BLOCKS: u32 = 500;

    fn apply(step: &Step, extents: &mut Extents, naive: &mut Naive) {
        let runs = naive.runs();
        match *step {
            Step::Take(len) => match extents.take(len) {
                Some(start) => naive.set(Extent { start, len }, false),
                None => {
                    let is_sure = |run: &&Extent| class_of(run.len) > class_of(len);
                    assert_eq!(runs.iter().find(is_sure), None, "{len} blocks fit");
                }
            },
            Step::TakeLast(len) => match extents.take_last(len) {
                Some(taken) => {
                    assert!(taken.len <= len);
                    assert_eq!(runs.last().map(|run| run.end()), Some(taken.end()));
                    naive.set(taken, false);
                }
                None => assert_eq!(runs, []),
            },
            Step::TakeEnd => match extents.take_ending_at(BLOCKS) {
                Some(taken) => naive.set(taken, false),
                None => assert!(runs.last().is_none_or(|run| run.end() < BLOCKS)),
            },
            Step::Insert { at, len } => {
                let extent = Extent { start: at, len: len.min(BLOCKS - at) };
                let is_apart = runs.iter().all(|run| run.end() <= at || extent.end() <= run.start);
                if is_apart {
                    extents.insert(extent);
                    naive.set(extent, true);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_one_flag_per_block(steps in prop::collection::vec(step(), 1..200)) {
            let mut extents = Extents::default();
            let mut naive = Naive(vec![false; BLOCKS as usize]);
            for step in &steps {
                apply(step, &mut extents, &mut naive);
                let runs: Vec<_> =
                    extents.lens.iter().map(|(&start, &len)| Extent { start, len }).collect();
                prop_assert_eq!(&runs, &naive.runs());
                prop_assert_eq!(extents.blocks(), runs.iter().map(|run| u64::from(run.len)).sum());
                let classed: usize = extents.starts.iter().map(BTreeSet::len).sum();
                prop_assert_eq!(classed, runs.len());
            }
        }
    }

    #[test]
    fn the_lowest_of_the_longer_ones_is_taken_first() {
        let mut extents = Extents::default();
        for (start, len) in [(100, 64), (10, 16), (40, 17)] {
            extents.insert(Extent { start, len });
        }
        assert_eq!(extents.take(17), Some(40));
        assert_eq!(extents.take(16), Some(10));
        assert_eq!(extents.take(16), Some(100));
        assert_eq!(extents.take(49), None, "48 are left");
    }

    #[test]
    #[should_panic(expected = "freed twice")]
    fn room_is_given_back_once() {
        let mut extents = Extents::default();
        extents.insert(Extent { start: 8, len: 8 });
        extents.insert(Extent { start: 4, len: 5 });
    }
}
