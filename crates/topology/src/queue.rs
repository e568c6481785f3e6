//! What the control plane keeps about a queue.

pub(crate) mod arguments;
mod settings;

use std::sync::Arc;

use field_table::FieldTable;

pub use settings::{DelayedRetry, QueueSettings, QuorumSettings, RetryKind, SharedSettings};

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

/// A declared queue: what its declaration said. What follows from that and from policies is
/// [`State::settings_of`](crate::State::settings_of).
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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
