//! The queues' way from their journals at a start, and back at a stop.

use std::collections::BTreeSet;
use std::collections::hash_map::Entry;

use ahash::AHashMap;
use stdx::Timestamp;
use topology::QueueId;

use super::Broker;
use crate::{Damaged, Lsn, PageRef, Queue, QueueRef, Recovery};

/// What recovery found.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Queues with a journal.
    pub queues: usize,
    /// Messages in them.
    pub messages: u64,
    /// Journals of queues that do not exist any more.
    pub orphans: BTreeSet<QueueId>,
    /// Pages that their messages lie on: all that are in use.
    pub pages: Vec<PageRef>,
    /// Entries that cannot be read, and were skipped.
    pub damaged: Vec<(QueueRef, u64, Damaged)>,
}

impl Broker {
    /// Fills the queues from their journals. `replay` hands out all entries, those of one queue in
    /// their order, those of different queues mixed as they may be.
    pub fn recover_queues<E>(
        &self,
        now: Timestamp,
        is_clean: bool,
        replay: impl FnOnce(&mut dyn FnMut(QueueId, u64, &[u8])) -> Result<(), E>,
    ) -> Result<Recovered, E> {
        let mut recoveries: AHashMap<QueueId, (QueueRef, Recovery)> = AHashMap::new();
        let mut recovered = Recovered::default();
        replay(&mut |id, index, entry| {
            let recovery = match recoveries.entry(id) {
                Entry::Occupied(slot) => slot.into_mut(),
                Entry::Vacant(slot) => match self.queue(id) {
                    Some(cell) => {
                        let settings = self.settings_of(&self.topology(), &cell.record);
                        let recovery = Queue::recover(cell.record.clone(), settings, now);
                        slot.insert((cell, recovery))
                    }
                    None => {
                        recovered.orphans.insert(id);
                        return;
                    }
                },
            };
            if let Err(damage) = recovery.1.entry(index, entry) {
                recovered.damaged.push((recovery.0.clone(), index, damage));
            }
        })?;
        let mut recoveries: Vec<(QueueRef, Recovery)> = recoveries.into_values().collect();
        recoveries.sort_unstable_by_key(|(cell, _)| cell.record.id);
        for (cell, recovery) in recoveries {
            let mut turn = self.begin(now);
            let mut queue = cell.lock();
            *queue = recovery.finish(is_clean, &mut turn.fx);
            recovered.queues += 1;
            recovered.messages += queue.backlog().0;
            recovered.pages.extend(queue.pages());
            self.conclude(&mut turn, &cell, queue);
            self.finish(turn);
        }
        Ok(recovered)
    }

    /// The pages that messages of a queue lie on.
    pub fn pages_of(&self, queue: &QueueRef) -> Vec<PageRef> {
        queue.lock().pages().collect()
    }

    /// Journals where each queue's consumers got to, so that redelivered flags are exact after a
    /// clean stop.
    pub fn seal(&self, now: Timestamp) -> Lsn {
        let mut last = Lsn(0);
        for cell in self.queues() {
            let mut turn = self.begin(now);
            let mut queue = cell.lock();
            queue.seal(&mut turn.fx);
            last = last.max(self.carry_out(&mut turn, &cell, queue));
            self.finish(turn);
        }
        last
    }
}
