//! What operators do with the messages of a queue: look at them, and take them to another one.

#[cfg(test)]
mod tests;

use super::Broker;
use crate::queue::Look;
use crate::{Lsn, MessageId, PageRef, QueueRef, Sight, TakenOut, Ticket, Turn};

/// Pages that stay on the disk until somebody has read them.
struct Lease<'a> {
    broker: &'a Broker,
    cell: &'a QueueRef,
    pages: Vec<PageRef>,
}

impl<'a> Lease<'a> {
    /// Called with the queue locked, while it refers to the pages.
    fn new(broker: &'a Broker, cell: &'a QueueRef, pages: Vec<PageRef>) -> Self {
        if let Some(store) = &broker.pages {
            pages.iter().for_each(|&page| store.retain(page));
        }
        Self { broker, cell, pages }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let after = self.cell.last_lsn();
        self.pages.drain(..).for_each(|page| self.broker.release_page(page, after));
    }
}

impl Broker {
    /// Copies ready messages in the order of delivery: `skip` are passed over, from the head on or from
    /// behind one of them; then come `count` at most, and fewer if they come to more than `bytes` with
    /// 512 for each. Changes nothing. Reads pages, with nothing locked.
    pub fn browse(
        &self,
        cell: &QueueRef,
        behind: Option<MessageId>,
        skip: u64,
        count: usize,
        bytes: u64,
    ) -> Vec<Sight> {
        let mut look = Look::new(behind, skip, count, bytes);
        let mut sights = Vec::new();
        let mut read = |page, out: &mut Vec<u8>| {
            self.pages.as_ref().is_some_and(|store| store.read(page, out).is_ok())
        };
        while !look.is_done() {
            let queue = cell.lock();
            let seen = queue.look(&mut look);
            let pages = seen.iter().flat_map(|seen| seen.pages()).collect();
            let _lease = Lease::new(self, cell, pages);
            drop(queue);
            seen.into_iter().for_each(|seen| seen.resolve(&mut look, &mut read, &mut sights));
        }
        sights
    }

    /// Takes the ready messages of these names out of a queue, to copy them elsewhere. Each has to be
    /// given back by [`Broker::end_take_out`].
    pub fn take_out(&self, turn: &mut Turn, cell: &QueueRef, ids: &[MessageId]) -> Vec<TakenOut> {
        let mut queue = cell.lock();
        if cell.is_deleted() {
            return Vec::new();
        }
        let taken = ids.iter().filter_map(|&id| queue.take_out(id, &mut turn.fx)).collect();
        self.conclude(turn, cell, queue);
        taken
    }

    /// As [`Broker::take_out`], the next ones to deliver: `count` at most, and none more once they come
    /// to `bytes`.
    pub fn take_out_heads(
        &self,
        turn: &mut Turn,
        cell: &QueueRef,
        count: usize,
        bytes: usize,
    ) -> Vec<TakenOut> {
        let (mut taken, mut taken_bytes) = (Vec::new(), 0);
        let mut queue = cell.lock();
        while queue.has_more_expired(turn.now, &mut turn.fx) {
            self.conclude(turn, cell, queue);
            self.publish_dead_letters(turn);
            queue = cell.lock();
        }
        while !cell.is_deleted()
            && taken.len() < count
            && taken_bytes < bytes
            && let Some(message) = queue.take_out_head(turn.now, &mut turn.fx)
        {
            taken_bytes += message.image.as_ref().len();
            taken.push(message);
        }
        self.conclude(turn, cell, queue);
        taken
    }

    /// Gives back messages that were taken out: each is gone, because it is safe elsewhere, or it is
    /// ready again where it stood.
    pub fn end_take_out(
        &self,
        turn: &mut Turn,
        cell: &QueueRef,
        messages: impl IntoIterator<Item = (Ticket, bool)>,
    ) -> Lsn {
        let mut queue = cell.lock();
        if cell.is_deleted() {
            return Lsn(0);
        }
        for (ticket, is_gone) in messages {
            queue.end_take_out(turn.now, ticket, is_gone, &mut turn.fx);
        }
        self.deliver(turn, cell, &mut queue);
        self.conclude(turn, cell, queue)
    }
}
