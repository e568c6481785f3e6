//! Many short lists of bindings in one allocation: what the routes of a large exchange are made of.

use std::sync::Arc;

use super::Found;
use crate::{Binding, Destination, QueueId};

/// The end of a list.
const NONE: u32 = u32::MAX;

/// A non-empty list of bindings in a [`BindingLists`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ListId(u32);

/// Stands where a binding leads to an exchange: no log is that long.
const NO_QUEUE: QueueId = QueueId(u64::MAX);

/// Singly linked lists in one vector: 24 bytes per binding.
#[derive(Debug, Default)]
pub(super) struct BindingLists {
    slots: Vec<Slot>,
    free: Option<u32>,
}

#[derive(Debug)]
struct Slot {
    /// None in a free slot.
    binding: Option<Arc<Binding>>,
    /// The queue it leads to: spares a route the way through the binding to the queue's record.
    queue: QueueId,
    next: u32,
}

impl BindingLists {
    /// Starts a list with one binding.
    pub(super) fn start(&mut self, binding: Arc<Binding>) -> ListId {
        ListId(self.slot(binding, NONE))
    }

    /// Adds a binding to a list.
    pub(super) fn push(&mut self, list: ListId, binding: Arc<Binding>) {
        // Behind the first, so that the list keeps its number.
        let next = self.slots[list.0 as usize].next;
        let slot = self.slot(binding, next);
        self.slots[list.0 as usize].next = slot;
    }

    /// Takes a binding out. Returns the list, which may have another number, or none if it was the
    /// last one.
    pub(super) fn remove(&mut self, list: ListId, binding: &Arc<Binding>) -> Option<ListId> {
        let mut previous = NONE;
        let mut current = list.0;
        while current != NONE {
            let slot = &self.slots[current as usize];
            let next = slot.next;
            if slot.binding.as_ref().is_some_and(|other| Arc::ptr_eq(other, binding)) {
                self.release(current);
                if previous == NONE {
                    return (next != NONE).then_some(ListId(next));
                }
                self.slots[previous as usize].next = next;
                return Some(list);
            }
            previous = current;
            current = next;
        }
        Some(list)
    }

    /// The bindings of a list.
    pub(super) fn iter(&self, list: ListId) -> impl Iterator<Item = &Arc<Binding>> {
        let mut current = list.0;
        std::iter::from_fn(move || {
            let slot = self.slots.get(current as usize)?;
            current = slot.next;
            slot.binding.as_ref()
        })
    }

    /// Adds the destinations of a list.
    pub(super) fn collect(&self, list: ListId, found: &mut Found<'_>) {
        let mut current = list.0;
        while let Some(slot) = self.slots.get(current as usize) {
            if slot.queue != NO_QUEUE {
                found.queues.push(slot.queue);
            } else if let Some(binding) = &slot.binding {
                found.add(&binding.destination);
            }
            current = slot.next;
        }
    }

    /// The first binding of a list.
    pub(super) fn first(&self, list: ListId) -> &Arc<Binding> {
        self.slots[list.0 as usize].binding.as_ref().expect("a list is never empty")
    }

    /// The bindings of all lists.
    pub(super) fn all(&self) -> Vec<Arc<Binding>> {
        self.slots.iter().filter_map(|slot| slot.binding.clone()).collect()
    }

    fn slot(&mut self, binding: Arc<Binding>, next: u32) -> u32 {
        let queue = match &binding.destination {
            Destination::Queue(queue) => queue.id,
            Destination::Exchange(_) => NO_QUEUE,
        };
        let slot = Slot { binding: Some(binding), queue, next };
        if let Some(idx) = self.free {
            let next_free = self.slots[idx as usize].next;
            self.free = (next_free != NONE).then_some(next_free);
            self.slots[idx as usize] = slot;
            return idx;
        }
        let idx = u32::try_from(self.slots.len()).expect("fewer than 4 billion bindings");
        self.slots.push(slot);
        idx
    }

    fn release(&mut self, idx: u32) {
        let next = self.free.unwrap_or(NONE);
        self.slots[idx as usize] = Slot { binding: None, queue: NO_QUEUE, next };
        self.free = Some(idx);
    }
}
