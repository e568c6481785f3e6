//! Definitions in: in RabbitMQ's order, one kind after the other. What is there already and the same stays.

use std::collections::BTreeMap;

use operator::{
    BindingInfo, Declaration, Management, ParameterInfo, PermissionInfo, PolicyScope, Refusal,
    TopicPermissionInfo,
};
use serde_json::Value;
use topology::{DeclareExchange, DeclareQueue, DestinationKind};
use tracing::warn;

use super::Object;
use crate::api::{bindings, policies, users, vhosts};
use crate::json;
use crate::reply::Failure;

/// What policies said of mirrored queues, up to RabbitMQ 3.13. There are none any more.
const MIRRORING_KEYS: [&str; 7] = [
    "ha-mode",
    "ha-params",
    "ha-promote-on-failure",
    "ha-promote-on-shutdown",
    "ha-sync-batch-size",
    "ha-sync-mode",
    "queue-master-locator",
];

/// A document with the objects of all vhosts.
pub(super) fn all(broker: &dyn Management, document: &Object) -> Result<(), Failure> {
    let mut import = Import { broker, document, into: None, left_out: BTreeMap::new() };
    import.users()?;
    for entry in entries(document, "vhosts")? {
        import_vhost(broker, entry)?;
    }
    for entry in entries(document, "permissions")? {
        broker.set_permissions(&import.permission(entry)?)?;
    }
    import.exchanges()?;
    for entry in entries(document, "topic_permissions")? {
        broker.set_topic_permissions(&import.topic_permission(entry)?)?;
    }
    for entry in entries(document, "global_parameters")? {
        let value = entry.get("value").cloned().unwrap_or_default();
        broker.set_global_parameter(required(entry, "name")?, value)?;
    }
    import.policies_queues_bindings()
}

/// A document with the objects of one vhost.
pub(super) fn into_vhost(
    broker: &dyn Management,
    document: &Object,
    vhost: &str,
) -> Result<(), Failure> {
    if let Some(limits) = limits(document) {
        broker.set_vhost_limits(vhost, limits)?;
    }
    let mut import = Import { broker, document, into: Some(vhost), left_out: BTreeMap::new() };
    import.exchanges()?;
    import.policies_queues_bindings()
}

/// Objects of one kind; none if the document does not name it.
fn entries<'d>(document: &'d Object, kind: &str) -> Result<Vec<&'d Object>, Failure> {
    let wrong = || Failure::bad_request(format!("{kind} should be a list of objects"));
    match document.get(kind) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(entries)) => {
            entries.iter().map(|it| it.as_object().ok_or_else(wrong)).collect()
        }
        Some(_) => Err(wrong()),
    }
}

fn required<'e>(entry: &'e Object, key: &str) -> Result<&'e str, Failure> {
    json::text(entry, key)?.ok_or_else(|| Failure::key_missing(&[key]))
}

/// Those of a user or a vhost, if it has any.
fn limits(entry: &Object) -> Option<&Object> {
    entry.get("limits").and_then(Value::as_object).filter(|it| !it.is_empty())
}

/// What the broker refused, with the name of the error before it.
fn failure(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Amqp { name, text } => Failure::bad_request(format!("{name}: {text}")),
        other => other.into(),
    }
}

/// A failure that says of what.
fn named(mut failure: Failure, vhost: &str, name: &str) -> Failure {
    if let Value::String(reason) = &mut failure.reason {
        reason.push_str(&format!(" (vhost: \"{vhost}\" key: \"{name}\")"));
    }
    failure
}

fn import_vhost(broker: &dyn Management, entry: &Object) -> Result<(), Failure> {
    let name = required(entry, "name")?;
    let described = match entry.get("metadata") {
        Some(Value::Object(metadata)) => vhosts::described(name, metadata)?,
        _ => vhosts::described(name, entry)?,
    };
    broker.put_vhost(&described)?;
    if let Some(Value::Object(metadata)) = entry.get("metadata")
        && let Some(is_protected) = json::optional_flag(metadata, "protected_from_deletion")?
    {
        broker.protect_vhost(name, is_protected)?;
    }
    if let Some(limits) = limits(entry) {
        broker.set_vhost_limits(name, limits)?;
    }
    Ok(())
}

struct Import<'a> {
    broker: &'a dyn Management,
    document: &'a Object,
    /// The vhost that all are imported into; without it each names its own.
    into: Option<&'a str>,
    /// What is not there yet or not any more, and how often it was asked for.
    left_out: BTreeMap<String, u64>,
}

impl Import<'_> {
    /// The vhost of an entry. It has to exist.
    fn vhost_of(&self, entry: &Object) -> Result<String, Failure> {
        let name = match self.into {
            Some(name) => name,
            None => required(entry, "vhost")?,
        };
        if self.broker.vhost(name).is_none() {
            return Err(Failure::bad_request(format!(
                "Please create virtual host \"{name}\" prior to importing definitions."
            )));
        }
        Ok(name.to_owned())
    }

    fn users(&self) -> Result<(), Failure> {
        for entry in entries(self.document, "users")? {
            let user = users::described(self.broker, required(entry, "name")?, entry)?;
            self.broker.put_user(&user)?;
            if let Some(limits) = limits(entry) {
                self.broker.set_user_limits(&user.name, limits)?;
            }
        }
        Ok(())
    }

    fn permission(&self, entry: &Object) -> Result<PermissionInfo, Failure> {
        Ok(PermissionInfo {
            user: required(entry, "user")?.to_owned(),
            vhost: self.vhost_of(entry)?,
            configure: required(entry, "configure")?.to_owned(),
            write: required(entry, "write")?.to_owned(),
            read: required(entry, "read")?.to_owned(),
        })
    }

    fn topic_permission(&self, entry: &Object) -> Result<TopicPermissionInfo, Failure> {
        Ok(TopicPermissionInfo {
            user: required(entry, "user")?.to_owned(),
            vhost: self.vhost_of(entry)?,
            exchange: required(entry, "exchange")?.to_owned(),
            write: required(entry, "write")?.to_owned(),
            read: required(entry, "read")?.to_owned(),
        })
    }

    /// Policies and runtime parameters come before the queues that they are for.
    fn policies_queues_bindings(&mut self) -> Result<(), Failure> {
        self.policies()?;
        self.parameters()?;
        for (what, count) in &self.left_out {
            warn!("Definitions import: left out {what} ({count} times)");
        }
        self.queues()?;
        self.bindings()
    }

    fn policies(&mut self) -> Result<(), Failure> {
        for entry in entries(self.document, "policies")? {
            let vhost = self.vhost_of(entry)?;
            let name = required(entry, "name")?;
            if let Some(entry) = self.without_mirroring(entry) {
                policies::set(self.broker, &vhost, PolicyScope::User, name, &entry)
                    .map_err(|failure| named(failure, &vhost, name))?;
            }
        }
        Ok(())
    }

    fn parameters(&mut self) -> Result<(), Failure> {
        for entry in entries(self.document, "parameters")? {
            let vhost = self.vhost_of(entry)?;
            let (name, component) = (required(entry, "name")?, required(entry, "component")?);
            if !topology::is_component(component) {
                self.leave_out(format!("parameters of component {component}"));
                continue;
            }
            let value = match entry.get("value") {
                Some(Value::Object(value)) => self.without_mirroring(value).map(Value::Object),
                value => Some(value.cloned().unwrap_or_default()),
            };
            let Some(value) = value else { continue };
            let (component, name) = (component.to_owned(), name.to_owned());
            let parameter = ParameterInfo { component, name, value };
            let set = self.broker.set_parameter(&vhost, &parameter);
            set.map_err(|refusal| named(refusal.into(), &vhost, &parameter.name))?;
        }
        Ok(())
    }

    fn leave_out(&mut self, what: String) {
        *self.left_out.entry(what).or_default() += 1;
    }

    /// The policy without its [`MIRRORING_KEYS`]; none if it was about nothing else.
    fn without_mirroring(&mut self, policy: &Object) -> Option<Object> {
        let mut policy = policy.clone();
        let Some(Value::Object(definition)) = policy.get_mut("definition") else {
            return Some(policy);
        };
        let was_empty = definition.is_empty();
        for key in MIRRORING_KEYS {
            if definition.remove(key).is_some() {
                self.leave_out(format!("the key {key} of policies"));
            }
        }
        (was_empty || !definition.is_empty()).then_some(policy)
    }

    fn exchanges(&self) -> Result<(), Failure> {
        let mut missing = Vec::new();
        for entry in entries(self.document, "exchanges")? {
            let declare = DeclareExchange {
                vhost: self.vhost_of(entry)?,
                name: required(entry, "name")?.to_owned(),
                kind: required(entry, "type")?.to_owned(),
                durable: json::optional_flag(entry, "durable")?.unwrap_or(true),
                auto_delete: json::flag(entry, "auto_delete")?,
                internal: json::flag(entry, "internal")?,
                arguments: json::arguments(entry)?,
            };
            // Those are there, or are not a client's to make.
            if !declare.name.is_empty() && !declare.name.starts_with("amq.") {
                missing.push(Declaration::Exchange(declare));
            }
        }
        self.broker.declare_all(missing).map_err(failure)
    }

    fn queues(&self) -> Result<(), Failure> {
        let mut missing = Vec::new();
        for entry in entries(self.document, "queues")? {
            let name = required(entry, "name")?.to_owned();
            if name.starts_with("amq.") {
                let actor = operator::actor();
                warn!(
                    "Skipping import of a queue whose name begins with 'amq.', name: {name}, \
                     acting user: {actor}"
                );
                continue;
            }
            let mut arguments = json::arguments(entry)?;
            let kind = json::text(entry, "type")?;
            if let Some(kind) = kind.filter(|_| arguments.get("x-queue-type").is_none()) {
                arguments.set("x-queue-type", kind);
                arguments.sort();
            }
            missing.push(Declaration::Queue(DeclareQueue {
                vhost: self.vhost_of(entry)?,
                is_server_named: false,
                durable: json::optional_flag(entry, "durable")?.unwrap_or(true),
                auto_delete: json::flag(entry, "auto_delete")?,
                owner: None,
                arguments,
                name,
            }));
        }
        self.broker.declare_all(missing).map_err(failure)
    }

    fn bindings(&self) -> Result<(), Failure> {
        let mut missing = Vec::new();
        for entry in entries(self.document, "bindings")? {
            let kind = match required(entry, "destination_type")? {
                "queue" => DestinationKind::Queue,
                "exchange" => DestinationKind::Exchange,
                other => {
                    let text = format!("{other} is no type of destinations");
                    return Err(Failure::bad_request(text));
                }
            };
            let binding = BindingInfo {
                vhost: self.vhost_of(entry)?,
                source_name: required(entry, "source")?.to_owned(),
                destination_name: required(entry, "destination")?.to_owned(),
                destination_kind: kind.name().to_owned(),
                routing_key: json::text(entry, "routing_key")?.unwrap_or_default().to_owned(),
                arguments: json::arguments(entry)?,
            };
            missing.push(Declaration::Binding(bindings::spec(binding, kind)));
        }
        self.broker.declare_all(missing).map_err(failure)
    }
}
