//! From the entries of a journal back to a queue.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use message::MessageRef;
use stdx::Timestamp;
use topology::{QueueKind, QueueRecord, QueueSettings};

use super::blob::Shared;
use super::effects::{Effects, Freed};
use super::journal::{self, EntryUse, Journal, Mark, SeqRange};
use super::ledger::{self, Ledger, Note};
use super::level::{CHUNK_MAX, Found, Loaded, Lost, Place, after, is_shared, shared_image};
use super::messages::Messages;
use super::page::{Page, Section};
use super::record::{
    DEAD, DEAD_LETTERED, FAILED, HEADER_LEN, Header, KEY_ONLY, PERSISTENT, REDELIVERED, SHARED,
    UNACKED,
};
use super::unread::{Unread, UnreadPage};
use super::{Queue, quorum, varint};
use crate::PageRef;

/// Entries that may be missing between two. More means that the numbers are not right.
const GAP_MAX: u64 = 1 << 24;
/// A seq shares a `u64` with the level in tickets; what is far from that was never written.
pub(super) const SEQ_END: u64 = 1 << 55;

/// What is wrong with an entry of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damaged {
    /// It is shorter than it says.
    #[error("the entry is cut off")]
    Truncated,
    /// Another version of the broker wrote it, or it is no entry.
    #[error("unknown format version {0}")]
    UnknownVersion(u8),
    /// It has a section that this version does not know.
    #[error("unknown section {0}")]
    UnknownSection(u8),
    /// A range or a number in it makes no sense.
    #[error("a number is out of range")]
    OutOfRange,
    /// Entries come in ascending order, from one queue.
    #[error("entry {found} cannot follow entry {last}")]
    OutOfOrder {
        /// The entry read before.
        last: u64,
        /// This one.
        found: u64,
    },
}

/// A queue being rebuilt. Feed it every entry that the log kept, in order.
#[derive(Debug)]
pub struct Recovery {
    record: Arc<QueueRecord>,
    settings: Arc<QueueSettings>,
    now: Timestamp,
    /// The messages found so far, in order within their level.
    messages: Messages,
    pool: Freed,
    /// Records that came after ones with a higher seq of their level: they were written again
    /// when the log was compacted. By level and seq.
    late: BTreeMap<(u8, u64), Late>,
    /// Pages, by level and first seq. Those of a level do not overlap.
    pages: BTreeMap<(u8, u64), FoundPage>,
    /// Highest seq in `messages` per level.
    last_seq: Vec<u64>,
    /// Level, seq and place that were settled last: settling goes on behind it, mostly.
    hint: (u8, u64, Place),
    live: u64,
    body_bytes: u64,
    /// What they count for limits.
    weight: u64,
    base_index: u64,
    entries: VecDeque<EntryUse>,
    mark: Mark,
    mark_index: u64,
    next_seq: u64,
    ledger: Ledger,
    is_quorum: bool,
    /// Pages found damaged, by level and chunk.
    damaged: Vec<(u8, u32, Lost)>,
    /// Pages left to the queue, and the last one of them that could not be read.
    unread: Vec<UnreadPage>,
    reported: Option<PageRef>,
}

/// A record's header and what follows it.
type Late = (Header, Box<[u8]>);

/// A page that the journal names, and which of its messages were settled since.
#[derive(Debug)]
struct FoundPage {
    first_seq: u64,
    page: Page,
    settled: Vec<SeqRange>,
    let_go: Vec<SeqRange>,
}

/// How a message left its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    /// The journal held it, and does no more.
    Settled,
    /// Its page still counts it, if the journal holds it at all.
    LetGo,
}

impl FoundPage {
    fn leave(&mut self, range: SeqRange, how: Leave) {
        let first = range.first.max(self.first_seq);
        let end = range.end.min(self.page.last_seq + 1);
        let ranges = match how {
            Leave::Settled => &mut self.settled,
            Leave::LetGo => &mut self.let_go,
        };
        match ranges.last_mut() {
            Some(last) if last.end == first => last.end = end,
            _ => ranges.push(SeqRange { first, end }),
        }
    }
}

/// The same seqs, each in one range. (What a start finds settled on a page that it cannot read is settled
/// again later.)
fn merged(mut ranges: Vec<SeqRange>) -> Vec<SeqRange> {
    ranges.sort_unstable_by_key(|range| range.first);
    ranges.dedup_by(|next, range| {
        let is_joined = next.first <= range.end;
        range.end = if is_joined { range.end.max(next.end) } else { range.end };
        is_joined
    });
    ranges
}

/// An entry that was read to its end.
#[derive(Default)]
struct Parsed<'a> {
    /// Whole records, one after the other.
    records: &'a [u8],
    /// With their levels.
    settled: Vec<(u8, SeqRange)>,
    pages: Vec<PageChange>,
    mark: Option<Mark>,
    ledger: Vec<(u64, Note)>,
}

enum PageChange {
    Named(Section),
    /// The level, and the first seq.
    Dropped(u8, u64),
    LetGo(u8, SeqRange),
}

impl Recovery {
    pub(super) fn new(
        record: Arc<QueueRecord>,
        settings: Arc<QueueSettings>,
        now: Timestamp,
    ) -> Self {
        let is_quorum = record.kind == QueueKind::Quorum;
        let messages = Messages::of(&record);
        Self {
            record,
            settings,
            now,
            messages,
            pool: Freed::default(),
            late: BTreeMap::new(),
            pages: BTreeMap::new(),
            last_seq: Vec::new(),
            hint: (0, 0, Place::default()),
            live: 0,
            body_bytes: 0,
            weight: 0,
            base_index: 0,
            entries: VecDeque::new(),
            mark: Mark::Blank,
            mark_index: 0,
            next_seq: 1,
            ledger: Ledger::default(),
            is_quorum,
            damaged: Vec::new(),
            unread: Vec::new(),
            reported: None,
        }
    }

    /// Takes in entry `index`. A damaged one changes nothing and may be skipped: what it held is
    /// lost, the rest is not.
    pub fn entry(&mut self, index: u64, bytes: &[u8]) -> Result<(), Damaged> {
        let parsed = parse(index, bytes)?;
        self.open_entry(index, bytes.len())?;
        let mut records = parsed.records;
        while let Some((header, parts)) = split_record(&mut records) {
            self.stage(index, header, parts, bytes.len());
        }
        for &(level, range) in &parsed.settled {
            self.leave(level, range, Leave::Settled);
        }
        for change in parsed.pages {
            match change {
                PageChange::Named(section) => self.stage_page(section),
                PageChange::Dropped(level, first_seq) => {
                    drop(self.pages.remove(&(level, first_seq)))
                }
                PageChange::LetGo(level, range) => self.leave(level, range, Leave::LetGo),
            }
        }
        let ledger_end = self.ledger.restore(&parsed.ledger, index);
        self.next_seq = self.next_seq.max(ledger_end);
        if let Some(mark) = parsed.mark {
            if let Mark::Closed(levels) = &mark {
                // Transient messages had seqs, too: new ones must not look as if taken.
                let taken_below = levels.iter().map(|&(_, taken_below)| taken_below).max();
                self.next_seq = self.next_seq.max(taken_below.unwrap_or(0));
            }
            self.mark = mark;
            self.mark_index = index;
        }
        Ok(())
    }

    fn open_entry(&mut self, index: u64, len: usize) -> Result<(), Damaged> {
        if self.entries.is_empty() {
            self.base_index = index;
        }
        let next = self.base_index + self.entries.len() as u64;
        if index < next || GAP_MAX < index - next {
            return Err(Damaged::OutOfOrder { last: next.saturating_sub(1), found: index });
        }
        let missing = (index - next) as usize;
        self.entries.extend(std::iter::repeat_n(EntryUse::default(), missing));
        self.entries.push_back(EntryUse::new(0, len));
        Ok(())
    }

    fn stage(&mut self, index: u64, mut header: Header, parts: &[u8], entry_len: usize) {
        let level = header.level;
        header.entry = index as u32;
        // In a quorum queue, the ledger has what came back.
        let taken = if self.is_quorum { FAILED } else { REDELIVERED };
        let was_taken = if header.is(REDELIVERED | UNACKED) { taken } else { 0 };
        header.flags &= DEAD_LETTERED | FAILED | KEY_ONLY | SHARED;
        header.flags |= PERSISTENT | was_taken;
        self.next_seq = self.next_seq.max(header.seq + 1);
        if self.last_seq.len() <= usize::from(level) {
            self.last_seq.resize(usize::from(level) + 1, 0);
        }
        let last_seq = &mut self.last_seq[usize::from(level)];
        if *last_seq < header.seq {
            *last_seq = header.seq;
            push(&mut self.messages, header, parts, entry_len, &mut self.pool);
        } else if self.is_written_again(index, &header) {
            return;
        } else {
            self.late.insert((level, header.seq), (header, parts.into()));
        }
        self.live += 1;
        self.body_bytes += u64::from(header.body_len);
        self.weight += quorum::weight(self.is_quorum, &header);
        self.entries.back_mut().expect("opened before").live += 1;
    }

    /// Whether the message is here already. Then it lies in this entry from now on.
    fn is_written_again(&mut self, index: u64, header: &Header) -> bool {
        let key = (header.level, header.seq);
        let known = if let Some((known, _)) = self.late.get_mut(&key) {
            std::mem::replace(known, Header { entry: index as u32, ..*known })
        } else {
            let Some(level) = self.messages.level_mut(header.level) else { return false };
            let found = level.first_from(header.seq, None);
            let Some(found) = found.filter(|found| found.header.seq == header.seq) else {
                return false;
            };
            let (place, known) = (found.place, found.header);
            if known.is(DEAD) {
                return true;
            }
            level.set_entry(place, index);
            known
        };
        self.leave_entry(&known);
        self.entries.back_mut().expect("opened before").live += 1;
        true
    }

    fn leave_entry(&mut self, header: &Header) {
        let at = header.entry.wrapping_sub(self.base_index as u32) as usize;
        if let Some(entry) = self.entries.get_mut(at) {
            entry.live -= 1;
        }
    }

    /// These messages are gone.
    fn leave(&mut self, level: u8, range: SeqRange, how: Leave) {
        self.next_seq = self.next_seq.max(range.end);
        self.ledger.forget_range(level, range.first, range.end);
        self.leave_places(level, range, how);
    }

    /// These messages are not where they were any more.
    fn leave_places(&mut self, level: u8, range: SeqRange, how: Leave) {
        self.settle_level(level, range);
        while let Some((&key, _)) = self.late.range((level, range.first)..(level, range.end)).next()
        {
            self.forget_late(key);
        }
        // What of it a page has is seen when that is read.
        let below = self.pages.range_mut((level, 0)..(level, range.end));
        for (_, found) in below.rev().take_while(|(_, it)| range.first <= it.page.last_seq) {
            found.leave(range, how);
        }
    }

    fn forget_late(&mut self, key: (u8, u64)) {
        if let Some((header, _)) = self.late.remove(&key) {
            self.forget(&header);
        }
    }

    /// What lies on a page does so instead of anywhere else.
    fn stage_page(&mut self, section: Section) {
        let Section { level, first_seq, page } = section;
        let range = SeqRange { first: first_seq, end: page.last_seq + 1 };
        self.next_seq = self.next_seq.max(range.end);
        self.leave_places(level, range, Leave::Settled);
        let below = self.pages.range((level, 0)..(level, range.end));
        let replaced = below.rev().take_while(|(_, it)| range.first <= it.page.last_seq);
        let replaced: Vec<(u8, u64)> = replaced.map(|(&key, _)| key).collect();
        replaced.into_iter().for_each(|key| drop(self.pages.remove(&key)));
        let found = FoundPage { first_seq, page, settled: Vec::new(), let_go: Vec::new() };
        self.pages.insert((level, first_seq), found);
    }

    fn settle_level(&mut self, number: u8, range: SeqRange) {
        let mut seq = range.first;
        let (level, last_seq, last_place) = self.hint;
        let mut hint = (level == number && last_seq <= seq).then_some(last_place);
        while let Some(level) = self.messages.level_mut(number)
            && let Some(found) = level.first_from(seq, hint)
            && found.header.seq < range.end
        {
            let (place, header) = (found.place, found.header);
            self.hint = (number, header.seq, place);
            hint = Some(place);
            seq = header.seq + 1;
            if !header.is(DEAD) {
                level.discard(place, &header, &mut self.pool);
                self.forget(&header);
            }
        }
    }

    /// A message that was counted is gone.
    fn forget(&mut self, header: &Header) {
        self.leave_entry(header);
        self.live -= 1;
        self.body_bytes -= u64::from(header.body_len);
        self.weight -= quorum::weight(self.is_quorum, header);
    }

    /// The queue, all its messages ready, in their old order. Pages are read only where something was
    /// settled after they were named.
    ///
    /// Unless the stop was clean, messages that may have been delivered before count as failed,
    /// as in RabbitMQ.
    pub fn finish(mut self, is_clean: bool, fx: &mut Effects) -> Queue {
        let mut queue = Queue::new(self.record.clone(), self.settings.clone(), self.now);
        queue.next_seq = self.next_seq;
        if self.entries.is_empty() {
            return queue;
        }
        if !self.late.is_empty() || !self.pages.is_empty() {
            self.merge(fx);
        }
        self.flag_taken(match (self.is_quorum, is_clean) {
            // What was out at a clean stop came back before. What lies in its place all the same may
            // have been delivered before an earlier crash.
            (true, _) => FAILED,
            (false, true) => REDELIVERED,
            (false, false) => REDELIVERED | FAILED,
        });
        let entries = std::mem::take(&mut self.entries);
        let mut journal = Journal::restored(self.base_index, entries, self.next_seq);
        (journal.mark, journal.mark_index) = (self.mark, self.mark_index);
        for (level, chunk, lost) in self.damaged {
            journal.note_damaged_page(level, chunk, lost);
        }
        queue.journal = Some(Box::new(journal));
        (queue.ready, queue.ready_bytes) = (self.live, self.weight);
        (queue.persistent, queue.persistent_bytes) = (self.live, self.body_bytes);
        queue.messages = self.messages;
        queue.unread = Unread::of(self.unread, self.reported);
        queue.restore_ledger(self.now, self.ledger, fx);
        queue
    }

    /// Copies all messages that are here, the late ones and those on pages in their places.
    fn merge(&mut self, fx: &mut Effects) {
        let empty = Messages::of(&self.record);
        let found = std::mem::replace(&mut self.messages, empty);
        let mut late = std::mem::take(&mut self.late).into_values().peekable();
        let mut pages = std::mem::take(&mut self.pages).into_iter().peekable();
        let mut put_before = |recovery: &mut Self, limit: (u8, u64)| {
            loop {
                let of_late = late.peek().map(|(header, _)| (header.level, header.seq));
                let of_page = pages.peek().map(|&(key, _)| key);
                let is_page = match (of_late, of_page) {
                    (Some(late), Some(page)) => page < late,
                    (late, _) => late.is_none(),
                };
                let next = if is_page { of_page } else { of_late };
                if next.is_none_or(|next| limit <= next) {
                    return;
                }
                if is_page && let Some(((level, _), found)) = pages.next() {
                    recovery.put_page(level, found, fx);
                } else if let Some((header, parts)) = late.next() {
                    push(&mut recovery.messages, header, &parts, CHUNK_MAX, &mut recovery.pool);
                }
            }
        };
        for (number, level) in found.levels() {
            let mut place = level.start();
            while let Some(next) = level.live_from(place) {
                put_before(self, (number, next.header.seq));
                self.put(&next);
                place = after(next.place, &next.header);
            }
            put_before(self, (number, u64::MAX));
        }
        put_before(self, (u8::MAX, u64::MAX));
    }

    fn put(&mut self, found: &Found<'_>) {
        let header = Header { flags: found.header.flags & !SHARED, ..found.header };
        let shared = found.shared().cloned();
        let message = if shared.is_some() { NOTHING } else { found.message() };
        self.messages.push(header, &message, shared, CHUNK_MAX, &mut self.pool);
    }

    fn put_page(&mut self, level: u8, found: FoundPage, fx: &mut Effects) {
        let FoundPage { first_seq, page, settled, let_go } = found;
        let settled = merged(settled);
        let gone: u64 = settled.iter().map(|range| range.end - range.first).sum();
        if u64::from(page.stock.persistent) <= gone {
            // What was there may have been overwritten.
            return;
        }
        let entry = page.entry;
        // What was let go has to be settled in the journal before its page is given up: the queue's turn.
        let to_settle = if let_go.is_empty() { &settled[..] } else { &[] };
        let (stock, chunk, loaded) = self.messages.push_page(level, first_seq, page, to_settle, fx);
        let is_unread = matches!(loaded, Loaded::Unread(..));
        match loaded {
            Loaded::Whole => {}
            Loaded::Damaged(lost) => self.damaged.push((level, chunk, *lost)),
            Loaded::Unread(page, damage) => {
                fx.damaged.push((damage, 0));
                self.reported = Some(page);
            }
        }
        if is_unread || !let_go.is_empty() {
            let settled = merged([settled, let_go].concat());
            self.unread.push(UnreadPage { level, chunk, settled });
        }
        self.live += u64::from(stock.persistent);
        self.body_bytes += stock.persistent_bytes;
        self.weight += stock.weight;
        let at = entry.wrapping_sub(self.base_index as u32) as usize;
        if let Some(entry) = self.entries.get_mut(at) {
            entry.live += stock.persistent;
        }
    }

    /// Flags what may have been delivered in the broker's earlier life.
    fn flag_taken(&mut self, flags: u8) {
        if let Mark::Closed(levels) = &self.mark {
            for &(level, taken_below) in levels {
                self.messages.level_or_new(level).taken_below = taken_below;
            }
        }
        for (_, level) in self.messages.levels_mut() {
            if self.mark == Mark::Open {
                level.taken_below = self.next_seq;
            }
            level.journaled_to = level.end();
            level.flag_taken(flags);
        }
    }
}

/// The message of a record that has it elsewhere.
const NOTHING: MessageRef<'_> =
    MessageRef { exchange: b"", routing_key: b"", properties: b"", body: b"", image: None };

/// Appends a record as the journal has it: what follows the header are the four parts, or the blob
/// with them.
fn push(
    messages: &mut Messages,
    mut header: Header,
    mut parts: &[u8],
    expected: usize,
    pool: &mut Freed,
) {
    if header.is(SHARED)
        && let Some(blob) = PageRef::decode(&mut parts)
    {
        header.flags &= !SHARED;
        return messages.push(header, &NOTHING, Some(Shared::absent(blob)), expected, pool);
    }
    let message = header.split(parts);
    let shared = is_shared(&message).then(|| Shared { bytes: shared_image(&message), blob: None });
    messages.push(header, &message, shared, expected, pool);
}

fn parse(index: u64, mut bytes: &[u8]) -> Result<Parsed<'_>, Damaged> {
    let mut parsed = Parsed::default();
    match bytes.split_off_first() {
        Some(&journal::VERSION) => {}
        Some(&version) => return Err(Damaged::UnknownVersion(version)),
        None => return Err(Damaged::Truncated),
    }
    while let Some(&tag) = bytes.split_off_first() {
        match tag {
            journal::RECORDS => parsed.records = parse_records(&mut bytes)?,
            journal::SETTLED => parse_settled(&mut bytes, &mut parsed.settled)?,
            journal::OPEN => parsed.mark = Some(Mark::Open),
            journal::CLOSED => parsed.mark = Some(parse_closed(&mut bytes)?),
            journal::PAGE => {
                parsed.pages.push(PageChange::Named(Section::read(&mut bytes, index)?))
            }
            journal::WEIGHED_PAGE => {
                parsed.pages.push(PageChange::Named(Section::read_weighed(&mut bytes, index)?))
            }
            journal::DROPPED => {
                let level = *bytes.split_off_first().ok_or(Damaged::Truncated)?;
                let first_seq = varint::read(&mut bytes).ok_or(Damaged::Truncated)?;
                parsed.pages.push(PageChange::Dropped(level, first_seq));
            }
            journal::LET_GO => {
                let mut ranges = Vec::new();
                parse_settled(&mut bytes, &mut ranges)?;
                let let_go = ranges.into_iter().map(|(level, it)| PageChange::LetGo(level, it));
                parsed.pages.extend(let_go);
            }
            journal::LEDGER => parsed.ledger = ledger::parse(&mut bytes, SEQ_END)?,
            tag => return Err(Damaged::UnknownSection(tag)),
        }
    }
    Ok(parsed)
}

/// The section's records, checked to be whole.
fn parse_records<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Damaged> {
    let len = bytes.split_off(..4).and_then(|len| len.first_chunk()).ok_or(Damaged::Truncated)?;
    let len = u32::from_le_bytes(*len) as usize;
    let records = bytes.split_off(..len).ok_or(Damaged::Truncated)?;
    let mut rest = records;
    while let Some((header, _)) = split_record(&mut rest) {
        if header.seq == 0 || SEQ_END <= header.seq {
            return Err(Damaged::OutOfRange);
        }
    }
    if rest.is_empty() { Ok(records) } else { Err(Damaged::Truncated) }
}

/// Takes a record off the front; `None` at the end or when it is not whole.
fn split_record<'a>(records: &mut &'a [u8]) -> Option<(Header, &'a [u8])> {
    let header = Header::read(records, 0)?;
    let raw = records.split_off(..header.len_in_journal())?;
    Some((header, &raw[HEADER_LEN..]))
}

fn parse_settled(bytes: &mut &[u8], out: &mut Vec<(u8, SeqRange)>) -> Result<(), Damaged> {
    let level = *bytes.split_off_first().ok_or(Damaged::Truncated)?;
    let count = varint::read(bytes).ok_or(Damaged::Truncated)?;
    let mut previous = 0u64;
    for _ in 0..count {
        let step = varint::read_signed(bytes).ok_or(Damaged::Truncated)?;
        let more = varint::read(bytes).ok_or(Damaged::Truncated)?;
        let first = previous.checked_add_signed(step).ok_or(Damaged::OutOfRange)?;
        let end = first.checked_add(more).and_then(|last| last.checked_add(1));
        let end = end.filter(|&end| end <= SEQ_END).ok_or(Damaged::OutOfRange)?;
        out.push((level, SeqRange { first, end }));
        previous = end;
    }
    Ok(())
}

fn parse_closed(bytes: &mut &[u8]) -> Result<Mark, Damaged> {
    let count = varint::read(bytes).ok_or(Damaged::Truncated)?;
    let mut levels = Vec::new();
    for _ in 0..count {
        let level = *bytes.split_off_first().ok_or(Damaged::Truncated)?;
        let taken_below = varint::read(bytes).ok_or(Damaged::Truncated)?;
        if SEQ_END < taken_below {
            return Err(Damaged::OutOfRange);
        }
        levels.push((level, taken_below));
    }
    Ok(Mark::Closed(levels))
}
