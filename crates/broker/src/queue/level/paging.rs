//! Chunks on their way to pages, and back.

use bytes::Bytes;

use super::images::Images;
use super::{Chunk, Level, Place};
use crate::queue::blob::{BLOB_MIN, Shared};
use crate::queue::effects::{Effects, Freed};
use crate::queue::journal::SeqRange;
use crate::queue::page::{
    BlobOf, CHANGING, Marks, Packed, Packer, Page, Salt, Stock, Unpacked, gap,
};
use crate::queue::quorum;
use crate::queue::record::{
    self, DEAD, FAILED, HEADER_LEN, Header, PERSISTENT, REDELIVERED, SHARED, UNACKED,
};
use crate::{Lsn, PageDamage, PageRef, Pages};

/// Chunks before and after the cursor's that stay in memory for the consumers' sake.
const WINDOW_CHUNKS: i32 = if cfg!(test) { 1 } else { 4 };
/// A page is sparse when fewer than one in so many of its records are left, and it is longer than
/// this: what is left is moved to a smaller one.
const SPARSE_PART: u32 = 4;
const SPARSE_LEN_MIN: u32 = if cfg!(test) { 128 } else { 8 * 1024 };
/// Pages ahead of the one that is read which the disk is told of.
const READ_AHEAD_CHUNKS: usize = 4;
/// A larger buffer is not kept for the next page to be read.
const SCRATCH_KEPT_MAX: usize = 256 * 1024;

/// Stands in for a store where there is none: nothing was ever written to it.
struct NoPages;

impl Pages for NoPages {
    fn reserve(&self, bytes: &[u8]) -> PageRef {
        PageRef { block: 0, len: bytes.len() as u32, check: 0 }
    }

    fn read(&self, page: PageRef, _out: &mut Vec<u8>) -> Result<(), PageDamage> {
        let file = format!("page {}", page.block);
        let reason = "there is no store of pages".to_owned();
        Err(PageDamage { file, offset: 0, reason, is_lost: true })
    }

    fn will_need(&self, _: PageRef) {}
    fn retain(&self, _: PageRef) {}
    fn release(&self, _: PageRef, _: Lsn) {}
}

/// How much is to leave memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Want {
    /// Bytes.
    pub(crate) bytes: usize,
    /// Consumers are about to want what lies around the cursor.
    pub(crate) keeps_window: bool,
}

/// A chunk that is on its way to a page.
#[derive(Debug)]
pub(crate) struct Leaving {
    pub(crate) level: u8,
    chunk: u32,
    first_seq: u64,
    records: u32,
    pub(crate) image: Vec<u8>,
    /// Blobs that its messages refer to, as far as they are in memory: they may not be written yet.
    pub(crate) blobs: Vec<(PageRef, Bytes)>,
    /// So many of them, the first ones, were made for this: nobody else writes them.
    pub(crate) made: usize,
}

/// What is missing on a page that is damaged; negative for what is too much, because the journal is.
#[derive(Debug, Default)]
pub(in crate::queue) struct Lost {
    pub(in crate::queue) ready: i64,
    pub(in crate::queue) ready_bytes: i64,
    pub(in crate::queue) unacked: i64,
    pub(in crate::queue) unacked_bytes: i64,
    /// Messages that were somewhere else in the order.
    moved: i64,
    pub(in crate::queue) persistent: i64,
    pub(in crate::queue) persistent_bytes: i64,
    /// The journal entry that names the page, and the seqs from its first to its last.
    pub(in crate::queue) entry: u32,
    pub(in crate::queue) first_seq: u64,
    pub(in crate::queue) last_seq: u64,
    /// The records that are not there, by their number on the page.
    pub(in crate::queue) missing: Vec<usize>,
}

/// How messages are flagged that an earlier life of the broker put on pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recovered {
    /// Those below this seq may have been delivered, and get this flag.
    taken_below: u64,
    taken: u8,
    /// See [`Level::moved`].
    pub(super) moved: u8,
}

/// What came of an attempt to bring a chunk into memory.
#[derive(Debug)]
pub(in crate::queue) enum Loaded {
    /// It is here.
    Whole,
    /// What of it is not damaged is here.
    Damaged(Box<Lost>),
    /// The device did not read the page: nothing is known.
    Unread(PageRef, PageDamage),
}

/// What a walk over a chunk in memory finds.
#[derive(Default)]
struct Census {
    live: u32,
    stock: Stock,
    /// Per record: its changing flags.
    flags: Vec<u8>,
    unacked: u32,
    unacked_bytes: u64,
    moved: u32,
    moved_bytes: u64,
    last_seq: u64,
    has_ready: bool,
}

impl Census {
    /// Counts a record of a level with this flag, see [`Level::moved`].
    fn count(&mut self, header: &Header, moved: u8) {
        self.flags.push(header.flags & CHANGING);
        self.last_seq = header.seq;
        if header.is(DEAD) {
            return;
        }
        let is_quorum = moved != 0;
        let weight = quorum::weight(is_quorum, header);
        self.live += 1;
        self.stock.weight += weight;
        if header.is(PERSISTENT) {
            if self.stock.persistent == 0 {
                self.stock.first_kept_expiry = header.expires_at;
            }
            self.stock.persistent += 1;
            self.stock.persistent_bytes += u64::from(header.body_len);
            self.stock.persistent_properties += weight - u64::from(header.body_len);
        }
        if header.is(UNACKED) {
            self.unacked += 1;
            self.unacked_bytes += weight;
        } else if header.is(moved) {
            self.moved += 1;
            self.moved_bytes += weight;
        } else if !self.has_ready {
            self.has_ready = true;
            self.stock.first_expiry = header.expires_at;
        }
    }

    fn marks(&mut self) -> Box<Marks> {
        let flags = std::mem::take(&mut self.flags).into_boxed_slice();
        let Self { unacked, unacked_bytes, moved, moved_bytes, .. } = *self;
        Box::new(Marks { flags, unacked, unacked_bytes, moved, moved_bytes })
    }
}

impl Chunk {
    /// The records in memory, gaps left out.
    pub(super) fn headers(&self) -> impl Iterator<Item = (u32, Header)> {
        let mut offset = 0u32;
        let all = std::iter::from_fn(move || {
            let header = Header::read(&self.bytes, offset as usize)?;
            let at = offset;
            offset += header.len_in_chunk() as u32;
            Some((at, header))
        });
        all.filter(|(_, header)| header.seq != 0)
    }

    fn census(&self, moved: u8) -> Census {
        let mut census = Census::default();
        self.headers().for_each(|(_, header)| census.count(&header, moved));
        census
    }

    /// Whether it is not in memory, and none of its messages is ready in its place.
    fn has_no_ready_absent(&self) -> bool {
        let away = self.page.as_deref().and_then(|page| page.marks.as_deref());
        self.is_absent() && self.live <= away.map_or(0, |marks| marks.unacked + marks.moved)
    }

    /// Whether the chunk, just loaded, holds what is known of it. Of a page that this life of the
    /// broker wrote that is certain.
    fn is_as_known(&self, moved: u8) -> bool {
        let Some(page) = self.page.as_deref().filter(|page| page.is_recovered) else { return true };
        let census = self.census(moved);
        let (found, known) = (&census.stock, &page.stock);
        self.live == census.live
            && found.persistent == known.persistent
            && found.weight == known.weight
            && found.persistent_bytes == known.persistent_bytes
    }

    fn is_sparse(&self) -> bool {
        let is_sparse =
            |page: &Page| SPARSE_LEN_MIN < page.at.len && self.live < page.records / SPARSE_PART;
        self.page.as_deref().is_some_and(is_sparse)
    }

    /// A loaded chunk that its page still says everything about.
    fn can_be_dropped(&self) -> bool {
        let is_good = |page: &Page| !page.is_outdated;
        !self.is_leaving && !self.bytes.is_empty() && self.page.as_deref().is_some_and(is_good)
    }

    fn pack(&self, owner: u64) -> (Vec<u8>, u32) {
        let salt = Salt { owner, first_seq: self.first_seq };
        let expected = self.len() + self.images.bytes() + self.live as usize * 12 + 4;
        let mut packer = Packer::new(salt, expected);
        for (offset, header) in self.headers().filter(|(_, header)| !header.is(DEAD)) {
            packer.push(offset, &header, &self.bytes, self.shared(&header, offset));
        }
        let records = packer.records();
        (packer.finish(), records)
    }

    /// The blobs of the records in memory, by the number of the record.
    fn blobs(&self) -> Box<[BlobOf]> {
        if self.images.all().is_empty() {
            return Box::default();
        }
        let numbered = (0u32..).zip(self.headers());
        numbered.filter_map(|(number, (at, header))| self.blob_of(number, &header, at)).collect()
    }

    /// The blob of the record at `offset`, which has this number on the page.
    fn blob_of(&self, record: u32, header: &Header, offset: u32) -> Option<BlobOf> {
        let at = self.shared(header, offset)?.blob?;
        Some(BlobOf { record, at, is_kept: header.is(PERSISTENT) })
    }

    /// Gives large transient messages that have no blob one: on the page they would be copied. Returns
    /// what is to be written. (The journal has what it keeps in its own way.)
    fn make_blobs(&mut self, pages: &dyn Pages) -> Vec<(PageRef, Bytes)> {
        if self.images.bytes() < BLOB_MIN {
            return Vec::new();
        }
        let is_due = |header: &Header| header.is(SHARED) && !header.is(PERSISTENT | DEAD);
        let due = self.headers().filter(|(_, header)| is_due(header));
        let due: Vec<usize> = due.map(|(offset, _)| self.image_index(offset)).collect();
        let mut made = Vec::new();
        for index in due {
            let shared = &self.images.all()[index];
            if shared.blob.is_none() && BLOB_MIN <= shared.bytes.len() {
                let blob = pages.reserve(&shared.bytes);
                made.push((blob, shared.bytes.clone()));
                self.images.set_blob(index, blob);
            }
        }
        made
    }

    /// These blobs, just made, could not be written.
    fn unmake_blobs(&mut self, made: &[(PageRef, Bytes)], pool: &mut Freed) {
        for (blob, _) in made {
            let known = self.images.blobs_mut().find(|known| **known == Some(*blob));
            pool.pages.extend(known.and_then(Option::take));
        }
    }

    /// Fills the chunk with what its page holds. Returns the records that are not there, by their
    /// number on the page.
    pub(super) fn unpack(
        &mut self,
        bytes: &[u8],
        is_sound: bool,
        recovered: Recovered,
        owner: u64,
        pool: &mut Freed,
    ) -> Vec<usize> {
        let salt = (!is_sound).then_some(Salt { owner, first_seq: self.first_seq });
        let (missing, is_good) = self.fill(bytes, is_sound, recovered, salt, pool);
        if is_good {
            return missing;
        }
        pool.give(std::mem::take(&mut self.bytes));
        self.fill(bytes, false, recovered, salt, pool).0
    }

    /// As [`Self::unpack`], `as_whole` in one piece if the page can be taken so. Returns also whether
    /// nothing but records and gaps is in the chunk now, which is so when it was put together.
    fn fill(
        &mut self,
        bytes: &[u8],
        as_whole: bool,
        recovered: Recovered,
        salt: Option<Salt>,
        pool: &mut Freed,
    ) -> (Vec<usize>, bool) {
        let Some(page) = self.page.as_deref() else { return (Vec::new(), true) };
        let len = page.chunk_len as usize;
        let mut chunk = pool.take(len);
        let unpacked = Unpacked::open(bytes, page.records);
        let whole =
            unpacked.and_then(|it| it.whole_chunk()).filter(|it| as_whole && it.len() == len);
        match whole {
            Some(whole) => chunk.extend_from_slice(whole),
            None => chunk.resize(len, 0),
        }
        let mut images = Images::default();
        let (mut end, mut is_dense, mut missing) = (0, true, Vec::new());
        for (index, packed) in unpacked.into_iter().flat_map(|it| it.records(salt)).enumerate() {
            let seqs = self.first_seq..=page.last_seq;
            let fits = |it: &Packed<'_>| {
                let (from, to) = (it.offset as usize, it.offset as usize + it.record.len());
                to <= len
                    && (from == end || end + HEADER_LEN <= from)
                    && seqs.contains(&it.header.seq)
            };
            let is_dead = |it: &Packed<'_>| page.flags_of(index, &it.header, recovered) & DEAD != 0;
            let shared = |it: &Packed<'_>| page.shared(index, it, is_dead(it));
            let Some((packed, shared)) =
                packed.filter(fits).and_then(|it| Some((shared(&it)?, it))).map(|(a, b)| (b, a))
            else {
                missing.push(index);
                continue;
            };
            let at = packed.offset as usize;
            is_dense &= at == end;
            if whole.is_none() {
                if end < at {
                    chunk[end..end + HEADER_LEN].copy_from_slice(&gap(at - end));
                }
                chunk[at..at + packed.record.len()].copy_from_slice(packed.record);
            }
            end = at + packed.record.len();
            let flags = page.flags_of(index, &packed.header, recovered);
            record::update_flags(&mut chunk, at, flags, u8::MAX);
            record::set_entry(&mut chunk, at, u64::from(page.entry));
            if packed.header.is(SHARED) {
                let index = images.push(shared);
                chunk[at + HEADER_LEN..at + HEADER_LEN + 4].copy_from_slice(&index.to_le_bytes());
            }
        }
        // A gap at the end needs no record over it.
        if end + HEADER_LEN <= len {
            chunk[end..end + HEADER_LEN].copy_from_slice(&gap(len - end));
        }
        (self.bytes, self.images) = (chunk, images);
        if unpacked.is_none() {
            missing.extend(0..page.records as usize);
        }
        (missing, whole.is_none() || is_dense && end == len)
    }
}

impl Page {
    /// What the record `index` shares; `None` when its blob is not known.
    fn shared(&self, index: usize, packed: &Packed<'_>, is_dead: bool) -> Option<Shared> {
        if is_dead || !packed.header.is(SHARED) {
            return Some(Shared::default());
        }
        if !packed.is_blob {
            let bytes = packed.image.map(Bytes::copy_from_slice).unwrap_or_default();
            return Some(Shared { bytes, blob: None });
        }
        let known = self.blobs.binary_search_by_key(&index, |blob| blob.record as usize);
        known.ok().map(|found| Shared::absent(self.blobs[found].at))
    }

    /// Some of its records are not there: to the journal, they are dead.
    fn set_missing(&mut self, missing: &[usize], mut census: Census, pool: &mut Freed) {
        let is_missing = |record: u32| missing.binary_search(&(record as usize)).is_ok();
        let (lost, left): (Vec<BlobOf>, Vec<BlobOf>) =
            self.blobs.iter().copied().partition(|blob| is_missing(blob.record));
        pool.pages.extend(lost.into_iter().map(|blob| blob.at));
        self.blobs = left.into_boxed_slice();
        let mut found = std::mem::take(&mut census.flags).into_iter();
        let flags = (0..self.records as usize).map(|index| match missing.binary_search(&index) {
            Ok(_) => DEAD,
            Err(_) => found.next().unwrap_or(DEAD),
        });
        census.flags = flags.collect();
        self.stock = census.stock;
        self.marks = Some(census.marks());
    }

    /// The flags of its record `index`, which was written with this header.
    fn flags_of(&self, index: usize, header: &Header, recovered: Recovered) -> u8 {
        let Recovered { taken_below, taken, moved } = recovered;
        let mut flags = header.flags & !UNACKED;
        if self.is_recovered {
            let is_lost = !header.is(PERSISTENT);
            flags |= if is_lost { DEAD } else { 0 };
            // What came back to a quorum queue is where the ledger says.
            flags &= !moved;
            let was_out = if moved == 0 { REDELIVERED } else { FAILED };
            flags |= if header.is(UNACKED | moved) { was_out } else { 0 };
            flags |= if header.seq < taken_below { taken } else { 0 };
        }
        flags
            | self.marks.as_deref().map_or(0, |marks| marks.flags.get(index).copied().unwrap_or(0))
    }
}

impl Level {
    /// Bytes of the chunks that are in memory.
    pub(in crate::queue) fn resident(&self) -> usize {
        self.resident
    }

    /// The records of this chunk lie on its page only.
    pub(in crate::queue) fn is_absent(&self, number: u32) -> bool {
        self.chunk(number).is_some_and(Chunk::is_absent)
    }

    pub(super) fn chunk(&self, number: u32) -> Option<&Chunk> {
        self.chunks.get(number.wrapping_sub(self.first_chunk) as usize)
    }

    /// Brings all chunks into memory, and all bodies.
    #[cfg(test)]
    pub(in crate::queue) fn load_all(&mut self, fx: &mut Effects) {
        for number in self.numbers() {
            self.load_with(number, fx);
        }
        let pages = fx.pages.clone().expect("tests have pages");
        for chunk in &mut self.chunks {
            for index in 0..chunk.images.all().len() {
                let shared = &chunk.images.all()[index];
                if let Some(blob) = shared.blob.filter(|_| shared.bytes.is_empty()) {
                    let mut bytes = Vec::new();
                    pages.read(blob, &mut bytes).expect("a blob that was written");
                    self.resident += bytes.len();
                    chunk.images.set_bytes(index, Bytes::from(bytes));
                }
            }
        }
    }

    pub(super) fn numbers(&self) -> impl DoubleEndedIterator<Item = u32> + use<> {
        let first = self.first_chunk;
        (0..self.chunks.len() as u32).map(move |index| first.wrapping_add(index))
    }

    /// The chunk of the next message to deliver, when it is not in memory.
    pub(in crate::queue) fn absent_head(&self) -> Option<u32> {
        let number = match self.returned.first_key_value() {
            Some((_, place)) => place.chunk,
            None if self.tail_ready == 0 => return None,
            None => self.live_place(self.cursor).chunk,
        };
        self.is_absent(number).then_some(number)
    }

    /// The first place from `place` on that has a record in its place which is not dead, or has one
    /// once it is loaded.
    pub(super) fn live_place(&self, mut place: Place) -> Place {
        loop {
            place = self.normalise(place);
            match self.record_at(place) {
                Some(found) if found.header.is(self.not_ready()) => {
                    place = super::after(place, &found.header);
                }
                None if self.chunk(place.chunk).is_some_and(Chunk::has_no_ready_absent) => {
                    let end = self.behind(place.chunk);
                    if end == place {
                        return place;
                    }
                    place = end;
                }
                _ => return place,
            }
        }
    }

    /// The chunk that `seq` lies in, if it is here.
    pub(in crate::queue) fn chunk_of(&self, seq: u64) -> Option<u32> {
        let index = self.chunks.partition_point(|chunk| chunk.first_seq <= seq).checked_sub(1)?;
        Some(self.first_chunk.wrapping_add(index as u32))
    }

    /// The chunk of the next record from `place` on, when it is not in memory.
    pub(in crate::queue) fn absent_at(&self, place: Place) -> Option<u32> {
        let chunk = self.normalise(place).chunk;
        self.is_absent(chunk).then_some(chunk)
    }

    /// When the next message to deliver expires, 0 for never; `None` when there is none.
    pub(in crate::queue) fn head_expires_at(&self) -> Option<u64> {
        match self.absent_head() {
            Some(number) => Some(self.chunk(number)?.page.as_deref()?.stock.first_expiry),
            None => self.head().map(|found| found.header.expires_at),
        }
    }

    /// Brings a chunk back into memory, and reports what is damaged.
    pub(in crate::queue) fn load_with(&mut self, number: u32, fx: &mut Effects) -> Loaded {
        let pages = fx.pages.clone();
        let pages: &dyn Pages = pages.as_deref().unwrap_or(&NoPages);
        self.read_ahead(number, pages);
        let index = number.wrapping_sub(self.first_chunk) as usize;
        let chunk = self.chunks.get(index).filter(|chunk| chunk.is_absent());
        let Some(page) = chunk.and_then(|chunk| chunk.page.as_deref()).map(|page| page.at) else {
            return Loaded::Whole;
        };
        let mut scratch = std::mem::take(&mut fx.pool.scratch);
        scratch.clear();
        let found = pages.read(page, &mut scratch);
        let loaded = match found {
            Err(damage) if !damage.is_lost => Loaded::Unread(page, damage),
            found => self.take_in(number, &scratch, found.err(), fx),
        };
        scratch.shrink_to(SCRATCH_KEPT_MAX);
        fx.pool.scratch = scratch;
        loaded
    }

    fn read_ahead(&self, number: u32, pages: &dyn Pages) {
        let index = number.wrapping_sub(self.first_chunk) as usize;
        for ahead in self.chunks.iter().skip(index + 1).take(READ_AHEAD_CHUNKS) {
            if let Some(page) = ahead.page.as_deref().filter(|_| ahead.bytes.is_empty()) {
                pages.will_need(page.at);
            }
        }
    }

    pub(super) fn recovered(&self) -> Recovered {
        let (taken_below, taken) = self.rare.as_ref().map_or((0, 0), |rare| rare.recovered);
        Recovered { taken_below, taken, moved: self.moved }
    }

    /// Fills an absent chunk with the bytes of its page, which may be damaged.
    fn take_in(
        &mut self,
        number: u32,
        bytes: &[u8],
        mut damage: Option<PageDamage>,
        fx: &mut Effects,
    ) -> Loaded {
        let (owner, moved, recovered) = (self.owner, self.moved, self.recovered());
        let index = number.wrapping_sub(self.first_chunk) as usize;
        let chunk = &mut self.chunks[index];
        let missing = chunk.unpack(bytes, damage.is_none(), recovered, owner, &mut fx.pool);
        if damage.is_none() && !(missing.is_empty() && chunk.is_as_known(moved)) {
            let reason = "it is not what the journal says".to_owned();
            let file = format!("page {}", chunk.page.as_deref().map_or(0, |page| page.at.block));
            damage = Some(PageDamage { file, offset: 0, reason, is_lost: true });
        }
        self.resident += chunk.resident();
        let before = self.resident_from.wrapping_sub(number) as i32;
        if 0 < before {
            self.resident_from = number;
        }
        self.settle_cursor(number);
        let Some(damage) = damage else { return Loaded::Whole };
        let lost = self.note_losses(number, missing, &mut fx.pool);
        let messages = (lost.ready + lost.unacked + lost.moved).max(0) as u64;
        fx.damaged.push((damage, messages));
        Loaded::Damaged(Box::new(lost))
    }

    /// The live records of a chunk in memory with these seqs.
    pub(in crate::queue) fn live_in(&self, number: u32, seqs: &[SeqRange]) -> Vec<(Place, Header)> {
        let is_one = |seq: u64| seqs.iter().any(|range| (range.first..range.end).contains(&seq));
        let all = self.chunk(number).into_iter().flat_map(Chunk::headers);
        let live = all.filter(|(_, header)| !header.is(DEAD) && is_one(header.seq));
        live.map(|(offset, header)| (Place { chunk: number, offset }, header)).collect()
    }

    /// Dead records are not on pages: the cursor must not stand among what was one.
    fn settle_cursor(&mut self, number: u32) {
        if self.cursor.chunk != number {
            return;
        }
        let Some(chunk) = self.chunk(number) else { return };
        let at = self.cursor.offset;
        let next = chunk.headers().map(|(offset, _)| offset).find(|&offset| at <= offset);
        let end = chunk.len() as u32;
        self.cursor.offset = next.unwrap_or(end);
    }

    /// Counts what a damaged page does not have any more, and leaves it out.
    fn note_losses(&mut self, number: u32, missing: Vec<usize>, pool: &mut Freed) -> Lost {
        let moved = self.moved;
        let index = number.wrapping_sub(self.first_chunk) as usize;
        let chunk = &mut self.chunks[index];
        let census = chunk.census(moved);
        let live = std::mem::replace(&mut chunk.live, census.live);
        let Some(page) = chunk.page.as_deref_mut() else { return Lost::default() };
        page.is_outdated = true;
        let none = Marks::default();
        let marks = page.marks.as_deref().unwrap_or(&none);
        let less = |known: u64, found: u64| known as i64 - found as i64;
        let messages = less(live.into(), census.live.into());
        let bytes = less(page.stock.weight, census.stock.weight);
        let unacked = less(marks.unacked.into(), census.unacked.into());
        let unacked_bytes = less(marks.unacked_bytes, census.unacked_bytes);
        let moved = less(marks.moved.into(), census.moved.into());
        let moved_bytes = less(marks.moved_bytes, census.moved_bytes);
        let (known, found) = (page.stock, census.stock);
        let mut lost = Lost {
            ready: messages - unacked - moved,
            ready_bytes: bytes - unacked_bytes - moved_bytes,
            unacked,
            unacked_bytes,
            moved,
            persistent: less(known.persistent.into(), found.persistent.into()),
            persistent_bytes: less(known.persistent_bytes, found.persistent_bytes),
            entry: page.entry,
            first_seq: chunk.first_seq,
            last_seq: page.last_seq,
            missing: Vec::new(),
        };
        page.set_missing(&missing, census, pool);
        lost.missing = missing;
        let lost_returned = self.forget_returned(number) as i64;
        self.tail_ready = self.tail_ready.saturating_add_signed(lost_returned - lost.ready);
        if self.chunks[index].live == 0 {
            self.release(number, pool);
        }
        lost
    }

    /// Drops places of a chunk where nothing is any more; returns how many.
    fn forget_returned(&mut self, number: u32) -> usize {
        let mut returned = std::mem::take(&mut self.returned);
        let before = returned.len();
        returned.retain(|&seq, place| {
            let is_here = |header: Header| header.seq == seq && !header.is(DEAD);
            place.chunk != number || self.record_at(*place).is_some_and(|it| is_here(it.header))
        });
        self.returned = returned;
        before - self.returned.len()
    }

    /// Whether little is left of what its page holds.
    pub(in crate::queue) fn is_sparse(&self, number: u32) -> bool {
        self.chunk(number).is_some_and(Chunk::is_sparse)
    }

    /// Copies a chunk in memory for a smaller page, if it is sparse.
    pub(in crate::queue) fn leave_sparse(
        &mut self,
        level: u8,
        number: u32,
        pages: &dyn Pages,
    ) -> Option<Leaving> {
        let chunk = self.chunk(number)?;
        let is_due = chunk.is_sparse() && chunk.live != 0 && !chunk.is_leaving;
        (is_due && !chunk.bytes.is_empty()).then(|| self.leave(level, number, pages))?
    }

    /// Lets go of the memory of a loaded chunk, unless it has to be written first. Returns the bytes
    /// that this frees.
    pub(in crate::queue) fn drop_loaded(&mut self, number: u32, pool: &mut Freed) -> usize {
        let moved = self.moved;
        let index = number.wrapping_sub(self.first_chunk) as usize;
        let Some(chunk) = self.chunks.get_mut(index).filter(|it| it.can_be_dropped()) else {
            return 0;
        };
        let mut census = chunk.census(moved);
        let blobs = chunk.blobs();
        let page = chunk.page.as_deref_mut().expect("what can be dropped has a page");
        (page.stock, page.blobs) = (census.stock, blobs);
        let is_changed = census.flags.iter().any(|&flags| flags != 0);
        page.marks = is_changed.then(|| census.marks());
        chunk.drop_bytes(&mut self.resident, pool)
    }

    /// The chunks that are to leave memory: drops those that lie on their pages already, and copies
    /// the others. Returns the bytes that this frees, at once or when the pages are written.
    pub(in crate::queue) fn page_out(
        &mut self,
        level: u8,
        want: Want,
        pages: &dyn Pages,
        pool: &mut Freed,
        out: &mut Vec<Leaving>,
    ) -> usize {
        let mut freed = 0;
        let mut is_all_absent = true;
        for number in self.numbers() {
            if (number.wrapping_sub(self.resident_from) as i32) < 0 {
                continue;
            }
            let chunk = &self.chunks[number.wrapping_sub(self.first_chunk) as usize];
            if chunk.bytes.is_empty() {
                self.resident_from = if is_all_absent { number } else { self.resident_from };
                continue;
            }
            is_all_absent = false;
            if want.bytes <= freed {
                break;
            }
            let from_cursor = number.wrapping_sub(self.cursor.chunk) as i32;
            let is_wanted = want.keeps_window && from_cursor.abs() <= WINDOW_CHUNKS;
            if is_wanted || chunk.is_leaving || chunk.live == 0 {
                continue;
            }
            if chunk.can_be_dropped() && !chunk.is_sparse() {
                freed += self.drop_loaded(number, pool);
            } else {
                freed += chunk.resident();
                out.extend(self.leave(level, number, pages));
            }
        }
        freed + self.drop_empty(pool)
    }

    /// Lets go of the chunk that a drained queue keeps.
    fn drop_empty(&mut self, pool: &mut Freed) -> usize {
        if self.chunks.len() != 1 || self.chunks[0].live != 0 {
            return 0;
        }
        let freed = self.resident;
        self.strip(0, pool);
        self.chunks.clear();
        self.advance_first_chunk();
        freed
    }

    /// The chunk with the record at `place`, or the next one, when the journal names a page for it
    /// instead of its records.
    pub(in crate::queue) fn paged_chunk_at(&self, place: Place) -> Option<u32> {
        let place = self.normalise(place);
        let chunk = self.chunk(place.chunk)?;
        (chunk.page.is_some() && (place.offset as usize) < chunk.len()).then_some(place.chunk)
    }

    /// The place behind a chunk.
    pub(in crate::queue) fn behind(&self, number: u32) -> Place {
        let len = self.chunk(number).map_or(0, Chunk::len);
        Place { chunk: number, offset: len as u32 }
    }

    /// Its page as the journal should know it now, with the seq it begins at. It will lie in journal
    /// entry `entry`.
    pub(in crate::queue) fn rename_page(
        &mut self,
        number: u32,
        entry: u64,
    ) -> Option<(u64, &Page)> {
        let moved = self.moved;
        let chunk = self.chunk_mut(number)?;
        let is_outdated = chunk.page.as_deref().is_some_and(|page| page.is_outdated);
        let is_here = !chunk.bytes.is_empty() && !is_outdated;
        let mut census = is_here.then(|| chunk.census(moved));
        let blobs = is_here.then(|| chunk.blobs());
        let offsets: Vec<u32> = chunk.headers().map(|(offset, _)| offset).collect();
        for offset in offsets {
            record::set_entry(&mut chunk.bytes, offset as usize, entry);
        }
        let page = chunk.page.as_deref_mut()?;
        if let Some(census) = &mut census {
            page.stock = census.stock;
            let is_changed = census.flags.iter().any(|&flags| flags != 0);
            page.marks = is_changed.then(|| census.marks());
        }
        if let Some(blobs) = blobs {
            page.blobs = blobs;
        }
        page.entry = entry as u32;
        Some((chunk.first_seq, page))
    }

    /// A damaged page as the journal should know it now, and the entry that named it so far. It will
    /// lie in journal entry `entry`. `None` when nothing is left of it.
    pub(in crate::queue) fn rename_damaged(
        &mut self,
        number: u32,
        first_seq: u64,
        missing: &[usize],
        entry: u64,
        pool: &mut Freed,
    ) -> Option<(u32, &Page)> {
        let moved = self.moved;
        let chunk = self.chunk_mut(number).filter(|chunk| chunk.first_seq == first_seq)?;
        let census = chunk.census(moved);
        let page = chunk.page.as_deref_mut()?;
        page.set_missing(missing, census, pool);
        let former = page.entry;
        let (_, page) = self.rename_page(number, entry)?;
        (page.stock.persistent != 0).then_some((former, page))
    }

    /// The page of this chunk, unless it is not to be named anew: the low half of the number of its
    /// entry.
    pub(in crate::queue) fn page_entry(&self, number: u32) -> Option<u32> {
        let page = self.chunk(number)?.page.as_deref()?;
        (!page.is_outdated).then_some(page.entry)
    }

    /// Takes the head's chunk out as a whole, if it is not in memory and all its messages are ready.
    /// Returns its first seq, how many messages it had, and its page.
    pub(in crate::queue) fn take_absent_head(&mut self) -> Option<(u64, u32, Page)> {
        let number = self.absent_head().filter(|_| self.returned.is_empty())?;
        let is_untouched = self.live_place(self.cursor) == Place { chunk: number, offset: 0 };
        let chunk = self.chunk_mut(number)?;
        chunk.page.as_deref().filter(|page| is_untouched && page.marks.is_none())?;
        let (first_seq, live) = (chunk.first_seq, std::mem::take(&mut chunk.live));
        let page = *chunk.page.take()?;
        self.tail_ready -= u64::from(live);
        self.taken_below = self.taken_below.max(page.last_seq + 1);
        Some((first_seq, live, page))
    }

    /// Frees what [`Self::take_absent_head`] left behind.
    pub(in crate::queue) fn release_empty(&mut self, pool: &mut Freed) {
        while self.chunks.len() > 1 && self.chunks[0].live == 0 {
            self.release(self.first_chunk, pool);
        }
        if self.chunks.len() == 1 && self.chunks[0].live == 0 {
            self.reset(pool);
        }
    }

    /// Appends a chunk that lies on a page which an earlier life of the broker wrote.
    pub(in crate::queue) fn push_page(&mut self, first_seq: u64, live: u32, page: Page) -> u32 {
        let page = Some(Box::new(page));
        self.tail_ready += u64::from(live);
        let chunk = Chunk { live, first_seq, is_sealed: true, page, ..Chunk::default() };
        stdx::push_snugly(&mut self.chunks, chunk);
        self.first_chunk.wrapping_add(self.chunks.len() as u32 - 1)
    }

    /// Ends messages of the last chunk, which is in memory, because the journal says that they were
    /// settled, and lets it go again. Returns what is left; with nothing left the chunk is gone.
    pub(in crate::queue) fn settle_loaded(
        &mut self,
        number: u32,
        settled: &[SeqRange],
        pool: &mut Freed,
    ) -> Stock {
        let is_settled = |seq: u64| settled.iter().any(|it| (it.first..it.end).contains(&seq));
        let live = self.chunk(number).into_iter().flat_map(Chunk::headers);
        let live: Vec<(u32, Header)> = live.filter(|(_, header)| !header.is(DEAD)).collect();
        let is_last = self.behind(number) == self.end();
        if live.iter().all(|(_, header)| is_settled(header.seq)) {
            if let Some(chunk) = self
                .chunk(number)
                .is_some_and(|_| is_last)
                .then(|| self.chunks.pop_back())
                .flatten()
            {
                self.resident -= chunk.resident();
                self.tail_ready -= live.len() as u64;
            }
            return Stock::default();
        }
        for (offset, header) in live.iter().filter(|(_, header)| is_settled(header.seq)) {
            self.discard(Place { chunk: number, offset: *offset }, header, pool);
        }
        let stock =
            self.chunk(number).map_or_else(Stock::default, |it| it.census(self.moved).stock);
        self.drop_loaded(number, pool);
        stock
    }

    /// Messages below `taken_below` may have been delivered in an earlier life of the broker: gives
    /// them these flags, those on pages when they are loaded.
    pub(in crate::queue) fn flag_taken(&mut self, flags: u8) {
        self.rare.get_or_insert_default().recovered = (self.taken_below, flags);
        let taken_below = self.taken_below;
        for chunk in self.chunks.iter_mut().take_while(|chunk| chunk.first_seq < taken_below) {
            let found = chunk.headers().take_while(|(_, header)| header.seq < taken_below);
            let offsets: Vec<u32> = found.map(|(offset, _)| offset).collect();
            for offset in offsets {
                record::update_flags(&mut chunk.bytes, offset as usize, flags, 0);
            }
        }
    }

    /// All pages in use.
    pub(in crate::queue) fn pages(&self) -> impl Iterator<Item = PageRef> {
        let pages =
            self.chunks.iter().filter_map(|chunk| chunk.page.as_deref().map(|page| page.at));
        let blobs = self.chunks.iter().flat_map(|chunk| {
            let absent = chunk.page.as_deref().filter(|_| chunk.is_absent());
            let absent = absent.into_iter().flat_map(|page| page.blobs.iter().map(|it| it.at));
            absent.chain(chunk.images.all().iter().filter_map(|shared| shared.blob))
        });
        let replaced = self.rare.iter().flat_map(|rare| &rare.replaced);
        pages.chain(blobs).chain(replaced.map(|&(_, page)| page))
    }

    /// Copies a chunk for its page.
    fn leave(&mut self, level: u8, number: u32, pages: &dyn Pages) -> Option<Leaving> {
        let owner = self.owner;
        let chunk = self.chunk_mut(number)?;
        let in_memory = chunk.images.all().iter().filter(|shared| !shared.bytes.is_empty());
        let known = in_memory.filter_map(|it| Some((it.blob?, it.bytes.clone())));
        let known: Vec<(PageRef, Bytes)> = known.collect();
        let mut blobs = chunk.make_blobs(pages);
        let made = blobs.len();
        blobs.extend(known);
        let (image, records) = chunk.pack(owner);
        (chunk.is_sealed, chunk.is_leaving) = (true, true);
        let first_seq = chunk.first_seq;
        Some(Leaving { level, chunk: number, first_seq, records, image, blobs, made })
    }

    fn leaving(&mut self, leaving: &Leaving) -> Option<&mut Chunk> {
        let chunk = self.chunk_mut(leaving.chunk)?;
        (chunk.is_leaving && chunk.first_seq == leaving.first_seq).then_some(chunk)
    }

    /// The chunk could not be written to a page: it stays.
    pub(in crate::queue) fn stay(&mut self, leaving: &Leaving, pool: &mut Freed) {
        if let Some(chunk) = self.leaving(leaving) {
            chunk.is_leaving = false;
            chunk.unmake_blobs(&leaving.blobs[..leaving.made], pool);
        }
    }

    /// The chunk lies on the page `at` from now on. Shows each message that the journal keeps. `None`
    /// when the chunk is gone by now.
    pub(in crate::queue) fn paged_out(
        &mut self,
        leaving: &Leaving,
        at: PageRef,
        entry: u64,
        pool: &mut Freed,
        mut each: impl FnMut(&Header),
    ) -> Option<(u64, &Page)> {
        let moved = self.moved;
        let chunk = self.leaving(leaving)?;
        let mut census = Census::default();
        let mut is_changed = false;
        let unpacked = Unpacked::open(&leaving.image, leaving.records)?;
        let mut blobs = Vec::new();
        for (number, packed) in (0u32..).zip(unpacked.records(None).flatten()) {
            let header = Header::read(&chunk.bytes, packed.offset as usize)?;
            is_changed |= header.flags != packed.header.flags & !UNACKED || header.is(moved);
            census.count(&header, moved);
            blobs.extend(chunk.blob_of(number, &header, packed.offset));
            if header.is(PERSISTENT) && !header.is(DEAD) {
                each(&header);
            }
        }
        let page = Page {
            at,
            chunk_len: chunk.bytes.len() as u32,
            records: leaving.records,
            last_seq: census.last_seq,
            entry: entry as u32,
            is_recovered: false,
            is_outdated: false,
            stock: census.stock,
            marks: is_changed.then(|| census.marks()),
            blobs: blobs.into_boxed_slice(),
        };
        pool.pages.extend(chunk.page.take().map(|page| page.at));
        chunk.page = Some(Box::new(page));
        chunk.is_leaving = false;
        self.release_replaced(leaving.chunk, pool);
        let index = leaving.chunk.wrapping_sub(self.first_chunk) as usize;
        let chunk = &mut self.chunks[index];
        chunk.drop_bytes(&mut self.resident, pool);
        Some((chunk.first_seq, chunk.page.as_deref()?))
    }
}

impl Chunk {
    fn drop_bytes(&mut self, resident: &mut usize, pool: &mut Freed) -> usize {
        let freed = self.resident();
        *resident -= freed;
        pool.give(std::mem::take(&mut self.bytes));
        self.images = Images::default();
        freed
    }
}
