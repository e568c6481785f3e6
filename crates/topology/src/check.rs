//! What can be refused by looking at the state alone: asked by front-ends before they propose a
//! command. Of that, `apply` asks again what may have changed meanwhile: names that are gone or taken.
//!
//! `authorize_*` goes through what RabbitMQ asks up to and including permissions, `check_*` through
//! what it asks afterwards: called one after the other they refuse with RabbitMQ's text even where
//! several things are wrong.

mod exchange;
mod queue;

pub(crate) use queue::Checked;

use crate::binding::Binding;
use crate::exchange::NewBinding;
use crate::refusal::{Named, RefusalKind};
use crate::{
    Access, BindingSpec, ConnectionId, Destination, DestinationKind, Permission, QueueRecord,
    Refusal, ResourceKind, State, Vhost,
};
use std::sync::Arc;

/// Decides on one access; see [`State::check`].
pub(crate) type Authority<'a> = dyn FnMut(&Access<'_>) -> Result<(), Refusal> + 'a;

/// Names that belong to direct reply-to.
const REPLY_TO_PREFIX: &str = "amq.rabbitmq.reply-to.";

/// Names that clients may not give.
const RESERVED_PREFIX: &str = "amq.";

impl State {
    pub(crate) fn require_vhost(&self, name: &str) -> Result<&Vhost, Refusal> {
        self.vhost(name).ok_or_else(|| Refusal::not_allowed(format!("vhost {name} not found")))
    }

    /// The queue called `name`, if `connection` may use it: 404 if there is none, 405 if it is
    /// exclusive to another connection.
    pub fn lookup_queue(
        &self,
        vhost: &str,
        name: &str,
        connection: ConnectionId,
    ) -> Result<&Arc<QueueRecord>, Refusal> {
        let queue = self.vhost(vhost).and_then(|vhost| vhost.queue(name));
        let queue = queue.ok_or_else(|| Refusal::no_queue(vhost, name))?;
        check_not_locked(queue, connection)?;
        Ok(queue)
    }

    /// The permissions that [`check_bind`](Self::check_bind) and
    /// [`check_unbind`](Self::check_unbind) presuppose, asked of `authority` in RabbitMQ's order.
    pub fn authorize_bind(
        &self,
        spec: &BindingSpec,
        authority: &mut Authority<'_>,
    ) -> Result<(), Refusal> {
        check_not_volatile(spec)?;
        let kind = match spec.destination_kind {
            DestinationKind::Exchange => ResourceKind::Exchange,
            DestinationKind::Queue => ResourceKind::Queue,
        };
        let destination = Access {
            vhost: &spec.vhost,
            kind,
            name: &spec.destination,
            permission: Permission::Write,
            topic: None,
        };
        authority(&destination)?;
        check_no_default_exchange(spec)?;
        let source = Access {
            kind: ResourceKind::Exchange,
            name: &spec.source,
            permission: Permission::Read,
            ..destination
        };
        authority(&source)?;
        let exchange = self.vhost(&spec.vhost).and_then(|vhost| vhost.exchange(&spec.source));
        if exchange.is_some_and(|exchange| exchange.kind.name == "topic") {
            authority(&Access { topic: Some(&spec.key), ..source })?;
        }
        Ok(())
    }

    /// Refuses a binding that cannot be made by `connection` (none: not a client's request). Says
    /// whether it exists already.
    pub fn check_bind(
        &self,
        spec: &BindingSpec,
        connection: Option<ConnectionId>,
    ) -> Result<bool, Refusal> {
        check_not_volatile(spec)?;
        check_no_default_exchange(spec)?;
        let vhost = self.require_vhost(&spec.vhost)?;
        let binding = resolve(vhost, spec)?;
        let queue = match &binding.destination {
            Destination::Queue(queue) => Some(queue),
            Destination::Exchange(_) => None,
        };
        (binding.source.kind.validate_binding)(&NewBinding {
            key: &spec.key,
            arguments: &spec.arguments,
            queue_kind: queue.map(|queue| queue.kind),
        })?;
        if let (Some(queue), Some(connection)) = (queue, connection) {
            check_not_locked(queue, connection)?;
        }
        Ok(vhost.has_binding(&binding))
    }

    /// Refuses to have `connection` (none: not a client's request) remove a binding. Says whether
    /// there is one.
    pub fn check_unbind(
        &self,
        spec: &BindingSpec,
        connection: Option<ConnectionId>,
    ) -> Result<bool, Refusal> {
        check_not_volatile(spec)?;
        check_no_default_exchange(spec)?;
        let vhost = self.require_vhost(&spec.vhost)?;
        let Ok(binding) = resolve(vhost, spec) else { return Ok(false) };
        if !vhost.has_binding(&binding) {
            return Ok(false);
        }
        if let (Destination::Queue(queue), Some(connection)) = (&binding.destination, connection) {
            check_not_locked(queue, connection)?;
        }
        Ok(true)
    }
}

/// The binding that `spec` describes; 404 if one of its ends is missing, the source first.
pub(crate) fn resolve(vhost: &Vhost, spec: &BindingSpec) -> Result<Arc<Binding>, Refusal> {
    let find_exchange = |name: &str| {
        vhost.exchange(name).cloned().ok_or_else(|| Refusal::no_exchange(&spec.vhost, name))
    };
    let source = find_exchange(&spec.source)?;
    let destination = match spec.destination_kind {
        DestinationKind::Exchange => Destination::Exchange(find_exchange(&spec.destination)?),
        DestinationKind::Queue => {
            let queue = vhost.queue(&spec.destination).cloned();
            let missing = || Refusal::no_queue(&spec.vhost, &spec.destination);
            Destination::Queue(queue.ok_or_else(missing)?)
        }
    };
    Ok(Arc::new(Binding {
        source,
        destination,
        key: spec.key.as_str().into(),
        arguments: Binding::canonical(&spec.arguments),
    }))
}

fn check_not_volatile(spec: &BindingSpec) -> Result<(), Refusal> {
    if spec.destination_kind == DestinationKind::Queue
        && spec.destination.starts_with(REPLY_TO_PREFIX)
    {
        return Err(Refusal::access_refused(
            "cannot bind or unbind to a volatile (direct reply-to) queue",
        ));
    }
    Ok(())
}

fn check_no_default_exchange(spec: &BindingSpec) -> Result<(), Refusal> {
    if spec.destination_kind == DestinationKind::Exchange {
        State::check_not_default_exchange(&spec.destination)?;
    }
    State::check_not_default_exchange(&spec.source)
}

fn check_not_locked(queue: &QueueRecord, connection: ConnectionId) -> Result<(), Refusal> {
    match queue.owner {
        Some(owner) if owner != connection => Err(locked(queue)),
        Some(_) | None => Ok(()),
    }
}

/// Refuses (405) a queue that is not exclusive to exactly this owner.
fn check_owner(queue: &QueueRecord, owner: Option<ConnectionId>) -> Result<(), Refusal> {
    if queue.owner == owner { Ok(()) } else { Err(locked(queue)) }
}

fn locked(queue: &QueueRecord) -> Refusal {
    let queue = Named::queue(&queue.vhost, &queue.name);
    Refusal::new(
        RefusalKind::ResourceLocked,
        format!(
            "cannot obtain exclusive access to locked {queue}. It could be originally declared on \
             another connection or the exclusive property value does not match that of the original \
             declaration."
        ),
    )
}

fn check_not_reserved(kind: &str, name: &str) -> Result<(), Refusal> {
    if name.starts_with(RESERVED_PREFIX) {
        return Err(Refusal::access_refused(format!(
            "{kind} name '{name}' contains reserved prefix 'amq.*'"
        )));
    }
    Ok(())
}
