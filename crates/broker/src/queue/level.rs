//! The messages of one priority: records in chunks, a cursor over the ready ones, and the places
//! of those that came back.
//!
//! A ready message costs no index: the first-in-first-out order is the order of records, and the
//! cursor walks it. Every record at or after the cursor is ready, or was found dead at a restart, or is
//! somewhere else in the order of a quorum queue.
//! Delivered ones stay in place until they are settled; a chunk is freed when no live record is left
//! in it.
//!
//! A chunk may lie on a page on disk only (`level/paging.rs`). Then there are no records at its
//! places: whoever needs one has the chunk loaded before.

mod gather;
mod images;
mod look;
mod paging;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use message::MessageRef;

use super::blob::Shared;
use super::effects::Freed;
use super::page::Page;
use super::record::{self, DEAD, Header, SHARED, SHARED_BODY_MIN, SHARED_MESSAGE_MIN, UNACKED};
use crate::PageRef;

use images::Images;
pub(super) use look::AbsentChunk;
pub(super) use paging::{Leaving, Loaded, Lost, Want};

/// Capacity of a full-grown chunk. A queue's first chunks are smaller. (All are small in tests, so
/// that a few messages fill several.)
pub(super) const CHUNK_MAX: usize = if cfg!(test) { 1024 } else { 64 * 1024 };
const CHUNK_MIN: usize = if cfg!(test) { 128 } else { 512 };
/// Up to this capacity chunks grow in small steps, and as slowly as the queue.
const CHUNK_EXACT_MAX: usize = if cfg!(test) { 256 } else { 4096 };
const CHUNK_STEP: usize = if cfg!(test) { 64 } else { 256 };
/// A drained queue keeps its last chunk up to this capacity, so that one message now and then
/// does not cost an allocation each.
const CHUNK_KEPT_MAX: usize = if cfg!(test) { 256 } else { 4096 };
/// A chunk is full when this much is shared beside it: it becomes a page in one piece.
const CHUNK_IMAGES_MAX: usize = if cfg!(test) { 8 * 1024 } else { 128 * 1024 };

/// Where a record starts. Chunk numbers wrap around.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) chunk: u32,
    pub(super) offset: u32,
}

#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Chunk {
    /// Empty while the records lie on the page only.
    bytes: Vec<u8>,
    /// Messages kept outside of `bytes`.
    images: Images,
    /// Records that are not dead.
    live: u32,
    /// Nothing is appended any more.
    is_sealed: bool,
    /// It is being written to a page.
    is_leaving: bool,
    /// Seq of its first record.
    first_seq: u64,
    page: Option<Box<Page>>,
}

impl Chunk {
    /// The message of the record at `offset`, whose header is `header`.
    #[inline]
    pub(super) fn message(&self, header: &Header, offset: u32) -> MessageRef<'_> {
        let at = offset as usize + record::HEADER_LEN;
        if !header.is(SHARED) {
            return header.split(&self.bytes[at..at + header.parts_len()]);
        }
        let image = &self.images.all()[self.image_index(offset)].bytes;
        if image.len() != header.parts_len() {
            debug_assert!(false, "a body is brought into memory before it is looked at");
            return MessageRef {
                exchange: b"",
                routing_key: b"",
                properties: b"",
                body: b"",
                image: None,
            };
        }
        MessageRef { image: Some(image), ..header.split(image) }
    }

    /// What the record at `offset` shares.
    fn shared(&self, header: &Header, offset: u32) -> Option<&Shared> {
        header.is(SHARED).then(|| &self.images.all()[self.image_index(offset)])
    }

    /// The record at `place`, which is in this chunk; `None` at its end.
    #[inline]
    pub(super) fn record(&self, place: Place) -> Option<Found<'_>> {
        let header = Header::read(&self.bytes, place.offset as usize)?;
        Some(Found { place, header, chunk: self })
    }

    /// Marks the record at `offset` as ended, and lets go of what it shares. Returns the bytes that
    /// this frees.
    fn end(&mut self, offset: u32, header: &Header, pool: &mut Freed) -> usize {
        record::update_flags(&mut self.bytes, offset as usize, DEAD, 0);
        if !header.is(SHARED) {
            return 0;
        }
        let index = self.image_index(offset);
        let Shared { bytes, blob } = self.images.take(index);
        pool.pages.extend(blob);
        bytes.len()
    }

    /// Bytes up to the end of the last record, in memory or not.
    fn len(&self) -> usize {
        match &self.page {
            Some(page) if self.bytes.is_empty() => page.chunk_len as usize,
            _ => self.bytes.len(),
        }
    }

    /// Bytes it takes in memory.
    fn resident(&self) -> usize {
        self.bytes.capacity() + self.images.bytes()
    }

    fn is_absent(&self) -> bool {
        self.bytes.is_empty() && self.page.is_some()
    }

    /// Gives everything away.
    fn strip(&mut self, pool: &mut Freed) {
        pool.give(std::mem::take(&mut self.bytes));
        pool.pages.extend(self.page.take().map(|page| page.at));
        self.images = Images::default();
        self.is_leaving = false;
    }

    fn image_index(&self, offset: u32) -> usize {
        let at = offset as usize + record::HEADER_LEN;
        let index = self.bytes[at..].first_chunk().expect("a shared record has an index");
        u32::from_le_bytes(*index) as usize
    }
}

/// A record found in a chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub(super) place: Place,
    pub(super) header: Header,
    pub(super) chunk: &'a Chunk,
}

impl<'a> Found<'a> {
    #[inline]
    pub(super) fn message(&self) -> MessageRef<'a> {
        self.chunk.message(&self.header, self.place.offset)
    }

    /// The message, if it lies outside of its chunk.
    pub(super) fn shared(&self) -> Option<&'a Shared> {
        self.chunk.shared(&self.header, self.place.offset)
    }

    /// The blob with the message, when that is not in memory.
    pub(super) fn absent_blob(&self) -> Option<PageRef> {
        self.shared().filter(|shared| shared.bytes.is_empty())?.blob
    }
}

/// The part of a [`Level`] that few ever have.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
struct Rare {
    /// Pages whose records a chunk in memory has taken over, by the chunk's number: they go when that
    /// has a page of its own.
    replaced: Vec<(u32, PageRef)>,
    /// What an earlier life of the broker put on pages below this seq may have been delivered: those
    /// messages get the flags beside it when they are loaded.
    recovered: (u64, u8),
}

#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Level {
    chunks: VecDeque<Chunk>,
    /// Number of the first chunk in `chunks`, or of the next one when there is none.
    first_chunk: u32,
    /// The oldest record that was not taken yet. May stand at the end of a chunk.
    cursor: Place,
    /// Records at or after the cursor.
    tail_ready: u64,
    /// Ready again, by seq: all are older than the cursor.
    returned: BTreeMap<u64, Place>,
    /// Messages from this seq on were never handed to anyone, in this life of the broker or an
    /// earlier one.
    pub(super) taken_below: u64,
    /// Records before this place are in the journal already.
    pub(super) journaled_to: Place,
    /// Bytes of the chunks that are in memory.
    resident: usize,
    /// All chunks before this one are absent.
    resident_from: u32,
    rare: Option<Box<Rare>>,
    /// Flag of records after the cursor that are somewhere else in the order: 0 in a classic queue.
    pub(super) moved: u8,
    /// Whose messages these are: see [`page::Salt`].
    owner: u64,
}

impl Level {
    /// An empty one; see [`Self::moved`].
    pub(super) fn new(owner: u64, moved: u8) -> Self {
        Self { moved, owner, ..Self::default() }
    }

    pub(super) fn owner(&self) -> u64 {
        self.owner
    }

    pub(super) fn ready(&self) -> u64 {
        self.tail_ready + self.returned.len() as u64
    }

    pub(super) fn returned(&self) -> &BTreeMap<u64, Place> {
        &self.returned
    }

    pub(super) fn tail(&self) -> (Place, u64) {
        (self.cursor, self.tail_ready)
    }

    /// Bytes reserved for chunks and images.
    pub(super) fn memory(&self) -> usize {
        self.resident
            + self.chunks.capacity() * size_of::<Chunk>()
            + self.returned.len() * 2 * size_of::<(u64, Place)>()
    }

    /// Appends a ready message. `expected` is how many bytes the caller is about to append in
    /// all; it sizes a new chunk.
    pub(super) fn push(
        &mut self,
        mut header: Header,
        message: &MessageRef<'_>,
        shared: Option<Shared>,
        expected: usize,
        pool: &mut Freed,
    ) {
        let is_shared = shared.is_some();
        header.flags |= if is_shared { SHARED } else { 0 };
        let len = header.len_in_chunk();
        let has_room = self.chunks.back().is_some_and(|c| {
            c.bytes.capacity() - c.bytes.len() >= len
                && !c.is_sealed
                && !(is_shared && CHUNK_IMAGES_MAX <= c.images.bytes())
        });
        if !has_room {
            self.grow(header.seq, len, expected.max(len), pool);
        }
        let chunk = self.chunks.back_mut().expect("grow made one");
        if chunk.bytes.is_empty() {
            chunk.first_seq = header.seq;
        }
        chunk.bytes.extend_from_slice(&header.encode());
        if let Some(shared) = shared {
            self.resident += shared.bytes.len();
            let index = chunk.images.push(shared);
            chunk.bytes.extend_from_slice(&index.to_le_bytes());
        } else {
            chunk.bytes.extend_from_slice(message.exchange);
            chunk.bytes.extend_from_slice(message.routing_key);
            chunk.bytes.extend_from_slice(message.properties);
            chunk.bytes.extend_from_slice(message.body);
        }
        chunk.live += u32::from(has_room);
        self.tail_ready += 1;
    }

    fn grow(&mut self, first_seq: u64, len: usize, expected: usize, pool: &mut Freed) {
        let capacity = self.next_capacity(expected);
        // An emptied last chunk is only freed once it is not the last any more.
        let emptied = self.chunks.back().is_some_and(|c| c.live == 0).then(|| self.end().chunk);
        let bytes = pool.take(capacity.max(len));
        self.resident += bytes.capacity();
        // Counts the record that is about to be appended: an empty chunk would be freed at once.
        let chunk = Chunk { bytes, live: 1, first_seq, ..Chunk::default() };
        stdx::push_snugly(&mut self.chunks, chunk);
        if let Some(chunk) = emptied {
            self.release(chunk, pool);
        }
    }

    /// Large chunks double, if the last one got to be full of records: one that had to leave before,
    /// or because of what is shared, shows that there is no need. Small ones are as large as what is
    /// to be put there: ten thousand queues have room for a few messages each, and no more.
    fn next_capacity(&self, expected: usize) -> usize {
        let is_full = |c: &&Chunk| !c.is_sealed && c.images.bytes() < CHUNK_IMAGES_MAX;
        let capacity = expected.max(match self.chunks.back().filter(is_full) {
            Some(full) if CHUNK_EXACT_MAX <= full.bytes.capacity() => 2 * full.bytes.capacity(),
            Some(_) => self.resident / 2,
            None => 0,
        });
        let capacity = match CHUNK_EXACT_MAX < capacity {
            true => capacity.next_power_of_two(),
            false => capacity.next_multiple_of(CHUNK_STEP),
        };
        capacity.clamp(CHUNK_MIN, CHUNK_MAX)
    }

    /// The place after the last record.
    pub(super) fn end(&self) -> Place {
        let Some(last) = self.chunks.back() else {
            return self.start();
        };
        let chunk = self.first_chunk.wrapping_add(self.chunks.len() as u32 - 1);
        Place { chunk, offset: last.len() as u32 }
    }

    /// Moves a place that stands at the end of a chunk, or in a freed one, to the next record.
    fn normalise(&self, mut place: Place) -> Place {
        if (place.chunk.wrapping_sub(self.first_chunk) as i32) < 0 {
            place = self.start();
        }
        loop {
            let index = place.chunk.wrapping_sub(self.first_chunk) as usize;
            let is_last = self.chunks.len() <= index + 1;
            if is_last || (place.offset as usize) < self.chunks[index].len() {
                return place;
            }
            place = Place { chunk: place.chunk.wrapping_add(1), offset: 0 };
        }
    }

    /// The record at `place` or the first one after it, dead or alive.
    pub(super) fn record_from(&self, place: Place) -> Option<Found<'_>> {
        let place = self.normalise(place);
        self.record_at(place)
    }

    /// The first record at or after `place` that is neither dead nor somewhere else.
    pub(super) fn live_from(&self, place: Place) -> Option<Found<'_>> {
        self.record_at(self.live_place(place))
    }

    /// The first record whose seq is at least `seq`, dead or alive. Looks from `hint` on if that
    /// is the place of a record before it.
    pub(super) fn first_from(&self, seq: u64, hint: Option<Place>) -> Option<Found<'_>> {
        let index = self.chunks.partition_point(|chunk| chunk.first_seq <= seq);
        let chunk = self.first_chunk.wrapping_add(index.saturating_sub(1) as u32);
        let mut place =
            hint.filter(|hint| hint.chunk == chunk).unwrap_or(Place { chunk, offset: 0 });
        loop {
            let found = self.record_from(place)?;
            if seq <= found.header.seq {
                return Some(found);
            }
            place = after(found.place, &found.header);
        }
    }

    /// Ends a message that nobody took.
    pub(super) fn discard(&mut self, place: Place, header: &Header, pool: &mut Freed) {
        self.tail_ready -= 1;
        self.kill(place, header, pool);
    }

    /// The record that starts at `place`.
    pub(super) fn record_at(&self, place: Place) -> Option<Found<'_>> {
        let chunk = self.chunks.get(place.chunk.wrapping_sub(self.first_chunk) as usize)?;
        chunk.record(place)
    }

    /// The next message to deliver.
    pub(super) fn head(&self) -> Option<Found<'_>> {
        if let Some((_, &place)) = self.returned.first_key_value() {
            return self.record_at(place);
        }
        if self.tail_ready == 0 { None } else { self.live_from(self.cursor) }
    }

    /// Takes the head out of the ready ones; the record stays.
    pub(super) fn take_head(&mut self) -> Option<(Place, Header)> {
        if let Some((_, place)) = self.returned.pop_first() {
            return self.record_at(place).map(|found| (place, found.header));
        }
        if self.tail_ready == 0 {
            return None;
        }
        let found = self.live_from(self.cursor)?;
        let (place, header) = (found.place, found.header);
        self.cursor = after(place, &header);
        self.tail_ready -= 1;
        self.taken_below = self.taken_below.max(header.seq + 1);
        Some((place, header))
    }

    /// See [`super::messages::Messages::take_run`].
    pub(super) fn take_run(
        &mut self,
        max: usize,
        flag: u8,
        pool: &mut Freed,
        mut each: impl FnMut(&Header),
    ) -> usize {
        let max = max.min(self.tail_ready as usize);
        if max == 0 || !self.returned.is_empty() {
            let Some((place, header)) = self.take_head() else { return 0 };
            each(&header);
            match flag {
                DEAD => self.kill(place, &header, pool),
                flag => self.update_flags(place, flag, 0),
            }
            return 1;
        }
        let Some(first) = self.live_from(self.cursor) else { return 0 };
        let mut place = first.place;
        let skipped = self.not_ready();
        let Some(chunk) = self.chunk_mut(place.chunk) else { return 0 };
        let (mut taken, mut last_seq, mut freed) = (0, 0, 0);
        while taken < max
            && let Some(header) = Header::read(&chunk.bytes, place.offset as usize)
        {
            if header.is(skipped) {
                place = after(place, &header);
                continue;
            }
            each(&header);
            match flag {
                DEAD => freed += chunk.end(place.offset, &header, pool),
                flag => record::update_flags(&mut chunk.bytes, place.offset as usize, flag, 0),
            }
            last_seq = header.seq;
            place = after(place, &header);
            taken += 1;
        }
        if flag == DEAD {
            chunk.live -= taken as u32;
        }
        let is_emptied = chunk.live == 0;
        self.resident -= freed;
        self.cursor = place;
        self.tail_ready -= taken as u64;
        self.taken_below = self.taken_below.max(last_seq + 1);
        if is_emptied {
            self.release(place.chunk, pool);
        }
        taken
    }

    /// Makes a taken message ready again, at its old place in the order.
    pub(super) fn put_back(&mut self, place: Place, seq: u64) {
        match self.is_ahead(place) {
            true => self.tail_ready += 1,
            false => drop(self.returned.insert(seq, place)),
        }
    }

    /// Takes a ready record out of the order, before the cursor gets there.
    pub(super) fn move_away(&mut self, place: Place) {
        self.update_flags(place, self.moved, 0);
        self.tail_ready -= 1;
    }

    /// Flags of records after the cursor that are not ready: ended, taken out, or somewhere else.
    #[inline]
    pub(super) fn not_ready(&self) -> u8 {
        DEAD | UNACKED | self.moved
    }

    /// As [`Self::move_away`], of any ready record. False if it is not ready in its place.
    pub(super) fn take_out(&mut self, place: Place, header: &Header) -> bool {
        if header.is(DEAD | UNACKED) {
            return false;
        }
        if self.returned.remove(&header.seq).is_none() {
            if header.is(self.moved) || !self.is_ahead(place) {
                return false;
            }
            self.tail_ready -= 1;
        }
        self.update_flags(place, UNACKED, 0);
        true
    }

    /// Undoes [`Self::take_out`]. False, and nothing done, if the cursor of a quorum queue has passed:
    /// it is not ready in its place then.
    pub(super) fn put_in_place(&mut self, place: Place, header: &Header) -> bool {
        let is_ahead = self.is_ahead(place);
        if !is_ahead && self.moved != 0 {
            return false;
        }
        self.update_flags(place, 0, UNACKED);
        match is_ahead {
            true => self.tail_ready += 1,
            false => drop(self.returned.insert(header.seq, place)),
        }
        true
    }

    /// Whether the cursor gets there yet.
    fn is_ahead(&self, place: Place) -> bool {
        match place.chunk.wrapping_sub(self.cursor.chunk) as i32 {
            0 => self.cursor.offset <= place.offset,
            chunks => 0 < chunks,
        }
    }

    /// The place of the first record.
    pub(super) fn start(&self) -> Place {
        Place { chunk: self.first_chunk, offset: 0 }
    }

    /// Bytes of a chunk, from one record's start to another's.
    pub(super) fn raw(&self, chunk: u32, from: u32, to: u32) -> &[u8] {
        let chunk = self.chunks.get(chunk.wrapping_sub(self.first_chunk) as usize);
        chunk.and_then(|c| c.bytes.get(from as usize..to as usize)).unwrap_or_default()
    }

    pub(super) fn update_flags(&mut self, place: Place, set: u8, clear: u8) {
        if let Some(chunk) = self.chunk_mut(place.chunk) {
            record::update_flags(&mut chunk.bytes, place.offset as usize, set, clear);
        }
    }

    pub(super) fn set_entry(&mut self, place: Place, entry: u64) {
        if let Some(chunk) = self.chunk_mut(place.chunk) {
            record::set_entry(&mut chunk.bytes, place.offset as usize, entry);
        }
    }

    /// The body of the message at `place` has been read from its blob; an empty one goes back there.
    pub(super) fn set_shared(&mut self, place: Place, header: &Header, bytes: Bytes) {
        let Some(chunk) = self.chunk_mut(place.chunk) else { return };
        let index = chunk.image_index(place.offset);
        let len = bytes.len();
        let before = chunk.images.set_bytes(index, bytes);
        debug_assert!(header.is(SHARED));
        self.resident = self.resident + len - before;
    }

    fn chunk_mut(&mut self, number: u32) -> Option<&mut Chunk> {
        self.chunks.get_mut(number.wrapping_sub(self.first_chunk) as usize)
    }

    /// Ends a record that is not ready: its bytes go when its chunk does.
    pub(super) fn kill(&mut self, place: Place, header: &Header, pool: &mut Freed) {
        let Some(chunk) = self.chunk_mut(place.chunk) else { return };
        let freed = chunk.end(place.offset, header, pool);
        chunk.live -= 1;
        let is_emptied = chunk.live == 0;
        self.resident -= freed;
        if is_emptied {
            self.release(place.chunk, pool);
        }
    }

    /// Frees an emptied chunk. The last one stays while it may still be appended to.
    fn release(&mut self, number: u32, pool: &mut Freed) {
        let index = number.wrapping_sub(self.first_chunk) as usize;
        if index + 1 < self.chunks.len() || self.chunks[index].is_sealed {
            self.strip(index, pool);
        }
        while self.chunks.len() > 1 && self.chunks[0].live == 0 {
            self.strip(0, pool);
            self.chunks.pop_front();
            self.advance_first_chunk();
        }
        if self.chunks.len() == 1 && self.chunks[0].live == 0 {
            self.reset(pool);
        }
    }

    /// The first chunk is gone, or starts over as another. What points before it comes along: numbers
    /// wrap around, so that what is left far enough behind would seem to be ahead.
    fn advance_first_chunk(&mut self) {
        self.first_chunk = self.first_chunk.wrapping_add(1);
        let first = self.first_chunk;
        let is_behind = |chunk: u32| (chunk.wrapping_sub(first) as i32) < 0;
        if is_behind(self.journaled_to.chunk) {
            self.journaled_to = Place { chunk: first, offset: 0 };
        }
        if is_behind(self.resident_from) {
            self.resident_from = first;
        }
    }

    /// Nothing points before the first chunk.
    #[cfg(test)]
    pub(super) fn check_places(&self) {
        for chunk in [self.journaled_to.chunk, self.resident_from] {
            let ahead = chunk.wrapping_sub(self.first_chunk) as i32;
            assert!(0 <= ahead, "chunk {chunk} is before {}", self.first_chunk);
        }
    }

    fn strip(&mut self, index: usize, pool: &mut Freed) {
        let chunk = &mut self.chunks[index];
        self.resident -= chunk.resident();
        chunk.strip(pool);
        self.release_replaced(self.first_chunk.wrapping_add(index as u32), pool);
    }

    /// Starts over with an empty chunk, or none.
    fn reset(&mut self, pool: &mut Freed) {
        self.advance_first_chunk();
        let chunk = &mut self.chunks[0];
        if chunk.bytes.capacity() <= CHUNK_KEPT_MAX && !chunk.is_sealed {
            chunk.bytes.clear();
            chunk.images = Images::default();
            return;
        }
        self.strip(0, pool);
        self.chunks.clear();
        self.chunks.shrink_to(4);
    }
}

/// The place after the record at `place`.
pub(super) fn after(place: Place, header: &Header) -> Place {
    Place { offset: place.offset + header.len_in_chunk() as u32, ..place }
}

pub(super) fn is_shared(message: &MessageRef<'_>) -> bool {
    message.image.is_some()
        || SHARED_BODY_MIN <= message.body.len()
        || SHARED_MESSAGE_MIN <= message.len()
}

pub(super) fn shared_image(message: &MessageRef<'_>) -> Bytes {
    if let Some(image) = message.image
        && image.len() == message.len()
    {
        return image.clone();
    }
    let mut bytes = Vec::with_capacity(message.len());
    for part in [message.exchange, message.routing_key, message.properties, message.body] {
        bytes.extend_from_slice(part);
    }
    Bytes::from(bytes)
}
