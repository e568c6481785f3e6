//! Declaring queues.

use std::sync::Arc;

use field_table::{FieldTable, FieldValue};

use super::{Authority, check_not_reserved, check_owner};
use crate::access::reached;
use crate::equivalence;
use crate::queue::Properties;
use crate::queue::arguments::{self, X_DEAD_LETTER_EXCHANGE, X_QUEUE_MASTER_LOCATOR};
use crate::refusal::Named;
use crate::state::Rules;
use crate::{
    Access, DeclareQueue, Permission, QueueKind, QueueRecord, Refusal, ResourceKind, State, Vhost,
};

/// A declaration that may be carried out.
pub(crate) enum Checked {
    /// The queue exists and is as asked for.
    Existing(Arc<QueueRecord>),
    /// It is to be made.
    New { kind: QueueKind, properties: Properties, arguments: FieldTable },
}

impl State {
    /// What precedes [`check_declare_queue`](Self::check_declare_queue): the name, then the
    /// permissions, asked of `authority` in RabbitMQ's order. An empty name asks whether the server
    /// may name such a queue; no permission is asked then, since it is the name's.
    pub fn authorize_declare_queue(
        &self,
        declare: &DeclareQueue,
        authority: &mut Authority<'_>,
    ) -> Result<(), Refusal> {
        let vhost = self.require_vhost(&declare.vhost)?;
        if declare.name.is_empty() {
            return check_server_named(vhost, declare);
        }
        if !declare.is_server_named {
            check_not_reserved("queue", &declare.name)?;
        }
        let queue = Access {
            vhost: &declare.vhost,
            kind: ResourceKind::Queue,
            name: &declare.name,
            permission: Permission::Configure,
            topic: None,
        };
        authority(&queue)?;
        if vhost.queue(&declare.name).is_some() {
            return Ok(());
        }
        check_dead_letter_exchange_type(declare)?;
        let exchange = declare.arguments.get(X_DEAD_LETTER_EXCHANGE).and_then(FieldValue::as_str);
        if let Some(name) = exchange {
            authority(&Access { permission: Permission::Read, ..queue })?;
            let kind = ResourceKind::Exchange;
            authority(&Access { kind, name, permission: Permission::Write, ..queue })?;
        }
        Ok(())
    }

    /// Refuses a queue that cannot be declared like this. Returns the one that exists and is
    /// equivalent.
    pub fn check_declare_queue(
        &self,
        declare: &DeclareQueue,
    ) -> Result<Option<Arc<QueueRecord>>, Refusal> {
        match self.check_queue(declare, Some(&self.rules))? {
            Checked::Existing(queue) => Ok(Some(queue)),
            Checked::New { .. } => Ok(None),
        }
    }

    /// As [`check_declare_queue`](Self::check_declare_queue). `rules` are left out when a command is
    /// applied: what this node asks of values is not asked again, since a later version that asks more
    /// must not drop the queues of an earlier one.
    pub(crate) fn check_queue(
        &self,
        declare: &DeclareQueue,
        rules: Option<&Rules>,
    ) -> Result<Checked, Refusal> {
        let vhost = self.require_vhost(&declare.vhost)?;
        if declare.name.is_empty() {
            // Nothing was ever declared under this name.
            return Err(Refusal::no_queue(&declare.vhost, ""));
        }
        if rules.is_some() && !declare.is_server_named {
            check_not_reserved("queue", &declare.name)?;
        }
        let named = Named::queue(&declare.vhost, &declare.name);
        let properties = properties(declare);
        let default = vhost.default_queue_type();
        let arguments = arguments::with_queue_type(declare.arguments.clone(), default, properties);
        if let Some(queue) = vhost.queue(&declare.name) {
            let is_relaxed = rules.is_some_and(|rules| rules.relax_quorum_redeclaration)
                && queue.kind == QueueKind::Quorum
                && arguments::requested_kind(&arguments, default) == QueueKind::Classic;
            if is_relaxed {
                let compared = arguments::RELAXED.into_iter();
                equivalence::check_arguments(named, &queue.arguments, &arguments, compared)?;
            } else {
                check_equivalent(named, queue, properties, declare, &arguments)?;
            }
            return Ok(Checked::Existing(Arc::clone(queue)));
        }
        let kind = arguments::requested_kind(&arguments, default);
        if let Some(rules) = rules {
            check_dead_letter_exchange_type(declare)?;
            arguments::check(named, &arguments, kind)?;
            check_transient(rules, properties)?;
        }
        check_queue_limits(vhost, declare)?;
        if let Some(rules) = rules {
            self.check_rules(rules, declare, kind)?;
            arguments::check_of_kind(named, &arguments, kind, properties)?;
        }
        Ok(Checked::New { kind, properties, arguments })
    }

    fn check_rules(
        &self,
        rules: &Rules,
        declare: &DeclareQueue,
        kind: QueueKind,
    ) -> Result<(), Refusal> {
        if let Some(limit) = rules.cluster_queue_limit
            && limit <= self.queue_count()
        {
            return Err(Refusal::precondition_failed(format!(
                "cannot declare queue '{}': queue limit in cluster ({limit}) is reached",
                declare.name
            )));
        }
        let has_locator = declare.arguments.contains_key(X_QUEUE_MASTER_LOCATOR);
        if kind == QueueKind::Classic && has_locator && !rules.permit_queue_master_locator {
            return Err(Refusal::internal_error(
                "Feature `queue_master_locator` is deprecated.\n\
                 By default, this feature is not permitted anymore.\n\
                 The feature will be removed from a future major RabbitMQ version, regardless of the \
                 configuration; actual version to be determined.\n\
                 To continue using this feature when it is not permitted by default, set the \
                 following parameter in your configuration:\n    \
                 \"deprecated_features.permit.queue_master_locator = true\"",
            ));
        }
        Ok(())
    }
}

fn properties(declare: &DeclareQueue) -> Properties {
    let exclusive = declare.owner.is_some();
    Properties {
        durable: declare.durable && !exclusive,
        exclusive,
        auto_delete: declare.auto_delete,
    }
}

fn check_equivalent(
    named: Named<'_>,
    queue: &QueueRecord,
    properties: Properties,
    declare: &DeclareQueue,
    arguments: &FieldTable,
) -> Result<(), Refusal> {
    let current = queue.properties();
    check_owner(queue, declare.owner)?;
    equivalence::check_property(named, "durable", current.durable, properties.durable)?;
    equivalence::check_property(named, "auto_delete", current.auto_delete, properties.auto_delete)?;
    let compared = arguments::compared(queue.kind);
    equivalence::check_arguments(named, &queue.arguments, arguments, compared)
}

fn check_server_named(vhost: &Vhost, declare: &DeclareQueue) -> Result<(), Refusal> {
    let default = vhost.default_queue_type();
    let arguments =
        arguments::with_queue_type(declare.arguments.clone(), default, properties(declare));
    match arguments::requested_kind(&arguments, default) {
        QueueKind::Classic => Ok(()),
        kind @ (QueueKind::Quorum | QueueKind::Stream) => Err(Refusal::precondition_failed(
            format!("Cannot declare a server-named queue for type {}", kind.module_name()),
        )),
    }
}

fn check_dead_letter_exchange_type(declare: &DeclareQueue) -> Result<(), Refusal> {
    match declare.arguments.get(X_DEAD_LETTER_EXCHANGE) {
        None | Some(FieldValue::LongStr(_)) => Ok(()),
        Some(other) => Err(Refusal::precondition_failed(format!(
            "invalid type '{}' for arg '{X_DEAD_LETTER_EXCHANGE}' in {}",
            other.type_name(),
            Named::queue(&declare.vhost, &declare.name)
        ))),
    }
}

fn check_transient(rules: &Rules, properties: Properties) -> Result<(), Refusal> {
    let is_transient = !properties.durable && !properties.exclusive;
    if is_transient && rules.deny_transient_nonexclusive {
        return Err(Refusal::internal_error(
            "Feature `transient_nonexcl_queues` is deprecated.\n\
             Its use is not permitted per the configuration (overriding the default, which is \
             permitted):\n    \"deprecated_features.permit.transient_nonexcl_queues = false\"\n\
             Its use will not be permitted by default in a future minor RabbitMQ version and the \
             feature will be removed from a future major RabbitMQ version; actual versions to be \
             determined.\n\
             To continue using this feature when it is not permitted by default, set the following \
             parameter in your configuration:\n    \
             \"deprecated_features.permit.transient_nonexcl_queues = true\"",
        ));
    }
    Ok(())
}

/// The limit of the vhost: part of the replicated state, so that it holds when commands are applied.
fn check_queue_limits(vhost: &Vhost, declare: &DeclareQueue) -> Result<(), Refusal> {
    match reached(vhost.limits().max_queues, vhost.queue_count() as u64) {
        None => Ok(()),
        Some(limit) => Err(Refusal::precondition_failed(format!(
            "cannot declare queue '{}': queue limit in vhost '{}' ({limit}) is reached",
            declare.name, declare.vhost
        ))),
    }
}
