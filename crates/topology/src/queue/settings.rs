//! What follows from a queue's arguments: what its machine acts on.

use std::sync::Arc;

use field_table::{FieldTable, FieldValue};

use super::{Overflow, QueueKind};

/// How often a delivery from a quorum queue may fail, unless the queue says otherwise.
const DELIVERY_LIMIT: u32 = 20;

/// What a queue's machine needs to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueSettings {
    /// Milliseconds a message lives at most.
    pub message_ttl_ms: Option<u64>,
    /// Milliseconds after which an unused queue is deleted; more than 0.
    pub expires_ms: Option<u64>,
    /// How many ready messages it holds at most.
    pub max_length: Option<u64>,
    /// How many bytes of ready messages it holds at most.
    pub max_length_bytes: Option<u64>,
    /// What happens at these limits.
    pub overflow: Overflow,
    /// Where dead letters are published; `""` is the default exchange.
    pub dead_letter_exchange: Option<Arc<str>>,
    /// With which key; their own if there is none.
    pub dead_letter_routing_key: Option<Arc<str>>,
    /// The highest priority it keeps apart.
    pub max_priority: Option<u8>,
    /// Whether only one consumer at a time gets messages.
    pub single_active_consumer: bool,
    /// What only quorum queues know; there for those alone.
    pub quorum: Option<Box<QuorumSettings>>,
}

/// The part of [`QueueSettings`] that only quorum queues have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuorumSettings {
    /// A message that failed more often than this is dead-lettered.
    pub delivery_limit: Option<u32>,
    /// A dead letter stays until all queues it is for have it.
    pub dead_letters_at_least_once: bool,
    /// Milliseconds a consumer may take to settle a delivery, if not the node's default.
    pub consumer_timeout_ms: Option<u64>,
    /// Which messages that come back have to wait first.
    pub delayed_retry: Option<DelayedRetry>,
}

/// Messages that come back and wait before they are delivered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayedRetry {
    /// Which ones.
    pub kind: RetryKind,
    /// How long after the first failure, in milliseconds. Grows with each one by the same.
    pub min_ms: u64,
    /// How long at most, in milliseconds.
    pub max_ms: u64,
}

/// Why a message that comes back has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryKind {
    /// It came back.
    All,
    /// Its delivery failed.
    Failed,
    /// It came back although its delivery did not fail.
    Returned,
}

impl QueueSettings {
    /// The effective settings of a queue with these arguments, which have passed their checks.
    /// The one place where arguments (and whatever else rules a queue) become settings.
    pub(crate) fn effective(kind: QueueKind, arguments: &FieldTable) -> Self {
        let arguments = Arguments(arguments);
        let mut settings = Self {
            message_ttl_ms: arguments.number("x-message-ttl"),
            expires_ms: arguments.number("x-expires"),
            max_length: arguments.number("x-max-length"),
            max_length_bytes: arguments.number("x-max-length-bytes"),
            overflow: arguments
                .bytes("x-overflow")
                .and_then(Overflow::from_name)
                .unwrap_or_default(),
            dead_letter_exchange: arguments.text("x-dead-letter-exchange"),
            dead_letter_routing_key: arguments.text("x-dead-letter-routing-key"),
            max_priority: arguments
                .number("x-max-priority")
                .and_then(|value| u8::try_from(value).ok()),
            single_active_consumer: arguments.is_true("x-single-active-consumer"),
            ..Self::default()
        };
        if kind == QueueKind::Quorum {
            settings.be_quorum(&arguments);
        }
        settings
    }

    /// What only quorum queues know. Values that make no sense are as good as absent.
    fn be_quorum(&mut self, arguments: &Arguments<'_>) {
        if self.overflow == Overflow::RejectPublishDlx {
            self.overflow = Overflow::DropHead;
        }
        // As in RabbitMQ, not where the oldest message makes room: then it goes at once.
        let dead_letters_at_least_once = arguments.bytes("x-dead-letter-strategy")
            == Some(b"at-least-once")
            && self.dead_letter_exchange.is_some()
            && self.overflow == Overflow::RejectPublish;
        let delivery_limit = match arguments.integer("x-delivery-limit") {
            None => Some(DELIVERY_LIMIT),
            Some(..0) => None,
            Some(limit) => Some(u32::try_from(limit).unwrap_or(u32::MAX)),
        };
        self.quorum = Some(Box::new(QuorumSettings {
            delivery_limit,
            dead_letters_at_least_once,
            consumer_timeout_ms: arguments.number("x-consumer-timeout"),
            delayed_retry: delayed_retry(arguments),
        }));
    }
}

fn delayed_retry(arguments: &Arguments<'_>) -> Option<DelayedRetry> {
    let kind = match arguments.bytes("x-delayed-retry-type")? {
        b"all" => RetryKind::All,
        b"failed" => RetryKind::Failed,
        b"returned" => RetryKind::Returned,
        _ => return None,
    };
    let min_ms = arguments.number("x-delayed-retry-min").filter(|ms| *ms != 0)?;
    let max_ms = arguments.number("x-delayed-retry-max").filter(|ms| *ms != 0).unwrap_or(min_ms);
    Some(DelayedRetry { kind, min_ms, max_ms })
}

struct Arguments<'a>(&'a FieldTable);

impl<'a> Arguments<'a> {
    fn integer(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(FieldValue::as_integer)
    }

    fn number(&self, name: &str) -> Option<u64> {
        u64::try_from(self.integer(name)?).ok()
    }

    fn bytes(&self, name: &str) -> Option<&'a [u8]> {
        self.0.get(name).and_then(FieldValue::as_long_str)
    }

    fn text(&self, name: &str) -> Option<Arc<str>> {
        self.bytes(name).map(|value| Arc::from(String::from_utf8_lossy(value)))
    }

    fn is_true(&self, name: &str) -> bool {
        self.0.get(name).and_then(FieldValue::as_bool).unwrap_or(false)
    }
}
