//! Every metric: name, what it tells, where its number comes from. One line each, families in RabbitMQ's
//! order.

use operator::{ChannelFigures, ConnectionFigures, NodeFigures, QueueFigures, RaftFigures};
use statistics::MessageCount::{Ack, Confirm, Deliver, DeliverNoAck, DropUnroutable, Get, GetEmpty, GetNoAck, Publish, PublishIn, PublishOut, Redeliver, ReturnUnroutable};
use statistics::{AuthAttempts, Churn, DeadLetterCount};

use crate::counted::Counted;
use crate::families::{Breakdown, Described, ListedExchange, ListedVhost};
use crate::global::{Protocol, QueueType};
use crate::metric::{Family, Metric, Number, counter, gauge, gauge_of_each, untyped};

pub(crate) const CONNECTION_CHURN: Family<Churn> = Family {
    name: "connection_churn_metrics",
    metrics: &[
        counter("connections_opened_total", "Connections that were opened", |it| it.connection_created.into()),
        counter("connections_closed_total", "Connections that ended", |it| it.connection_closed.into()),
        counter("channels_opened_total", "Channels that were opened", |it| it.channel_created.into()),
        counter("channels_closed_total", "Channels that ended", |it| it.channel_closed.into()),
        counter("queues_declared_total", "Declarations of queues, of new ones and of others", |it| it.queue_declared.into()),
        counter("queues_created_total", "Queues that were made", |it| it.queue_created.into()),
        counter("queues_deleted_total", "Queues that were deleted", |it| it.queue_deleted.into()),
    ],
};

pub(crate) const NODE_COARSE: Family<NodeFigures> = Family {
    name: "node_coarse_metrics",
    metrics: &[
        gauge("process_open_fds", "Open file descriptors", |it| it.descriptors.into()),
        gauge("process_resident_memory_bytes", "Memory that counts against the watermark, bytes", |it| it.memory.into()),
        gauge("disk_space_available_bytes", "Free space where the data is, bytes", |it| it.disk_free.into()),
        gauge("erlang_processes_used", "Tasks, which stand in for Erlang's processes", |it| it.tasks.into()),
    ],
};

pub(crate) const NODE: Family<NodeFigures> = Family {
    name: "node_metrics",
    metrics: &[
        gauge("process_max_fds", "File descriptors that may be open", |it| it.descriptors_max.into()),
        gauge("resident_memory_limit_bytes", "Memory from which publishers wait, bytes", |it| it.memory_limit.into()),
        gauge("disk_space_available_limit_bytes", "Free space below which publishers wait, bytes", |it| it.disk_free_limit.into()),
        gauge("erlang_processes_limit", "Tasks that there may be", |it| it.tasks_max.into()),
        gauge("erlang_uptime_seconds", "Time since the node started", |it| (it.uptime_ms as f64 / 1000.0).into()),
    ],
};

pub(crate) const AUTH_ATTEMPTS: Family<AuthAttempts> = Family {
    name: "auth_attempt_metrics",
    metrics: &[
        counter("auth_attempts_total", "Logins that were tried", |it| (it.succeeded + it.failed).into()),
        counter("auth_attempts_succeeded_total", "Logins that were let in", |it| it.succeeded.into()),
        counter("auth_attempts_failed_total", "Logins that were turned away", |it| it.failed.into()),
    ],
};

pub(crate) const AUTH_ATTEMPTS_BY_SOURCE: Family<AuthAttempts> = Family {
    name: "auth_attempt_detailed_metrics",
    metrics: &[
        counter("auth_attempts_detailed_total", "Logins that were tried, by where they came from", |it| (it.succeeded + it.failed).into()),
        counter("auth_attempts_detailed_succeeded_total", "Logins that were let in, by where they came from", |it| it.succeeded.into()),
        counter("auth_attempts_detailed_failed_total", "Logins that were turned away, by where they came from", |it| it.failed.into()),
    ],
};

pub(crate) const QUEUE_COARSE: Family<QueueFigures> = Family {
    name: "queue_coarse_metrics",
    metrics: &[
        gauge("queue_messages_ready", "Messages that wait to be delivered", |it| it.ready.into()),
        gauge("queue_messages_unacked", "Messages that were delivered and are not settled", |it| it.unacked.into()),
        gauge("queue_messages", "All messages of the queue", |it| it.messages.into()),
    ],
};

const QUEUE_CONSUMERS: Metric<QueueFigures> =
    gauge("queue_consumers", "Consumers of the queue", |it| it.consumers.into());

pub(crate) const QUEUE_CONSUMER_COUNT: Family<QueueFigures> =
    Family { name: "queue_consumer_count", metrics: &[QUEUE_CONSUMERS] };

pub(crate) const QUEUE: Family<QueueFigures> = Family {
    name: "queue_metrics",
    metrics: &[
        QUEUE_CONSUMERS,
        gauge_of_each("queue_consumer_capacity", "Whether its consumers would take more at once, 0 to 1", |it| it.consumer_capacity.into()),
        gauge("queue_consumer_utilisation", "Another name of the capacity", |it| it.consumer_capacity.into()),
        gauge("queue_process_memory_bytes", "Memory of the queue and its messages, bytes", |it| it.memory.into()),
        gauge("queue_messages_ram", "Messages in memory", |it| in_memory(it, it.ready + it.unacked)),
        gauge("queue_messages_ram_bytes", "Bodies in memory, bytes", |it| in_memory(it, it.ready_bytes + it.unacked_bytes)),
        gauge("queue_messages_ready_ram", "Messages in memory that wait to be delivered", |it| in_memory(it, it.ready)),
        gauge("queue_messages_unacked_ram", "Messages in memory that are not settled", |it| in_memory(it, it.unacked)),
        gauge("queue_messages_persistent", "Messages that survive a restart", |it| it.persistent.into()),
        gauge_of_each("queue_messages_persistent_bytes", "Bodies that survive a restart, bytes", |it| it.persistent_bytes.into()),
        gauge("queue_messages_bytes", "Bodies of all messages, bytes", |it| (it.ready_bytes + it.unacked_bytes).into()),
        gauge("queue_messages_ready_bytes", "Bodies that wait to be delivered, bytes", |it| it.ready_bytes.into()),
        gauge("queue_messages_unacked_bytes", "Bodies that are not settled, bytes", |it| it.unacked_bytes.into()),
        gauge_of_each("queue_head_message_timestamp", "Timestamp of the next message, seconds", |it| it.head_message_timestamp.map_or(f64::NAN, |it| it as f64).into()),
    ],
};

pub(crate) const QUEUE_INFO: Family<Described> = Family {
    name: "queue_info",
    metrics: &[gauge("queue_info", "What kind of queue it is", |_| Number::Whole(1))],
};

pub(crate) const CHANNEL: Family<ChannelFigures> = Family {
    name: "channel_metrics",
    metrics: &[
        gauge("channel_consumers", "Consumers on the channel", |it| it.consumers.into()),
        gauge("channel_messages_unacked", "Deliveries that are not settled", |it| it.unacked.into()),
        gauge("channel_messages_unconfirmed", "Publishes that are not confirmed", |it| it.unconfirmed.into()),
        gauge("channel_messages_uncommitted", "Publishes of the open transaction", |it| it.uncommitted.into()),
        gauge("channel_acks_uncommitted", "Acknowledgements of the open transaction", |it| it.acks_uncommitted.into()),
        gauge("consumer_prefetch", "Deliveries that a new consumer may leave unsettled", |it| it.prefetch.into()),
        gauge("channel_prefetch", "RabbitMQ has given it up, and shows no more than a sum of nothing", |_| Number::None),
    ],
};

pub(crate) const CHANNEL_EXCHANGE: Family<Counted> = Family {
    name: "channel_exchange_metrics",
    metrics: &[
        counter("channel_messages_published_total", "Messages that the channel published to the exchange", |it| it.counts[Publish].into()),
        counter("channel_messages_confirmed_total", "Messages of these that were confirmed", |it| it.counts[Confirm].into()),
        counter("channel_messages_unroutable_returned_total", "Messages of these that no queue got, returned", |it| it.counts[ReturnUnroutable].into()),
        counter("channel_messages_unroutable_dropped_total", "Messages of these that no queue got, dropped", |it| it.counts[DropUnroutable].into()),
    ],
};

pub(crate) const CHANNEL_QUEUE: Family<Counted> = Family {
    name: "channel_queue_metrics",
    metrics: &[
        counter("channel_get_ack_total", "Messages that the channel fetched from the queue, to be acknowledged", |it| it.counts[Get].into()),
        counter("channel_get_total", "Messages that the channel fetched from the queue, not to be acknowledged", |it| it.counts[GetNoAck].into()),
        counter("channel_messages_delivered_ack_total", "Messages that the channel's consumers got from the queue, to be acknowledged", |it| it.counts[Deliver].into()),
        counter("channel_messages_delivered_total", "Messages that the channel's consumers got from the queue, not to be acknowledged", |it| it.counts[DeliverNoAck].into()),
        counter("channel_messages_redelivered_total", "Messages that the channel got and somebody had before", |it| it.counts[Redeliver].into()),
        counter("channel_messages_acked_total", "Messages that the channel acknowledged", |it| it.counts[Ack].into()),
        counter("channel_get_empty_total", "Fetches of the channel that found the queue empty", |it| it.counts[GetEmpty].into()),
    ],
};

pub(crate) const CONNECTION_COARSE: Family<ConnectionFigures> = Family {
    name: "connection_coarse_metrics",
    metrics: &[
        counter("connection_incoming_bytes_total", "Bytes that the client sent", |it| it.received_bytes.into()),
        counter("connection_outgoing_bytes_total", "Bytes that the client was sent", |it| it.sent_bytes.into()),
    ],
};

pub(crate) const CONNECTION: Family<ConnectionFigures> = Family {
    name: "connection_metrics",
    metrics: &[
        counter("connection_incoming_packets_total", "Reads from the client's socket", |it| it.received_packets.into()),
        counter("connection_outgoing_packets_total", "Writes to the client's socket", |it| it.sent_packets.into()),
        gauge("connection_pending_packets", "Writes that the client has yet to take", |it| it.pending_packets.into()),
        gauge("connection_channels", "Open channels", |it| it.channels.into()),
    ],
};

pub(crate) const EXCHANGE: Family<Counted> = Family {
    name: "exchange_metrics",
    metrics: &[
        counter("exchange_messages_published_total", "Messages that were published to the exchange", |it| it.counts[PublishIn].into()),
        counter("exchange_messages_confirmed_total", "Messages of these that were confirmed", |it| it.counts[Confirm].into()),
        counter("exchange_messages_unroutable_returned_total", "Messages of these that no queue got, returned", |it| it.counts[ReturnUnroutable].into()),
        counter("exchange_messages_unroutable_dropped_total", "Messages of these that no queue got, dropped", |it| it.counts[DropUnroutable].into()),
    ],
};

pub(crate) const QUEUE_DELIVERY: Family<Counted> = Family {
    name: "queue_delivery_metrics",
    metrics: &[
        counter("queue_get_ack_total", "Messages that were fetched, to be acknowledged", |it| it.counts[Get].into()),
        counter("queue_get_total", "Messages that were fetched, not to be acknowledged", |it| it.counts[GetNoAck].into()),
        counter("queue_messages_delivered_ack_total", "Messages that consumers got, to be acknowledged", |it| it.counts[Deliver].into()),
        counter("queue_messages_delivered_total", "Messages that consumers got, not to be acknowledged", |it| it.counts[DeliverNoAck].into()),
        counter("queue_messages_redelivered_total", "Messages that were delivered and somebody had before", |it| it.counts[Redeliver].into()),
        counter("queue_messages_acked_total", "Messages that were acknowledged", |it| it.counts[Ack].into()),
        counter("queue_get_empty_total", "Fetches that found the queue empty", |it| it.counts[GetEmpty].into()),
    ],
};

pub(crate) const QUEUE_EXCHANGE: Family<Counted> = Family {
    name: "queue_exchange_metrics",
    metrics: &[
        counter("queue_exchange_messages_published_total", "Messages that the exchange handed to the queue", |it| it.counts[Publish].into()),
    ],
};

/// RabbitMQ calls counters what are none, and so do dashboards' queries.
pub(crate) const RAFT: Family<RaftFigures> = Family {
    name: "ra_metrics",
    metrics: &[
        counter("raft_term", "The current term", |it| it.term.into()),
        counter("raft_commit_index", "The last entry that is committed", |it| it.commit_index.into()),
        gauge("raft_last_applied", "The last entry that took effect", |it| it.commit_index.into()),
        counter("raft_last_index", "The last entry, of the control plane alone", |it| it.queue.is_none().then_some(it.last_index).into()),
        counter("raft_last_written_index", "The last entry that is on the disk", |it| it.commit_index.into()),
        counter("raft_snapshot_index", "The last entry that a snapshot stands for", |it| it.snapshot_index.into()),
    ],
};

pub(crate) const TOTALS: Family<NodeFigures> = Family {
    name: "totals",
    metrics: &[
        gauge("connections", "Open connections", |it| it.connections.into()),
        gauge("channels", "Open channels", |it| it.channels.into()),
        gauge("consumers", "Consumers of all queues", |it| it.consumers.into()),
        gauge("queues", "Queues", |it| it.queues.into()),
    ],
};

pub(crate) const ALARMS: Family<NodeFigures> = Family {
    name: "alarms",
    metrics: &[
        untyped("alarms_free_disk_space_watermark", "1 while publishers wait for free space", |it| it.has_disk_alarm.into()),
        untyped("alarms_memory_used_watermark", "1 while publishers wait for free memory", |it| it.has_memory_alarm.into()),
    ],
};

pub(crate) const CLUSTER: Family<NodeFigures> = Family {
    name: "cluster",
    metrics: &[
        gauge("unreachable_cluster_peers_count", "Nodes of the cluster that cannot be reached", |_| Number::Whole(0)),
    ],
};

pub(crate) const PROTOCOLS: Family<Protocol> = Family {
    name: "global",
    metrics: &[
        counter("global_messages_received_total", "Messages that were published", |it| it.counted.counts[Publish].into()),
        counter("global_messages_received_confirm_total", "Messages that were published by who wants confirms", |it| it.counted.expecting_confirm.into()),
        counter("global_messages_confirmed_total", "Messages that were confirmed", |it| it.counted.counts[Confirm].into()),
        counter("global_messages_routed_total", "Copies of messages that queues got", |it| it.counted.counts[PublishOut].into()),
        counter("global_messages_unroutable_returned_total", "Messages that no queue got, returned", |it| it.counted.counts[ReturnUnroutable].into()),
        counter("global_messages_unroutable_dropped_total", "Messages that no queue got, dropped", |it| it.counted.counts[DropUnroutable].into()),
        gauge("global_publishers", "Channels that have published", |it| it.clients.map(|it| it.publishers).into()),
        gauge("global_consumers", "Consumers", |it| it.clients.map(|it| it.consumers).into()),
    ],
};

pub(crate) const QUEUE_TYPES: Family<QueueType> = Family {
    name: "global",
    metrics: &[
        counter("global_messages_delivered_total", "Messages that clients got", |it| it.0.counts.deliver_get().into()),
        counter("global_messages_delivered_consume_manual_ack_total", "Messages that consumers got, to be acknowledged", |it| it.0.counts[Deliver].into()),
        counter("global_messages_delivered_consume_auto_ack_total", "Messages that consumers got, not to be acknowledged", |it| it.0.counts[DeliverNoAck].into()),
        counter("global_messages_delivered_get_manual_ack_total", "Messages that were fetched, to be acknowledged", |it| it.0.counts[Get].into()),
        counter("global_messages_delivered_get_auto_ack_total", "Messages that were fetched, not to be acknowledged", |it| it.0.counts[GetNoAck].into()),
        counter("global_messages_get_empty_total", "Fetches that found a queue empty", |it| it.0.counts[GetEmpty].into()),
        counter("global_messages_redelivered_total", "Messages that were delivered and somebody had before", |it| it.0.counts[Redeliver].into()),
        counter("global_messages_acknowledged_total", "Messages that were acknowledged", |it| it.0.counts[Ack].into()),
    ],
};

pub(crate) const DEAD_LETTERS: Family<DeadLetterCount> = Family {
    name: "global",
    metrics: &[
        counter("global_messages_dead_lettered_maxlen_total", "Dead letters of queues that were full", |it| died(it, "maxlen")),
        counter("global_messages_dead_lettered_expired_total", "Dead letters that were too old", |it| died(it, "expired")),
        counter("global_messages_dead_lettered_rejected_total", "Dead letters that were rejected", |it| died(it, "rejected")),
        counter("global_messages_dead_lettered_delivery_limit_total", "Dead letters that were delivered too often", |it| died(it, "delivery_limit")),
        counter("global_messages_dead_lettered_confirmed_total", "Dead letters that are safe in another queue", |it| died(it, "confirmed")),
    ],
};

pub(crate) const MEMORY: Family<Breakdown> = Family {
    name: "node_memory",
    metrics: &[
        gauge("memory_code_module_bytes", "The program itself, bytes", |it| it.bytes_of("code")),
        gauge("memory_classic_queue_erlang_process_bytes", "Queues and their messages, bytes", |it| it.bytes_of("queue_procs")),
        gauge("memory_other_system_bytes", "Everything else, bytes", |it| it.bytes_of("other_system")),
    ],
};

pub(crate) const VHOST_STATUS: Family<ListedVhost> = Family {
    name: "vhost_status",
    metrics: &[gauge("vhost_status", "1 while the vhost can be used", |_| Number::Whole(1))],
};

pub(crate) const EXCHANGE_BINDINGS: Family<ListedExchange> = Family {
    name: "exchange_bindings",
    metrics: &[gauge("exchange_bindings", "Bindings of the exchange", |it| it.0.bindings.into())],
};

pub(crate) const EXCHANGE_NAMES: Family<ListedExchange> = Family {
    name: "exchange_names",
    metrics: &[gauge("exchange_name", "The exchanges that there are", |_| Number::Whole(1))],
};

/// Messages of classic queues count as held in memory, those of others as on the disk.
fn in_memory(queue: &QueueFigures, count: u64) -> Number {
    if queue.is_in_memory { count.into() } else { Number::Whole(0) }
}

/// Dead letters that died of this.
fn died(counted: &DeadLetterCount, reason: &str) -> Number {
    if counted.reason == reason { counted.count.into() } else { Number::None }
}
