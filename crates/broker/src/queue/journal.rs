//! What a durable queue writes, so that its persistent messages survive.
//!
//! One entry per turn: the records that came in and are still there, the positions that were
//! settled, and who may have seen which message. An entry is
//!
//! ```text
//! version u8, then sections, each with a tag:
//!   1 records  u32 length, then records as in chunks; a shared one names the blob that it lies in
//!   2 settled  u8 level, varint count, then per range: zigzag(first - end of the previous),
//!              varint(length - 1)
//!   3 open     any message may have been delivered
//!   4 closed   varint count, then per level: u8 level, varint taken_below
//!   5 page     messages of a level lie on a page from now on: see `Section`
//!   6 dropped  u8 level, varint first_seq: that page is gone with all that was on it
//!   7 ledger   varint count, then per message: varint(seq - the one before), u8 level,
//!              varint acquired, varint failures, varint order, u8 fate [, varint instant]
//!   8 weighed  varint bytes of properties, then as a page: in a quorum queue, these count for limits
//!   9 let go   as settled, of messages whose page could not be read: those among them that the log
//!              holds are gone, and are not counted out of their page before an entry calls them settled
//! ```
//!
//! The entry with a page replaces what earlier ones say of the seqs from the page's first to its
//! last: of the messages of that level, those on the page that it does not call dead are there, and
//! no others.
//!
//! Knows entries and how many live messages each holds. Leaves the log itself, syncing and
//! numbering gaps to the caller.

use std::collections::VecDeque;

use bytes::Bytes;

use super::blob::Shared;
use super::effects::{Effects, Freed};
use super::ledger::Ledger;
use super::let_go::LetGo;
use super::level::{Level, Lost, Place, after};
use super::messages::Messages;
use super::page::{Page, Section};
use super::record::{DEAD, Header, PERSISTENT, SHARED};
use super::varint;
use crate::PageRef;

pub(super) const VERSION: u8 = 3;
pub(super) const RECORDS: u8 = 1;
pub(super) const SETTLED: u8 = 2;
pub(super) const OPEN: u8 = 3;
pub(super) const CLOSED: u8 = 4;
pub(super) const PAGE: u8 = 5;
pub(super) const DROPPED: u8 = 6;
pub(super) const LEDGER: u8 = 7;
pub(super) const WEIGHED_PAGE: u8 = 8;
pub(super) const LET_GO: u8 = 9;

/// With nothing left to keep, the log is cleared once this much was written to it: not on every
/// drain, for a queue that swings between none and one message would clear all the time.
const CLEAR_BYTES: u64 = small_in_tests(64 * 1024, 2048);
const CLEAR_ENTRIES: u64 = small_in_tests(1000, 16);
/// A dead prefix is reported when it is at least this long.
const COMPACT_BYTES: u64 = small_in_tests(256 * 1024, 512);
const COMPACT_ENTRIES: u64 = 4;
/// Dead bytes the log may hold before live messages are written again behind them.
const GARBAGE_BYTES_MAX: u64 = small_in_tests(4 * 1024 * 1024, 1024);
const GARBAGE_PER_LIVE_BYTE_MAX: u64 = 4;
/// Entries without anything live that are remembered, because older ones have something, before that
/// is written again: this many, and some per entry that has something. Each takes memory.
const DEAD_ENTRIES_MAX: u64 = small_in_tests(8, 32);
const DEAD_ENTRIES_PER_LIVE_MAX: u64 = 1;
/// But not for less than one dead entry per so many bytes that this writes.
const SWEPT_BYTES_PER_ENTRY_MAX: u64 = 256;
/// How much one turn writes again, and looks at, at most.
const SWEEP_BYTES_MAX: usize = small_in_tests(256 * 1024, 256) as usize;
const SWEEP_RECORDS_MAX: usize = small_in_tests(8192, 16) as usize;

/// Tests reach the limits with a few operations.
const fn small_in_tests(usual: u64, in_tests: u64) -> u64 {
    if cfg!(test) { in_tests } else { usual }
}

/// Positions `first..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SeqRange {
    pub(super) first: u64,
    pub(super) end: u64,
}

/// Which messages may have been delivered, as the log says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Mark {
    /// Nothing was said: none was.
    #[default]
    Blank,
    /// Any.
    Open,
    /// Those below the given seq of their level.
    Closed(Vec<(u8, u64)>),
}

/// What one entry in the log still holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EntryUse {
    pub(super) live: u32,
    pub(super) bytes: u32,
    /// Bytes that one live message counts for, rounded up: messages on a page count for little here.
    each: u32,
}

impl EntryUse {
    pub(super) fn new(live: u32, bytes: usize) -> Self {
        let bytes = bytes as u32;
        Self { live, bytes, each: bytes.div_ceil(live.max(1)) }
    }

    fn live_bytes(self) -> u64 {
        u64::from(self.live) * u64::from(self.each)
    }
}

/// Writing live messages again, so that the dead ones before them can go.
#[derive(Clone, Copy, Debug)]
struct Sweep {
    /// Only what lies in entries before this one.
    below: u64,
    level: u8,
    place: Place,
}

#[derive(Debug)]
pub(super) struct Journal {
    next_index: u64,
    /// Number of the first of `entries`: no older one holds anything live.
    base_index: u64,
    /// Every entry from `base_index` up to `next_index`.
    entries: VecDeque<EntryUse>,
    /// Live messages that the log holds, on pages or itself.
    pub(super) live: u64,
    /// Bytes of the log that they take.
    live_bytes: u64,
    /// Entries of `entries` that have something live.
    live_entries: u64,
    /// Bytes of `entries`.
    log_bytes: u64,
    /// Messages below this seq were offered to the log; those that are persistent lie in it.
    journaled_below: u64,
    pub(super) mark: Mark,
    pub(super) mark_index: u64,
    /// Settled since the last entry, with their levels. Each seq in a range was a message of that
    /// level which the log held.
    settled: Vec<(u8, SeqRange)>,
    /// What happened to pages since then: sections, and the live messages on those pages.
    sections: Vec<u8>,
    sections_live: u32,
    /// Pages found damaged since then, by level and chunk.
    damaged: Vec<(u8, u32, Lost)>,
    written_bytes: u64,
    written_entries: u64,
    compacted_to: u64,
    compacted_bytes: u64,
    sweep: Option<Sweep>,
    /// What is not needed is to go from the log, however little it is.
    is_packing: bool,
}

impl Journal {
    pub(super) fn new(next_index: u64, journaled_below: u64) -> Self {
        Self {
            next_index,
            base_index: next_index,
            entries: VecDeque::new(),
            live: 0,
            live_bytes: 0,
            live_entries: 0,
            log_bytes: 0,
            journaled_below,
            mark: Mark::Blank,
            mark_index: 0,
            settled: Vec::new(),
            sections: Vec::new(),
            sections_live: 0,
            damaged: Vec::new(),
            written_bytes: 0,
            written_entries: 0,
            compacted_to: next_index,
            compacted_bytes: 0,
            sweep: None,
            is_packing: false,
        }
    }

    /// The journal of a log with these entries.
    pub(super) fn restored(
        base_index: u64,
        mut entries: VecDeque<EntryUse>,
        next_seq: u64,
    ) -> Self {
        for entry in &mut entries {
            *entry = EntryUse::new(entry.live, entry.bytes as usize);
        }
        let bytes = entries.iter().map(|entry| u64::from(entry.bytes)).sum();
        Self {
            next_index: base_index + entries.len() as u64,
            live: entries.iter().map(|entry| u64::from(entry.live)).sum(),
            live_bytes: entries.iter().map(|entry| entry.live_bytes()).sum(),
            live_entries: entries.iter().filter(|entry| entry.live != 0).count() as u64,
            log_bytes: bytes,
            written_bytes: bytes,
            written_entries: entries.len() as u64,
            entries,
            ..Self::new(base_index, next_seq)
        }
    }

    /// The log holds this record.
    pub(super) fn holds(&self, header: &Header) -> bool {
        header.is(PERSISTENT) && header.seq < self.journaled_below
    }

    /// A message that the log holds is gone for good.
    pub(super) fn settle(&mut self, header: &Header) {
        self.leave_entry(header);
        self.live -= 1;
        match self.settled.last_mut() {
            Some((level, range)) if range.end == header.seq && *level == header.level => {
                range.end += 1;
            }
            _ => {
                let range = SeqRange { first: header.seq, end: header.seq + 1 };
                self.settled.push((header.level, range));
            }
        }
    }

    /// These messages are gone for good, those of them that the log holds: see [`LetGo`].
    pub(super) fn let_go(&mut self, level: u8, range: SeqRange) {
        if self.live != 0 {
            self.sections.extend_from_slice(&[LET_GO, level]);
            varint::write(1, &mut self.sections);
            write_range(range, 0, &mut self.sections);
        }
    }

    /// Number of the entry that this turn will write, if any.
    pub(super) fn next_index(&self) -> u64 {
        self.next_index
    }

    /// The full number of an entry.
    fn entry_of(&self, entry: u32) -> u64 {
        self.base_index + u64::from(entry.wrapping_sub(self.base_index as u32))
    }

    /// The entry that the header names does not hold this message any more.
    pub(super) fn leave_entry(&mut self, header: &Header) {
        self.leave(header.entry, 1);
    }

    /// `count` messages that an entry held lie elsewhere now, or are gone.
    pub(super) fn leave(&mut self, entry: u32, count: u32) {
        let index = (self.entry_of(entry) - self.base_index) as usize;
        if let Some(entry) = self.entries.get_mut(index) {
            self.live_bytes -= u64::from(entry.each) * u64::from(count);
            entry.live -= count;
            self.live_entries -= u64::from(entry.live == 0 && count != 0);
        }
    }

    /// This turn's entry names a page. What was on it has left the entries it was in before.
    pub(super) fn name_page(&mut self, level: u8, first_seq: u64, page: &Page) {
        self.sections_live += page.stock.persistent;
        match page.stock.persistent_properties {
            0 => self.sections.push(PAGE),
            bytes => {
                self.sections.push(WEIGHED_PAGE);
                varint::write(bytes, &mut self.sections);
            }
        }
        Section::write(level, first_seq, page, &mut self.sections);
    }

    /// A page is gone with `count` messages that the log holds.
    pub(super) fn drop_page(&mut self, level: u8, first_seq: u64, entry: u32, count: u32) {
        self.leave(entry, count);
        self.live -= u64::from(count);
        self.forget_page(level, first_seq);
    }

    /// This turn's entry says that there is no such page any more.
    pub(super) fn forget_page(&mut self, level: u8, first_seq: u64) {
        self.sections.extend_from_slice(&[DROPPED, level]);
        varint::write(first_seq, &mut self.sections);
    }

    /// A page is damaged: what is lost of it counts for nothing from now on, what is not stays in
    /// its entry until this turn's names the page anew.
    pub(super) fn note_damage(&mut self, level: u8, chunk: u32, lost: Lost) {
        let index = (self.entry_of(lost.entry) - self.base_index) as usize;
        if let Some(entry) = self.entries.get_mut(index) {
            let before = *entry;
            entry.live = (i64::from(entry.live) - lost.persistent).max(0) as u32;
            self.live_bytes = self.live_bytes - before.live_bytes() + entry.live_bytes();
            self.live_entries -= u64::from(before.live != 0);
            self.live_entries += u64::from(entry.live != 0);
        }
        self.live = self.live.saturating_add_signed(-lost.persistent);
        self.note_damaged_page(level, chunk, lost);
    }

    /// As [`Self::note_damage`], when the counts have it already.
    pub(super) fn note_damaged_page(&mut self, level: u8, chunk: u32, lost: Lost) {
        self.damaged.push((level, chunk, lost));
    }

    /// Whether damage was found that the log does not know of.
    pub(super) fn has_damage(&self) -> bool {
        !self.damaged.is_empty()
    }

    /// Says what is left on damaged pages, so that they count for nothing after a restart once that
    /// is gone, too.
    fn write_damage(&mut self, messages: &mut Messages, pool: &mut Freed) {
        for (number, chunk, lost) in std::mem::take(&mut self.damaged) {
            let index = self.next_index;
            let left = messages.level_mut(number).and_then(|level| {
                level.rename_damaged(chunk, lost.first_seq, &lost.missing, index, pool)
            });
            match left {
                Some((entry, page)) => {
                    self.leave(entry, page.stock.persistent);
                    self.name_page(number, lost.first_seq, page);
                }
                None if lost.persistent != 0 => self.forget_page(number, lost.first_seq),
                None => {}
            }
        }
    }

    /// Writes everything again that lies in entries so far, however little garbage there is: the log
    /// wants to let go of them.
    pub(super) fn move_on(&mut self, messages: &mut Messages) {
        self.is_packing = 0 < self.written_entries;
        if self.sweep.is_none() && 0 < self.live && !self.entries.is_empty() {
            let place = messages.level_or_new(0).start();
            self.sweep = Some(Sweep { below: self.next_index, level: 0, place });
        }
    }

    /// Whether [`Self::move_on`] still has something to do.
    pub(super) fn is_moving(&self) -> bool {
        self.sweep.is_some()
    }

    /// About how many bytes [`Self::move_on`] writes.
    pub(super) fn bytes_to_move(&self) -> u64 {
        let bytes = |entry: &EntryUse| entry.live_bytes().min(entry.bytes.into());
        self.entries.iter().map(bytes).sum()
    }

    /// Writes the turn's entry into `fx`. `mark` says what the log should know about deliveries.
    pub(super) fn take(
        &mut self,
        messages: &mut Messages,
        ledger: Option<&mut Ledger>,
        let_go: Option<&LetGo>,
        next_seq: u64,
        mark: Mark,
        fx: &mut Effects,
    ) {
        let index = self.next_index;
        self.write_damage(messages, &mut fx.pool);
        fx.journal.clear();
        fx.journal.push(VERSION);
        let mut live = self.write_records(messages, let_go, next_seq, fx);
        self.write_settled(&mut fx.journal);
        fx.journal.append(&mut self.sections);
        live += std::mem::take(&mut self.sections_live);
        if self.live == 0 && self.is_worth_clearing() {
            fx.clear_journal = true;
            if fx.journal.len() == 1 {
                fx.journal.clear();
            } else {
                // Who acknowledged the last message waits for an entry, and the log may be there
                // still when the broker starts again.
                fx.journal_index = index;
                self.next_index += 1;
            }
            self.clear();
            if let Some(ledger) = ledger {
                ledger.clear_journal();
            }
            return;
        }
        self.compact(index, live, fx);
        if let Some(ledger) = ledger {
            ledger.write(LEDGER, self.compacted_to, index, &mut fx.journal);
        }
        let is_mark_lost = self.mark != Mark::Blank && self.mark_index < self.compacted_to;
        if 0 < self.live && (self.mark != mark || is_mark_lost) {
            write_mark(&mark, &mut fx.journal);
            fx.has_mark = true;
            self.mark = mark;
            self.mark_index = index;
        }
        if fx.journal.len() == 1 {
            fx.journal.clear();
            self.plan_sweep(index, messages);
            return;
        }
        let bytes = fx.journal.len();
        fx.journal_index = index;
        self.next_index += 1;
        let entry = EntryUse::new(live, bytes);
        stdx::push_snugly(&mut self.entries, entry);
        self.live_bytes += entry.live_bytes();
        self.live_entries += u64::from(live != 0);
        self.log_bytes += bytes as u64;
        self.written_bytes += bytes as u64;
        self.written_entries += 1;
        self.plan_sweep(index, messages);
    }

    fn plan_sweep(&mut self, below: u64, messages: &mut Messages) {
        if self.sweep.is_none() && 0 < self.live && self.has_too_much_garbage() {
            let place = messages.level_or_new(0).start();
            self.sweep = Some(Sweep { below, level: 0, place });
        }
    }

    fn has_too_much_garbage(&self) -> bool {
        let garbage = self.log_bytes.saturating_sub(self.live_bytes);
        let dead_entries = self.entries.len() as u64 - self.live_entries;
        GARBAGE_BYTES_MAX.max(GARBAGE_PER_LIVE_BYTE_MAX * self.live_bytes) < garbage
            || (DEAD_ENTRIES_MAX + DEAD_ENTRIES_PER_LIVE_MAX * self.live_entries < dead_entries
                && self.live_bytes < SWEPT_BYTES_PER_ENTRY_MAX * dead_entries)
    }

    /// Whether [`Self::take`] could have anything to write.
    pub(super) fn is_touched(&self, next_seq: u64) -> bool {
        let is_pending = self.journaled_below != next_seq
            || !self.settled.is_empty()
            || !self.sections.is_empty()
            || self.has_damage()
            || self.sweep.is_some()
            || self.is_packing;
        // A log whose end was lost in a crash is dropped by the first turn after it.
        is_pending
            || (self.live == 0 && self.is_worth_clearing())
            || (self.live != 0 && self.has_too_much_garbage())
    }

    fn is_worth_clearing(&self) -> bool {
        self.is_packing || CLEAR_BYTES < self.written_bytes || CLEAR_ENTRIES < self.written_entries
    }

    fn clear(&mut self) {
        *self = Self::new(self.next_index, self.journaled_below);
    }

    /// The new records and those written again. Returns how many.
    fn write_records(
        &mut self,
        messages: &mut Messages,
        let_go: Option<&LetGo>,
        next_seq: u64,
        fx: &mut Effects,
    ) -> u32 {
        let out = &mut fx.journal;
        let at = out.len();
        out.extend_from_slice(&[RECORDS, 0, 0, 0, 0]);
        let mut live = 0;
        if self.journaled_below != next_seq {
            let attachments = Some(&mut fx.attachments);
            let mut new = Run { index: self.next_index, out, attachments, count: 0, open: None };
            for (_, level) in messages.levels_mut() {
                new.write_from(level);
            }
            live += new.count;
            self.live += u64::from(new.count);
            self.journaled_below = next_seq;
        }
        if let Some(sweep) = self.sweep.take() {
            live += self.sweep(sweep, messages, let_go, out);
        }
        if live == 0 {
            out.truncate(at);
        } else {
            let len = (out.len() - at - 5) as u32;
            out[at + 1..at + 5].copy_from_slice(&len.to_le_bytes());
        }
        live
    }

    /// Writes a slice of the old live records again. Returns how many.
    fn sweep(
        &mut self,
        mut sweep: Sweep,
        messages: &mut Messages,
        let_go: Option<&LetGo>,
        out: &mut Vec<u8>,
    ) -> u32 {
        let from = out.len();
        // What it shares was attached to an earlier entry.
        let attachments = None;
        let mut run = Run { index: self.next_index, out, attachments, count: 0, open: None };
        let mut looked_at = 0;
        while let Some(level) = messages.level_mut(sweep.level) {
            let written = run.out.len() - from + self.sections.len();
            if SWEEP_RECORDS_MAX <= looked_at || SWEEP_BYTES_MAX <= written {
                run.flush(level);
                self.sweep = Some(sweep);
                return run.count;
            }
            if let Some(chunk) = level.paged_chunk_at(sweep.place) {
                looked_at += 1;
                self.sweep_page(&sweep, level, chunk, let_go);
                sweep.place = level.behind(chunk);
                continue;
            }
            let Some(found) = level.record_from(sweep.place) else {
                run.flush(level);
                let Some(level) = sweep.level.checked_add(1) else { return run.count };
                let Some(next) = messages.level(level) else { return run.count };
                sweep = Sweep { level, place: next.start(), ..sweep };
                continue;
            };
            looked_at += 1;
            let (place, header) = (found.place, found.header);
            let is_old = self.holds(&header) && self.entry_of(header.entry) < sweep.below;
            if is_old && !header.is(DEAD) {
                self.leave_entry(&header);
                run.write(level, place, &header);
            }
            sweep.place = after(place, &header);
        }
        run.count
    }

    /// Names an old page again, with what is left of it.
    fn sweep_page(&mut self, sweep: &Sweep, level: &mut Level, chunk: u32, let_go: Option<&LetGo>) {
        let Some(entry) = level.page_entry(chunk) else { return };
        if sweep.below <= self.entry_of(entry) {
            return;
        }
        if let Some((first_seq, page)) = level.rename_page(chunk, self.next_index)
            && page.stock.persistent != 0
        {
            self.leave(entry, page.stock.persistent);
            self.name_page(sweep.level, first_seq, page);
            let seqs = SeqRange { first: first_seq, end: page.last_seq + 1 };
            let let_go = let_go.into_iter().flat_map(|it| it.among(sweep.level, seqs));
            let_go.for_each(|range| self.let_go(sweep.level, range));
        }
    }

    fn write_settled(&mut self, out: &mut Vec<u8>) {
        if self.settled.is_empty() {
            return;
        }
        self.settled.sort_unstable_by_key(|&(level, range)| (level, range.first));
        for of_level in self.settled.chunk_by(|(a, _), (b, _)| a == b) {
            out.extend_from_slice(&[SETTLED, of_level[0].0]);
            varint::write(of_level.len() as u64, out);
            let mut previous = 0u64;
            for &(_, range) in of_level {
                write_range(range, previous, out);
                previous = range.end;
            }
        }
        self.settled.clear();
        self.settled.shrink_to(64);
    }

    /// Drops the dead entries in front; reports them once they are worth it.
    fn compact(&mut self, index: u64, live_in_this: u32, fx: &mut Effects) {
        while let Some(entry) = self.entries.front()
            && entry.live == 0
        {
            self.log_bytes -= u64::from(entry.bytes);
            self.compacted_bytes += u64::from(entry.bytes);
            self.entries.pop_front();
            self.base_index += 1;
        }
        stdx::shrink_sparse(&mut self.entries);
        debug_assert_eq!(self.base_index + self.entries.len() as u64, index);
        let is_packed = self.is_packing && self.sweep.is_none();
        let is_worth_it = COMPACT_ENTRIES <= self.base_index - self.compacted_to
            || COMPACT_BYTES <= self.compacted_bytes
            || is_packed && self.compacted_to < self.base_index;
        self.is_packing &= !is_packed;
        // With nothing live, clearing the log is the cheaper way.
        if is_worth_it && (live_in_this != 0 || !self.entries.is_empty()) {
            fx.compact_to = Some(self.base_index);
            self.compacted_to = self.base_index;
            self.compacted_bytes = 0;
        }
    }
}

/// Copies records into an entry, neighbours in one piece.
struct Run<'a> {
    index: u64,
    out: &'a mut Vec<u8>,
    /// Takes the blobs of new records.
    attachments: Option<&'a mut Vec<(PageRef, Bytes)>>,
    count: u32,
    /// Chunk and byte range of the records that were seen but not copied yet.
    open: Option<(u32, u32, u32)>,
}

impl Run<'_> {
    /// Writes the level's records that were not journaled before.
    fn write_from(&mut self, level: &mut Level) {
        let mut place = level.journaled_to;
        loop {
            if let Some(found) = level.record_from(place) {
                let header = found.header;
                place = found.place;
                if header.is(PERSISTENT) && !header.is(DEAD) {
                    self.write(level, place, &header);
                }
                place = after(place, &header);
            } else if let Some(chunk) = level.paged_chunk_at(place) {
                // What went to pages before there was a journal has nothing for it.
                place = level.behind(chunk);
            } else {
                break;
            }
        }
        self.flush(level);
        level.journaled_to = level.end();
    }

    fn write(&mut self, level: &mut Level, place: Place, header: &Header) {
        self.count += 1;
        level.set_entry(place, self.index);
        if header.is(SHARED) {
            self.flush(level);
            let Some(found) = level.record_at(place) else { return };
            let header = Header { entry: self.index as u32, ..*header };
            if let Some(Shared { bytes, blob: Some(blob) }) = found.shared() {
                self.out.extend_from_slice(&header.encode());
                self.out.extend_from_slice(&blob.encode());
                if let Some(attachments) = &mut self.attachments {
                    attachments.push((*blob, bytes.clone()));
                }
                return;
            }
            let message = found.message();
            let flags = header.flags & !SHARED;
            self.out.extend_from_slice(&Header { flags, ..header }.encode());
            for part in [message.exchange, message.routing_key, message.properties, message.body] {
                self.out.extend_from_slice(part);
            }
            return;
        }
        let end = after(place, header).offset;
        match &mut self.open {
            Some((chunk, _, to)) if *chunk == place.chunk && *to == place.offset => *to = end,
            _ => {
                self.flush(level);
                self.open = Some((place.chunk, place.offset, end));
            }
        }
    }

    fn flush(&mut self, level: &Level) {
        if let Some((chunk, from, to)) = self.open.take() {
            self.out.extend_from_slice(level.raw(chunk, from, to));
        }
    }
}

/// A range as a list has it behind one that ends at `previous`.
fn write_range(range: SeqRange, previous: u64, out: &mut Vec<u8>) {
    varint::write_signed(range.first.wrapping_sub(previous) as i64, out);
    varint::write(range.end - range.first - 1, out);
}

fn write_mark(mark: &Mark, out: &mut Vec<u8>) {
    match mark {
        Mark::Blank => {}
        Mark::Open => out.push(OPEN),
        Mark::Closed(levels) => {
            out.push(CLOSED);
            varint::write(levels.len() as u64, out);
            for (level, taken_below) in levels {
                out.push(*level);
                varint::write(*taken_below, out);
            }
        }
    }
}
