//! The columns of the `list_*` commands, in RabbitMQ's order.

use operator::{
    BindingInfo, ChannelInfo, ConnectionInfo, ConsumerInfo, ExchangeInfo, QueueInfo, Term, TlsInfo,
    VhostInfo,
};

/// A column's name and how to read it from a row.
pub(crate) type Column<T> = (&'static str, fn(&T) -> Term);

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

pub(crate) const EXCHANGE_COLUMNS: &[Column<ExchangeInfo>] = &[
    ("name", |x| Term::text(&x.name)),
    ("type", |x| Term::atom(&x.exchange_type)),
    ("durable", |x| x.durable.into()),
    ("auto_delete", |x| x.auto_delete.into()),
    ("internal", |x| x.internal.into()),
    ("arguments", |x| Term::from_table(&x.arguments)),
    ("policy", |x| Term::optional_text(x.policy.as_ref())),
];

pub(crate) const BINDING_COLUMNS: &[Column<BindingInfo>] = &[
    ("source_name", |b| Term::text(&b.source_name)),
    ("source_kind", |_| Term::atom("exchange")),
    ("destination_name", |b| Term::text(&b.destination_name)),
    ("destination_kind", |b| Term::atom(&b.destination_kind)),
    ("routing_key", |b| Term::text(&b.routing_key)),
    ("arguments", |b| Term::from_table(&b.arguments)),
];

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

fn queue_type(vhost: &VhostInfo) -> &str {
    vhost.default_queue_type.as_deref().unwrap_or("classic")
}

fn metadata(vhost: &VhostInfo) -> Term {
    let mut entries = vec![
        ("default_queue_type".to_owned(), Term::text(queue_type(vhost))),
        ("description".to_owned(), Term::text(&vhost.description)),
        ("tags".to_owned(), Term::atoms(&vhost.tags)),
    ];
    if vhost.protected_from_deletion {
        entries.push(("protected_from_deletion".to_owned(), true.into()));
    }
    Term::map(entries)
}

pub(crate) const VHOST_COLUMNS: &[Column<VhostInfo>] = &[
    ("name", |v| Term::text(&v.name)),
    ("description", |v| Term::text(&v.description)),
    ("tags", |v| Term::atoms(&v.tags)),
    ("default_queue_type", |v| Term::text(queue_type(v))),
    ("protected_from_deletion", |v| v.protected_from_deletion.into()),
    ("tracing", |v| v.tracing.into()),
    ("cluster_state", |v| {
        let pair = |(node, state): &(String, String)| {
            Term::Tuple(vec![Term::atom(node), Term::atom(state)])
        };
        Term::List(v.cluster_state.iter().map(pair).collect())
    }),
    ("metadata", metadata),
];
