//! Class exchange.

use amqp091_codec::{
    ExchangeBind, ExchangeBindOk, ExchangeDeclare, ExchangeDeclareOk, ExchangeDelete,
    ExchangeDeleteOk, ExchangeUnbind, ExchangeUnbindOk,
};
use topology::{
    Access, BindingSpec, Command, DeclareExchange, DeleteExchange, DestinationKind, Refusal,
    ResourceKind, State, TopicVariables, clean_name,
};

use crate::connection::Connection;
use crate::errors::Fault;
use crate::pending::Then;
use crate::work::Work;

use super::Ids;

impl Connection {
    pub(super) fn declare_exchange(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        id: Ids,
        declare: &ExchangeDeclare<'_>,
    ) -> Result<(), Fault> {
        let name = clean_name(declare.exchange);
        if declare.passive {
            let topology = self.broker.topology();
            State::check_not_default_exchange(&name)?;
            let kind = ResourceKind::Exchange;
            State::authorize_passive(&self.vhost, kind, &name, &mut self.authority(&topology))?;
            topology.lookup_exchange(&self.vhost, &name)?;
            drop(topology);
            if !declare.nowait {
                self.reply(number, ExchangeDeclareOk {});
            }
            return Ok(());
        }
        let command = DeclareExchange {
            vhost: self.vhost.as_ref().to_owned(),
            name: name.into_owned(),
            kind: declare.kind.to_owned(),
            durable: declare.durable,
            auto_delete: declare.auto_delete,
            internal: declare.internal,
            arguments: declare.arguments.decode(),
        };
        let existing = {
            let topology = self.broker.topology();
            topology.authorize_declare_exchange(&command, &mut self.authority(&topology))?;
            topology.check_declare_exchange(&command)?
        };
        if existing.is_none() {
            let then = if declare.nowait { Then::Nothing } else { Then::ExchangeDeclared };
            self.propose(work, number, id, Command::DeclareExchange(command), then);
        } else if !declare.nowait {
            self.reply(number, ExchangeDeclareOk {});
        }
        Ok(())
    }

    pub(super) fn delete_exchange(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        id: Ids,
        delete: &ExchangeDelete<'_>,
    ) -> Result<(), Fault> {
        let command = DeleteExchange {
            vhost: self.vhost.as_ref().to_owned(),
            name: clean_name(delete.exchange).into_owned(),
            if_unused: delete.if_unused,
        };
        let exists = {
            let topology = self.broker.topology();
            State::authorize_delete_exchange(&command, &mut self.authority(&topology))?;
            topology.check_delete_exchange(&command)?
        };
        if exists {
            let then = if delete.nowait { Then::Nothing } else { Then::ExchangeDeleted };
            self.propose(work, number, id, Command::DeleteExchange(command), then);
        } else if !delete.nowait {
            self.reply(number, ExchangeDeleteOk {});
        }
        Ok(())
    }

    pub(super) fn bind_exchange(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        id: Ids,
        bind: &ExchangeBind<'_>,
    ) -> Result<(), Fault> {
        let spec = BindingSpec {
            vhost: self.vhost.as_ref().to_owned(),
            source: clean_name(bind.source).into_owned(),
            destination_kind: DestinationKind::Exchange,
            destination: clean_name(bind.destination).into_owned(),
            key: bind.routing_key.to_owned(),
            arguments: bind.arguments.decode(),
        };
        if !self.check_bind(&spec)? {
            let then = if bind.nowait { Then::Nothing } else { Then::ExchangeBound };
            self.propose(work, number, id, Command::Bind(spec), then);
        } else if !bind.nowait {
            self.reply(number, ExchangeBindOk {});
        }
        Ok(())
    }

    pub(super) fn unbind_exchange(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        id: Ids,
        unbind: &ExchangeUnbind<'_>,
    ) -> Result<(), Fault> {
        let spec = BindingSpec {
            vhost: self.vhost.as_ref().to_owned(),
            source: clean_name(unbind.source).into_owned(),
            destination_kind: DestinationKind::Exchange,
            destination: clean_name(unbind.destination).into_owned(),
            key: unbind.routing_key.to_owned(),
            arguments: unbind.arguments.decode(),
        };
        if self.check_unbind(&spec)? {
            let then = if unbind.nowait { Then::Nothing } else { Then::ExchangeUnbound };
            self.propose(work, number, id, Command::Unbind(spec), then);
        } else if !unbind.nowait {
            self.reply(number, ExchangeUnbindOk {});
        }
        Ok(())
    }

    /// Whether a binding that may be made exists already.
    pub(super) fn check_bind(&self, spec: &BindingSpec) -> Result<bool, Refusal> {
        let topology = self.broker.topology();
        topology.authorize_bind(spec, &mut self.authority(&topology))?;
        topology.check_bind(spec, Some(self.id))
    }

    /// Whether a binding that may be removed exists.
    pub(super) fn check_unbind(&self, spec: &BindingSpec) -> Result<bool, Refusal> {
        let topology = self.broker.topology();
        topology.authorize_bind(spec, &mut self.authority(&topology))?;
        topology.check_unbind(spec, Some(self.id))
    }

    /// Decides what this connection's user may do.
    pub(super) fn authority<'a>(
        &'a self,
        topology: &'a State,
    ) -> impl FnMut(&Access<'_>) -> Result<(), Refusal> + 'a {
        |access| topology.check(&self.user, access, TopicVariables::default())
    }
}
