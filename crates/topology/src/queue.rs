//! What the control plane keeps about a queue.

pub(crate) mod arguments;

use std::sync::Arc;

use field_table::{FieldTable, FieldValue};

use crate::{ConnectionId, QueueId};

/// The type of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueueKind {
    /// Lives on one node.
    Classic,
    /// Replicated through consensus.
    Quorum,
    /// A log that readers do not consume.
    Stream,
}

impl QueueKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Classic, Self::Quorum, Self::Stream];

    /// The value of `x-queue-type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Quorum => "quorum",
            Self::Stream => "stream",
        }
    }

    /// The name in some of RabbitMQ's texts.
    pub fn module_name(self) -> &'static str {
        match self {
            Self::Classic => "rabbit_classic_queue",
            Self::Quorum => "rabbit_quorum_queue",
            Self::Stream => "rabbit_stream_queue",
        }
    }

    /// The type whose `x-queue-type` is `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether a queue of this type may have these properties.
    pub(crate) fn is_compatible(self, properties: Properties) -> bool {
        match self {
            Self::Classic => true,
            Self::Quorum | Self::Stream => {
                properties.durable && !properties.exclusive && !properties.auto_delete
            }
        }
    }
}

/// The three properties of a queue that are no arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Properties {
    pub(crate) durable: bool,
    pub(crate) exclusive: bool,
    pub(crate) auto_delete: bool,
}

/// A declared queue. Immutable: a change replaces the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueRecord {
    /// Its number.
    pub id: QueueId,
    /// The vhost it is in.
    pub vhost: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its type.
    pub kind: QueueKind,
    /// Whether it outlives a restart. False for exclusive queues, whatever the client asked.
    pub durable: bool,
    /// Whether it goes with its last consumer.
    pub auto_delete: bool,
    /// The connection it is exclusive to and goes with.
    pub owner: Option<ConnectionId>,
    /// The arguments it was declared with, `x-queue-type` added when it was missing. Shared between
    /// queues: most have the same.
    pub arguments: Arc<FieldTable>,
    /// What follows from the arguments.
    pub settings: QueueSettings,
}

impl QueueRecord {
    /// Whether only one connection may use it.
    pub fn is_exclusive(&self) -> bool {
        self.owner.is_some()
    }

    /// Whether it vanishes when its node restarts.
    pub fn is_transient(&self) -> bool {
        !self.durable || self.is_exclusive()
    }

    pub(crate) fn properties(&self) -> Properties {
        Properties {
            durable: self.durable,
            exclusive: self.is_exclusive(),
            auto_delete: self.auto_delete,
        }
    }
}

/// What happens to a message for which a length limit leaves no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest message makes room (and is dead-lettered).
    #[default]
    DropHead,
    /// The new message is rejected.
    RejectPublish,
    /// The new message is rejected and dead-lettered.
    RejectPublishDlx,
}

impl Overflow {
    /// The mode whose `x-overflow` is `name`.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        match name {
            b"drop-head" => Some(Self::DropHead),
            b"reject-publish" => Some(Self::RejectPublish),
            b"reject-publish-dlx" => Some(Self::RejectPublishDlx),
            _ => None,
        }
    }
}

/// What a queue's machine needs to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueSettings {
    /// Milliseconds a message lives at most.
    pub message_ttl_ms: Option<u64>,
    /// Milliseconds after which an unused queue is deleted; more than 0.
    pub expires_ms: Option<u64>,
    /// How many ready messages it holds at most.
    pub max_length: Option<u64>,
    /// How many bytes of ready bodies it holds at most.
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
}

impl QueueSettings {
    /// The effective settings of a queue with these arguments, which have passed their checks.
    /// The one place where arguments (and whatever else rules a queue) become settings.
    pub(crate) fn effective(arguments: &FieldTable) -> Self {
        let number = |name: &str| {
            let value = arguments.get(name).and_then(FieldValue::as_integer)?;
            u64::try_from(value).ok()
        };
        let text = |name: &str| {
            let value = arguments.get(name).and_then(FieldValue::as_long_str)?;
            Some(Arc::from(String::from_utf8_lossy(value)))
        };
        let overflow = arguments.get("x-overflow").and_then(FieldValue::as_long_str);
        Self {
            message_ttl_ms: number("x-message-ttl"),
            expires_ms: number("x-expires"),
            max_length: number("x-max-length"),
            max_length_bytes: number("x-max-length-bytes"),
            overflow: overflow.and_then(Overflow::from_name).unwrap_or_default(),
            dead_letter_exchange: text("x-dead-letter-exchange"),
            dead_letter_routing_key: text("x-dead-letter-routing-key"),
            max_priority: number("x-max-priority").and_then(|value| u8::try_from(value).ok()),
            single_active_consumer: arguments
                .get("x-single-active-consumer")
                .and_then(FieldValue::as_bool)
                .unwrap_or(false),
        }
    }
}
