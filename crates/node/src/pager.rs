//! The pager: carries messages to pages when too many of them are in memory, or when they keep the
//! log from dropping its old files.

use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};

use broker::{Broker, DamagedPage, PageJob};
use stdx::{Signal, Timestamp};
use storage::{Error, GroupId, PageStore};
use topology::QueueId;
use tracing::{error, warn};

use crate::full_disk::{FullDisk, Writer};
use crate::journal::queue_of;
use crate::pages::to_store;

/// Bytes of messages that leave memory in one round. They are copied for it, so this much is there
/// twice.
const ROUND_BYTES: usize = 2 << 20;

/// Bytes of journals that are written again before a stop.
const PACKED_BYTES_MAX: u64 = 16 << 20;

/// Turns that a queue's journal may take to move on. More than any queue needs: one whose garbage makes
/// it begin again after each time waits for the next round.
const MOVES_MAX: usize = 1 << 16;

/// See the module.
pub(crate) struct Pager {
    broker: Arc<Broker>,
    store: Arc<PageStore>,
    full_disk: Arc<FullDisk>,
}

impl Pager {
    pub(crate) fn new(
        broker: Arc<Broker>,
        store: Arc<PageStore>,
        full_disk: Arc<FullDisk>,
    ) -> Self {
        Self { broker, store, full_disk }
    }

    /// One round: false when nothing had to leave memory, or nothing could.
    ///
    /// # Errors
    /// [`Error::Full`] when there is no room; everything stays in memory then, and the disk counts
    /// as full until a later round. Other errors are final.
    pub(crate) fn step(&self, now: Timestamp) -> Result<bool, Error> {
        self.broker.take_damaged_pages().iter().for_each(report);
        let mut jobs = Vec::new();
        let wants_paging = self.broker.wants_paging();
        if wants_paging && self.full_disk.is_full_for(Writer::Log) {
            return Err(Error::Full("what is left is for those who make room".to_owned()));
        }
        let freed =
            if wants_paging { self.broker.collect_pages(now, ROUND_BYTES, &mut jobs) } else { 0 };
        let has_moved = freed > 0 || !jobs.is_empty();
        let written = self.write(now, jobs);
        self.full_disk.note(Writer::Pager, matches!(written, Err(Error::Full(_))));
        written.map(|()| has_moved)
    }

    /// Moves what these groups hold out of the log's old files.
    ///
    /// # Errors
    /// As [`Pager::step`].
    pub(crate) fn free_log(&self, now: Timestamp, groups: &[GroupId]) -> Result<(), Error> {
        if self.full_disk.is_full_for(Writer::Log) {
            return Ok(());
        }
        for &group in groups {
            self.free_log_of(now, queue_of(group))?;
        }
        Ok(())
    }

    fn free_log_of(&self, now: Timestamp, queue: QueueId) -> Result<(), Error> {
        let mut jobs = Vec::new();
        self.broker.collect_pages_of(now, queue, &mut jobs);
        self.write(now, jobs)?;
        self.move_journal_on(now, queue);
        Ok(())
    }

    fn move_journal_on(&self, now: Timestamp, queue: QueueId) {
        for turn in 0..MOVES_MAX {
            if !self.broker.move_journal_on(now, queue, turn == 0) {
                return;
            }
        }
    }

    /// Moves all that these groups have in memory to pages, and their journals to the log's end as
    /// far as they are short, so that the next start finds little to read.
    ///
    /// # Errors
    /// As [`Pager::step`].
    pub(crate) fn pack_log(&self, now: Timestamp, groups: &[GroupId]) -> Result<(), Error> {
        let queues = || groups.iter().map(|&group| queue_of(group));
        let mut jobs = Vec::new();
        let mut bytes = 0;
        for queue in queues() {
            bytes += self.broker.collect_pages_of(now, queue, &mut jobs);
            if ROUND_BYTES <= bytes {
                self.write(now, std::mem::take(&mut jobs))?;
                bytes = 0;
            }
        }
        self.write(now, jobs)?;
        let mut room = PACKED_BYTES_MAX;
        for queue in queues() {
            if let Some(left) = room.checked_sub(self.broker.journal_bytes(queue)) {
                room = left;
                self.move_journal_on(now, queue);
            }
        }
        Ok(())
    }

    /// Writes the pages, and tells the broker what became of them.
    fn write(&self, now: Timestamp, jobs: Vec<PageJob>) -> Result<(), Error> {
        if jobs.is_empty() {
            return Ok(());
        }
        let blobs = jobs.iter().flat_map(PageJob::blobs);
        let blobs = blobs.map(|(blob, bytes)| (to_store(*blob), &bytes[..]));
        let pages = jobs.iter().map(|job| (to_store(job.page()), job.bytes()));
        let mut pages: Vec<_> = pages.chain(blobs).collect();
        pages.sort_unstable_by_key(|(page, _)| page.block);
        pages.dedup_by_key(|(page, _)| page.block);
        let written = self.store.write(&pages).and_then(|()| self.store.sync());
        match written {
            Ok(()) => self.broker.paged_out(now, jobs),
            Err(_) => self.broker.page_out_failed(now, jobs),
        }
        written
    }

    /// The body of the pager's thread. Sleeps while there is nothing to do; `is_stopped` is asked
    /// between rounds, and whenever the broker's signal is raised. `wait_for_room` returns after a
    /// while, true when it is time to end.
    ///
    /// # Errors
    /// Why pages cannot be written any more.
    pub(crate) fn run(
        &self,
        is_stopped: impl Fn() -> bool,
        wait_for_room: impl Fn() -> bool,
    ) -> Result<(), Error> {
        let mut is_full = false;
        while !is_stopped() {
            match self.step(net::now()) {
                Ok(true) => is_full = false,
                Ok(false) => sleep_until(self.broker.paging_signal()),
                Err(Error::Full(reason)) => {
                    if !is_full {
                        warn!(reason, "no room for pages: messages stay in memory");
                    }
                    is_full = true;
                    if wait_for_room() {
                        break;
                    }
                }
                Err(error) => {
                    error!(%error, "pages cannot be written any more");
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

fn report(DamagedPage { queue, damage, lost }: &DamagedPage) {
    let (vhost, name) = (&queue.record.vhost, &queue.record.name);
    if damage.is_lost {
        error!(%vhost, queue = %name, lost, %damage, "messages on a damaged page are lost");
    } else {
        error!(%vhost, queue = %name, %damage, "a page cannot be read: its queue waits for the disk");
    }
}

/// Unparks the thread that waits for a signal.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Lets the thread sleep until the signal is raised, and lowers it.
fn sleep_until(signal: &Signal) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut ctx = Context::from_waker(&waker);
    while !signal.poll_take(&mut ctx) {
        thread::park();
    }
}
