//! Reading entries one after the other, as a start does: those that lie next to each other come from
//! one read.

use super::index::Place;
use crate::DiskFile;

#[cfg(test)]
mod tests;

/// Bytes read at once.
const AHEAD_BYTES: usize = 64 << 10;
/// Longer entries are read on their own.
const ENTRY_BYTES_MAX: usize = AHEAD_BYTES / 8;
/// How far behind the last entry one may lie for what follows it to be worth reading: farther apart,
/// too few of the next ones would be in it.
const GAP_BYTES_MAX: u64 = (AHEAD_BYTES / 8) as u64;

/// What was read last. What a file's blocks hold does not change while the file has its number.
#[derive(Default)]
pub(super) struct Ahead {
    file: u32,
    from: u64,
    bytes: Vec<u8>,
    /// The file of the entry that was asked for last, and where it ends.
    last: (u32, u64),
}

impl Ahead {
    /// The bytes of an entry in `file`, of which `end` bytes are written; `None` when they have to be
    /// read on their own.
    pub(super) fn get(&mut self, file: &dyn DiskFile, end: u64, place: Place) -> Option<&[u8]> {
        let len = place.len as usize;
        let is_next = self.is_next(place);
        self.last = (place.file(), place.end());
        if ENTRY_BYTES_MAX < len {
            return None;
        }
        if !self.holds(place) {
            if !is_next {
                return None;
            }
            let left = usize::try_from(end.checked_sub(place.offset)?).unwrap_or(usize::MAX);
            self.bytes.resize(left.min(AHEAD_BYTES), 0);
            (self.file, self.from) = (place.file(), place.offset);
            if file.read_exact_at(self.from, &mut self.bytes).is_err() {
                // Perhaps because of what follows the entry.
                self.clear();
                return None;
            }
        }
        let at = (place.offset - self.from) as usize;
        self.bytes.get(at..at + len)
    }

    /// Whether an entry lies shortly behind the last one.
    fn is_next(&self, place: Place) -> bool {
        let (file, end) = self.last;
        let gap = place.offset.checked_sub(end);
        file == place.file() && gap.is_some_and(|gap| gap <= GAP_BYTES_MAX)
    }

    fn holds(&self, place: Place) -> bool {
        let end = self.from + self.bytes.len() as u64;
        self.file == place.file() && self.from <= place.offset && place.end() <= end
    }

    /// Gives the memory back.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
