//! The control plane: vhosts, users, permissions, policies, exchanges, bindings and queue records as
//! one deterministic state machine, and the routing of messages through it.
//!
//! [`State::apply`] takes one [`Command`] of the replicated log after the other. It answers with an
//! [`Outcome`] or a [`Refusal`] and appends the [`Event`]s that the data plane has to act on. Equal
//! commands in equal order give equal states on every node, so nothing here looks at a clock, at
//! chance, at the network or at a node's own configuration: what a node's configuration forbids
//! ([`Rules`]) is asked before a command is proposed, never while it is applied.
//!
//! Front-ends ask the same checks that `apply` makes (`State::check_*`, `State::lookup_*`) before
//! they propose, and get RabbitMQ's texts. [`Vhost::route`] finds the queues of a message.
//!
//! This crate knows RabbitMQ's objects and their rules. It knows no message body, no connection, no
//! protocol frame and no storage: commands and snapshots are bytes that others keep.
#![forbid(unsafe_code)]

mod access;
mod binding;
mod check;
mod command;
mod equivalence;
mod erlang;
mod event;
mod exchange;
mod ids;
mod parameter;
mod pattern;
mod policy;
mod queue;
mod refusal;
mod state;
mod stored;
#[cfg(test)]
mod testing;
mod user;
mod vhost;

pub use access::{Access, Permission, ResourceKind, TopicVariables};
pub use binding::{Binding, Destination, DestinationKind};
pub use command::{
    AddUser, AddVhost, BindingSpec, ClearParameter, ClearPermissions, ClearTopicPermissions,
    Command, DeclareExchange, DeclareQueue, DeleteExchange, ProtectVhost, SetGlobalParameter,
    SetParameter, SetPassword, SetPermissions, SetTopicPermissions, SetUserLimits, SetUserTags,
    SetVhostLimits,
};
pub use event::{Event, Outcome};
pub use exchange::{EXCHANGE_TYPES, ExchangeRecord, ExchangeType};
pub use ids::{ConnectionId, QueueId};
pub use parameter::{PARAMETER_MISSING, Parameter, is_component};
pub use pattern::{InvalidPattern, Pattern};
pub use policy::{Applied, ApplyTo, Definition, Policies, Policy, PolicyKind};
pub use queue::{
    DelayedRetry, Overflow, QueueKind, QueueRecord, QueueSettings, QuorumSettings, RetryKind,
    SharedSettings,
};
pub use refusal::{Refusal, RefusalKind};
pub use state::{Rules, State};
pub use stored::StoredError;
pub use user::{Permissions, TopicPermissions, User, UserLimits};
pub use vhost::{BindingRef, Vhost, VhostLimits};

/// A name as RabbitMQ takes it from a client: without line feeds and carriage returns.
pub fn clean_name(name: &str) -> std::borrow::Cow<'_, str> {
    if name.contains(['\n', '\r']) {
        return name.replace(['\n', '\r'], "").into();
    }
    name.into()
}
