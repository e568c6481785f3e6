//! From the entries of a journal back to a queue.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use stdx::Timestamp;
use topology::QueueRecord;

use super::effects::BufferPool;
use super::journal::{self, EntryUse, Journal, Mark, SeqRange};
use super::level::CHUNK_MAX;
use super::messages::Messages;
use super::record::{
    self, DEAD, DEAD_LETTERED, FAILED, HEADER_LEN, Header, KEY_ONLY, PERSISTENT, REDELIVERED,
    UNACKED,
};
use super::{Queue, varint};

/// Staged records are kept in pieces of this size.
const ARENA_BYTES: usize = 1 << 20;
/// Entries that may be missing between two. More means that the numbers are not right.
const GAP_MAX: u64 = 1 << 24;
/// A seq shares a `u64` with the level in tickets; what is far from that was never written.
const SEQ_END: u64 = 1 << 55;

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
    now: Timestamp,
    arenas: Vec<Arena>,
    /// Records by seq, ascending.
    staged: Vec<Staged>,
    /// Records that came after ones with a higher seq: written again when the log was compacted.
    late: BTreeMap<u64, Staged>,
    base_index: u64,
    entries: VecDeque<EntryUse>,
    mark: Mark,
    mark_index: u64,
    next_seq: u64,
}

#[derive(Debug, Default)]
struct Arena {
    bytes: Vec<u8>,
    /// Records in it that were not moved into the queue.
    records: usize,
}

#[derive(Clone, Copy, Debug)]
struct Staged {
    seq: u64,
    arena: u32,
    offset: u32,
}

/// An entry that was read to its end.
#[derive(Default)]
struct Parsed<'a> {
    records: Vec<(Header, &'a [u8])>,
    settled: Vec<SeqRange>,
    mark: Option<Mark>,
}

impl Recovery {
    pub(super) fn new(record: Arc<QueueRecord>, now: Timestamp) -> Self {
        Self {
            record,
            now,
            arenas: Vec::new(),
            staged: Vec::new(),
            late: BTreeMap::new(),
            base_index: 0,
            entries: VecDeque::new(),
            mark: Mark::Blank,
            mark_index: 0,
            next_seq: 1,
        }
    }

    /// Takes in entry `index`. A damaged one changes nothing and may be skipped: what it held is
    /// lost, the rest is not.
    pub fn entry(&mut self, index: u64, bytes: &[u8]) -> Result<(), Damaged> {
        let mut parsed = parse(bytes)?;
        self.open_entry(index, bytes.len())?;
        parsed.records.sort_by_key(|(header, _)| header.seq);
        for (header, raw) in &parsed.records {
            self.stage(index, header, raw);
        }
        for range in &parsed.settled {
            self.settle(*range);
        }
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
        self.entries.push_back(EntryUse { live: 0, bytes: len as u32 });
        Ok(())
    }

    fn stage(&mut self, index: u64, header: &Header, raw: &[u8]) {
        self.next_seq = self.next_seq.max(header.seq + 1);
        if let Some(known) = self.find(header.seq) {
            let (known, entry) = (self.header(known), known);
            if !known.is(DEAD) {
                self.leave_entry(&known);
                self.set_entry(entry, index);
            }
            return;
        }
        let is_full = |arena: &Arena| arena.bytes.capacity() - arena.bytes.len() < raw.len();
        if self.arenas.last().is_none_or(is_full) {
            let bytes = Vec::with_capacity(ARENA_BYTES.max(raw.len()));
            self.arenas.push(Arena { bytes, records: 0 });
        }
        let number = self.arenas.len() - 1;
        let arena = &mut self.arenas[number];
        let offset = arena.bytes.len() as u32;
        arena.bytes.extend_from_slice(raw);
        arena.records += 1;
        let staged = Staged { seq: header.seq, arena: number as u32, offset };
        self.set_entry(staged, index);
        if self.staged.last().is_none_or(|last| last.seq < header.seq) {
            self.staged.push(staged);
        } else {
            self.late.insert(header.seq, staged);
        }
    }

    fn find(&self, seq: u64) -> Option<Staged> {
        if self.staged.last().is_none_or(|last| last.seq < seq) {
            return None;
        }
        let found = self.staged.binary_search_by_key(&seq, |staged| staged.seq);
        found.ok().map(|at| self.staged[at]).or_else(|| self.late.get(&seq).copied())
    }

    fn header(&self, staged: Staged) -> Header {
        let bytes = &self.arenas[staged.arena as usize].bytes;
        Header::read(bytes, staged.offset as usize).expect("staged with a whole header")
    }

    fn set_entry(&mut self, staged: Staged, index: u64) {
        let bytes = &mut self.arenas[staged.arena as usize].bytes;
        record::set_entry(bytes, staged.offset as usize, index);
        let at = (index - self.base_index) as usize;
        self.entries[at].live += 1;
    }

    fn leave_entry(&mut self, header: &Header) {
        let at = header.entry.wrapping_sub(self.base_index as u32) as usize;
        if let Some(entry) = self.entries.get_mut(at) {
            entry.live -= 1;
        }
    }

    fn settle(&mut self, range: SeqRange) {
        self.next_seq = self.next_seq.max(range.end);
        let mut at = self.staged.partition_point(|staged| staged.seq < range.first);
        while let Some(&staged) = self.staged.get(at)
            && staged.seq < range.end
        {
            self.kill(staged);
            at += 1;
        }
        let late: Vec<Staged> = self.late.range(range.first..range.end).map(|(_, s)| *s).collect();
        for staged in late {
            self.kill(staged);
        }
    }

    fn kill(&mut self, staged: Staged) {
        let header = self.header(staged);
        if !header.is(DEAD) {
            self.leave_entry(&header);
            let bytes = &mut self.arenas[staged.arena as usize].bytes;
            record::update_flags(bytes, staged.offset as usize, DEAD, 0);
        }
    }

    /// The queue, all its messages ready, in their old order.
    ///
    /// Unless the stop was clean, messages that may have been delivered before count as failed,
    /// as in RabbitMQ.
    pub fn finish(mut self, is_clean: bool) -> Queue {
        let mut queue = Queue::new(self.record.clone(), self.now);
        queue.next_seq = self.next_seq;
        if self.entries.is_empty() {
            return queue;
        }
        let entries = std::mem::take(&mut self.entries);
        let mut journal = Journal::restored(self.base_index, entries, self.next_seq);
        self.set_taken_below(&mut queue.messages);
        let expected = (journal.log_bytes() as usize).min(CHUNK_MAX);
        let mut pool = BufferPool::default();
        for staged in self.take_staged() {
            let mut header = self.header(staged);
            if !header.is(DEAD) {
                self.restore_flags(&mut header, &queue.messages, is_clean);
                let arena = &self.arenas[staged.arena as usize];
                let at = staged.offset as usize + HEADER_LEN;
                let message = header.split(&arena.bytes[at..at + header.parts_len()]);
                queue.messages.push(header, &message, expected, &mut pool);
                journal.live += 1;
                journal.live_bytes += header.len_in_journal() as u64;
                queue.ready_bytes += u64::from(header.body_len);
            }
            let arena = &mut self.arenas[staged.arena as usize];
            arena.records -= 1;
            if arena.records == 0 {
                arena.bytes = Vec::new();
            }
        }
        queue.ready = journal.live;
        (queue.persistent, queue.persistent_bytes) = (queue.ready, queue.ready_bytes);
        for (_, level) in queue.messages.levels_mut() {
            level.journaled_to = level.end();
            if self.mark == Mark::Open {
                level.taken_below = self.next_seq;
            }
        }
        (journal.mark, journal.mark_index) = (self.mark, self.mark_index);
        queue.journal = Some(Box::new(journal));
        queue
    }

    /// All staged records by seq.
    fn take_staged(&mut self) -> Vec<Staged> {
        let mut staged = std::mem::take(&mut self.staged);
        if !self.late.is_empty() {
            staged.extend(std::mem::take(&mut self.late).into_values());
            staged.sort_by_key(|staged| staged.seq);
        }
        staged
    }

    fn set_taken_below(&self, messages: &mut Messages) {
        if let Mark::Closed(levels) = &self.mark {
            for &(level, taken_below) in levels {
                messages.level_or_new(level).taken_below = taken_below;
            }
        }
    }

    fn restore_flags(&self, header: &mut Header, messages: &Messages, is_clean: bool) {
        let taken_below = match self.mark {
            Mark::Open => u64::MAX,
            Mark::Blank | Mark::Closed(_) => {
                messages.level(header.level).map_or(0, |level| level.taken_below)
            }
        };
        let was_taken = header.is(REDELIVERED | UNACKED) || header.seq < taken_below;
        let failed = if was_taken && !is_clean { FAILED } else { 0 };
        let redelivered = if was_taken { REDELIVERED } else { 0 };
        header.flags &= DEAD_LETTERED | FAILED | KEY_ONLY;
        header.flags |= PERSISTENT | redelivered | failed;
    }
}

fn parse(mut bytes: &[u8]) -> Result<Parsed<'_>, Damaged> {
    let mut parsed = Parsed::default();
    match bytes.split_off_first() {
        Some(&journal::VERSION) => {}
        Some(&version) => return Err(Damaged::UnknownVersion(version)),
        None => return Err(Damaged::Truncated),
    }
    while let Some(&tag) = bytes.split_off_first() {
        match tag {
            journal::RECORDS => parse_records(&mut bytes, &mut parsed.records)?,
            journal::SETTLED => parse_settled(&mut bytes, &mut parsed.settled)?,
            journal::OPEN => parsed.mark = Some(Mark::Open),
            journal::CLOSED => parsed.mark = Some(parse_closed(&mut bytes)?),
            tag => return Err(Damaged::UnknownSection(tag)),
        }
    }
    Ok(parsed)
}

fn parse_records<'a>(
    bytes: &mut &'a [u8],
    out: &mut Vec<(Header, &'a [u8])>,
) -> Result<(), Damaged> {
    let len = bytes.split_off(..4).and_then(|len| len.first_chunk()).ok_or(Damaged::Truncated)?;
    let len = u32::from_le_bytes(*len) as usize;
    let mut records = bytes.split_off(..len).ok_or(Damaged::Truncated)?;
    while !records.is_empty() {
        let header = Header::read(records, 0).ok_or(Damaged::Truncated)?;
        let len = header.len_in_journal();
        let raw = records.split_off(..len).ok_or(Damaged::Truncated)?;
        if header.seq == 0 || SEQ_END <= header.seq {
            return Err(Damaged::OutOfRange);
        }
        out.push((header, raw));
    }
    Ok(())
}

fn parse_settled(bytes: &mut &[u8], out: &mut Vec<SeqRange>) -> Result<(), Damaged> {
    let count = varint::read(bytes).ok_or(Damaged::Truncated)?;
    let mut previous = 0u64;
    for _ in 0..count {
        let step = varint::read_signed(bytes).ok_or(Damaged::Truncated)?;
        let more = varint::read(bytes).ok_or(Damaged::Truncated)?;
        let first = previous.checked_add_signed(step).ok_or(Damaged::OutOfRange)?;
        let end = first.checked_add(more).and_then(|last| last.checked_add(1));
        let end = end.filter(|&end| end <= SEQ_END).ok_or(Damaged::OutOfRange)?;
        out.push(SeqRange { first, end });
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
