//! Channels: what one is, and which method goes where. The methods are in a file for each class, the
//! class basic in several.

mod basic;
mod consume;
mod exchange;
pub(crate) mod publish;
mod queue;
mod settle;
mod tx;

use std::sync::Arc;

use ahash::AHashMap;
use amqp091_codec::{
    AccessRequestOk, ChannelClose, ChannelCloseOk, ChannelFlowOk, ChannelOpenOk, ConfirmSelect,
    ConfirmSelectOk, Method, MethodArguments, MethodId,
};
use broker::{ChannelEntry, Occurrence};
use std::sync::atomic::Ordering;
use topology::Command;

use crate::assembler::Assembly;
use crate::confirms::Confirms;
use crate::connection::Connection;
use crate::errors::{
    Failure, Fault, channel_error, no_previous_queue, not_allowed, not_implemented,
    precondition_failed, unimplemented_method,
};
use crate::pending::Then;
use crate::shared::Side;
use crate::work::Work;

pub(crate) use tx::Transaction;

/// How far a channel has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A frame came; `channel.open` is due.
    Starting,
    Open,
    /// We closed it: everything but the answer is ignored.
    Closing,
}

/// The consumer of direct replies on a channel.
#[derive(Debug)]
pub(crate) struct ReplyConsumer {
    pub(crate) tag: Arc<str>,
    /// What requests carry instead of `amq.rabbitmq.reply-to`.
    pub(crate) address: String,
    slot: u32,
}

/// A channel as its connection sees it. The half that delivers is [`Side`].
pub(crate) struct Channel {
    state: State,
    pub(crate) assembly: Assembly,
    pub(crate) entry: Arc<ChannelEntry>,
    /// Slots of consumers by tag.
    pub(crate) consumers: AHashMap<Arc<str>, u32>,
    pub(crate) confirms: Option<Box<Confirms>>,
    pub(crate) tx: Option<Box<Transaction>>,
    pub(crate) reply_consumer: Option<Box<ReplyConsumer>>,
    /// The queue declared last; an empty name in a method means it.
    last_queue: Option<Arc<str>>,
    /// Prefetch of consumers to come.
    prefetch: u16,
}

impl Channel {
    pub(crate) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.state == State::Closing
    }

    pub(crate) fn start_closing(&mut self) {
        self.state = State::Closing;
    }

    pub(crate) fn check_open(&self) -> Result<(), Failure> {
        match self.state {
            State::Starting => Err(channel_error("expected 'channel.open'")),
            State::Open | State::Closing => Ok(()),
        }
    }

    /// The tag of the next publish, which is to `exchange`; 0 when nobody waits for a confirm.
    #[inline]
    fn assign_tag(&mut self, exchange: &Arc<str>) -> u64 {
        self.confirms.as_mut().map_or(0, |confirms| confirms.assign(exchange))
    }

    /// The queue that a method names; the one declared last if it names none.
    fn queue_name<'a>(&'a self, name: &'a str) -> Result<&'a str, Failure> {
        match (name, &self.last_queue) {
            ("", Some(last)) => Ok(last),
            ("", None) => Err(no_previous_queue()),
            (name, _) => Ok(name),
        }
    }
}

impl Connection {
    /// A frame came on a channel that does not exist. As in RabbitMQ it exists from now on, open or
    /// not, and counts.
    pub(crate) fn create_channel(&mut self, number: u16) -> Result<(), Failure> {
        let (count, max) = (self.channels.len(), usize::from(self.tuned.channel_max));
        if max != 0 && max <= count {
            return Err(not_allowed(format!(
                "number of channels opened ({count}) has reached the negotiated channel_max ({max})"
            )));
        }
        let Some(connection) = &self.entry else { return Ok(()) };
        let entry = ChannelEntry { id: self.broker.next_id(), number, ..ChannelEntry::default() };
        let entry = {
            let topology = self.broker.topology();
            let config = self.broker.config();
            self.broker.registry.open_channel(connection, entry, config, &topology)?
        };
        self.broker.events.note(|| Occurrence::ChannelOpened(connection.clone(), entry.clone()));
        self.shared.lock().channels.insert(number, Box::new(Side::new(entry.clone())));
        let channel = Channel {
            state: State::Starting,
            assembly: Assembly::Method,
            entry,
            consumers: AHashMap::new(),
            confirms: None,
            tx: None,
            reply_consumer: None,
            last_queue: None,
            prefetch: 0,
        };
        self.channels.insert(number, Box::new(channel));
        Ok(())
    }

    /// The channel, which the caller has checked to exist.
    fn channel(&mut self, number: u16) -> &mut Channel {
        self.channels.get_mut(number).expect("dispatch found the channel")
    }

    /// A method without content on an existing channel.
    pub(crate) fn dispatch(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        method: &Method<'_>,
    ) -> Result<(), Fault> {
        let channel = self.channel(number);
        match (channel.state, method) {
            (State::Starting, Method::ChannelOpen(_)) => {
                channel.state = State::Open;
                self.reply(number, ChannelOpenOk::default());
                Ok(())
            }
            (State::Starting, _) => Err(channel_error("expected 'channel.open'").into()),
            (State::Open, _) => self.dispatch_open(work, number, method),
            (State::Closing, Method::ChannelCloseOk(_)) => {
                self.remove_channel(number);
                Ok(())
            }
            (State::Closing, Method::ChannelClose(_)) => {
                self.shared.send(number, ChannelCloseOk {});
                Ok(())
            }
            (State::Closing, _) => Ok(()),
        }
    }

    fn dispatch_open(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        method: &Method<'_>,
    ) -> Result<(), Fault> {
        // What was published or settled before has to have happened.
        self.flush(work);
        let id = method.ids();
        if !matches!(method, Method::ChannelOpen(_) | Method::ChannelClose(_)) {
            self.check_not_committing(number)?;
        }
        match method {
            Method::ChannelOpen(_) => {
                return Err(channel_error("second 'channel.open' seen").into());
            }
            Method::ChannelClose(_) => self.close_channel_by_client(work, number),
            Method::ChannelFlow(flow) if flow.active => {
                self.reply(number, ChannelFlowOk { active: true });
            }
            Method::ChannelFlow(_) => return Err(not_implemented("active=false").into()),
            Method::AccessRequest(_) => self.reply(number, AccessRequestOk { ticket: 1 }),
            Method::ExchangeDeclare(it) => self.declare_exchange(work, number, id, it)?,
            Method::ExchangeDelete(it) => self.delete_exchange(work, number, id, it)?,
            Method::ExchangeBind(it) => self.bind_exchange(work, number, id, it)?,
            Method::ExchangeUnbind(it) => self.unbind_exchange(work, number, id, it)?,
            Method::QueueDeclare(it) => self.declare_queue(work, number, id, it)?,
            Method::QueueBind(it) => self.bind_queue(work, number, id, it)?,
            Method::QueueUnbind(it) => self.unbind_queue(work, number, id, it)?,
            Method::QueuePurge(it) => self.purge_queue(work, number, it)?,
            Method::QueueDelete(it) => self.delete_queue(work, number, id, it)?,
            Method::BasicQos(it) => self.set_qos(work, number, it)?,
            Method::BasicConsume(it) => self.consume(work, number, it)?,
            Method::BasicCancel(it) => self.cancel(work, number, id, it),
            Method::BasicCancelOk(it) => self.handle_cancel_ok(work, number, it)?,
            Method::BasicGet(it) => self.get(work, number, it)?,
            Method::BasicAck(_) | Method::BasicNack(_) | Method::BasicReject(_) => {
                self.settle(work, number, method)?;
            }
            Method::BasicRecover(it) => self.recover(work, number, it.requeue, true)?,
            Method::BasicRecoverAsync(it) => self.recover(work, number, it.requeue, false)?,
            Method::TxSelect(_) => self.select_tx(number)?,
            Method::TxCommit(_) => self.commit_tx(work, number)?,
            Method::TxRollback(_) => self.roll_back_tx(number)?,
            Method::ConfirmSelect(it) => self.select_confirms(number, it)?,
            _ => return Err(unimplemented_method().into()),
        }
        Ok(())
    }

    fn close_channel_by_client(&mut self, work: &mut Work<'_>, number: u16) {
        self.send_confirms(self.broker.durable());
        self.release_channel(work, number);
        self.remove_channel(number);
        let doomed = work.turn.take_all_doomed();
        if doomed.is_empty() {
            self.reply(number, ChannelCloseOk {});
        } else {
            let command = Command::DeleteQueues(doomed);
            self.propose(work, number, ChannelClose::ID, command, Then::ChannelClosed);
        }
    }

    fn select_confirms(&mut self, number: u16, select: &ConfirmSelect) -> Result<(), Fault> {
        let channel = self.channel(number);
        if channel.tx.is_some() {
            return Err(precondition_failed("cannot switch from tx to confirm mode").into());
        }
        channel.confirms.get_or_insert_default();
        channel.entry.is_confirm.store(true, Ordering::Relaxed);
        self.has_confirms = true;
        if !select.nowait {
            self.reply(number, ConfirmSelectOk {});
        }
        Ok(())
    }
}

/// The ids of a method, for what is answered later.
type Ids = MethodId;
