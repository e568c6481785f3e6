//! What the node writes into messages that pass it (`message_interceptors.*`).

use amqp091_codec::{BasicProperties, Properties};
use broker::Interceptors;
use field_table::{FieldTable, FieldValue, ShortStr};
use message::MessageRef;
use stdx::Timestamp;

/// When a message came in, milliseconds.
const RECEIVED_AT: &str = "timestamp_in_ms";
/// The node it came in through.
const ROUTED_BY: &str = "x-routed-by";
/// When it was sent to a consumer, milliseconds.
const SENT_AT: &str = "x-opt-rabbitmq-sent-time";

/// Marks a message that is published at `now` through `node`. The headers come out sorted by name,
/// as all that RabbitMQ adds to do.
pub(crate) fn mark_incoming(
    properties: &mut BasicProperties,
    interceptors: Interceptors,
    node: &str,
    now: Timestamp,
) {
    let headers = properties.headers.get_or_insert_default();
    if let Some(overwrites) = interceptors.timestamp {
        put(headers, RECEIVED_AT, now.0 as i64, overwrites);
        if overwrites || properties.timestamp.is_none() {
            properties.timestamp = Some(now.0 / 1000);
        }
    }
    if let Some(overwrites) = interceptors.routing_node {
        put(headers, ROUTED_BY, node, overwrites);
    }
    headers.sort();
}

/// The properties of a message that is sent to a consumer at `now`. What no client could have sent
/// is left as it is.
pub(crate) fn marked_outgoing(message: &MessageRef<'_>, now: Timestamp) -> Vec<u8> {
    let Ok(properties) = Properties::parse(message.properties) else {
        return message.properties.to_vec();
    };
    let mut properties = BasicProperties::from(properties);
    let headers = properties.headers.get_or_insert_default();
    put(headers, SENT_AT, now.0 as i64, true);
    headers.sort();
    properties.to_bytes()
}

fn put(
    headers: &mut FieldTable,
    name: &'static str,
    value: impl Into<FieldValue>,
    overwrites: bool,
) {
    if overwrites || headers.get(name).is_none() {
        headers.insert(ShortStr::literal(name), value);
    }
}
