//! Rows of listings. Each object is looked at under its own lock, one after the other.

mod cipher;

use std::sync::atomic::Ordering;

use broker::{ActivityStatus, Broker, ConnectionEntry, QueueRef};
use field_table::FieldTable;
use operator::{
    BindingInfo, ChannelInfo, ConnectionInfo, ConsumerInfo, Emit, ExchangeInfo, PeerInfo,
    PermissionInfo, QueueInfo, QueueSummary, Term, TopicPermissionInfo,
};
use topology::{BindingRef, ExchangeRecord, QueueKind, QueueRecord, Vhost};

/// The vhost's queues, sorted by name.
fn queues_of(broker: &Broker, vhost: &str) -> Vec<QueueRef> {
    let mut named: Vec<_> = {
        let topology = broker.topology();
        let records = topology.vhost(vhost).into_iter().flat_map(|it| it.queues());
        records.map(|it| (it.name.clone(), it.id)).collect()
    };
    // Sorted when nobody waits for the topology.
    named.sort_unstable();
    named.into_iter().filter_map(|(_, id)| broker.queue(id)).collect()
}

pub(super) fn queues(broker: &Broker, vhost: &str, emit: Emit<'_, QueueInfo>) {
    queues_of(broker, vhost).iter().map(|cell| queue(broker, cell)).for_each(emit);
}

pub(super) fn summaries(broker: &Broker, vhost: &str, emit: Emit<'_, QueueSummary>) {
    queues_of(broker, vhost).iter().map(|cell| summary(broker, cell)).for_each(emit);
}

fn summary(broker: &Broker, cell: &QueueRef) -> QueueSummary {
    let counts = broker.counts(cell);
    let record = &cell.record;
    QueueSummary {
        vhost: record.vhost.clone(),
        name: record.name.clone(),
        queue_type: record.kind.name(),
        messages_ready: counts.ready,
        messages_unacknowledged: counts.unacked,
        messages_aside: counts.delayed + counts.dead,
        message_bytes_ready: counts.ready_bytes,
        message_bytes_unacknowledged: counts.unacked_bytes,
        consumers: counts.consumers as u64,
        memory: counts.memory as u64,
    }
}

pub(super) fn queue(broker: &Broker, cell: &QueueRef) -> QueueInfo {
    let counts = broker.counts(cell);
    let record = &cell.record;
    let policies = policies_of(broker, record);
    let node = &broker.config().identity.node;
    let is_classic = record.kind == QueueKind::Classic;
    let in_ram = |count: u64| if is_classic { count } else { 0 };
    let (mut exclusive_consumer, mut single_active) = (None, None);
    if counts.consumers > 0 {
        broker.for_each_consumer(cell, |view| {
            let tag = || view.consumer.tag.to_string();
            if view.consumer.is_exclusive {
                exclusive_consumer = Some((view.consumer.channel, tag()));
            }
            if view.status == ActivityStatus::SingleActive {
                single_active = Some(tag());
            }
        });
    }
    let owner = record.owner.and_then(|id| broker.registry.get(id));
    QueueInfo {
        vhost: record.vhost.clone(),
        name: record.name.clone(),
        durable: record.durable,
        auto_delete: record.auto_delete,
        arguments: record.arguments.clone(),
        policy: policies.policy,
        operator_policy: policies.operator_policy,
        effective_policy_definition: policies.definition,
        pid: Some(broker.pid(record.id.0)),
        owner_pid: record.owner.map(|owner| broker.pid(owner.0)),
        owner: owner.as_deref().map(peer),
        exclusive: record.is_exclusive(),
        exclusive_consumer_pid: exclusive_consumer.as_ref().map(|(id, _)| broker.pid(*id)),
        exclusive_consumer_tag: exclusive_consumer.map(|(_, tag)| tag),
        single_active_consumer_tag: single_active,
        messages_ready: counts.ready,
        messages_unacknowledged: counts.unacked,
        messages_aside: counts.delayed + counts.dead,
        messages_ready_ram: in_ram(counts.ready),
        messages_unacknowledged_ram: in_ram(counts.unacked),
        messages_persistent: counts.persistent,
        message_bytes_ready: counts.ready_bytes,
        message_bytes_unacknowledged: counts.unacked_bytes,
        message_bytes_ram: in_ram(counts.ready_bytes + counts.unacked_bytes),
        message_bytes_persistent: counts.persistent_bytes,
        head_message_timestamp: counts.head_message_timestamp.filter(|_| is_classic),
        consumers: counts.consumers as u64,
        consumer_capacity: f64::from(u8::from(counts.has_ready_consumer)),
        memory: counts.memory as u64,
        state: "running".to_owned(),
        queue_type: record.kind.name().to_owned(),
        leader: node.clone(),
        members: vec![node.clone()],
        online: if is_classic { Vec::new() } else { vec![node.clone()] },
        ..QueueInfo::default()
    }
}

fn peer(connection: &ConnectionEntry) -> PeerInfo {
    let facts = &connection.facts;
    PeerInfo {
        name: facts.name.clone(),
        peer_host: facts.peer_host,
        peer_port: facts.peer_port,
        user: facts.user.to_string(),
    }
}

/// The policies that apply to a queue, by name, and what they come to.
#[derive(Default)]
struct Policies {
    policy: Option<String>,
    operator_policy: Option<String>,
    definition: Vec<(String, Term)>,
}

fn policies_of(broker: &Broker, queue: &QueueRecord) -> Policies {
    let topology = broker.topology();
    let Some(vhost) = topology.vhost(&queue.vhost) else { return Policies::default() };
    let applied = vhost.policies_of_queue(queue);
    let definition = applied.definition().unwrap_or_default();
    Policies {
        policy: applied.policy.map(|it| it.name.to_string()),
        operator_policy: applied.operator_policy.map(|it| it.name.to_string()),
        definition: definition.iter().map(|(key, value)| (key.clone(), value.into())).collect(),
    }
}

pub(super) fn exchanges(broker: &Broker, vhost: &str, emit: Emit<'_, ExchangeInfo>) {
    let rows: Vec<_> = {
        let topology = broker.topology();
        let Some(vhost) = topology.vhost(vhost) else { return };
        vhost.exchanges().map(|it| exchange(vhost, it)).collect()
    };
    rows.into_iter().for_each(emit);
}

pub(super) fn exchange(vhost: &Vhost, record: &ExchangeRecord) -> ExchangeInfo {
    ExchangeInfo {
        vhost: record.vhost.to_string(),
        name: record.name.to_string(),
        exchange_type: record.kind.name.to_owned(),
        durable: record.durable,
        auto_delete: record.auto_delete,
        internal: record.internal,
        arguments: record.arguments.clone(),
        policy: vhost.policies_of_exchange(record).policy.map(|it| it.name.to_string()),
    }
}

pub(super) fn bindings(broker: &Broker, vhost: &str, emit: Emit<'_, BindingInfo>) {
    bindings_where(broker, vhost, |_| true).into_iter().for_each(emit);
}

/// Bindings of a vhost that `is_wanted` names, the implicit ones of the default exchange first.
pub(super) fn bindings_where(
    broker: &Broker,
    vhost: &str,
    is_wanted: impl Fn(&BindingRef<'_>) -> bool,
) -> Vec<BindingInfo> {
    let topology = broker.topology();
    let bindings = topology.vhost(vhost).into_iter().flat_map(|it| it.bindings());
    bindings
        .filter(is_wanted)
        .map(|it| BindingInfo {
            vhost: vhost.to_owned(),
            source_name: it.source.to_owned(),
            destination_name: it.destination.to_owned(),
            destination_kind: it.destination_kind.name().to_owned(),
            routing_key: it.key.to_owned(),
            arguments: it.arguments.cloned().unwrap_or_default(),
        })
        .collect()
}

pub(super) fn consumers(broker: &Broker, vhost: &str, emit: Emit<'_, ConsumerInfo>) {
    for cell in queues_of(broker, vhost) {
        consumers_of(broker, &cell, emit);
    }
}

pub(super) fn consumers_of(broker: &Broker, cell: &QueueRef, emit: Emit<'_, ConsumerInfo>) {
    let mut rows = Vec::new();
    broker.for_each_consumer(cell, |view| {
        let consumer = view.consumer;
        let info = ConsumerInfo {
            vhost: cell.record.vhost.clone(),
            queue_name: cell.record.name.to_string(),
            channel_pid: broker.pid(consumer.channel),
            channel_number: consumer.key.channel,
            consumer_tag: consumer.tag.to_string(),
            exclusive: consumer.is_exclusive,
            ack_required: !consumer.is_no_ack,
            prefetch_count: u64::from(consumer.prefetch),
            active: view.is_active(),
            activity_status: view.status.as_str().to_owned(),
            timeout_ms: consumer.timeout_ms,
            arguments: consumer.arguments.clone(),
            peer: None,
        };
        rows.push((info, consumer.mailbox.connection()));
    });
    for (row, connection) in rows {
        let connection = connection.and_then(|id| broker.registry.get(id));
        emit(ConsumerInfo { peer: connection.as_deref().map(peer), ..row });
    }
}

pub(super) fn connections(broker: &Broker, emit: Emit<'_, ConnectionInfo>) {
    broker.registry.connections().iter().map(|entry| connection(broker, entry)).for_each(emit);
}

pub(super) fn connection(broker: &Broker, entry: &ConnectionEntry) -> ConnectionInfo {
    let facts = &entry.facts;
    let properties = FieldTable::decode_fields(&facts.client_properties);
    ConnectionInfo {
        id: entry.id.0,
        pid: broker.pid(entry.id.0),
        name: facts.name.clone(),
        port: facts.port,
        host: facts.host,
        peer_port: facts.peer_port,
        peer_host: facts.peer_host,
        tls: facts.tls.as_deref().map(cipher::info),
        state: entry.state(net::now()).name().to_owned(),
        channels: entry.channels.lock().len() as u64,
        protocol: facts.protocol.to_vec(),
        auth_mechanism: facts.auth_mechanism.clone(),
        user: facts.user.to_string(),
        vhost: facts.vhost.to_string(),
        timeout: u64::from(facts.heartbeat_s),
        frame_max: u64::from(facts.frame_max),
        channel_max: u64::from(facts.channel_max),
        client_properties: properties.unwrap_or_default(),
        recv_oct: entry.received_bytes.load(Ordering::Relaxed),
        recv_cnt: entry.received_packets.load(Ordering::Relaxed),
        send_oct: entry.sent_bytes.load(Ordering::Relaxed),
        send_cnt: entry.sent_packets.load(Ordering::Relaxed),
        send_pend: 0,
        connected_at: facts.connected_at.0,
    }
}

pub(super) fn channels(broker: &Broker, emit: Emit<'_, ChannelInfo>) {
    for entry in broker.registry.connections() {
        let channels = entry.channels.lock().clone();
        for channel in channels {
            let load =
                |counter: &std::sync::atomic::AtomicU32| u64::from(counter.load(Ordering::Relaxed));
            emit(ChannelInfo {
                id: channel.id,
                pid: broker.pid(channel.id),
                connection: broker.pid(entry.id.0),
                name: format!("{} ({})", entry.facts.name, channel.number),
                number: channel.number,
                user: entry.facts.user.to_string(),
                vhost: entry.facts.vhost.to_string(),
                transactional: channel.is_transactional.load(Ordering::Relaxed),
                confirm: channel.is_confirm.load(Ordering::Relaxed),
                consumer_count: load(&channel.consumers),
                messages_unacknowledged: load(&channel.unacked),
                messages_uncommitted: load(&channel.uncommitted),
                acks_uncommitted: load(&channel.acks_uncommitted),
                messages_unconfirmed: load(&channel.unconfirmed),
                prefetch_count: load(&channel.prefetch),
                global_prefetch_count: load(&channel.global_prefetch),
                peer: Some(peer(&entry)),
            });
        }
    }
}

/// Permissions of all users in all vhosts that `is_wanted` names.
pub(super) fn permissions(
    broker: &Broker,
    is_wanted: impl Fn(&str, &str) -> bool,
) -> Vec<PermissionInfo> {
    let mut rows = Vec::new();
    for user in broker.topology().users() {
        for (vhost, granted) in user.permissions() {
            if is_wanted(user.name(), vhost) {
                rows.push(PermissionInfo {
                    user: user.name().to_string(),
                    vhost: vhost.to_string(),
                    configure: granted.configure.as_str().to_owned(),
                    write: granted.write.as_str().to_owned(),
                    read: granted.read.as_str().to_owned(),
                });
            }
        }
    }
    rows
}

/// Topic permissions of all users in all vhosts that `is_wanted` names.
pub(super) fn topic_permissions(
    broker: &Broker,
    is_wanted: impl Fn(&str, &str) -> bool,
) -> Vec<TopicPermissionInfo> {
    let mut rows = Vec::new();
    for user in broker.topology().users() {
        for (vhost, exchange, granted) in user.topic_permissions() {
            if is_wanted(user.name(), vhost) {
                rows.push(TopicPermissionInfo {
                    user: user.name().to_string(),
                    vhost: vhost.to_string(),
                    exchange: exchange.to_string(),
                    write: granted.write.as_str().to_owned(),
                    read: granted.read.as_str().to_owned(),
                });
            }
        }
    }
    rows
}
