//! Looking at ready messages: nothing changes, nobody is served later for it.
//!
//! A look goes over the queue in steps: the queue is locked for a part of it only, and never while a
//! page is read. What comes and goes between two steps is seen or not.

use std::fmt;
use std::str::FromStr;

use message::{Image, MessageRef};

use super::level::{AbsentChunk, Found};
use super::record::{FAILED, Header, REDELIVERED};
use super::{Queue, Ticket};
use crate::PageRef;
use crate::dead_letter::properties;

/// What a message counts for beyond its bytes, in bytes.
const MESSAGE_OVERHEAD: u64 = 512;

/// Names a message for as long as it is in its queue. A number in decimal to people and tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(u64);

impl MessageId {
    fn new(level: u8, seq: u64) -> Self {
        Self(seq << 8 | u64::from(level))
    }

    pub(super) fn of(ticket: Ticket) -> Self {
        Self::new(ticket.level(), ticket.seq())
    }

    pub(super) fn seq(self) -> u64 {
        self.0 >> 8
    }

    pub(super) fn level(self) -> u8 {
        self.0 as u8
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for MessageId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A copy of a ready message.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Which message it is.
    pub id: MessageId,
    /// What it says.
    pub image: Image,
    /// Whether its next consumer will hear that somebody had it before.
    pub is_redelivered: bool,
}

/// What a step finds.
#[derive(Debug)]
pub(crate) struct Seen(pub(super) Kind);

#[derive(Debug)]
pub(super) enum Kind {
    Message(Sight),
    /// A message that lies in a blob.
    Blob(BlobSight),
    /// Messages that lie on a page.
    Page(Box<AbsentChunk>),
}

#[derive(Debug)]
pub(super) struct BlobSight {
    id: MessageId,
    header: Header,
    at: PageRef,
}

impl Seen {
    pub(super) fn new(level: u8, found: &Found<'_>) -> Self {
        let header = found.header;
        let id = MessageId::new(level, header.seq);
        if let Some(at) = found.absent_blob() {
            return Self(Kind::Blob(BlobSight { id, header, at }));
        }
        Self(Kind::Message(Sight::new(id, &header, found.message().to_image())))
    }

    pub(super) fn on_page(chunk: AbsentChunk) -> Self {
        Self(Kind::Page(Box::new(chunk)))
    }

    /// The pages that it takes to see it all. They must not be given up before.
    pub(crate) fn pages(&self) -> Vec<PageRef> {
        match &self.0 {
            Kind::Message(_) => Vec::new(),
            Kind::Blob(sight) => vec![sight.at],
            Kind::Page(chunk) => chunk.pages().collect(),
        }
    }

    /// Reads what is not in memory and shows the messages. What cannot be read, or is damaged, is left
    /// out: whoever gets that far to deliver it reports it.
    pub(crate) fn resolve(
        self,
        look: &mut Look,
        read: &mut dyn FnMut(PageRef, &mut Vec<u8>) -> bool,
        out: &mut Vec<Sight>,
    ) {
        match self.0 {
            Kind::Message(sight) => out.push(sight),
            Kind::Blob(sight) => out.extend(sight.read(read)),
            Kind::Page(mut chunk) => {
                let Some(page) = chunk.page() else { return };
                let mut bytes = Vec::new();
                let is_sound = read(page, &mut bytes);
                let mut wanted = Vec::new();
                for seen in chunk.open(&bytes, is_sound) {
                    if look.admit(|| seen, &mut wanted) {
                        break;
                    }
                }
                wanted.into_iter().for_each(|seen| seen.resolve(look, read, out));
            }
        }
    }

    fn len(&self) -> u64 {
        let bytes = match &self.0 {
            Kind::Message(sight) => sight.image.as_ref().len(),
            Kind::Blob(sight) => sight.header.parts_len(),
            Kind::Page(_) => 0,
        };
        bytes as u64 + MESSAGE_OVERHEAD
    }
}

impl Sight {
    fn new(id: MessageId, header: &Header, image: Image) -> Self {
        Self { id, image, is_redelivered: header.is(REDELIVERED | FAILED) }
    }

    /// The message.
    pub fn message(&self) -> MessageRef<'_> {
        self.image.as_ref()
    }

    /// Its properties without what no client may see.
    pub fn visible_properties(&self) -> Vec<u8> {
        properties::without_blind_copies(self.message().properties)
    }
}

impl BlobSight {
    fn read(self, read: &mut dyn FnMut(PageRef, &mut Vec<u8>) -> bool) -> Option<Sight> {
        let Self { id, header, at } = self;
        let mut bytes = Vec::new();
        let is_whole = read(at, &mut bytes) && bytes.len() == header.parts_len();
        let (exchange, key) = (header.exchange_len, header.routing_key_len);
        let image =
            is_whole.then(|| Image::from_parts(bytes.into(), exchange, key, header.properties_len));
        Some(Sight::new(id, &header, image??))
    }
}

/// How far a look at a queue has come, and what it still wants.
#[derive(Debug)]
pub(crate) struct Look {
    at: Spot,
    /// Messages to pass over first.
    skip: u64,
    count: usize,
    bytes: u64,
}

/// A place in the order of delivery.
#[derive(Clone, Copy, Debug)]
enum Spot {
    /// Behind the message with this name.
    Behind(MessageId),
    /// Among those that came back to a quorum queue.
    Front(usize),
    Level {
        number: u8,
        seq: u64,
    },
    End,
}

impl Look {
    /// A look at `count` messages, and about `bytes`, `skip` messages from the head on or from `behind`
    /// one.
    pub(crate) fn new(behind: Option<MessageId>, skip: u64, count: usize, bytes: u64) -> Self {
        let at = behind.map_or(Spot::Front(0), Spot::Behind);
        Self { at, skip, count, bytes }
    }

    /// There is no more to see, or no more is wanted.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.at, Spot::End) || self.is_full()
    }

    fn is_full(&self) -> bool {
        self.count == 0 || self.bytes == 0
    }

    /// Passes over `count` messages if that many are to be passed over.
    pub(super) fn skip(&mut self, count: u64) -> bool {
        let left = self.skip.checked_sub(count);
        self.skip = left.unwrap_or(self.skip);
        left.is_some()
    }

    /// Shows the next message, or passes over it. True when no more is wanted.
    pub(super) fn admit(&mut self, see: impl FnOnce() -> Seen, out: &mut Vec<Seen>) -> bool {
        if self.is_full() {
            return true;
        }
        if !self.skip(1) {
            let seen = see();
            self.count -= 1;
            self.bytes = self.bytes.saturating_sub(seen.len());
            out.push(seen);
        }
        self.is_full()
    }
}

impl Queue {
    /// A step of a look. Resolve what it finds before the next one.
    pub(crate) fn look(&self, look: &mut Look) -> Vec<Seen> {
        let mut out = Vec::new();
        if let Spot::Behind(id) = look.at {
            let front = self.messages.in_front().position(|it| MessageId::of(it.ticket) == id);
            look.at = match front {
                Some(at) => Spot::Front(at + 1),
                None => Spot::Level { number: id.level(), seq: id.seq() + 1 },
            };
        }
        if let Spot::Front(from) = look.at {
            self.look_in_front(from, look, &mut out);
        }
        if let Spot::Level { number, seq } = look.at
            && !look.is_full()
            && !out.iter().any(|seen| matches!(seen.0, Kind::Page(_)))
        {
            let level = self.messages.level(number);
            let next = level.and_then(|level| level.look(number, seq, look, &mut out));
            look.at = match (next, number.checked_sub(1)) {
                (Some(seq), _) => Spot::Level { number, seq },
                (None, Some(number)) => Spot::Level { number, seq: 0 },
                (None, None) => Spot::End,
            };
        }
        out
    }

    fn look_in_front(&self, from: usize, look: &mut Look, out: &mut Vec<Seen>) {
        for (at, message) in self.messages.in_front().enumerate().skip(from) {
            let ticket = message.ticket;
            look.at = Spot::Front(at + 1);
            if self.messages.absent(ticket).is_some() {
                let level = self.messages.level(ticket.level());
                out.extend(level.and_then(|it| it.absent_one(ticket)));
                return;
            }
            let Some(found) = self.messages.away(ticket) else { continue };
            if look.admit(|| Seen::new(ticket.level(), &found), out) {
                return;
            }
        }
        look.at = Spot::Level { number: self.messages.top(), seq: 0 };
    }
}
