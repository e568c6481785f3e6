//! A dead letter as it was before it died last.

use field_table::{FieldTable, FieldValue};
use message::{BLIND_COPIES, HAS_BLIND_COPIES, History, Incoming, MessageRef};

use super::properties::{self, Properties};
use super::{DEATHS, text};

/// Headers that tell of deaths.
const TOLD: [&str; 7] = [
    DEATHS,
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
    "x-last-death-exchange",
    "x-last-death-queue",
    "x-last-death-reason",
];

/// A message on its way back to the queue it died in: with the exchange and the key that it had there,
/// and without the headers that tell of its deaths. An expiration is not brought back.
#[derive(Clone, Debug)]
pub struct Revival<'a> {
    queue: String,
    exchange: Vec<u8>,
    routing_key: Vec<u8>,
    properties: Vec<u8>,
    is_persistent: bool,
    priority: Option<u8>,
    message: MessageRef<'a>,
}

impl<'a> Revival<'a> {
    /// What became of a message before it died; `None` if it does not say where it died.
    pub fn of(message: MessageRef<'a>) -> Option<Self> {
        let mut properties = Properties::parse(message.properties)?;
        let mut headers = FieldTable::decode_all(properties.raw(properties::HEADERS)?).ok()?;
        let deaths = headers.get(DEATHS)?.as_array()?;
        let last = deaths.first()?.as_table()?;
        let queue = String::from_utf8(text(last, "queue")?.to_vec()).ok()?;
        let exchange = text(last, "exchange").unwrap_or_default().to_vec();
        let keys = last.get("routing-keys").and_then(FieldValue::as_array).unwrap_or_default();
        let key = keys.first().and_then(FieldValue::as_long_str);
        let routing_key = key.unwrap_or(message.routing_key).to_vec();
        if [exchange.len(), routing_key.len()].iter().any(|len| usize::from(u8::MAX) < *len) {
            return None;
        }
        TOLD.iter().for_each(|name| drop(headers.remove(name)));
        let has_blind_copies =
            headers.get(BLIND_COPIES).is_some() && message::has_blind_copies(message.properties);
        let mut encoded = Vec::new();
        headers.encode(&mut encoded);
        let is_told = headers.iter().next().is_some();
        properties.set(properties::HEADERS, is_told.then_some(&encoded[..]));
        let mut raw = properties.encode();
        if has_blind_copies {
            raw[1] |= HAS_BLIND_COPIES;
        }
        Some(Self {
            queue,
            exchange,
            routing_key,
            is_persistent: properties.octet(properties::DELIVERY_MODE) == Some(2),
            priority: properties.octet(properties::PRIORITY),
            properties: raw,
            message,
        })
    }

    /// The queue it died in.
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// The message to publish.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming {
            message: MessageRef {
                exchange: &self.exchange,
                routing_key: &self.routing_key,
                properties: &self.properties,
                body: self.message.body,
                image: None,
            },
            is_persistent: self.is_persistent,
            priority: self.priority,
            ttl_ms: None,
            history: History::default(),
        }
    }
}

/// A message as it is, for another queue, where its time to live begins anew.
pub fn as_published(message: MessageRef<'_>, history: History) -> Incoming<'_> {
    let properties = Properties::parse(message.properties).unwrap_or_default();
    Incoming {
        message,
        is_persistent: properties.octet(properties::DELIVERY_MODE) == Some(2),
        priority: properties.octet(properties::PRIORITY),
        ttl_ms: super::original_ttl(&properties),
        history,
    }
}
