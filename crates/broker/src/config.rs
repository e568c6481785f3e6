//! What an operator can set, in the units the broker works with.

use std::sync::Arc;

use topology::{QueueKind, State};

/// Facts that clients read in `connection.start` and operators in `status`.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Node name, such as `rabbit@localhost`.
    pub node: String,
    /// Cluster name: the node's name unless set.
    pub cluster_name: String,
    /// Product that clients look for before they use a feature.
    pub product: String,
    /// Version that clients compare with.
    pub version: String,
    /// The `platform` server property.
    pub platform: String,
    /// The `copyright` server property.
    pub copyright: String,
    /// The `information` server property.
    pub information: String,
}

/// What a node writes into messages that pass it (`message_interceptors.*`). `None` is nothing;
/// otherwise the flag says whether what a message has already is overwritten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interceptors {
    /// When a message is published: the time, as a header and as its timestamp.
    pub timestamp: Option<bool>,
    /// When a message is published: the node's name.
    pub routing_node: Option<bool>,
    /// When a message is sent to a consumer: the time.
    pub is_sent_time: bool,
}

impl Interceptors {
    /// Whether messages are changed when they are published.
    pub fn mark_incoming(self) -> bool {
        self.timestamp.is_some() || self.routing_node.is_some()
    }
}

/// Limits and defaults of a node. `None` means no limit.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// Who we say we are.
    pub identity: Identity,
    /// Largest frame offered to clients, in bytes, its header and end octet included.
    pub frame_max: u32,
    /// Largest frame before the connection is tuned, in bytes.
    pub initial_frame_max: u32,
    /// Channels offered to a client, 0 for no limit.
    pub channel_max: u16,
    /// Heartbeat offered to clients, in seconds, 0 for none.
    pub heartbeat_s: u16,
    /// Time from accept to `connection.open`, in milliseconds.
    pub handshake_timeout_ms: u64,
    /// Largest message body accepted, in bytes.
    pub max_message_size: u64,
    /// SASL mechanisms in the order announced.
    pub mechanisms: Vec<String>,
    /// Whom an ANONYMOUS login becomes: user and password. `None` refuses it.
    pub anonymous_login: Option<(String, String)>,
    /// Users that may only connect over loopback.
    pub loopback_users: Vec<String>,
    /// Open connections on this node.
    pub connections_max: Option<u64>,
    /// Open channels on this node.
    pub channels_per_node_max: Option<u64>,
    /// Consumers on one channel.
    pub consumers_per_channel_max: Option<u64>,
    /// Journal bytes not yet durable above which publishing connections wait.
    pub journal_backlog_max: u64,
    /// Bytes of bodies that came in part, on all connections together, above which further ones wait
    /// to begin.
    pub unfinished_bodies_max: u64,
    /// Bytes of messages in memory above which the oldest go to pages on disk. Publishers wait at twice
    /// as much.
    pub resident_max: u64,
    /// How long a consumer of a quorum queue may take to settle a delivery, in milliseconds, unless
    /// it or the queue says otherwise.
    pub consumer_timeout_ms: u64,
    /// The type of queues in vhosts that are made without saying one.
    pub default_queue_type: QueueKind,
    /// Global `basic.qos` limits the channel (the default here) instead of each consumer.
    pub is_global_qos_permitted: bool,
    /// What is written into messages.
    pub interceptors: Interceptors,
    /// The vhost whose [`EVENT_EXCHANGE`](crate::EVENT_EXCHANGE) tells of what happens.
    pub event_vhost: String,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            identity: Identity {
                node: "rabbit@localhost".to_owned(),
                cluster_name: "rabbit@localhost".to_owned(),
                product: "RabbitMQ".to_owned(),
                version: "4.3.6".to_owned(),
                platform: "Leveret".to_owned(),
                copyright: "Copyright (c) 2026 The Leveret authors".to_owned(),
                information: "Licensed under the Apache License 2.0".to_owned(),
            },
            frame_max: 131_072,
            initial_frame_max: 8192,
            channel_max: 2047,
            heartbeat_s: 60,
            handshake_timeout_ms: 10_000,
            max_message_size: 16 * 1024 * 1024,
            mechanisms: ["ANONYMOUS", "PLAIN", "AMQPLAIN"].map(str::to_owned).to_vec(),
            anonymous_login: Some(("guest".to_owned(), "guest".to_owned())),
            loopback_users: vec!["guest".to_owned()],
            connections_max: None,
            channels_per_node_max: None,
            consumers_per_channel_max: None,
            journal_backlog_max: 64 * 1024 * 1024,
            resident_max: 16 * 1024 * 1024,
            unfinished_bodies_max: 128 * 1024 * 1024,
            consumer_timeout_ms: 1_800_000,
            default_queue_type: QueueKind::Classic,
            is_global_qos_permitted: true,
            interceptors: Interceptors::default(),
            event_vhost: "/".to_owned(),
        }
    }
}

/// Checks who somebody is. The chain of backends lives in the shell.
pub trait Authenticator: Send + Sync {
    /// True when `password` is the user's. Never says which half was wrong.
    fn is_password_of(&self, state: &State, user: &str, password: &[u8]) -> bool;
}

/// A shared authenticator.
pub type AuthenticatorRef = Arc<dyn Authenticator>;
