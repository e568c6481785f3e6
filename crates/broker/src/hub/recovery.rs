//! The queues' way from their journals at a start, and back at a stop.

use std::collections::BTreeSet;

use stdx::Timestamp;
use topology::{QueueId, QueueKind};

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

/// A queue whose entries are handed out.
struct Recovering {
    id: QueueId,
    /// `None` when there is no such queue.
    found: Option<(QueueRef, Recovery)>,
}

impl Recovering {
    fn is_quorum(&self) -> bool {
        self.found.as_ref().is_some_and(|(cell, _)| cell.record.kind == QueueKind::Quorum)
    }
}

impl Broker {
    /// Fills the queues from their journals. `replay` hands out all entries, one queue after the
    /// other, those of a queue in their order.
    ///
    /// A classic queue is filled as soon as the next one begins, so that what it took to do so is there
    /// for the next one. Quorum queues wait for the end: their logs have to be known whole before
    /// they take more.
    pub fn recover_queues<E>(
        &self,
        now: Timestamp,
        is_clean: bool,
        replay: impl FnOnce(&mut dyn FnMut(QueueId, u64, &[u8])) -> Result<(), E>,
    ) -> Result<Recovered, E> {
        let mut recovered = Recovered::default();
        let mut current: Option<Recovering> = None;
        let mut waiting = Vec::new();
        replay(&mut |id, index, entry| {
            if current.as_ref().is_none_or(|it| it.id != id) {
                match current.take() {
                    Some(it) if it.is_quorum() => waiting.push(it),
                    Some(it) => self.fill(it, now, is_clean, &mut recovered),
                    None => {}
                }
                current = Some(Recovering { id, found: self.begin_recovery(id, now) });
            }
            let Some((cell, recovery)) = current.as_mut().and_then(|it| it.found.as_mut()) else {
                recovered.orphans.insert(id);
                return;
            };
            if let Err(damage) = recovery.entry(index, entry) {
                recovered.damaged.push((cell.clone(), index, damage));
            }
        })?;
        for it in waiting.into_iter().chain(current) {
            self.fill(it, now, is_clean, &mut recovered);
        }
        Ok(recovered)
    }

    fn begin_recovery(&self, id: QueueId, now: Timestamp) -> Option<(QueueRef, Recovery)> {
        let cell = self.queue(id)?;
        let settings = self.settings_of(&self.topology(), &cell.record);
        let recovery = Queue::recover(cell.record.clone(), settings, now);
        Some((cell, recovery))
    }

    fn fill(&self, it: Recovering, now: Timestamp, is_clean: bool, recovered: &mut Recovered) {
        let Some((cell, recovery)) = it.found else { return };
        let mut turn = self.begin(now);
        let mut queue = cell.lock();
        *queue = recovery.finish(is_clean, &mut turn.fx);
        recovered.queues += 1;
        recovered.messages += queue.backlog().0;
        recovered.pages.extend(queue.pages());
        self.conclude(&mut turn, &cell, queue);
        self.finish(turn);
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
