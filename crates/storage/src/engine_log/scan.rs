//! Reading a file of the log: which of its bytes are blocks.

use std::io;
use std::ops::Range;

use super::block::{END_LEN, Header, Step, Steps};
use super::mark::{MARK_LEN, Mark};
use crate::DiskFile;
use crate::checksum::checksum;

/// Bytes read at once.
const READ_BYTES: usize = 1 << 20;
/// Bytes given up at once where the device does not read.
const SECTOR_BYTES: usize = 4096;
/// What stands for bytes that the device does not read: not the zeros that end a log.
const UNREADABLE: u8 = 0xFF;

/// A block whose header and steps are whole.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) offset: u64,
    pub(super) end: u64,
    pub(super) header: Header,
    pub(super) steps: Vec<u8>,
    /// Entries whose bytes are damaged: where, and how many bytes.
    pub(super) damaged: Vec<(u64, u64)>,
}

/// A stretch of a file.
#[derive(Clone, Debug)]
pub(super) enum Stretch {
    Block(Block),
    /// Bytes between blocks that are none.
    Broken {
        offset: u64,
        end: u64,
    },
}

/// What a file holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Scan {
    /// Stretches in order, from the file's first byte on.
    pub(super) stretches: Vec<Stretch>,
    /// Where the last block ends.
    pub(super) end: u64,
    /// The file's length.
    pub(super) len: u64,
    /// Whether something else than the end of a log follows the last block.
    pub(super) is_torn: bool,
    /// Bytes that the device did not read.
    unread: Vec<Range<u64>>,
}

impl Scan {
    /// Forgets what follows `end`, which lies between two stretches.
    pub(super) fn cut(&mut self, end: u64) {
        self.stretches.retain(|stretch| match stretch {
            Stretch::Block(block) => block.offset < end,
            Stretch::Broken { offset, .. } => *offset < end,
        });
        self.end = end;
    }

    /// Whether there are bytes between these that the device did not read.
    pub(super) fn is_unread(&self, offset: u64, end: u64) -> bool {
        self.unread.iter().any(|unread| unread.start < end && offset < unread.end)
    }

    pub(super) fn blocks(&self) -> impl DoubleEndedIterator<Item = &Block> {
        self.stretches.iter().filter_map(|stretch| match stretch {
            Stretch::Block(block) => Some(block),
            Stretch::Broken { .. } => None,
        })
    }
}

/// What tells a block of a file from other bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sought {
    pub(super) mark: Mark,
    /// The file's number.
    pub(super) file: u32,
    /// The lowest number that a block may have: those below are what the file held before.
    pub(super) number: u64,
}

/// Reads a file of the log.
pub(super) fn scan(handle: &dyn DiskFile, mut sought: Sought) -> io::Result<Scan> {
    let (bytes, unread) = read_all(handle)?;
    let mut found = Scan { len: bytes.len() as u64, unread, ..Scan::default() };
    let mut at = 0;
    loop {
        if let Some(block) = sought.read_block(&bytes, at) {
            sought.number = block.header.number + 1;
            at = block.end as usize;
            found.end = block.end;
            found.stretches.push(Stretch::Block(block));
            continue;
        }
        let Some(next) = sought.find_block(&bytes, at) else { break };
        found.stretches.push(Stretch::Broken { offset: at as u64, end: next as u64 });
        at = next;
    }
    found.is_torn = !sought.is_end(&bytes, at);
    Ok(found)
}

/// All bytes of a file, and where they are [`UNREADABLE`] because the device did not read them.
fn read_all(handle: &dyn DiskFile) -> io::Result<(Vec<u8>, Vec<Range<u64>>)> {
    let len = usize::try_from(handle.len()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; len];
    let mut unread = Vec::new();
    for start in (0..len).step_by(READ_BYTES) {
        let end = len.min(start + READ_BYTES);
        if handle.read_exact_at(start as u64, &mut bytes[start..end]).is_ok() {
            continue;
        }
        for start in (start..end).step_by(SECTOR_BYTES) {
            let end = end.min(start + SECTOR_BYTES);
            let sector = &mut bytes[start..end];
            if handle.read_exact_at(start as u64, sector).is_err() {
                sector.fill(UNREADABLE);
                unread.push(start as u64..end as u64);
            }
        }
    }
    Ok((bytes, unread))
}

impl Sought {
    fn header(&self, bytes: &[u8], at: usize) -> Option<Header> {
        let header = Header::decode(&bytes[at..], self.mark, at as u64)?;
        (header.file == self.file && header.number >= self.number).then_some(header)
    }

    fn read_block(&self, bytes: &[u8], at: usize) -> Option<Block> {
        let header = self.header(bytes, at)?;
        let rest = &bytes[at..];
        let (_, steps) = header.parts()?;
        let end = at.checked_add(steps.end)?;
        let steps = rest.get(steps)?;
        let is_sound = checksum(&[steps]) == header.steps_check
            && Steps::new(steps).are_sound(header.payload_len);
        if !is_sound {
            return None;
        }
        let mut damaged = Vec::new();
        for step in Steps::new(steps) {
            let (Step::Entry { extent, .. } | Step::Moved { extent, .. }) = step else { continue };
            let from = extent.offset as usize;
            let entry = &rest[from..from + extent.len as usize];
            if checksum(&[entry]) != extent.check {
                damaged.push((at as u64 + extent.offset, u64::from(extent.len)));
            }
        }
        let (offset, end) = (at as u64, end as u64);
        Some(Block { offset, end, header, steps: steps.to_vec(), damaged })
    }

    /// Where the next block begins behind what is none at `from`.
    fn find_block(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        while let Some(found) =
            bytes.get(at..)?.windows(MARK_LEN).position(|bytes| bytes == self.mark.0)
        {
            at += found;
            if self.read_block(bytes, at).is_some() {
                return Some(at);
            }
            // A header that can be read says where its block ends.
            let parts = self.header(bytes, at).and_then(|header| header.parts());
            at = at.checked_add(parts.map_or(1, |(_, steps)| steps.end))?;
        }
        None
    }

    /// Whether the log ends properly in front of `at`: zeros follow, or nothing, or, in a file used
    /// again and not written to yet, what it held before.
    fn is_end(&self, bytes: &[u8], at: usize) -> bool {
        let rest = &bytes[at..];
        let is_zero = rest.iter().take(END_LEN).all(|&byte| byte == 0);
        let is_of_another =
            || Header::decode(rest, self.mark, 0).is_some_and(|header| header.file != self.file);
        is_zero || at == 0 && is_of_another()
    }
}
