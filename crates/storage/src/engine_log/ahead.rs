//! Reading entries one after the other, as a start does: those that lie next to each other come from
//! one read.

use super::index::Place;
use crate::DiskFile;

/// Bytes read at once.
const AHEAD_BYTES: usize = 64 << 10;
/// Longer entries are read on their own.
const ENTRY_BYTES_MAX: usize = AHEAD_BYTES / 8;

/// What was read last. What a file's blocks hold does not change while the file has its number.
#[derive(Default)]
pub(super) struct Ahead {
    file: u32,
    from: u64,
    bytes: Vec<u8>,
}

impl Ahead {
    /// The bytes of an entry in `file`, of which `end` bytes are written; `None` when they have to be
    /// read on their own.
    pub(super) fn get(&mut self, file: &dyn DiskFile, end: u64, place: Place) -> Option<&[u8]> {
        let len = place.len as usize;
        if ENTRY_BYTES_MAX < len {
            return None;
        }
        if !self.holds(place) {
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

    fn holds(&self, place: Place) -> bool {
        let end = self.from + self.bytes.len() as u64;
        self.file == place.file()
            && self.from <= place.offset
            && place.offset + u64::from(place.len) <= end
    }

    /// Gives the memory back.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
