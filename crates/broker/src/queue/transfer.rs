//! Messages on their way to another queue: they are copied there first and leave then.
//!
//! In between they are out of the order and count as unacknowledged. The journal hears nothing of that:
//! a crash brings them back to their places.

use message::{History, Image};
use stdx::Timestamp;

use super::ledger::Fate;
use super::messages::Aside;
use super::quorum::NOBODY;
use super::unread::Waiting;
use super::{Effects, MessageId, Queue, Settle, Settlement, Ticket};

/// A message that is out of the order. Give it back by [`Queue::end_take_out`].
#[derive(Debug)]
pub struct TakenOut {
    /// Which message it is.
    pub id: MessageId,
    /// What names it until it is given back.
    pub ticket: Ticket,
    /// What it says.
    pub image: Image,
    /// What queues did to it before; how often it failed in this one does not count elsewhere.
    pub history: History,
}

impl Queue {
    /// Takes a ready message out of the order, wherever it stands. `None` if there is none of this name,
    /// or it cannot be read.
    pub fn take_out(&mut self, id: MessageId, fx: &mut Effects) -> Option<TakenOut> {
        self.settle_got(fx);
        if !self.load_seq(id.level(), id.seq(), fx) {
            return None;
        }
        let ticket = self.messages.find(id)?;
        self.take_out_loaded(ticket, fx)
    }

    /// As [`Self::take_out`], the next message to deliver.
    pub fn take_out_head(&mut self, now: Timestamp, fx: &mut Effects) -> Option<TakenOut> {
        self.settle_got(fx);
        self.catch_up(now, fx);
        let horizon = self.expiry_horizon(now);
        self.drop_expired(horizon, fx);
        if self.is_behind || !self.load_head_body(fx) {
            return None;
        }
        let ticket = self.messages.head_ticket()?;
        self.take_out_loaded(ticket, fx)
    }

    fn take_out_loaded(&mut self, ticket: Ticket, fx: &mut Effects) -> Option<TakenOut> {
        if !self.load_body(ticket, fx) {
            return None;
        }
        let found = self.messages.away(ticket)?;
        let (header, image) = (found.header, found.message().to_image());
        if !self.messages.take_out(ticket) {
            return None;
        }
        if let Some(quorum) = &mut self.quorum {
            quorum.taken_out.insert(header.seq);
        }
        let weight = self.weight(&header);
        self.ready -= 1;
        self.ready_bytes -= weight;
        self.unacked += 1;
        self.unacked_bytes += weight;
        let history = super::history_of(&header, 0);
        Some(TakenOut { id: MessageId::of(ticket), ticket, image, history })
    }

    /// Gives back what was taken out: what `is_gone` is safe somewhere else and leaves, the rest is
    /// ready again where it stood.
    pub fn end_take_out(
        &mut self,
        now: Timestamp,
        ticket: Ticket,
        is_gone: bool,
        fx: &mut Effects,
    ) {
        self.settle_got(fx);
        if let Some(quorum) = &mut self.quorum {
            quorum.taken_out.remove(&ticket.seq());
        }
        if !self.load_taken(ticket, fx) {
            let how = if is_gone { Settle::Ack } else { Settle::Requeue };
            return self
                .unread
                .wait(Waiting::Settle(ticket, Settlement { now, how, holder: NOBODY }));
        }
        let Some(header) = self.messages.taken(ticket).map(|found| found.header) else { return };
        self.count_unacked_out(&header);
        if is_gone {
            return self.finish(ticket, &header, fx);
        }
        self.ready += 1;
        self.ready_bytes += self.weight(&header);
        let message = Aside::new(ticket, &header);
        let Some(quorum) = &mut self.quorum else {
            self.messages.put_in_place(ticket, &header);
            return;
        };
        let came_back = quorum.ledger.get(header.seq).is_some_and(|it| it.fate == Fate::Returned);
        if came_back || !self.messages.put_in_place(ticket, &header) {
            let attempts = quorum.ledger.attempts_of(&header);
            self.messages.update_flags(ticket, super::REDELIVERED, super::UNACKED);
            quorum.ledger.set(&header, attempts, Fate::Returned);
            self.messages.put_in_front(message);
        }
    }
}
