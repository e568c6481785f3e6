//! Messages on their way out, borrowed from the queue.

use message::MessageRef;
use stdx::Timestamp;

use super::Ticket;
use super::consumers::{Consumer, ConsumerId};
use super::ledger::{Attempts, Ledger};
use super::level::Found;
use super::messages::ReadyWalk;
use super::record::{FAILED, REDELIVERED};
use crate::mailbox::{ConsumerKey, MailboxRef};

/// Messages planned for one consumer. Nothing has changed in the queue until
/// [`super::Queue::commit_batch`] says how many of them were taken.
#[derive(Debug)]
pub struct Batch<'a> {
    pub(super) ready: ReadyWalk<'a>,
    pub(super) ledger: Option<&'a Ledger>,
    pub(super) consumer: &'a Consumer,
    pub(super) len: usize,
    pub(super) now: Timestamp,
}

impl<'a> Batch<'a> {
    /// How many deliveries there are: at least one.
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The deliveries, in order.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = Delivery<'a>> + use<'a> {
        let ledger = self.ledger;
        self.ready.clone().take(self.len).map(move |found| Delivery::new(found, ledger))
    }

    /// The instant they are handed over.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Whom they are for.
    pub fn consumer_id(&self) -> ConsumerId {
        self.consumer.id
    }

    /// The name its connection knows the consumer by.
    pub fn key(&self) -> ConsumerKey {
        self.consumer.key
    }

    /// The connection to hand the batch to.
    pub fn mailbox(&self) -> &'a MailboxRef {
        &self.consumer.mailbox
    }

    /// The consumer's tag.
    pub fn tag(&self) -> &'a str {
        &self.consumer.tag
    }

    /// The first messages came back to a quorum queue before: how often they were tried, and that they
    /// are out again, is in the journal with this turn's entry. Those in front are the first to go, so
    /// that there are none behind others.
    pub fn is_retry(&self) -> bool {
        let first = || self.ready.clone().next();
        self.ledger.is_some() && first().is_some_and(|found| found.header.is(REDELIVERED))
    }

    /// The deliveries need no acknowledgement.
    pub fn is_no_ack(&self) -> bool {
        self.consumer.is_no_ack
    }
}

/// One message for one consumer.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The message as it was published.
    pub message: MessageRef<'a>,
    /// It was, or may have been, delivered before.
    pub is_redelivered: bool,
    /// How often it was tried before, if it comes from a quorum queue and was.
    pub attempts: Option<Attempts>,
    /// Names it when it is settled.
    pub ticket: Ticket,
}

impl<'a> Delivery<'a> {
    #[inline]
    pub(super) fn new(found: Found<'a>, ledger: Option<&Ledger>) -> Self {
        let header = &found.header;
        let is_redelivered = header.is(REDELIVERED | FAILED);
        let attempts = ledger.filter(|_| is_redelivered).map(|ledger| ledger.attempts_of(header));
        Self {
            message: found.message(),
            is_redelivered,
            attempts,
            ticket: Ticket::new(header.seq, header.level, found.place),
        }
    }
}

/// What `basic.get` got.
#[derive(Clone, Copy, Debug)]
pub struct Got<'a> {
    /// The message. Its ticket is settled already when no acknowledgement was asked for.
    pub delivery: Delivery<'a>,
    /// Messages ready after this one.
    pub remaining: u64,
}
