//! What a queue asks of its surroundings, collected while it is locked.

use std::sync::Arc;

use bytes::Bytes;
use message::{History, Image};

use topology::QueueId;

use super::Ticket;
use super::blob::Blobs;
use super::consumers::ConsumerId;
use super::level::CHUNK_MAX;
use crate::deaths::Deaths;
use crate::mailbox::{ConsumerKey, MailboxRef};
use crate::{PageDamage, PageRef, Pages};

/// Buffers kept for reuse per [`Effects`]: 2 MB.
const POOLED_BUFFERS_MAX: usize = 32;
/// Below this a fresh allocation is taken, so that a nearly empty queue does not sit on 64 KB.
const POOLED_FROM: usize = CHUNK_MAX / 16;

/// What a turn on a queue wants done, besides the deliveries themselves.
///
/// One is meant per worker thread and reused for every queue: it also holds the chunk buffers
/// that drained queues gave back. Carry out and [`Effects::clear`] before the next queue.
#[derive(Default)]
pub struct Effects {
    /// The turn's journal entry; empty when there is nothing to write. To be appended to the
    /// queue's log under [`Effects::journal_index`].
    pub journal: Vec<u8>,
    /// Number of the entry in [`Effects::journal`]. Consecutive within a queue.
    pub journal_index: u64,
    /// Pages that the entry names and that are to be durable before it: large messages.
    pub attachments: Vec<(PageRef, Bytes)>,
    /// Entries below this number may be dropped. The entry of this turn comes first.
    pub compact_to: Option<u64>,
    /// The entry says anew which messages may have been delivered. What is delivered from this
    /// turn on is to be sent once it is durable: after a crash it would come back unflagged.
    pub has_mark: bool,
    /// Nothing written so far is needed any more, this turn's entry included: the whole log of the
    /// queue may go. Later entries go on counting. The entry comes first all the same, for the
    /// log may take its time to go.
    pub clear_journal: bool,
    /// Indexes into the published batch of the messages that the queue refused because it is full
    /// (a negative acknowledgement for publishers in confirm mode). Ascending per batch.
    pub rejected: Vec<u32>,
    /// Messages to publish to the dead letter exchange, in the order of their deaths.
    pub dead_letters: Vec<DeadLetter>,
    /// Who did not settle deliveries in time. They were taken back.
    pub(crate) timed_out: Vec<TimedOut>,
    /// The last consumer of an auto-delete queue left: delete the queue.
    pub is_unused: bool,
    /// The queue was not used for its `x-expires`: delete it.
    pub is_expired: bool,
    /// Pages that could not be read, or not all of them, and how many messages are lost with each.
    pub damaged: Vec<(PageDamage, u64)>,
    /// Messages that died, as far as that is counted where they did.
    pub(crate) deaths: Deaths,
    /// Messages that died in this turn, by weight: see `DROPS_PER_TURN_MAX`.
    pub(super) dropped: usize,
    /// Where backlogs lie. Without it no queue has any there.
    pub(crate) pages: Option<Arc<dyn Pages>>,
    /// Large messages that the turn has published so far.
    pub(crate) blobs: Blobs,
    pub(super) pool: Freed,
}

impl Effects {
    /// For queues whose backlogs may lie on `pages`.
    pub fn with_pages(pages: Arc<dyn Pages>) -> Self {
        Self { pages: Some(pages), ..Self::default() }
    }

    /// Pages that the queue gave up: to be released once this turn's entry is durable, and all
    /// before it.
    pub fn take_released(&mut self) -> impl Iterator<Item = PageRef> {
        self.pool.pages.drain(..)
    }

    /// Ends the turn, after the last queue: lets go of what its queues shared.
    pub fn end_turn(&mut self) {
        self.blobs.end(self.pages.as_deref());
    }

    /// Forgets what was carried out. Keeps the allocations.
    pub fn clear(&mut self) {
        let Self { journal, journal_index, compact_to, clear_journal, has_mark, .. } = self;
        journal.clear();
        self.attachments.clear();
        *journal_index = 0;
        *compact_to = None;
        *clear_journal = false;
        *has_mark = false;
        self.rejected.clear();
        self.dead_letters.clear();
        self.timed_out.clear();
        self.is_unused = false;
        self.is_expired = false;
        self.dropped = 0;
        self.damaged.clear();
        self.pool.pages.clear();
    }
}

impl std::fmt::Debug for Effects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Effects")
            .field("journal_index", &self.journal_index)
            .finish_non_exhaustive()
    }
}

/// Why a message left for the dead letter exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeathReason {
    /// A consumer rejected it without requeueing.
    Rejected,
    /// Its time to live ran out.
    Expired,
    /// The queue was full.
    Maxlen,
    /// Its deliveries failed too often.
    DeliveryLimit,
}

impl DeathReason {
    /// The word in `x-death`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Maxlen => "maxlen",
            Self::DeliveryLimit => "delivery_limit",
        }
    }
}

/// A message on its way to the dead letter exchange.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The message as it was published to the queue.
    pub image: Image,
    /// Why it died.
    pub reason: DeathReason,
    /// What happened to it in queues before this one, and whether it failed in this one.
    pub history: History,
    /// Set when the queue still keeps the message in its journal: pass it to
    /// [`super::Queue::forget`] once the copy is published (or found to have nowhere to go), so
    /// that a crash in between loses nothing.
    pub ticket: Option<Ticket>,
    /// The queue keeps the message until all queues that it is for have it: these do. Where some do
    /// not, it goes to [`super::Queue::keep`] instead of `forget`.
    pub safe_in: Option<Vec<QueueId>>,
}

/// Somebody who took too long to settle deliveries.
pub(crate) struct TimedOut {
    pub(crate) consumer: ConsumerId,
    pub(crate) mailbox: MailboxRef,
    pub(crate) key: ConsumerKey,
}

impl std::fmt::Debug for TimedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TimedOut").field("consumer", &self.consumer).finish()
    }
}

/// What chunks leave behind when they go.
#[derive(Debug, Default)]
pub(super) struct Freed {
    /// Chunk buffers: touched memory is worth keeping.
    buffers: Vec<Vec<u8>>,
    /// Pages that their queue does not refer to any more.
    pub(super) pages: Vec<PageRef>,
    /// What a page is read into.
    pub(super) scratch: Vec<u8>,
}

impl Freed {
    /// An empty buffer of at least `capacity` bytes.
    pub(super) fn take(&mut self, capacity: usize) -> Vec<u8> {
        if (POOLED_FROM..=CHUNK_MAX).contains(&capacity)
            && let Some(buffer) = self.buffers.pop()
        {
            return buffer;
        }
        Vec::with_capacity(capacity)
    }

    pub(super) fn give(&mut self, mut buffer: Vec<u8>) {
        if CHUNK_MAX <= buffer.capacity() && self.buffers.len() < POOLED_BUFFERS_MAX {
            buffer.clear();
            self.buffers.push(buffer);
        }
    }
}
