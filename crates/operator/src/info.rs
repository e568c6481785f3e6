//! Rows of listings, in RabbitMQ's terms.

use std::net::IpAddr;
use std::sync::Arc;

use field_table::FieldTable;

use crate::{LimitSet, Term};

/// One queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueueInfo {
    /// Where it is.
    pub vhost: Arc<str>,
    /// Its name in the vhost.
    pub name: Arc<str>,
    /// Survives a restart.
    pub durable: bool,
    /// Goes with its last consumer.
    pub auto_delete: bool,
    /// Arguments of the declare; classic queues always show `x-queue-type`.
    pub arguments: Arc<FieldTable>,
    /// The policy that applies.
    pub policy: Option<String>,
    /// The operator policy that applies.
    pub operator_policy: Option<String>,
    /// What both come to, by key.
    pub effective_policy_definition: Vec<(String, Term)>,
    /// `<rabbit@host.1795205311.3177.0>`
    pub pid: Option<String>,
    /// The connection that an exclusive queue belongs to.
    pub owner_pid: Option<String>,
    /// The same in other words, while it is open.
    pub owner: Option<PeerInfo>,
    /// Belongs to one connection.
    pub exclusive: bool,
    /// Channel of the exclusive or single active consumer.
    pub exclusive_consumer_pid: Option<String>,
    /// Tag of that consumer.
    pub exclusive_consumer_tag: Option<String>,
    /// Tag of the one that gets messages, where there is one such.
    pub single_active_consumer_tag: Option<String>,
    /// Waiting to be delivered.
    pub messages_ready: u64,
    /// Delivered, not yet settled.
    pub messages_unacknowledged: u64,
    /// Neither: those of quorum queues that wait for a retry or for being safe elsewhere.
    pub messages_aside: u64,
    /// Of the ready ones, in memory.
    pub messages_ready_ram: u64,
    /// Of the unacknowledged ones, in memory.
    pub messages_unacknowledged_ram: u64,
    /// Persistent ones of all.
    pub messages_persistent: u64,
    /// Body bytes of the ready ones.
    pub message_bytes_ready: u64,
    /// Body bytes of the unacknowledged ones.
    pub message_bytes_unacknowledged: u64,
    /// Body bytes in memory.
    pub message_bytes_ram: u64,
    /// Body bytes of the persistent ones.
    pub message_bytes_persistent: u64,
    /// The `timestamp` property of the first ready message, seconds.
    pub head_message_timestamp: Option<u64>,
    /// Messages read from disk since the start.
    pub disk_reads: u64,
    /// Messages written to disk since the start.
    pub disk_writes: u64,
    /// How many consume.
    pub consumers: u64,
    /// Share of the time in which messages could be delivered at once, 0 to 1.
    pub consumer_capacity: f64,
    /// Bytes, everything included.
    pub memory: u64,
    /// `running`, `idle`, `flow`, `down`, ...
    pub state: String,
    /// `classic`, `quorum`, `stream`
    pub queue_type: String,
    /// The node that serves it.
    pub leader: String,
    /// Nodes with a replica.
    pub members: Vec<String>,
    /// Replicas that are up; empty for classic queues.
    pub online: Vec<String>,
}

/// One exchange.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExchangeInfo {
    /// Where it is.
    pub vhost: String,
    /// Its name in the vhost; empty for the default exchange.
    pub name: String,
    /// `direct`, `fanout`, ...
    pub exchange_type: String,
    /// Survives a restart.
    pub durable: bool,
    /// Goes with its last binding.
    pub auto_delete: bool,
    /// Takes messages from other exchanges only.
    pub internal: bool,
    /// Arguments of the declare.
    pub arguments: FieldTable,
    /// The policy that applies.
    pub policy: Option<String>,
}

/// One binding. The source is an exchange.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BindingInfo {
    /// Where it is.
    pub vhost: String,
    /// Exchange; empty for the default one.
    pub source_name: String,
    /// Queue or exchange.
    pub destination_name: String,
    /// `queue` or `exchange`
    pub destination_kind: String,
    /// The binding key.
    pub routing_key: String,
    /// Arguments of the bind.
    pub arguments: FieldTable,
}

/// One client connection.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionInfo {
    /// What statistics know it by.
    pub id: u64,
    /// `<rabbit@host.1795205311.3177.0>`
    pub pid: String,
    /// `127.0.0.1:33260 -> 127.0.0.1:5672`
    pub name: String,
    /// This side's port.
    pub port: u16,
    /// This side's address.
    pub host: IpAddr,
    /// The client's port.
    pub peer_port: u16,
    /// The client's address.
    pub peer_host: IpAddr,
    /// What is known of TLS; `None` on a plain connection.
    pub tls: Option<TlsInfo>,
    /// `running`, `blocked`, `closing`, ...
    pub state: String,
    /// How many are open.
    pub channels: u64,
    /// `[0, 9, 1]`
    pub protocol: Vec<u8>,
    /// `PLAIN`
    pub auth_mechanism: String,
    /// Who logged in.
    pub user: String,
    /// Where to.
    pub vhost: String,
    /// Heartbeat, seconds.
    pub timeout: u64,
    /// Negotiated, bytes.
    pub frame_max: u64,
    /// Negotiated.
    pub channel_max: u64,
    /// As sent in `connection.start-ok`.
    pub client_properties: FieldTable,
    /// Bytes received.
    pub recv_oct: u64,
    /// Packets (reads) received.
    pub recv_cnt: u64,
    /// Bytes sent.
    pub send_oct: u64,
    /// Packets (writes) sent.
    pub send_cnt: u64,
    /// Bytes waiting to be sent.
    pub send_pend: u64,
    /// Milliseconds since 1970.
    pub connected_at: u64,
}

/// What a TLS connection shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsInfo {
    /// `tlsv1.3`
    pub protocol: String,
    /// `any`, `ecdhe_rsa`, ...
    pub key_exchange: String,
    /// `aes_256_gcm`
    pub cipher: String,
    /// `aead`
    pub hash: String,
    /// Of the client's certificate, if it sent one.
    pub peer_cert_subject: Option<String>,
    /// See `peer_cert_subject`.
    pub peer_cert_issuer: Option<String>,
    /// See `peer_cert_subject`.
    pub peer_cert_serial_number: Option<String>,
    /// See `peer_cert_subject`.
    pub peer_cert_validity: Option<String>,
}

/// A connection as other objects refer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// `127.0.0.1:33260 -> 127.0.0.1:5672`
    pub name: String,
    /// The client's address.
    pub peer_host: IpAddr,
    /// The client's port.
    pub peer_port: u16,
    /// Who logged in.
    pub user: String,
}

/// One channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelInfo {
    /// What statistics know it by.
    pub id: u64,
    /// Its connection.
    pub peer: Option<PeerInfo>,
    /// `<rabbit@host.1795205311.3177.0>`
    pub pid: String,
    /// Its connection's identifier.
    pub connection: String,
    /// `127.0.0.1:33260 -> 127.0.0.1:5672 (1)`
    pub name: String,
    /// On the connection.
    pub number: u16,
    /// Who logged in.
    pub user: String,
    /// Where to.
    pub vhost: String,
    /// After `tx.select`.
    pub transactional: bool,
    /// After `confirm.select`.
    pub confirm: bool,
    /// How many consume through it.
    pub consumer_count: u64,
    /// Delivered, not yet settled.
    pub messages_unacknowledged: u64,
    /// Published in the open transaction.
    pub messages_uncommitted: u64,
    /// Acknowledgements in the open transaction.
    pub acks_uncommitted: u64,
    /// Published, not yet confirmed.
    pub messages_unconfirmed: u64,
    /// For new consumers; 0 is no limit.
    pub prefetch_count: u64,
    /// Of the channel as a whole; 0 is no limit.
    pub global_prefetch_count: u64,
}

/// One consumer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConsumerInfo {
    /// Where it is.
    pub vhost: Arc<str>,
    /// What it consumes from.
    pub queue_name: String,
    /// Through which channel.
    pub channel_pid: String,
    /// The channel's number on its connection.
    pub channel_number: u16,
    /// The channel's connection.
    pub peer: Option<PeerInfo>,
    /// As chosen by the client or the broker.
    pub consumer_tag: String,
    /// Shuts others out.
    pub exclusive: bool,
    /// Whether deliveries must be settled.
    pub ack_required: bool,
    /// 0 is no limit.
    pub prefetch_count: u64,
    /// Gets messages (`false`: waits to become the single active one).
    pub active: bool,
    /// `up`, `single_active`, `waiting`, `suspected_down`
    pub activity_status: String,
    /// For settling a delivery, milliseconds.
    pub timeout_ms: u64,
    /// Arguments of the consume.
    pub arguments: FieldTable,
}

/// One user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserInfo {
    /// Login name.
    pub name: String,
    /// `administrator`, `monitoring`, ...
    pub tags: Vec<String>,
    /// Base64 of salt and digest; empty for a user without a password.
    pub password_hash: String,
    /// `rabbit_password_hashing_sha256`
    pub hashing_algorithm: String,
    /// Its limits.
    pub limits: LimitSet,
}

/// What a user may do in a vhost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionInfo {
    /// Who.
    pub user: String,
    /// Where.
    pub vhost: String,
    /// Names it may declare and delete (pattern).
    pub configure: String,
    /// Names it may publish to (pattern).
    pub write: String,
    /// Names it may consume from (pattern).
    pub read: String,
}

/// Which routing keys a user may use on a topic exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicPermissionInfo {
    /// Who.
    pub user: String,
    /// Where.
    pub vhost: String,
    /// On which exchange.
    pub exchange: String,
    /// Keys it may publish with (pattern).
    pub write: String,
    /// Keys it may bind with (pattern).
    pub read: String,
}

/// One vhost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VhostInfo {
    /// Its name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Free words.
    pub tags: Vec<String>,
    /// `classic`, `quorum`, `stream`; `None` leaves it to the node.
    pub default_queue_type: Option<String>,
    /// Whether `delete_vhost` is refused.
    pub protected_from_deletion: bool,
    /// Whether messages are copied to `amq.rabbitmq.trace`.
    pub tracing: bool,
    /// Its limits.
    pub limits: LimitSet,
    /// `running` or `stopped`, by node.
    pub cluster_state: Vec<(String, String)>,
}
