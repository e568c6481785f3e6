//! What a delivery from a quorum queue tells about those before it: headers that are not the
//! publisher's.

use amqp091_codec::BasicProperties;
use broker::{Attempts, Delivery};
use message::MessageRef;

/// How often a consumer had the message and gave it back.
const ACQUIRED: &str = "x-acquired-count";
/// How often its delivery failed.
const FAILURES: &str = "x-delivery-count";

/// Calls `f` with the message as it is to be sent.
pub(crate) fn with_attempts<R>(delivery: &Delivery<'_>, f: impl FnOnce(&MessageRef<'_>) -> R) -> R {
    let message = &delivery.message;
    match delivery.attempts.and_then(|attempts| properties_with(attempts, message.properties)) {
        Some(properties) => f(&MessageRef { properties: &properties, ..*message }),
        None => f(message),
    }
}

/// As RabbitMQ sends them: the headers sorted by name, the counts as longs, no zeros. A message that
/// failed only in queues before this one counts as acquired as often.
fn properties_with(attempts: Attempts, raw: &[u8]) -> Option<Vec<u8>> {
    let mut properties = BasicProperties::decode(raw).ok()?;
    let headers = properties.headers.get_or_insert_default();
    let Attempts { acquired, failures } = attempts;
    headers.set(ACQUIRED, i64::from(if acquired == 0 { failures } else { acquired }));
    if failures != 0 {
        headers.set(FAILURES, i64::from(failures));
    }
    headers.sort();
    Some(properties.to_bytes())
}

#[cfg(test)]
mod tests;
