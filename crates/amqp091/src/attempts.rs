//! What consumers see of a message's headers: not the BCC keys, and from a quorum queue what it
//! tells about earlier deliveries.

use amqp091_codec::BasicProperties;
use broker::{Attempts, Delivery};
use message::{BLIND_COPIES, MessageRef, has_blind_copies};

/// How often a consumer had the message and gave it back.
const ACQUIRED: &str = "x-acquired-count";
/// How often its delivery failed.
const FAILURES: &str = "x-delivery-count";

/// Calls `f` with the message as it is to be sent.
pub(crate) fn with_attempts<R>(delivery: &Delivery<'_>, f: impl FnOnce(&MessageRef<'_>) -> R) -> R {
    let message = &delivery.message;
    match delivery.attempts.and_then(|attempts| properties_with(attempts, message.properties)) {
        Some(properties) => f(&MessageRef { properties: &properties, ..*message }),
        None => without_blind_copies(message, f),
    }
}

/// Calls `f` with the message as clients may see it.
pub(crate) fn without_blind_copies<R>(
    message: &MessageRef<'_>,
    f: impl FnOnce(&MessageRef<'_>) -> R,
) -> R {
    if !has_blind_copies(message.properties) {
        return f(message);
    }
    let properties = visible(message.properties).map(|it| it.to_bytes());
    let properties = properties.as_deref().unwrap_or(message.properties);
    f(&MessageRef { properties, ..*message })
}

/// The properties without BCC keys.
fn visible(raw: &[u8]) -> Option<BasicProperties> {
    let mut properties = BasicProperties::decode(raw).ok()?;
    if has_blind_copies(raw) {
        properties.headers.as_mut().and_then(|headers| headers.remove(BLIND_COPIES));
    }
    Some(properties)
}

/// As RabbitMQ sends them: the headers sorted by name, the counts as longs, no zeros. A message that
/// failed only in queues before this one counts as acquired as often.
fn properties_with(attempts: Attempts, raw: &[u8]) -> Option<Vec<u8>> {
    let mut properties = visible(raw)?;
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
