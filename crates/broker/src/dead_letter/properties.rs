//! Reading and rewriting raw basic properties (AMQP 0-9-1 §4.2.6.1): flags, then the values that
//! are present, highest bit first.

use field_table::{FieldTable, ShortStr};

/// `headers`, the third property.
pub(super) const HEADERS: usize = 2;
/// `delivery_mode`, the fourth property.
pub(super) const DELIVERY_MODE: usize = 3;
/// `priority`, the fifth property.
pub(super) const PRIORITY: usize = 4;
/// `expiration`, the eighth property.
pub(super) const EXPIRATION: usize = 7;
/// `timestamp`, the tenth property.
pub(super) const TIMESTAMP: usize = 9;

const COUNT: usize = 14;

#[derive(Clone, Copy)]
enum Kind {
    ShortString,
    Table,
    Octet,
    Timestamp,
}

/// Types of the properties in spec order: content-type, content-encoding, headers, delivery-mode,
/// priority, correlation-id, reply-to, expiration, message-id, timestamp, type, user-id, app-id,
/// cluster-id.
const KINDS: [Kind; COUNT] = {
    let mut kinds = [Kind::ShortString; COUNT];
    kinds[HEADERS] = Kind::Table;
    kinds[DELIVERY_MODE] = Kind::Octet;
    kinds[PRIORITY] = Kind::Octet;
    kinds[TIMESTAMP] = Kind::Timestamp;
    kinds
};

/// The values of raw properties, each in its encoding.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Properties<'a> {
    values: [Option<&'a [u8]>; COUNT],
}

impl<'a> Properties<'a> {
    /// `None` when the bytes are cut off.
    pub(super) fn parse(mut raw: &'a [u8]) -> Option<Self> {
        let mut properties = Self::default();
        if raw.is_empty() {
            return Some(properties);
        }
        let flags = u16::from_be_bytes(*raw.split_off(..2)?.first_chunk()?);
        for (index, kind) in KINDS.iter().enumerate() {
            if flags & 0x8000 >> index == 0 {
                continue;
            }
            let len = match kind {
                Kind::ShortString => 1 + usize::from(*raw.first()?),
                Kind::Table => 4 + u32::from_be_bytes(*raw.first_chunk()?) as usize,
                Kind::Octet => 1,
                Kind::Timestamp => 8,
            };
            properties.values[index] = Some(raw.split_off(..len)?);
        }
        Some(properties)
    }

    /// A value in its encoding.
    pub(super) fn raw(&self, index: usize) -> Option<&'a [u8]> {
        self.values[index]
    }

    /// A short string's bytes.
    pub(super) fn short_string(&self, index: usize) -> Option<&'a [u8]> {
        self.values[index].map(|value| &value[1..])
    }

    /// An octet.
    pub(super) fn octet(&self, index: usize) -> Option<u8> {
        self.values[index].map(|value| value[0])
    }

    /// Replaces or removes a value, given in its encoding.
    pub(super) fn set(&mut self, index: usize, value: Option<&'a [u8]>) {
        self.values[index] = value;
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let len: usize = self.values.iter().flatten().map(|value| value.len()).sum();
        let mut out = Vec::with_capacity(2 + len);
        let present = (0..COUNT).filter(|&index| self.values[index].is_some());
        let flags = present.fold(0u16, |flags, index| flags | 0x8000 >> index);
        out.extend_from_slice(&flags.to_be_bytes());
        for value in self.values.iter().flatten() {
            out.extend_from_slice(value);
        }
        out
    }
}

/// Names in spec order, as RabbitMQ's.
const NAMES: [&str; COUNT] = [
    "content_type",
    "content_encoding",
    "headers",
    "delivery_mode",
    "priority",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "timestamp",
    "type",
    "user_id",
    "app_id",
    "cluster_id",
];

/// Raw properties as a table by name, the last first: how RabbitMQ shows them in a message's copy,
/// where a number has 32 bits.
pub(crate) fn properties_table(raw: &[u8]) -> FieldTable {
    let properties = Properties::parse(raw).unwrap_or_default();
    let mut table = FieldTable::new();
    for (index, name) in NAMES.into_iter().enumerate().rev() {
        let Some(value) = properties.raw(index) else { continue };
        match KINDS[index] {
            Kind::ShortString => table.push(ShortStr::literal(name), &value[1..]),
            Kind::Octet => table.push(ShortStr::literal(name), i32::from(value[0])),
            Kind::Timestamp => {
                let low = value.last_chunk().map_or(0, |low| i32::from_be_bytes(*low));
                table.push(ShortStr::literal(name), low);
            }
            Kind::Table => {
                let headers = FieldTable::decode_all(value).unwrap_or_default();
                table.push(ShortStr::literal(name), headers);
            }
        }
    }
    table
}

/// Raw properties with nothing but headers.
pub(crate) fn headers_only(headers: &FieldTable) -> Vec<u8> {
    let mut encoded = Vec::new();
    headers.encode(&mut encoded);
    let mut properties = Properties::default();
    properties.set(HEADERS, Some(&encoded));
    properties.encode()
}

/// Whether the `delivery_mode` property makes a message persistent.
pub(crate) fn is_persistent(raw: &[u8]) -> bool {
    Properties::parse(raw).is_some_and(|it| it.raw(DELIVERY_MODE) == Some(&[2]))
}

/// Raw properties as clients may see them.
pub(crate) fn without_blind_copies(raw: &[u8]) -> Vec<u8> {
    if !message::has_blind_copies(raw) {
        return raw.to_vec();
    }
    let mut properties = Properties::parse(raw).unwrap_or_default();
    let headers = properties.raw(HEADERS).and_then(|raw| FieldTable::decode_all(raw).ok());
    let mut headers = headers.unwrap_or_default();
    headers.remove(message::BLIND_COPIES);
    let mut encoded = Vec::new();
    headers.encode(&mut encoded);
    properties.set(HEADERS, Some(&encoded));
    properties.encode()
}

/// The `timestamp` property, seconds since the epoch.
pub(crate) fn timestamp(raw: &[u8]) -> Option<u64> {
    let value = Properties::parse(raw)?.raw(TIMESTAMP)?;
    value.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}
