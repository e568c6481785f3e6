//! The log's blocks as bytes.
//!
//! A block is what one write puts into a file: a header (the log's mark, a checksum, the fields of
//! [`Header`]), the payloads of its entries one behind the
//! other, and the steps that say what they are. Header, steps and each payload have checksums of
//! their own, so that an entry is read and checked without its neighbours, and damage to one costs
//! only that one. Zeros follow the last block: their place is where the next one begins.
//!
//! Numbers are little-endian; in steps they are LEB128.

use std::ops::Range;

use super::mark::{MARK_LEN, Mark};
use crate::Payload;
use crate::checksum::checksum;

/// Bytes of a header.
pub(super) const HEADER_LEN: usize = 52;
/// Zeros behind the last block.
pub(super) const END_LEN: usize = 16;
/// Where in a header begins what its checksum is over.
const CHECKED: usize = MARK_LEN + 4;
/// Buffers that grew beyond this are given back after the write.
const SPARE_BYTES_MAX: usize = 4 << 20;

const ENTRY: u8 = 1;
const MOVED: u8 = 2;
const LOST: u8 = 3;
const COMPACT: u8 = 4;
const REMOVE: u8 = 5;
const PUT: u8 = 6;

/// What begins a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    /// One more than the block's before, over all files.
    pub(super) number: u64,
    /// Every block below this number was on stable storage when this one was written.
    pub(super) synced: u64,
    /// The number of the file: a file that is used again still holds blocks of its former number.
    pub(super) file: u32,
    /// The oldest file that the log still consists of.
    pub(super) first_file: u32,
    pub(super) payload_len: u64,
    pub(super) steps_len: u32,
    pub(super) steps_check: u32,
}

impl Header {
    /// For a block at `offset` of its file.
    fn encode(&self, mark: Mark, offset: u64, out: &mut [u8; HEADER_LEN]) {
        out[..MARK_LEN].copy_from_slice(&mark.0);
        out[12..20].copy_from_slice(&self.number.to_le_bytes());
        out[20..28].copy_from_slice(&self.synced.to_le_bytes());
        out[28..32].copy_from_slice(&self.file.to_le_bytes());
        out[32..36].copy_from_slice(&self.first_file.to_le_bytes());
        out[36..44].copy_from_slice(&self.payload_len.to_le_bytes());
        out[44..48].copy_from_slice(&self.steps_len.to_le_bytes());
        out[48..52].copy_from_slice(&self.steps_check.to_le_bytes());
        let check = check(&out[CHECKED..], offset);
        out[MARK_LEN..CHECKED].copy_from_slice(&check.to_le_bytes());
    }

    /// The header at `offset` of a file, which `bytes` begin with; `None` when it is none, damaged,
    /// or a copy of one from elsewhere.
    pub(super) fn decode(bytes: &[u8], mark: Mark, offset: u64) -> Option<Self> {
        let bytes = bytes.first_chunk::<HEADER_LEN>()?;
        let short = |at: usize| bytes[at..].first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
        let long = |at: usize| bytes[at..].first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        let is_sound =
            bytes[..MARK_LEN] == mark.0 && short(MARK_LEN)? == check(&bytes[CHECKED..], offset);
        let header = Self {
            number: long(12)?,
            synced: long(20)?,
            file: short(28)?,
            first_file: short(32)?,
            payload_len: long(36)?,
            steps_len: short(44)?,
            steps_check: short(48)?,
        };
        // No writer claims what is still to come.
        let is_possible = header.synced <= header.number && header.first_file <= header.file;
        (is_sound && is_possible).then_some(header)
    }

    /// Where the payloads and the steps lie in the block.
    pub(super) fn parts(&self) -> Option<(Range<usize>, Range<usize>)> {
        let steps = HEADER_LEN.checked_add(usize::try_from(self.payload_len).ok()?)?;
        let end = steps.checked_add(usize::try_from(self.steps_len).ok()?)?;
        Some((HEADER_LEN..steps, steps..end))
    }
}

/// A block copied to another place, into an entry say, is none there.
fn check(fields: &[u8], offset: u64) -> u32 {
    checksum(&[fields, &offset.to_le_bytes()])
}

/// The bytes of an entry in the payloads of its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// From the block's first byte.
    pub(super) offset: u64,
    pub(super) len: u32,
    pub(super) check: u32,
}

/// What a block does to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// Adds an entry, see [`crate::Op::Append`].
    Entry { group: u64, index: u64, extent: Extent },
    /// Repeats an entry, so that its former file can go.
    Moved { group: u64, index: u64, extent: Extent },
    /// Repeats that an entry is lost to damage.
    Lost { group: u64, index: u64 },
    /// See [`crate::Op::Compact`].
    Compact { group: u64, keep_from: u64 },
    /// See [`crate::Op::Remove`].
    Remove { group: u64 },
    /// See [`crate::Op::Put`].
    Put { group: u64, key: &'a [u8], value: &'a [u8] },
}

/// The steps of a block; ends early when they are malformed.
#[derive(Clone, Debug)]
pub(super) struct Steps<'a> {
    rest: &'a [u8],
    /// Where the next entry's bytes begin, from the block's first byte.
    offset: u64,
}

impl<'a> Steps<'a> {
    pub(super) fn new(steps: &'a [u8]) -> Self {
        Self { rest: steps, offset: HEADER_LEN as u64 }
    }

    /// Whether the steps can be read to their end and name all of `payload_len` bytes.
    pub(super) fn are_sound(mut self, payload_len: u64) -> bool {
        while self.next().is_some() {}
        self.rest.is_empty() && self.offset == HEADER_LEN as u64 + payload_len
    }

    fn read(&mut self) -> Option<Step<'a>> {
        let kind = self.byte()?;
        let group = self.number()?;
        Some(match kind {
            ENTRY => Step::Entry { group, index: self.number()?, extent: self.extent()? },
            MOVED => Step::Moved { group, index: self.number()?, extent: self.extent()? },
            LOST => Step::Lost { group, index: self.number()? },
            COMPACT => Step::Compact { group, keep_from: self.number()? },
            REMOVE => Step::Remove { group },
            PUT => Step::Put { group, key: self.bytes()?, value: self.bytes()? },
            _ => return None,
        })
    }

    fn extent(&mut self) -> Option<Extent> {
        let len = u32::try_from(self.number()?).ok()?;
        let (check, rest) = self.rest.split_first_chunk::<4>()?;
        self.rest = rest;
        let extent = Extent { offset: self.offset, len, check: u32::from_le_bytes(*check) };
        self.offset += u64::from(len);
        Some(extent)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

impl<'a> Iterator for Steps<'a> {
    type Item = Step<'a>;

    fn next(&mut self) -> Option<Step<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let before = self.rest;
        let step = self.read();
        if step.is_none() {
            self.rest = before;
        }
        step
    }
}

/// A block in the making. Keeps its buffers.
#[derive(Debug, Default)]
pub(super) struct Builder {
    /// Room for the header, then payloads.
    block: Vec<u8>,
    steps: Vec<u8>,
    /// Whether the steps follow the payloads already.
    is_whole: bool,
}

impl Builder {
    /// Begins another block.
    pub(super) fn start(&mut self) {
        self.block.clear();
        self.block.resize(HEADER_LEN, 0);
        self.steps.clear();
        self.is_whole = false;
    }

    /// Bytes of payload so far.
    pub(super) fn payload_len(&self) -> usize {
        self.block.len() - HEADER_LEN
    }

    /// Adds an entry; `None` when it is too long.
    pub(super) fn entry(&mut self, group: u64, index: u64, payload: &Payload) -> Option<()> {
        let start = self.block.len();
        payload.copy_to(&mut self.block);
        self.describe(ENTRY, group, index, start)
    }

    /// Repeats an entry.
    pub(super) fn moved(&mut self, group: u64, index: u64, bytes: &[u8]) -> Option<()> {
        let start = self.block.len();
        self.block.extend_from_slice(bytes);
        self.describe(MOVED, group, index, start)
    }

    fn describe(&mut self, kind: u8, group: u64, index: u64, start: usize) -> Option<()> {
        let payload = &self.block[start..];
        let len = u32::try_from(payload.len()).ok()?;
        let check = checksum(&[payload]);
        self.step(kind, group);
        self.number(index);
        self.number(u64::from(len));
        self.steps.extend_from_slice(&check.to_le_bytes());
        Some(())
    }

    pub(super) fn lost(&mut self, group: u64, index: u64) {
        self.step(LOST, group);
        self.number(index);
    }

    pub(super) fn compact(&mut self, group: u64, keep_from: u64) {
        self.step(COMPACT, group);
        self.number(keep_from);
    }

    pub(super) fn remove(&mut self, group: u64) {
        self.step(REMOVE, group);
    }

    pub(super) fn put(&mut self, group: u64, key: &[u8], value: &[u8]) {
        self.step(PUT, group);
        for bytes in [key, value] {
            self.number(bytes.len() as u64);
            self.steps.extend_from_slice(bytes);
        }
    }

    fn step(&mut self, kind: u8, group: u64) {
        self.steps.push(kind);
        self.number(group);
    }

    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.steps.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.steps.push(number as u8);
    }

    /// Puts the block together for `offset` of a file, behind `header`, whose lengths and checksum
    /// are filled in here; `None` when there are too many steps. May be called again with another
    /// header.
    pub(super) fn finish(&mut self, mut header: Header, mark: Mark, offset: u64) -> Option<&[u8]> {
        if !self.is_whole {
            self.is_whole = true;
            self.block.extend_from_slice(&self.steps);
            self.block.extend_from_slice(&[0; END_LEN]);
        }
        let payload_len = self.block.len() - HEADER_LEN - self.steps.len() - END_LEN;
        header.payload_len = payload_len as u64;
        header.steps_len = u32::try_from(self.steps.len()).ok()?;
        header.steps_check = checksum(&[&self.steps]);
        header.encode(mark, offset, self.block.first_chunk_mut()?);
        Some(&self.block)
    }

    /// The steps added.
    pub(super) fn steps(&self) -> Steps<'_> {
        Steps::new(&self.steps)
    }

    /// Gives back what an unusually large block needed.
    pub(super) fn trim(&mut self) {
        if self.block.capacity() > SPARE_BYTES_MAX || self.steps.capacity() > SPARE_BYTES_MAX {
            *self = Self::default();
        }
    }
}
