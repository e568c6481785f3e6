//! Who receives from a queue, and who is next.
//!
//! Strict round robin among the ready consumers of the highest priority. A consumer is ready
//! while its mailbox has room and its prefetch count is not used up.

use std::collections::VecDeque;
use std::sync::Arc;

use field_table::FieldTable;

use crate::mailbox::{ConsumerKey, MailboxRef};

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
    /// Nobody else may consume.
    pub is_exclusive: bool,
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

#[derive(Debug)]
struct Slot {
    consumer: Consumer,
    unacked: u32,
    is_parked: bool,
    is_in_ring: bool,
}

impl Slot {
    /// How many messages it can take now.
    fn credit(&self) -> u64 {
        match self.consumer.prefetch {
            _ if self.is_parked => 0,
            0 => u64::MAX,
            _ if self.consumer.is_no_ack => u64::MAX,
            prefetch => u64::from(prefetch.saturating_sub(self.unacked)),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Consumers {
    /// In the order they were added.
    slots: Vec<Slot>,
    /// Indexes of the ready ones: highest priority first, then longest waiting.
    ring: VecDeque<u32>,
    /// Index of the single active consumer, in a queue that has one.
    active: Option<u32>,
}

impl Consumers {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(super) fn views(&self, is_single_active: bool) -> impl Iterator<Item = ConsumerView<'_>> {
        self.slots.iter().enumerate().map(move |(index, slot)| {
            let status = match self.active {
                _ if !is_single_active => ActivityStatus::Up,
                Some(active) if active as usize == index => ActivityStatus::SingleActive,
                _ => ActivityStatus::Waiting,
            };
            ConsumerView { consumer: &slot.consumer, unacked: slot.unacked, status }
        })
    }

    pub(super) fn check(
        &self,
        is_exclusive: bool,
        is_single_active: bool,
    ) -> Result<(), ConsumeRefusal> {
        let has_exclusive = self.slots.iter().any(|slot| slot.consumer.is_exclusive);
        let cannot_be_alone = is_exclusive && (is_single_active || !self.is_empty());
        if has_exclusive || cannot_be_alone {
            return Err(ConsumeRefusal::ExclusiveUse);
        }
        Ok(())
    }

    /// Adds a consumer that [`Self::check`] found nothing against.
    pub(super) fn add(&mut self, consumer: Consumer, is_single_active: bool) {
        let index = self.slots.len() as u32;
        self.slots.push(Slot { consumer, unacked: 0, is_parked: false, is_in_ring: false });
        if is_single_active && self.active.is_none() {
            self.active = Some(index);
        }
        self.enter_ring(index);
    }

    pub(super) fn remove(&mut self, id: ConsumerId, is_single_active: bool) -> Option<Consumer> {
        let index = self.find(id)?;
        let slot = self.slots.remove(index as usize);
        self.ring.retain(|&i| i != index);
        let was_active = self.active.take_if(|active| *active == index).is_some();
        for i in self.ring.iter_mut().chain(&mut self.active) {
            *i -= u32::from(index < *i);
        }
        if was_active && is_single_active {
            self.active = self.first_choice();
        }
        if self.slots.is_empty() {
            *self = Self::default();
        }
        Some(slot.consumer)
    }

    /// The longest waiting of the highest priority.
    fn first_choice(&self) -> Option<u32> {
        let by_priority = |&index: &u32| {
            let priority = self.slots[index as usize].consumer.priority;
            (std::cmp::Reverse(priority), index)
        };
        (0..self.slots.len() as u32).min_by_key(by_priority)
    }

    fn find(&self, id: ConsumerId) -> Option<u32> {
        self.slots.iter().position(|slot| slot.consumer.id == id).map(|index| index as u32)
    }

    fn enter_ring(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        if slot.is_in_ring || slot.credit() == 0 {
            return;
        }
        slot.is_in_ring = true;
        let priority = slot.consumer.priority;
        let slots = &self.slots;
        let is_before = |&i: &u32| priority <= slots[i as usize].consumer.priority;
        match self.ring.back() {
            Some(last) if !is_before(last) => {
                let at = self.ring.partition_point(is_before);
                self.ring.insert(at, index);
            }
            _ => self.ring.push_back(index),
        }
    }

    /// Who receives next, and how many messages at most: one when others of its priority are
    /// ready too, for they take turns.
    pub(super) fn next(&self, is_single_active: bool) -> Option<(&Consumer, u64)> {
        let slot = if is_single_active {
            &self.slots[self.active? as usize]
        } else {
            &self.slots[*self.ring.front()? as usize]
        };
        let takes_turns = !is_single_active
            && self.ring.get(1).is_some_and(|&second| {
                self.slots[second as usize].consumer.priority == slot.consumer.priority
            });
        match slot.credit() {
            0 => None,
            _ if takes_turns => Some((&slot.consumer, 1)),
            credit => Some((&slot.consumer, credit)),
        }
    }

    /// The consumer that [`Self::next`] named took `taken` messages.
    pub(super) fn commit(&mut self, taken: u32, is_full: bool, is_single_active: bool) {
        let index = if is_single_active { self.active } else { self.ring.front().copied() };
        let Some(index) = index else { return };
        let slot = &mut self.slots[index as usize];
        if !slot.consumer.is_no_ack {
            slot.unacked += taken;
        }
        slot.is_parked |= is_full;
        if is_single_active {
            return;
        }
        // Alone and still ready: it stays in front.
        if self.ring.len() == 1 && slot.credit() != 0 {
            return;
        }
        slot.is_in_ring = false;
        self.ring.pop_front();
        self.enter_ring(index);
    }

    pub(super) fn resume(&mut self, id: ConsumerId) {
        let Some(index) = self.find(id) else { return };
        self.slots[index as usize].is_parked = false;
        self.enter_ring(index);
    }

    /// Gives `count` deliveries' credit back.
    pub(super) fn credit(&mut self, id: ConsumerId, count: u32) {
        let Some(index) = self.find(id) else { return };
        let slot = &mut self.slots[index as usize];
        slot.unacked = slot.unacked.saturating_sub(count);
        self.enter_ring(index);
    }

    /// Messages that could be handed over right now.
    pub(super) fn total_credit(&self, is_single_active: bool) -> u64 {
        if is_single_active {
            return self.active.map_or(0, |index| self.slots[index as usize].credit());
        }
        let credits = self.ring.iter().map(|&index| self.slots[index as usize].credit());
        credits.fold(0, u64::saturating_add)
    }
}
