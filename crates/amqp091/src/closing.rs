//! How channels and connections end: errors, close methods, the socket's end.

use std::sync::atomic::Ordering::Relaxed;

use amqp091_codec::{
    ChannelClose, ConnectionClose, ConnectionCloseOk, FrameError, MethodId, ReplyCode,
};
use broker::{ConnectionState, ConsumerId, Lsn, Occurrence, QueueRef, Settle, Status, Ticket};
use topology::Command;

use crate::connection::{Connection, Stage};
use crate::errors::{Failure, Fault};
use crate::handshake::SILENT_CLOSE_DELAY_MS;
use crate::pending::Then;
use crate::shared::Side;
use crate::work::Work;

/// Longest time a closing connection waits for the other side, in ms.
pub(crate) const CLOSING_TIMEOUT_MS: u64 = 30_000;

impl Connection {
    /// Ends what `fault` ends: the channel, the connection, or the socket at once.
    pub(crate) fn fail(&mut self, work: &mut Work<'_>, channel: u16, fault: Fault) {
        let failure = match fault {
            Fault::Failure(failure) => failure,
            Fault::Drop => {
                self.log_dropped();
                self.release_all(work);
                self.stage = Stage::Gone(Status::Aborted);
                return;
            }
        };
        match self.stage {
            Stage::Header | Stage::Starting | Stage::Tuning => self.fail_handshake(&failure),
            Stage::Running if channel != 0 && !failure.code.is_hard() => {
                self.close_channel(work, channel, &failure);
            }
            Stage::Opening | Stage::Running | Stage::Closing => {
                self.close_connection(work, channel, &failure);
            }
            Stage::Closed | Stage::Silent | Stage::Gone(_) => {}
        }
    }

    /// Nothing is said to a client that did not get as far as choosing a vhost.
    fn fail_handshake(&mut self, failure: &Failure) {
        if self.stage == Stage::Tuning && failure.code == ReplyCode::NotAllowed {
            self.log_negotiation_failed(failure.explanation());
        } else {
            self.log_handshake_error(failure.explanation());
        }
        self.stage = Stage::Silent;
        self.deadline = Some(self.now.plus_ms(SILENT_CLOSE_DELAY_MS));
    }

    /// The next frame cannot be found: the client is told, and the socket closed a little later.
    pub(crate) fn lose_sync(&mut self, work: &mut Work<'_>, error: FrameError) {
        let channel = error.channel();
        let was_closed = self.stage == Stage::Closed;
        self.fail(work, channel, error.into());
        if was_closed || self.stage == Stage::Closed {
            self.stage = Stage::Silent;
            self.deadline = Some(self.now.plus_ms(SILENT_CLOSE_DELAY_MS));
        }
    }

    /// A hard error: everything the connection holds is given back, and the client is told.
    fn close_connection(&mut self, work: &mut Work<'_>, channel: u16, failure: &Failure) {
        if failure.code == ReplyCode::ConnectionForced {
            self.log_forced(failure);
        } else if self.stage == Stage::Opening && failure.code == ReplyCode::NotAllowed {
            self.log_entry_refused(failure.explanation());
        } else {
            self.log_hard_error(channel, failure);
        }
        self.flush(work);
        self.release_all(work);
        self.delete_exclusive_queues();
        self.send_connection_close(failure);
        self.pending = None;
        self.close_after_answer();
    }

    pub(crate) fn send_connection_close(&self, failure: &Failure) {
        let MethodId { class_id, method_id } = failure.method;
        let reply_code = failure.code.code();
        let close = ConnectionClose { reply_code, reply_text: &failure.text, class_id, method_id };
        self.shared.send(0, close);
    }

    /// Nothing more is taken but the answer to our close, or the end of the socket.
    pub(crate) fn close_after_answer(&mut self) {
        self.stage = Stage::Closed;
        self.is_blocked = false;
        self.is_in_flow = false;
        self.no_room = None;
        let heartbeat_ms = u64::from(self.tuned.heartbeat) * 1000;
        let patience_ms = match heartbeat_ms {
            0 => CLOSING_TIMEOUT_MS,
            _ => heartbeat_ms.min(CLOSING_TIMEOUT_MS),
        };
        self.deadline = Some(self.now.plus_ms(patience_ms));
        if let Some(entry) = &self.entry {
            entry.set_state(ConnectionState::Closing);
        }
    }

    /// The client closes. Queues that go with its connection or its consumers are gone before it is
    /// told so: many clients open a new connection and use their names again.
    pub(crate) fn handle_close(&mut self, work: &mut Work<'_>) {
        self.flush(work);
        self.release_all(work);
        self.stage = Stage::Closing;
        let mut ids = std::mem::take(&mut self.exclusive_queues);
        ids.extend(work.turn.take_all_doomed());
        if ids.is_empty() {
            self.reply(0, ConnectionCloseOk {});
            self.close_after_answer();
        } else {
            let command = Command::DeleteQueues(ids);
            self.propose(work, 0, MethodId::NONE, command, Then::ConnectionClosed);
        }
    }

    /// An operator closes, or what the connection belongs to is deleted. A client that was told once
    /// and has not answered is not waited for any longer.
    pub(crate) fn handle_close_request(&mut self, work: &mut Work<'_>, reason: &str) {
        match self.stage {
            Stage::Running => {
                let failure = Failure::new(ReplyCode::ConnectionForced, reason);
                self.fail(work, 0, failure.into());
            }
            Stage::Closing => {}
            Stage::Closed => self.stage = Stage::Gone(Status::Draining),
            _ => self.stage = Stage::Gone(Status::Aborted),
        }
    }

    /// The stage took too long.
    pub(crate) fn handle_deadline(&mut self) {
        match self.stage {
            Stage::Header | Stage::Starting | Stage::Tuning | Stage::Opening => {
                self.log_handshake_timeout();
                self.stage = Stage::Gone(Status::Aborted);
            }
            // Who does not read the last bytes either gets no more time for them.
            Stage::Closed | Stage::Silent | Stage::Gone(_) => {
                self.stage = Stage::Gone(Status::Aborted);
            }
            Stage::Running | Stage::Closing => {}
        }
    }

    /// The socket is gone: everything the connection holds is given back.
    pub(crate) fn disconnect(&mut self, work: &mut Work<'_>) {
        self.log_disconnect();
        // What was proposed and is not answered yet finds nobody any more, see `propose`.
        self.shared.lock().is_gone = true;
        self.pending = None;
        self.handle_events(work);
        self.flush(work);
        self.release_all(work);
        self.delete_exclusive_queues();
        if let Some(entry) = self.entry.take() {
            self.broker.note_connection_closed(&entry);
            self.broker.registry.close(&entry);
            self.broker.forget_counting(self.id);
        }
        self.hold_until = Lsn(0);
        self.stage = Stage::Gone(Status::Aborted);
    }

    /// Has the exclusive queues deleted without waiting for it.
    fn delete_exclusive_queues(&mut self) {
        let ids = std::mem::take(&mut self.exclusive_queues);
        if !ids.is_empty() {
            self.broker.propose_with(Command::DeleteQueues(ids), Box::new(|_| {}));
        }
    }

    /// A soft error: the channel gives back what it holds and ignores input until the client has
    /// answered.
    fn close_channel(&mut self, work: &mut Work<'_>, number: u16, failure: &Failure) {
        self.log_soft_error(number, failure);
        self.flush(work);
        self.release_channel(work, number);
        let Some(channel) = self.channels.get_mut(number) else { return };
        channel.start_closing();
        let MethodId { class_id, method_id } = failure.method;
        let reply_code = failure.code.code();
        let close = ChannelClose { reply_code, reply_text: &failure.text, class_id, method_id };
        self.shared.send(number, close);
    }

    /// Gives back what all channels hold and forgets them.
    fn release_all(&mut self, work: &mut Work<'_>) {
        self.broker.leave_body_room(self.id);
        for number in self.channels.numbers() {
            self.release_channel(work, number);
            self.remove_channel(number);
        }
    }

    /// Forgets a channel that holds nothing.
    pub(crate) fn remove_channel(&mut self, number: u16) {
        let Some(channel) = self.channels.remove(number) else { return };
        let left = self.shared.lock().remove_channel(number);
        if let Some((traffic, was_heard_of)) = left {
            self.broker.leave_traffic(traffic, was_heard_of);
        }
        if let Some(entry) = &self.entry {
            self.broker
                .events
                .note(|| Occurrence::ChannelClosed(entry.clone(), channel.entry.clone()));
            self.broker.registry.close_channel(entry, &channel.entry);
        }
    }

    /// Ends a channel's consumers, requeues what it did not settle and drops its transaction.
    pub(crate) fn release_channel(&mut self, work: &mut Work<'_>, number: u16) {
        let Some(channel) = self.channels.get_mut(number) else { return };
        channel.consumers.clear();
        channel.confirms = None;
        let taken_back = channel.tx.take().map(|tx| tx.settlements).unwrap_or_default();
        if let Some(reply) = channel.reply_consumer.take() {
            self.broker.unregister_reply_consumer(&reply.address);
        }
        let side = {
            let mut inner = self.shared.lock();
            inner.parked.retain(|key| key.channel != number);
            let Some(side) = inner.channels.get_mut(number) else { return };
            let entry = side.entry.clone();
            for counter in [&entry.unacked, &entry.consumers, &entry.unconfirmed] {
                counter.store(0, Relaxed);
            }
            for counter in [&entry.uncommitted, &entry.acks_uncommitted] {
                counter.store(0, Relaxed);
            }
            let mut side = side.renew();
            side.unacked.put_back(taken_back.into_iter().map(|it| (it.tag, it.delivered)));
            side
        };
        self.give_back(work, side);
    }

    fn give_back(&mut self, work: &mut Work<'_>, mut side: Side) {
        // Consumers go first, so that they do not get back what they give back.
        for slot in &side.slots {
            if let (true, Some(queue), Some(consumer)) = (slot.is_live, &slot.queue, slot.consumer)
            {
                self.broker.cancel(&mut work.turn, queue, consumer);
            }
        }
        let mut by_slot: Vec<Vec<Ticket>> = Vec::new();
        by_slot.resize_with(side.slots.len(), Vec::new);
        side.unacked.take_all(|it| by_slot[it.slot as usize].push(it.ticket));
        for (slot, tickets) in side.slots.iter().zip(by_slot) {
            let Some(queue) = &slot.queue else { continue };
            if !tickets.is_empty() {
                self.requeue(work, queue, slot.consumer, &tickets);
            }
        }
    }

    fn requeue(
        &mut self,
        work: &mut Work<'_>,
        queue: &QueueRef,
        consumer: Option<ConsumerId>,
        tickets: &[Ticket],
    ) {
        let how = Settle::RequeueFailed;
        let lsn = self.broker.settle(&mut work.turn, queue, consumer, tickets, how);
        self.settled = self.settled.max(lsn);
    }
}
