//! How much of the queues is in memory, and what is to leave it.
//!
//! Every queue that has messages in memory stands in one list, in the order in which they came there:
//! the oldest backlog goes first. One thread of the node, the pager, has pages written:
//! [`Broker::collect_pages`] copies messages with their queue locked, the pager writes and syncs them
//! with nothing locked, and [`Broker::paged_out`] lets go of what is in memory.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use stdx::{Signal, Timestamp};
use topology::{ConnectionId, QueueId};

use super::Broker;
use crate::{MailboxRef, PageDamage, PageOut, PageRef, Pages, Queue, QueueCell, QueueRef};

/// Sparse pages of a queue from which on it has them written again.
const SPARSE_PAGES_MAX: usize = 64;
/// What is copied from sparse pages of a queue at a time, in bytes.
const SPARSE_BYTES: usize = 1024 * 1024;
/// Damaged pages that are remembered until the pager asks for them. More go unreported.
const DAMAGES_KEPT_MAX: usize = 1024;

/// Books of what is in memory. Its locks are leaves in the lock order.
#[derive(Default)]
pub(crate) struct Paging {
    /// Bytes of all queues.
    resident: AtomicU64,
    /// Queues with something in memory, in the order they got it.
    listed: Mutex<Listed>,
    /// Queues with many sparse pages.
    sparse: Mutex<Vec<QueueId>>,
    damaged: Mutex<Vec<DamagedPage>>,
    /// Publishers that wait until less is in memory.
    waiting: Mutex<BTreeMap<ConnectionId, MailboxRef>>,
    signal: Signal,
}

#[derive(Default)]
struct Listed {
    queues: BTreeMap<u64, QueueId>,
    last: u64,
}

/// A page on its way to the disk. See [`Broker::collect_pages`].
pub struct PageJob {
    cell: QueueRef,
    out: PageOut,
    /// The log may not have written all blobs that the page names.
    has_fresh_blobs: bool,
}

impl PageJob {
    /// Where it goes.
    pub fn page(&self) -> PageRef {
        self.out.page()
    }

    /// What is to be written there.
    pub fn bytes(&self) -> &[u8] {
        self.out.bytes()
    }

    /// Large messages that are to be written along with the page: their bytes leave memory, and either
    /// no log writes them or it has not told that it has. It may do so at the same time, which does no harm.
    pub fn blobs(&self) -> &[(PageRef, Bytes)] {
        if self.has_fresh_blobs { self.out.blobs() } else { self.out.made_blobs() }
    }
}

/// A page that could not be read as it was written.
#[derive(Debug)]
pub struct DamagedPage {
    /// Whose messages lay there.
    pub queue: QueueRef,
    /// Where, and what is wrong.
    pub damage: PageDamage,
    /// Messages that are lost with it.
    pub lost: u64,
}

impl Broker {
    /// A broker whose backlogs may lie on `pages`. Otherwise they stay in memory.
    pub fn with_pages(mut self, pages: Arc<dyn Pages>) -> Self {
        self.pages = Some(pages);
        self
    }

    /// Raised when the pager has something to do: [`Broker::wants_paging`] or
    /// [`Broker::take_damaged_pages`].
    pub fn paging_signal(&self) -> &Signal {
        &self.paging.signal
    }

    /// Bytes of messages in memory.
    pub fn resident_bytes(&self) -> u64 {
        self.paging.resident.load(Ordering::Relaxed)
    }

    /// More is in memory than there should be when the pager stops: three quarters of what may be.
    pub fn wants_paging(&self) -> bool {
        self.holds_too_much() || !self.paging.sparse.lock().is_empty()
    }

    fn holds_too_much(&self) -> bool {
        self.config.resident_max / 4 * 3 < self.resident_bytes()
    }

    /// Twice as much is in memory as may be: publishers should wait ([`Broker::wait_for_paging`]).
    pub fn is_paging_behind(&self) -> bool {
        self.pages.is_some() && 2 * self.config.resident_max < self.resident_bytes()
    }

    /// Wakes the connection's `mailbox` once when the pager has caught up, or at once if it has.
    pub fn wait_for_paging(&self, connection: ConnectionId, mailbox: MailboxRef) {
        self.paging.waiting.lock().insert(connection, mailbox);
        self.paging.signal.raise();
        self.wake_waiting();
    }

    fn wake_waiting(&self) {
        if !self.is_paging_behind() {
            let waiting = std::mem::take(&mut *self.paging.waiting.lock());
            waiting.values().for_each(|mailbox| mailbox.wake());
        }
    }

    /// Lets about `bytes` of messages leave memory if there are too many, those of the queues that have
    /// had some there for longest, and has sparse pages written again. What has to be written first is added to `jobs`: write and sync these pages, then
    /// call [`Broker::paged_out`], or [`Broker::page_out_failed`]. Returns how many bytes that frees;
    /// with 0, and no job, there is nothing to do for now.
    pub fn collect_pages(&self, now: Timestamp, bytes: usize, jobs: &mut Vec<PageJob>) -> usize {
        let holds_too_much = self.holds_too_much();
        // Not in the loop's head: the lock would be held all through it.
        let sparse = std::mem::take(&mut *self.paging.sparse.lock());
        for id in sparse {
            self.page_out(now, id, jobs, |queue, fx, out| {
                queue.page_out_sparse(SPARSE_BYTES, fx, out);
                0
            });
        }
        if !holds_too_much {
            return 0;
        }
        let is_urgent = self.is_paging_behind();
        let mut freed = 0;
        let mut queues_left = self.paging.listed.lock().queues.len();
        while freed < bytes && 0 < queues_left {
            queues_left -= 1;
            let Some((_, id)) = self.paging.listed.lock().queues.pop_first() else { break };
            freed += self.page_out(now, id, jobs, |queue, fx, out| {
                queue.page_out(bytes - freed, is_urgent, fx, out)
            });
        }
        freed
    }

    /// As [`Broker::collect_pages`] for one queue, whatever it has in memory: the log wants to drop its
    /// old entries, and this queue holds them.
    pub fn collect_pages_of(
        &self,
        now: Timestamp,
        queue: QueueId,
        jobs: &mut Vec<PageJob>,
    ) -> usize {
        self.page_out(now, queue, jobs, |queue, fx, out| queue.page_out(usize::MAX, true, fx, out))
    }

    /// Has the queue write again what its old journal entries still hold, a part with each call, so
    /// that the log may drop them. Call it after [`Broker::paged_out`], at first with `is_first`, until
    /// it returns false.
    pub fn move_journal_on(&self, now: Timestamp, queue: QueueId, is_first: bool) -> bool {
        let Some(cell) = self.queue(queue) else { return false };
        let mut turn = self.begin(now);
        let mut queue = cell.lock();
        let is_moving = !cell.is_deleted() && queue.move_journal_on(is_first);
        self.conclude(&mut turn, &cell, queue);
        self.finish(turn);
        is_moving
    }

    /// Bytes of journal that [`Broker::move_journal_on`] would write for a queue.
    pub fn journal_bytes(&self, queue: QueueId) -> u64 {
        self.queue(queue).map_or(0, |cell| cell.lock().journal_bytes())
    }

    fn page_out(
        &self,
        now: Timestamp,
        id: QueueId,
        jobs: &mut Vec<PageJob>,
        collect: impl FnOnce(&mut Queue, &mut crate::Effects, &mut Vec<PageOut>) -> usize,
    ) -> usize {
        let Some(cell) = self.queue(id) else { return 0 };
        let mut turn = self.begin(now);
        let mut out = Vec::new();
        let mut queue = cell.lock();
        if cell.is_deleted() {
            drop(queue);
            self.finish(turn);
            return 0;
        }
        self.unlist(&cell);
        let freed = collect(&mut queue, &mut turn.fx, &mut out);
        self.conclude(&mut turn, &cell, queue);
        self.finish(turn);
        let has_fresh_blobs = self.journal.durable() < cell.last_lsn();
        jobs.extend(out.into_iter().map(|out| PageJob {
            cell: cell.clone(),
            out,
            has_fresh_blobs,
        }));
        freed
    }

    /// These pages are written and synced: their messages leave memory.
    pub fn paged_out(&self, now: Timestamp, jobs: Vec<PageJob>) {
        self.end_jobs(now, jobs, Queue::paged_out);
    }

    /// These pages could not be written: their messages stay in memory.
    pub fn page_out_failed(&self, now: Timestamp, jobs: Vec<PageJob>) {
        self.end_jobs(now, jobs, Queue::page_out_failed);
    }

    fn end_jobs(
        &self,
        now: Timestamp,
        jobs: Vec<PageJob>,
        end: impl Fn(&mut Queue, &[PageOut], &mut crate::Effects),
    ) {
        let mut jobs = jobs.into_iter().peekable();
        while let Some(PageJob { cell, out, .. }) = jobs.next() {
            let mut of_queue = vec![out];
            while let Some(job) = jobs.next_if(|job| Arc::ptr_eq(&job.cell, &cell)) {
                of_queue.push(job.out);
            }
            let mut turn = self.begin(now);
            let mut queue = cell.lock();
            if cell.is_crashed() {
                // The journal may name them.
                drop(queue);
            } else if cell.is_deleted() {
                drop(queue);
                let blobs = of_queue.iter().flat_map(|out| out.blobs().iter().map(|it| it.0));
                let pages = of_queue.iter().map(PageOut::page).chain(blobs);
                pages.for_each(|page| self.release_page(page, crate::Lsn(0)));
            } else {
                end(&mut queue, &of_queue, &mut turn.fx);
                self.conclude(&mut turn, &cell, queue);
            }
            self.finish(turn);
        }
        self.wake_waiting();
    }

    /// Pages that were found damaged since the last call.
    pub fn take_damaged_pages(&self) -> Vec<DamagedPage> {
        std::mem::take(&mut *self.paging.damaged.lock())
    }

    pub(super) fn release_page(&self, page: PageRef, after: crate::Lsn) {
        if let Some(pages) = &self.pages {
            pages.release(page, after);
        }
    }

    /// Brings the books up to date with a queue. Called with it locked.
    pub(super) fn note_resident(&self, cell: &QueueCell, queue: &Queue) {
        if self.pages.is_none() {
            return;
        }
        if queue.sparse_pages() >= SPARSE_PAGES_MAX {
            let mut sparse = self.paging.sparse.lock();
            if !sparse.contains(&cell.record.id) {
                sparse.push(cell.record.id);
                self.paging.signal.raise();
            }
        }
        let (now, before) = cell.note_resident(queue.resident() as u64);
        // Also when nothing has changed: what could not be written is to be tried again.
        if now != 0 && cell.page_place() == 0 {
            let mut listed = self.paging.listed.lock();
            listed.last += 1;
            let place = listed.last;
            listed.queues.insert(place, cell.record.id);
            cell.set_page_place(place);
        }
        if now == before {
            return;
        }
        // Wraps around and back when it shrinks.
        let change = now.wrapping_sub(before);
        let all = self.paging.resident.fetch_add(change, Ordering::Relaxed).wrapping_add(change);
        if self.config.resident_max < all {
            self.paging.signal.raise();
        }
    }

    /// Takes a queue out of the list. Called with it locked.
    fn unlist(&self, cell: &QueueCell) {
        let place = cell.page_place();
        if place != 0 {
            self.paging.listed.lock().queues.remove(&place);
            cell.set_page_place(0);
        }
    }

    /// The queue is gone: so is what it had in memory and on pages. Called with it locked.
    pub(super) fn drop_pages(&self, cell: &QueueCell, queue: &Queue) {
        if self.pages.is_none() {
            return;
        }
        self.forget_resident(cell);
        // That it is deleted is durable: no restart looks for them.
        queue.pages().for_each(|page| self.release_page(page, crate::Lsn(0)));
    }

    /// Takes a queue off the books. Called with it locked.
    pub(super) fn forget_resident(&self, cell: &QueueCell) {
        let (_, before) = cell.note_resident(0);
        self.paging.resident.fetch_sub(before, Ordering::Relaxed);
        self.unlist(cell);
    }

    /// Remembers damage for the pager to report.
    pub(super) fn note_damage(&self, queue: &QueueRef, found: &mut Vec<(PageDamage, u64)>) {
        if found.is_empty() {
            return;
        }
        let mut damaged = self.paging.damaged.lock();
        let room = DAMAGES_KEPT_MAX.saturating_sub(damaged.len());
        let queue = || queue.clone();
        let found = found.drain(..).take(room);
        damaged.extend(found.map(|(damage, lost)| DamagedPage { queue: queue(), damage, lost }));
        self.paging.signal.raise();
    }
}
