//! All messages of a queue: one [`Level`] per priority in use.

use std::collections::{VecDeque, btree_map, vec_deque};

use message::MessageRef;
use topology::{QueueKind, QueueRecord};

use super::blob::Shared;
use super::effects::{Effects, Freed};
use super::journal::SeqRange;
use super::level::{Chunk, Found, Level, Loaded, Place, after};
use super::page::{Page, Stock};
use super::quorum;
use super::record::{DEAD, Header, REDELIVERED, UNACKED};
use super::{MessageId, Ticket};

/// A message that left its place in the order, and what has to be known of it while its record is
/// not in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aside {
    pub(super) ticket: Ticket,
    /// Bytes that count for limits.
    pub(super) weight: u64,
    /// Milliseconds since the epoch, 0 for never.
    expires_at: u64,
}

impl Aside {
    /// A message of a quorum queue.
    pub(super) fn new(ticket: Ticket, header: &Header) -> Self {
        Self { ticket, weight: quorum::weight(true, header), expires_at: header.expires_at }
    }
}

#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Messages {
    /// Priority 0: all there is in a queue without priorities.
    base: Level,
    /// Priorities 1 and up, as far as they were used.
    others: Vec<Level>,
    /// No message is ready above this level.
    top: u8,
    /// Those that came back to a quorum queue, ready before all others whatever their priority.
    #[expect(clippy::box_collection, reason = "three words less in each queue without")]
    front: Option<Box<VecDeque<Aside>>>,
}

impl Messages {
    /// The messages of a queue, none yet.
    ///
    /// In a quorum queue, one that came back is flagged as redelivered and lies in front; after a
    /// restart that can be before its place in the order is reached.
    pub(super) fn of(record: &QueueRecord) -> Self {
        let moved = if record.kind == QueueKind::Quorum { REDELIVERED } else { 0 };
        let owner = record.id.0;
        Self { base: Level::new(owner, moved), ..Self::default() }
    }

    pub(super) fn level(&self, level: u8) -> Option<&Level> {
        match level {
            0 => Some(&self.base),
            n => self.others.get(n as usize - 1),
        }
    }

    pub(super) fn level_mut(&mut self, level: u8) -> Option<&mut Level> {
        match level {
            0 => Some(&mut self.base),
            n => self.others.get_mut(n as usize - 1),
        }
    }

    /// Levels in use with their priority, lowest first.
    pub(super) fn levels(&self) -> impl Iterator<Item = (u8, &Level)> {
        (0u8..=255).zip(std::iter::once(&self.base).chain(&self.others))
    }

    pub(super) fn levels_mut(&mut self) -> impl Iterator<Item = (u8, &mut Level)> {
        (0u8..=255).zip(std::iter::once(&mut self.base).chain(&mut self.others))
    }

    /// The level of this priority, made if need be.
    pub(super) fn level_or_new(&mut self, level: u8) -> &mut Level {
        if level == 0 {
            return &mut self.base;
        }
        let index = level as usize - 1;
        if self.others.len() <= index {
            let (owner, moved) = (self.base.owner(), self.base.moved);
            self.others.resize_with(index + 1, || Level::new(owner, moved));
        }
        &mut self.others[index]
    }

    pub(super) fn push(
        &mut self,
        header: Header,
        message: &MessageRef<'_>,
        shared: Option<Shared>,
        expected: usize,
        pool: &mut Freed,
    ) {
        self.top = self.top.max(header.level);
        self.level_or_new(header.level).push(header, message, shared, expected, pool);
    }

    /// The message that is next: the oldest of the highest priority.
    pub(super) fn head(&mut self) -> Option<Found<'_>> {
        if let Some(next) = self.first_in_front() {
            return self.away(next.ticket);
        }
        self.settle_top();
        self.level(self.top)?.head()
    }

    /// Those that came back to a quorum queue, the next one first.
    pub(super) fn in_front(&self) -> impl Iterator<Item = &Aside> {
        self.front.iter().flat_map(|front| front.iter())
    }

    /// No message is ready in its place above this level.
    pub(super) fn top(&self) -> u8 {
        self.top
    }

    fn first_in_front(&self) -> Option<&Aside> {
        self.front.as_ref()?.front()
    }

    /// What names the head. (Where it lies, not what its record says: that may be damaged.)
    pub(super) fn head_ticket(&mut self) -> Option<Ticket> {
        if let Some(next) = self.first_in_front() {
            return Some(next.ticket);
        }
        self.settle_top();
        let found = self.level(self.top)?.head()?;
        Some(Ticket::new(found.header.seq, self.top, found.place))
    }

    /// Takes the head out of the ready ones.
    pub(super) fn take_head(&mut self) -> Option<(Ticket, Header)> {
        if let Some(Aside { ticket, .. }) = self.front.as_mut().and_then(|it| it.pop_front()) {
            return self.away(ticket).map(|found| (ticket, found.header));
        }
        self.settle_top();
        self.take_head_of(self.top)
    }

    /// Takes the head of one level.
    pub(super) fn take_head_of(&mut self, level: u8) -> Option<(Ticket, Header)> {
        let (place, header) = self.level_mut(level)?.take_head()?;
        Some((Ticket::new(header.seq, level, place), header))
    }

    /// A level whose head expired at `now` or before.
    pub(super) fn expired_level(&self, now: stdx::Timestamp) -> Option<u8> {
        let is_expired = |expires_at: u64| expires_at != 0 && expires_at <= now.0;
        let mut levels = self.levels();
        levels.find(|(_, level)| level.head_expires_at().is_some_and(is_expired)).map(|(at, _)| at)
    }

    /// When the first of the heads of all levels expires.
    pub(super) fn heads_expire_at(&self) -> Option<u64> {
        let heads = self.levels().filter_map(|(_, level)| level.head_expires_at());
        heads.filter(|&at| at != 0).min()
    }

    /// Takes up to `max` messages out of the ready ones that lie behind each other, marks them
    /// with `flag` and shows each. With [`DEAD`] they end here. Returns how many: at least one if
    /// any is ready.
    pub(super) fn take_run(
        &mut self,
        max: usize,
        flag: u8,
        pool: &mut Freed,
        mut each: impl FnMut(&Header),
    ) -> usize {
        if self.first_in_front().is_some() {
            let Some((ticket, header)) = self.take_head() else { return 0 };
            each(&header);
            match flag {
                DEAD => self.kill(ticket, &header, pool),
                flag => self.update_flags(ticket, flag, 0),
            }
            return 1;
        }
        self.settle_top();
        let top = self.top;
        self.level_mut(top).map_or(0, |level| level.take_run(max, flag, pool, each))
    }

    fn settle_top(&mut self) {
        while 0 < self.top && self.level(self.top).is_none_or(|level| level.ready() == 0) {
            self.top -= 1;
        }
    }

    /// Walks the ready messages in the order of delivery.
    pub(super) fn ready(&self) -> ReadyWalk<'_> {
        let front = self.front.as_deref().filter(|it| !it.is_empty()).map(VecDeque::iter);
        ReadyWalk { front, ..ReadyWalk::new(self, self.top) }
    }

    /// The taken message that `ticket` names, unless it was settled already.
    pub(super) fn taken(&self, ticket: Ticket) -> Option<Found<'_>> {
        let found = self.level(ticket.level())?.record_at(ticket.place())?;
        let header = &found.header;
        let is_the_one = header.seq == ticket.seq() && header.is(UNACKED) && !header.is(DEAD);
        is_the_one.then_some(found)
    }

    /// The message that `ticket` names, taken or not, unless it ended.
    pub(super) fn away(&self, ticket: Ticket) -> Option<Found<'_>> {
        let found = self.level(ticket.level())?.record_at(ticket.place())?;
        let is_the_one = found.header.seq == ticket.seq() && !found.header.is(DEAD);
        is_the_one.then_some(found)
    }

    pub(super) fn update_flags(&mut self, ticket: Ticket, set: u8, clear: u8) {
        if let Some(level) = self.level_mut(ticket.level()) {
            level.update_flags(ticket.place(), set, clear);
        }
    }

    pub(super) fn put_back(&mut self, ticket: Ticket) {
        self.top = self.top.max(ticket.level());
        self.level_or_new(ticket.level()).put_back(ticket.place(), ticket.seq());
    }

    /// Makes a taken message ready again, behind those in front and before all others.
    pub(super) fn put_in_front(&mut self, message: Aside) {
        self.front.get_or_insert_default().push_back(message);
    }

    /// Takes out of those in front what `is_lost` says; returns how many, and the bytes that count.
    pub(super) fn lose_in_front(&mut self, is_lost: impl Fn(Ticket) -> bool) -> (u64, u64) {
        let (mut count, mut bytes) = (0, 0);
        let Some(front) = &mut self.front else { return (0, 0) };
        front.retain(|message| {
            let is_lost = is_lost(message.ticket);
            count += u64::from(is_lost);
            bytes += if is_lost { message.weight } else { 0 };
            !is_lost
        });
        (count, bytes)
    }

    /// Takes a message that is ready out of the order, before it is reached.
    pub(super) fn move_away(&mut self, level: u8, seq: u64) -> Option<(Ticket, Header)> {
        let level = self.level_mut(level)?;
        let found = level.first_from(seq, None).filter(|found| found.header.seq == seq)?;
        let (place, header) = (found.place, found.header);
        if header.is(DEAD | REDELIVERED) {
            return None;
        }
        level.move_away(place);
        Some((Ticket::new(seq, header.level, place), header))
    }

    /// What names the message `id`, if its record is in memory.
    pub(super) fn find(&self, id: MessageId) -> Option<Ticket> {
        let found = self.level(id.level())?.first_from(id.seq(), None)?;
        let ticket = Ticket::new(found.header.seq, id.level(), found.place);
        (found.header.seq == id.seq()).then_some(ticket)
    }

    /// Takes a ready message out, wherever it stands in the order. False if it is not ready.
    pub(super) fn take_out(&mut self, ticket: Ticket) -> bool {
        if let Some(front) = self.front.as_deref_mut()
            && let Some(at) = front.iter().position(|message| message.ticket == ticket)
        {
            front.remove(at);
            self.update_flags(ticket, UNACKED, 0);
            return true;
        }
        let Some(header) = self.away(ticket).map(|found| found.header) else { return false };
        self.level_mut(ticket.level()).is_some_and(|it| it.take_out(ticket.place(), &header))
    }

    /// Undoes [`Self::take_out`] for a message that was ready in its place. False if it cannot be so
    /// any more.
    pub(super) fn put_in_place(&mut self, ticket: Ticket, header: &Header) -> bool {
        self.top = self.top.max(ticket.level());
        self.level_mut(ticket.level()).is_some_and(|it| it.put_in_place(ticket.place(), header))
    }

    pub(super) fn kill(&mut self, ticket: Ticket, header: &Header, pool: &mut Freed) {
        if let Some(level) = self.level_mut(ticket.level()) {
            level.kill(ticket.place(), header, pool);
        }
    }

    /// The level and the chunk of the message that is next, when it is not in memory.
    pub(super) fn absent_head(&mut self) -> Option<(u8, u32)> {
        if let Some(next) = self.first_in_front() {
            return self.absent(next.ticket);
        }
        self.settle_top();
        let chunk = self.level(self.top)?.absent_head()?;
        Some((self.top, chunk))
    }

    /// The level and the chunk that `ticket` is about, when it is not in memory.
    pub(super) fn absent(&self, ticket: Ticket) -> Option<(u8, u32)> {
        let chunk = ticket.place().chunk;
        let is_absent = self.level(ticket.level())?.is_absent(chunk);
        is_absent.then_some((ticket.level(), chunk))
    }

    /// When the next message expires, 0 for never; `None` when there is none.
    pub(super) fn head_expires_at(&self) -> Option<u64> {
        if let Some(next) = self.first_in_front() {
            return Some(next.expires_at);
        }
        let levels = (0..=self.top).rev().filter_map(|number| self.level(number));
        levels.filter(|level| level.ready() != 0).find_map(Level::head_expires_at)
    }

    /// Appends what lies on a page, of which these seqs were settled. Returns what is left, and what
    /// became of the page if it had to be read: when the device did not read it, nothing is settled.
    pub(super) fn push_page(
        &mut self,
        number: u8,
        first_seq: u64,
        page: Page,
        settled: &[SeqRange],
        fx: &mut Effects,
    ) -> (Stock, u32, Loaded) {
        self.top = self.top.max(number);
        let stock = page.stock;
        let level = self.level_or_new(number);
        let chunk = level.push_page(first_seq, stock.persistent, page);
        if settled.is_empty() {
            return (stock, chunk, Loaded::Whole);
        }
        let released = fx.pool.pages.len();
        let loaded = level.load_with(chunk, fx);
        if matches!(loaded, Loaded::Unread(..)) {
            return (stock, chunk, loaded);
        }
        let left = level.settle_loaded(chunk, settled, &mut fx.pool);
        // The journal does not name what is free.
        fx.pool.pages.truncate(released);
        (left, chunk, loaded)
    }

    /// Bytes of messages that are in memory.
    pub(super) fn resident(&self) -> usize {
        self.levels().map(|(_, level)| level.resident()).sum()
    }

    /// Bytes reserved for messages.
    pub(super) fn memory(&self) -> usize {
        self.levels().map(|(_, level)| level.memory()).sum::<usize>()
            + self.others.capacity() * size_of::<Level>()
    }
}

/// Ready messages in the order of delivery. See [`Messages::ready`].
#[derive(Clone, Debug)]
pub(super) struct ReadyWalk<'a> {
    messages: &'a Messages,
    level: &'a Level,
    number: u8,
    /// Those in front, while the walk has not left them.
    front: Option<vec_deque::Iter<'a, Aside>>,
    returned: btree_map::Values<'a, u64, Place>,
    /// The chunk that the tail was found in last, and where it goes on.
    chunk: Option<&'a Chunk>,
    cursor: Place,
    tail_left: u64,
}

impl<'a> ReadyWalk<'a> {
    fn new(messages: &'a Messages, top: u8) -> Self {
        let level = messages.level(top).unwrap_or(&messages.base);
        let (cursor, tail_left) = level.tail();
        let returned = level.returned().values();
        let front = None;
        Self { messages, level, number: top, front, returned, chunk: None, cursor, tail_left }
    }

    /// The next message, when it does not follow the one before in the same chunk.
    #[cold]
    fn find_next(&mut self) -> Option<Found<'a>> {
        if let Some(next) = self.front.as_mut().and_then(Iterator::next) {
            return self.messages.away(next.ticket);
        }
        loop {
            if let Some(&place) = self.returned.next() {
                return self.level.record_at(place);
            }
            if 0 < self.tail_left {
                let found = self.level.live_from(self.cursor)?;
                self.tail_left -= 1;
                self.cursor = after(found.place, &found.header);
                self.chunk = Some(found.chunk);
                return Some(found);
            }
            if self.number == 0 {
                return None;
            }
            *self = Self::new(self.messages, self.number - 1);
        }
    }
}

impl<'a> Iterator for ReadyWalk<'a> {
    type Item = Found<'a>;

    #[inline]
    fn next(&mut self) -> Option<Found<'a>> {
        // The returned ones come first: once there is a chunk, they are through.
        let Some(chunk) = self.chunk.filter(|_| 0 < self.tail_left) else {
            return self.find_next();
        };
        let found = match chunk.record(self.cursor) {
            Some(found) if !found.header.is(self.level.not_ready()) => found,
            _ => return self.find_next(),
        };
        self.tail_left -= 1;
        self.cursor = after(found.place, &found.header);
        Some(found)
    }
}
