//! Class tx: publishes and settlements that wait for a commit.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use amqp091_codec::{MethodArguments, TxCommit, TxCommitOk, TxRollbackOk, TxSelectOk};
use broker::{Lsn, Settle, Ticket};
use message::Image;

use crate::connection::Connection;
use crate::errors::{Failure, Fault, channel_error, precondition_failed};
use crate::lanes::Fate;
use crate::memo::Facts;
use crate::shared::Side;
use crate::unacked::Delivered;
use crate::work::{Queues, Work};

use super::publish::Prepared;
use super::settle::{resume_unparked, take_tagged};

/// An open transaction.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    publishes: Vec<Held>,
    pub(crate) settlements: Vec<Taken>,
    /// Where the publishes of the commit before end in the journal.
    committed: Lsn,
}

/// A publish that waits.
#[derive(Debug)]
struct Held {
    image: Image,
    facts: Facts,
    /// Routed when it was published, as in RabbitMQ.
    queues: Queues,
    exchange: Arc<str>,
    fate: Fate,
}

/// A settlement that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) tag: u64,
    pub(crate) delivered: Delivered<Ticket>,
    pub(crate) how: Settle,
}

impl Transaction {
    /// Adds a publish.
    pub(super) fn hold(&mut self, image: Image, prepared: Prepared, fate: Fate) {
        let Prepared { facts, queues, exchange, .. } = prepared;
        self.publishes.push(Held { image, facts, queues, exchange, fate });
    }

    /// Adds settlements.
    pub(super) fn take(
        &mut self,
        side: &mut Side,
        tag: u64,
        is_multiple: bool,
        how: Settle,
    ) -> Result<(), Failure> {
        self.settlements.extend(take_tagged(side, tag, is_multiple, how)?);
        let held = u32::try_from(self.settlements.len()).unwrap_or(u32::MAX);
        side.entry.acks_uncommitted.store(held, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn publish_count(&self) -> u32 {
        u32::try_from(self.publishes.len()).unwrap_or(u32::MAX)
    }
}

impl Connection {
    pub(super) fn select_tx(&mut self, number: u16) -> Result<(), Fault> {
        let channel = self.channel(number);
        if channel.confirms.is_some() {
            return Err(precondition_failed("cannot switch from confirm to tx mode").into());
        }
        channel.tx.get_or_insert_default();
        channel.entry.is_transactional.store(true, Ordering::Relaxed);
        self.reply(number, TxSelectOk {});
        Ok(())
    }

    /// Publishes and settles what was held. RabbitMQ's transactions are not atomic: a queue that
    /// refuses a publish fails the commit, what others took stays there.
    pub(super) fn commit_tx(&mut self, work: &mut Work<'_>, number: u16) -> Result<(), Fault> {
        let Transaction { publishes, settlements, .. } = self.take_tx(number)?;
        let mut committed = Lsn(0);
        let mut is_refused = false;
        for Held { image, facts, queues, exchange, fate } in publishes {
            let message = image.as_ref();
            self.shared.lock().count_held(number, &exchange, &queues, fate);
            if queues.is_empty() {
                if fate == Fate::Returned {
                    self.return_unroutable(number, &message);
                }
                continue;
            }
            let (lsn, was_refused) = self.publish_now(work, &queues, facts.incoming(message));
            committed = committed.max(lsn);
            is_refused |= was_refused;
        }
        self.settle_taken(work, number, &settlements);
        self.flush(work);
        if is_refused {
            return Err(precondition_failed("partial tx completion").of(TxCommit::ID).into());
        }
        if let Some(tx) = &mut self.channel(number).tx {
            tx.committed = committed;
        }
        self.reply(number, TxCommitOk {});
        self.hold_for(self.published);
        Ok(())
    }

    /// Refuses a command on a channel whose commit is not durable yet: the one command that RabbitMQ
    /// wants its clients to wait for.
    pub(super) fn check_not_committing(&self, number: u16) -> Result<(), Failure> {
        let tx = self.channels.get(number).and_then(|it| it.tx.as_ref());
        if tx.is_some_and(|tx| self.broker.durable() < tx.committed) {
            return Err(channel_error("unexpected command while processing 'tx.commit'"));
        }
        Ok(())
    }

    pub(super) fn roll_back_tx(&mut self, number: u16) -> Result<(), Fault> {
        let Transaction { settlements, .. } = self.take_tx(number)?;
        if let Some(side) = self.shared.lock().channels.get_mut(number) {
            side.unacked.put_back(settlements.into_iter().map(|it| (it.tag, it.delivered)));
        }
        self.reply(number, TxRollbackOk {});
        Ok(())
    }

    fn take_tx(&mut self, number: u16) -> Result<Transaction, Failure> {
        let channel = self.channel(number);
        let Some(tx) = &mut channel.tx else {
            return Err(precondition_failed("channel is not transactional"));
        };
        channel.entry.uncommitted.store(0, Ordering::Relaxed);
        channel.entry.acks_uncommitted.store(0, Ordering::Relaxed);
        Ok(std::mem::take(&mut **tx))
    }

    fn settle_taken(&mut self, work: &mut Work<'_>, number: u16, taken: &[Taken]) {
        let mut inner = self.shared.lock();
        inner.note_counted();
        let Some(side) = inner.channels.get_mut(number) else { return };
        for Taken { delivered, how, .. } in taken {
            let source = || side.source(delivered.slot);
            work.settlements.add(number, delivered.slot, *how, delivered.ticket, source);
            side.release(delivered.slot, *how);
        }
        side.show_unacked();
        resume_unparked(side, work);
    }
}
