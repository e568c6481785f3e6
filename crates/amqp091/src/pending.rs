//! Control-plane commands that a method waits for.

use amqp091_codec::{
    BasicCancelOk, ChannelCloseOk, ConnectionCloseOk, ExchangeBindOk, ExchangeDeclareOk,
    ExchangeDeleteOk, ExchangeUnbindOk, MethodId, QueueBindOk, QueueDeleteOk, QueueUnbindOk,
};
use broker::{Broker, Event};
use topology::{Command, ConnectionId, Outcome, QueueId, Refusal};

use crate::connection::Connection;
use crate::errors::{Failure, Fault};
use crate::log::log_fallbacks;
use crate::work::Work;

/// A proposed command. Input waits until it is durable and applied, or refused.
#[derive(Debug)]
pub(crate) struct Pending {
    token: u64,
    channel: u16,
    method: MethodId,
    then: Then,
}

/// What to do when the command is applied.
#[derive(Clone, Debug)]
pub(crate) enum Then {
    /// The client does not want to hear of it.
    Nothing,
    ExchangeDeclared,
    ExchangeDeleted,
    ExchangeBound,
    ExchangeUnbound,
    QueueBound,
    QueueUnbound,
    QueueDeclared {
        nowait: bool,
    },
    QueueDeleted {
        message_count: u32,
        nowait: bool,
    },
    /// The queue that was to go with its last consumer is gone; `tag` is named in the answer.
    ConsumerEnded {
        tag: Option<Box<str>>,
    },
    /// The queues that were to go with the channel's consumers are gone.
    ChannelClosed,
    /// The exclusive queues are gone: the connection may say that it is closed.
    ConnectionClosed,
}

impl Connection {
    /// Proposes a command on behalf of a method; input waits for the outcome.
    pub(crate) fn propose(
        &mut self,
        work: &mut Work<'_>,
        channel: u16,
        method: MethodId,
        command: Command,
        then: Then,
    ) {
        self.flush(work);
        // What goes with a connection goes by itself.
        let is_asked = !matches!(then, Then::ConnectionClosed);
        let token = self.next_token;
        self.next_token += 1;
        self.pending = Some(Box::new(Pending { token, channel, method, then }));
        let (broker, shared, owner) = (self.broker.clone(), self.shared.clone(), self.id);
        let done = Box::new(move |result| {
            let mut inner = shared.lock();
            if inner.is_gone {
                drop(inner);
                delete_orphan(&broker, owner, &result);
                return;
            }
            inner.events.push(Event::Committed { token, result });
            drop(inner);
            shared.signal.raise();
        });
        match is_asked {
            true => self.broker.propose_as(self.user.clone(), command, done),
            false => self.broker.propose_with(command, done),
        }
        // A control plane that commits at once saves the wait.
        self.handle_events(work);
    }

    /// Handles everything that was posted, in order.
    pub(crate) fn handle_events(&mut self, work: &mut Work<'_>) {
        let (events, hold) = {
            let mut inner = self.shared.lock();
            (std::mem::take(&mut inner.events), inner.take_hold())
        };
        self.hold_for(hold);
        for event in events {
            match event {
                Event::Committed { token, result } => self.handle_committed(work, token, result),
                Event::ConsumerCancelled(key) => self.handle_consumer_cancelled(work, key),
                Event::DeliveryTimedOut { key, consumer } => {
                    self.handle_delivery_timed_out(work, key, consumer);
                }
                Event::CloseRequested { reason } => self.handle_close_request(work, &reason),
                Event::AlarmsChanged => self.handle_alarms(),
                Event::JournalFailed => self.fail(work, 0, Failure::internal().into()),
            }
        }
    }

    fn handle_committed(
        &mut self,
        work: &mut Work<'_>,
        token: u64,
        result: Result<Outcome, Refusal>,
    ) {
        let Some(pending) = self.pending.take_if(|it| it.token == token) else {
            // The connection was closed meanwhile.
            return delete_orphan(&self.broker, self.id, &result);
        };
        let Pending { channel, method, then, .. } = *pending;
        if let Ok(Outcome::QueueDeclared { queue, created: true }) = &result {
            if let Some(queue) = self.broker.queue(queue.id) {
                log_fallbacks(&queue);
            }
            if queue.owner == Some(self.id) {
                self.own(queue.id);
            }
        }
        // The server closed the channel meanwhile: what comes after that is an answer to nothing.
        if self.channels.get(channel).is_some_and(|it| it.is_closing()) {
            return;
        }
        match result {
            Ok(outcome) => self.conclude(work, channel, then, outcome),
            Err(_) if matches!(then, Then::ConnectionClosed) => {
                self.conclude(work, channel, then, Outcome::Done);
            }
            Err(refusal) => {
                self.fail(work, channel, Fault::from(Failure::from(refusal).of(method)));
            }
        }
    }

    /// Notes an exclusive queue, and forgets those that are gone by now and then.
    fn own(&mut self, queue: QueueId) {
        if self.exclusive_queues.len() == self.exclusive_queues.capacity() {
            let broker = &self.broker;
            self.exclusive_queues.retain(|id| broker.queue(*id).is_some());
        }
        self.exclusive_queues.push(queue);
    }

    fn conclude(&mut self, work: &mut Work<'_>, channel: u16, then: Then, outcome: Outcome) {
        match then {
            Then::Nothing => {}
            Then::ExchangeDeclared => self.reply(channel, ExchangeDeclareOk {}),
            Then::ExchangeDeleted => self.reply(channel, ExchangeDeleteOk {}),
            Then::ExchangeBound => self.reply(channel, ExchangeBindOk {}),
            Then::ExchangeUnbound => self.reply(channel, ExchangeUnbindOk {}),
            Then::QueueBound => self.reply(channel, QueueBindOk {}),
            Then::QueueUnbound => self.reply(channel, QueueUnbindOk {}),
            Then::QueueDeclared { nowait } => {
                if let Outcome::QueueDeclared { queue, .. } = outcome {
                    self.finish_declare_queue(work, channel, &queue, nowait);
                }
            }
            Then::QueueDeleted { message_count, nowait } => {
                if !nowait {
                    self.reply(channel, QueueDeleteOk { message_count });
                }
            }
            Then::ConsumerEnded { tag } => {
                if let Some(tag) = tag {
                    self.reply(channel, BasicCancelOk { consumer_tag: &tag });
                }
            }
            Then::ChannelClosed => self.reply(channel, ChannelCloseOk {}),
            Then::ConnectionClosed => {
                self.reply(0, ConnectionCloseOk {});
                self.close_after_answer();
            }
        }
    }
}

/// Deletes an exclusive queue whose connection ended while it was being declared.
fn delete_orphan(broker: &Broker, owner: ConnectionId, result: &Result<Outcome, Refusal>) {
    if let Ok(Outcome::QueueDeclared { queue, created: true }) = result
        && queue.owner == Some(owner)
    {
        broker.propose_with(Command::DeleteQueues(vec![queue.id]), Box::new(|_| {}));
    }
}
