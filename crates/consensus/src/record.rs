//! How one entry of a member's log is stored: `kind u8, term u64, data`, little-endian.
//!
//! Its index is the record's own, in the log that keeps it.

use crate::Error;

/// Bytes in front of the data.
const HEAD_LEN: usize = 9;
/// An entry with data.
const DATA: u8 = 1;
/// An entry without: a leader's first, or one that only keeps a cleared log's place.
const BLANK: u8 = 2;

/// A stored entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The term in which it was proposed.
    pub term: u64,
    /// What was proposed; `None` for an entry that concerns the log alone.
    pub data: Option<&'a [u8]>,
}

impl<'a> Record<'a> {
    /// Reads a record.
    ///
    /// # Errors
    /// [`Error::Damaged`] for anything that [`Member`](crate::Member) does not write.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let damaged = |what: &str| Error::Damaged(what.to_owned());
        let (&kind, rest) = bytes.split_first().ok_or_else(|| damaged("the record is empty"))?;
        let (term, data) =
            rest.split_first_chunk::<8>().ok_or_else(|| damaged("the record is cut off"))?;
        let term = u64::from_le_bytes(*term);
        match kind {
            DATA => Ok(Self { term, data: Some(data) }),
            BLANK if data.is_empty() => Ok(Self { term, data: None }),
            _ => Err(Error::Damaged(format!("no record is of kind {kind}"))),
        }
    }
}

/// The record of an entry whose data are the `parts`, joined.
pub(crate) fn with_data(term: u64, parts: &[&[u8]]) -> Vec<u8> {
    let len = parts.iter().map(|part| part.len()).sum::<usize>();
    let mut record = Vec::with_capacity(HEAD_LEN + len);
    record.push(DATA);
    record.extend_from_slice(&term.to_le_bytes());
    parts.iter().for_each(|part| record.extend_from_slice(part));
    record
}

/// The record of an entry without data.
pub(crate) fn blank(term: u64) -> [u8; HEAD_LEN] {
    let mut record = [BLANK; HEAD_LEN];
    record[1..].copy_from_slice(&term.to_le_bytes());
    record
}
