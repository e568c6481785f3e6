//! [`Log`] in memory, with power cuts: for tests and the simulator.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use parking_lot::Mutex;

use crate::{Batch, Error, Flush, GroupId, Log, Op};

#[cfg(test)]
mod tests;

/// A [`Log`] that forgets what was not synced when it is told to [`crash`](MemoryLog::crash).
#[derive(Debug, Default)]
pub struct MemoryLog {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What a reader sees.
    current: BTreeMap<GroupId, Contents>,
    /// What a power cut leaves.
    synced: BTreeMap<GroupId, Contents>,
    /// Batches in `current` and not in `synced`, in order.
    unsynced: Vec<Vec<Op>>,
    syncs: u64,
    writes: u64,
    failure: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct Contents {
    first: u64,
    entries: VecDeque<Vec<u8>>,
    keys: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Contents {
    fn span(&self) -> Option<(u64, u64)> {
        let last = (self.first + self.entries.len() as u64).checked_sub(1)?;
        (!self.entries.is_empty()).then_some((self.first, last))
    }
}

impl MemoryLog {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cuts the power: of the batches that were written and not synced only the first `kept`
    /// survive. Also ends an injected failure, as a restart does.
    pub fn crash(&self, kept: usize) {
        let state = &mut *self.state.lock();
        for batch in state.unsynced.drain(..).take(kept) {
            apply(&mut state.synced, batch);
        }
        state.current = state.synced.clone();
        state.failure = None;
    }

    /// Makes every write from now on fail with `reason`, as a broken device does.
    pub fn fail(&self, reason: &str) {
        self.state.lock().failure = Some(reason.to_owned());
    }

    /// Syncs so far.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.state.lock().syncs
    }

    /// Batches written so far.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.state.lock().writes
    }
}

fn check_order(groups: &BTreeMap<GroupId, Contents>, batch: &Batch) -> Result<(), Error> {
    let mut spans = BTreeMap::new();
    for op in batch.ops() {
        match *op {
            Op::Append { group, index, .. } => {
                let span = spans
                    .entry(group)
                    .or_insert_with(|| groups.get(&group).and_then(Contents::span));
                match *span {
                    Some((first, last)) if index < first || index > last + 1 => {
                        return Err(Error::Gap { group, index, first, last });
                    }
                    Some((first, _)) => *span = Some((first, index)),
                    None => *span = Some((index, index)),
                }
            }
            Op::Compact { group, keep_from } => {
                let span = spans
                    .entry(group)
                    .or_insert_with(|| groups.get(&group).and_then(Contents::span));
                *span = span.and_then(|(first, last)| {
                    (keep_from <= last).then_some((first.max(keep_from), last))
                });
            }
            Op::Remove { group } => {
                spans.insert(group, None);
            }
            Op::Put { .. } => {}
        }
    }
    Ok(())
}

fn apply(groups: &mut BTreeMap<GroupId, Contents>, batch: Vec<Op>) {
    for op in batch {
        match op {
            Op::Append { group, index, payload } => {
                let contents = groups.entry(group).or_default();
                if contents.entries.is_empty() {
                    contents.first = index;
                }
                let kept = usize::try_from(index - contents.first).unwrap_or(usize::MAX);
                contents.entries.truncate(kept);
                let mut bytes = Vec::with_capacity(payload.len());
                payload.copy_to(&mut bytes);
                contents.entries.push_back(bytes);
            }
            Op::Compact { group, keep_from } => {
                let Some(contents) = groups.get_mut(&group) else { continue };
                while contents.first < keep_from && contents.entries.pop_front().is_some() {
                    contents.first += 1;
                }
            }
            Op::Remove { group } => {
                groups.remove(&group);
            }
            Op::Put { group, key, value } => {
                groups.entry(group).or_default().keys.insert(key, value);
            }
        }
    }
}

impl Log for MemoryLog {
    fn write(&self, batch: &mut Batch, flush: Flush) -> Result<(), Error> {
        let state = &mut *self.state.lock();
        if let Some(reason) = &state.failure {
            return Err(Error::Io(reason.clone()));
        }
        check_order(&state.current, batch)?;
        let ops: Vec<Op> = batch.drain().collect();
        state.writes += 1;
        state.unsynced.push(ops.clone());
        apply(&mut state.current, ops);
        if flush == Flush::Sync {
            state.syncs += 1;
            for batch in state.unsynced.drain(..) {
                apply(&mut state.synced, batch);
            }
        }
        Ok(())
    }

    fn fetch(
        &self,
        group: GroupId,
        range: Range<u64>,
        bytes_max: usize,
        visit: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(), Error> {
        let state = self.state.lock();
        let Some(contents) = state.current.get(&group) else { return Ok(()) };
        let mut budget = bytes_max;
        for (index, entry) in (contents.first..).zip(&contents.entries) {
            if !range.contains(&index) {
                continue;
            }
            visit(index, entry);
            budget = budget.saturating_sub(entry.len());
            if budget == 0 {
                break;
            }
        }
        Ok(())
    }

    fn span(&self, group: GroupId) -> Option<(u64, u64)> {
        self.state.lock().current.get(&group)?.span()
    }

    fn get(&self, group: GroupId, key: &[u8]) -> Option<Vec<u8>> {
        self.state.lock().current.get(&group)?.keys.get(key).cloned()
    }

    fn groups(&self) -> Vec<GroupId> {
        self.state.lock().current.keys().copied().collect()
    }

    fn purge(&self) -> Result<Vec<GroupId>, Error> {
        Ok(Vec::new())
    }

    fn pack(&self, _left_max: u64, _moved_max: u64) -> Result<Vec<GroupId>, Error> {
        Ok(Vec::new())
    }
}
