//! A queue as the node shares it.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use stdx::Timestamp;
use topology::{QueueRecord, QueueSettings};

use crate::{Event, Lsn, Queue};

/// Ready messages and bytes of bodies above which a queue with consumers is congested; it is
/// until half of that is left. The half must keep consumers busy until a publisher that pauses has
/// looked again, which is a millisecond or two later.
const CONGESTED_MESSAGES: u64 = 16 * 1024;
const CONGESTED_BYTES: u64 = 4 * 1024 * 1024;

/// Bytes of a queue that holds nothing, the counts of its [`Arc`] included: a size that the allocator
/// has. There are brokers with a hundred thousand of them.
const CELL_MAX: usize = 448;
const ARC_COUNTS: usize = 2 * size_of::<usize>();

/// A queue behind its lock, with the record it was declared by.
///
/// Lock order: one queue, then leaves (a mailbox, the journal's buffer, the timers). Never two
/// queues at once; no waiting or logging while one is locked, and no IO but the read of a page.
pub struct QueueCell {
    /// Its control-plane record, shared with the topology.
    pub record: Arc<QueueRecord>,
    queue: Mutex<Queue>,
    /// Set under the lock, once: whoever still holds a reference finds nothing here any more.
    is_deleted: AtomicBool,
    /// Set under the lock, once: nobody uses it, and its deletion is on its way.
    is_doomed: AtomicBool,
    /// The deadline armed in the timers, in ms; 0 when none.
    armed_ms: AtomicU64,
    /// Where the journal says last which messages may have been delivered.
    mark_lsn: AtomicU64,
    /// Publishers run ahead of consumers that could take more.
    is_congested: AtomicBool,
    /// Where the journal has its last entry.
    last_lsn: AtomicU64,
    /// Bytes in memory, as the broker's books have them.
    resident: AtomicU64,
    /// Its place in the list of queues with something in memory, 0 for none.
    page_place: AtomicU64,
    /// A bug ended a change of the queue halfway.
    is_crashed: AtomicBool,
}

/// A queue for as long as it is locked. If a bug ends the work on it, nobody works with what is left.
pub(crate) struct Locked<'a> {
    queue: MutexGuard<'a, Queue>,
    cell: &'a QueueCell,
    /// It was locked to tidy up behind a bug elsewhere.
    was_panicking: bool,
}

impl Deref for Locked<'_> {
    type Target = Queue;

    fn deref(&self) -> &Queue {
        &self.queue
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Queue {
        &mut self.queue
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.was_panicking {
            self.cell.is_crashed.store(true, Ordering::Relaxed);
        }
    }
}

/// A shared queue.
pub type QueueRef = Arc<QueueCell>;

impl QueueCell {
    pub(crate) fn new(record: Arc<QueueRecord>, queue: Queue) -> Self {
        const { assert!(size_of::<Self>() + ARC_COUNTS <= CELL_MAX) };
        Self {
            record,
            queue: Mutex::new(queue),
            is_deleted: AtomicBool::new(false),
            is_doomed: AtomicBool::new(false),
            armed_ms: AtomicU64::new(0),
            mark_lsn: AtomicU64::new(0),
            is_congested: AtomicBool::new(false),
            last_lsn: AtomicU64::new(0),
            resident: AtomicU64::new(0),
            page_place: AtomicU64::new(0),
            is_crashed: AtomicBool::new(false),
        }
    }

    /// The queue, or an empty one in its place if it [has crashed](Self::is_crashed).
    pub(crate) fn lock(&self) -> Locked<'_> {
        let mut queue = self.queue.lock();
        if self.is_crashed() && !self.is_deleted() {
            self.fence(queue);
            queue = self.queue.lock();
        }
        Locked { queue, cell: self, was_panicking: std::thread::panicking() }
    }

    /// Lets nobody see what a bug has left. What the journal and the pages have is as it was: the next
    /// start brings the queue back.
    #[cold]
    fn fence(&self, mut queue: MutexGuard<'_, Queue>) {
        let settings = queue.settings().clone();
        let empty = Queue::new(self.record.clone(), settings, Timestamp(0));
        let broken = std::mem::replace(&mut *queue, empty);
        self.mark_deleted();
        drop(queue);
        // Whatever comes of looking into it.
        for consumer in broken.consumers() {
            consumer.mailbox.post(Event::ConsumerCancelled(consumer.key));
            consumer.mailbox.wake();
        }
    }

    /// True once a bug has ended a change of the queue halfway. It is out of service until the next
    /// start, as if it were [deleted](Self::is_deleted), but its record, its journal and its pages stay.
    pub fn is_crashed(&self) -> bool {
        self.is_crashed.load(Ordering::Relaxed)
    }

    /// What the queue acts on now. Locks it.
    pub fn settings(&self) -> Arc<QueueSettings> {
        self.lock().settings().clone()
    }

    /// True once the queue is deleted.
    pub fn is_deleted(&self) -> bool {
        self.is_deleted.load(Ordering::Relaxed)
    }

    /// Called with the queue locked.
    pub(crate) fn mark_deleted(&self) {
        self.is_deleted.store(true, Ordering::Relaxed);
    }

    /// True once it was decided that the queue is not used any more: it takes no consumers, and
    /// whoever declares it has it deleted first.
    pub fn is_doomed(&self) -> bool {
        self.is_doomed.load(Ordering::Relaxed)
    }

    /// Called with the queue locked; true the first time.
    pub(crate) fn doom(&self) -> bool {
        !self.is_doomed.swap(true, Ordering::Relaxed)
    }

    /// True while messages pile up although the queue has consumers. Whoever publishes in bulk
    /// should pause for a moment, so that consumers get their share of the processors and the
    /// backlog stays in warm memory. A hint: read without the lock, never a reason to wait long.
    pub fn is_congested(&self) -> bool {
        self.is_congested.load(Ordering::Relaxed)
    }

    /// Called with the queue locked.
    pub(crate) fn note_pressure(&self, ready: u64, ready_bytes: u64, has_consumers: bool) {
        let is_congested = match self.is_congested() {
            true => {
                has_consumers
                    && (ready > CONGESTED_MESSAGES / 2 || ready_bytes > CONGESTED_BYTES / 2)
            }
            false => has_consumers && (ready > CONGESTED_MESSAGES || ready_bytes > CONGESTED_BYTES),
        };
        self.is_congested.store(is_congested, Ordering::Relaxed);
    }

    /// The armed deadline; called with the queue locked.
    pub(crate) fn armed_ms(&self) -> u64 {
        self.armed_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn set_armed_ms(&self, at: u64) {
        self.armed_ms.store(at, Ordering::Relaxed);
    }

    // All of these are called with the queue locked.

    pub(crate) fn last_lsn(&self) -> Lsn {
        Lsn(self.last_lsn.load(Ordering::Relaxed))
    }

    pub(crate) fn set_last_lsn(&self, lsn: Lsn) {
        self.last_lsn.store(lsn.0, Ordering::Relaxed);
    }

    /// Notes what it has in memory; returns that, and what was noted before.
    pub(crate) fn note_resident(&self, bytes: u64) -> (u64, u64) {
        let before = self.resident.load(Ordering::Relaxed);
        self.resident.store(bytes, Ordering::Relaxed);
        (bytes, before)
    }

    pub(crate) fn page_place(&self) -> u64 {
        self.page_place.load(Ordering::Relaxed)
    }

    pub(crate) fn set_page_place(&self, place: u64) {
        self.page_place.store(place, Ordering::Relaxed);
    }

    /// What a reader gets may be sent once this is durable.
    pub(crate) fn mark_lsn(&self) -> Lsn {
        Lsn(self.mark_lsn.load(Ordering::Relaxed))
    }

    /// Called with the queue locked.
    pub(crate) fn set_mark_lsn(&self, lsn: Lsn) {
        self.mark_lsn.store(lsn.0, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for QueueCell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "queue '{}' in vhost '{}'", self.record.name, self.record.vhost)
    }
}
