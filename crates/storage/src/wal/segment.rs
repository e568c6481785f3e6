//! A buffer of appends on their way to the log.

use std::ops::Range;

use super::Lsn;
use crate::GroupId;

/// Bytes of a segment. Also the size of the blocks on disk, and reading one record back reads its
/// block: large enough to make a write cheap, small enough to make a read so.
pub(super) const SEGMENT_BYTES: usize = 256 << 10;
/// Bytes of the length in front of each record.
pub(super) const RECORD_HEADER_LEN: usize = 4;

/// Compactions and removals that are held back until a record comes along.
const LONE_STEPS_MAX: usize = 1024;

/// A step of a segment, in the order of the calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// `count` records from `first` on, at `span` of the bytes, each behind its length.
    Append {
        group: GroupId,
        first: u64,
        count: u32,
        span: Range<usize>,
    },
    Compact {
        group: GroupId,
        keep_from: u64,
    },
    Remove {
        group: GroupId,
    },
}

/// Appends of any groups; consecutive ones of one group share a step.
#[derive(Debug, Default)]
pub(super) struct Segment {
    pub(super) bytes: Vec<u8>,
    pub(super) steps: Vec<Step>,
    /// Bytes of records, without their lengths.
    record_bytes: u64,
    last: Option<Lsn>,
    /// It has waited long enough.
    is_settled: bool,
}

impl Segment {
    /// Whether a record of `len` bytes fits; an empty segment takes any.
    pub(super) fn has_room(&self, len: usize) -> bool {
        self.bytes.is_empty() || self.bytes.len() + RECORD_HEADER_LEN + len <= SEGMENT_BYTES
    }

    pub(super) fn append(&mut self, group: GroupId, index: u64, record: &[u8], lsn: Lsn) {
        if self.bytes.capacity() == 0 && record.len() <= SEGMENT_BYTES / 16 {
            // Grows by itself from here; the first step spares a trickle of records the rest.
            self.bytes.reserve(SEGMENT_BYTES / 16);
        }
        let len = u32::try_from(record.len()).expect("a record is shorter than 4 GiB");
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&len.to_le_bytes());
        self.bytes.extend_from_slice(record);
        let end = self.bytes.len();
        self.record_bytes += u64::from(len);
        self.last = Some(lsn);
        if let Some(Step::Append { group: last_group, first, count, span }) = self.steps.last_mut()
            && *last_group == group
            && *first + u64::from(*count) == index
        {
            *count += 1;
            span.end = end;
            return;
        }
        self.steps.push(Step::Append { group, first: index, count: 1, span: start..end });
    }

    pub(super) fn compact(&mut self, group: GroupId, keep_from: u64) {
        self.steps.push(Step::Compact { group, keep_from });
    }

    pub(super) fn remove(&mut self, group: GroupId, lsn: Lsn) {
        self.last = Some(lsn);
        self.steps.push(Step::Remove { group });
    }

    /// Nothing came for a while: what is there need not wait for company, and an empty one needs
    /// no buffer.
    pub(super) fn settle(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
        self.is_settled = !self.is_empty();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether it is time to write it: compactions and removals wait for company.
    pub(super) fn is_due(&self) -> bool {
        !self.bytes.is_empty() || self.is_settled || self.steps.len() >= LONE_STEPS_MAX
    }

    /// The position of the last record or removal.
    pub(super) fn last(&self) -> Option<Lsn> {
        self.last
    }

    pub(super) fn record_bytes(&self) -> u64 {
        self.record_bytes
    }

    /// Empties it for reuse and keeps its pages, unless an oversized record made it large.
    pub(super) fn recycle(&mut self) {
        self.steps.clear();
        self.record_bytes = 0;
        self.last = None;
        self.is_settled = false;
        if self.bytes.capacity() > 2 * SEGMENT_BYTES {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
    }
}
