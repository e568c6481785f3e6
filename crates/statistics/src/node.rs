//! What is counted for a node as a whole, since it started.

use std::net::IpAddr;

/// What came and went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Churn {
    /// Connections opened.
    pub connection_created: u64,
    /// Connections closed.
    pub connection_closed: u64,
    /// Channels opened.
    pub channel_created: u64,
    /// Channels closed.
    pub channel_closed: u64,
    /// Declares of queues, also of those that were there.
    pub queue_declared: u64,
    /// Queues made.
    pub queue_created: u64,
    /// Queues deleted.
    pub queue_deleted: u64,
}

/// Messages that died in queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetterCount {
    /// `classic`, `quorum`
    pub queue_type: &'static str,
    /// `disabled` (there was nowhere to go), `at_most_once`, `at_least_once`
    pub strategy: &'static str,
    /// `expired`, `rejected`, `maxlen`, `delivery_limit`; or `confirmed`: those that are safe elsewhere.
    pub reason: &'static str,
    /// How many.
    pub count: u64,
}

/// Attempts to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthAttempts {
    /// `amqp091`, `http`, ...
    pub protocol: &'static str,
    /// From where, if that is told apart.
    pub source: Option<AuthSource>,
    /// How many were let in.
    pub succeeded: u64,
    /// How many were not.
    pub failed: u64,
}

/// Where an attempt to log in came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuthSource {
    /// The client's address.
    pub address: IpAddr,
    /// Whom it wanted to be; empty if that is not known.
    pub user: String,
}

/// Who works with messages now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clients {
    /// Channels that have published.
    pub publishers: u64,
    /// Consumers.
    pub consumers: u64,
}
