//! The commands of the replicated log.
//!
//! Their encoding is stored for years: fields and variants keep their numbers, new ones get new
//! numbers, and a number once used is not used again.

use field_table::FieldTable;
use minicbor::{Decode, Encode};

use serde_json::Value;

use crate::stored::{StoredError, from_bytes, json, table, to_bytes};
use crate::{ConnectionId, DestinationKind, QueueId, UserLimits, VhostLimits};

/// A change of the control plane.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Command {
    /// Adds a vhost; nothing happens if it exists.
    #[n(0)]
    AddVhost(#[n(0)] AddVhost),
    /// Deletes the vhost of this name and all that is in it.
    #[n(1)]
    DeleteVhost(#[n(0)] String),
    /// Sets the limits of a vhost; clears them with the default ones.
    #[n(2)]
    SetVhostLimits(#[n(0)] SetVhostLimits),
    /// Adds a user; refused if it exists.
    #[n(3)]
    AddUser(#[n(0)] AddUser),
    /// Gives a user another password.
    #[n(4)]
    SetPassword(#[n(0)] SetPassword),
    /// Takes the password of this user away.
    #[n(5)]
    ClearPassword(#[n(0)] String),
    /// Replaces the tags of a user.
    #[n(6)]
    SetUserTags(#[n(0)] SetUserTags),
    /// Deletes this user and its permissions.
    #[n(7)]
    DeleteUser(#[n(0)] String),
    /// Sets the limits of a user; clears them with the default ones.
    #[n(8)]
    SetUserLimits(#[n(0)] SetUserLimits),
    /// Sets what a user may do in a vhost.
    #[n(9)]
    SetPermissions(#[n(0)] SetPermissions),
    /// Shuts a user out of a vhost.
    #[n(10)]
    ClearPermissions(#[n(0)] ClearPermissions),
    /// Sets what a user may do with a topic exchange.
    #[n(11)]
    SetTopicPermissions(#[n(0)] SetTopicPermissions),
    /// Lifts what restricts a user with topic exchanges.
    #[n(12)]
    ClearTopicPermissions(#[n(0)] ClearTopicPermissions),
    /// Declares an exchange.
    #[n(13)]
    DeclareExchange(#[n(0)] DeclareExchange),
    /// Deletes an exchange; nothing happens if there is none.
    #[n(14)]
    DeleteExchange(#[n(0)] DeleteExchange),
    /// Declares a queue. A new one gets its number from the log.
    #[n(15)]
    DeclareQueue(#[n(0)] DeclareQueue),
    /// Deletes queues; those that are gone do not matter.
    #[n(16)]
    DeleteQueues(#[n(0)] Vec<QueueId>),
    /// Adds a binding; nothing happens if it exists.
    #[n(17)]
    Bind(#[n(0)] BindingSpec),
    /// Removes a binding; nothing happens if there is none.
    #[n(18)]
    Unbind(#[n(0)] BindingSpec),
    /// Drops what does not outlive the start of a node: queues and exchanges that are not durable,
    /// exclusive queues, and all bindings of them.
    #[n(19)]
    DeleteTransient,
    /// Names the cluster.
    #[n(20)]
    SetClusterName(#[n(0)] String),
    /// Sets a runtime parameter of a vhost: a policy is one, too.
    #[n(21)]
    SetParameter(#[n(0)] SetParameter),
    /// Clears a runtime parameter of a vhost; refused if there is none.
    #[n(22)]
    ClearParameter(#[n(0)] ClearParameter),
    /// Sets a global runtime parameter.
    #[n(23)]
    SetGlobalParameter(#[n(0)] SetGlobalParameter),
    /// Clears this global runtime parameter; refused if there is none.
    #[n(24)]
    ClearGlobalParameter(#[n(0)] String),
    /// Gives a vhost another description, other tags, another default queue type.
    #[n(40)]
    SetVhostMetadata(#[n(0)] AddVhost),
    /// Protects a vhost from being deleted, or ends that.
    #[n(41)]
    ProtectVhost(#[n(0)] ProtectVhost),
}

impl Command {
    /// The bytes to store: a version, then CBOR.
    pub fn encode(&self) -> Vec<u8> {
        to_bytes(self)
    }

    /// Reads what [`encode`](Self::encode) wrote, now or in an older version.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoredError> {
        from_bytes(bytes)
    }
}

/// See [`Command::AddVhost`].
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct AddVhost {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// What an operator writes about it.
    #[n(1)]
    pub description: Option<String>,
    /// Its tags.
    #[n(2)]
    pub tags: Vec<String>,
    /// The type of queues declared without one: `classic`, `quorum` or `stream`.
    #[n(3)]
    pub default_queue_type: Option<String>,
}

/// See [`Command::ProtectVhost`].
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct ProtectVhost {
    /// The vhost.
    #[n(0)]
    pub vhost: String,
    /// Whether it is protected from now on.
    #[n(1)]
    pub is_protected: bool,
}

/// See [`Command::SetVhostLimits`].
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct SetVhostLimits {
    /// The vhost.
    #[n(0)]
    pub vhost: String,
    /// All of its limits.
    #[n(1)]
    pub limits: VhostLimits,
}

/// See [`Command::AddUser`].
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct AddUser {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// The hash of its password as text; empty for none.
    #[n(1)]
    pub password_hash: String,
    /// How the hash was made: `rabbit_password_hashing_sha256` and the like.
    #[n(2)]
    pub hashing_algorithm: String,
    /// Its tags.
    #[n(3)]
    pub tags: Vec<String>,
}

/// See [`Command::SetPassword`].
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct SetPassword {
    /// The user.
    #[n(0)]
    pub user: String,
    /// The hash of its password as text.
    #[n(1)]
    pub password_hash: String,
    /// How the hash was made.
    #[n(2)]
    pub hashing_algorithm: String,
}

/// See [`Command::SetUserTags`].
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct SetUserTags {
    /// The user.
    #[n(0)]
    pub user: String,
    /// All of its tags.
    #[n(1)]
    pub tags: Vec<String>,
}

/// See [`Command::SetUserLimits`].
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct SetUserLimits {
    /// The user.
    #[n(0)]
    pub user: String,
    /// All of its limits.
    #[n(1)]
    pub limits: UserLimits,
}

/// See [`Command::SetPermissions`].
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct SetPermissions {
    /// The user.
    #[n(0)]
    pub user: String,
    /// The vhost.
    #[n(1)]
    pub vhost: String,
    /// The pattern of what it may declare and delete.
    #[n(2)]
    pub configure: String,
    /// The pattern of what it may publish to.
    #[n(3)]
    pub write: String,
    /// The pattern of what it may consume from.
    #[n(4)]
    pub read: String,
}

/// See [`Command::ClearPermissions`].
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct ClearPermissions {
    /// The user.
    #[n(0)]
    pub user: String,
    /// The vhost.
    #[n(1)]
    pub vhost: String,
}

/// See [`Command::SetTopicPermissions`].
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct SetTopicPermissions {
    /// The user.
    #[n(0)]
    pub user: String,
    /// The vhost.
    #[n(1)]
    pub vhost: String,
    /// The exchange.
    #[n(2)]
    pub exchange: String,
    /// The pattern of routing keys it may publish with.
    #[n(3)]
    pub write: String,
    /// The pattern of binding keys it may bind with.
    #[n(4)]
    pub read: String,
}

/// See [`Command::ClearTopicPermissions`].
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct ClearTopicPermissions {
    /// The user.
    #[n(0)]
    pub user: String,
    /// The vhost.
    #[n(1)]
    pub vhost: String,
    /// Only those for this exchange.
    #[n(2)]
    pub exchange: Option<String>,
}

/// See [`Command::DeclareExchange`].
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct DeclareExchange {
    /// The vhost.
    #[n(0)]
    pub vhost: String,
    /// Its name, [cleaned](crate::clean_name).
    #[n(1)]
    pub name: String,
    /// The name of its type.
    #[n(2)]
    pub kind: String,
    /// Whether it outlives a restart.
    #[n(3)]
    pub durable: bool,
    /// Whether it goes with the last binding it is the source of.
    #[n(4)]
    pub auto_delete: bool,
    /// Whether clients may not publish to it.
    #[n(5)]
    pub internal: bool,
    /// Its arguments.
    #[n(6)]
    #[cbor(with = "table")]
    pub arguments: FieldTable,
}

/// See [`Command::DeleteExchange`].
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct DeleteExchange {
    /// The vhost.
    #[n(0)]
    pub vhost: String,
    /// Its name, [cleaned](crate::clean_name).
    #[n(1)]
    pub name: String,
    /// Refuse if it is the source of bindings.
    #[n(2)]
    pub if_unused: bool,
}

/// See [`Command::DeclareQueue`].
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct DeclareQueue {
    /// The vhost.
    #[n(0)]
    pub vhost: String,
    /// Its name, [cleaned](crate::clean_name). For a queue that the server is to name, empty when
    /// asking [`State::authorize_declare_queue`](crate::State::authorize_declare_queue), then the
    /// name that was made up.
    #[n(1)]
    pub name: String,
    /// Whether the server made the name up, so that it may start with `amq.`.
    #[n(2)]
    pub is_server_named: bool,
    /// Whether it outlives a restart; without effect when it is exclusive.
    #[n(3)]
    pub durable: bool,
    /// Whether it goes with its last consumer.
    #[n(4)]
    pub auto_delete: bool,
    /// The connection it is exclusive to.
    #[n(5)]
    pub owner: Option<ConnectionId>,
    /// Its arguments as the client sent them.
    #[n(6)]
    #[cbor(with = "table")]
    pub arguments: FieldTable,
}

/// See [`Command::Bind`] and [`Command::Unbind`].
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct BindingSpec {
    /// The vhost.
    #[n(0)]
    pub vhost: String,
    /// The exchange, [cleaned](crate::clean_name).
    #[n(1)]
    pub source: String,
    /// What it leads to.
    #[n(2)]
    pub destination_kind: DestinationKind,
    /// The name of that, [cleaned](crate::clean_name).
    #[n(3)]
    pub destination: String,
    /// The binding key.
    #[n(4)]
    pub key: String,
    /// Its arguments.
    #[n(5)]
    #[cbor(with = "table")]
    pub arguments: FieldTable,
}

/// See [`Command::SetParameter`].
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct SetParameter {
    /// The vhost.
    #[n(0)]
    pub vhost: String,
    /// What it is for: `policy`, `operator_policy`, `vhost-limits`.
    #[n(1)]
    pub component: String,
    /// Its name.
    #[n(2)]
    pub name: String,
    /// Its value.
    #[n(3)]
    #[cbor(with = "json")]
    pub value: Value,
}

/// See [`Command::ClearParameter`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ClearParameter {
    /// The vhost.
    #[n(0)]
    pub vhost: String,
    /// What it is for.
    #[n(1)]
    pub component: String,
    /// Its name.
    #[n(2)]
    pub name: String,
}

/// See [`Command::SetGlobalParameter`].
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct SetGlobalParameter {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// Its value.
    #[n(1)]
    #[cbor(with = "json")]
    pub value: Value,
}
