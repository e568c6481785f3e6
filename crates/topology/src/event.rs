//! What applying a command answers and what it makes others do.

use std::sync::Arc;

use crate::{Binding, ExchangeRecord, QueueRecord};

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect, or what it asked for was so already.
    Done,
    /// A vhost was asked for.
    VhostAdded {
        /// Whether it is new.
        created: bool,
    },
    /// A queue was asked for, and there it is.
    QueueDeclared {
        /// The queue.
        queue: Arc<QueueRecord>,
        /// Whether it is new.
        created: bool,
    },
    /// The queues that were deleted; those that were gone are missing.
    QueuesDeleted(Vec<Arc<QueueRecord>>),
    /// An exchange was asked for.
    ExchangeDeclared {
        /// Whether it is new.
        created: bool,
    },
    /// A binding was asked for.
    Bound {
        /// Whether it is new.
        created: bool,
    },
    /// A binding was not to be.
    Unbound {
        /// Whether it was there.
        removed: bool,
    },
}

/// What the data plane has to act on. The list is complete: what is not in it needs no action beyond
/// looking at the new state.
#[derive(Clone, Debug)]
pub enum Event {
    /// A vhost was created, with its predeclared exchanges.
    VhostCreated(Arc<str>),
    /// A vhost was deleted: its connections are to be closed. Its queues and exchanges were announced
    /// before.
    VhostDeleted(Arc<str>),
    /// The limits of a vhost changed.
    VhostLimitsChanged(Arc<str>),
    /// A user was created.
    UserCreated(Arc<str>),
    /// The password or the tags of a user changed.
    UserChanged(Arc<str>),
    /// A user was deleted: its connections are to be closed.
    UserDeleted(Arc<str>),
    /// The limits of a user changed.
    UserLimitsChanged(Arc<str>),
    /// What a user may do in a vhost changed, topic permissions included.
    PermissionsChanged {
        /// The user.
        user: Arc<str>,
        /// The vhost.
        vhost: Arc<str>,
    },
    /// An exchange was created.
    ExchangeCreated(Arc<ExchangeRecord>),
    /// An exchange was deleted, with its bindings.
    ExchangeDeleted(Arc<ExchangeRecord>),
    /// A binding was created.
    BindingCreated(Arc<Binding>),
    /// A binding was deleted, maybe with one of its ends.
    BindingDeleted(Arc<Binding>),
    /// A queue was created and wants a machine.
    QueueCreated(Arc<QueueRecord>),
    /// A queue was deleted, with its bindings: its consumers are to be cancelled, its messages
    /// dropped.
    QueueDeleted(Arc<QueueRecord>),
    /// Policies of a vhost changed, and with them maybe the settings of its queues.
    PoliciesChanged(Arc<str>),
}
