//! Who receives from a queue, and who is next.
//!
//! Strict round robin among the ready consumers of the highest priority. A consumer is ready
//! while its mailbox has room and its prefetch count is not used up.
//!
//! Most queues have one consumer or two, and there are many queues: up to a handful, everything is
//! found by looking at all of them. A [`Lookup`] joins them when there are more.

mod lookup;
mod succession;

use std::num::NonZeroU32;
use std::sync::Arc;

use field_table::FieldTable;

use lookup::Lookup;

use crate::mailbox::{ConsumerKey, MailboxRef};

/// From this many slots on, a [`Lookup`] is worth its memory.
const LOOKUP_FROM: usize = 16;

/// Names a consumer of a queue. Chosen by the caller, unique within the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerId(pub u64);

/// Someone who receives from a queue.
#[derive(Clone)]
pub struct Consumer {
    /// Its name within the queue.
    pub id: ConsumerId,
    /// The connection its deliveries go to.
    pub mailbox: MailboxRef,
    /// The name its connection knows it by.
    pub key: ConsumerKey,
    /// Node-wide id of its channel, for listings.
    pub channel: u64,
    /// The consumer tag, for listings.
    pub tag: Arc<str>,
    /// Deliveries count as acknowledged at once; the prefetch count does not apply.
    pub is_no_ack: bool,
    /// Unacknowledged deliveries at most, 0 for no limit.
    pub prefetch: u32,
    /// `x-priority`: higher ones first while they can take messages.
    pub priority: i64,
    /// Nobody else may consume. Quorum queues take no notice.
    pub is_exclusive: bool,
    /// How long it may take to settle a delivery, in milliseconds. Only quorum queues mind.
    pub timeout_ms: u64,
    /// Arguments of `basic.consume`, for listings.
    pub arguments: FieldTable,
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer").field("id", &self.id).field("tag", &self.tag).finish()
    }
}

/// Why a consumer was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsumeRefusal {
    /// It or another one is exclusive: 403 "queue 'q' in vhost 'v' in exclusive use".
    ExclusiveUse,
    /// The queue is deleted, or about to be because nobody uses it: 404 "no queue 'q' in vhost 'v'".
    Gone,
}

/// What a listing says about a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivityStatus {
    /// Receives like any other.
    Up,
    /// The one that receives in a single active consumer queue.
    SingleActive,
    /// Waits for its turn in a single active consumer queue.
    Waiting,
}

impl ActivityStatus {
    /// RabbitMQ's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::SingleActive => "single_active",
            Self::Waiting => "waiting",
        }
    }
}

/// A consumer as `list_consumers` shows it.
#[derive(Clone, Copy, Debug)]
pub struct ConsumerView<'a> {
    /// The consumer as it was added.
    pub consumer: &'a Consumer,
    /// Deliveries it did not settle yet.
    pub unacked: u32,
    /// Its part in a single active consumer queue.
    pub status: ActivityStatus,
}

impl ConsumerView<'_> {
    /// The `active` column.
    pub fn is_active(&self) -> bool {
        self.status != ActivityStatus::Waiting
    }
}

/// Index of a slot, such that an absent one takes no room. Ascending in the order of addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct At(NonZeroU32);

impl At {
    fn new(index: usize) -> Self {
        let number = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        Self(number.expect("memory does not do for 2^32 consumers"))
    }

    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

#[derive(Debug)]
struct Slot {
    consumer: Consumer,
    unacked: u32,
    /// Neighbours in the ring.
    previous: Option<At>,
    next: Option<At>,
    is_parked: bool,
    /// It took too long, and gets nothing until it has settled what was taken from it.
    is_late: bool,
    is_in_ring: bool,
}

impl Slot {
    /// How many messages it can take now.
    fn credit(&self) -> u64 {
        match self.consumer.prefetch {
            _ if self.is_parked || self.is_late => 0,
            0 => u64::MAX,
            _ if self.consumer.is_no_ack => u64::MAX,
            prefetch => u64::from(prefetch.saturating_sub(self.unacked)),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Consumers {
    /// In the order they were added. Those that left leave gaps, which are closed now and then.
    slots: Vec<Option<Slot>>,
    /// There from [`LOOKUP_FROM`] slots on.
    lookup: Option<Box<Lookup>>,
    /// How many there are.
    len: u32,
    /// Ends of the ring of the ready ones: highest priority first, then longest waiting.
    first: Option<At>,
    last: Option<At>,
    /// The single active consumer, in a queue that has one.
    active: Option<At>,
    /// The active one gets nothing more: one of a higher priority waits until it has settled all.
    is_quiescing: bool,
    /// Who is active changes while the active one is there: see [`succession`].
    has_succession: bool,
}

impl Consumers {
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn views(&self, is_single_active: bool) -> impl Iterator<Item = ConsumerView<'_>> {
        self.taken_slots().map(move |(at, slot)| {
            let status = match self.active {
                _ if !is_single_active => ActivityStatus::Up,
                Some(active) if active == at => ActivityStatus::SingleActive,
                _ => ActivityStatus::Waiting,
            };
            ConsumerView { consumer: &slot.consumer, unacked: slot.unacked, status }
        })
    }

    fn taken_slots(&self) -> impl Iterator<Item = (At, &Slot)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(index, slot)| Some((At::new(index), slot.as_ref()?)))
    }

    fn slot(&self, at: At) -> &Slot {
        self.slots[at.index()].as_ref().expect("whoever leaves is unlinked")
    }

    fn slot_mut(&mut self, at: At) -> &mut Slot {
        self.slots[at.index()].as_mut().expect("whoever leaves is unlinked")
    }

    pub(super) fn check(
        &self,
        is_exclusive: bool,
        is_single_active: bool,
    ) -> Result<(), ConsumeRefusal> {
        // An exclusive one is alone.
        let has_exclusive =
            self.len == 1 && self.taken_slots().any(|(_, slot)| slot.consumer.is_exclusive);
        let cannot_be_alone = is_exclusive && (is_single_active || !self.is_empty());
        if has_exclusive || cannot_be_alone {
            return Err(ConsumeRefusal::ExclusiveUse);
        }
        Ok(())
    }

    /// Adds a consumer that [`Self::check`] found nothing against.
    pub(super) fn add(&mut self, consumer: Consumer, is_single_active: bool) {
        let at = At::new(self.slots.len());
        if let Some(lookup) = &mut self.lookup {
            lookup.add(at, &consumer);
        }
        let (unacked, previous, next) = (0, None, None);
        let (is_parked, is_late, is_in_ring) = (false, false, false);
        let slot = Slot { consumer, unacked, previous, next, is_parked, is_late, is_in_ring };
        self.slots.push(Some(slot));
        self.len += 1;
        if self.lookup.is_none() {
            self.make_lookup();
        }
        if is_single_active && self.active.is_none() {
            self.active = Some(at);
        }
        self.enter_ring(at);
        self.review(is_single_active);
    }

    pub(super) fn remove(&mut self, id: ConsumerId, is_single_active: bool) -> Option<Consumer> {
        let at = self.find(id)?;
        self.leave_ring(at);
        let consumer = self.slots[at.index()].take()?.consumer;
        self.len -= 1;
        if self.is_empty() {
            *self = Self { has_succession: self.has_succession, ..Self::default() };
            return Some(consumer);
        }
        if let Some(lookup) = &mut self.lookup {
            lookup.remove(at, &consumer);
        }
        let was_active = self.active.take_if(|active| *active == at).is_some();
        if was_active && is_single_active && !self.has_succession {
            self.active = self.first_choice();
        }
        self.review(is_single_active);
        // Rarely if there are many: then it moves as many as left since it was done last.
        if self.slots.len() <= LOOKUP_FROM || 2 * self.len() < self.slots.len() {
            self.close_gaps();
        }
        Some(consumer)
    }

    fn close_gaps(&mut self) {
        let mut before = 0;
        let closed = |slot: &Option<Slot>| {
            let at = At::new(before);
            before += usize::from(slot.is_some());
            at
        };
        let places: Vec<At> = self.slots.iter().map(closed).collect();
        self.slots.retain(Option::is_some);
        self.slots.shrink_to(2 * self.slots.len());
        let slots = self.slots.iter_mut().flatten();
        let ends = [&mut self.first, &mut self.last, &mut self.active];
        for link in slots.flat_map(|slot| [&mut slot.previous, &mut slot.next]).chain(ends) {
            *link = link.map(|at| places[at.index()]);
        }
        self.make_lookup();
    }

    fn make_lookup(&mut self) {
        self.lookup = None;
        if self.slots.len() < LOOKUP_FROM {
            return;
        }
        let mut lookup = Box::<Lookup>::default();
        self.taken_slots().for_each(|(at, slot)| lookup.add(at, &slot.consumer));
        self.ring().for_each(|at| lookup.set_last(self.slot(at).consumer.priority, Some(at)));
        self.lookup = Some(lookup);
    }

    /// The longest waiting of the highest priority.
    fn first_choice(&self) -> Option<At> {
        match &self.lookup {
            Some(lookup) => lookup.first_choice(),
            None => {
                let rank = |&(at, slot): &(At, &Slot)| lookup::rank(at, &slot.consumer);
                self.taken_slots().min_by_key(rank).map(|(at, _)| at)
            }
        }
    }

    fn find(&self, id: ConsumerId) -> Option<At> {
        match &self.lookup {
            Some(lookup) => lookup.find(id),
            None => self.taken_slots().find(|(_, it)| it.consumer.id == id).map(|(at, _)| at),
        }
    }

    fn ring(&self) -> impl Iterator<Item = At> {
        std::iter::successors(self.first, |at| self.slot(*at).next)
    }

    fn enter_ring(&mut self, at: At) {
        let slot = self.slot(at);
        if slot.is_in_ring || slot.credit() == 0 {
            return;
        }
        let priority = slot.consumer.priority;
        let previous = match &self.lookup {
            Some(lookup) => lookup.last_from(priority),
            None => std::iter::successors(self.last, |at| self.slot(*at).previous)
                .find(|&at| priority <= self.slot(at).consumer.priority),
        };
        let next = match previous {
            Some(previous) => self.slot_mut(previous).next.replace(at),
            None => self.first.replace(at),
        };
        match next {
            Some(next) => self.slot_mut(next).previous = Some(at),
            None => self.last = Some(at),
        }
        let slot = self.slot_mut(at);
        (slot.previous, slot.next, slot.is_in_ring) = (previous, next, true);
        if let Some(lookup) = &mut self.lookup {
            lookup.set_last(priority, Some(at));
        }
    }

    fn leave_ring(&mut self, at: At) {
        let slot = self.slot_mut(at);
        if !std::mem::take(&mut slot.is_in_ring) {
            return;
        }
        let priority = slot.consumer.priority;
        let (previous, next) = (slot.previous.take(), slot.next.take());
        match previous {
            Some(previous) => self.slot_mut(previous).next = next,
            None => self.first = next,
        }
        match next {
            Some(next) => self.slot_mut(next).previous = previous,
            None => self.last = previous,
        }
        let is_same = |&at: &At| self.slot(at).consumer.priority == priority;
        let last = previous.filter(is_same);
        if let Some(lookup) = &mut self.lookup
            && lookup.last_from(priority) == Some(at)
        {
            lookup.set_last(priority, last);
        }
    }

    /// Who receives next, and how many messages at most: one when others of its priority are
    /// ready too, for they take turns.
    pub(super) fn next(&self, is_single_active: bool) -> Option<(&Consumer, u64)> {
        if self.is_quiescing {
            return None;
        }
        let slot = self.slot(if is_single_active { self.active? } else { self.first? });
        let takes_turns = !is_single_active
            && slot.next.is_some_and(|second| {
                self.slot(second).consumer.priority == slot.consumer.priority
            });
        match slot.credit() {
            0 => None,
            _ if takes_turns => Some((&slot.consumer, 1)),
            credit => Some((&slot.consumer, credit)),
        }
    }

    /// The consumer that [`Self::next`] named took `taken` messages.
    pub(super) fn commit(&mut self, taken: u32, is_full: bool, is_single_active: bool) {
        let Some(at) = (if is_single_active { self.active } else { self.first }) else { return };
        let is_alone = self.first == self.last;
        let slot = self.slot_mut(at);
        if !slot.consumer.is_no_ack {
            slot.unacked += taken;
        }
        slot.is_parked |= is_full;
        // Alone and still ready: it stays in front.
        if is_single_active || (is_alone && slot.credit() != 0) {
            return;
        }
        self.leave_ring(at);
        self.enter_ring(at);
    }

    pub(super) fn resume(&mut self, id: ConsumerId) {
        let Some(at) = self.find(id) else { return };
        self.slot_mut(at).is_parked = false;
        self.enter_ring(at);
    }

    /// Gives `count` deliveries' credit back.
    pub(super) fn credit(&mut self, id: ConsumerId, count: u32) {
        let Some(at) = self.find(id) else { return };
        let slot = self.slot_mut(at);
        slot.unacked = slot.unacked.saturating_sub(count);
        self.enter_ring(at);
        if self.is_quiescing {
            self.review(true);
        }
    }

    /// Messages that could be handed over right now, or some number from `enough` on.
    pub(super) fn total_credit(&self, is_single_active: bool, enough: u64) -> u64 {
        if is_single_active {
            let active = self.active.filter(|_| !self.is_quiescing);
            return active.map_or(0, |at| self.slot(at).credit());
        }
        let mut total = 0u64;
        let mut ring = self.ring();
        // Whoever is in the ring takes one at least, so this does not go far.
        while total < enough
            && let Some(at) = ring.next()
        {
            total = total.saturating_add(self.slot(at).credit());
        }
        total
    }
}
