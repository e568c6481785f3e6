//! The node's write-ahead log: many producers append under their own locks, one writer thread
//! carries everything that arrived during one sync to the log with the next.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

use crate::{Batch, Error, Flush, GroupId, Log, PageRef, PageStore, Reserve};
use groups::Groups;
use segment::Segment;
use writer::Writer;

mod chunk;
mod groups;
mod replay;
mod segment;
#[cfg(test)]
mod tests;
mod writer;

pub use replay::Lost;
pub use writer::Step;

/// Empty segments kept for the next appends (256 KiB each).
const SPARE_SEGMENTS_MAX: usize = 16;
/// Idle time after which the spare segments are given back to the allocator.
const IDLE_BEFORE_TRIM: Duration = Duration::from_secs(2);
/// Time between two attempts to write while the disk has no room.
const FULL_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Position of an append or a removal in the order of all of them since this node started; grows by
/// one per call. Zero is before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lsn(pub u64);

/// What [`Wal::durable`] promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Synced to stable storage: survives a power cut.
    #[default]
    Fsync,
    /// Handed to the operating system: survives the end of the process only. RabbitMQ's classic
    /// queues promise this much.
    Os,
}

impl Durability {
    /// How the last batch of a round is written.
    fn flush(self) -> Flush {
        match self {
            Self::Fsync => Flush::Sync,
            Self::Os => Flush::Write,
        }
    }
}

/// How a [`Wal`] is opened.
#[derive(Default)]
pub struct WalOptions {
    /// What a durable position promises.
    pub durability: Durability,
    /// Where attachments go. Hears which positions are durable.
    pub pages: Option<Arc<PageStore>>,
    /// What the log sets aside for a full disk. Pages may have it, too.
    pub reserve: Option<Arc<Reserve>>,
    /// Called with true when the disk is full: the reserve is used up or in use. Less should be
    /// appended then, best nothing but what makes room. Called with false when the reserve is there
    /// again. By whoever finds out, in this order: be quick.
    pub on_full: Option<Box<dyn Fn(bool) + Send + Sync>>,
}

impl From<Durability> for WalOptions {
    fn from(durability: Durability) -> Self {
        Self { durability, ..Self::default() }
    }
}

/// Someone who waits for an append to become durable.
///
/// Called on the writer thread, without any lock of the log held: be quick, and only hand over.
pub trait Waiter: Send + Sync {
    /// Everything up to `durable` is safe; that includes the position that was waited for.
    fn handle_durable(&self, durable: Lsn);

    /// The log failed: the position that was waited for will never be durable.
    fn handle_failure(&self, error: &Error);
}

/// The shared write-ahead log in front of a [`Log`].
///
/// Groups are the caller's numbers below [`GroupId::MAX`], from 1. Each holds records with
/// contiguous indexes that the caller chooses. Append, compaction and removal take effect in the
/// order of their calls, and what a crash leaves is a prefix of that order, across groups: who
/// moves a record from one group to another need not wait in between. Nothing in this type blocks
/// on the device except [`Wal::run`], [`Wal::step`], [`Wal::replay`] and [`Wal::purge`].
///
/// A disk without room is no failure: what was appended waits in memory, and [`Wal::pending_bytes`]
/// grows, until there is some.
pub struct Wal {
    log: Arc<dyn Log>,
    options: WalOptions,
    /// Held while writing; taken before all others.
    writer: Mutex<Writer>,
    front: Mutex<Front>,
    /// Wakes the writer.
    work: Condvar,
    durable: AtomicU64,
    pending: AtomicU64,
    failure: OnceLock<Error>,
    room: Mutex<Room>,
    /// Behind a lock for the sake of replays while the writer runs; always taken before `front`.
    groups: Mutex<Groups>,
}

/// Whether there is room on the disk. The lock is a leaf.
#[derive(Default)]
struct Room {
    /// The writer has found none, not even the reserve.
    is_stuck: bool,
    /// What was told last.
    is_full: bool,
}

/// What producers write into. The lock is a leaf: held for a copy, never while anything else is
/// taken.
#[derive(Default)]
struct Front {
    current: Segment,
    /// Filled segments in order, all before `current`.
    full: Vec<Segment>,
    spare: Vec<Segment>,
    last: u64,
    /// What the records name, to be written before them.
    attachments: Vec<(PageRef, Bytes)>,
    waiters: Vec<(Lsn, Arc<dyn Waiter>)>,
    writer_parked: bool,
    /// Parked without end: removals do not get company by themselves.
    writer_asleep: bool,
    closed: bool,
}

impl Wal {
    /// A write-ahead log over `log`. Groups found there are kept; replay them with
    /// [`Wal::replay`] or [`Wal::replay_all`] before appending to them.
    ///
    /// What a process that was killed left in the operating system's hands is synced: whoever reads
    /// it builds on it.
    ///
    /// # Errors
    /// When the log cannot be synced.
    pub fn open(log: Arc<dyn Log>, options: impl Into<WalOptions>) -> Result<Self, Error> {
        let options = options.into();
        log.write(&mut Batch::default(), options.durability.flush())?;
        let wal = Self {
            log,
            options,
            writer: Mutex::default(),
            front: Mutex::default(),
            work: Condvar::new(),
            durable: AtomicU64::new(0),
            pending: AtomicU64::new(0),
            failure: OnceLock::new(),
            room: Mutex::default(),
            groups: Mutex::default(),
        };
        wal.note_room(|_| {});
        Ok(wal)
    }

    /// Appends a record: copies `record` into the current buffer and returns its position.
    /// `index` must be one more than the group's last (any index for a new group).
    ///
    /// # Panics
    /// Never on behalf of the device: when the log has failed the record is dropped and its
    /// position never becomes durable. A record of 4 GiB or more is refused by an assertion.
    pub fn append(&self, group: GroupId, index: u64, record: &[u8]) -> Lsn {
        self.append_with(group, index, record, [])
    }

    /// Appends a record that names pages of [`WalOptions::pages`], as [`Wal::append`] does. The
    /// pages are durable before the record is; they can be read from the store once it is.
    ///
    /// # Panics
    /// As [`Wal::append`]. The writer does when the log was opened without a store.
    pub fn append_with(
        &self,
        group: GroupId,
        index: u64,
        record: &[u8],
        attachments: impl IntoIterator<Item = (PageRef, Bytes)>,
    ) -> Lsn {
        let mut front = self.front.lock();
        front.last += 1;
        let lsn = Lsn(front.last);
        for (page, bytes) in attachments {
            self.pending.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            front.attachments.push((page, bytes));
        }
        if !front.current.has_room(record.len()) {
            front.rotate();
        }
        front.current.append(group, index, record, lsn);
        self.pending.fetch_add(record.len() as u64, Ordering::Relaxed);
        self.wake(front);
        lsn
    }

    /// Lets the group forget its records below `keep_from`. Takes effect with the next append that
    /// becomes durable; until then a restart may replay them again.
    pub fn compact(&self, group: GroupId, keep_from: u64) {
        let mut front = self.front.lock();
        front.current.compact(group, keep_from);
        if front.current.is_due() {
            self.wake(front);
        }
    }

    /// Drops the group; its number may be used again from any index. Takes effect when the position
    /// it returns is durable: after a restart, drop what nobody knows. Written along with the next
    /// append, or after a few seconds.
    pub fn remove(&self, group: GroupId) -> Lsn {
        let mut front = self.front.lock();
        front.last += 1;
        let lsn = Lsn(front.last);
        front.current.remove(group, lsn);
        if front.writer_asleep || front.current.is_due() {
            self.wake(front);
        }
        lsn
    }

    /// The position up to which everything is durable.
    #[must_use]
    pub fn durable(&self) -> Lsn {
        Lsn(self.durable.load(Ordering::Acquire))
    }

    /// The position of the last append or removal.
    #[must_use]
    pub fn last(&self) -> Lsn {
        Lsn(self.front.lock().last)
    }

    /// Bytes of records and attachments appended and not yet durable: the measure for pausing producers, since
    /// nothing here refuses or waits. Stays up once the log has failed.
    #[must_use]
    pub fn pending_bytes(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// Why the log failed, once it did. Final.
    #[must_use]
    pub fn failure(&self) -> Option<&Error> {
        self.failure.get()
    }

    /// Calls `waiter` once, on the writer thread, as soon as `lsn` is durable (also if it already
    /// is) or the log has failed. Never called after [`Wal::run`] has returned.
    pub fn notify_when(&self, lsn: Lsn, waiter: Arc<dyn Waiter>) {
        let mut front = self.front.lock();
        front.waiters.push((lsn, waiter));
        self.wake(front);
    }

    /// The body of the writer thread: writes what was appended until the log is closed and
    /// everything is written. Parks without polling while there is nothing to do, and tries again
    /// ten times a second while the disk is full.
    ///
    /// # Errors
    /// Why the log failed. It keeps telling waiters so until it is closed. [`Error::Full`] when it
    /// was closed while the disk had no room.
    pub fn run(&self) -> Result<(), Error> {
        let mut writer = self.writer.lock();
        loop {
            match writer.step(self) {
                Step::Wrote => {}
                Step::Idle => self.park(&mut writer),
                Step::Full => self.wait_for_room(),
                Step::Closed => break,
            }
        }
        self.failure.get().cloned().map_or(Ok(()), Err)
    }

    /// One round of [`Wal::run`], for whoever has no thread to spare.
    pub fn step(&self) -> Step {
        self.writer.lock().step(self)
    }

    /// Waits for work. What was held back for company is work after a while without any.
    fn park(&self, writer: &mut Writer) {
        let mut front = self.front.lock();
        while !front.has_work() {
            front.writer_parked = true;
            if front.writer_asleep {
                self.work.wait(&mut front);
                // Whoever woke it for the sake of a removal wants it written in a while.
                front.writer_asleep = front.current.is_empty();
            } else if self.work.wait_for(&mut front, IDLE_BEFORE_TRIM).timed_out() {
                front.spare = Vec::new();
                front.current.settle();
                writer.trim();
                front.writer_asleep = true;
            }
        }
        front.writer_parked = false;
        front.writer_asleep = false;
    }

    fn wait_for_room(&self) {
        let mut front = self.front.lock();
        if !front.closed {
            // Nobody wakes a writer that is not parked: it tries again in its own time.
            let _ = self.work.wait_for(&mut front, FULL_RETRY_INTERVAL);
        }
    }

    /// Lets [`Wal::run`] return after it has written everything appended before this call. What
    /// then finds no room on the disk is lost; nobody was told that it was durable.
    pub fn close(&self) {
        let mut front = self.front.lock();
        front.closed = true;
        self.wake(front);
    }

    /// The groups that hold records.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupId> {
        let mut groups = wal_groups(self.log.groups());
        groups.sort_unstable();
        groups
    }

    /// Hands out the durable records of a group in order, in bounded memory. Meant for the start,
    /// before the group takes appends. Returns the records that cannot be read, and were skipped.
    ///
    /// # Errors
    /// When the log cannot be read at all.
    pub fn replay(
        &self,
        group: GroupId,
        visit: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<Vec<Lost>, Error> {
        let Some(found) = replay::replay(&*self.log, group, visit)? else { return Ok(Vec::new()) };
        self.groups.lock().insert(group, found.known);
        Ok(found.lost)
    }

    /// Hands out the durable records of all groups, one after the other.
    ///
    /// # Errors
    /// As [`Wal::replay`].
    pub fn replay_all(
        &self,
        visit: &mut dyn FnMut(GroupId, u64, &[u8]),
    ) -> Result<Vec<Lost>, Error> {
        let mut lost = Vec::new();
        for group in self.groups() {
            lost.extend(self.replay(group, &mut |index, record| visit(group, index, record))?);
        }
        Ok(lost)
    }

    /// Frees files, see [`Log::purge`]; costs next to nothing while there is little to free, so call
    /// it about once a second from a thread that may wait. Returns the groups that hold back most: page their records
    /// out and compact them. While the disk is full it looks for room: call it more often.
    ///
    /// # Errors
    /// As [`Log::purge`].
    pub fn purge(&self) -> Result<Vec<GroupId>, Error> {
        if self.is_full() {
            self.trim_pages();
        }
        let groups = self.log.purge();
        self.take_reserve();
        Ok(wal_groups(groups?))
    }

    /// Leaves little to read for the next start, see [`Log::pack`]. Returns the groups that need
    /// more than `bytes_max` together.
    ///
    /// # Errors
    /// As [`Log::pack`].
    pub fn pack(&self, left_max: u64, moved_max: u64) -> Result<Vec<GroupId>, Error> {
        Ok(wal_groups(self.log.pack(left_max, moved_max)?))
    }

    /// Whether the disk is full, see [`WalOptions::on_full`].
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.room.lock().is_full
    }

    /// Sets room aside again, unless the writer waits for it.
    fn take_reserve(&self) {
        let is_stuck = self.room.lock().is_stuck;
        if let Some(reserve) = self.options.reserve.as_ref().filter(|_| !is_stuck) {
            reserve.take();
        }
        self.note_room(|_| {});
    }

    /// Tells whether the disk is full, when that has changed.
    fn note_room(&self, change: impl FnOnce(&mut Room)) {
        let mut room = self.room.lock();
        change(&mut room);
        let has_reserve = self.options.reserve.as_ref().is_none_or(|reserve| reserve.is_there());
        let is_full = room.is_stuck || !has_reserve;
        if std::mem::replace(&mut room.is_full, is_full) != is_full
            && let Some(on_full) = &self.options.on_full
        {
            on_full(is_full);
        }
    }

    /// Pages that nobody needs give their room back.
    fn trim_pages(&self) {
        if let Some(pages) = &self.options.pages
            && let Err(error) = pages.trim(0)
        {
            tracing::warn!(%error, "cannot give the room of free pages back");
        }
    }

    /// Wakes the writer if it is parked, after the lock is released.
    fn wake(&self, mut front: parking_lot::MutexGuard<'_, Front>) {
        if front.writer_parked {
            front.writer_parked = false;
            drop(front);
            self.work.notify_one();
        }
    }
}

/// The caller's groups among those of the log, by the caller's numbers.
fn wal_groups(groups: Vec<GroupId>) -> Vec<GroupId> {
    groups.into_iter().filter_map(GroupId::to_wal).collect()
}

impl Front {
    /// Puts the current segment behind the full ones and begins another.
    fn rotate(&mut self) {
        let next = self.spare.pop().unwrap_or_default();
        let filled = std::mem::replace(&mut self.current, next);
        if !filled.is_empty() {
            self.full.push(filled);
        }
    }

    /// Whether the writer has something to write, sync or tell.
    fn has_work(&self) -> bool {
        !self.full.is_empty() || self.current.is_due() || !self.waiters.is_empty() || self.closed
    }
}
