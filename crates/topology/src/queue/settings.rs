//! What follows from a queue's arguments and policies: what its machine acts on.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use field_table::{FieldTable, FieldValue};
use serde_json::Value;

use super::{Overflow, QueueKind};
use crate::Definition;

/// How often a delivery from a quorum queue may fail, unless the queue says otherwise.
const DELIVERY_LIMIT: u32 = 20;

/// What a queue's machine needs to know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DelayedRetry {
    /// Which ones.
    pub kind: RetryKind,
    /// How long after the first failure, in milliseconds. Grows with each one by the same.
    pub min_ms: u64,
    /// How long at most, in milliseconds.
    pub max_ms: u64,
}

/// Why a message that comes back has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetryKind {
    /// It came back.
    All,
    /// Its delivery failed.
    Failed,
    /// It came back although its delivery did not fail.
    Returned,
}

impl QueueSettings {
    /// The effective settings of a queue with these arguments, which have passed their checks, and the
    /// definition that the policies for it come to. The one place where they become settings.
    pub(crate) fn effective(
        kind: QueueKind,
        arguments: &FieldTable,
        definition: Option<&Definition>,
    ) -> Self {
        let sources = Sources { arguments, definition };
        let mut settings = Self {
            message_ttl_ms: sources.smaller("x-message-ttl"),
            expires_ms: sources.smaller("x-expires"),
            max_length: sources.smaller("x-max-length"),
            max_length_bytes: sources.smaller("x-max-length-bytes"),
            overflow: sources.overflow(kind),
            dead_letter_exchange: sources.argument_first("x-dead-letter-exchange").map(Arc::from),
            dead_letter_routing_key: sources
                .argument_first("x-dead-letter-routing-key")
                .map(Arc::from),
            max_priority: sources
                .argument_integer("x-max-priority")
                .and_then(|value| u8::try_from(value).ok()),
            single_active_consumer: sources.is_true("x-single-active-consumer"),
            ..Self::default()
        };
        if kind == QueueKind::Quorum {
            settings.be_quorum(&sources);
        }
        settings
    }

    /// What only quorum queues know. Values that make no sense are as good as absent.
    fn be_quorum(&mut self, sources: &Sources<'_>) {
        if self.overflow == Overflow::RejectPublishDlx {
            self.overflow = Overflow::DropHead;
        }
        // As in RabbitMQ, not where the oldest message makes room: then it goes at once.
        let dead_letters_at_least_once =
            sources.argument_first("x-dead-letter-strategy").as_deref() == Some("at-least-once")
                && self.dead_letter_exchange.is_some()
                && self.overflow == Overflow::RejectPublish;
        let delivery_limit = match sources.limit("x-delivery-limit") {
            None => Some(DELIVERY_LIMIT),
            Some(..0) => None,
            Some(limit) => Some(u32::try_from(limit).unwrap_or(u32::MAX)),
        };
        self.quorum = Some(Box::new(QuorumSettings {
            delivery_limit,
            dead_letters_at_least_once,
            consumer_timeout_ms: sources.smaller("x-consumer-timeout"),
            delayed_retry: delayed_retry(sources),
        }));
    }
}

fn delayed_retry(sources: &Sources<'_>) -> Option<DelayedRetry> {
    let kind = match &*sources.policy_first("x-delayed-retry-type")? {
        "all" => RetryKind::All,
        "failed" => RetryKind::Failed,
        "returned" => RetryKind::Returned,
        _ => return None,
    };
    let min_ms = sources.smaller("x-delayed-retry-min").filter(|ms| *ms != 0)?;
    let max_ms = sources.smaller("x-delayed-retry-max").filter(|ms| *ms != 0).unwrap_or(min_ms);
    Some(DelayedRetry { kind, min_ms, max_ms })
}

/// Where settings come from. A policy's key is an argument's name without its `x-`. How the two go
/// together depends on the setting, and for some on the type of the queue, as in RabbitMQ.
struct Sources<'a> {
    arguments: &'a FieldTable,
    definition: Option<&'a Definition>,
}

impl<'a> Sources<'a> {
    fn argument_integer(&self, name: &str) -> Option<i64> {
        self.arguments.get(name).and_then(FieldValue::as_integer)
    }

    fn argument_text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.arguments.get(name).and_then(FieldValue::as_long_str).map(String::from_utf8_lossy)
    }

    fn policy(&self, name: &str) -> Option<&'a Value> {
        self.definition?.get(name.strip_prefix("x-")?)
    }

    fn policy_text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.policy(name).and_then(Value::as_str).map(Cow::Borrowed)
    }

    /// The smaller number of the two.
    fn smaller(&self, name: &str) -> Option<u64> {
        let policy = self.policy(name).and_then(Value::as_i64);
        let smaller = policy.into_iter().chain(self.argument_integer(name)).min()?;
        u64::try_from(smaller).ok()
    }

    /// As [`Self::smaller`], where negative numbers are no limit: then the larger one.
    fn limit(&self, name: &str) -> Option<i64> {
        let policy = self.policy(name).and_then(Value::as_i64);
        match (policy, self.argument_integer(name)) {
            (Some(policy), Some(argument)) if policy < 0 || argument < 0 => {
                Some(policy.max(argument))
            }
            (policy, argument) => policy.into_iter().chain(argument).min(),
        }
    }

    fn argument_first(&self, name: &str) -> Option<Cow<'a, str>> {
        self.argument_text(name).or_else(|| self.policy_text(name))
    }

    fn policy_first(&self, name: &str) -> Option<Cow<'a, str>> {
        self.policy_text(name).or_else(|| self.argument_text(name))
    }

    fn overflow(&self, kind: QueueKind) -> Overflow {
        let name = match kind {
            QueueKind::Quorum => self.policy_first("x-overflow"),
            QueueKind::Classic | QueueKind::Stream => self.argument_first("x-overflow"),
        };
        name.and_then(|name| Overflow::from_name(name.as_bytes())).unwrap_or_default()
    }

    fn is_true(&self, name: &str) -> bool {
        self.arguments.get(name).and_then(FieldValue::as_bool).unwrap_or(false)
    }
}

/// Settings that nobody has any more are looked for when there are so many more than the last time.
const UNUSED_MAX: usize = 64;

/// One copy of equal settings, for as long as queues have them.
#[derive(Debug, Default)]
pub struct SharedSettings {
    known: HashSet<Arc<QueueSettings>, ahash::RandomState>,
    used_last: usize,
}

impl SharedSettings {
    /// The copy that all queues with these settings have.
    pub fn share(&mut self, settings: QueueSettings) -> Arc<QueueSettings> {
        if let Some(known) = self.known.get(&settings) {
            return Arc::clone(known);
        }
        if 2 * self.used_last + UNUSED_MAX <= self.known.len() {
            self.known.retain(|known| 1 < Arc::strong_count(known));
            self.used_last = self.known.len();
        }
        let settings = Arc::new(settings);
        self.known.insert(Arc::clone(&settings));
        settings
    }
}
