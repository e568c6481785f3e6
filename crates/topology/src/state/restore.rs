//! The state as bytes and back.

use std::sync::Arc;

use serde_json::Value;

use super::{ById, State};
use crate::stored::snapshot::{
    StoredBinding, StoredQueue, StoredState, StoredUser, StoredVhost, inconsistent,
};
use crate::stored::{StoredError, from_bytes, to_bytes};
use crate::{
    AddUser, AddVhost, Binding, DeclareExchange, ExchangeRecord, Parameter, PolicyKind, QueueId,
    QueueKind, QueueRecord, Refusal, SetGlobalParameter, SetParameter, SetPermissions,
    SetTopicPermissions, User, Vhost,
};

impl State {
    /// The whole replicated state as bytes: a version, then CBOR. [`Rules`](super::Rules) are not in
    /// it.
    pub fn snapshot(&self) -> Vec<u8> {
        to_bytes(&StoredState {
            applied_index: self.applied_index,
            cluster_name: None,
            vhosts: self.vhosts().map(store_vhost).collect(),
            users: self.users().map(store_user).collect(),
            global_parameters: self.global_parameters().map(store_global_parameter).collect(),
        })
    }

    /// The state that [`snapshot`](Self::snapshot) wrote, with default rules.
    pub fn restore(bytes: &[u8]) -> Result<Self, StoredError> {
        let stored: StoredState = from_bytes(bytes)?;
        let mut state = Self { applied_index: stored.applied_index, ..Self::default() };
        if let Some(name) = stored.cluster_name {
            state.set_cluster_name(&name);
        }
        for parameter in &stored.global_parameters {
            state.set_global_parameter(parameter);
        }
        for vhost in stored.vhosts {
            state.restore_vhost(vhost)?;
        }
        for user in stored.users {
            state.restore_user(&user)?;
        }
        Ok(state)
    }

    fn restore_vhost(&mut self, stored: StoredVhost) -> Result<(), StoredError> {
        let name = stored.vhost.name.as_str();
        self.add_vhost(&stored.vhost, &mut Vec::new()).map_err(refused)?;
        for mut exchange in stored.exchanges {
            name.clone_into(&mut exchange.vhost);
            self.declare_exchange(&exchange, &mut Vec::new()).map_err(refused)?;
        }
        for queue in stored.queues {
            self.restore_queue(name, queue)?;
        }
        for binding in stored.bindings {
            self.bind(&binding.into_spec(name), &mut Vec::new()).map_err(refused)?;
        }
        for mut policy in stored.policies {
            name.clone_into(&mut policy.vhost);
            self.set_parameter(&policy, &mut Vec::new()).map_err(refused)?;
        }
        if let Some(vhost) = self.vhosts.get_mut(name) {
            vhost.limits = stored.limits;
            vhost.is_protected = stored.is_protected.unwrap_or_default();
        }
        Ok(())
    }

    fn restore_queue(&mut self, vhost: &str, stored: StoredQueue) -> Result<(), StoredError> {
        let kind = QueueKind::from_name(&stored.kind)
            .ok_or_else(|| inconsistent(format!("no queue type {}", stored.kind)))?;
        let arguments = self.share(stored.arguments);
        let vhost =
            self.vhosts.get_mut(vhost).ok_or_else(|| inconsistent("a queue without vhost"))?;
        if vhost.queue(&stored.name).is_some() {
            return Err(inconsistent(format!("two queues called {}", stored.name)));
        }
        let queue = Arc::new(QueueRecord {
            id: QueueId(stored.id),
            vhost: Arc::clone(&vhost.name),
            name: stored.name.into(),
            kind,
            durable: stored.durable,
            auto_delete: stored.auto_delete,
            owner: stored.owner,
            arguments,
        });
        vhost.add_queue(Arc::clone(&queue));
        if !self.queues.insert(ById(queue)) {
            return Err(inconsistent(format!("two queues numbered {}", stored.id)));
        }
        Ok(())
    }

    fn restore_user(&mut self, stored: &StoredUser) -> Result<(), StoredError> {
        let events = &mut Vec::new();
        self.add_user(&stored.user, events).map_err(refused)?;
        for permissions in &stored.permissions {
            self.set_permissions(permissions, events).map_err(refused)?;
        }
        for permissions in &stored.topic_permissions {
            self.insert_topic_permissions(permissions).map_err(refused)?;
        }
        if let Some(user) = self.users.get_mut(stored.user.name.as_str()) {
            user.limits = stored.limits;
        }
        Ok(())
    }
}

fn refused(refusal: Refusal) -> StoredError {
    inconsistent(refusal.text)
}

fn store_vhost(vhost: &Vhost) -> StoredVhost {
    StoredVhost {
        vhost: AddVhost {
            name: vhost.name().to_string(),
            description: vhost.description().map(str::to_owned),
            tags: vhost.tags().to_vec(),
            default_queue_type: vhost.default_queue_type().map(|kind| kind.name().to_owned()),
        },
        limits: vhost.limits(),
        is_protected: Some(vhost.is_protected()),
        exchanges: vhost.exchanges().filter_map(|exchange| store_exchange(exchange)).collect(),
        queues: vhost.queues().map(|queue| store_queue(queue)).collect(),
        bindings: vhost.explicit_bindings().into_iter().map(store_binding).collect(),
        policies: store_policies(vhost),
    }
}

fn store_policies(vhost: &Vhost) -> Vec<SetParameter> {
    let all = [PolicyKind::User, PolicyKind::Operator];
    let all = all.into_iter().flat_map(|kind| vhost.parameters_of(kind));
    let store = |it: Parameter| SetParameter {
        vhost: String::new(),
        component: it.component.to_owned(),
        name: it.name,
        value: it.value,
    };
    all.map(store).collect()
}

fn store_global_parameter((name, value): (&str, &Value)) -> SetGlobalParameter {
    SetGlobalParameter { name: name.to_owned(), value: value.clone() }
}

/// None for the predeclared ones, which every vhost has.
fn store_exchange(exchange: &ExchangeRecord) -> Option<DeclareExchange> {
    if exchange.name.is_empty() || exchange.name.starts_with("amq.") {
        return None;
    }
    Some(DeclareExchange {
        vhost: String::new(),
        name: exchange.name.to_string(),
        kind: exchange.kind.name.to_owned(),
        durable: exchange.durable,
        auto_delete: exchange.auto_delete,
        internal: exchange.internal,
        arguments: exchange.arguments.clone(),
    })
}

fn store_queue(queue: &QueueRecord) -> StoredQueue {
    StoredQueue {
        id: queue.id.0,
        name: queue.name.to_string(),
        kind: queue.kind.name().to_owned(),
        durable: queue.durable,
        auto_delete: queue.auto_delete,
        owner: queue.owner,
        arguments: (*queue.arguments).clone(),
    }
}

fn store_binding(binding: &Binding) -> StoredBinding {
    StoredBinding {
        source: binding.source.name.to_string(),
        destination_kind: binding.destination.kind(),
        destination: binding.destination.name().to_owned(),
        key: binding.key.to_string(),
        arguments: binding.arguments.as_deref().cloned().unwrap_or_default(),
    }
}

fn store_user(user: &User) -> StoredUser {
    let permissions = user.permissions().map(|(vhost, permissions)| SetPermissions {
        user: user.name().to_string(),
        vhost: vhost.to_string(),
        configure: permissions.configure.as_str().to_owned(),
        write: permissions.write.as_str().to_owned(),
        read: permissions.read.as_str().to_owned(),
    });
    let topics = user.topic_permissions().map(|(vhost, exchange, topic)| SetTopicPermissions {
        user: user.name().to_string(),
        vhost: vhost.to_string(),
        exchange: exchange.to_string(),
        write: topic.write.as_str().to_owned(),
        read: topic.read.as_str().to_owned(),
    });
    StoredUser {
        user: AddUser {
            name: user.name().to_string(),
            password_hash: user.password_hash().to_owned(),
            hashing_algorithm: user.hashing_algorithm().to_owned(),
            tags: user.tags().to_vec(),
        },
        limits: user.limits(),
        permissions: permissions.collect(),
        topic_permissions: topics.collect(),
    }
}
