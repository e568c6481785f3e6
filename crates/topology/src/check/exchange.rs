//! Declaring and deleting exchanges.

use std::sync::Arc;

use field_table::FieldValue;

use super::{Authority, check_not_reserved};
use crate::equivalence;
use crate::exchange::ALTERNATE_EXCHANGE;
use crate::refusal::Named;
use crate::state::Rules;
use crate::{
    Access, DeclareExchange, DeleteExchange, ExchangeRecord, ExchangeType, Permission, Refusal,
    ResourceKind, State,
};

/// Words that are no exchange types but that RabbitMQ's virtual machine happens to know from its own
/// code: it has another text for them. The likeliest mistakes, not the thousands there are.
const WORDS_KNOWN_TO_RABBITMQ: &[&str] = &[
    "",
    "bar",
    "broadcast",
    "classic",
    "default",
    "Direct",
    "events",
    "exchange",
    "false",
    "foo",
    "hash",
    "header",
    "invalid",
    "log",
    "match",
    "multicast",
    "none",
    "nope",
    "null",
    "queue",
    "quorum",
    "random",
    "stream",
    "test",
    "true",
    "undefined",
    "unknown",
    "work",
    "wrong",
];

impl State {
    /// The exchange called `name`, the default exchange included; 404 if there is none.
    pub fn lookup_exchange(
        &self,
        vhost: &str,
        name: &str,
    ) -> Result<&Arc<ExchangeRecord>, Refusal> {
        let exchange = self.vhost(vhost).and_then(|vhost| vhost.exchange(name));
        exchange.ok_or_else(|| Refusal::no_exchange(vhost, name))
    }

    /// Refuses (403) the default exchange.
    pub fn check_not_default_exchange(name: &str) -> Result<(), Refusal> {
        if name.is_empty() {
            return Err(Refusal::access_refused("operation not permitted on the default exchange"));
        }
        Ok(())
    }

    /// Refuses (403) to have a client publish to this exchange.
    pub fn check_not_internal(exchange: &ExchangeRecord) -> Result<(), Refusal> {
        if exchange.internal {
            let exchange = Named::exchange(&exchange.vhost, &exchange.name);
            return Err(Refusal::access_refused(format!("cannot publish to internal {exchange}")));
        }
        Ok(())
    }

    /// The permissions that [`check_declare_exchange`](Self::check_declare_exchange) presupposes,
    /// asked of `authority` in RabbitMQ's order.
    pub fn authorize_declare_exchange(
        &self,
        declare: &DeclareExchange,
        authority: &mut Authority<'_>,
    ) -> Result<(), Refusal> {
        find_type(&declare.kind)?;
        Self::check_not_default_exchange(&declare.name)?;
        let exchange = Access {
            vhost: &declare.vhost,
            kind: ResourceKind::Exchange,
            name: &declare.name,
            permission: Permission::Configure,
            topic: None,
        };
        authority(&exchange)?;
        if self.lookup_exchange(&declare.vhost, &declare.name).is_ok() {
            return Ok(());
        }
        check_not_reserved("exchange", &declare.name)?;
        check_alternate_type(declare)?;
        let alternate = declare.arguments.get(ALTERNATE_EXCHANGE).and_then(FieldValue::as_str);
        if let Some(alternate) = alternate {
            authority(&Access { permission: Permission::Read, ..exchange })?;
            authority(&Access { permission: Permission::Write, name: alternate, ..exchange })?;
        }
        Ok(())
    }

    /// Refuses an exchange that cannot be declared like this. Returns the one that exists and is
    /// equivalent.
    pub fn check_declare_exchange(
        &self,
        declare: &DeclareExchange,
    ) -> Result<Option<Arc<ExchangeRecord>>, Refusal> {
        self.check_exchange(declare, Some(&self.rules)).map(|(existing, _)| existing)
    }

    /// As [`check_declare_exchange`](Self::check_declare_exchange). `rules` are left out when a command
    /// is applied: values are not checked again, as with queues.
    pub(crate) fn check_exchange(
        &self,
        declare: &DeclareExchange,
        rules: Option<&Rules>,
    ) -> Result<(Option<Arc<ExchangeRecord>>, &'static ExchangeType), Refusal> {
        let kind = find_type(&declare.kind)?;
        Self::check_not_default_exchange(&declare.name)?;
        let named = Named::exchange(&declare.vhost, &declare.name);
        let vhost = self.require_vhost(&declare.vhost)?;
        if let Some(exchange) = vhost.exchange(&declare.name) {
            check_equivalent(named, exchange, kind, declare)?;
            return Ok((Some(Arc::clone(exchange)), kind));
        }
        if rules.is_some() {
            check_not_reserved("exchange", &declare.name)?;
            check_alternate_type(declare)?;
        }
        if let Some(limit) = rules.and_then(|rules| rules.cluster_exchange_limit)
            && limit <= self.exchange_count()
        {
            return Err(Refusal::precondition_failed(format!(
                "cannot declare {named}: exchange limit of {limit} is reached"
            )));
        }
        Ok((None, kind))
    }

    /// The permission that [`check_delete_exchange`](Self::check_delete_exchange) presupposes.
    pub fn authorize_delete_exchange(
        delete: &DeleteExchange,
        authority: &mut Authority<'_>,
    ) -> Result<(), Refusal> {
        check_deletable(delete)?;
        authority(&Access {
            vhost: &delete.vhost,
            kind: ResourceKind::Exchange,
            name: &delete.name,
            permission: Permission::Configure,
            topic: None,
        })
    }

    /// Refuses to delete an exchange. Says whether there is one to delete.
    pub fn check_delete_exchange(&self, delete: &DeleteExchange) -> Result<bool, Refusal> {
        check_deletable(delete)?;
        let vhost = self.require_vhost(&delete.vhost)?;
        if delete.if_unused && vhost.is_bound(&delete.name) {
            let exchange = Named::exchange(&delete.vhost, &delete.name);
            return Err(Refusal::precondition_failed(format!("{exchange} in use")));
        }
        Ok(vhost.exchange(&delete.name).is_some())
    }
}

fn find_type(name: &str) -> Result<&'static ExchangeType, Refusal> {
    ExchangeType::from_name(name).ok_or_else(|| {
        let is_word = WORDS_KNOWN_TO_RABBITMQ.contains(&name);
        let what = if is_word { "invalid" } else { "unknown" };
        Refusal::precondition_failed(format!("{what} exchange type '{name}'"))
    })
}

fn check_alternate_type(declare: &DeclareExchange) -> Result<(), Refusal> {
    match declare.arguments.get(ALTERNATE_EXCHANGE) {
        None | Some(FieldValue::LongStr(_)) => Ok(()),
        Some(other) => Err(Refusal::precondition_failed(format!(
            "invalid type '{}' for arg '{ALTERNATE_EXCHANGE}' in {}",
            other.type_name(),
            Named::exchange(&declare.vhost, &declare.name)
        ))),
    }
}

fn check_equivalent(
    named: Named<'_>,
    current: &ExchangeRecord,
    kind: &ExchangeType,
    declare: &DeclareExchange,
) -> Result<(), Refusal> {
    equivalence::check_property(named, "type", current.kind.name, kind.name)?;
    equivalence::check_property(named, "durable", current.durable, declare.durable)?;
    equivalence::check_property(named, "auto_delete", current.auto_delete, declare.auto_delete)?;
    equivalence::check_property(named, "internal", current.internal, declare.internal)?;
    let compared = [ALTERNATE_EXCHANGE].into_iter();
    equivalence::check_arguments(named, &current.arguments, &declare.arguments, compared)
}

fn check_deletable(delete: &DeleteExchange) -> Result<(), Refusal> {
    State::check_not_default_exchange(&delete.name)?;
    if delete.name.starts_with(super::RESERVED_PREFIX) {
        let exchange = Named::exchange(&delete.vhost, &delete.name);
        return Err(Refusal::access_refused(format!("deletion of system {exchange} not allowed")));
    }
    Ok(())
}
