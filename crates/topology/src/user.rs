//! Users and what they may do.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Pattern;

/// The limits of a user. None and negative numbers are no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct UserLimits {
    /// `max-connections`.
    #[n(0)]
    pub max_connections: Option<i64>,
    /// `max-channels`.
    #[n(1)]
    pub max_channels: Option<i64>,
}

/// What a user may do in a vhost: patterns over the names of exchanges and queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// What it may declare and delete.
    pub configure: Pattern,
    /// What it may publish to and bind.
    pub write: Pattern,
    /// What it may consume and bind from.
    pub read: Pattern,
}

/// What a user may do with one topic exchange: patterns over routing keys, in which `{username}`,
/// `{vhost}` and `{client_id}` stand for the connection's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPermissions {
    /// Routing keys it may publish with.
    pub write: Pattern,
    /// Binding keys it may bind with.
    pub read: Pattern,
}

/// A user of the internal database.
#[derive(Clone, Debug)]
pub struct User {
    pub(crate) name: Arc<str>,
    pub(crate) password_hash: String,
    pub(crate) hashing_algorithm: String,
    pub(crate) tags: Vec<String>,
    pub(crate) limits: UserLimits,
    pub(crate) permissions: BTreeMap<Arc<str>, Permissions>,
    pub(crate) topic_permissions: BTreeMap<(Arc<str>, Arc<str>), TopicPermissions>,
}

impl User {
    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The hash of its password as text; empty when it has none and cannot log in with one.
    pub fn password_hash(&self) -> &str {
        &self.password_hash
    }

    /// How the hash was made: `rabbit_password_hashing_sha256` and the like.
    pub fn hashing_algorithm(&self) -> &str {
        &self.hashing_algorithm
    }

    /// Its tags, as given.
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// Whether it has this tag.
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|other| other == tag)
    }

    /// Its limits.
    pub fn limits(&self) -> UserLimits {
        self.limits
    }

    /// Its permissions by vhost.
    pub fn permissions(&self) -> impl Iterator<Item = (&Arc<str>, &Permissions)> {
        self.permissions.iter()
    }

    /// Its permissions in one vhost.
    pub fn permissions_in(&self, vhost: &str) -> Option<&Permissions> {
        self.permissions.get(vhost)
    }

    /// Its topic permissions by vhost and exchange.
    pub fn topic_permissions(
        &self,
    ) -> impl Iterator<Item = (&Arc<str>, &Arc<str>, &TopicPermissions)> {
        self.topic_permissions.iter().map(|((vhost, exchange), topic)| (vhost, exchange, topic))
    }
}
