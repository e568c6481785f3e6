//! How the messages of a chunk lie on a page, and what is known of them without reading it.
//!
//! A page is written once. It holds the chunk's records that were not dead then:
//!
//! ```text
//!   records   as in the chunk; a shared message follows its record in full, unless it is a blob:
//!             then the number of its image is `IS_BLOB`
//!   offsets   u32 per record: where in the chunk. Missing when all lie there as they lie here
//!   table     per record: u32 position in the page, u32 CRC-32 of [`Salt`] and its bytes there
//!   u32       how many records; the highest bit says that there are no offsets
//! ```
//!
//! The checksums are for the case that the page as a whole does not check: then only those records
//! are lost that are damaged themselves.

use super::blob::Shared;
use super::journal::SeqRange;
use super::record::{DEAD, FAILED, HEADER_LEN, Header, REDELIVERED, SHARED, UNACKED};
use super::recovery::{Damaged, SEQ_END};
use super::varint;
use crate::PageRef;

/// Says in the last word of a page that it has no offsets.
const IS_PLAIN: u32 = 1 << 31;
/// Stands in a page for the number of an image that is a blob. Which one says [`Page::blobs`].
const IS_BLOB: [u8; 4] = [u8::MAX; 4];
/// What the place of a record in its page, and its checksum, take.
const TABLE_ENTRY: usize = 8;
/// The flags that change while a message is in the queue.
pub(super) const CHANGING: u8 = REDELIVERED | DEAD | UNACKED | FAILED;

/// A chunk's page. What it says beyond its place is true while the chunk is not in memory.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) at: PageRef,
    /// Bytes of the chunk in memory.
    pub(super) chunk_len: u32,
    /// Records on the page.
    pub(super) records: u32,
    pub(super) last_seq: u64,
    /// Low half of the number of the journal entry that names the page.
    pub(super) entry: u32,
    /// An earlier life of the broker wrote it: what was transient then is gone.
    pub(super) is_recovered: bool,
    /// It is damaged, or the chunk has records by now that it has not: it is to be written anew.
    pub(super) is_outdated: bool,
    pub(super) stock: Stock,
    pub(super) marks: Option<Box<Marks>>,
    /// The blobs of its messages that are not dead, by the number of their record on the page.
    pub(super) blobs: Box<[BlobOf]>,
}

/// The blob of a record on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlobOf {
    /// The number of the record.
    pub(super) record: u32,
    pub(super) at: PageRef,
    /// The journal keeps the message. Of the others it knows nothing: a restart finds their blobs free.
    pub(super) is_kept: bool,
}

/// What a chunk holds that is not dead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stock {
    /// Messages that the journal keeps.
    pub(super) persistent: u32,
    /// Bytes that count for limits.
    pub(super) weight: u64,
    /// Bytes of bodies of the messages that the journal keeps.
    pub(super) persistent_bytes: u64,
    /// Bytes of their properties in a quorum queue, where these count for limits.
    pub(super) persistent_properties: u64,
    /// When the first ready message expires, 0 for never.
    pub(super) first_expiry: u64,
    /// The same of the first one that the journal keeps: a restart makes all of them ready.
    pub(super) first_kept_expiry: u64,
}

/// What became of messages since their page was written.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    /// Per record of the page: its changing flags.
    pub(super) flags: Box<[u8]>,
    /// Records with consumers, and the bytes that count.
    pub(super) unacked: u32,
    pub(super) unacked_bytes: u64,
    /// Records that are somewhere else in the order, and the bytes that count.
    pub(super) moved: u32,
    pub(super) moved_bytes: u64,
}

/// Records on a page, and bytes of a chunk, that a journal may speak of: more was never written.
const RECORDS_MAX: u64 = 1 << 16;
const CHUNK_LEN_MAX: u64 = 1 << 24;

/// What a journal says of a page: where it lies, and which of its messages are to survive.
///
/// ```text
/// level u8, block u32, len u32, check u32, varints: first_seq, last_seq - first_seq, records,
/// chunk_len, persistent, persistent_bytes, first_kept_expiry, then ranges of dead records: varint count,
/// per range varint (first - end of the previous), varint (length - 1), then blobs: varint count, per
/// blob varint (record - that of the previous), block u32, len u32, check u32
/// ```
#[derive(Debug)]
pub(super) struct Section {
    pub(super) level: u8,
    pub(super) first_seq: u64,
    pub(super) page: Page,
}

impl Section {
    pub(super) fn write(level: u8, first_seq: u64, page: &Page, out: &mut Vec<u8>) {
        out.push(level);
        out.extend_from_slice(&page.at.encode());
        let Stock { persistent, persistent_bytes, first_kept_expiry, .. } = page.stock;
        for value in [
            first_seq,
            page.last_seq - first_seq,
            u64::from(page.records),
            u64::from(page.chunk_len),
            u64::from(persistent),
            persistent_bytes,
            first_kept_expiry,
        ] {
            varint::write(value, out);
        }
        let dead = page.marks.as_deref().map_or_else(Vec::new, Marks::dead);
        varint::write(dead.len() as u64, out);
        let mut previous = 0;
        for range in dead {
            varint::write(range.first - previous, out);
            varint::write(range.end - range.first - 1, out);
            previous = range.end;
        }
        let kept = || page.blobs.iter().filter(|blob| blob.is_kept);
        varint::write(kept().count() as u64, out);
        let mut previous = 0;
        for blob in kept() {
            varint::write(u64::from(blob.record - previous), out);
            out.extend_from_slice(&blob.at.encode());
            previous = blob.record;
        }
    }

    /// Takes a section off the front, as journal entry `entry` has it.
    pub(super) fn read(bytes: &mut &[u8], entry: u64) -> Result<Self, Damaged> {
        let level = *bytes.split_off_first().ok_or(Damaged::Truncated)?;
        let at = PageRef::decode(bytes).ok_or(Damaged::Truncated)?;
        let first_seq = varint_below(bytes, SEQ_END)?;
        let last_seq = first_seq + varint_below(bytes, SEQ_END)?;
        let records = varint_below(bytes, RECORDS_MAX)? as u32;
        let chunk_len = varint_below(bytes, CHUNK_LEN_MAX)? as u32;
        let persistent = varint_below(bytes, u64::from(records) + 1)? as u32;
        let persistent_bytes = varint_below(bytes, u64::MAX / 2)?;
        let first_expiry = varint_below(bytes, u64::MAX)?;
        let marks = read_dead(bytes, records)?;
        let blobs = read_blobs(bytes, records)?;
        if first_seq == 0 || SEQ_END <= last_seq {
            return Err(Damaged::OutOfRange);
        }
        let stock = Stock {
            persistent,
            weight: persistent_bytes,
            persistent_bytes,
            persistent_properties: 0,
            first_expiry,
            first_kept_expiry: first_expiry,
        };
        let (entry, is_recovered, is_outdated) = (entry as u32, true, false);
        let page = Page {
            at,
            chunk_len,
            records,
            last_seq,
            entry,
            is_recovered,
            is_outdated,
            stock,
            marks,
            blobs,
        };
        Ok(Self { level, first_seq, page })
    }

    /// As [`Self::read`], with the bytes of properties in front, which count for limits.
    pub(super) fn read_weighed(bytes: &mut &[u8], entry: u64) -> Result<Self, Damaged> {
        let properties = varint_below(bytes, u64::MAX / 2)?;
        let mut section = Self::read(bytes, entry)?;
        let stock = &mut section.page.stock;
        stock.persistent_properties = properties;
        stock.weight += properties;
        Ok(section)
    }
}

fn varint_below(bytes: &mut &[u8], end: u64) -> Result<u64, Damaged> {
    let value = varint::read(bytes).ok_or(Damaged::Truncated)?;
    if value < end { Ok(value) } else { Err(Damaged::OutOfRange) }
}

fn read_dead(bytes: &mut &[u8], records: u32) -> Result<Option<Box<Marks>>, Damaged> {
    let count = varint_below(bytes, RECORDS_MAX)?;
    if count == 0 {
        return Ok(None);
    }
    let mut flags = vec![0; records as usize].into_boxed_slice();
    let mut at = 0;
    for _ in 0..count {
        let first = at + varint_below(bytes, RECORDS_MAX)? as usize;
        at = first + varint_below(bytes, RECORDS_MAX)? as usize + 1;
        flags.get_mut(first..at).ok_or(Damaged::OutOfRange)?.fill(DEAD);
    }
    Ok(Some(Box::new(Marks { flags, ..Marks::default() })))
}

fn read_blobs(bytes: &mut &[u8], records: u32) -> Result<Box<[BlobOf]>, Damaged> {
    let count = varint_below(bytes, u64::from(records) + 1)?;
    let mut blobs: Vec<BlobOf> = Vec::new();
    for _ in 0..count {
        let step = varint_below(bytes, RECORDS_MAX)? as u32;
        let record = blobs.last().map_or(0, |blob| blob.record) + step;
        if records <= record || (step == 0 && !blobs.is_empty()) {
            return Err(Damaged::OutOfRange);
        }
        let at = PageRef::decode(bytes).ok_or(Damaged::Truncated)?;
        blobs.push(BlobOf { record, at, is_kept: true });
    }
    Ok(blobs.into_boxed_slice())
}

impl Marks {
    /// The records that are dead, by their number on the page.
    fn dead(&self) -> Vec<SeqRange> {
        let mut ranges: Vec<SeqRange> = Vec::new();
        let dead = self.flags.iter().enumerate().filter(|(_, flags)| **flags & DEAD != 0);
        for (index, _) in dead {
            let index = index as u64;
            match ranges.last_mut() {
                Some(range) if range.end == index => range.end += 1,
                _ => ranges.push(SeqRange { first: index, end: index + 1 }),
            }
        }
        ranges
    }
}

/// What the checksums of a page's records begin with. Room is used again: what another queue, or
/// this one, has put there since must not pass for what was there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Salt {
    /// The queue's number.
    pub(super) owner: u64,
    /// Of the page.
    pub(super) first_seq: u64,
}

impl Salt {
    fn check(self, record: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.owner.to_le_bytes());
        hasher.update(&self.first_seq.to_le_bytes());
        hasher.update(record);
        hasher.finalize()
    }
}

/// Puts a page together.
pub(super) struct Packer {
    salt: Salt,
    bytes: Vec<u8>,
    /// Offset in the chunk and position in the page of each record.
    places: Vec<(u32, u32)>,
    is_plain: bool,
}

impl Packer {
    pub(super) fn new(salt: Salt, expected: usize) -> Self {
        Self { salt, bytes: Vec::with_capacity(expected), places: Vec::new(), is_plain: true }
    }

    /// Adds a record that lies at `offset` of the chunk `chunk`; `shared` when its message does not.
    pub(super) fn push(
        &mut self,
        offset: u32,
        header: &Header,
        chunk: &[u8],
        shared: Option<&Shared>,
    ) {
        let position = self.bytes.len() as u32;
        let at = offset as usize;
        let image = shared.filter(|shared| shared.blob.is_none());
        self.is_plain &= position == offset && image.is_none();
        self.places.push((offset, position));
        self.bytes.extend_from_slice(&chunk[at..at + header.len_in_chunk()]);
        if let Some(image) = image {
            self.bytes.extend_from_slice(&image.bytes);
        } else if shared.is_some() {
            let end = self.bytes.len();
            self.bytes[end - IS_BLOB.len()..].copy_from_slice(&IS_BLOB);
        }
    }

    pub(super) fn records(&self) -> u32 {
        self.places.len() as u32
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let end = self.bytes.len();
        let ends = self.places.iter().skip(1).map(|&(_, position)| position as usize).chain([end]);
        let checks: Vec<u32> = std::iter::zip(&self.places, ends)
            .map(|(&(_, from), to)| self.salt.check(&self.bytes[from as usize..to]))
            .collect();
        if !self.is_plain {
            for (offset, _) in &self.places {
                self.bytes.extend_from_slice(&offset.to_le_bytes());
            }
        }
        for ((_, position), check) in std::iter::zip(&self.places, checks) {
            self.bytes.extend_from_slice(&position.to_le_bytes());
            self.bytes.extend_from_slice(&check.to_le_bytes());
        }
        let plain = if self.is_plain { IS_PLAIN } else { 0 };
        self.bytes.extend_from_slice(&(self.places.len() as u32 | plain).to_le_bytes());
        self.bytes
    }
}

/// A page that was read.
#[derive(Clone, Copy)]
pub(super) struct Unpacked<'a> {
    bytes: &'a [u8],
    count: usize,
    is_plain: bool,
    records_len: usize,
}

/// A record on a page.
pub(super) struct Packed<'a> {
    /// Where it lies in the chunk.
    pub(super) offset: u32,
    pub(super) header: Header,
    /// As it is to lie in the chunk, but for the number of its image.
    pub(super) record: &'a [u8],
    /// Its message, when that lies outside of the chunk.
    pub(super) image: Option<&'a [u8]>,
    /// Its message is a blob.
    pub(super) is_blob: bool,
}

impl<'a> Unpacked<'a> {
    /// Finds the parts of a page of `records` records; `None` when they cannot be there.
    pub(super) fn open(bytes: &'a [u8], records: u32) -> Option<Self> {
        let last = u32_at(bytes, bytes.len().checked_sub(4)?)?;
        let (count, is_plain) = ((last & !IS_PLAIN) as usize, last & IS_PLAIN != 0);
        let per_record = TABLE_ENTRY + if is_plain { 0 } else { 4 };
        let records_len = (bytes.len() - 4).checked_sub(count.checked_mul(per_record)?)?;
        (count == records as usize).then_some(Self { bytes, count, is_plain, records_len })
    }

    /// The chunk as it was, when it can be taken as a whole.
    pub(super) fn whole_chunk(&self) -> Option<&'a [u8]> {
        self.is_plain.then(|| &self.bytes[..self.records_len])
    }

    /// The records; `None` for one that makes no sense, and with a salt for one that is not as it
    /// was written with it.
    pub(super) fn records(self, salt: Option<Salt>) -> impl Iterator<Item = Option<Packed<'a>>> {
        (0..self.count).map(move |index| self.record(index, salt))
    }

    fn record(&self, index: usize, salt: Option<Salt>) -> Option<Packed<'a>> {
        let table = self.bytes.len() - 4 - self.count * TABLE_ENTRY;
        let at = table + index * TABLE_ENTRY;
        let from = u32_at(self.bytes, at)?;
        let is_last = index + 1 == self.count;
        let to =
            if is_last { self.records_len } else { u32_at(self.bytes, at + TABLE_ENTRY)? as usize };
        let bytes = self.bytes[..self.records_len].get(from as usize..to)?;
        let check = u32_at(self.bytes, at + 4)?;
        if salt.is_some_and(|salt| salt.check(bytes) != check) {
            return None;
        }
        let offset =
            if self.is_plain { from } else { u32_at(self.bytes, self.records_len + index * 4)? };
        let header = Header::read(bytes, 0)?;
        let (record, rest) = bytes.split_at_checked(header.len_in_chunk())?;
        let is_blob = header.is(SHARED) && record.ends_with(&IS_BLOB);
        let image = (header.is(SHARED) && !is_blob).then_some(rest);
        let expected = if image.is_some() { header.parts_len() } else { 0 };
        let packed = Packed { offset, header, record, image, is_blob };
        (rest.len() == expected).then_some(packed)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_le_bytes(*word))
}

/// A dead record over a stretch of a chunk that holds nothing: dead messages are not written to
/// pages. No message has seq 0.
pub(super) fn gap(len: usize) -> [u8; HEADER_LEN] {
    let header = Header {
        seq: 0,
        expires_at: 0,
        flags: DEAD,
        level: 0,
        exchange_len: 0,
        routing_key_len: 0,
        properties_len: 0,
        body_len: (len - HEADER_LEN) as u32,
        entry: 0,
    };
    header.encode()
}
