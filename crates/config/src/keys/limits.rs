//! What clients may use, and what is negotiated with them.

use std::time::Duration;

use super::Key;
use crate::value::{byte_size, integer, limit, timeout_ms};

/// RabbitMQ takes no more, whatever is configured.
const MESSAGE_SIZE_MAX: u64 = 512 << 20;

/// A frame must hold `connection.start-ok`.
const FRAME_MIN: u32 = 4096;

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "heartbeat",
        about: "seconds proposed to clients; 0 is off",
        set: |typed, entry| {
            typed.config.limits.heartbeat = integer(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "frame_max",
        about: "largest frame proposed to clients, bytes",
        set: |typed, entry| {
            typed.config.limits.frame_max = frame_size(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "initial_frame_max",
        about: "largest frame before tuning, bytes",
        set: |typed, entry| {
            typed.config.limits.initial_frame_max = frame_size(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "max_channels_per_connection",
        about: "channel_max proposed to clients; 0 is no limit",
        set: |typed, entry| {
            typed.config.limits.channel_max = integer(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "channel_max_per_node",
        about: "channels of all clients of this node",
        set: |typed, entry| {
            typed.config.limits.channel_max_per_node = limit(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "consumer_max_per_channel",
        about: "consumers of one channel",
        set: |typed, entry| {
            typed.config.limits.consumer_max_per_channel = limit(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "max_connections",
        about: "client connections of this node",
        set: |typed, entry| {
            typed.config.limits.max_connections = limit(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "max_message_size",
        about: "largest message body, bytes; at most 512 MiB",
        set: |typed, entry| {
            let size: u64 = integer(entry.value)?;
            if size == 0 || MESSAGE_SIZE_MAX < size {
                return Err(format!("{size} is not between 1 and {MESSAGE_SIZE_MAX} bytes"));
            }
            typed.config.limits.max_message_size = size;
            Ok(())
        },
    },
    Key {
        name: "consumer_timeout",
        about: "milliseconds a consumer of a quorum queue has to settle a delivery",
        set: |typed, entry| {
            let timeout_ms: u64 = integer(entry.value)?;
            if timeout_ms == 0 {
                return Err("0 is not more than 0 milliseconds".to_owned());
            }
            typed.config.limits.consumer_timeout_ms = timeout_ms;
            Ok(())
        },
    },
    Key {
        name: "handshake_timeout",
        about: "milliseconds a client has to open its connection, or `infinity`",
        set: |typed, entry| {
            typed.config.limits.handshake_timeout = timeout_ms(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "ssl_handshake_timeout",
        about: "milliseconds for the TLS handshake",
        set: |typed, entry| {
            typed.config.limits.tls_handshake_timeout =
                Duration::from_millis(integer(entry.value)?);
            Ok(())
        },
    },
    Key {
        name: "cluster_queue_limit",
        about: "queues that may exist",
        set: |typed, entry| {
            typed.config.limits.cluster_queue_limit = limit(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "cluster_exchange_limit",
        about: "exchanges that may exist",
        set: |typed, entry| {
            typed.config.limits.cluster_exchange_limit = limit(entry.value)?;
            Ok(())
        },
    },
    Key {
        name: "vhost_max",
        about: "vhosts that may exist",
        set: |typed, entry| {
            typed.config.limits.vhost_max = limit(entry.value)?;
            Ok(())
        },
    },
];

fn frame_size(text: &str) -> Result<u32, String> {
    let bytes = byte_size(text)?;
    match u32::try_from(bytes) {
        Ok(bytes) if bytes == 0 || FRAME_MIN <= bytes => Ok(bytes),
        _ => Err(format!("{bytes} is neither 0 nor between {FRAME_MIN} and {} bytes", u32::MAX)),
    }
}
