//! What a message looks like after it died in a queue, and where it must not go again.
//!
//! Knows RabbitMQ's `x-death` headers. Leaves finding the exchange, routing and publishing to the
//! hub.

pub(crate) mod properties;
mod revival;
#[cfg(test)]
mod tests;

use field_table::{FieldTable, FieldValue};
use message::{BLIND_COPIES, HAS_BLIND_COPIES, History, Incoming, MessageRef};
use stdx::Timestamp;

use crate::{DeadLetter, DeathReason};
use properties::Properties;
pub use revival::{Revival, as_published};

const DEATHS: &str = "x-death";

/// Longest routing key that a frame can carry, in bytes. An `x-dead-letter-routing-key` is a long
/// string and may be longer: it routes as it is, and consumers see its front.
const ROUTING_KEY_MAX: usize = u8::MAX as usize;

/// A dead letter, rewritten for its way through the dead letter exchange.
#[derive(Clone, Debug)]
pub struct Reincarnation {
    exchange: Vec<u8>,
    /// What it is routed by: its key first, then CC and BCC unless the queue has a key of its own.
    routing_keys: Vec<Vec<u8>>,
    properties: Vec<u8>,
    headers: FieldTable,
    body: bytes::Bytes,
    is_persistent: bool,
    priority: Option<u8>,
    history: History,
    reason: DeathReason,
}

impl Reincarnation {
    /// Rewrites a message that died in `queue` at `now`, for publishing to `exchange`:
    /// with `routing_key` if the queue has an `x-dead-letter-routing-key`, with its own keys
    /// otherwise.
    ///
    /// As in RabbitMQ, `x-death` has an entry per queue and reason, latest death first, whose time
    /// and keys are those of the first death; `x-death` headers that a client sent are dropped;
    /// the expiration is taken off; the headers come out sorted by name. BCC keys stay, for the next
    /// death.
    pub fn new(
        letter: &DeadLetter,
        queue: &str,
        exchange: &str,
        routing_key: Option<&str>,
        now: Timestamp,
    ) -> Self {
        let message = letter.image.as_ref();
        let mut properties = Properties::parse(message.properties).unwrap_or_default();
        let table = properties.raw(properties::HEADERS);
        let table = table.and_then(|raw| FieldTable::decode_all(raw).ok());
        let mut headers = table.unwrap_or_default();
        let own_keys = own_routing_keys(&message, &headers, letter.history);
        record_death(&mut headers, letter, queue, &own_keys, &properties, now);
        headers.sort_unique();
        let mut encoded_headers = Vec::new();
        headers.encode(&mut encoded_headers);
        let has_blind_copies = headers.remove(BLIND_COPIES).is_some();
        properties.set(properties::HEADERS, Some(&encoded_headers));
        properties.set(properties::EXPIRATION, None);
        let history = History {
            is_dead_lettered: true,
            failures: letter.history.failures,
            is_routed_by_key_only: routing_key.is_some() || letter.history.is_routed_by_key_only,
        };
        let body = message.shared_body().unwrap_or_default();
        let mut encoded = properties.encode();
        if has_blind_copies {
            encoded[1] |= HAS_BLIND_COPIES;
        }
        Self {
            exchange: exchange.as_bytes().to_vec(),
            routing_keys: routing_key.map_or(own_keys, |key| vec![key.as_bytes().to_vec()]),
            is_persistent: properties.octet(properties::DELIVERY_MODE) == Some(2),
            priority: properties.octet(properties::PRIORITY),
            properties: encoded,
            headers,
            body,
            history,
            reason: letter.reason,
        }
    }

    /// The keys to route by, at least one. The first is the one consumers see.
    pub fn routing_keys(&self) -> impl Iterator<Item = &[u8]> {
        self.routing_keys.iter().map(Vec::as_slice)
    }

    /// Its headers as clients see them, for headers exchanges.
    pub fn headers(&self) -> &FieldTable {
        &self.headers
    }

    /// The message to publish.
    pub fn incoming(&self) -> Incoming<'_> {
        let routing_key = self.routing_keys.first().map_or(&[][..], Vec::as_slice);
        Incoming {
            message: MessageRef {
                exchange: &self.exchange,
                routing_key: routing_key.get(..ROUTING_KEY_MAX).unwrap_or(routing_key),
                properties: &self.properties,
                body: &self.body,
                image: None,
            },
            is_persistent: self.is_persistent,
            priority: self.priority,
            ttl_ms: None,
            history: self.history,
        }
    }

    /// Whether it must not be published to `queue`: it died there before, and since then no
    /// consumer rejected it, so it would go round for ever.
    pub fn is_cycle(&self, queue: &str) -> bool {
        if self.reason == DeathReason::Rejected {
            return false;
        }
        let mut is_automatic = true;
        for death in self.deaths() {
            is_automatic &= text(death, "reason") != Some(b"rejected");
            if text(death, "queue") == Some(queue.as_bytes()) {
                return is_automatic;
            }
        }
        false
    }

    /// The queues it died in, latest first: what RabbitMQ logs when a cycle is cut.
    pub fn death_queues(&self) -> impl Iterator<Item = &[u8]> {
        self.deaths().filter_map(|death| text(death, "queue"))
    }

    fn deaths(&self) -> impl Iterator<Item = &FieldTable> {
        let deaths = self.headers.get(DEATHS).and_then(FieldValue::as_array).unwrap_or_default();
        deaths.iter().filter_map(FieldValue::as_table)
    }
}

/// The message's key, and its CC and BCC keys while they count.
fn own_routing_keys(
    message: &MessageRef<'_>,
    headers: &FieldTable,
    history: History,
) -> Vec<Vec<u8>> {
    let mut keys = vec![message.routing_key.to_vec()];
    if !history.is_routed_by_key_only {
        keys.extend(header_keys(headers, "CC").chain(header_keys(headers, BLIND_COPIES)));
    }
    keys
}

fn header_keys<'a>(headers: &'a FieldTable, name: &str) -> impl Iterator<Item = Vec<u8>> + use<'a> {
    let keys = headers.get(name).and_then(FieldValue::as_array).unwrap_or_default();
    keys.iter().filter_map(FieldValue::as_long_str).map(<[u8]>::to_vec)
}

fn record_death(
    headers: &mut FieldTable,
    letter: &DeadLetter,
    queue: &str,
    own_keys: &[Vec<u8>],
    properties: &Properties<'_>,
    now: Timestamp,
) {
    let is_first = !letter.history.is_dead_lettered;
    let known = headers.remove(DEATHS).filter(|_| !is_first);
    let mut deaths = match known {
        Some(FieldValue::Array(deaths)) => deaths,
        _ => Vec::new(),
    };
    let reason = letter.reason.as_str();
    let is_same = |death: &FieldValue| {
        let death = death.as_table();
        death.and_then(|death| text(death, "queue")) == Some(queue.as_bytes())
            && death.and_then(|death| text(death, "reason")) == Some(reason.as_bytes())
    };
    let exchange = letter.image.as_ref().exchange;
    let death = match deaths.iter().position(is_same) {
        Some(at) => count_up(deaths.remove(at)),
        None => {
            let mut visible_keys = own_keys.to_vec();
            for bcc in header_keys(headers, BLIND_COPIES) {
                if let Some(at) = visible_keys.iter().position(|key| *key == bcc) {
                    visible_keys.remove(at);
                }
            }
            new_death(reason, queue, exchange, &visible_keys, original_ttl(properties), now)
        }
    };
    deaths.insert(0, death);
    headers.set(DEATHS, deaths);
    if is_first {
        headers.set("x-first-death-reason", reason);
        headers.set("x-first-death-queue", queue);
        headers.set("x-first-death-exchange", exchange);
    }
    headers.set("x-last-death-reason", reason);
    headers.set("x-last-death-queue", queue);
    headers.set("x-last-death-exchange", exchange);
}

fn new_death(
    reason: &str,
    queue: &str,
    exchange: &[u8],
    keys: &[Vec<u8>],
    original_ttl: Option<u64>,
    now: Timestamp,
) -> FieldValue {
    let mut death = FieldTable::default();
    if let Some(ttl_ms) = original_ttl {
        death.set("original-expiration", ttl_ms.to_string());
    }
    let keys: Vec<FieldValue> = keys.iter().map(|key| key.as_slice().into()).collect();
    death.set("count", 1i64);
    death.set("reason", reason);
    death.set("queue", queue);
    death.set("time", FieldValue::Timestamp(now.0 / 1000));
    death.set("exchange", exchange);
    death.set("routing-keys", keys);
    death.into()
}

fn count_up(mut death: FieldValue) -> FieldValue {
    if let FieldValue::Table(death) = &mut death {
        let count = death.get("count").and_then(FieldValue::as_integer).unwrap_or(0);
        death.set("count", count.saturating_add(1));
    }
    death
}

fn original_ttl(properties: &Properties<'_>) -> Option<u64> {
    let expiration = properties.short_string(properties::EXPIRATION)?;
    str::from_utf8(expiration).ok()?.parse().ok()
}

fn text<'a>(table: &'a FieldTable, key: &str) -> Option<&'a [u8]> {
    table.get(key).and_then(FieldValue::as_long_str)
}
