//! The whole state as it is stored.

use field_table::FieldTable;
use minicbor::{Decode, Encode};

use super::{StoredError, table};
use crate::command::{
    AddUser, AddVhost, BindingSpec, DeclareExchange, SetGlobalParameter, SetParameter,
    SetPermissions, SetTopicPermissions,
};
use crate::{ConnectionId, DestinationKind, UserLimits, VhostLimits};

#[derive(Debug, Encode, Decode)]
pub(crate) struct StoredState {
    /// Where older versions keep what is now a global parameter.
    #[n(0)]
    pub(crate) cluster_name: Option<String>,
    #[n(1)]
    pub(crate) vhosts: Vec<StoredVhost>,
    #[n(2)]
    pub(crate) users: Vec<StoredUser>,
    #[n(3)]
    pub(crate) applied_index: u64,
    #[n(4)]
    #[cbor(default)]
    pub(crate) global_parameters: Vec<SetGlobalParameter>,
}

/// Shaped after the commands that make what it holds.
#[derive(Debug, Encode, Decode)]
pub(crate) struct StoredVhost {
    #[n(0)]
    pub(crate) vhost: AddVhost,
    #[n(1)]
    pub(crate) limits: VhostLimits,
    /// Without the predeclared ones.
    #[n(2)]
    pub(crate) exchanges: Vec<DeclareExchange>,
    #[n(3)]
    pub(crate) queues: Vec<StoredQueue>,
    #[n(4)]
    pub(crate) bindings: Vec<StoredBinding>,
    /// The policies, each without its vhost.
    #[n(6)]
    #[cbor(default)]
    pub(crate) policies: Vec<SetParameter>,
    /// Missing in what was stored before vhosts could be protected.
    #[n(5)]
    pub(crate) is_protected: Option<bool>,
}

#[derive(Debug, Encode, Decode)]
pub(crate) struct StoredQueue {
    #[n(0)]
    pub(crate) id: u64,
    #[n(1)]
    pub(crate) name: String,
    #[n(2)]
    pub(crate) kind: String,
    #[n(3)]
    pub(crate) durable: bool,
    #[n(4)]
    pub(crate) auto_delete: bool,
    #[n(5)]
    pub(crate) owner: Option<ConnectionId>,
    #[n(6)]
    #[cbor(with = "table")]
    pub(crate) arguments: FieldTable,
}

#[derive(Debug, Encode, Decode)]
pub(crate) struct StoredBinding {
    #[n(0)]
    pub(crate) source: String,
    #[n(1)]
    pub(crate) destination_kind: DestinationKind,
    #[n(2)]
    pub(crate) destination: String,
    #[n(3)]
    pub(crate) key: String,
    #[n(4)]
    #[cbor(with = "table")]
    pub(crate) arguments: FieldTable,
}

#[derive(Debug, Encode, Decode)]
pub(crate) struct StoredUser {
    #[n(0)]
    pub(crate) user: AddUser,
    #[n(1)]
    pub(crate) limits: UserLimits,
    #[n(2)]
    pub(crate) permissions: Vec<SetPermissions>,
    #[n(3)]
    pub(crate) topic_permissions: Vec<SetTopicPermissions>,
}

impl StoredBinding {
    pub(crate) fn into_spec(self, vhost: &str) -> BindingSpec {
        BindingSpec {
            vhost: vhost.to_owned(),
            source: self.source,
            destination_kind: self.destination_kind,
            destination: self.destination,
            key: self.key,
            arguments: self.arguments,
        }
    }
}

pub(crate) fn inconsistent(what: impl Into<String>) -> StoredError {
    StoredError::Inconsistent(what.into())
}
