//! What happened, for whoever listens at the exchange `amq.rabbitmq.event`.
//!
//! While nothing is bound to it, nothing is noted. What is noted waits here until the shell publishes
//! it: by then no lock is held of those under which it happened.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use field_table::FieldTable;
use parking_lot::Mutex;
use stdx::Signal;
use topology::{Command, Event as Change, State};

use crate::{Broker, ChannelEntry, ConnectionEntry, Consumer, QueueRef};

/// The exchange.
pub const EVENT_EXCHANGE: &str = "amq.rabbitmq.event";

/// Occurrences that wait to be published; what comes while there are as many is lost.
const WAITING_MAX: usize = 16 * 1024;

/// Who did what nobody asked for, in RabbitMQ's words.
pub const INTERNAL_USER: &str = "rmq-internal";

/// Something that happened.
pub enum Occurrence {
    /// A command took effect.
    Changed {
        /// Who asked for it.
        actor: Arc<str>,
        /// The command.
        command: Command,
        /// What it came to.
        changes: Vec<Change>,
    },
    /// A client proved who it is, or did not.
    LoginTried(Box<LoginTried>),
    /// A connection is open.
    ConnectionOpened(Arc<ConnectionEntry>),
    /// It is gone.
    ConnectionClosed(Arc<ConnectionEntry>),
    /// A channel is open.
    ChannelOpened(Arc<ConnectionEntry>, Arc<ChannelEntry>),
    /// It is gone.
    ChannelClosed(Arc<ConnectionEntry>, Arc<ChannelEntry>),
    /// Somebody consumes from a queue.
    ConsumerAdded(Box<ConsumerFacts>),
    /// Or does no more.
    ConsumerRemoved(Box<ConsumerFacts>),
    /// An alarm is on or off: which of [`Alarms`](crate::Alarms).
    AlarmChanged {
        /// Its bit.
        bit: u8,
        /// Whether it is on now.
        is_on: bool,
    },
}

/// An attempt to log in.
#[derive(Clone, Debug)]
pub struct LoginTried {
    /// The user, as far as it was said.
    pub user: String,
    /// The mechanism.
    pub mechanism: &'static str,
    /// Name of the connection.
    pub connection: String,
    /// The client's address.
    pub peer_host: IpAddr,
    /// The client's port.
    pub peer_port: u16,
    /// Our address.
    pub host: IpAddr,
    /// TLS is spoken.
    pub is_encrypted: bool,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// What is known of a consumer.
#[derive(Clone, Debug)]
pub struct ConsumerFacts {
    /// Its queue.
    pub queue: QueueRef,
    /// Node-wide id of its channel.
    pub channel: u64,
    /// Its user.
    pub user: Arc<str>,
    /// Its tag.
    pub tag: Arc<str>,
    /// Deliveries are to be acknowledged.
    pub is_ack_required: bool,
    /// It consumes alone.
    pub is_exclusive: bool,
    /// Deliveries it may have without acknowledgement, 0 for no limit.
    pub prefetch: u32,
    /// Its arguments.
    pub arguments: FieldTable,
}

/// What waits to be published. A leaf in the lock order.
#[derive(Default)]
pub struct Events {
    /// Somebody listens: all that others have to look at.
    is_open: AtomicBool,
    waiting: Mutex<VecDeque<Occurrence>>,
    /// Raised when there is something to [take](Self::take).
    pub signal: Signal,
}

impl Events {
    /// Whether somebody listens.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Looks whether something is bound to the exchange.
    pub(crate) fn look(&self, state: &State, vhost: &str) {
        let is_bound = state.vhost(vhost).is_some_and(|it| it.has_bindings_from(EVENT_EXCHANGE));
        self.is_open.store(is_bound, Ordering::Relaxed);
    }

    /// Notes what happened, if somebody listens.
    #[inline]
    pub fn note(&self, occurrence: impl FnOnce() -> Occurrence) {
        if self.is_open() {
            self.push(occurrence());
        }
    }

    fn push(&self, occurrence: Occurrence) {
        let mut waiting = self.waiting.lock();
        if waiting.len() < WAITING_MAX {
            waiting.push_back(occurrence);
        }
        drop(waiting);
        self.signal.raise();
    }

    /// What was noted since the last call.
    pub fn take(&self) -> VecDeque<Occurrence> {
        std::mem::take(&mut *self.waiting.lock())
    }
}

impl Broker {
    /// A consumer came to a queue or left it; the caller may hold the queue's lock.
    pub(crate) fn note_consumer(&self, cell: &QueueRef, consumer: &Consumer, is_added: bool) {
        self.events.note(|| {
            let entry = consumer.mailbox.connection().and_then(|id| self.registry.get(id));
            let facts = Box::new(ConsumerFacts {
                queue: cell.clone(),
                channel: consumer.channel,
                user: entry.map_or_else(|| INTERNAL_USER.into(), |it| it.facts.user.clone()),
                tag: consumer.tag.clone(),
                is_ack_required: !consumer.is_no_ack,
                is_exclusive: consumer.is_exclusive,
                prefetch: consumer.prefetch,
                arguments: consumer.arguments.clone(),
            });
            match is_added {
                true => Occurrence::ConsumerAdded(facts),
                false => Occurrence::ConsumerRemoved(facts),
            }
        });
    }

    /// A connection is gone, and its channels with it.
    pub fn note_connection_closed(&self, connection: &Arc<ConnectionEntry>) {
        if !self.events.is_open() {
            return;
        }
        for channel in &*connection.channels.lock() {
            self.events.push(Occurrence::ChannelClosed(connection.clone(), channel.clone()));
        }
        self.events.push(Occurrence::ConnectionClosed(connection.clone()));
    }
}
