//! Class queue.

use std::sync::Arc;

use amqp091_codec::{
    QueueBind, QueueBindOk, QueueDeclare, QueueDeclareOk, QueueDelete, QueueDeleteOk, QueuePurge,
    QueuePurgeOk, QueueUnbind, QueueUnbindOk,
};
use broker::{QueueRef, REPLY_TO};
use topology::{
    BindingSpec, Command, DeclareQueue, DestinationKind, Permission, QueueKind, QueueRecord,
    RefusalKind, ResourceKind, State, clean_name,
};

use crate::connection::Connection;
use crate::errors::{Failure, Fault, not_implemented};
use crate::pending::Then;
use crate::work::Work;

use super::Ids;

impl Connection {
    pub(super) fn declare_queue(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        id: Ids,
        declare: &QueueDeclare<'_>,
    ) -> Result<(), Fault> {
        if declare.queue.starts_with(REPLY_TO) {
            return self.declare_reply_queue(number, declare);
        }
        let name = clean_name(declare.queue);
        if declare.passive {
            let record = {
                let topology = self.broker.topology();
                let kind = ResourceKind::Queue;
                State::authorize_passive(&self.vhost, kind, &name, &mut self.authority(&topology))?;
                topology.lookup_queue(&self.vhost, &name, self.id)?.clone()
            };
            if self.live_queue(&record)?.is_some_and(|queue| queue.is_doomed()) {
                return Err(self.no_queue(&name).into());
            }
            self.finish_declare_queue(work, number, &record, declare.nowait);
            return Ok(());
        }
        let mut command = DeclareQueue {
            vhost: self.vhost.as_ref().to_owned(),
            name: name.into_owned(),
            is_server_named: false,
            durable: declare.durable,
            auto_delete: declare.auto_delete,
            owner: declare.exclusive.then_some(self.id),
            arguments: declare.arguments.decode(),
        };
        let existing = {
            let topology = self.broker.topology();
            let mut authority = self.authority(&topology);
            if command.name.is_empty() {
                topology.authorize_declare_queue(&command, &mut authority)?;
                command.name = self.broker.unique_name("amq.gen-");
                command.is_server_named = true;
            }
            topology.authorize_declare_queue(&command, &mut authority)?;
            self.broker.note_queue_declared();
            topology.check_declare_queue(&command)?
        };
        if let Some(record) = &existing {
            self.live_queue(record)?;
        }
        let is_doomed = |record: &Arc<QueueRecord>| {
            self.broker.queue(record.id).is_some_and(|queue| queue.is_doomed())
        };
        if let Some(doomed) = existing.as_ref().filter(|record| is_doomed(record)) {
            // Whoever saw that nobody uses it may not have asked for its end yet.
            let command = Command::DeleteQueues(vec![doomed.id]);
            self.broker.propose_with(command, Box::new(|_| {}));
        }
        match existing.filter(|record| !is_doomed(record)) {
            Some(record) => self.finish_declare_queue(work, number, &record, declare.nowait),
            None => {
                let then = Then::QueueDeclared { nowait: declare.nowait };
                self.propose(work, number, id, Command::DeclareQueue(command), then);
            }
        }
        Ok(())
    }

    /// The queue is there: the client is told what it holds.
    pub(crate) fn finish_declare_queue(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        record: &Arc<QueueRecord>,
        nowait: bool,
    ) {
        if let Some(channel) = self.channels.get_mut(number) {
            channel.last_queue = Some(record.name.clone());
        }
        let Some(queue) = self.broker.queue(record.id) else {
            return self.answer_declare(number, &record.name, (0, 0), nowait);
        };
        self.broker.touch_queue(&mut work.turn, &queue);
        if !nowait {
            let counts = self.broker.counts(&queue);
            let counts = (u32_of(counts.ready), u32_of(counts.consumers));
            self.answer_declare(number, &record.name, counts, nowait);
        }
    }

    fn answer_declare(&mut self, number: u16, queue: &str, counts: (u32, u32), nowait: bool) {
        let (message_count, consumer_count) = counts;
        if !nowait {
            self.reply(number, QueueDeclareOk { queue, message_count, consumer_count });
        }
    }

    /// The queue, unless it is being deleted; 404 if a bug has stopped it.
    pub(super) fn live_queue(&self, record: &QueueRecord) -> Result<Option<QueueRef>, Failure> {
        let queue = self.broker.queue(record.id);
        if queue.as_ref().is_some_and(|queue| queue.is_crashed()) {
            let (name, vhost) = (&record.name, &record.vhost);
            let text =
                format!("queue '{name}' in vhost '{vhost}' has crashed and failed to restart");
            return Err(Failure::new(amqp091_codec::ReplyCode::NotFound, text));
        }
        Ok(queue)
    }

    fn no_queue(&self, name: &str) -> Failure {
        let text = format!("no queue '{name}' in vhost '{}'", self.vhost);
        Failure::new(amqp091_codec::ReplyCode::NotFound, text)
    }

    /// Declaring an address for direct replies only asks whether somebody waits there.
    fn declare_reply_queue(
        &mut self,
        number: u16,
        declare: &QueueDeclare<'_>,
    ) -> Result<(), Fault> {
        let name = clean_name(declare.queue).into_owned();
        if name != REPLY_TO && !self.broker.has_reply_consumer(name.as_bytes()) {
            return Err(self.no_queue(&name).into());
        }
        self.channel(number).last_queue = Some(name.as_str().into());
        self.answer_declare(number, &name, (0, 1), declare.nowait);
        Ok(())
    }

    pub(super) fn bind_queue(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        id: Ids,
        bind: &QueueBind<'_>,
    ) -> Result<(), Fault> {
        let mut spec = self.queue_binding(number, bind.queue, bind.exchange, bind.routing_key)?;
        spec.arguments = bind.arguments.decode();
        if !self.check_bind(&spec)? {
            let then = if bind.nowait { Then::Nothing } else { Then::QueueBound };
            self.propose(work, number, id, Command::Bind(spec), then);
        } else if !bind.nowait {
            self.reply(number, QueueBindOk {});
        }
        Ok(())
    }

    pub(super) fn unbind_queue(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        id: Ids,
        unbind: &QueueUnbind<'_>,
    ) -> Result<(), Fault> {
        let QueueUnbind { queue, exchange, routing_key, .. } = *unbind;
        let mut spec = self.queue_binding(number, queue, exchange, routing_key)?;
        spec.arguments = unbind.arguments.decode();
        if self.check_unbind(&spec)? {
            self.propose(work, number, id, Command::Unbind(spec), Then::QueueUnbound);
        } else {
            self.reply(number, QueueUnbindOk {});
        }
        Ok(())
    }

    /// A binding of a queue. Where neither queue nor key are named, the queue declared last is both.
    fn queue_binding(
        &mut self,
        number: u16,
        queue: &str,
        exchange: &str,
        key: &str,
    ) -> Result<BindingSpec, Failure> {
        let name = self.channel(number).queue_name(queue)?.to_owned();
        let key = if queue.is_empty() && key.is_empty() { &name } else { key };
        Ok(BindingSpec {
            vhost: self.vhost.as_ref().to_owned(),
            source: clean_name(exchange).into_owned(),
            destination_kind: DestinationKind::Queue,
            destination: clean_name(&name).into_owned(),
            key: key.to_owned(),
            arguments: field_table::FieldTable::new(),
        })
    }

    pub(super) fn purge_queue(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        purge: &QueuePurge<'_>,
    ) -> Result<(), Fault> {
        let name = self.channel(number).queue_name(purge.queue)?.to_owned();
        let record = {
            let topology = self.broker.topology();
            let (kind, permission) = (ResourceKind::Queue, Permission::Read);
            topology.check_access(&self.user, &self.vhost, kind, &name, permission)?;
            topology.lookup_queue(&self.vhost, &name, self.id)?.clone()
        };
        let queue = self.live_queue(&record)?;
        let purge_of = |queue| self.broker.purge(&mut work.turn, &queue);
        let (purged, lsn) = queue.map_or_else(Default::default, purge_of);
        self.settled = self.settled.max(lsn);
        if !purge.nowait {
            self.reply(number, QueuePurgeOk { message_count: u32_of(purged) });
        }
        Ok(())
    }

    pub(super) fn delete_queue(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        id: Ids,
        delete: &QueueDelete<'_>,
    ) -> Result<(), Fault> {
        let name = self.channel(number).queue_name(delete.queue)?.to_owned();
        let name = clean_name(&name);
        let found = {
            let topology = self.broker.topology();
            let (kind, permission) = (ResourceKind::Queue, Permission::Configure);
            topology.check_access(&self.user, &self.vhost, kind, &name, permission)?;
            match topology.lookup_queue(&self.vhost, &name, self.id) {
                Ok(record) => Some(record.id),
                // Deleting what is not there has succeeded already.
                Err(refusal) if refusal.kind == RefusalKind::NotFound => None,
                Err(refusal) => return Err(refusal.into()),
            }
        };
        let nowait = delete.nowait;
        let Some(queue) = found.and_then(|id| self.broker.queue(id)) else {
            if !nowait {
                self.reply(number, QueueDeleteOk { message_count: 0 });
            }
            return Ok(());
        };
        check_conditions(&queue.record, delete)?;
        let ready = self.broker.check_delete(&queue, delete.if_unused, delete.if_empty)?;
        let command = Command::DeleteQueues(vec![queue.record.id]);
        let then = Then::QueueDeleted { message_count: u32_of(ready), nowait };
        self.propose(work, number, id, command, then);
        Ok(())
    }
}

/// A quorum queue is deleted without conditions.
fn check_conditions(queue: &QueueRecord, delete: &QueueDelete<'_>) -> Result<(), Failure> {
    let flag = match (delete.if_unused, delete.if_empty) {
        _ if queue.kind != QueueKind::Quorum => return Ok(()),
        (true, _) => "if-unused",
        (false, true) => "if-empty",
        (false, false) => return Ok(()),
    };
    Err(not_implemented(format!(
        "cannot delete queue '{}' in vhost '{}'. queue.delete operations with {flag} flag set are \
         not supported by quorum queues",
        queue.name, queue.vhost
    )))
}

/// A count as the protocol has it.
fn u32_of(count: impl TryInto<u32>) -> u32 {
    count.try_into().unwrap_or(u32::MAX)
}
