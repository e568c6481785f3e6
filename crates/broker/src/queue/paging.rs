//! The queue's side of the store of pages: what leaves memory, what comes back, and what the journal
//! learns of it.

use std::collections::VecDeque;

use bytes::Bytes;

use super::effects::Effects;
use super::journal::Journal;
use super::level::{Found, Leaving, Level, Loaded, Lost, Want};
use super::record::DEAD;
use super::{Queue, Ticket};
use crate::{PageDamage, PageRef};

/// Chunks that come back into memory one after the other before the first of them goes again, if the
/// node has not asked for it before.
const LOADED_KEPT_MAX: usize = if cfg!(test) { 3 } else { 16 };

/// Sparse pages that are remembered to be written again. One more is found when it is read next.
const SPARSE_LISTED_MAX: usize = 4096;

/// A chunk of a queue on its way to a page. Write its bytes, then say [`Queue::paged_out`].
#[derive(Debug)]
pub struct PageOut {
    page: PageRef,
    leaving: Leaving,
}

impl PageOut {
    /// Where it goes.
    pub fn page(&self) -> PageRef {
        self.page
    }

    /// What is to be written there.
    pub fn bytes(&self) -> &[u8] {
        &self.leaving.image
    }

    /// Blobs that its messages refer to and that may not be written yet. They stay in the store until
    /// this is through.
    pub fn blobs(&self) -> &[(PageRef, Bytes)] {
        &self.leaving.blobs
    }

    /// Those of them that were made for this page: nobody else writes them.
    pub fn made_blobs(&self) -> &[(PageRef, Bytes)] {
        &self.leaving.blobs[..self.leaving.made]
    }

    fn release_blobs(&self, fx: &mut Effects) {
        fx.pool.pages.extend(self.blobs().iter().map(|&(blob, _)| blob));
    }
}

/// What a queue knows of pages that it has read.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// Levels and chunks that came back from their pages, in this order.
    loaded: VecDeque<(u8, u32)>,
    /// The message whose body was read from its blob last.
    body: Option<Ticket>,
    /// Levels and chunks whose pages are mostly empty.
    sparse: Vec<(u8, u32)>,
}

impl Queue {
    /// Bytes of messages that are in memory and could leave it.
    pub fn resident(&self) -> usize {
        self.messages.resident()
    }

    /// Lets about `bytes` of messages leave memory: those that lie on pages already at once, others
    /// when they are written; these are added to `out`. Returns how many bytes that frees.
    ///
    /// What consumers are about to take stays, unless it `is_urgent`.
    pub fn page_out(
        &mut self,
        bytes: usize,
        is_urgent: bool,
        fx: &mut Effects,
        out: &mut Vec<PageOut>,
    ) -> usize {
        let Some(pages) = fx.pages.clone() else { return 0 };
        self.settle_got(fx);
        let keeps_window = !is_urgent && !self.consumers.is_empty();
        // The journal looks for chunks by their numbers while it moves on.
        if !keeps_window && !self.journal.as_deref().is_some_and(Journal::is_moving) {
            self.gather(fx);
        }
        let mut leaving = Vec::new();
        let mut freed = 0;
        for (number, level) in self.messages.levels_mut() {
            let want = Want { bytes: bytes.saturating_sub(freed), keeps_window };
            freed += level.page_out(number, want, &*pages, &mut fx.pool, &mut leaving);
        }
        reserve(leaving, fx, out);
        freed
    }

    /// Has sparse pages written again as smaller ones, with about `bytes` of messages: see
    /// [`Queue::page_out`].
    pub fn page_out_sparse(&mut self, bytes: usize, fx: &mut Effects, out: &mut Vec<PageOut>) {
        self.settle_got(fx);
        let leaving = self.leave_sparse(bytes, fx);
        reserve(leaving, fx, out);
    }

    /// These pages are written: from now on the messages lie there, and the journal says so.
    pub fn paged_out(&mut self, written: &[PageOut], fx: &mut Effects) {
        self.settle_got(fx);
        for out in written {
            out.release_blobs(fx);
            let PageOut { page, leaving } = out;
            let journal = self.journal.as_deref_mut();
            let entry = journal.as_ref().map_or(0, |journal| journal.next_index());
            let mut kept = Vec::new();
            let level = self.messages.level_mut(leaving.level);
            let paged_out = level.and_then(|level| {
                level.paged_out(leaving, *page, entry, &mut fx.pool, |header| {
                    kept.push(header.entry)
                })
            });
            match paged_out {
                Some((first_seq, page)) if let Some(journal) = journal => {
                    kept.into_iter().for_each(|entry| journal.leave(entry, 1));
                    if page.stock.persistent != 0 {
                        journal.name_page(leaving.level, first_seq, page);
                    }
                }
                Some(_) => {}
                None => fx.pool.pages.push(*page),
            }
        }
    }

    /// These pages could not be written: the messages stay in memory.
    pub fn page_out_failed(&mut self, unwritten: &[PageOut], fx: &mut Effects) {
        for out in unwritten {
            out.release_blobs(fx);
            let PageOut { page, leaving } = out;
            if let Some(level) = self.messages.level_mut(leaving.level) {
                level.stay(leaving, &mut fx.pool);
            }
            fx.pool.pages.push(*page);
        }
    }

    /// The log wants to drop its old entries: has what they still hold written again, a part with
    /// each turn. False when there is nothing more to write.
    pub fn move_journal_on(&mut self, is_first: bool) -> bool {
        let Some(journal) = self.journal.as_deref_mut() else { return false };
        if is_first {
            journal.move_on(&mut self.messages);
        }
        journal.is_moving()
    }

    /// Bytes that [`Queue::move_journal_on`] would write.
    pub fn journal_bytes(&self) -> u64 {
        self.journal.as_deref().map_or(0, Journal::bytes_to_move)
    }

    /// All pages that the queue refers to.
    pub fn pages(&self) -> impl Iterator<Item = PageRef> {
        self.messages.levels().flat_map(|(_, level)| level.pages())
    }

    /// Brings the next message into memory, if there is one. False when the device does not read it.
    pub(super) fn load_head(&mut self, fx: &mut Effects) -> bool {
        while let Some((level, chunk)) = self.messages.absent_head() {
            if !self.load(level, chunk, fx) {
                return false;
            }
        }
        true
    }

    /// Brings the message that `ticket` names into memory. False when the device does not read it.
    pub(super) fn load_taken(&mut self, ticket: Ticket, fx: &mut Effects) -> bool {
        self.messages.absent(ticket).is_none_or(|(level, chunk)| self.load(level, chunk, fx))
    }

    /// Brings the next message into memory with its body, if there is one. False when the device
    /// does not read it.
    pub(super) fn load_head_body(&mut self, fx: &mut Effects) -> bool {
        loop {
            if !self.load_head(fx) {
                return false;
            }
            let Some(ticket) = self.messages.head_ticket() else { return true };
            if self.load_body(ticket, fx) {
                return true;
            }
            if self.unread.is_paused() {
                return false;
            }
            let Some((ticket, header)) = self.take_head(fx) else { return true };
            self.finish(ticket, &header, fx);
        }
    }

    /// Brings the body of a message into memory whose record is there. False when it is not there:
    /// the message is lost, unless the queue pauses because the device does not read it.
    pub(super) fn load_body(&mut self, ticket: Ticket, fx: &mut Effects) -> bool {
        let Some(found) = self.record_of(ticket) else { return false };
        let (header, absent) = (found.header, found.absent_blob());
        let Some(blob) = absent else { return true };
        if self.unread.is_paused() {
            return false;
        }
        self.unload_body();
        let mut bytes = Vec::new();
        let read = match &fx.pages {
            Some(pages) => pages.read(blob, &mut bytes),
            None => Err(damage_of(blob, "there is no store of pages")),
        };
        let is_whole = bytes.len() == header.parts_len();
        if let Some(damage) = read
            .err()
            .or_else(|| (!is_whole).then(|| damage_of(blob, "it is not as long as its message")))
        {
            match damage.is_lost {
                true => fx.damaged.push((damage, 1)),
                false => self.unread.begin(blob, damage, fx),
            }
            return false;
        }
        if let Some(level) = self.messages.level_mut(ticket.level()) {
            level.set_shared(ticket.place(), &header, Bytes::from(bytes));
        }
        self.reads.get_or_insert_default().body = Some(ticket);
        true
    }

    /// Lets go of the body that was read last: one is in memory at a time.
    fn unload_body(&mut self) {
        let Some(ticket) = self.reads.as_mut().and_then(|reads| reads.body.take()) else { return };
        let header = self.record_of(ticket).filter(|it| it.shared().is_some()).map(|it| it.header);
        if let Some(header) = header.filter(|header| !header.is(DEAD))
            && let Some(level) = self.messages.level_mut(ticket.level())
        {
            level.set_shared(ticket.place(), &header, Bytes::new());
        }
    }

    fn record_of(&self, ticket: Ticket) -> Option<Found<'_>> {
        let found = self.messages.level(ticket.level())?.record_at(ticket.place())?;
        (found.header.seq == ticket.seq()).then_some(found)
    }

    /// Brings the message `seq` of a level into memory. False when the device does not read it.
    pub(super) fn load_seq(&mut self, number: u8, seq: u64, fx: &mut Effects) -> bool {
        let Some(level) = self.messages.level(number) else { return true };
        let chunk = level.chunk_of(seq).filter(|&chunk| level.is_absent(chunk));
        chunk.is_none_or(|chunk| self.load(number, chunk, fx))
    }

    /// Brings a chunk into memory. False when the device does not read it, or did not lately.
    #[cold]
    pub(super) fn load(&mut self, number: u8, chunk: u32, fx: &mut Effects) -> bool {
        if self.unread.is_paused() {
            return false;
        }
        let Some(level) = self.messages.level_mut(number) else { return true };
        match level.load_with(chunk, fx) {
            Loaded::Whole => {}
            Loaded::Damaged(lost) => self.note_lost(number, chunk, *lost),
            Loaded::Unread(page, damage) => {
                self.unread.begin(page, damage, fx);
                return false;
            }
        }
        let reads = self.reads.get_or_insert_default();
        reads.loaded.retain(|&known| known != (number, chunk));
        reads.loaded.push_back((number, chunk));
        if LOADED_KEPT_MAX < reads.loaded.len()
            && let Some((number, chunk)) = reads.loaded.pop_front()
            && let Some(level) = self.messages.level_mut(number)
        {
            level.drop_loaded(chunk, &mut fx.pool);
            if level.is_sparse(chunk) && reads.sparse.len() < SPARSE_LISTED_MAX {
                reads.sparse.push((number, chunk));
            }
        }
        true
    }

    /// Joins the small chunks at the end of each level, unless one of them is damaged: what the
    /// journal says of its page comes first.
    fn gather(&mut self, fx: &mut Effects) {
        let levels: Vec<(u8, u32, usize)> = self
            .messages
            .levels()
            .filter_map(|(number, level)| {
                level.to_gather().map(|(first, count)| (number, first, count))
            })
            .collect();
        for (number, first, count) in levels {
            for chunk in (0..count as u32).map(|it| first.wrapping_add(it)) {
                let is_absent = |level: &Level| level.is_absent(chunk);
                if self.messages.level(number).is_some_and(is_absent)
                    && !self.load(number, chunk, fx)
                {
                    return;
                }
            }
            if self.journal.as_deref().is_some_and(Journal::has_damage) {
                return;
            }
            if let Some(level) = self.messages.level_mut(number) {
                level.gather(first, count, &mut fx.pool);
            }
        }
    }

    /// Pages that are mostly empty, to be written again.
    pub fn sparse_pages(&self) -> usize {
        self.reads.as_ref().map_or(0, |reads| reads.sparse.len())
    }

    /// Copies what sparse pages still hold, about `bytes` of it.
    fn leave_sparse(&mut self, bytes: usize, fx: &mut Effects) -> Vec<Leaving> {
        let Some(pages) = fx.pages.clone() else { return Vec::new() };
        let mut leaving: Vec<Leaving> = Vec::new();
        let mut taken = 0;
        while taken < bytes
            && let Some((number, chunk)) = self.reads.as_mut().and_then(|it| it.sparse.pop())
        {
            let is_sparse =
                |queue: &Self| queue.messages.level(number).is_some_and(|it| it.is_sparse(chunk));
            if !is_sparse(self) {
                continue;
            }
            if self.messages.level(number).is_some_and(|level| level.is_absent(chunk)) {
                self.load(number, chunk, fx);
            }
            if self.unread.is_paused() {
                break;
            }
            let level = self.messages.level_mut(number);
            let copy = level.and_then(|level| level.leave_sparse(number, chunk, &*pages));
            taken += copy.as_ref().map_or(0, |copy| copy.image.len());
            leaving.extend(copy);
        }
        leaving
    }

    /// Counts out what is not on a page any more. The journal learns it at the end of the turn:
    /// what it says of the page has to hold for all that happened in the turn.
    fn note_lost(&mut self, number: u8, chunk: u32, lost: Lost) {
        self.forget_lost(number, &lost);
        let subtract = |count: &mut u64, lost: i64| *count = count.saturating_add_signed(-lost);
        subtract(&mut self.ready, lost.ready);
        subtract(&mut self.ready_bytes, lost.ready_bytes);
        subtract(&mut self.unacked, lost.unacked);
        subtract(&mut self.unacked_bytes, lost.unacked_bytes);
        subtract(&mut self.persistent, lost.persistent);
        subtract(&mut self.persistent_bytes, lost.persistent_bytes);
        if let Some(journal) = self.journal.as_deref_mut() {
            journal.note_damage(number, chunk, lost);
        }
    }

    /// Drops whole pages that nobody has looked at, from the head on. Returns how many messages.
    pub(super) fn purge_pages(&mut self, fx: &mut Effects) -> u64 {
        let mut purged = 0;
        while let Some((number, _)) = self.messages.absent_head()
            && let Some(level) = self.messages.level_mut(number)
            && let Some((first_seq, live, page)) = level.take_absent_head()
        {
            level.release_empty(&mut fx.pool);
            let stock = page.stock;
            purged += u64::from(live);
            self.ready -= u64::from(live);
            self.ready_bytes -= stock.weight;
            self.persistent = self.persistent.saturating_sub(u64::from(stock.persistent));
            self.persistent_bytes = self.persistent_bytes.saturating_sub(stock.persistent_bytes);
            if let Some(quorum) = &mut self.quorum {
                quorum.ledger.forget_range(number, first_seq, page.last_seq + 1);
            }
            if let Some(journal) = self.journal.as_deref_mut().filter(|_| stock.persistent != 0) {
                journal.drop_page(number, first_seq, page.entry, stock.persistent);
            }
            fx.pool.pages.push(page.at);
            fx.pool.pages.extend(page.blobs.iter().map(|blob| blob.at));
        }
        purged
    }
}

fn damage_of(blob: PageRef, reason: &str) -> PageDamage {
    PageDamage {
        file: format!("page {}", blob.block),
        offset: 0,
        reason: reason.to_owned(),
        is_lost: true,
    }
}

fn reserve(leaving: Vec<Leaving>, fx: &Effects, out: &mut Vec<PageOut>) {
    let Some(pages) = &fx.pages else { return };
    let with_room = |leaving: Leaving| {
        leaving.blobs.iter().for_each(|&(blob, _)| pages.retain(blob));
        PageOut { page: pages.reserve(&leaving.image), leaving }
    };
    out.extend(leaving.into_iter().map(with_room));
}
