//! The way from a queue to a connection, whatever its protocol.

use std::sync::Arc;

use message::MessageRef;
use statistics::Traffic;
use topology::{ConnectionId, Outcome, Refusal};

use crate::{Batch, ConsumerId, Lsn, QueueRef};

/// Which consumer of which channel of a connection a delivery is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConsumerKey {
    /// Channel number for AMQP 0-9-1; other protocols choose their own meaning.
    pub channel: u16,
    /// Index that the front-end chose when it subscribed.
    pub slot: u32,
}

/// What a mailbox took from a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intake {
    /// How many deliveries from the front of the batch were taken.
    pub taken: usize,
    /// The consumer cannot take more now: the queue parks it until the front-end calls
    /// [`crate::Broker::resume`].
    pub is_full: bool,
}

/// A connection as queues and the broker see it. A leaf in the lock order: implementations lock
/// only their own buffer and never call back.
pub trait Mailbox: Send + Sync {
    /// The connection it belongs to, if it is one that listings know.
    fn connection(&self) -> Option<ConnectionId> {
        None
    }

    /// Takes deliveries for one consumer. Called with the queue locked: append and return.
    fn deliver(&self, key: ConsumerKey, queue: &QueueRef, batch: &Batch<'_>) -> Intake;

    /// Follows each [`Self::deliver`] of a batch that [`Batch::is_retry`], before the queue unlocks:
    /// what it brought may be sent once `lsn` is durable, and not before this call. Whoever sends
    /// nothing need not care.
    fn release(&self, _lsn: Lsn) {}

    /// Takes a direct reply (`amq.rabbitmq.reply-to`) for one consumer, past any queue. False when
    /// that consumer is gone or its connection holds too much unread output already.
    fn deliver_reply(&self, key: ConsumerKey, message: &MessageRef<'_>) -> bool;

    /// Leaves an event for the connection's next turn. May be called with a queue locked.
    fn post(&self, event: Event);

    /// Hands over what the connection's channels counted since the last call. `take` runs with nothing
    /// locked. See [`crate::Broker::take_traffic`].
    fn take_traffic(&self, _take: &mut dyn FnMut(Traffic)) {}

    /// Makes the connection take a turn soon. Called after all locks are released; cheap when it
    /// is already awake.
    fn wake(&self);
}

/// A shared mailbox.
pub type MailboxRef = Arc<dyn Mailbox>;

/// What can happen to a connection from outside.
#[derive(Debug)]
pub enum Event {
    /// The queue of this consumer is gone, or its owner lost the right to read it.
    ConsumerCancelled(ConsumerKey),
    /// Deliveries of this consumer (or what `basic.get` got) were not settled in time, and the queue
    /// took them back. It gets nothing more until it settles them all the same.
    DeliveryTimedOut {
        /// The name its connection knows the consumer by.
        key: ConsumerKey,
        /// Which one, should the name have been given to another meanwhile.
        consumer: ConsumerId,
    },
    /// A control-plane command proposed with this token is applied (and durable) or refused.
    Committed {
        /// The token given to [`crate::Broker::propose`].
        token: u64,
        /// What applying it gave.
        result: Result<Outcome, Refusal>,
    },
    /// An operator, a deleted vhost or user, or a shutdown wants the connection closed:
    /// AMQP 0-9-1 says 320 CONNECTION_FORCED with this text.
    CloseRequested {
        /// The operator's text.
        reason: String,
    },
    /// A resource alarm was raised, changed or cleared; read [`crate::Broker::alarms`].
    AlarmsChanged,
    /// The journal failed: nothing will become durable any more.
    JournalFailed,
}
