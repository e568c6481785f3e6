//! The rest: names, the data directory, deprecated features.

use super::Key;
use crate::{
    ConfirmDurability, QueueType,
    value::{boolean, information_unit, one_of},
};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "data_dir",
        about: "directory of everything durable (ours; RabbitMQ uses RABBITMQ_MNESIA_BASE)",
        set: |typed, entry| {
            typed.config.data_dir = Some(entry.value.into());
            Ok(())
        },
    },
    Key {
        name: "event_exchange.vhost",
        about: "the vhost whose exchange amq.rabbitmq.event tells of what happens",
        set: |typed, entry| {
            typed.config.event_vhost = Some(entry.value.to_owned());
            Ok(())
        },
    },
    Key {
        name: "cluster_name",
        about: "name of the cluster, shown to clients",
        set: |typed, entry| {
            typed.config.cluster_name = Some(entry.value.to_owned());
            Ok(())
        },
    },
    Key {
        name: "default_queue_type",
        about: "type of queues in vhosts that are made without one: classic, quorum or stream",
        set: |typed, entry| {
            // Names of RabbitMQ's modules, which it takes as well.
            let choices = [
                ("classic", QueueType::Classic),
                ("quorum", QueueType::Quorum),
                ("stream", QueueType::Stream),
                ("rabbit_classic_queue", QueueType::Classic),
                ("rabbit_quorum_queue", QueueType::Quorum),
                ("rabbit_stream_queue", QueueType::Stream),
            ];
            typed.config.default_queue_type = one_of(entry.value, &choices)?;
            Ok(())
        },
    },
    Key {
        name: "quorum_queue.property_equivalence.relaxed_checks_on_redeclaration",
        about: "declaring a quorum queue again as a classic one compares a few arguments only",
        set: |typed, entry| {
            typed.config.relax_quorum_redeclaration = boolean(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "classic_queue.confirm",
        about: "what a confirm of a persistent message promises: on the disk (fsync), or handed \
                to the operating system (os; RabbitMQ's promise) (ours)",
        set: |typed, entry| {
            let choices = [("fsync", ConfirmDurability::Fsync), ("os", ConfirmDurability::Os)];
            typed.config.classic_queue_confirm = one_of(entry.value, &choices)?;
            Ok(())
        },
    },
    Key {
        name: "message_memory_limit",
        about: "bytes of messages, in all classic queues together, that stay in memory; what is beyond goes \
                to disk, the oldest first (ours)",
        set: |typed, entry| {
            typed.config.message_memory_limit = information_unit(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "deprecated_features.permit.global_qos",
        about: "`false`: basic.qos with `global` is taken as per consumer",
        set: |typed, entry| {
            typed.config.deprecated.global_qos = boolean(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "deprecated_features.permit.transient_nonexcl_queues",
        about: "`false`: queues that are neither durable nor exclusive are refused",
        set: |typed, entry| {
            typed.config.deprecated.transient_nonexcl_queues = boolean(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "message_interceptors.incoming.set_header_timestamp.overwrite",
        about: "published messages get the time (timestamp_in_ms and timestamp); `true`: even if \
                they have one",
        set: |typed, entry| {
            typed.config.interceptors.timestamp = Some(boolean(entry.value)?);
            Ok(())
        },
    },
    Key {
        name: "message_interceptors.incoming.set_header_routing_node.overwrite",
        about: "published messages get the node's name (x-routed-by); `true`: even if they have one",
        set: |typed, entry| {
            typed.config.interceptors.routing_node = Some(boolean(entry.value)?);
            Ok(())
        },
    },
    Key {
        name: "message_interceptors.outgoing.timestamp.enabled",
        about: "delivered messages get the time (x-opt-rabbitmq-sent-time)",
        set: |typed, entry| {
            typed.config.interceptors.is_sent_time = boolean(entry.value)?;
            Ok(())
        },
    },
];
