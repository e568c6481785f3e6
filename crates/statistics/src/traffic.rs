//! What is handed over by those who count.

use std::sync::Arc;

use crate::MessageCounts;

/// What one channel (or what stands for one in another protocol) did since it was asked last. Only what
/// is not zero is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Node-wide id.
    pub channel: u64,
    /// Where its exchanges and queues are.
    pub vhost: Arc<str>,
    /// Label of Prometheus' global counters: `amqp091`, ...
    pub protocol: &'static str,
    /// By exchange: `publish`, `confirm`, `return_unroutable`, `drop_unroutable`.
    pub exchanges: Vec<(Arc<str>, MessageCounts)>,
    /// By queue: `deliver` to `ack`.
    pub queues: Vec<QueueTraffic>,
    /// Messages by exchange and the queue they were routed to.
    pub routes: Vec<(Arc<str>, Arc<str>, u64)>,
    /// It will not be heard of again.
    pub is_closed: bool,
}

/// See [`Traffic::queues`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueTraffic {
    /// The queue's name.
    pub queue: Arc<str>,
    /// `classic`, `quorum`, `stream`
    pub queue_type: &'static str,
    /// What happened.
    pub counts: MessageCounts,
}

/// What came and went since the node started.
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
