//! What a channel has delivered and not heard of again.

use std::collections::VecDeque;

/// Settled entries that may lie among live ones before the ring is rewritten without them.
const TOMBSTONES_MAX: usize = 1024;

/// A delivery that the client has to settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivered<T> {
    /// The channel's slot of the consumer (or of `basic.get` from that queue).
    pub(crate) slot: u32,
    /// How the queue knows the message.
    pub(crate) ticket: T,
}

#[derive(Clone, Copy, Debug)]
struct Entry<T> {
    tag: u64,
    /// `None` once settled out of order.
    delivered: Option<Delivered<T>>,
}

/// The unsettled deliveries of one channel in tag order.
///
/// Delivery tags grow by one, so that the place of a tag is mostly its distance from the first.
/// Deliveries that need no settlement leave holes in the tags and take no space here.
#[derive(Debug)]
pub(crate) struct Unacked<T> {
    ring: VecDeque<Entry<T>>,
    live: usize,
}

impl<T> Default for Unacked<T> {
    fn default() -> Self {
        Self { ring: VecDeque::new(), live: 0 }
    }
}

impl<T: Copy> Unacked<T> {
    /// Notes a delivery. Tags must grow.
    pub(crate) fn push(&mut self, tag: u64, delivered: Delivered<T>) {
        if self.live * 4 + TOMBSTONES_MAX < self.ring.len() {
            self.ring.retain(|entry| entry.delivered.is_some());
        }
        self.ring.push_back(Entry { tag, delivered: Some(delivered) });
        self.live += 1;
    }

    /// How many deliveries are unsettled.
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// Takes one delivery out; `None` when the tag is unknown or settled already.
    pub(crate) fn take(&mut self, tag: u64) -> Option<Delivered<T>> {
        let idx = self.position(tag)?;
        let delivered = self.ring[idx].delivered.take()?;
        self.live -= 1;
        self.trim();
        Some(delivered)
    }

    /// Takes all deliveries up to `tag`, oldest first; false (and nothing taken) when `tag` itself
    /// is unknown or settled already. RabbitMQ refuses `multiple` for such a tag, too.
    pub(crate) fn take_through(&mut self, tag: u64, mut each: impl FnMut(Delivered<T>)) -> bool {
        let Some(last) = self.position(tag) else { return false };
        if self.ring[last].delivered.is_none() {
            return false;
        }
        for entry in self.ring.drain(..=last) {
            if let Some(delivered) = entry.delivered {
                self.live -= 1;
                each(delivered);
            }
        }
        self.trim();
        true
    }

    /// Takes everything, oldest first.
    pub(crate) fn take_all(&mut self, mut each: impl FnMut(Delivered<T>)) {
        for entry in std::mem::take(&mut self.ring) {
            if let Some(delivered) = entry.delivered {
                each(delivered);
            }
        }
        self.live = 0;
    }

    /// Puts deliveries back that were taken with their tags: the end of a rolled-back transaction.
    pub(crate) fn put_back(&mut self, taken: impl IntoIterator<Item = (u64, Delivered<T>)>) {
        let taken = taken.into_iter().map(|(tag, it)| Entry { tag, delivered: Some(it) });
        let mut all: Vec<_> = self.ring.drain(..).filter(|it| it.delivered.is_some()).collect();
        all.extend(taken);
        all.sort_unstable_by_key(|entry| entry.tag);
        self.live = all.len();
        self.ring = all.into();
    }

    /// As [`take_through`](Self::take_through) with each delivery's tag.
    pub(crate) fn take_through_tagged(
        &mut self,
        tag: u64,
        mut each: impl FnMut(u64, Delivered<T>),
    ) -> bool {
        let Some(last) = self.position(tag) else { return false };
        if self.ring[last].delivered.is_none() {
            return false;
        }
        for entry in self.ring.drain(..=last) {
            if let Some(delivered) = entry.delivered {
                self.live -= 1;
                each(entry.tag, delivered);
            }
        }
        self.trim();
        true
    }

    /// The tag of the newest unsettled delivery.
    pub(crate) fn last_tag(&self) -> Option<u64> {
        self.ring.iter().rev().find(|entry| entry.delivered.is_some()).map(|entry| entry.tag)
    }

    fn position(&self, tag: u64) -> Option<usize> {
        let first = self.ring.front()?.tag;
        let guess = usize::try_from(tag.checked_sub(first)?).ok()?;
        if self.ring.get(guess).is_some_and(|entry| entry.tag == tag) {
            return Some(guess);
        }
        self.ring.binary_search_by_key(&tag, |entry| entry.tag).ok()
    }

    fn trim(&mut self) {
        while self.ring.front().is_some_and(|entry| entry.delivered.is_none()) {
            self.ring.pop_front();
        }
        if self.ring.is_empty() && 256 < self.ring.capacity() {
            self.ring.shrink_to(64);
        }
    }
}

#[cfg(test)]
mod tests;
