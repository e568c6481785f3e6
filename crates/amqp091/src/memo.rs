//! The properties most publishers send: the same as with the message before.

use amqp091_codec::{Properties, properties::NO_PROPERTIES};

/// Longest properties remembered, in bytes.
const MEMO_MAX: usize = 64;

/// What queues want to know of a message's properties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) is_persistent: bool,
    pub(crate) priority: Option<u8>,
    pub(crate) ttl_ms: Option<u64>,
}

/// The last *plain* properties: checked, without anything that each message has to be asked for
/// (headers, reply address, user).
#[derive(Debug, Default)]
pub(crate) struct PropertiesMemo {
    raw: Box<[u8]>,
    facts: Facts,
}

impl PropertiesMemo {
    /// The facts of `raw`, if it is what was remembered.
    #[inline]
    pub(crate) fn get(&self, raw: &[u8]) -> Option<Facts> {
        (*self.raw == *raw).then_some(self.facts)
    }

    /// Remembers `properties` if they are plain.
    pub(crate) fn learn(&mut self, properties: Properties<'_>, facts: Facts) {
        let raw = properties.as_bytes();
        if raw.len() <= MEMO_MAX && is_plain(properties) {
            *self = Self { raw: raw.into(), facts };
        }
    }
}

/// Whether a message with these properties is like any other with the same.
fn is_plain(properties: Properties<'_>) -> bool {
    properties.as_bytes() == NO_PROPERTIES
        || (properties.headers().is_none()
            && properties.reply_to().is_none()
            && properties.user_id().is_none())
}
