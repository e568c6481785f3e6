//! The state machine.

mod apply;
mod restore;
mod understood;

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use field_table::FieldTable;
use serde_json::Value;

use crate::{QueueId, QueueRecord, QueueSettings, User, Vhost};

/// What a node's configuration forbids. Not replicated, and so asked by `State::check_*` only: a
/// command that was let through once has to be applied for ever after.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Refuse queues that are neither durable nor exclusive (541).
    pub deny_transient_nonexclusive: bool,
    /// Take `x-queue-master-locator`, which is without effect.
    pub permit_queue_master_locator: bool,
    /// Declaring a quorum queue again as a classic one compares a few arguments only.
    pub relax_quorum_redeclaration: bool,
    /// How many queues there may be in all vhosts together.
    pub cluster_queue_limit: Option<u64>,
    /// How many exchanges there may be in all vhosts together, predeclared ones included.
    pub cluster_exchange_limit: Option<u64>,
    /// How many vhosts there may be.
    pub vhost_max: Option<u64>,
}

/// The control plane. By default blank: without vhosts and users.
#[derive(Debug, Default)]
pub struct State {
    /// What this node forbids.
    pub rules: Rules,
    pub(crate) global_parameters: BTreeMap<String, Value>,
    vhosts: BTreeMap<Arc<str>, Vhost>,
    users: BTreeMap<Arc<str>, User>,
    queues: HashSet<ById, ahash::RandomState>,
    applied_index: u64,
    /// The arguments of the queue declared last. Most queues have the same.
    last_arguments: Arc<FieldTable>,
}

/// A queue in a set, found by its number.
#[derive(Debug)]
struct ById(Arc<QueueRecord>);

impl Borrow<QueueId> for ById {
    fn borrow(&self) -> &QueueId {
        &self.0.id
    }
}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for ById {}

impl State {
    /// A blank state on a node with these rules.
    pub fn new(rules: Rules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// Whether nothing was ever made: the time to make the default vhost and user.
    pub fn is_blank(&self) -> bool {
        self.vhosts.is_empty() && self.users.is_empty()
    }

    /// Where in the log the command stands that was applied last, refused ones included; 0 at first.
    pub fn applied_index(&self) -> u64 {
        self.applied_index
    }

    /// The vhost called `name`.
    pub fn vhost(&self, name: &str) -> Option<&Vhost> {
        self.vhosts.get(name)
    }

    /// The vhosts in the order of their names.
    pub fn vhosts(&self) -> impl Iterator<Item = &Vhost> {
        self.vhosts.values()
    }

    /// The user called `name`.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    /// The users in the order of their names.
    pub fn users(&self) -> impl Iterator<Item = &User> {
        self.users.values()
    }

    /// How many queues there are in all vhosts together.
    pub fn queue_count(&self) -> u64 {
        self.queues.len() as u64
    }

    /// How many exchanges there are in all vhosts together, predeclared ones included.
    pub fn exchange_count(&self) -> u64 {
        self.vhosts.values().map(|vhost| vhost.exchange_count() as u64).sum()
    }

    /// What a queue's machine acts on: its arguments and the policies that apply to it.
    pub fn settings_of(&self, queue: &QueueRecord) -> QueueSettings {
        let applied = self.vhost(&queue.vhost).map(|vhost| vhost.policies_of_queue(queue));
        let definition = applied.and_then(|applied| applied.definition());
        QueueSettings::effective(queue.kind, &queue.arguments, definition.as_deref())
    }

    /// The arguments of a queue: one copy of equal ones declared one after the other.
    fn share(&mut self, arguments: FieldTable) -> Arc<FieldTable> {
        if *self.last_arguments != arguments {
            self.last_arguments = Arc::new(arguments);
        }
        Arc::clone(&self.last_arguments)
    }
}

#[cfg(test)]
mod tests;
