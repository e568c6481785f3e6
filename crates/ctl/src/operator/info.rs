//! Rows of the `list_*` commands, in RabbitMQ's terms, and their columns in its order.

use std::net::IpAddr;

use field_table::FieldTable;

use crate::Term;

/// A column's name and how to read it from a row.
pub(crate) type Column<T> = (&'static str, fn(&T) -> Term);

/// One queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueueInfo {
    /// Its name in the vhost.
    pub name: String,
    /// Survives a restart.
    pub durable: bool,
    /// Goes with its last consumer.
    pub auto_delete: bool,
    /// Arguments of the declare; classic queues always show `x-queue-type`.
    pub arguments: FieldTable,
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
    /// Belongs to one connection.
    pub exclusive: bool,
    /// Channel of the exclusive or single active consumer.
    pub exclusive_consumer_pid: Option<String>,
    /// Tag of that consumer.
    pub exclusive_consumer_tag: Option<String>,
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

/// RabbitMQ writes a whole 0 where nothing was measured, and a float otherwise.
fn share(value: f64) -> Term {
    if value == 0.0 { Term::Int(0) } else { Term::Float(value) }
}

/// What RabbitMQ knows of classic queues alone.
fn of_classic(queue: &QueueInfo, value: impl Into<Term>) -> Term {
    if queue.queue_type == "classic" { value.into() } else { Term::nothing() }
}

pub(crate) const QUEUE_COLUMNS: &[Column<QueueInfo>] = &[
    ("name", |q| Term::text(&q.name)),
    ("durable", |q| q.durable.into()),
    ("auto_delete", |q| q.auto_delete.into()),
    ("arguments", |q| Term::from_table(&q.arguments)),
    ("policy", |q| Term::optional_text(q.policy.as_ref())),
    ("operator_policy", |q| Term::optional_text(q.operator_policy.as_ref())),
    ("effective_policy_definition", |q| Term::map(q.effective_policy_definition.clone())),
    ("pid", |q| Term::optional_pid(q.pid.as_ref())),
    ("owner_pid", |q| Term::optional_pid(q.owner_pid.as_ref())),
    ("exclusive", |q| of_classic(q, q.exclusive)),
    ("exclusive_consumer_pid", |q| Term::optional_pid(q.exclusive_consumer_pid.as_ref())),
    ("exclusive_consumer_tag", |q| Term::optional_text(q.exclusive_consumer_tag.as_ref())),
    ("messages_ready", |q| q.messages_ready.into()),
    ("messages_unacknowledged", |q| q.messages_unacknowledged.into()),
    ("messages", |q| (q.messages_ready + q.messages_unacknowledged + q.messages_aside).into()),
    ("messages_ready_ram", |q| of_classic(q, q.messages_ready_ram)),
    ("messages_unacknowledged_ram", |q| of_classic(q, q.messages_unacknowledged_ram)),
    ("messages_ram", |q| (q.messages_ready_ram + q.messages_unacknowledged_ram).into()),
    ("messages_persistent", |q| of_classic(q, q.messages_persistent)),
    ("message_bytes", |q| of_classic(q, q.message_bytes_ready + q.message_bytes_unacknowledged)),
    ("message_bytes_ready", |q| of_classic(q, q.message_bytes_ready)),
    ("message_bytes_unacknowledged", |q| of_classic(q, q.message_bytes_unacknowledged)),
    ("message_bytes_ram", |q| q.message_bytes_ram.into()),
    ("message_bytes_persistent", |q| of_classic(q, q.message_bytes_persistent)),
    ("head_message_timestamp", |q| q.head_message_timestamp.map_or_else(Term::nothing, Term::from)),
    ("disk_reads", |q| of_classic(q, q.disk_reads)),
    ("disk_writes", |q| of_classic(q, q.disk_writes)),
    ("consumers", |q| q.consumers.into()),
    ("consumer_utilisation", |q| of_classic(q, share(q.consumer_capacity))),
    ("consumer_capacity", |q| of_classic(q, share(q.consumer_capacity))),
    ("memory", |q| q.memory.into()),
    ("state", |q| Term::atom(&q.state)),
    ("type", |q| Term::atom(&q.queue_type)),
    ("leader", |q| Term::atom(&q.leader)),
    ("members", |q| Term::atoms(&q.members)),
    ("online", |q| if q.online.is_empty() { Term::nothing() } else { Term::atoms(&q.online) }),
];

/// One exchange.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExchangeInfo {
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

pub(crate) const EXCHANGE_COLUMNS: &[Column<ExchangeInfo>] = &[
    ("name", |x| Term::text(&x.name)),
    ("type", |x| Term::atom(&x.exchange_type)),
    ("durable", |x| x.durable.into()),
    ("auto_delete", |x| x.auto_delete.into()),
    ("internal", |x| x.internal.into()),
    ("arguments", |x| Term::from_table(&x.arguments)),
    ("policy", |x| Term::optional_text(x.policy.as_ref())),
];

/// One binding. The source is an exchange.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BindingInfo {
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

pub(crate) const BINDING_COLUMNS: &[Column<BindingInfo>] = &[
    ("source_name", |b| Term::text(&b.source_name)),
    ("source_kind", |_| Term::atom("exchange")),
    ("destination_name", |b| Term::text(&b.destination_name)),
    ("destination_kind", |b| Term::atom(&b.destination_kind)),
    ("routing_key", |b| Term::text(&b.routing_key)),
    ("arguments", |b| Term::from_table(&b.arguments)),
];

/// One client connection.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionInfo {
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

fn tls_atom(connection: &ConnectionInfo, read: fn(&TlsInfo) -> &String) -> Term {
    connection.tls.as_ref().map_or_else(Term::nothing, |tls| Term::atom(read(tls)))
}

fn tls_text(connection: &ConnectionInfo, read: fn(&TlsInfo) -> &Option<String>) -> Term {
    Term::optional_text(connection.tls.as_ref().and_then(|tls| read(tls).as_ref()))
}

pub(crate) const CONNECTION_COLUMNS: &[Column<ConnectionInfo>] = &[
    ("pid", |c| Term::Pid(c.pid.clone())),
    ("name", |c| Term::text(&c.name)),
    ("port", |c| u64::from(c.port).into()),
    ("host", |c| Term::Address(c.host)),
    ("peer_port", |c| u64::from(c.peer_port).into()),
    ("peer_host", |c| Term::Address(c.peer_host)),
    ("ssl", |c| c.tls.is_some().into()),
    ("ssl_protocol", |c| tls_atom(c, |tls| &tls.protocol)),
    ("ssl_key_exchange", |c| tls_atom(c, |tls| &tls.key_exchange)),
    ("ssl_cipher", |c| tls_atom(c, |tls| &tls.cipher)),
    ("ssl_hash", |c| tls_atom(c, |tls| &tls.hash)),
    ("peer_cert_subject", |c| tls_text(c, |tls| &tls.peer_cert_subject)),
    ("peer_cert_issuer", |c| tls_text(c, |tls| &tls.peer_cert_issuer)),
    ("peer_cert_serial_number", |c| tls_text(c, |tls| &tls.peer_cert_serial_number)),
    ("peer_cert_validity", |c| tls_text(c, |tls| &tls.peer_cert_validity)),
    ("state", |c| Term::atom(&c.state)),
    ("channels", |c| c.channels.into()),
    ("protocol", |c| Term::Tuple(c.protocol.iter().map(|n| Term::Int((*n).into())).collect())),
    ("auth_mechanism", |c| Term::text(&c.auth_mechanism)),
    ("user", |c| Term::text(&c.user)),
    ("vhost", |c| Term::text(&c.vhost)),
    // AMQP 1.0's container identifier; other protocols have none.
    ("container_id", |_| Term::nothing()),
    ("timeout", |c| c.timeout.into()),
    ("frame_max", |c| c.frame_max.into()),
    ("channel_max", |c| c.channel_max.into()),
    ("client_properties", |c| Term::from_table(&c.client_properties)),
    ("recv_oct", |c| c.recv_oct.into()),
    ("recv_cnt", |c| c.recv_cnt.into()),
    ("send_oct", |c| c.send_oct.into()),
    ("send_cnt", |c| c.send_cnt.into()),
    ("send_pend", |c| c.send_pend.into()),
    ("connected_at", |c| c.connected_at.into()),
];

/// One channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelInfo {
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
}

pub(crate) const CHANNEL_COLUMNS: &[Column<ChannelInfo>] = &[
    ("pid", |c| Term::Pid(c.pid.clone())),
    ("connection", |c| Term::Pid(c.connection.clone())),
    ("name", |c| Term::text(&c.name)),
    ("number", |c| u64::from(c.number).into()),
    ("user", |c| Term::text(&c.user)),
    ("vhost", |c| Term::text(&c.vhost)),
    ("transactional", |c| c.transactional.into()),
    ("confirm", |c| c.confirm.into()),
    ("consumer_count", |c| c.consumer_count.into()),
    ("messages_unacknowledged", |c| c.messages_unacknowledged.into()),
    ("messages_uncommitted", |c| c.messages_uncommitted.into()),
    ("acks_uncommitted", |c| c.acks_uncommitted.into()),
    ("messages_unconfirmed", |c| c.messages_unconfirmed.into()),
    ("prefetch_count", |c| c.prefetch_count.into()),
];

/// One consumer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConsumerInfo {
    /// What it consumes from.
    pub queue_name: String,
    /// Through which channel.
    pub channel_pid: String,
    /// As chosen by the client or the broker.
    pub consumer_tag: String,
    /// Whether deliveries must be settled.
    pub ack_required: bool,
    /// 0 is no limit.
    pub prefetch_count: u64,
    /// Gets messages (`false`: waits to become the single active one).
    pub active: bool,
    /// `up`, `single_active`, `waiting`, `suspected_down`
    pub activity_status: String,
    /// Arguments of the consume.
    pub arguments: FieldTable,
}

pub(crate) const CONSUMER_COLUMNS: &[Column<ConsumerInfo>] = &[
    ("queue_name", |c| Term::text(&c.queue_name)),
    ("channel_pid", |c| Term::Pid(c.channel_pid.clone())),
    ("consumer_tag", |c| Term::text(&c.consumer_tag)),
    ("ack_required", |c| c.ack_required.into()),
    ("prefetch_count", |c| c.prefetch_count.into()),
    ("active", |c| c.active.into()),
    ("activity_status", |c| Term::atom(&c.activity_status)),
    ("arguments", |c| Term::from_table(&c.arguments)),
];

/// One user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserInfo {
    /// Login name.
    pub name: String,
    /// `administrator`, `monitoring`, ...
    pub tags: Vec<String>,
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
    /// `running` or `stopped`, by node.
    pub cluster_state: Vec<(String, String)>,
}

impl VhostInfo {
    fn queue_type(&self) -> &str {
        self.default_queue_type.as_deref().unwrap_or("classic")
    }

    fn metadata(&self) -> Term {
        let mut entries = vec![
            ("default_queue_type".to_owned(), Term::text(self.queue_type())),
            ("description".to_owned(), Term::text(&self.description)),
            ("tags".to_owned(), Term::atoms(&self.tags)),
        ];
        if self.protected_from_deletion {
            entries.push(("protected_from_deletion".to_owned(), true.into()));
        }
        Term::map(entries)
    }
}

pub(crate) const VHOST_COLUMNS: &[Column<VhostInfo>] = &[
    ("name", |v| Term::text(&v.name)),
    ("description", |v| Term::text(&v.description)),
    ("tags", |v| Term::atoms(&v.tags)),
    ("default_queue_type", |v| Term::text(v.queue_type())),
    ("protected_from_deletion", |v| v.protected_from_deletion.into()),
    ("tracing", |v| v.tracing.into()),
    ("cluster_state", |v| {
        let pair = |(node, state): &(String, String)| {
            Term::Tuple(vec![Term::atom(node), Term::atom(state)])
        };
        Term::List(v.cluster_state.iter().map(pair).collect())
    }),
    ("metadata", VhostInfo::metadata),
];
