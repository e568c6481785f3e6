//! The rest: names, the data directory, defaults of new queues, deprecated features.

use super::Key;
use crate::{
    ConfirmDurability,
    value::{boolean, one_of},
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
        name: "cluster_name",
        about: "name of the cluster, shown to clients",
        set: |typed, entry| {
            typed.config.cluster_name = Some(entry.value.to_owned());
            Ok(())
        },
    },
    Key {
        name: "default_queue_type",
        about: "type of queues that are declared without one",
        set: |typed, entry| {
            let choices = [
                ("classic", "classic"),
                ("quorum", "quorum"),
                ("stream", "stream"),
                ("rabbit_classic_queue", "classic"),
                ("rabbit_quorum_queue", "quorum"),
                ("rabbit_stream_queue", "stream"),
            ];
            typed.config.default_queue_type = one_of(entry.value, &choices)?.to_owned();
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
        name: "deprecated_features.permit.$name",
        about: "`false` forbids, `true` allows a deprecated feature",
        set: |typed, entry| {
            let is_permitted = boolean(entry.value)?;
            typed.config.deprecated_features.insert(entry.words.concat(), is_permitted);
            Ok(())
        },
    },
    Key {
        name: "reverse_dns_lookups",
        about: "show clients by host name",
        set: |typed, entry| {
            typed.config.reverse_dns_lookups = boolean(entry.value)?;
            Ok(())
        },
    },
];
