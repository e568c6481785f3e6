//! The data plane: queues, consumers, settlement, expiry, dead letters, and what one node shares
//! among its connections.
//!
//! [`Queue`] is the pure machine: `&mut self`, time as an argument, effects as values. [`Broker`]
//! holds one behind each lock together with the [`topology`], and is what front-ends and operators
//! call. A connection is known as a [`Mailbox`] (the way in) and a [`Protocol`] (what drives it);
//! what makes things durable as a [`Journal`] and a [`Control`].
//!
//! Knows: RabbitMQ's semantics of messages in queues. Must not know: sockets, files, clocks,
//! threads, JSON, or the frames of any protocol.
#![forbid(unsafe_code)]

mod attempts;
mod cell;
mod config;
mod crashes;
mod cycles;
pub mod dead_letter;
mod deaths;
mod events;
mod firehose;
mod hub;
mod journal;
mod mailbox;
mod outbox;
mod pages;
mod protocol;
mod queue;
mod registry;
mod reply;
mod republish;
pub mod testing;
mod timers;
mod traffic;
mod turn;

pub use cell::{QueueCell, QueueRef};
pub use config::{Authenticator, AuthenticatorRef, BrokerConfig, Identity, Interceptors};
pub use crashes::Crashes;
pub use cycles::{Cycle, Cycles};
pub use events::{ConsumerFacts, EVENT_EXCHANGE, Events, INTERNAL_USER, LoginTried, Occurrence};
pub use firehose::{Party, Trace};
pub use hub::{
    Alarms, BodyRoom, Broker, DamagedPage, NoRoom, PageJob, Published, Reading, Recovered,
};
pub use journal::{Completion, Control, Done, Journal, Lsn};
pub use mailbox::{ConsumerKey, Event, Intake, Mailbox, MailboxRef};
pub use outbox::Outbox;
pub use pages::{PageDamage, PageRef, Pages};
pub use protocol::{Protocol, Status};
pub use queue::{
    ActivityStatus, Attempts, Batch, ConsumeRefusal, Consumer, ConsumerId, ConsumerView, Counts,
    Damaged, DeadLetter, DeathReason, Delivery, Effects, Getter, Got, MessageId, PageOut, Queue,
    Recovery, Settle, Sight, TakenOut, Ticket,
};
pub use registry::{
    ChannelEntry, ConnectionEntry, ConnectionFacts, ConnectionState, Registry, TlsFacts,
};
pub use reply::REPLY_TO;
pub use timers::Timers;
pub use turn::Turn;
