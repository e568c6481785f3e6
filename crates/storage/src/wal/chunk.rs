//! How the records of one group in one segment are laid out as one entry of the log.
//!
//! `floor: u64, first: u64, count: u32`, then per record `len: u32, bytes`; all little-endian. The log
//! keeps an index entry in memory per entry: one per record would cost more than small records
//! themselves.

/// Bytes in front of the records.
const HEADER_LEN: usize = 20;

/// The front of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Records below were compacted away when this chunk was written.
    pub(super) floor: u64,
    /// Index of the first record.
    pub(super) first: u64,
    /// Number of records.
    pub(super) count: u32,
}

impl Header {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_LEN);
        out.extend_from_slice(&self.floor.to_le_bytes());
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        out
    }
}

/// Splits a chunk into its header and its records; `None` when it is malformed.
pub(super) fn decode(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let (floor, bytes) = bytes.split_first_chunk::<8>()?;
    let (first, bytes) = bytes.split_first_chunk::<8>()?;
    let (count, bytes) = bytes.split_first_chunk::<4>()?;
    let header = Header {
        floor: u64::from_le_bytes(*floor),
        first: u64::from_le_bytes(*first),
        count: u32::from_le_bytes(*count),
    };
    let end = header.first.checked_add(u64::from(header.count))?;
    (header.floor <= end).then_some((header, bytes))
}

/// Takes the next record off the front of `bytes`.
pub(super) fn next_record<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    let (record, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    *bytes = rest;
    Some(record)
}
