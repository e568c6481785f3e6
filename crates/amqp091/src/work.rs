//! What one turn collects before it touches a queue: publishes and settlements, by queue.

use std::sync::Arc;

use ahash::AHashMap;
use broker::{ConsumerId, QueueRef, Settle, Ticket, Turn};
use message::Incoming;
use smallvec::SmallVec;

/// Most queues that publishes and settlements are collected for at a time.
const BUCKETS_MAX: usize = 32;
/// Most publishes collected for a queue before they reach it: enough to pay for the lock, few enough
/// to stay in the cache.
const MESSAGES_MAX: usize = 512;

/// Groups of settlements that are looked through one by one; more are found by hash.
const GROUPS_SCANNED_MAX: usize = 16;

/// The queues of a route.
pub(crate) type Queues = SmallVec<[QueueRef; 1]>;

/// A turn of one connection. Messages are borrowed from the input.
pub(crate) struct Work<'i> {
    pub(crate) turn: Turn,
    pub(crate) publishes: Publishes<'i>,
    pub(crate) settlements: Settlements,
    /// Consumers that waited for their channel's prefetch.
    pub(crate) resumed: Vec<(QueueRef, ConsumerId)>,
}

impl Work<'_> {
    pub(crate) fn new(turn: Turn) -> Self {
        Self {
            turn,
            publishes: Publishes::default(),
            settlements: Settlements::default(),
            resumed: Vec::new(),
        }
    }
}

/// Whom to tell what became of a publish, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) channel: u16,
    /// What it counts for: a number of [`crate::lanes::Lanes`].
    pub(crate) lane: u32,
    /// 0 when nobody waits for a confirm.
    pub(crate) tag: u64,
}

/// Publishes that go to the same queues.
#[derive(Default)]
pub(crate) struct Bucket<'i> {
    pub(crate) queues: Queues,
    pub(crate) messages: Vec<Incoming<'i>>,
    /// One for each message.
    pub(crate) origins: Vec<Origin>,
}

/// Publishes of a turn that are not in their queues yet.
///
/// The order of publishes to one queue is kept: either all buckets that hold something have one queue
/// each, or just one holds something. Empty ones are kept for their memory.
#[derive(Default)]
pub(crate) struct Publishes<'i> {
    pub(crate) buckets: SmallVec<[Bucket<'i>; 1]>,
    last: usize,
}

impl<'i> Publishes<'i> {
    /// Forgets those collected; they are in their queues.
    pub(crate) fn clear(&mut self) {
        for bucket in &mut self.buckets {
            bucket.messages.clear();
            bucket.origins.clear();
        }
    }

    /// Adds a publish; false when those collected have to reach their queues first.
    pub(crate) fn add(
        &mut self,
        queues: &[QueueRef],
        message: Incoming<'i>,
        origin: Origin,
    ) -> bool {
        let Some(bucket) = self.bucket(queues) else { return false };
        if MESSAGES_MAX <= bucket.messages.len() {
            return false;
        }
        bucket.messages.push(message);
        bucket.origins.push(origin);
        true
    }

    fn bucket(&mut self, queues: &[QueueRef]) -> Option<&mut Bucket<'i>> {
        let are_same = |bucket: &Bucket<'i>| {
            bucket.queues.len() == queues.len()
                && bucket.queues.iter().zip(queues).all(|(a, b)| Arc::ptr_eq(a, b))
        };
        if !self.buckets.get(self.last).is_some_and(are_same) {
            let Some(idx) = self.buckets.iter().position(are_same) else {
                return self.add_bucket(queues);
            };
            self.last = idx;
        }
        // Holding something it is not in anybody's way; empty it may be.
        let is_free = !self.buckets[self.last].messages.is_empty() || !self.is_blocked_for(queues);
        if is_free { self.buckets.get_mut(self.last) } else { None }
    }

    /// Whether publishes to these queues would overtake some that are collected.
    fn is_blocked_for(&self, queues: &[QueueRef]) -> bool {
        let are_single = |it: &Bucket<'i>| it.queues.len() == 1 && queues.len() == 1;
        self.buckets.iter().any(|it| !it.messages.is_empty() && !are_single(it))
    }

    fn add_bucket(&mut self, queues: &[QueueRef]) -> Option<&mut Bucket<'i>> {
        if self.is_blocked_for(queues) {
            return None;
        }
        if BUCKETS_MAX <= self.buckets.len() {
            if self.buckets.iter().any(|it| !it.messages.is_empty()) {
                return None;
            }
            self.buckets.clear();
        }
        self.last = self.buckets.len();
        self.buckets.push(Bucket { queues: queues.into(), ..Bucket::default() });
        self.buckets.last_mut()
    }
}

/// Settlements of one consumer's deliveries.
pub(crate) struct Group {
    channel: u16,
    slot: u32,
    pub(crate) how: Settle,
    pub(crate) queue: QueueRef,
    pub(crate) consumer: Option<ConsumerId>,
    pub(crate) tickets: Vec<Ticket>,
}

/// Settlements of a turn that have not reached their queues yet, in their order.
#[derive(Default)]
pub(crate) struct Settlements {
    groups: Vec<Group>,
    /// Where the group of a channel's slot is, once there are many.
    places: AHashMap<(u16, u32, Settle), usize>,
}

impl Settlements {
    /// Adds a delivery of `slot` on `channel`; `source` tells the slot's queue and consumer.
    pub(crate) fn add(
        &mut self,
        channel: u16,
        slot: u32,
        how: Settle,
        ticket: Ticket,
        source: impl FnOnce() -> Option<(QueueRef, Option<ConsumerId>)>,
    ) {
        if let Some(place) = self.find(channel, slot, how) {
            self.groups[place].tickets.push(ticket);
            return;
        }
        let Some((queue, consumer)) = source() else { return };
        self.groups.push(Group { channel, slot, how, queue, consumer, tickets: vec![ticket] });
        if GROUPS_SCANNED_MAX < self.groups.len() {
            let from = if self.places.is_empty() { 0 } else { self.groups.len() - 1 };
            let key = |it: &Group| (it.channel, it.slot, it.how);
            let new = (from..).zip(&self.groups[from..]).map(|(place, it)| (key(it), place));
            self.places.extend(new);
        }
    }

    fn find(&self, channel: u16, slot: u32, how: Settle) -> Option<usize> {
        let is_same =
            |group: &Group| group.channel == channel && group.slot == slot && group.how == how;
        if self.groups.last().is_some_and(is_same) {
            return Some(self.groups.len() - 1);
        }
        match self.places.is_empty() {
            true => self.groups.iter().rposition(is_same),
            false => self.places.get(&(channel, slot, how)).copied(),
        }
    }

    /// Takes all groups, oldest first.
    pub(crate) fn take(&mut self) -> Vec<Group> {
        self.places.clear();
        std::mem::take(&mut self.groups)
    }
}
